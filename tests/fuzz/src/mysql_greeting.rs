//! The first bytes of a connection that should be MySQL's: any beginning has one meaning,
//! and what is known of a beginning stays so when more bytes come.

use common::proto::mysql::greeting::{Greeting, plain_version, read_greeting};

/// The target.
pub fn run(data: &[u8]) {
    let whole = read_greeting(data);
    match &whole {
        Greeting::Server(version) => assert!(plain_version(version).len() <= version.len()),
        Greeting::Foreign(Some(line)) => {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t'));
        }
        _ => {}
    }
    let half = read_greeting(data.get(..data.len() / 2).unwrap_or_default());
    let is_server = matches!(half, Greeting::Server(_));
    assert!(!is_server || half == whole, "{half:?} became {whole:?}");
}
