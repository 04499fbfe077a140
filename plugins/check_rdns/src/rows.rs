//! One test for each row of the state table, on observations made by hand.

use std::net::IpAddr;

use clap::Parser;
use common::net::{Phase, ProbeError, Trouble};
use common::plugin::{Plugin, Run};
use common::proto::dns::{Kind, reverse_name};
use common::proto::smtp::{LineEnd, Said as Greeting};
use common::report::{Report, State};

use crate::CheckRdns;
use crate::probe::kind_of;
use crate::seen::{Banner, Look, Said, Seen, SeenAddress};

const ADDRESS: &str = "198.20.0.25";
const NAME: &str = "mail.example.org";

/// An observation under construction: one resolver and one address, unless more is said.
#[derive(Clone)]
struct Case {
    seen: Seen,
    options: Vec<&'static str>,
}

fn names(names: &[&str]) -> Said {
    Said::Names(names.iter().map(|&name| name.to_owned()).collect())
}

fn addresses(addresses: &[&str]) -> Said {
    Said::Addresses(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

fn nothing(why: &str) -> Said {
    Said::Nothing(why.to_owned())
}

impl Case {
    fn bare(resolvers: usize) -> Self {
        let seen = Seen {
            resolvers: (1..=resolvers).map(|n| format!("192.0.2.{n}:53")).collect(),
            hosts: Vec::new(),
            kinds: vec![Kind::A, Kind::Aaaa],
            addresses: Vec::new(),
            looks: Vec::new(),
            cut_short: None,
        };
        Self { seen, options: Vec::new() }
    }

    /// The address and its PTR answer.
    fn new(said: Said) -> Self {
        Self::bare(1).address(ADDRESS).ptr(0, said)
    }

    /// One name that leads back.
    fn good() -> Self {
        Self::new(names(&[NAME])).forward(NAME, addresses(&[ADDRESS]))
    }

    fn address(mut self, address: &str) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let reverse = reverse_name(address).to_string();
        self.seen.addresses.push(SeenAddress { address, of: Vec::new(), reverse, banner: None });
        self
    }

    fn look(mut self, name: &str, kind: Kind, resolver: usize, said: Said) -> Self {
        let look =
            Look { name: name.to_owned(), kind, resolver, said, aliases: Vec::new(), time: Some(0.001) };
        self.seen.looks.push(look);
        self
    }

    fn ptr(self, resolver: usize, said: Said) -> Self {
        let reverse = self.seen.addresses.last().unwrap().reverse.clone();
        self.look(&reverse, Kind::Ptr, resolver, said)
    }

    fn forward(self, name: &str, said: Said) -> Self {
        let kind = kind_of(self.seen.addresses.last().unwrap().address);
        self.look(name, kind, 0, said)
    }

    /// The last answer came by way of these aliases.
    fn by(mut self, aliases: &[&str]) -> Self {
        self.seen.looks.last_mut().unwrap().aliases = aliases.iter().map(|&one| one.to_owned()).collect();
        self
    }

    fn host(mut self, name: &str) -> Self {
        self.seen.hosts.push(name.to_owned());
        self
    }

    fn with(mut self, options: &[&'static str]) -> Self {
        self.options.extend(options);
        self
    }

    fn banner(mut self, greeting: Option<(u16, &str)>, failure: Option<Trouble>) -> Self {
        let server = (self.seen.addresses[0].address, 25).into();
        let greeting = greeting.map(|(code, words)| Greeting {
            code,
            words: format!("{code} {words}"),
            masked: words.contains("***"),
            line_end: LineEnd::CrLf,
        });
        let failure = failure.map(|trouble| ProbeError::new(trouble, Phase::Connecting, "it failed"));
        let banner =
            Banner { server, greeting, failure, connect: Some(0.1), wait: None, transcript: Vec::new() };
        self.seen.addresses[0].banner = Some(banner);
        self.with(&["--smtp"])
    }

    /// The time was over before all was answered.
    fn cut_short(mut self) -> Self {
        let error = ProbeError::new(Trouble::Timeout, Phase::Querying, "timeout after 1 s while querying");
        self.seen.cut_short = Some(error);
        self
    }

    fn report(&self) -> Report {
        let arguments = ["check_rdns", "-H", ADDRESS].iter().chain(&self.options);
        let options = CheckRdns::try_parse_from(arguments).unwrap();
        let states = options.states();
        options.evaluate(&self.seen, &Run { taken_at: 0, states })
    }

    /// Asserts the state, the identifier of the deciding finding, and words in it.
    fn gives(&self, state: State, id: &str, words: &[&str]) -> Report {
        let report = self.report();
        let first = report.findings()[0].clone();
        assert_eq!((report.state(), first.id.as_ref()), (state, id), "{:?}", report.findings());
        for word in words {
            assert!(first.text.contains(word), "no {word:?} in {}", first.text);
        }
        report
    }
}

fn figures(report: &Report) -> Vec<(String, Option<f64>)> {
    report.metrics().iter().map(|one| (one.label.clone(), one.value)).collect()
}

fn figure(report: &Report, label: &str) -> Option<f64> {
    figures(report).into_iter().find(|(one, _)| one == label).unwrap_or_else(|| panic!("no {label}")).1
}

fn has(report: &Report, id: &str) -> bool {
    report.findings().iter().any(|finding| finding.id == id)
}

#[test]
fn ok_confirmed() {
    let report = Case::good().gives(State::Ok, "confirmed", &[ADDRESS, NAME]);
    assert_eq!(
        figures(&report),
        [("addresses".into(), Some(1.0)), ("ptr".into(), Some(1.0)), ("confirmed".into(), Some(1.0))]
    );
    let two = Case::good().address("2a00::25").ptr(0, names(&[NAME])).forward(NAME, addresses(&["2a00::25"]));
    let report = two.gives(State::Ok, "confirmed", &["2 addresses"]);
    assert_eq!(report.findings().len(), 3, "a line for each");
}

#[test]
fn critical_no_ptr() {
    let report = Case::new(Said::NxDomain).gives(State::Critical, "no_ptr", &[ADDRESS, "NXDOMAIN"]);
    assert_eq!(figure(&report, "ptr"), Some(0.0));
    Case::new(Said::NoData).gives(State::Critical, "no_ptr", &["NODATA"]);
    let delegated = Case::new(Said::NxDomain).by(&["25.0-63.0.20.198.in-addr.arpa"]);
    delegated.gives(State::Critical, "no_ptr", &["NXDOMAIN at 25.0-63.0.20.198.in-addr.arpa"]);
}

#[test]
fn unknown_no_answer() {
    for why in ["SERVFAIL", "REFUSED", "timeout", "malformed answer: its aliases go in a circle"] {
        let report = Case::new(nothing(why)).gives(State::Unknown, "ptr_unknown", &[ADDRESS, why]);
        assert_eq!((figure(&report, "ptr"), figure(&report, "confirmed")), (None, None));
        let report = Case::new(names(&[NAME])).forward(NAME, nothing(why)).gives(
            State::Unknown,
            "forward_unknown",
            &[NAME, why],
        );
        assert_eq!((figure(&report, "ptr"), figure(&report, "confirmed")), (Some(1.0), None));
    }
    Case::new(names(&[NAME])).gives(State::Unknown, "forward_unknown", &["not asked"]);
    Case::bare(1).address(ADDRESS).gives(State::Unknown, "ptr_unknown", &["not asked"]);
    Case::bare(1).gives(State::Unknown, "no_address", &[]);
}

#[test]
fn critical_unconfirmed() {
    let case = Case::new(names(&[NAME]));
    let leads = |said| case.clone().forward(NAME, said);
    leads(addresses(&["198.20.0.9"])).gives(State::Critical, "unconfirmed", &["has the address 198.20.0.9"]);
    leads(addresses(&["198.20.0.8", "198.20.0.9"])).gives(
        State::Critical,
        "unconfirmed",
        &["198.20.0.8, 198.20.0.9"],
    );
    leads(Said::NxDomain).gives(State::Critical, "unconfirmed", &["does not exist (NXDOMAIN)"]);
    leads(Said::NoData).gives(State::Critical, "unconfirmed", &["has no IPv4 address"]);
    let undotted = "mail.example.org.0.20.198.in-addr.arpa";
    let report = Case::new(names(&[undotted])).forward(undotted, Said::NxDomain).gives(
        State::Critical,
        "unconfirmed",
        &[],
    );
    assert!(report.findings()[0].hint.as_ref().unwrap().contains("last dot"));
    assert!(!has(&report, "generic"));
}

#[test]
fn several_names_one_of_which_leads_back() {
    let two = Case::new(names(&["a.example.org", "b.example.org"]));
    let good = two
        .clone()
        .forward("a.example.org", addresses(&[ADDRESS]))
        .forward("b.example.org", addresses(&[ADDRESS]));
    let report = good.gives(State::Warning, "several_names", &["2 names", "a.example.org, b.example.org"]);
    assert_eq!((figure(&report, "ptr"), figure(&report, "confirmed")), (Some(2.0), Some(2.0)));
    let half =
        two.clone().forward("a.example.org", addresses(&[ADDRESS])).forward("b.example.org", Said::NxDomain);
    half.gives(State::Warning, "unconfirmed", &["1 of its 2 names", "b.example.org (does not exist"]);
    let none = two.clone().forward("a.example.org", Said::NoData).forward("b.example.org", Said::NxDomain);
    none.gives(State::Critical, "unconfirmed", &["none of its 2 names"]);
    // The one that is unknown might lead back.
    let open = two.forward("a.example.org", nothing("SERVFAIL")).forward("b.example.org", Said::NxDomain);
    open.gives(State::Unknown, "forward_unknown", &["a.example.org, a name of", "SERVFAIL (192.0.2.1:53)"]);
}

#[test]
fn unknown_more_names_than_are_followed() {
    let many: Vec<String> = (100..170).map(|n| format!("n{n}.example.org")).collect();
    let all: Vec<&str> = many.iter().map(String::as_str).collect();
    let followed =
        |case: Case, said: &Said| all[..64].iter().fold(case, |case, name| case.forward(name, said.clone()));
    let report = followed(Case::new(names(&all)), &Said::NxDomain);
    report.gives(State::Unknown, "names_left", &["70 names", "only 64"]);
    let report = followed(Case::new(names(&all)), &addresses(&[ADDRESS]));
    let report = report.gives(State::Warning, "several_names", &["70 names", "and 65 more"]);
    assert_eq!(figure(&report, "confirmed"), None);
}

#[test]
fn critical_no_match() {
    Case::good().with(&["--match", "mx.example.org"]).gives(
        State::Critical,
        "no_match",
        &[NAME, "mx.example.org"],
    );
    Case::good().with(&["--match", "mx.example.org", "--match", "MAIL.*"]).gives(State::Ok, "confirmed", &[]);
}

#[test]
fn the_name_that_fits_has_to_lead_back() {
    let other = "other.example.org";
    let two = Case::new(names(&[NAME, other])).forward(other, addresses(&[ADDRESS])).with(&["--match", NAME]);
    let words = [NAME, "as expected, but that name does not exist (NXDOMAIN)"];
    two.clone().forward(NAME, Said::NxDomain).gives(State::Critical, "no_match", &words);
    two.clone().forward(NAME, nothing("SERVFAIL")).gives(State::Unknown, "forward_unknown", &[NAME]);
    two.clone().forward(NAME, addresses(&[ADDRESS])).gives(State::Warning, "several_names", &[]);
    // One of those that fit is enough.
    let both = two.forward(NAME, Said::NxDomain).with(&["--match", other]).report();
    assert!(both.state() == State::Warning && !has(&both, "no_match"));
    // The only name is bad once, not twice.
    let only = Case::new(names(&[NAME])).forward(NAME, Said::NxDomain).with(&["--match", NAME]).report();
    assert!(has(&only, "unconfirmed") && !has(&only, "no_match"));
    let many: Vec<String> = (100..170).map(|n| format!("n{n}.example.org")).collect();
    let all: Vec<&str> = many.iter().map(String::as_str).collect();
    let case =
        all[..64].iter().fold(Case::new(names(&all)), |case, name| case.forward(name, addresses(&[ADDRESS])));
    case.with(&["--match", all[69].to_owned().leak()]).gives(State::Unknown, "match_unknown", &[all[69]]);
}

/// Six names of two hundred bytes that are no letters.
#[test]
fn the_first_line_stays_short() {
    let bad: Vec<String> = (0..6)
        .map(|n| format!("{n}{}.example.org", ["\\255".repeat(60), "\\254".repeat(60)].join(".")))
        .collect();
    let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
    let report = Case::new(names(&bad)).gives(State::Critical, "unconfirmed", &["none of its 6 names"]);
    assert_eq!(report.findings().len(), 3, "each kind is said once: {:?}", report.findings());
    for finding in report.findings() {
        assert!(finding.text.len() < 500 && finding.text.contains("more"), "{}", finding.text);
        assert!(finding.text.contains('"'), "{}", finding.text);
    }
    let long = format!("{}.example.org", ["a".repeat(60), "b".repeat(60), "c".repeat(60)].join("."));
    let report = Case::new(names(&[&long])).forward(&long, addresses(&[ADDRESS])).report();
    assert!(report.findings()[0].text.contains("...") && report.findings()[0].text.len() < 250);
    let generic: Vec<String> = (0..6).map(|n| format!("dsl-{n}.{}.example.org", "a".repeat(60))).collect();
    let generic: Vec<&str> = generic.iter().map(String::as_str).collect();
    let case = generic
        .iter()
        .fold(Case::new(names(&generic)), |case, name| case.forward(name, addresses(&[ADDRESS])));
    let report = case.report();
    assert_eq!(report.findings().iter().filter(|finding| finding.id == "generic").count(), 1);
}

#[test]
fn warning_generic() {
    let name = "dsl-198-20-0-25.example.net";
    let case = Case::new(names(&[name])).forward(name, addresses(&[ADDRESS]));
    case.gives(State::Warning, "generic", &[name, "\"198-20-0-25\""]);
    case.with(&["--generic-ok"]).gives(State::Ok, "confirmed", &[name]);
    let name = "x.pool.example.net";
    Case::new(names(&[name])).forward(name, addresses(&[ADDRESS])).gives(
        State::Warning,
        "generic",
        &["the word \"pool\""],
    );
}

#[test]
fn warning_ptr_to_alias() {
    let case = Case::good().by(&["host.example.org"]);
    case.gives(State::Warning, "ptr_to_alias", &[NAME, "alias of host.example.org"]);
    // In the reverse zone an alias is as it should be.
    let delegated =
        Case::new(names(&[NAME])).by(&["25.0-63.0.20.198.in-addr.arpa"]).forward(NAME, addresses(&[ADDRESS]));
    delegated.gives(State::Ok, "confirmed", &[]);
}

#[test]
fn names_no_host_can_have() {
    for (name, state) in
        [("mail_1.example.org", State::Warning), ("mail", State::Warning), ("localhost", State::Warning)]
    {
        let case = Case::new(names(&[name])).forward(name, addresses(&[ADDRESS]));
        case.gives(state, "not_a_host_name", &[name]);
    }
    for name in ["a\\010b.example.org", "a|b.example.org", ""] {
        let report = Case::new(names(&[name])).report();
        assert_eq!(report.state(), State::Critical, "{name}");
        assert!(has(&report, "not_a_host_name") && !has(&report, "unconfirmed"), "{name}: once is enough");
        assert_eq!(figure(&report, "confirmed"), Some(0.0));
    }
    let literal = Case::new(names(&[ADDRESS])).forward(ADDRESS, Said::NxDomain).report();
    assert!(has(&literal, "not_a_host_name") && literal.state() == State::Critical);
}

#[test]
fn resolvers_that_differ_or_are_silent() {
    let two = Case::bare(2).address(ADDRESS).ptr(0, names(&[NAME]));
    let confirmed = |case: Case| {
        case.look(NAME, Kind::A, 0, addresses(&[ADDRESS])).look(NAME, Kind::A, 1, addresses(&[ADDRESS]))
    };
    confirmed(two.clone().ptr(1, names(&[NAME]))).gives(State::Ok, "confirmed", &[]);
    let words = ["192.0.2.1:53 says mail.example.org", "192.0.2.2:53 says NXDOMAIN"];
    confirmed(two.clone().ptr(1, Said::NxDomain)).gives(State::Warning, "resolvers_differ", &words);
    let words = ["192.0.2.2:53", "1 question: SERVFAIL"];
    confirmed(two.clone().ptr(1, nothing("SERVFAIL"))).gives(State::Warning, "resolver_silent", &words);
    // Nobody sees two names: only the resolvers together have them.
    let bad = "bad.example.org";
    let three =
        Case::bare(3).address(ADDRESS).ptr(0, names(&[NAME])).ptr(1, names(&[bad])).ptr(2, names(&[bad]));
    let three = (0..3)
        .fold(three.with(&["--match", NAME]), |case, n| case.look(NAME, Kind::A, n, addresses(&[ADDRESS])));
    let each = |said: Said| (0..3).fold(three.clone(), |case, n| case.look(bad, Kind::A, n, said.clone()));
    let words = ["192.0.2.1:53 says mail.example.org", "192.0.2.3:53 says bad.example.org"];
    let report = each(addresses(&[ADDRESS])).gives(State::Warning, "resolvers_differ", &words);
    assert!(!has(&report, "several_names"));
    let report = each(Said::NxDomain).gives(State::Warning, "resolvers_differ", &words);
    let of_both =
        report.findings().into_iter().find(|finding| finding.id == "unconfirmed").unwrap().text.clone();
    assert!(of_both.contains("1 of the 2 names that resolvers have do not lead back"), "{of_both}");
    // To be silent together is no quarrel.
    let silent = Case::bare(2).address(ADDRESS).ptr(0, nothing("timeout")).ptr(1, nothing("REFUSED"));
    silent.gives(State::Unknown, "ptr_unknown", &["timeout (192.0.2.1:53)", "REFUSED (192.0.2.2:53)"]);
    let absent = Case::bare(2).address(ADDRESS).ptr(0, Said::NoData).ptr(1, Said::NxDomain);
    absent.gives(State::Critical, "no_ptr", &["NODATA"]);
}

#[test]
fn hosts_without_an_address() {
    let host = |a, aaaa| Case::bare(1).host(NAME).look(NAME, Kind::A, 0, a).look(NAME, Kind::Aaaa, 0, aaaa);
    let gone = host(Said::NxDomain, Said::NxDomain).report();
    assert!(gone.state() == State::Critical && gone.findings()[0].text.contains("does not exist"));
    let empty = host(Said::NoData, Said::NoData).report();
    assert!(empty.state() == State::Critical && empty.findings()[0].text.contains("has no address"));
    let report = host(nothing("SERVFAIL"), nothing("SERVFAIL")).gives(
        State::Unknown,
        "host_unknown",
        &[NAME, "SERVFAIL"],
    );
    assert_eq!(figure(&report, "addresses"), None);
    // A server that denies the name for one type of record, and has the other.
    let denied = Case::good().host(NAME).look(NAME, Kind::Aaaa, 0, Said::NxDomain);
    denied.gives(State::Warning, "name_denied", &[NAME, "AAAA records", "NXDOMAIN"]);
    Case::good().host(NAME).look(NAME, Kind::Aaaa, 0, Said::NoData).gives(State::Ok, "confirmed", &[]);
    // Half of the addresses are well, the others cannot be told.
    let half = Case::good().host(NAME).look(NAME, Kind::Aaaa, 0, nothing("timeout"));
    half.gives(State::Unknown, "host_unknown", &["AAAA records of mail.example.org", "timeout"]);
}

#[test]
fn names_in_helo() {
    const HELO: &str = "out.example.org";
    let said = |a, aaaa| {
        Case::good().with(&["--helo", HELO]).look(HELO, Kind::A, 0, a).look(HELO, Kind::Aaaa, 0, aaaa)
    };
    said(addresses(&[ADDRESS]), Said::NoData).gives(State::Warning, "helo_name", &[HELO, NAME]);
    let report = said(addresses(&["198.20.0.9"]), Said::NoData).gives(State::Warning, "helo_name", &[]);
    assert!(has(&report, "helo_address"));
    let report = said(Said::NoData, addresses(&["2a00::1"])).report();
    assert!(has(&report, "helo_address") && report.state() == State::Warning);
    said(Said::NxDomain, Said::NxDomain).gives(State::Critical, "helo_unresolved", &["NXDOMAIN"]);
    said(Said::NoData, Said::NoData).gives(State::Critical, "helo_unresolved", &["has no address"]);
    said(nothing("SERVFAIL"), Said::NoData).gives(State::Unknown, "helo_unknown", &["SERVFAIL"]);
    let same = Case::good().with(&["--helo", "Mail.Example.org"]).look(NAME, Kind::Aaaa, 0, Said::NoData);
    same.gives(State::Ok, "confirmed", &["HELO says the same"]);
    Case::good().with(&["--helo", HELO]).gives(State::Unknown, "helo_unknown", &["not asked"]);
}

#[test]
fn names_in_banners() {
    let greets = |code, words| Case::good().banner(Some((code, words)), None);
    let report =
        greets(220, "Mail.Example.ORG ESMTP").gives(State::Ok, "confirmed", &["its banner says the same"]);
    assert_eq!((figure(&report, "time_connect"), figure(&report, "time_banner")), (Some(0.1), None));
    let words = ["198.20.0.25:25", "\"smtp.example.org\"", "\"mail.example.org\""];
    greets(220, "smtp.example.org ESMTP").gives(State::Warning, "banner_name", &words);
    greets(220, "****2***0*").gives(State::Warning, "banner_masked", &["hides its name"]);
    for nameless in ["", "ESMTP ready", "[198.20.0.25] ESMTP"] {
        greets(220, nameless).gives(State::Warning, "banner_nameless", &["198.20.0.25:25"]);
    }
    greets(250, "mail.example.org").gives(
        State::Critical,
        "banner_odd",
        &["greets oddly: \"250 mail.example.org\""],
    );
    greets(421, "mail.example.org busy").gives(
        State::Critical,
        "banner_refused",
        &["\"421 mail.example.org busy\""],
    );
    greets(554, "no").gives(State::Critical, "banner_refused", &["\"554 no\""]);
    for trouble in [Trouble::Unreachable, Trouble::Protocol, Trouble::Timeout] {
        let silent = Case::good().banner(None, Some(trouble));
        silent.gives(State::Critical, "no_banner", &["198.20.0.25:25", "it failed"]);
    }
    let patient = Case::good().banner(None, Some(Trouble::Timeout)).with(&["--timeout-state", "warning"]);
    patient.gives(State::Warning, "no_banner", &[]);
    Case::good().with(&["--smtp"]).gives(State::Unknown, "no_banner", &["not asked"]);
}

#[test]
fn unknown_deadline_passed() {
    Case::good().cut_short().gives(State::Unknown, "timeout", &["while querying"]);
    let silent = Case::new(names(&[NAME])).forward(NAME, nothing("timeout")).with(&["--smtp"]).cut_short();
    let report = silent.gives(State::Unknown, "forward_unknown", &[NAME, "timeout"]);
    let order: Vec<_> = report.findings().iter().map(|finding| finding.id.to_string()).collect();
    assert_eq!(order, ["forward_unknown", "no_banner", "timeout"]);
    assert!(report.findings()[1].text.ends_with("not asked"));
}

#[test]
fn a_timeout_has_the_state_that_was_chosen() {
    let patient = ["--timeout-state", "warning"];
    let forward = |why| Case::new(names(&[NAME])).forward(NAME, nothing(why)).with(&patient);
    forward("timeout").with(&["--smtp"]).cut_short().gives(State::Warning, "forward_unknown", &["timeout"]);
    // Tries that were used up are no end of the time, and an answer that is none is no timeout.
    forward("timeout").gives(State::Unknown, "forward_unknown", &[]);
    forward("SERVFAIL").cut_short().gives(State::Unknown, "forward_unknown", &[]);
    let ptr = Case::new(nothing("timeout")).with(&patient).cut_short();
    ptr.gives(State::Warning, "ptr_unknown", &["timeout"]);
    let host = Case::bare(1).host(NAME).look(NAME, Kind::A, 0, nothing("timeout"));
    let host = host.look(NAME, Kind::Aaaa, 0, nothing("timeout")).with(&patient).cut_short();
    host.gives(State::Warning, "host_unknown", &["timeout"]);
    let helo =
        Case::good().with(&["--helo", NAME]).look(NAME, Kind::Aaaa, 0, nothing("timeout")).with(&patient);
    helo.cut_short().gives(State::Warning, "helo_unknown", &["timeout"]);
}

#[test]
fn notes_on_private_addresses_change_nothing() {
    let private =
        Case::bare(1).address("10.0.0.25").ptr(0, names(&[NAME])).forward(NAME, addresses(&["10.0.0.25"]));
    let report = private.gives(State::Ok, "confirmed", &[]);
    assert!(has(&report, "private"));
    assert!(!has(&Case::good().report(), "private"));
}

#[test]
fn every_metric_is_declared() {
    let report = Case::good().banner(Some((220, NAME)), None).report();
    let declared: Vec<&str> = CheckRdns::METRICS.iter().map(|metric| metric.label).collect();
    assert_eq!(figures(&report).iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), declared);
}
