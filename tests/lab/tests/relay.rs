//! The relay takes its time in each direction, and passes on everything.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lab::peer::{Peer, Script};
use lab::process::free_port;
use lab::relay::Relay;

const DELAY: Duration = Duration::from_millis(40);

fn connect(relay: &Relay) -> TcpStream {
    let stream = TcpStream::connect(relay.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn step_costs_a_round_trip_and_the_first_one_more() {
    let peer = Peer::start(Script::new().expect("one").send("1").expect("two").send("2"));
    let relay = Relay::start(peer.addr(), DELAY);
    let start = Instant::now();
    let mut stream = connect(&relay);
    stream.write_all(b"one\r\n").unwrap();
    assert_eq!(read(&mut stream, 1), b"1");
    assert!(start.elapsed() >= 4 * DELAY, "{:?}", start.elapsed());
    let second = Instant::now();
    stream.write_all(b"two\r\n").unwrap();
    assert_eq!(read(&mut stream, 1), b"2");
    assert!(second.elapsed() >= 2 * DELAY, "{:?}", second.elapsed());
    peer.assert_followed();
}

#[test]
fn banner_takes_two_round_trips() {
    let peer = Peer::start(Script::new().send("220 "));
    let relay = Relay::start(peer.addr(), DELAY);
    let start = Instant::now();
    assert_eq!(read(&mut connect(&relay), 4), b"220 ");
    assert!(start.elapsed() >= 4 * DELAY, "{:?}", start.elapsed());
}

#[test]
fn socket_connected_beforehand_has_its_first_round_trip_behind_it() {
    let peer = Peer::start(Script::new().expect("one").send("1"));
    let relay = Relay::start(peer.addr(), DELAY);
    // The quickest of some: on a busy machine each may be late, and never early.
    let quickest = (0..20).map(|_| {
        let mut stream = connect(&relay);
        std::thread::sleep(4 * DELAY);
        let start = Instant::now();
        stream.write_all(b"one\r\n").unwrap();
        assert_eq!(read(&mut stream, 1), b"1");
        start.elapsed()
    });
    let quickest = quickest.inspect(|time| assert!(*time >= 2 * DELAY)).find(|time| *time < 4 * DELAY);
    assert!(quickest.is_some());
}

#[test]
fn bytes_arrive_whole_and_in_order() {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let peer = Peer::start(Script::new().send(&sent).step(lab::peer::Step::Cut));
    let relay = Relay::start(peer.addr(), Duration::from_millis(2));
    let mut got = Vec::new();
    connect(&relay).read_to_end(&mut got).unwrap();
    assert!(got == sent);
}

#[test]
fn ends_are_passed_on() {
    let peer = Peer::start(Script::new().step(lab::peer::Step::Reset));
    let relay = Relay::start(peer.addr(), DELAY);
    let start = Instant::now();
    let error = connect(&relay).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(start.elapsed() >= 4 * DELAY);
    // The end that the client sends reaches the server, which then ends the script.
    let peer = Peer::start(Script::new().expect("never"));
    let relay = Relay::start(peer.addr(), DELAY);
    drop(connect(&relay));
    let until = Instant::now() + Duration::from_secs(20);
    while peer.mismatches().is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(peer.mismatches().len(), 1);
}

#[test]
fn refused_connection_shows_as_a_reset() {
    let relay = Relay::start(([127, 0, 0, 1], free_port()).into(), DELAY);
    let start = Instant::now();
    let error = connect(&relay).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(start.elapsed() >= 4 * DELAY);
}

#[test]
fn connections_are_counted() {
    let peer = Peer::start(Script::new().send("x"));
    let relay = Relay::start(peer.addr(), Duration::from_millis(1));
    for _ in 0..5 {
        assert_eq!(read(&mut connect(&relay), 1), b"x");
    }
    assert_eq!(relay.connections(), 5);
    assert!(relay.most_at_once() <= 2, "{}", relay.most_at_once());
    let mut three = [connect(&relay), connect(&relay), connect(&relay)];
    for stream in &mut three {
        assert_eq!(read(stream, 1), b"x");
    }
    assert_eq!((relay.connections(), relay.most_at_once()), (8, 3));
}

#[test]
fn relay_stops_with_connections_open() {
    let peer = Peer::start(Script::new().step(lab::peer::Step::Hold));
    let relay = Relay::start(peer.addr(), Duration::from_millis(1));
    let _stream = connect(&relay);
    drop(relay);
}
