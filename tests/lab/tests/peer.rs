//! The scripted peer does on the wire what its script says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, TcpStream};
use std::time::{Duration, Instant};

use lab::certs::{Authority, LeafOptions};
use lab::client::Client;
use lab::peer::{Peer, Script, TLS_MARK};
use lab::{process, tls};

fn connect(peer: &Peer) -> TcpStream {
    let stream = TcpStream::connect(peer.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn read_all(peer: &Peer) -> Vec<u8> {
    let mut bytes = Vec::new();
    connect(peer).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn script_is_played_and_recorded() {
    let peer = Peer::start(Script::new().banner().ehlo(&["SIZE", "AUTH PLAIN"]).quit());
    let mut client = Client::connect(peer.addr()).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    let ehlo = client.command("ehlo client.lab.test").unwrap();
    assert_eq!(ehlo.lines, ["mail.lab.test", "SIZE", "AUTH PLAIN"]);
    assert_eq!(client.command("QUIT").unwrap().code, 221);
    assert!(client.rest().unwrap().is_empty());
    assert_eq!(peer.received_text(0), "ehlo client.lab.test\r\nQUIT\r\n");
    assert_eq!(peer.connections(), 1);
    peer.assert_followed();
}

#[test]
fn mismatch_is_recorded_and_ends_the_connection() {
    let peer = Peer::start(Script::new().banner().expect("EHLO"));
    let mut client = Client::connect(peer.addr()).unwrap();
    client.reply().unwrap();
    client.send("HELO x\r\n").unwrap();
    assert!(client.rest().unwrap().is_empty());
    assert_eq!(peer.mismatches(), [r#"connection 0 step 1: expected "EHLO", got "HELO x\r\n""#]);
}

#[test]
fn starttls_continues_the_transcript_in_clear() {
    let authority = Authority::new("Lab Root CA");
    let config = tls::server(&authority.leaf(&LeafOptions::default()));
    let peer = Peer::start(Script::new().banner().starttls(&config).ehlo(&[]).quit());
    let mut client = Client::connect(peer.addr()).unwrap();
    client.reply().unwrap();
    let mut client = client.starttls(&tls::client(&authority), "mail.lab.test").unwrap();
    assert_eq!(client.command("EHLO a").unwrap().code, 250);
    assert_eq!(client.command("QUIT").unwrap().code, 221);
    let expected = [b"STARTTLS\r\n", TLS_MARK, b"EHLO a\r\nQUIT\r\n"].concat();
    assert_eq!(peer.received(), [expected]);
    assert!(peer.tls_failures().is_empty());
}

#[test]
fn refused_certificate_is_a_tls_failure() {
    let (authority, other) = (Authority::new("Lab Root CA"), Authority::new("Other CA"));
    let config = tls::server(&authority.leaf_via_intermediate(&LeafOptions::default(), 30));
    let peer = Peer::start(Script::new().tls(&config).banner());
    let good = Client::connect_tls(peer.addr(), &tls::client(&authority), "localhost").unwrap().reply();
    assert_eq!(good.unwrap().code, 220);
    assert!(Client::connect_tls(peer.addr(), &tls::client(&authority), "other.lab.test").is_err());
    assert!(Client::connect_tls(peer.addr(), &tls::client(&other), "localhost").is_err());
    let until = Instant::now() + Duration::from_secs(5);
    while peer.tls_failures().len() < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(peer.tls_failures().len(), 2);
}

#[test]
fn expired_certificate_is_refused() {
    let authority = Authority::new("Lab Root CA");
    let config = tls::server(&authority.leaf(&LeafOptions::default().days(-3)));
    let peer = Peer::start(Script::new().tls(&config).banner());
    let error = Client::connect_tls(peer.addr(), &tls::client(&authority), "localhost").err().unwrap();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn drip_takes_its_time() {
    let peer = Peer::start(Script::new().drip("220 x\r\n", Duration::from_millis(20)).close());
    let started = Instant::now();
    assert_eq!(read_all(&peer), b"220 x\r\n");
    assert!(started.elapsed() >= Duration::from_millis(7 * 20));
}

#[test]
fn repeat_sends_exactly_so_often() {
    let peer = Peer::start(Script::new().repeat("250-x\r\n", 10_001).close());
    assert_eq!(read_all(&peer).len(), 10_001 * 7);
}

#[test]
fn repeat_forever_ends_with_the_client() {
    let peer = Peer::start(Script::new().repeat_forever("250-x\r\n"));
    let mut stream = connect(&peer);
    let mut buffer = vec![0; 1 << 20];
    stream.read_exact(&mut buffer).unwrap();
    drop(stream);
    drop(peer);
}

#[test]
fn reset_is_a_reset_and_close_is_not() {
    let peer = Peer::start_each(vec![Script::new().banner().read().reset(), Script::new().banner().close()]);
    let mut stream = connect(&peer);
    stream.write_all(b"EHLO x\r\n").unwrap();
    let mut bytes = Vec::new();
    assert_eq!(stream.read_to_end(&mut bytes).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut stream = connect(&peer);
    stream.read_to_end(&mut bytes).unwrap();
    stream.write_all(b"QUIT\r\n").unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn hold_is_silent_until_the_peer_stops() {
    let peer = Peer::start(Script::new().hold());
    let mut stream = connect(&peer);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let started = Instant::now();
    drop(peer);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn mark_and_again_answer_every_line() {
    let peer = Peer::start(Script::new().mark().reply(|line| [b"250 ", line].concat()).again());
    let mut client = Client::connect(peer.addr()).unwrap();
    for word in ["a", "b", "c"] {
        assert_eq!(client.command(word).unwrap().lines, [word]);
    }
}

#[test]
fn exact_and_some_read_without_lines() {
    let peer = Peer::start(Script::new().read_exact(3).send("1").read_some().send("2").close());
    let mut stream = connect(&peer);
    let mut byte = [0];
    stream.write_all(b"abc").unwrap();
    stream.read_exact(&mut byte).unwrap();
    stream.write_all(b"d").unwrap();
    stream.read_exact(&mut byte).unwrap();
    assert_eq!((byte, peer.received()), ([b'2'], vec![b"abcd".to_vec()]));
}

#[test]
fn peer_on_ipv6() {
    assert!(process::has_ipv6(), "the lab needs ::1");
    let peer = Peer::start_on((Ipv6Addr::LOCALHOST, 0).into(), Script::new().banner().close());
    assert_eq!(read_all(&peer), b"220 mail.lab.test ESMTP\r\n");
}
