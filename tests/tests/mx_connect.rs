//! check_mx --connect: greetings of every kind, at every address of every host, at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use lab::dns::{Record, Responder};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::smtpd::{Submission, SubmissionOptions};
use tests::mx::{address, check, mx, resolver};
use tests::{Check, Run};

/// Hosts on one port, each at addresses of its own.
struct Site {
    dns: Responder,
    peers: Vec<Peer>,
    port: u16,
}

/// The address of a host: 127.0.1.1 for the first one.
fn at(host: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 1, host).into()
}

fn greeting(words: &str) -> Script {
    Script::new().send(format!("{words}\r\n")).expect("QUIT").send("221 2.0.0 Bye\r\n")
}

impl Site {
    /// The n-th script is played by `mxN.lab.test`; where there is none, nobody listens.
    fn new(scripts: impl IntoIterator<Item = Option<Script>>) -> Self {
        let port = free_everywhere();
        let (mut peers, mut records) = (Vec::new(), Vec::new());
        for (number, script) in (1..).zip(scripts) {
            let host = format!("mx{number}.lab.test");
            records.extend([mx(u16::from(number) * 10, &host), address(&host, &at(number).to_string())]);
            peers.extend(script.map(|script| peer(SocketAddr::new(at(number), port), script)));
        }
        Self { dns: resolver(records), peers, port }
    }

    fn check(&self) -> Check {
        let port = self.port.to_string();
        check(&[self.dns.addr()]).args(["--allow-private", "--connect", "-p", &port, "--min-hosts", "1"])
    }
}

fn peer(address: SocketAddr, script: Script) -> Peer {
    Peer::start_on(address, script)
}

/// A port that is free at the addresses of all hosts.
fn free_everywhere() -> u16 {
    TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn hosts(run: &Run) -> [Option<f64>; 2] {
    ["hosts_ok", "hosts_failed"].map(|label| run.parsed.value(label))
}

#[test]
fn ok_all_greet() {
    let site = Site::new([
        Some(greeting("220 mx1.lab.test ESMTP")),
        Some(
            Script::new()
                .send("220-wait\r\n")
                .sleep(Duration::from_millis(100))
                .then(greeting("220 mx2 ESMTP")),
        ),
    ]);
    let run = site.check().arg("-vvv").gives(State::Ok, &["2 of 2 answer on port"]);
    assert_eq!(hosts(&run), [Some(2.0), Some(0.0)]);
    assert!(run.parsed.value("mx1.lab.test.time").unwrap() < 0.1);
    assert!(run.parsed.value("mx2.lab.test.time").unwrap() >= 0.1);
    run.long("mx1.lab.test (127.0.1.1:").long("\"220 mx1.lab.test ESMTP\"").long("> QUIT");
    for peer in &site.peers {
        assert_eq!(peer.mismatches(), Vec::<String>::new(), "QUIT is said, and nothing else");
    }
}

#[test]
fn ok_a_whole_server() {
    let server = Submission::start(SubmissionOptions::default());
    let dns = resolver([mx(10, "mx1.lab.test"), address("mx1.lab.test", "127.0.0.1")]);
    let port = server.port().to_string();
    check(&[dns.addr()])
        .args(["--allow-private", "--min-hosts", "1", "--connect", "--port", &port])
        .gives(State::Ok, &["1 of 1 answer on port"]);
}

#[test]
fn warning_some_down_critical_all_down() {
    let silent = || Some(Script::new().hold());
    for (bad, words) in [
        (Some(Script::new().send("421 4.3.2 closing\r\n")), "refuses for now: \"421 4.3.2 closing\""),
        (Some(greeting("554 5.7.1 go away")), "refuses connections: \"554 5.7.1 go away\""),
        (Some(greeting("250 odd")), "greets oddly: \"250 odd\""),
        (Some(Script::new().send("HTTP/1.1 400 Bad Request\r\n")), "not an SMTP reply"),
        (Some(Script::new().reset()), "127.0.1.2:"),
        (Some(Script::new().close()), "connection closed by the server while waiting for the banner"),
        (Some(Script::new().send("220-half\r\n").close()), "in the middle of a reply"),
        (None, "Connection refused"),
        (silent(), "timeout after 1 s while waiting for the banner"),
    ] {
        let site = Site::new([Some(greeting("220 mx1 ESMTP")), bad.clone()]);
        let run = site.check().timeout(1.0).gives(State::Warning, &["mx2.lab.test: ", words]);
        assert_eq!(hosts(&run), [Some(1.0), Some(1.0)], "{words}");
        assert_eq!(run.parsed.value("mx2.lab.test.time"), None, "{words}");
        let site = Site::new([bad]);
        let alone = words.replace("127.0.1.2", "127.0.1.1");
        site.check()
            .timeout(1.0)
            .gives(State::Critical, &["none of 1 mail exchanger answers on port", &alone]);
    }
}

/// Where one waits, no other one does.
#[test]
fn silent_hosts_wait_beside_each_other() {
    let silent = || Some(Script::new().hold());
    let site = Site::new([silent(), silent(), silent(), None, Some(greeting("220 mx5 ESMTP"))]);
    let run = site.check().timeout(1.0).gives(State::Warning, &["waiting for the banner", "(+"]);
    assert_eq!(hosts(&run), [Some(1.0), Some(4.0)]);
    assert!(run.parsed.value("mx5.lab.test.time").unwrap() < 0.5);
}

#[test]
fn warning_one_address_of_a_host() {
    let port = free_everywhere();
    let _good = peer(SocketAddr::new(at(1), port), greeting("220 mx1 ESMTP"));
    let dns = resolver([
        mx(10, "mx1.lab.test"),
        address("mx1.lab.test", "127.0.1.1"),
        address("mx1.lab.test", "127.0.1.2"),
        address("mx1.lab.test", "::1"),
    ]);
    let port = port.to_string();
    let asked = check(&[dns.addr()]).args(["--allow-private", "--min-hosts", "1", "--connect", "-p", &port]);
    let run =
        asked.clone().arg("-4").gives(State::Warning, &["mx1.lab.test (1 of 2 addresses)", "127.0.1.2"]);
    assert_eq!(hosts(&run), [Some(1.0), Some(0.0)]);
    asked.clone().gives(State::Warning, &["2 of 3 addresses", "[::1]"]);
    asked.arg("-6").gives(State::Critical, &["none of 1 mail exchanger answers", "[::1]"]);
}

#[test]
fn warning_host_of_the_other_family() {
    let site = Site::new([Some(greeting("220 mx1 ESMTP"))]);
    let records = [
        mx(10, "mx1.lab.test"),
        address("mx1.lab.test", "127.0.1.1"),
        mx(20, "six.lab.test"),
        address("six.lab.test", "2001:db8::1"),
    ];
    let dns = resolver(records);
    check(&[dns.addr()])
        .args(["--allow-private", "-4", "--connect", "-p", &site.port.to_string()])
        .gives(State::Warning, &["six.lab.test not connected to: no IPv4 address"]);
}

#[test]
fn warning_masked_banner() {
    let site = Site::new([Some(greeting("220 ***************2*******0****"))]);
    let run = site
        .check()
        .gives(State::Warning, &["mx1.lab.test (127.0.1.1:", "banner masked by a firewall", "***2***"]);
    run.long("hint: switch off SMTP inspection");
    assert_eq!(hosts(&run), [Some(1.0), Some(0.0)]);
}

#[test]
fn critical_null_mx_and_nobody_is_connected_to() {
    let dns = resolver([mx(0, "")]);
    let asked = check(&[dns.addr()]).arg("--connect");
    asked.clone().gives(State::Critical, &["null MX"]);
    asked.args(["--expect", "null"]).gives(State::Ok, &["as expected"]);
}

/// Where nothing could be connected to, nothing is said to be down.
#[test]
fn unknown_nobody_could_be_tried() {
    let blind = Responder::start(|query: &lab::dns::Query| match query.record_type {
        lab::dns::RecordType::Mx => {
            lab::dns::Reaction::records([Record::mx(10, "mx1.lab.test"), Record::mx(20, "mx2.lab.test")])
        }
        _ => lab::dns::Reaction::rcode(lab::dns::Rcode::ServFail),
    });
    let run = check(&[blind.addr()]).arg("--connect").gives(State::Unknown, &["cannot look up A of mx1"]);
    run.long("mx1.lab.test not connected to: address unknown")
        .long("no mail exchanger of shop.lab.test could");
    assert_eq!(hosts(&run), [None, None]);
    assert_eq!(run.parsed.value("addresses"), None);
    let mute = Responder::start(lab::dns::Reaction::rcode(lab::dns::Rcode::ServFail));
    assert_eq!(
        hosts(&check(&[mute.addr()]).arg("--connect").gives(State::Unknown, &["SERVFAIL"])),
        [None, None]
    );
}

/// A host that only an outvoted resolver knows does not hide that all others are down.
#[test]
fn critical_hosts_of_the_agreed_answer_down() {
    let site = Site::new([None, Some(greeting("220 mx2 ESMTP"))]);
    let record = |host: &str, number| [mx(10, host), address(host, &at(number).to_string())];
    let now = || resolver(record("mx1.lab.test", 1));
    let (one, other, old) = (now(), now(), resolver(record("mx2.lab.test", 2)));
    let port = site.port.to_string();
    let run = check(&[old.addr(), one.addr(), other.addr()])
        .args(["--allow-private", "--min-hosts", "1", "--quorum", "majority", "--connect", "-p", &port])
        .gives(State::Critical, &["none of 1 mail exchanger answers"]);
    assert_eq!(hosts(&run), [Some(0.0), Some(1.0)]);
    // Where none is agreed, all are met.
    let run = check(&[old.addr(), one.addr()])
        .args(["--allow-private", "--min-hosts", "1", "--connect", "-p", &port])
        .gives(State::Critical, &["resolvers differ"]);
    assert_eq!(hosts(&run), [Some(1.0), Some(1.0)]);
}

/// More addresses than are connected to: those beyond are told.
#[test]
fn unknown_more_addresses_than_connections() {
    let records = (0..66).map(|last| address("mx1.lab.test", &format!("127.0.2.{last}")));
    let records: Vec<Record> = records
        .chain([mx(10, "mx1.lab.test"), mx(20, "mx2.lab.test"), address("mx2.lab.test", "127.0.1.1")])
        .collect();
    let dns = resolver(records);
    check(&[dns.addr()]).args(["--allow-private", "--connect", "-p", "1"]).gives(
        State::Critical,
        &["none of 1 mail exchanger answers", "not connected to, there are too many"],
    );
}
