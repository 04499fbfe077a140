//! Heads of index files, which hold the marks that a server leaves on its tables: `.MYI` of
//! MyISAM and `.MAI` of Aria. All numbers are big endian.
//!
//! ```text
//!            MyISAM   Aria
//! magic      0  fe fe 07 01    0  fe fe 09 ..
//! options    4  u16            4  u16
//! keys       18 u8             18 u8
//! open_count 24 u16            24 u16
//! changed    26 u8             26 u16
//! records    28 u64            49 u64
//! key file   60 u64            89 u64     length
//! data file  68 u64            97 u64     length
//! ```

/// What the head of an index file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexHead {
    /// Which engine's it is.
    pub engine: IndexEngine,
    /// Servers that had it open and did not close it.
    pub open_count: u16,
    /// A server met damage in it.
    pub is_crashed: bool,
    /// A repair failed.
    pub is_repair_failed: bool,
    /// Rows.
    pub records: u64,
    /// Bytes the index file should have.
    pub index_length: u64,
    /// Bytes the data file should have.
    pub data_length: u64,
    /// Written once by a packer, which cuts the index as it likes.
    pub is_packed: bool,
}

/// Engines with such files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexEngine {
    /// `.MYI`
    MyIsam,
    /// `.MAI`
    Aria,
}

/// Why it is no head of an index file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The file ends within it.
    #[error("it is empty or ends within its head")]
    Short,
    /// Other bytes stand where all such files begin alike.
    #[error("it does not begin as an index file does")]
    Foreign,
}

/// Bytes that [`parse_head`] wants to see.
pub const HEAD: usize = 105;

const CRASHED: u16 = 2;
const CRASHED_ON_REPAIR: u16 = 4;
const PACKED: u16 = 4;

/// Reads the head of an index file.
pub fn parse_head(bytes: &[u8]) -> Result<IndexHead, HeadError> {
    let engine = match bytes {
        [0xfe, 0xfe, 0x07, ..] => IndexEngine::MyIsam,
        [0xfe, 0xfe, 0x09, ..] => IndexEngine::Aria,
        [_, _, _, ..] => return Err(HeadError::Foreign),
        _ => return Err(HeadError::Short),
    };
    let (changed, records, index_length, data_length) = match engine {
        IndexEngine::MyIsam => (number(bytes, 26, 1)?, 28, 60, 68),
        IndexEngine::Aria => (number(bytes, 26, 2)?, 49, 89, 97),
    };
    let changed = narrow(changed);
    Ok(IndexHead {
        engine,
        open_count: narrow(number(bytes, 24, 2)?),
        is_crashed: changed & (CRASHED | CRASHED_ON_REPAIR) != 0,
        is_repair_failed: changed & CRASHED_ON_REPAIR != 0,
        records: number(bytes, records, 8)?,
        index_length: number(bytes, index_length, 8)?,
        data_length: number(bytes, data_length, 8)?,
        is_packed: narrow(number(bytes, 4, 2)?) & PACKED != 0,
    })
}

fn number(bytes: &[u8], at: usize, width: usize) -> Result<u64, HeadError> {
    let digits = bytes.get(at..at + width).ok_or(HeadError::Short)?;
    Ok(digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A number that was read from two bytes or fewer.
fn narrow(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The beginning of a table of 20 000 rows, as MariaDB 10.11 wrote it.
    const MYISAM: &str = "fefe07010003018c00b0006400d000020000020008010000000030ff00000000\
        00004e2000000000000000000000000000004e20ffffffffffffffff000000000006a8000000000000074e40\
        00000000000000000000000000000000000000000000000000000000000000";
    const ARIA: &str = "fefe09030c02020c00d70087010700020000020000000303000001b0010000194e0000\
        01000070500000010000705000000000000000004e2000000000000000000000000000\
        000000ffffffffffffffff0000000000000000000000000006600000000000000d6000";

    fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<char> = digits.chars().filter(char::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
            .collect()
    }

    #[test]
    fn heads_of_whole_tables() {
        let head = parse_head(&bytes(MYISAM)).unwrap();
        assert_eq!((head.engine, head.open_count, head.records), (IndexEngine::MyIsam, 0, 20_000));
        assert_eq!((head.index_length, head.data_length), (436_224, 478_784));
        assert!(!head.is_crashed && !head.is_repair_failed && !head.is_packed);
        let head = parse_head(&bytes(ARIA)).unwrap();
        assert_eq!((head.engine, head.open_count, head.records), (IndexEngine::Aria, 0, 20_000));
        assert_eq!((head.index_length, head.data_length), (417_792, 876_544));
        assert!(!head.is_crashed);
    }

    #[test]
    fn marks_of_damage_and_of_a_server_that_never_closed() {
        let mut head = bytes(MYISAM);
        head[26] = 0x39;
        head[25] = 1;
        let read = parse_head(&head).unwrap();
        assert_eq!((read.open_count, read.is_crashed), (1, false), "0x39 is changed, not crashed");
        head[26] = 0x36;
        let read = parse_head(&head).unwrap();
        assert!(read.is_crashed && read.is_repair_failed);
        head[26] = 0x32;
        let read = parse_head(&head).unwrap();
        assert!(read.is_crashed && !read.is_repair_failed);
        let mut head = bytes(ARIA);
        (head[26], head[27]) = (0x04, 0x36);
        assert!(parse_head(&head).unwrap().is_crashed);
    }

    #[test]
    fn what_is_no_head() {
        assert_eq!(parse_head(b""), Err(HeadError::Short));
        assert_eq!(parse_head(b"\xfe\xfe\x07\x01"), Err(HeadError::Short));
        assert_eq!(parse_head(&[0; 200]), Err(HeadError::Foreign));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_head(&bytes);
            let mut marked = vec![0xfe, 0xfe, 0x07];
            marked.extend(&bytes);
            match parse_head(&marked) {
                Ok(head) => prop_assert_eq!(head.open_count, u16::from_be_bytes([marked[24], marked[25]])),
                Err(error) => prop_assert!(error == HeadError::Short && marked.len() < HEAD),
            }
        }
    }
}
