//! check_rbl: resolvers that disagree, and the servers of the lists themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use lab::dns::{Behaviour, Dnsbl, Flags, Names, Rcode, Reaction, Record, Responder, ResponderOptions, Zones};
use lab::output::State;
use tests::Check;
use tests::rbl::{REVERSED, TARGET, bare, figures, impatient, odd, times_asked};

// Resolvers that disagree

/// A resolver for each reaction to the question about the target.
fn resolvers(reactions: &[Reaction]) -> Vec<Responder> {
    let start = |reaction: &Reaction| {
        let reaction = reaction.clone();
        Responder::start(Zones::new().zone("bl.lab.test", odd(move |_| reaction.clone())))
    };
    reactions.iter().map(start).collect()
}

fn asking(resolvers: &[Responder]) -> Check {
    let check = Check::new("check_rbl").args(["--allow-private", "-H", TARGET, "-s", "bl.lab.test"]);
    resolvers.iter().fold(impatient(check), |check, one| check.args(["--resolver", &one.addr().to_string()]))
}

fn listed() -> Reaction {
    Reaction::records([Record::address("127.0.0.2")])
}

#[test]
fn majority_of_three_decides() {
    let (yes, no, silent) = (listed, Reaction::nxdomain, Reaction::silence);
    let failing = || Reaction::rcode(Rcode::ServFail);
    let refusing = || Reaction::records([Record::address("127.255.255.254")]);
    let scenarios = [
        ([yes(), yes(), yes()], State::Critical),
        ([yes(), yes(), no()], State::Critical),
        ([yes(), no(), yes()], State::Critical),
        ([yes(), no(), no()], State::Ok),
        ([no(), no(), no()], State::Ok),
        ([yes(), no(), silent()], State::Unknown),
        ([yes(), no(), failing()], State::Unknown),
        ([yes(), yes(), silent()], State::Critical),
        ([silent(), no(), no()], State::Ok),
        ([refusing(), no(), no()], State::Ok),
        ([refusing(), yes(), yes()], State::Critical),
        ([refusing(), refusing(), yes()], State::Unknown),
        ([silent(), silent(), no()], State::Unknown),
        ([failing(), failing(), failing()], State::Unknown),
    ];
    let started: Vec<_> = scenarios
        .map(|(reactions, state)| {
            let all = resolvers(&reactions);
            let started = asking(&all).start();
            (all, started, state)
        })
        .into_iter()
        .collect();
    for (all, started, state) in started {
        let run = started.gives(state, &[TARGET]);
        assert_eq!(run.parsed.value("lists"), Some(1.0), "one list, whoever is asked");
        assert!(all.iter().all(|one| times_asked(one, "2.0.0.127.bl.lab.test") == 1), "each is tested");
    }
}

#[test]
fn ok_overruled_listing_is_shown() {
    let all = resolvers(&[listed(), Reaction::nxdomain(), Reaction::nxdomain()]);
    asking(&all).gives(State::Ok, &["not listed"]).long("1 of the resolvers");
}

#[test]
fn unknown_disagreement_says_who_said_what() {
    let all = resolvers(&[listed(), Reaction::nxdomain(), Reaction::silence()]);
    let run = asking(&all).gives(State::Unknown, &["disagree"]);
    run.long("1 listed, 1 not listed, 1 without an answer");
    assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
}

#[test]
fn quorum_can_be_chosen() {
    let two_to_one = resolvers(&[listed(), listed(), Reaction::nxdomain()]);
    let one_to_two = resolvers(&[listed(), Reaction::nxdomain(), Reaction::nxdomain()]);
    for (all, quorum, state) in [
        (&one_to_two, "1", State::Critical),
        (&one_to_two, "2", State::Ok),
        (&one_to_two, "3", State::Unknown),
        (&two_to_one, "1", State::Critical),
        (&two_to_one, "3", State::Unknown),
    ] {
        asking(all).args(["--quorum", quorum]).gives(state, &[TARGET]);
    }
    asking(&one_to_two).args(["--quorum", "4"]).gives(State::Unknown, &["--quorum", "4"]);
    asking(&one_to_two).args(["--quorum", "0"]).gives(State::Unknown, &["--quorum"]);
}

#[test]
fn two_resolvers_must_agree() {
    for (reactions, state) in [
        ([listed(), Reaction::nxdomain()], State::Unknown),
        ([listed(), Reaction::silence()], State::Unknown),
        ([listed(), listed()], State::Critical),
        ([Reaction::nodata(), Reaction::nxdomain()], State::Ok),
    ] {
        let all = resolvers(&reactions);
        asking(&all).gives(state, &[TARGET]);
    }
}

#[test]
fn ok_one_dead_resolver_of_three() {
    let mut all = resolvers(&[Reaction::nxdomain(), Reaction::nxdomain()]);
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = asking(&all).args(["--resolver", &closed.to_string()]).gives(State::Ok, &["not listed"]);
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(1.0), Some(1.0), Some(0.0)]);
    all.push(Responder::start(Reaction::silence()));
    asking(&all).gives(State::Ok, &["not listed"]);
    // Two dead ones leave no majority.
    asking(&all).args(["--resolver", &closed.to_string()]).gives(State::Unknown, &["bl.lab.test"]);
}

#[test]
fn unknown_resolver_that_rewrites_has_no_vote() {
    let good = || Responder::start(Zones::new().zone("bl.lab.test", Dnsbl::healthy()));
    let rewriting = || Responder::start(Zones::new().zone("bl.lab.test", Dnsbl::rewriting("127.0.0.2")));
    asking(&[good(), good(), rewriting()]).gives(State::Ok, &["not listed"]);
    asking(&[good(), rewriting(), rewriting()]).gives(State::Unknown, &[TARGET]).silent_about("listed by");
}

#[test]
fn ok_host_is_resolved_by_the_next_resolver() {
    let dead = Responder::start(Reaction::rcode(Rcode::Refused));
    let good = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy())
            .zone("mail.lab.test", Names::new([Record::address("192.0.2.25")])),
    );
    let servers = [dead.addr().to_string(), good.addr().to_string()];
    let check = Check::new("check_rbl").args(["--allow-private", "-H", "mail.lab.test", "-s", "bl.lab.test"]);
    let check = servers.iter().fold(check, |check, one| check.args(["--resolver", one]));
    check.args(["--quorum", "1"]).gives(State::Ok, &["mail.lab.test", "not listed"]);
    assert_eq!(times_asked(&good, &format!("{REVERSED}.bl.lab.test")), 1);
}

// The lists' own servers

/// A resolver and a list's own server, on two addresses of loopback with the same port: the
/// one answers for names, the other for the list.
struct Authority {
    resolver: Responder,
    own: Responder,
}

const OWN: &str = "127.0.0.53";

impl Authority {
    fn start(names: impl Behaviour, own: impl Behaviour) -> Self {
        let resolver = Responder::start(names);
        let own =
            Responder::start_with(ResponderOptions::on(OWN.parse::<std::net::Ipv4Addr>().unwrap()), own);
        Self { resolver, own }
    }

    fn check(&self, lists: &[&str]) -> Check {
        let check = bare(&self.resolver).args([
            "--allow-private",
            "-H",
            TARGET,
            "--authoritative",
            "--port",
            &self.own.port().to_string(),
        ]);
        tests::rbl::with_lists(impatient(check), lists)
    }
}

/// The zone `bl.lab.test` with its name server.
fn delegated() -> Names {
    Names::new([Record::ns("ns.bl.lab.test"), Record::address(OWN).owned_by("ns.bl.lab.test")])
}

fn authoritative(list: Dnsbl) -> impl Behaviour {
    list.map(|reaction| reaction.flags(Flags::AUTHORITATIVE))
}

fn lists_own(list: Dnsbl) -> Authority {
    Authority::start(
        Zones::new().zone("bl.lab.test", delegated()),
        Zones::new().zone("bl.lab.test", authoritative(list)),
    )
}

#[test]
fn authoritative_asks_the_lists_own_server() {
    let dns = lists_own(Dnsbl::healthy());
    dns.check(&["bl.lab.test"]).gives(State::Ok, &["not listed"]);
    assert_eq!(dns.own.query_count(), 3, "the target and two test points");
    assert!(dns.own.queries().iter().all(|query| !query.recursion_desired), "nobody is to be asked for us");
    assert!(dns.resolver.queries().iter().all(|query| !query.name.starts_with(REVERSED)));

    let dns = lists_own(Dnsbl::listing(TARGET, ["127.0.0.2"]).text(TARGET, "127.0.0.2", "Spam seen"));
    let run = dns.check(&["bl.lab.test"]).gives(State::Critical, &["bl.lab.test", "127.0.0.2"]);
    run.long("Spam seen");
}

#[test]
fn authoritative_finds_the_zone_around_a_list() {
    // Names within the zone bl.lab.test, with and without a record of their own.
    let names = Names::new([
        Record::ns("ns.bl.lab.test"),
        Record::address(OWN).owned_by("ns.bl.lab.test"),
        Record::txt("a list").owned_by("spam.bl.lab.test"),
    ]);
    let list = || Dnsbl::listing(TARGET, ["127.0.0.2"]);
    let dns = Authority::start(
        Zones::new().zone("bl.lab.test", names),
        Zones::new()
            .zone("spam.bl.lab.test", authoritative(list()))
            .zone("all.bl.lab.test", authoritative(list())),
    );
    for list in ["spam.bl.lab.test", "all.bl.lab.test"] {
        dns.check(&[list]).gives(State::Critical, &[list, "127.0.0.2"]);
    }
}

#[test]
fn unknown_authoritative_without_a_server() {
    for (names, words) in
        [(Names::new([]), "no name server"), (Names::new([Record::ns("ns.bl.lab.test")]), "no address")]
    {
        let dns = Authority::start(Zones::new().zone("bl.lab.test", names), Reaction::nxdomain());
        let run = dns.check(&["bl.lab.test"]).gives(State::Unknown, &["gave an answer to trust"]);
        run.long(words);
        assert_eq!(dns.own.query_count(), 0);
    }
    let dns = Authority::start(Reaction::rcode(Rcode::ServFail), Reaction::nxdomain());
    dns.check(&["bl.lab.test"]).gives(State::Unknown, &["gave an answer to trust"]).long("SERVFAIL");
}

#[test]
fn unknown_answer_that_is_not_authoritative() {
    // A forwarder, or a parked domain, in the place of the list's server.
    let dns = Authority::start(
        Zones::new().zone("bl.lab.test", delegated()),
        Zones::new().zone("bl.lab.test", Dnsbl::listing(TARGET, ["127.0.0.2"])),
    );
    let run = dns.check(&["bl.lab.test"]).gives(State::Unknown, &["gave an answer to trust"]);
    run.long("not authoritative").silent_about("listed by");
}

#[test]
fn unknown_lame_server_refers_elsewhere() {
    let lame = || {
        let flags = Flags { recursion_available: false, ..Flags::RESOLVER };
        Reaction::records([]).flags(flags)
    };
    let dns = Authority::start(Zones::new().zone("bl.lab.test", delegated()), lame());
    dns.check(&["bl.lab.test"]).gives(State::Unknown, &["gave an answer to trust"]).long("referral");
}

#[test]
fn authoritative_takes_the_next_server() {
    let dead: std::net::Ipv4Addr = "127.0.0.54".parse().unwrap();
    let names = Names::new([
        Record::ns("ns1.bl.lab.test"),
        Record::ns("ns2.bl.lab.test"),
        Record::address(&dead.to_string()).owned_by("ns1.bl.lab.test"),
        Record::address(OWN).owned_by("ns2.bl.lab.test"),
    ]);
    let dns = Authority::start(
        Zones::new().zone("bl.lab.test", names),
        Zones::new().zone("bl.lab.test", authoritative(Dnsbl::listing(TARGET, ["127.0.0.2"]))),
    );
    dns.check(&["bl.lab.test"]).gives(State::Critical, &["bl.lab.test", "127.0.0.2"]);
}

#[test]
fn unknown_port_or_quorum_without_their_options() {
    let dns = Responder::start(Dnsbl::healthy());
    bare(&dns).args(["-H", TARGET, "-p", "5353"]).gives(State::Unknown, &["--authoritative"]);
    bare(&dns).args(["-H", TARGET, "--authoritative", "--quorum", "1"]).gives(State::Unknown, &["--quorum"]);
    assert_eq!(dns.query_count(), 0);
}
