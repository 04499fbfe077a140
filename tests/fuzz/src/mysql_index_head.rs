//! The head of an index file: any bytes are read or refused, and what is read is what stands there.
//!
//! Input: the file.

use check_mysql_tables::fuzz::{HEAD, HeadError, IndexEngine, parse_head};

/// The target.
pub fn run(data: &[u8]) {
    match parse_head(data) {
        Err(HeadError::Short) => assert!(data.len() < HEAD, "there was enough to read"),
        Err(HeadError::Foreign) => assert!(data[0] != 0xfe || data[1] != 0xfe || !matches!(data[2], 7 | 9)),
        Ok(head) => {
            assert_eq!(head.engine, if data[2] == 7 { IndexEngine::MyIsam } else { IndexEngine::Aria });
            assert_eq!(head.open_count, u16::from_be_bytes([data[24], data[25]]));
            let changed = if data[2] == 7 { data[26] } else { data[27] };
            assert_eq!(head.is_crashed, changed & 6 != 0);
            assert_eq!(head.is_repair_failed, changed & 4 != 0);
            // What follows the head changes nothing, and what is before its end does not go unread.
            assert_eq!(parse_head(&data[..data.len().min(HEAD)]), Ok(head));
        }
    }
}
