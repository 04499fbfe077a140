//! What a name server sends back: an answer counts only when it fits the question, and what
//! is broken is never a clean bill.
//!
//! Input: one byte that chooses the question and whether the message is taken as it is, then
//! the message. Else flags, counts and what follows the question are its own, and id and
//! question are those of the query, so that the reader gets beyond them.

use common::proto::dns::{Answer, Data, Heard, Kind, Outcome, Packet, Question};

const KINDS: [Kind; 8] =
    [Kind::A, Kind::Aaaa, Kind::Ptr, Kind::Mx, Kind::Txt, Kind::Soa, Kind::Ns, Kind::Tlsa];
const ID: u16 = 0x1234;
/// Where the question begins.
const HEADER: usize = 12;
/// Its name and its length on the wire with type and class.
const NAME: &str = "2.0.0.127.zen.lab.test";
const QUESTION: usize = NAME.len() + 2 + 4;

/// The target.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let kind = KINDS[usize::from(choice) % KINDS.len()];
    let ask = |id| {
        let question = Question { name: NAME.parse().expect("a name"), kind };
        Packet::new(&question, id, choice & 8 != 0).expect("a question")
    };
    let packet = ask(ID);
    assert_eq!(packet.bytes().len(), HEADER + QUESTION);
    let message = if choice & 16 == 0 { fitted(&packet, rest) } else { rest.to_vec() };
    let heard = packet.read(&message);

    // A message that asks, or answers another, is none of ours.
    assert!(heard == Heard::Stray || ask(ID ^ 1).read(&message) == Heard::Stray, "another id");
    match &heard {
        Heard::Stray => assert!(choice & 16 != 0 || !is_response(&message) || !counts_one(&message)),
        Heard::Truncated => assert!(message[2] & 2 != 0),
        Heard::Answer(answer) => {
            assert!(is_response(&message) && message[2] & 2 == 0);
            check(answer, kind, &message);
            if answer.outcome.is_answer() {
                resist(&packet, &message, &heard);
            }
        }
    }
}

/// Header and question of the answer, then what is in the input.
fn fitted(packet: &Packet, rest: &[u8]) -> Vec<u8> {
    let (header, tail) = rest.split_at(rest.len().min(HEADER - 2));
    let mut message = ID.to_be_bytes().to_vec();
    message.extend_from_slice(header);
    message.resize(HEADER, 0);
    message[2] |= 0x80;
    message.extend_from_slice(&packet.bytes()[HEADER..]);
    message.extend_from_slice(tail);
    message
}

/// QR set, opcode QUERY.
fn is_response(message: &[u8]) -> bool {
    message.len() >= 6 && message[2] & 0xf8 == 0x80
}

fn counts_one(message: &[u8]) -> bool {
    message[4..6] == [0, 1]
}

fn check(answer: &Answer, kind: Kind, message: &[u8]) {
    assert!(message[2] & 4 != 0 || !answer.authoritative, "it never said so");
    if let Outcome::Records(records) = &answer.outcome {
        assert!(!records.is_empty() && records.len() <= message.len() / 11, "a record has 11 bytes or more");
        for record in records {
            assert_eq!(kind_of(&record.data), Some(kind));
            assert!(is_plain(&record.name), "{:?}", record.name);
        }
    }
    if let Outcome::Referral(records) = &answer.outcome {
        assert!(records.len() <= message.len() / 11);
    }
    assert!(answer.aliases.len() <= 16 && answer.left_out == 0);
    assert!(answer.glue.is_empty() || kind == Kind::Ns);
    for record in &answer.glue {
        assert!(matches!(record.data, Data::A(_) | Data::Aaaa(_)) && is_plain(&record.name));
    }
    for text in answer.zone.iter().chain(&answer.aliases).chain(match &answer.outcome {
        Outcome::Dangling(target) => Some(target),
        _ => None,
    }) {
        assert!(is_plain(text), "{text:?}");
    }
    assert!(answer.outcome.to_string().len() < 1200, "a sentence");
}

/// Printable, lower case, absolute without the last dot.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
}

fn kind_of(data: &Data) -> Option<Kind> {
    Some(match data {
        Data::A(_) => Kind::A,
        Data::Aaaa(_) => Kind::Aaaa,
        Data::Ptr(_) => Kind::Ptr,
        Data::Ns(_) => Kind::Ns,
        Data::Cname(_) => return None,
        Data::Mx { .. } => Kind::Mx,
        Data::Txt(_) => Kind::Txt,
        Data::Soa { .. } => Kind::Soa,
        Data::Tlsa { .. } => Kind::Tlsa,
    })
}

/// An answer that is changed in one place is no answer, or the same one.
fn resist(packet: &Packet, message: &[u8], heard: &Heard) {
    let is_answer = |bytes: &[u8]| match packet.read(bytes) {
        Heard::Answer(answer) => answer.outcome.is_answer(),
        _ => false,
    };
    assert!(!is_answer(&[message, &[0]].concat()), "something behind the end");
    assert!(!is_answer(&message[..message.len() - 1]), "the last byte is missing");
    let mut other = message.to_vec();
    other[HEADER + QUESTION - 1] = 3;
    assert_eq!(packet.read(&other), Heard::Stray, "another class");
    let mut other = message.to_vec();
    other[HEADER + 1] = b'9';
    assert_eq!(packet.read(&other), Heard::Stray, "another name");
    let mut other = message.to_vec();
    other[HEADER..HEADER + QUESTION].make_ascii_uppercase();
    assert_eq!(&packet.read(&other), heard, "names have no case");
}
