//! One test for each state of hosts and DANE, on observations as the probe takes them down.

use std::time::Duration;

use clap::Parser as _;
use common::net::dns::{Lookup, Mx, Reply, Route, Target};
use common::net::smtp::{OpeningTimes, Step};
use common::net::{Phase, Trouble};
use common::plugin::{Plugin as _, Run};
use common::proto::dns::{Answer, Data, Outcome, Record};
use common::proto::smtp::{LineEnd, Said};
use common::report::{Report, State, StateTable};

use super::*;

const MX1: &str = "mx1.example.org";
const MX2: &str = "mx2.example.org";

/// What a domain with two hosts and DANE shows; changed by each test.
struct World {
    hosts: Hosts,
    words: Vec<&'static str>,
}

fn resolver() -> SocketAddr {
    ([127, 0, 0, 1], 53).into()
}

fn lookup(address: &[&str]) -> Lookup {
    Lookup {
        addresses: address.iter().map(|address| address.parse().unwrap()).collect(),
        left_out: 0,
        ttl: Some(300),
        aliases: Vec::new(),
        authoritative: false,
        authenticated: true,
        server: Some(resolver()),
        without: address.is_empty().then_some(Outcome::NoData),
    }
}

fn host(preference: u16, name: &str, address: &str) -> Exchanger {
    let target = Target::Name { ipv4: lookup(&[address]), ipv6: lookup(&[]) };
    Exchanger { preference, host: name.to_owned(), target }
}

fn tlsa(usage: u8) -> Tlsa {
    Tlsa { usage, selector: 1, matching: 1, data: vec![usage; 32] }
}

fn tls() -> TlsSeen {
    TlsSeen {
        version: "TLSv1.3".into(),
        suite: "TLS_AES_128_GCM_SHA256".into(),
        server_name: MX1.into(),
        chain: Vec::new(),
        judged: true,
        chain_problem: None,
        name_problem: None,
        not_after: Some(2_000_000_000),
        not_before: Some(1_000_000_000),
        dates_valid: true,
    }
}

fn visit(name: &str, address: &str) -> Visit {
    let address = SocketAddr::new(address.parse().unwrap(), 25);
    let opening = Opening {
        address: Some(address),
        times: OpeningTimes { connect: Some(0.001), ..OpeningTimes::default() },
        tls: Some(tls()),
        ..Opening::default()
    };
    let matches = vec![(tlsa(3), Match::Yes)];
    Visit { host: name.into(), address, opening, stop: None, matches, served: Some("ab".repeat(32)) }
}

impl World {
    fn good() -> Self {
        let all = [(MX1, "192.0.2.1"), (MX2, "192.0.2.2")];
        let record = |(name, _): &(&str, &str)| Mx { preference: 10, host: (*name).into(), ttl: 300 };
        let mail = Exchangers {
            route: Route::Listed,
            records: all.iter().map(record).collect(),
            left_out: 0,
            hosts: all.iter().map(|(name, address)| host(10, name, address)).collect(),
            aliases: Vec::new(),
            authoritative: false,
            authenticated: true,
            server: Some(resolver()),
            time: Some(Duration::from_millis(1)),
        };
        let visits = all.iter().map(|(name, address)| visit(name, address)).collect();
        let hosts = Hosts { mail, tlsa: Answers::default(), visits: Some(visits), untried: 0 };
        let mut world = Self { hosts, words: vec!["--dane"] };
        world.answer(MX1, Outcome::Records(vec![record_of(&tlsa(3))]));
        world.answer(MX2, Outcome::Records(vec![record_of(&tlsa(3))]));
        world
    }

    /// The answer to the question for a host's TLSA record, with AD.
    fn answer(&mut self, host: &str, outcome: Outcome) {
        self.answer_by(host, Answer { authenticated: true, ..Answer::bare(outcome) }, Some(resolver()));
    }

    fn answer_by(&mut self, host: &str, answer: Answer, server: Option<SocketAddr>) {
        let name = asked_name(&format!("_25._tcp.{host}")).unwrap();
        self.hosts.tlsa.insert(Question { name, kind: Kind::Tlsa }, Reply { answer, server, time: None });
    }

    fn first(&mut self) -> &mut Visit {
        self.hosts.visits.as_mut().and_then(|visits| visits.first_mut()).unwrap()
    }

    /// The visit to the first host ends early.
    fn stops(mut self, stop: Stop) -> Self {
        let first = self.first();
        (first.stop, first.opening.tls) = (Some(stop), None);
        first.matches.clear();
        self
    }

    /// The state, and the texts of the findings, the worst first.
    fn judged(&self) -> (State, String) {
        let report = self.report();
        let texts: Vec<String> = report.findings().iter().map(|one| one.text.clone()).collect();
        (report.state(), texts.join("\n"))
    }

    /// None, or one that may be unknown.
    fn metric(&self, label: &str) -> Vec<Option<f64>> {
        let report = self.report();
        report.metrics().iter().filter(|metric| metric.label == label).map(|metric| metric.value).collect()
    }

    fn report(&self) -> Report {
        let words = ["check_mail_policy", "-d", "example.org"].iter().chain(&self.words);
        let options = CheckMailPolicy::try_parse_from(words).unwrap();
        let seen = crate::Seen {
            answers: Answers::default(),
            hosts: Some(self.hosts.clone()),
            policies: Vec::new(),
            cut_short: None,
        };
        let run = Run { taken_at: 0, states: StateTable::new(CheckMailPolicy::CONDITIONS) };
        options.evaluate(&seen, &run)
    }

    #[track_caller]
    fn gives(&self, state: State, text: &str) {
        let (judged, texts) = self.judged();
        assert_eq!(judged, state, "{texts}");
        assert!(texts.lines().next().unwrap().contains(text), "{texts}");
    }
}

fn record_of(tlsa: &Tlsa) -> Record {
    let Tlsa { usage, selector, matching, data } = tlsa.clone();
    Record { name: String::new(), ttl: 300, data: Data::Tlsa { usage, selector, matching, data } }
}

fn said(code: u16, words: &str) -> Said {
    Said { code, words: words.into(), line_end: LineEnd::CrLf, masked: false }
}

#[test]
fn ok_every_certificate_matches() {
    World::good().gives(State::Ok, "DANE on 2 of 2 mail exchangers, 2 of 2 certificates match");
}

#[test]
fn critical_a_certificate_that_no_record_matches() {
    let mut world = World::good();
    world.first().matches = vec![(tlsa(3), Match::No)];
    world.gives(
        State::Critical,
        "mx1.example.org (192.0.2.1:25) serves another certificate than its TLSA 3 1 1",
    );
    world.first().matches = vec![(tlsa(3), Match::No), (tlsa(2), Match::No)];
    world.gives(State::Critical, "that none of its 2 TLSA records matches");
    world.first().matches = vec![(tlsa(3), Match::No), (tlsa(2), Match::Untrusted("it is expired".into()))];
    world.gives(State::Critical, "does not hold under its TLSA 2 1 1 0202");
    world.first().matches = vec![(tlsa(3), Match::No), (tlsa(2), Match::Yes)];
    world.gives(State::Ok, "DANE");
}

#[test]
fn critical_no_tls_where_it_is_promised() {
    let tls = ProbeError::new(Trouble::Tls, Phase::NegotiatingTls, "TLS handshake failed: alert 40");
    for (stop, words) in [
        (Stop::StarttlsNotOffered, "STARTTLS is not offered, while its TLSA record promises TLS"),
        (Stop::Refused(Step::Starttls, said(554, "no")), "STARTTLS refused: \"no\""),
        (Stop::Injected("250 x".into()), "plaintext behind the 220"),
        (Stop::Failed(tls), "alert 40"),
    ] {
        World::good().stops(stop).gives(State::Critical, words);
    }
}

#[test]
fn unknown_where_nothing_could_be_looked_at() {
    let refused =
        ProbeError::new(Trouble::Unreachable, Phase::Connecting, "cannot connect to 192.0.2.1:25: refused");
    let reset = ProbeError::new(Trouble::Unreachable, Phase::NegotiatingTls, "connection reset");
    for (stop, words) in [
        (
            Stop::Failed(refused),
            "cannot look at the certificate of mx1.example.org (192.0.2.1:25): cannot connect",
        ),
        (Stop::Failed(reset), "connection reset"),
        (Stop::Failed(ProbeError::closed(Phase::WaitingForBanner)), "closed"),
        (Stop::Refused(Step::Banner, said(554, "go away")), "go away"),
        (Stop::Refused(Step::Banner, said(421, "busy")), "busy"),
        (Stop::Refused(Step::Starttls, said(454, "later")), "later"),
        (Stop::Refused(Step::Ehlo, said(550, "who")), "who"),
    ] {
        World::good().stops(stop).gives(State::Unknown, words);
    }
}

#[test]
fn records_that_are_missing_unsigned_or_of_no_use() {
    let mut world = World::good();
    world.answer(MX2, Outcome::NxDomain);
    world.gives(State::Warning, "no TLSA record for mx2.example.org, while other");
    world.answer(MX1, Outcome::NoData);
    world.gives(State::Critical, "no mail exchanger has a TLSA record: mx1.example.org, mx2.example.org");

    let signed =
        || Answer { authenticated: true, ..Answer::bare(Outcome::Records(vec![record_of(&tlsa(3))])) };
    let mut world = World::good();
    world.answer_by(MX1, Answer { authenticated: false, ..signed() }, Some(resolver()));
    world.gives(State::Warning, "_25._tcp.mx1.example.org TLSA is not validated (no AD)");
    // What is not believed cannot be broken either.
    world.first().matches = vec![(tlsa(3), Match::No)];
    world.gives(State::Warning, "not validated");

    let mut world = World::good();
    world.answer_by(MX1, signed(), Some(([192, 0, 2, 53], 53).into()));
    world.gives(State::Warning, "not validated");
    world.words.push("--trust-ad");
    world.gives(State::Ok, "DANE on 2 of 2");

    let mut world = World::good();
    world.answer(MX1, Outcome::Records(vec![record_of(&tlsa(1))]));
    world.gives(State::Warning, "TLSA 1 1 1 0101");
}

#[test]
fn records_of_hosts_that_a_liar_could_name() {
    let mut world = World::good();
    world.hosts.mail.authenticated = false;
    world.gives(State::Warning, "example.org MX is not validated (no AD): its TLSA records protect nobody");
    let mut world = World::good();
    let Target::Name { ipv4, .. } = &mut world.hosts.mail.hosts[0].target else { panic!() };
    ipv4.authenticated = false;
    world.gives(State::Warning, "mx1.example.org address is not validated");
    // The resolver on this machine gave no answer, the next one did.
    let mut world = World::good();
    let Target::Name { ipv4, .. } = &mut world.hosts.mail.hosts[0].target else { panic!() };
    ipv4.server = Some(([192, 0, 2, 53], 53).into());
    world.gives(State::Warning, "mx1.example.org address is not validated");
}

#[test]
fn dns_trouble_is_never_a_missing_record() {
    for outcome in [Outcome::ServFail, Outcome::Timeout, Outcome::Refused, Outcome::NotAsked] {
        let mut world = World::good();
        world.answer(MX1, outcome.clone());
        world.gives(
            State::Unknown,
            &format!("cannot look up the TLSA record of _25._tcp.mx1.example.org: {outcome}"),
        );
        let mut world = World::good();
        world.hosts.mail.route = Route::Unanswered(outcome.clone());
        world.gives(State::Unknown, &format!("cannot look up the MX record of example.org: {outcome}"));
        let mut world = World::good();
        let Target::Name { ipv6, .. } = &mut world.hosts.mail.hosts[0].target else { panic!() };
        ipv6.without = Some(outcome.clone());
        world.gives(State::Unknown, &format!("cannot look up the AAAA record of mx1.example.org: {outcome}"));
    }
    // Nobody knows whether others have one.
    let mut world = World::good();
    world.answer(MX1, Outcome::NoData);
    world.answer(MX2, Outcome::ServFail);
    let (state, texts) = world.judged();
    assert_eq!(state, State::Unknown);
    assert!(texts.lines().any(|line| line == "no TLSA record for mx1.example.org"), "{texts}");
    let mut world = World::good();
    world.answer(MX2, Outcome::NoData);
    world.hosts.mail.hosts[0].target = Target::LeftOut;
    let (state, texts) = world.judged();
    assert!(state == State::Unknown && !texts.contains("no mail exchanger"), "{texts}");

    let mut world = World::good();
    let mut many =
        Answer { authenticated: true, ..Answer::bare(Outcome::Records(vec![record_of(&tlsa(3))])) };
    many.left_out = 40;
    world.answer_by(MX1, many, Some(resolver()));
    world.first().matches = vec![(tlsa(3), Match::No)];
    world.gives(State::Unknown, "_25._tcp.mx1.example.org has 41 TLSA records, which is more than");

    let mut world = World::good();
    world.words = vec!["--dane", "--timeout-state", "critical"];
    world.answer(MX1, Outcome::Timeout);
    world.gives(State::Critical, "cannot look up the TLSA record of _25._tcp.mx1.example.org: timeout");
}

#[test]
fn domains_without_hosts_and_hosts_without_addresses() {
    let mut world = World::good();
    world.hosts.mail.route = Route::Nowhere;
    world.gives(State::Critical, "neither MX records nor an address");
    let mut world = World::good();
    world.hosts.mail.hosts[0].target = Target::Literal("192.0.2.1".parse().unwrap());
    world.gives(State::Warning, "\"mx1.example.org\", which is no host name");
    let mut world = World::good();
    world.hosts.mail.hosts[0].target = Target::LeftOut;
    world.gives(State::Unknown, "there are too many");
    let mut world = World::good();
    world.hosts.mail.hosts[0].target = Target::Name { ipv4: lookup(&[]), ipv6: lookup(&[]) };
    world.gives(State::Warning, "mx1.example.org has no address");
    let mut world = World::good();
    world.hosts.untried = 3;
    world.gives(State::Unknown, "3 addresses left out");
    let mut world = World::good();
    let Target::Name { ipv4, .. } = &mut world.hosts.mail.hosts[0].target else { panic!() };
    ipv4.left_out = 2;
    world.gives(State::Unknown, "0 MX records, 2 addresses left out");
    let mut world = World::good();
    world.first().opening.tls = None;
    world.gives(State::Unknown, "mx1.example.org (192.0.2.1:25) showed no certificate");
    let mut world = World::good();
    world.hosts.visits = None;
    world.gives(State::Unknown, "the certificate of mx1.example.org was not looked at");
    let mut world = World::good();
    world.hosts.visits = Some(Vec::new());
    world.gives(State::Unknown, "the certificate of mx1.example.org was not looked at");
}

#[test]
fn unknown_hosts_of_another_family() {
    let mut world = World::good();
    world.words = vec!["--dane", "-6"];
    let second = world.hosts.mail.hosts.get_mut(1).unwrap();
    second.target = Target::Name { ipv4: lookup(&[]), ipv6: lookup(&["2001:db8::2"]) };
    world.hosts.visits = Some(vec![visit(MX2, "2001:db8::2")]);
    world.gives(
        State::Unknown,
        "the certificate of mx1.example.org was not looked at: it has no IPv6 address, and no other is allowed",
    );
    assert!(!world.judged().1.contains("of mx2.example.org was not"));
}

#[test]
fn unknown_addresses_that_were_not_kept_or_are_of_the_other_family() {
    let mut world = World::good();
    let Target::Name { ipv4, .. } = &mut world.hosts.mail.hosts[0].target else { panic!() };
    ipv4.left_out = 7;
    world.gives(State::Unknown, "0 MX records, 7 addresses left out");
    let mut world = World::good();
    world.words.push("-4");
    world.hosts.mail.hosts[1].target = Target::Name { ipv4: lookup(&[]), ipv6: lookup(&["2001:db8::2"]) };
    world.hosts.visits.as_mut().unwrap().truncate(1);
    world.gives(
        State::Unknown,
        "the certificate of mx2.example.org was not looked at: it has no IPv4 address",
    );
    world.words.push("--no-connect");
    world.hosts.visits = None;
    world.gives(State::Ok, "certificates not looked at");
}

#[test]
fn unknown_more_tlsa_records_than_were_kept() {
    let mut world = World::good();
    let bare = Answer::bare(Outcome::Records(vec![record_of(&tlsa(3))]));
    let answer = Answer { authenticated: true, left_out: 8, ..bare };
    world.answer_by(MX1, answer, Some(resolver()));
    world.first().matches = vec![(tlsa(3), Match::No)];
    world.gives(
        State::Unknown,
        "_25._tcp.mx1.example.org has 9 TLSA records, which is more than are looked at",
    );
    assert_eq!(world.metric("tlsa"), [Some(10.0)]);
}

#[test]
fn records_are_counted_whole_or_not_at_all() {
    let mut world = World::good();
    assert_eq!(world.metric("tlsa"), [Some(2.0)]);
    world.answer(MX1, Outcome::Records(vec![record_of(&tlsa(1)), record_of(&tlsa(0))]));
    assert_eq!(world.metric("tlsa"), [Some(3.0)], "those of no use, too");
    world.answer(MX1, Outcome::ServFail);
    assert_eq!(world.metric("tlsa"), [None], "nobody knows");
    let mut left_out = World::good();
    left_out.hosts.mail.hosts[0].target = Target::LeftOut;
    assert_eq!(left_out.metric("tlsa"), [None], "nobody asked");
    let (_, texts) = left_out.judged();
    assert!(!texts.contains("no TLSA record"), "{texts}");
    world.hosts.mail.route = Route::Unanswered(Outcome::ServFail);
    assert_eq!(world.metric("tlsa"), [None], "nobody knows the hosts");
    world.hosts.mail.route = Route::Null;
    assert_eq!(world.metric("tlsa"), [], "there are no hosts");
}

/// RFC 7672 section 3.2.2: the name at the end of the aliases is as good as the others.
#[test]
fn a_certificate_may_be_for_the_end_of_the_aliases() {
    let mut exchanger = host(10, MX1, "192.0.2.1");
    let names = |exchanger: &Exchanger| {
        let names = reference_names(exchanger, &"example.org".parse().unwrap());
        names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&exchanger), [MX1, "example.org"]);
    let Target::Name { ipv4, .. } = &mut exchanger.target else { panic!() };
    ipv4.aliases = vec!["a.example".into(), "mx.provider.example".into()];
    assert_eq!(names(&exchanger), [MX1, "example.org", "mx.provider.example"]);
}

#[test]
fn without_connections_it_says_so() {
    let mut world = World::good();
    world.words = vec!["--dane", "--no-connect"];
    world.hosts.visits = None;
    world.gives(State::Ok, "DANE on 2 of 2 mail exchangers, certificates not looked at");
}
