//! What a server says before TLS: TLS begins after a whole answer and right behind it, and
//! whatever the server says, it is sent nothing but the few words of its protocol.
//!
//! Input: one byte for the protocol, one that says how the connection ends and how small the
//! pieces are, then the server's bytes.

use check_weak_ciphers::fuzz::{Kind, NAME, Shown, protocols, starttls};

use super::wire::{ENDS, Peer};

/// All that may be sent in a protocol, but for what IRC answers to a PING.
fn words(protocol: &str) -> Vec<u8> {
    let stream = |space: &str| {
        format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:{space}' \
             xmlns:stream='http://etherx.jabber.org/streams' to='{NAME}' version='1.0'>\
             <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
        )
        .into_bytes()
    };
    let fixed: &[u8] = match protocol {
        "smtp" => b"EHLO vedette.invalid\r\nSTARTTLS\r\n",
        "lmtp" => b"LHLO vedette.invalid\r\nSTARTTLS\r\n",
        "imap" => b"a STARTTLS\r\n",
        "pop3" => b"STLS\r\n",
        "ftp" => b"AUTH TLS\r\n",
        "ldap" => b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
        "postgres" => b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        // Length 32, sequence 1, capabilities with CLIENT_SSL, longest packet, character set, filler.
        "mysql" => b"\x20\0\0\x01\x01\x8a\0\0\0\0\0\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        "xmpp-client" => return stream("client"),
        "xmpp-server" => return stream("server"),
        "sieve" | "nntp" => b"STARTTLS\r\n",
        "irc" => b"CAP LS\r\nSTARTTLS\r\n",
        // X.224 connection request for TLS or CredSSP.
        "rdp" => b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
        // IAC WILL START_TLS, IAC SB START_TLS FOLLOWS IAC SE.
        "telnet" => b"\xff\xfb\x2e\xff\xfa\x2e\x01\xff\xf0",
        other => panic!("{other} has no words"),
    };
    fixed.to_vec()
}

/// A server for news feeds is told to become one for readers first.
const NNTP_AGAIN: &[u8] = b"STARTTLS\r\nMODE READER\r\nSTARTTLS\r\n";

/// Whether it was ours to say, and all there is to say.
fn is_ours(protocol: &str, sent: &[u8]) -> (bool, bool) {
    let words = words(protocol);
    let (start, rest) = sent.split_at(words.len().min(sent.len()));
    match protocol {
        "nntp" if sent.len() > words.len() => (NNTP_AGAIN.starts_with(sent), sent == NNTP_AGAIN),
        "irc" => {
            let pongs = rest.split_inclusive(|byte| *byte == b'\n').all(|line| line.starts_with(b"PONG :"));
            (words.starts_with(start) && pongs, start == words)
        }
        _ => (words.starts_with(sent), sent == words),
    }
}

/// Lines, and bytes in each, of two answers and a greeting.
const MOST: usize = 3 * 200 * 4097;

/// The target.
pub fn run(data: &[u8]) {
    let [protocol, choice, bytes @ ..] = data else { return };
    let protocols = protocols();
    let protocol = protocols[usize::from(*protocol) % protocols.len()];
    let end = ENDS[usize::from(*choice) % ENDS.len()];
    let speak = |bytes: &[u8], piece: usize| {
        let mut peer = Peer::new(bytes, piece, end);
        let stopped = starttls(protocol, &mut peer);
        assert!(peer.taken <= MOST);
        assert!(is_ours(protocol, &peer.sent).0, "{:?}", String::from_utf8_lossy(&peer.sent));
        (stopped, peer.taken, peer.sent)
    };
    let (stopped, taken, sent) = speak(bytes, usize::MAX);
    for piece in [1, 2 + usize::from(choice >> 2)] {
        assert_eq!(speak(bytes, piece), (stopped.clone(), taken, sent.clone()));
    }
    match stopped {
        Some(shown) => check(&shown),
        None => {
            assert!(is_ours(protocol, &sent).1, "TLS begins when it was asked for");
            let with_tls = [&bytes[..taken], b"\x16\x03\x03\0\0"].concat();
            assert_eq!(speak(&with_tls, usize::MAX), (None, taken, sent), "it ate what belongs to TLS");
            assert!(speak(&bytes[..taken - 1], usize::MAX).0.is_some(), "half an answer is none");
        }
    }
}

fn check(shown: &Shown) {
    assert!(shown.pick.is_none() && shown.chain.is_empty() && shown.kinds.is_empty());
    let kinds = [Kind::NoStarttls, Kind::Busy, Kind::Elsewhere, Kind::Foreign, Kind::Ended, Kind::Silent];
    assert!(kinds.contains(&shown.kind), "{shown:?}");
    // A line, three times as long when none of it was text.
    assert!(shown.words.len() <= 3 * 4097, "{}", shown.words.len());
}
