//! What a server answers to the hello of SSLv2: ciphers come from a whole SERVER-HELLO, and
//! nothing else passes for one.
//!
//! Input: one byte that says how the connection ends and how small the pieces are, then the
//! server's bytes.

use check_weak_ciphers::fuzz::{Kind, Shown, ssl2};

use super::wire::{ENDS, Peer};

/// The longest record, with what is read ahead.
const MOST: usize = 2 + 0x7fff + 4096 + 1;

/// The target.
pub fn run(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let end = ENDS[usize::from(choice) % ENDS.len()];
    let read = |bytes: &[u8], piece: usize| {
        let mut peer = Peer::new(bytes, piece, end);
        let shown = ssl2(&mut peer);
        assert!(peer.sent.is_empty() && peer.taken <= MOST);
        shown
    };
    let whole = read(bytes, usize::MAX);
    check(&whole, bytes);
    for piece in [1, 2 + usize::from(choice >> 2)] {
        let pieces = read(bytes, piece);
        assert_eq!((meaning(&pieces), &pieces.kinds), (meaning(&whole), &whole.kinds));
    }
    for length in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let part = read(&bytes[..length], usize::MAX);
        if part.kind == Kind::Ssl2 {
            assert_eq!(part, whole, "what follows a hello changes nothing");
        }
    }
}

fn check(shown: &Shown, bytes: &[u8]) {
    assert!(shown.pick.is_none() && shown.words.len() <= 128 && bytes.starts_with(&shown.words));
    assert!(shown.kinds.is_empty() || shown.kind == Kind::Ssl2);
    if shown.kind == Kind::Ssl2 {
        let length = usize::from(u16::from_be_bytes([bytes[0] & 0x7f, bytes[1]]));
        assert!(bytes[0] & 0x80 != 0 && bytes[2] == 4 && bytes.len() >= 2 + length);
        assert!(shown.kinds.len() * 3 + 11 <= length);
        assert!(shown.kinds.iter().all(|kind| *kind < 1 << 24));
    }
}

/// It makes no difference by what it shows that it is no SSLv2: the first bytes decide, and
/// how many there are depends on the pieces.
fn meaning(shown: &Shown) -> Kind {
    match shown.kind {
        Kind::Refused | Kind::Violation => Kind::Foreign,
        other => other,
    }
}
