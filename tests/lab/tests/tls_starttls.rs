//! Every protocol in front of the scripted TLS endpoint leads to TLS, or says why not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::plugin::Plugin;
use lab::process::program;
use lab::tls_probe::{End, Offer, Target, ask, read};
use lab::tls_script::{Ending, Protocol, TlsPeer, TlsScript, Upgrade, Version};

fn script() -> TlsScript {
    TlsScript::new().version(Version::Tls12, &[0xc02b])
}

fn connect(peer: &TlsPeer) -> TcpStream {
    let stream = TcpStream::connect(peer.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends each piece after reading as much as is expected before it; returns the last answer.
fn talk(stream: &mut TcpStream, dialogue: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut last = Vec::new();
    for (expected, piece) in dialogue {
        last = vec![0; expected.len()];
        stream.read_exact(&mut last).unwrap();
        assert_eq!(String::from_utf8_lossy(&last), String::from_utf8_lossy(expected));
        stream.write_all(piece).unwrap();
    }
    last
}

/// What `openssl s_client` reports; it must have got a ServerHello when there is TLS.
fn s_client(peer: &TlsPeer, name: &str) -> String {
    let server = peer.addr().to_string();
    let client = Plugin::at(program("openssl", "openssl"))
        .args(["s_client", "-connect", &server, "-starttls", name, "-msg", "-name", "a.test"])
        .limit(Duration::from_secs(10))
        .run();
    assert!(!client.timed_out, "{}", client.report());
    client.report()
}

#[test]
fn openssl_finds_its_way_to_tls() {
    // It knows no RDP, and takes the first line of an IRC server for the answer.
    for (protocol, name) in [
        (Protocol::Smtp, "smtp"),
        (Protocol::Lmtp, "lmtp"),
        (Protocol::Imap, "imap"),
        (Protocol::Pop3, "pop3"),
        (Protocol::Ftp, "ftp"),
        (Protocol::Ldap, "ldap"),
        (Protocol::Postgres, "postgres"),
        (Protocol::MySql, "mysql"),
        (Protocol::XmppClient, "xmpp"),
        (Protocol::XmppServer, "xmpp-server"),
        (Protocol::Sieve, "sieve"),
        (Protocol::Nntp, "nntp"),
        (Protocol::Telnet, "telnet"),
    ] {
        let peer = TlsPeer::start(script().starttls(protocol, Upgrade::Offered));
        let text = s_client(&peer, name);
        assert!(text.contains(", ServerKeyExchange"), "{name}: {text}");
        assert_eq!((peer.connections(), peer.hellos().len()), (1, 1));
        assert!(!peer.said().is_empty(), "{name}");
        for upgrade in [Upgrade::NotOffered, Upgrade::Refused, Upgrade::Busy] {
            // Nobody says that it is missing, and this client waits for it.
            let waits = matches!(protocol, Protocol::XmppClient | Protocol::XmppServer);
            if waits && upgrade == Upgrade::NotOffered {
                continue;
            }
            let peer = TlsPeer::start(script().starttls(protocol, upgrade));
            let text = s_client(&peer, name);
            assert!(!text.contains("ServerHello"), "{name}: {text}");
        }
    }
}

/// A client that begins with TLS though it was refused is sent away: neither waits for the other.
#[test]
fn hello_after_a_refusal_ends_the_connection() {
    let peer = TlsPeer::start(script().starttls(Protocol::Imap, Upgrade::Refused));
    let mut stream = connect(&peer);
    let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n";
    let refusal = b"a NO [UNAVAILABLE] TLS is not available\r\n";
    talk(&mut stream, &[(greeting, b"a STARTTLS\r\n"), (refusal, b"")]);
    stream.write_all(&Offer::new(Version::Tls12, &[0xc02b]).bytes()).unwrap();
    assert_eq!(read(&mut stream).end, End::Closed);
    assert_eq!(peer.hellos().len(), 0);
}

#[test]
fn smtp_says_what_it_means() {
    let greeting = b"220 mail.lab.test ESMTP ready\r\n";
    let with = b"250-mail.lab.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n";
    let without = b"250-mail.lab.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n";
    for (upgrade, hello, answer) in [
        (Upgrade::Offered, &with[..], &b"220 2.0.0 Ready to start TLS\r\n"[..]),
        (Upgrade::Refused, with, b"454 4.7.0 TLS not available\r\n"),
        (Upgrade::NotOffered, without, b"502 5.5.1 Unknown\r\n"),
    ] {
        let peer = TlsPeer::start(script().starttls(Protocol::Smtp, upgrade));
        let mut stream = connect(&peer);
        talk(&mut stream, &[(greeting, b"EHLO a.test\r\n"), (hello, b"STARTTLS\r\n"), (answer, b"")]);
        assert_eq!(peer.said(), [(0, "EHLO a.test".to_owned()), (0, "STARTTLS".to_owned())]);
        if upgrade == Upgrade::Offered {
            stream.write_all(&Offer::new(Version::Tls12, &[0xc02b]).bytes()).unwrap();
            assert_eq!(read(&mut stream).suite(), Some(0xc02b));
        } else {
            talk(&mut stream, &[(b"", b"QUIT\r\n"), (b"221 2.0.0 Bye\r\n", b"")]);
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
    }
}

#[test]
fn busy_server_turns_away_in_its_own_words() {
    let postgres = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
    let rdp = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0];
    let ldap = [&[0x30, 29, 2, 1, 1, 0x77, 24, 0x80, 22][..], b"1.3.6.1.4.1.1466.20037"].concat();
    for protocol in Protocol::ALL {
        // The second connection is one too many.
        let peer = TlsPeer::start(script().starttls(protocol, Upgrade::Offered).cut_off(1.., Ending::Busy));
        let _first = connect(&peer);
        let mut stream = connect(&peer);
        let (question, words): (&[u8], &[u8]) = match protocol {
            Protocol::Smtp | Protocol::Lmtp => (b"", b"421 4.7.0 "),
            Protocol::Imap => (b"", b"* BYE "),
            Protocol::Pop3 => (b"", b"-ERR [SYS/TEMP]"),
            Protocol::Ftp => (b"", b"421 "),
            Protocol::Ldap => (&ldap, &[0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 51]),
            Protocol::Postgres => (&postgres, b"E\0\0\0\x34SFATAL\0C53300\0"),
            Protocol::MySql => (b"", b"\x17\0\0\0\xff\x10\x04Too many"),
            Protocol::XmppClient => (b"<stream:stream xmlns='jabber:client'>", b"<?xml "),
            Protocol::XmppServer => (b"<stream:stream xmlns='jabber:server'>", b"<?xml "),
            Protocol::Sieve => (b"", b"BYE "),
            Protocol::Nntp => (b"", b"400 "),
            Protocol::Irc => (b"", b"ERROR :"),
            Protocol::Rdp => (&rdp, &[3, 0, 0, 11, 6, 0x80]),
            Protocol::Telnet => (b"", b"Too many"),
        };
        stream.write_all(question).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(words), "{protocol:?}: {answer:?}");
        match protocol {
            Protocol::Postgres => assert_eq!(answer.len(), 1 + usize::from(answer[4])),
            Protocol::MySql => assert_eq!(answer.len(), 4 + usize::from(answer[0])),
            _ => {}
        }
    }
}

#[test]
fn rdp_says_which_security_it_speaks() {
    let request = |protocols| [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, protocols, 0, 0, 0];
    for (upgrade, protocols, answer) in [
        (Upgrade::Offered, 1, [2, 0, 8, 0, 1, 0, 0, 0]),
        (Upgrade::Offered, 3, [2, 0, 8, 0, 1, 0, 0, 0]),
        (Upgrade::Offered, 0, [3, 0, 8, 0, 2, 0, 0, 0]),
        (Upgrade::NotOffered, 3, [3, 0, 8, 0, 2, 0, 0, 0]),
        (Upgrade::Refused, 3, [3, 0, 8, 0, 2, 0, 0, 0]),
    ] {
        let peer = TlsPeer::start(script().starttls(Protocol::Rdp, upgrade));
        let mut stream = connect(&peer);
        stream.write_all(&request(protocols)).unwrap();
        let mut confirm = [0; 19];
        stream.read_exact(&mut confirm).unwrap();
        assert_eq!(confirm[11..], answer, "{upgrade:?} {protocols}");
        if answer[0] == 2 {
            stream.write_all(&Offer::new(Version::Tls12, &[0xc02b]).bytes()).unwrap();
            assert_eq!(read(&mut stream).suite(), Some(0xc02b));
        }
    }
}

/// What is said in clear may come in any pieces.
#[test]
fn the_probe_finds_its_way_through_pieces() {
    for protocol in Protocol::ALL {
        let peer = TlsPeer::start(script().starttls(protocol, Upgrade::Offered).split());
        let target = Target { address: peer.addr(), starttls: Some(protocol) };
        let reply = ask(target, &Offer::new(Version::Tls12, &[0xc02b])).unwrap();
        assert_eq!(reply.suite(), Some(0xc02b), "{protocol:?}");
    }
}
