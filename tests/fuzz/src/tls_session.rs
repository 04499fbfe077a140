//! What a TLS server says behind a handshake to what `--intrusive` tries: records under keys and in the clear. A fault
//! counts only when the server shows it under its keys.
//!
//! Input: one byte that says how the connection ends and how small the pieces are, then pieces: one byte for the type of
//! a record (with its highest bit: of bytes as they are), one for the length, and so many bytes.

use check_weak_ciphers::fuzz::{Answer, ServerSide, early_change, empty_heartbeat, second_hello};

use super::wire::{ENDS, Peer};

/// What is tried, and the type of record that shows a fault.
type Ask = (fn(&mut Peer<'_>) -> Answer, u8);

const ASKS: [Ask; 3] = [
    (|peer| second_hello(peer), 22),
    (|peer| empty_heartbeat(peer), 24),
    (|peer| early_change(peer), u8::MAX),
];

/// More than any server has to say, with what is read ahead.
const MOST: usize = (1 << 18) + 4096;

/// The target.
pub fn run(data: &[u8]) {
    let Some((&choice, pieces)) = data.split_first() else { return };
    let end = ENDS[usize::from(choice) % ENDS.len()];
    let said = said(pieces);
    for (ask, kind) in ASKS {
        let read = |piece: usize| {
            let mut peer = Peer::new(&said.bytes, piece, end);
            let answer = ask(&mut peer);
            assert!(peer.taken <= MOST);
            answer
        };
        let whole = read(usize::MAX);
        for piece in [1, 2 + usize::from(choice >> 2)] {
            assert_eq!(read(piece), whole);
        }
        if whole == Answer::Vulnerable {
            assert!(said.sealed.contains(&kind), "nothing of type {kind} was under keys");
        }
        if whole == Answer::Silent {
            assert!(matches!(choice % 4, 1 | 3), "{choice}");
        }
        if said.bytes.is_empty() && kind != u8::MAX {
            assert_eq!(whole == Answer::Silent, matches!(choice % 4, 1 | 3));
        }
    }
}

/// What the server says, and the types of what it encrypts.
#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    sealed: Vec<u8>,
}

fn said(mut pieces: &[u8]) -> Said {
    let mut server = ServerSide::new().expect("keys can be made from nothing");
    let mut said = Said::default();
    while let Some((&[kind, length], rest)) = pieces.split_first_chunk() {
        let (body, rest) = rest.split_at(rest.len().min(usize::from(length)));
        if kind & 0x80 == 0 {
            let kind = 20 + kind % 5;
            said.bytes.extend(server.record(kind, body).expect("a short record"));
            said.sealed.push(kind);
        } else {
            said.bytes.extend(body);
        }
        pieces = rest;
    }
    said
}
