use std::io;
use std::time::Duration;

use proptest::prelude::*;

use super::client::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEARTBEAT, Session, message};
use super::keys::{Keys, Randoms};
use super::*;
use crate::wire::server::SERVER_HELLO;

/// A connection whose server says this and then ends, or falls silent.
struct Said {
    bytes: io::Cursor<Vec<u8>>,
    end: Option<io::ErrorKind>,
    sent: Vec<u8>,
}

impl Said {
    fn new(bytes: Vec<u8>, end: Option<io::ErrorKind>) -> Self {
        Self { bytes: io::Cursor::new(bytes), end, sent: Vec::new() }
    }
}

impl io::Read for Said {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.bytes.read(buffer)?, self.end) {
            (0, Some(kind)) => Err(kind.into()),
            (count, _) => Ok(count),
        }
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const SPEC: Spec = Spec { version: Version::Tls12, cipher: keys::Cipher::Aes128Gcm };
const RANDOMS: Randoms = Randoms { client: [1; 32], server: [2; 32] };

fn keys() -> (Keys, Keys) {
    SPEC.keys(&[7; 48], &RANDOMS).unwrap()
}

/// A session whose server answers with these records, encrypted.
fn session(records: &[(u8, &[u8])], end: Option<io::ErrorKind>) -> Session<Said> {
    let (_, mut server) = keys();
    let sealed: Vec<u8> =
        records.iter().flat_map(|(kind, plain)| record(*kind, &server.seal(*kind, plain).unwrap())).collect();
    raw(sealed, end)
}

/// The same with any bytes.
fn raw(bytes: Vec<u8>, end: Option<io::ErrorKind>) -> Session<Said> {
    let (client, server) = keys();
    Session::new(Wire::new(Said::new(bytes, end), 0x0303), client, server)
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let [.., high, low] = body.len().to_be_bytes();
    [&[kind, 3, 3, high, low], body].concat()
}

fn server_hello() -> Vec<u8> {
    message(SERVER_HELLO, &[&[3, 3][..], &[1; 32], &[0, 0xc0, 0x2f, 0]].concat())
}

const SILENCE: Option<io::ErrorKind> = Some(io::ErrorKind::TimedOut);

fn again(records: &[(u8, &[u8])], end: Option<io::ErrorKind>) -> Result<Again, Outcome> {
    renegotiation::renegotiate(session(records, end), b"hello")
}

#[test]
fn only_a_server_hello_accepts_a_second_hello() {
    let hello = server_hello();
    assert_eq!(again(&[(HANDSHAKE, &hello)], SILENCE), Ok(Again::Accepted));
    // After a HelloRequest, a greeting and a warning; in two records.
    let (one, other) = hello.split_at(9);
    let records: [(u8, &[u8]); 5] = [
        (APPLICATION_DATA, b"220 mail"),
        (HANDSHAKE, &[0, 0, 0, 0]),
        (ALERT, &[1, 90]),
        (HANDSHAKE, one),
        (HANDSHAKE, other),
    ];
    assert_eq!(again(&records, None), Ok(Again::Accepted));
    let refused = |fatal, description| Ok(Again::Refused(crate::wire::reader::Alert { fatal, description }));
    assert_eq!(again(&[(ALERT, &[1, 100])], SILENCE), refused(false, 100));
    assert_eq!(again(&[(ALERT, &[2, 40])], SILENCE), refused(true, 40));
    assert_eq!(again(&[(ALERT, &[1, 0])], SILENCE), Ok(Again::Ended));
    assert_eq!(again(&[], None), Ok(Again::Ended));
    assert_eq!(again(&[(APPLICATION_DATA, b"hi")], Some(io::ErrorKind::ConnectionReset)), Ok(Again::Ended));
}

#[test]
fn what_is_no_answer_leaves_a_second_hello_open() {
    assert_eq!(again(&[], SILENCE), Err(Outcome::Silent));
    assert_eq!(again(&[(HANDSHAKE, &server_hello()[..20])], SILENCE), Err(Outcome::Silent));
    let broken: [(u8, &[u8]); 6] = [
        (HANDSHAKE, &[2, 0, 0, 2, 3, 3]),
        (HANDSHAKE, &[11, 0, 0, 0]),
        (HANDSHAKE, &[2, 0xff, 0xff, 0xff]),
        (ALERT, &[2]),
        (CHANGE_CIPHER_SPEC, &[1]),
        (HEARTBEAT, &[1, 0, 0]),
    ];
    for (kind, plain) in broken {
        assert!(matches!(again(&[(kind, plain)], None), Err(Outcome::Violation(_))), "{kind} {plain:?}");
    }
    // In the clear, or under other keys.
    let hello = server_hello();
    for bytes in [record(HANDSHAKE, &hello), record(HANDSHAKE, &keys().0.seal(HANDSHAKE, &hello).unwrap())] {
        let answer = renegotiation::renegotiate(raw(bytes, None), b"hello");
        assert!(matches!(answer, Err(Outcome::Violation(_))), "{answer:?}");
    }
}

#[test]
fn a_heartbeat_counts_when_it_brings_what_was_never_sent() {
    let of = |records: &[(u8, &[u8])], end| heartbleed::heartbleed(session(records, end), Duration::ZERO);
    let leaks = [&[2, 0, 32][..], &[7; 48]].concat();
    let finding = of(&[(APPLICATION_DATA, b"hi"), (HEARTBEAT, &leaks)], SILENCE).unwrap();
    assert_eq!(finding.verdict, Verdict::Vulnerable);
    assert!(finding.text.contains("32 bytes"), "{}", finding.text);
    for harmless in [&[2, 0, 0, 1, 2, 3][..], &[1, 0, 2, 1, 2], &[]] {
        let finding = of(&[(HEARTBEAT, harmless), (ALERT, &[1, 0])], None).unwrap();
        assert_eq!(finding.verdict, Verdict::Safe);
    }
    assert_eq!(of(&[], SILENCE), Err(Outcome::Silent));
    assert!(matches!(
        heartbleed::heartbleed(raw(record(HEARTBEAT, &leaks), None), Duration::ZERO),
        Err(Outcome::Violation(_))
    ));
}

/// ServerHello, Certificate and ServerHelloDone, in the clear.
fn flight(certificate: &[u8]) -> Vec<u8> {
    let messages = [server_hello(), message(11, certificate), message(14, &[])].concat();
    record(HANDSHAKE, &messages)
}

fn handshake(behind: &[u8], end: Option<io::ErrorKind>) -> Result<Handshake<Said>, Outcome> {
    let said = Said::new([flight(&[0, 0, 0]), behind.to_vec()].concat(), end);
    Handshake::begin(Wire::new(said, 0x0303), b"hello", [1; 32])
}

#[test]
fn a_change_of_cipher_too_early_is_refused_by_an_alert_or_an_end() {
    let of = |behind: &[u8], end| early_ccs::refuses(handshake(behind, end).unwrap());
    let is_safe = |finding: Result<Finding, Outcome>| finding.unwrap().verdict == Verdict::Safe;
    assert!(is_safe(of(&record(ALERT, &[2, 10]), None)));
    assert!(is_safe(of(&[record(ALERT, &[1, 90]), record(ALERT, &[2, 10])].concat(), None)));
    assert!(is_safe(of(&[], None)));
    assert!(is_safe(of(&[], Some(io::ErrorKind::ConnectionReset))));
    assert_eq!(of(&[], SILENCE).unwrap().verdict, Verdict::Unknown);
    assert!(of(&record(HANDSHAKE, &[0]), None).is_err());
    assert!(of(b"garbage", None).is_err());
}

#[test]
fn a_handshake_begins_with_a_server_hello_and_ends_with_its_done() {
    assert_eq!(handshake(&[], None).unwrap().randoms.server, [1; 32]);
    let begin = |bytes: Vec<u8>, end| {
        Handshake::begin(Wire::new(Said::new(bytes, end), 0x0303), b"hello", [1; 32]).map(|_| ())
    };
    assert!(matches!(begin(record(ALERT, &[2, 40]), None), Err(Outcome::Refused(Some(_)))));
    assert!(matches!(begin(record(HANDSHAKE, &message(14, &[])), None), Err(Outcome::Violation(_))));
    assert!(matches!(begin(record(HANDSHAKE, &message(2, &[3, 3])), None), Err(Outcome::Violation(_))));
    assert!(matches!(begin(record(APPLICATION_DATA, b"x"), None), Err(Outcome::Violation(_))));
    assert_eq!(begin(record(HANDSHAKE, &server_hello()), SILENCE), Err(Outcome::Silent));
    assert!(matches!(begin(b"SSH-2.0-x\r\n".to_vec(), None), Err(Outcome::Foreign(_))));
}

#[test]
fn nobody_calculates_with_what_is_no_key() {
    // ECDHE without a ServerKeyExchange.
    assert_eq!(handshake(&[], None).unwrap().key_exchange(Version::Tls12), None);
    assert!(matches!(handshake(&[], None).unwrap().complete(SPEC), Err(Outcome::Violation(_))));
    assert!(early_ccs::inject(handshake(&[], None).unwrap(), SPEC).is_err());
}

proptest! {
    #[test]
    fn any_server_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), sealed in any::<bool>(), kind in 20u8..25) {
        let said = if sealed { record(kind, &keys().1.seal(kind, &bytes).unwrap()) } else { bytes.clone() };
        let accepted = renegotiation::renegotiate(raw(said.clone(), None), b"hello") == Ok(Again::Accepted);
        prop_assert!(!accepted || (sealed && kind == HANDSHAKE));
        let found = heartbleed::heartbleed(raw(said.clone(), None), Duration::ZERO);
        let leaks = found.is_ok_and(|finding| finding.verdict == Verdict::Vulnerable);
        prop_assert!(!leaks || (sealed && kind == HEARTBEAT));
        let behind = handshake(&said, None);
        if let Ok(handshake) = behind {
            let found = early_ccs::refuses(handshake);
            prop_assert!(found.is_err() || found.is_ok_and(|finding| finding.verdict == Verdict::Safe));
        }
    }

    #[test]
    fn any_share_is_survived(body in proptest::collection::vec(any::<u8>(), 0..200), dhe in any::<bool>()) {
        let suite: [u8; 2] = if dhe { [0x00, 0x9e] } else { [0xc0, 0x2f] };
        let hello = message(SERVER_HELLO, &[&[3, 3][..], &[1; 32], &[0], &suite, &[0]].concat());
        let bytes = record(HANDSHAKE, &[hello, message(12, &body), message(14, &[])].concat());
        let begun = Handshake::begin(Wire::new(Said::new(bytes, None), 0x0303), b"hello", [1; 32]);
        let _ = begun.unwrap().key_exchange(Version::Tls12);
    }
}
