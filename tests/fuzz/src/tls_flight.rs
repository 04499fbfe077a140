//! What a TLS server answers to a hello: records, ServerHello, certificates, key exchange. A
//! server that showed a suite has not refused it, whatever comes behind.
//!
//! Input: one byte that says how the connection ends and how small the pieces are, then the
//! server's bytes.

use check_weak_ciphers::fuzz::{Kind, Shown, flight};

use super::wire::{ENDS, Peer};

/// More than any server has to say, with what is read ahead.
const MOST: usize = (1 << 18) + 4096;

/// The target.
pub fn run(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let end = ENDS[usize::from(choice) % ENDS.len()];
    let read = |bytes: &[u8], piece: usize| {
        let mut peer = Peer::new(bytes, piece, end);
        let shown = flight(&mut peer);
        assert!(peer.sent.is_empty() && peer.taken <= MOST);
        shown
    };
    let whole = read(bytes, usize::MAX);
    check(&whole, bytes);
    for piece in [1, 2 + usize::from(choice >> 2)] {
        same(&read(bytes, piece), &whole);
    }
    // What was shown at any time is never taken back for a refusal or an end.
    for length in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let part = read(&bytes[..length], usize::MAX);
        if part.pick.is_some() {
            assert!(whole.pick == part.pick || whole.kind == Kind::Violation, "{part:?} became {whole:?}");
        }
        if part.kind == Kind::Refused {
            assert_eq!(whole.kind, Kind::Refused, "{whole:?}");
        }
    }
}

fn check(shown: &Shown, bytes: &[u8]) {
    assert_eq!(shown.pick.is_some(), shown.kind == Kind::Accepted);
    assert!(!matches!(shown.kind, Kind::Ssl2 | Kind::NoStarttls | Kind::Busy | Kind::Other), "{shown:?}");
    assert!(shown.words.len() <= 128 && bytes.starts_with(&shown.words));
    assert!(shown.chain.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    assert!(shown.chain.is_empty() || shown.kind == Kind::Accepted);
    assert!(shown.dh_bits.is_none_or(|bits| bits as usize <= bytes.len() * 8));
    if bytes.is_empty() {
        assert!(matches!(shown.kind, Kind::Ended | Kind::Silent), "{shown:?}");
    }
    if shown.kind == Kind::Accepted {
        // Record header, message header, version, random, session, suite; then the compression.
        assert!(bytes.len() > 5 + 4 + 2 + 32 + 1 + 2 && bytes[0] >= 20 && bytes[1] == 3);
    }
}

/// Of a greeting that is none of TLS more may be kept when more came at once.
fn same(one: &Shown, other: &Shown) {
    assert!(other.words.starts_with(&one.words), "{one:?} {other:?}");
    assert_eq!(one, &Shown { words: one.words.clone(), ..other.clone() });
}
