//! The board against servers that are tables: whatever it takes for complete is complete.

mod groups;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::TestRunner;

use super::super::connection::Ending;
use super::column::ORDERS;
use super::*;
use crate::alerts;
use crate::policy::Policy;
use crate::scan::offer::{chains, takes_groups};
use crate::suites::SUITES;
use crate::suites::{KeyExchange, Suite};
use crate::wire::hello::{self, ClientHello};
use crate::wire::server::ServerHello;

/// A server without a network.
#[derive(Clone, Debug)]
struct Server {
    /// What it takes, the preferred ones first.
    table: Vec<(Version, Vec<u16>)>,
    groups: Vec<u16>,
    preference: Preference,
    /// Answers what it does not speak in an older version, as many do, instead of alert 70.
    goes_down: bool,
    /// Ends connections instead of sending alerts.
    ends: bool,
    /// Suites of a hello that it reads.
    suites_read: usize,
    /// The longest hello it can stand.
    longest: usize,
    drop: Drop,
    name_length: usize,
}

/// What comes of a hello that is too long.
#[derive(Clone, Copy, Debug)]
enum Drop {
    Silence,
    End,
    Alert,
}

impl Server {
    fn new(table: &[(Version, &[u16])]) -> Self {
        Self {
            table: table.iter().map(|(version, suites)| (*version, suites.to_vec())).collect(),
            groups: vec![29, 23],
            preference: Preference::Server,
            goes_down: false,
            ends: false,
            suites_read: usize::MAX,
            longest: usize::MAX,
            drop: Drop::Silence,
            name_length: 0,
        }
    }

    fn suites(&self, version: Version) -> &[u16] {
        self.table.iter().find(|(known, _)| *known == version).map_or(&[], |(_, suites)| suites)
    }

    /// As the scanner would report it; `has_answered` says that some hello was taken before.
    fn prove(&self, probe: &Probe, has_answered: bool) -> Proof {
        let ended = || {
            if has_answered {
                Proof::TakesNone(Refusal::Ending)
            } else {
                Proof::Nothing(Outcome::Ended(Ending::Closed))
            }
        };
        let refused = |alert| if self.ends { ended() } else { Proof::TakesNone(Refusal::Alert(alert)) };
        if self.length(probe) > self.longest {
            return match self.drop {
                Drop::Silence => Proof::Nothing(Outcome::Silent),
                Drop::End => ended(),
                Drop::Alert => refused(alerts::HANDSHAKE_FAILURE),
            };
        }
        let read = &probe.suites[..probe.suites.len().min(self.suites_read)];
        let group = self.groups.iter().copied().find(|group| probe.groups.contains(group));
        let pick = |version: Version| {
            let ours = self.suites(version);
            let fits = |code: &u16| group.is_some() || !takes_groups(*code);
            let both = |code: &&u16| ours.contains(code) && read.contains(code) && fits(code);
            match self.preference {
                Preference::Server => ours.iter().find(both).copied(),
                Preference::Client => read.iter().find(both).copied(),
            }
        };
        if !self.suites(probe.version).is_empty() {
            return match pick(probe.version) {
                Some(suite) => Proof::Takes(Box::new(flight(probe.version, suite, group))),
                None => refused(alerts::HANDSHAKE_FAILURE),
            };
        }
        // A hello for TLS 1.3 names no other version.
        let older = self
            .table
            .iter()
            .map(|(version, _)| *version)
            .filter(|older| self.goes_down && *older < probe.version && probe.version < Version::Tls13);
        match older.max().map(pick) {
            Some(Some(_)) => Proof::TakesNone(Refusal::OlderVersion),
            Some(None) => refused(alerts::HANDSHAKE_FAILURE),
            None => refused(alerts::PROTOCOL_VERSION),
        }
    }

    fn length(&self, probe: &Probe) -> usize {
        let name = "x".repeat(self.name_length);
        let hello = ClientHello {
            version: probe.version,
            suites: &probe.suites,
            groups: &probe.groups,
            server_name: (self.name_length > 0).then_some(name.as_str()),
            compression: probe.version < Version::Tls13,
            shares: &[],
            signatures: None,
            padded_to: 0,
        };
        hello.record(&hello::NO_RANDOM).len()
    }
}

fn flight(version: Version, suite: u16, group: Option<u16>) -> Flight {
    let known = Suite::by_code(suite).unwrap();
    let [high, low] = group.unwrap_or_default().to_be_bytes();
    let key_exchange = match known {
        _ if known.is_ecdhe() => Some(vec![3, high, low, 1, 4]),
        // A prime of 2048 bits, generator and key.
        _ if known.is_ffdhe() => Some([&[1, 0][..], &[0xff; 256], &[0, 1, 2, 0, 1, 5]].concat()),
        _ => None,
    };
    // An empty hint comes first.
    let is_psk = matches!(known.kx, KeyExchange::EcdhePsk | KeyExchange::DhePsk);
    let key_exchange = key_exchange.map(|body| if is_psk { [&[0, 0], &body[..]].concat() } else { body });
    let hello = ServerHello {
        version: version.code(),
        random: [0; 32],
        suite,
        compression: 0,
        is_retry: version == Version::Tls13,
        group: group.filter(|_| version == Version::Tls13),
        renegotiation_info: true,
        extended_master_secret: true,
        encrypt_then_mac: false,
        heartbeat: false,
    };
    Flight { hello, chain: Vec::new(), key_exchange, alert: None }
}

/// What a scan asked and found.
#[derive(Debug)]
struct Scan {
    survey: Survey,
    questions: usize,
    /// Answers that proved nothing.
    lost: usize,
}

impl Scan {
    fn versions(&self) -> &[Found] {
        match &self.survey {
            Survey::Seen { versions, .. } => versions,
            Survey::NoTls(outcome) => panic!("no TLS: {outcome:?}"),
        }
    }

    fn is_intolerant(&self) -> bool {
        matches!(self.survey, Survey::Seen { intolerant: true, .. })
    }
}

/// How answers come in.
#[derive(Clone, Debug)]
struct Network {
    at_once: usize,
    /// Which of the open questions is answered next.
    order: Vec<Index>,
    /// Questions that get no answer, by their number from 0 on.
    lost: Vec<(usize, Outcome)>,
    /// The server says nothing any more from this question on.
    deaf_from: usize,
}

impl Network {
    const fn sound() -> Self {
        Self { at_once: 1, order: Vec::new(), lost: Vec::new(), deaf_from: usize::MAX }
    }

    fn outcome(&self, number: usize) -> Option<Outcome> {
        if number >= self.deaf_from {
            return Some(Outcome::Silent);
        }
        self.lost.iter().find(|(at, _)| *at == number).map(|(_, outcome)| outcome.clone())
    }
}

static RULES: LazyLock<Vec<Rules>> = LazyLock::new(|| {
    let policy = Policy::by_name("bcp195").unwrap();
    let of = |version: Version, fits: &dyn Fn(&Suite) -> bool| {
        SUITES.iter().filter(|suite| suite.is_of(version) && fits(suite)).map(|suite| suite.code).collect()
    };
    VERSIONS
        .map(|version| Rules {
            version,
            allowed: of(version, &|suite| !policy.forbids(version, suite)),
            suspects: of(version, &|suite| policy.forbids(version, suite) || suite.is_ffdhe()),
            groups: Vec::new(),
            required: Vec::new(),
        })
        .to_vec()
});

fn is_forbidden(version: Version, code: u16) -> bool {
    RULES.iter().find(|rules| rules.version == version).is_some_and(|rules| !rules.allowed.contains(&code))
}

fn scan(server: &Server, mode: Mode, network: &Network) -> Scan {
    scan_by(&RULES, server, mode, network)
}

fn scan_by(rules: &[Rules], server: &Server, mode: Mode, network: &Network) -> Scan {
    let asked = Asked { mode, rules, post_quantum: false, signatures: false };
    let mut board = Board::new(&asked, server.name_length);
    board.employ(network.at_once);
    let mut open = VecDeque::new();
    let (mut questions, mut lost, mut has_answered) = (0, 0, false);
    let mut order = network.order.iter().cycle();
    while !board.is_done() {
        let most = if board.has_opened() { network.at_once } else { 1 };
        while open.len() < most
            && let Some((turn, question)) = board.next()
        {
            open.push_back((turn, question, questions));
            questions += 1;
            assert!(questions < 2000, "there is no end to it: {server:?}");
        }
        let next = order.next().map_or(0, |index| index.index(open.len()));
        let (turn, question, number) = open.remove(next).expect("what is not done has a question open");
        let gone = network.outcome(number);
        let reply = match (question, gone) {
            (Question::Tls(_), Some(outcome)) => {
                lost += 1;
                Reply::Tls(Proof::Nothing(outcome))
            }
            (Question::Tls(probe), None) => {
                let proof = server.prove(&probe, has_answered);
                has_answered |= matches!(proof, Proof::Takes(_) | Proof::TakesNone(Refusal::OlderVersion));
                Reply::Tls(proof)
            }
            (Question::Ssl2, gone) => Reply::Ssl2(gone.unwrap_or(Outcome::Refused(None))),
            (Question::StillAnswers, gone) => Reply::StillAnswers(gone.is_none() && has_answered),
        };
        board.note(turn, reply);
    }
    assert!(open.is_empty());
    Scan { survey: board.survey(false), questions, lost }
}

const VERSIONS: [Version; 5] =
    [Version::Ssl3, Version::Tls10, Version::Tls11, Version::Tls12, Version::Tls13];
/// Sound suites of TLS 1.2.
const SOUND: [u16; 2] = [0xc02f, 0xc02b];

fn codes(flights: &[Flight]) -> BTreeSet<u16> {
    flights.iter().map(|flight| flight.hello.suite).collect()
}

/// What must hold whatever the server and the network do: nothing is found that is not there,
/// and what is said to be complete is.
fn is_honest(server: &Server, mode: Mode, scan: &Scan) {
    let Survey::Seen { versions, .. } = &scan.survey else { return };
    assert_eq!(versions.len(), VERSIONS.len());
    for found in versions {
        let (found_codes, there) = (codes(&found.picks), server.suites(found.version));
        assert_eq!(found_codes.len(), found.picks.len(), "each suite once");
        assert!(found_codes.iter().all(|code| there.contains(code)), "{found:?}");
        if found.stopped.is_some() {
            continue;
        }
        for code in there.iter().filter(|code| mode == Mode::Inventory || is_forbidden(found.version, **code))
        {
            assert!(found_codes.contains(code), "{} misses 0x{code:04x} of {server:?}", found.version);
        }
    }
}

fn is_complete(scan: &Scan) -> bool {
    scan.versions().iter().all(|found| found.stopped.is_none())
}

#[test]
fn a_sound_server_costs_eight_questions() {
    let server = Server::new(&[(Version::Tls13, &[0x1301, 0x1302]), (Version::Tls12, &SOUND)]);
    let scan = scan(&server, Mode::Verdict, &Network::sound());
    assert_eq!((scan.questions, is_complete(&scan), scan.is_intolerant()), (8, true, false));
}

/// n suites of a version are n answers, and each chain ends in one refusal.
#[test]
fn weak_suites_cost_one_question_each() {
    let weak = [0x0004, 0x0005, 0x000a, 0x002f, 0x0035, 0x003c];
    for count in 0..=weak.len() {
        let suites = [&SOUND[..], &weak[..count]].concat();
        let server = Server::new(&[(Version::Tls13, &[0x1301]), (Version::Tls12, &suites)]);
        let scan = scan(&server, Mode::Verdict, &Network::sound());
        is_honest(&server, Mode::Verdict, &scan);
        assert_eq!(scan.questions, 8 + count);
    }
}

#[test]
fn who_decides_is_found_out() {
    let suites = [0xc02f, 0x002f, 0x0035, 0x000a, 0x009d, 0xcca8];
    for preference in [Preference::Server, Preference::Client] {
        let server = Server { preference, ..Server::new(&[(Version::Tls12, &suites)]) };
        let scan = scan(&server, Mode::Inventory, &Network::sound());
        let found = scan.versions().iter().find(|found| found.version == Version::Tls12).unwrap();
        assert_eq!(found.preference, Some(preference));
        assert_eq!(found.groups.len(), 2);
    }
}

#[test]
fn the_end_of_the_budget_is_no_refusal() {
    let server = Server::new(&[(Version::Tls13, &[0x1301]), (Version::Tls12, &SOUND)]);
    for number in 1..8 {
        let lost = (number..2000).map(|at| (at, Outcome::Spent)).collect();
        let scan = scan(&server, Mode::Verdict, &Network { lost, ..Network::sound() });
        assert!(!is_complete(&scan), "{number}: {scan:?}");
    }
}

/// Few suites, but groups and a name that make 264 bytes of it; or the portions of a long hello
/// that was not answered.
#[test]
fn a_long_hello_with_few_suites_is_no_short_one() {
    let table = [(Version::Tls12, &SOUND[..]), (Version::Tls13, &[0x1301, 0xc0b4])];
    let server = Server { longest: 255, drop: Drop::Alert, name_length: 60, ..Server::new(&table) };
    is_honest(&server, Mode::Verdict, &scan(&server, Mode::Verdict, &Network::sound()));
    let table = [(Version::Tls12, &[0xc011][..])];
    let server = Server { longest: 255, drop: Drop::Alert, ..Server::new(&table) };
    let lost = vec![(6, Outcome::Silent)];
    let scan = scan(&server, Mode::Verdict, &Network { lost, ..Network::sound() });
    is_honest(&server, Mode::Verdict, &scan);
}

/// Nothing that the policy allows is taken, and no alert says so.
#[test]
fn a_server_that_ends_connections_hides_nothing() {
    for (version, code) in [(Version::Tls12, 0x002f), (Version::Tls11, 0x0035), (Version::Tls10, 0x000a)] {
        for mode in [Mode::Verdict, Mode::Inventory] {
            let server = Server { ends: true, goes_down: true, ..Server::new(&[(version, &[code])]) };
            let scan = scan(&server, mode, &Network::sound());
            is_honest(&server, mode, &scan);
            let found = scan.versions().iter().find(|found| found.version == version).unwrap();
            assert_eq!((codes(&found.picks), is_complete(&scan)), ([code].into(), true), "{scan:?}");
        }
    }
}

/// The hello that proves that a server reads on is as long as the others, but any of its allowed
/// suites may be the one that is taken, and the last ones of the others may go unread.
#[test]
fn a_server_that_reads_almost_all_hides_nothing() {
    for suites_read in (60..450).step_by(10) {
        let table = [(Version::Tls11, &[0xc030][..]), (Version::Tls12, &SOUND)];
        let server = Server { suites_read, ..Server::new(&table) };
        is_honest(&server, Mode::Verdict, &scan(&server, Mode::Verdict, &Network::sound()));
    }
}

/// A table for each version, in any order; groups of TLS 1.3 only beside one that all know.
fn servers() -> impl Strategy<Value = Server> {
    let suites = |version: Version| {
        let all: Vec<u16> =
            SUITES.iter().filter(|suite| suite.is_of(version)).map(|suite| suite.code).collect();
        let most = all.len().min(12);
        prop_oneof![2 => Just(Vec::new()), 3 => subsequence(all, 1..=most).prop_shuffle()]
    };
    let tables = VERSIONS.map(|version| suites(version).prop_map(move |suites| (version, suites)));
    let groups = subsequence(vec![0x11ec_u16, 24, 25, 30], 0..=4);
    (tables, groups, any::<bool>(), any::<bool>(), select(vec![0_usize, 15, 60])).prop_map(
        |(table, groups, by_client, goes_down, name_length)| Server {
            table: table.into_iter().filter(|(_, suites)| !suites.is_empty()).collect(),
            groups: [&groups[..], &[29]].concat(),
            preference: if by_client { Preference::Client } else { Preference::Server },
            goes_down,
            name_length,
            ..Server::new(&[])
        },
    )
}

/// Limits that were seen on servers, and any other.
fn limits() -> impl Strategy<Value = (usize, usize, Drop)> {
    let suites_read = prop_oneof![Just(usize::MAX), Just(64), Just(128), 64..400_usize];
    let longest = prop_oneof![Just(usize::MAX), Just(255), Just(511), 255..1200_usize];
    (suites_read, longest, select(vec![Drop::Silence, Drop::End, Drop::Alert]))
}

fn networks() -> impl Strategy<Value = Network> {
    (1..=7_usize, proptest::collection::vec(any::<Index>(), 1..40)).prop_map(|(at_once, order)| Network {
        at_once,
        order,
        ..Network::sound()
    })
}

fn modes() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Verdict, Mode::Inventory])
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    select(vec![
        Outcome::Silent,
        Outcome::Ended(Ending::Reset),
        Outcome::Busy("421".to_owned()),
        Outcome::Violation("broken"),
        Outcome::Refused(None),
    ])
}

/// Not by the macro, for which the number of cases of a long run goes over this one: a case is a
/// whole scan.
fn for_each<S: Strategy>(all: S, check: impl Fn(S::Value)) {
    let usual = ProptestConfig::default();
    let config = ProptestConfig { cases: (usual.cases / 8).min(600), failure_persistence: None, ..usual };
    let result = TestRunner::new(config).run(&all, |one| {
        check(one);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A server that answers everything leaves nothing open, and hides nothing.
#[test]
fn every_table_is_found() {
    let all = (servers(), modes(), networks());
    for_each(all, |(server, mode, network)| {
        let scan = scan(&server, mode, &network);
        is_honest(&server, mode, &scan);
        assert!(is_complete(&scan), "{scan:?}");
    });
}

/// The least there can be is one question for each suite and one refusal.
#[test]
fn questions_are_few() {
    let all = (servers(), modes(), networks());
    for_each(all, |(server, mode, network)| {
        if server.suites(Version::Tls12).iter().all(|code| is_forbidden(Version::Tls12, *code)) {
            return;
        }
        let scan = scan(&server, mode, &network);
        let of_version = |version: Version| {
            let suites = server.suites(version);
            match mode {
                // An opening, a chain, and a prime that is allowed.
                Mode::Verdict => {
                    let allowed = usize::from(version >= Version::Tls12);
                    suites.iter().filter(|code| is_forbidden(version, **code)).count() + allowed + 1 + 1
                }
                Mode::Inventory if suites.is_empty() => 1,
                // Chains, the order, all groups and their end; in TLS 1.3 which of suites and groups ended.
                Mode::Inventory => {
                    let end = usize::from(version == Version::Tls13);
                    suites.len() + chains(version) + ORDERS + server.groups.len() + 1 + end
                }
            }
        };
        let most = 2 + VERSIONS.into_iter().map(of_version).sum::<usize>();
        assert!(scan.questions <= most, "{} questions, not {most}", scan.questions);
    });
}

/// Limits on hellos never hide a forbidden suite behind sound ones.
#[test]
fn limits_hide_nothing() {
    let all = (
        (select(VERSIONS.to_vec()), any::<Index>()),
        limits(),
        select(vec![Preference::Server, Preference::Client]),
        select(vec![0_usize, 15, 60]),
        networks(),
    );
    for_each(all, |(weak, (suites_read, longest, drop), preference, name_length, network)| {
        let (version, index) = weak;
        let forbidden: Vec<u16> = SUITES
            .iter()
            .filter(|suite| suite.is_of(version) && is_forbidden(version, suite.code))
            .map(|suite| suite.code)
            .collect();
        let code = *index.get(&forbidden);
        let mut server = Server::new(&[(Version::Tls12, &SOUND), (Version::Tls13, &[0x1301])]);
        match server.table.iter_mut().find(|(known, _)| *known == version) {
            Some((_, suites)) => suites.push(code),
            None => server.table.push((version, vec![code])),
        }
        let server = Server { preference, suites_read, longest, drop, name_length, ..server };
        let scan = scan(&server, Mode::Verdict, &network);
        is_honest(&server, Mode::Verdict, &scan);
        let found = scan.versions().iter().find(|found| found.version == version).unwrap();
        assert!(codes(&found.picks).contains(&code), "0x{code:04x} in {version}: {found:?}");
    });
}

/// The same for whole tables.
#[test]
fn limits_make_no_scan_dishonest() {
    let all = (servers(), limits(), modes(), networks(), any::<bool>());
    for_each(all, |(server, (suites_read, longest, drop), mode, network, ends)| {
        let server = Server { ends, suites_read, longest, drop, ..server };
        let scan = scan(&server, mode, &network);
        is_honest(&server, mode, &scan);
    });
}

/// Answers that are lost make gaps, not refusals.
#[test]
fn lost_answers_make_no_scan_dishonest() {
    let all = (
        servers(),
        limits(),
        modes(),
        networks(),
        any::<bool>(),
        proptest::collection::vec((0..60_usize, outcomes()), 0..6),
    );
    for_each(all, |(server, (suites_read, longest, drop), mode, network, ends, lost)| {
        let server = Server { ends, suites_read, longest, drop, ..server };
        let scan = scan(&server, mode, &Network { lost, ..network });
        is_honest(&server, mode, &scan);
    });
}

/// From a server that goes deaf nothing complete is heard.
#[test]
fn silence_is_never_complete() {
    let all = (servers(), networks(), 0..40_usize);
    for_each(all, |(server, network, deaf_from)| {
        let scan = scan(&server, Mode::Verdict, &Network { deaf_from, ..network });
        is_honest(&server, Mode::Verdict, &scan);
        if scan.lost > 0 {
            let is_open = match &scan.survey {
                Survey::NoTls(_) => true,
                Survey::Seen { .. } => !is_complete(&scan),
            };
            assert!(is_open, "{scan:?}");
        }
    });
}
