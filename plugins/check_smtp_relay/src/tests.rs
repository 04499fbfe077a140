//! The verdict, a row of the state table at a time.

use std::net::SocketAddr;

use clap::Parser as _;
use common::net::smtp::{Opening, Step, Stop};
use common::net::{Phase, ProbeError, Trouble};
use common::plugin::{Plugin as _, Run};
use common::proto::smtp::{LineEnd, Said};
use common::report::{Report, State};

use crate::CheckSmtpRelay;
use crate::probes::Form;
use crate::seen::{Asked, Limits, Outcome, Seen, Server, Session, Tried};

const CLOSED: &str = "454 4.7.1 <x@y.example>: Relay access denied";
const TAKEN: &str = "250 2.1.5 Ok";
const UNKNOWN: &str = "550 5.1.1 User unknown";

fn said(words: &str) -> Said {
    let code = words[..3].parse().unwrap();
    Said { code, words: words.to_owned(), masked: false, line_end: LineEnd::CrLf }
}

fn probe(form: Form, outcome: Outcome) -> Asked {
    Asked { form, sender: "<a@out.example>".into(), recipient: "<x@y.example>".into(), outcome }
}

fn server(address: &str, answers: &[(Form, &str)]) -> Server {
    let probes = answers.iter().map(|(form, words)| probe(*form, Outcome::Answered(said(words))));
    let address = SocketAddr::new(address.parse().unwrap(), 25);
    Server { local_domain: Some("lab.test".into()), probes: probes.collect(), ..Server::nothing(address) }
}

fn seen(answers: &[(Form, &str)]) -> Seen {
    host(vec![server("192.0.2.1", answers)])
}

fn host(servers: Vec<Server>) -> Seen {
    Seen { servers, ..Seen::nothing() }
}

fn report(seen: &Seen, arguments: &[&str]) -> Report {
    let all = ["check_smtp_relay", "-H", "mail.example"].iter().chain(arguments);
    let options = CheckSmtpRelay::try_parse_from(all).unwrap();
    let json = serde_json::to_value(seen).unwrap();
    assert_eq!(serde_json::from_value::<Seen>(json).unwrap(), *seen, "nothing is lost in a dump");
    options.evaluate(seen, &Run { taken_at: 0, states: options.states() })
}

fn judged(seen: &Seen) -> (State, String) {
    let report = report(seen, &[]);
    let first = report.findings().first().map(|finding| finding.text.clone()).unwrap_or_default();
    (report.state(), first)
}

fn plain(words: &str) -> (State, String) {
    judged(&seen(&[(Form::Plain, words)]))
}

#[test]
fn unknown_nothing_seen() {
    assert_eq!(judged(&Seen::nothing()).0, State::Unknown);
}

#[test]
fn ok_refused_because_it_is_foreign() {
    for words in [
        CLOSED,
        "550 relay not permitted",
        "554 5.7.1 Relay access denied",
        "530 5.7.0 Authentication required",
    ] {
        let (state, text) = plain(words);
        assert_eq!(state, State::Ok, "{words}");
        assert_eq!(text, format!("mail.example:25 refuses to relay to x@y.example: \"{words}\" (1 probe)"));
    }
}

#[test]
fn critical_taken() {
    for words in [TAKEN, "251 will forward", "252 cannot verify"] {
        assert_eq!(plain(words).0, State::Critical, "{words}");
    }
    let empty = seen(&[(Form::Plain, CLOSED), (Form::EmptySender, TAKEN)]);
    assert_eq!(judged(&empty).0, State::Critical);
}

#[test]
fn unknown_refused_for_another_reason() {
    for words in [
        "450 4.2.0 Greylisted",
        "451 4.3.0 lookup failure",
        "552 5.2.2 Mailbox is full",
        "530 5.7.0 Must issue a STARTTLS command first",
        "550 5.1.2 no such domain",
        "550 5.7.1 Client host blocked using zen.example",
        "554 5.7.1 Client host [192.0.2.1] blocked using dnsbl.example; open relay",
        "451 relay2.example: temporary lookup failure",
        "450 4.2.0 <x@y.example>: Greylisted by relay03",
        "550 Sender verify failed",
        "554 5.7.1 <a@out.example>: Sender address rejected: Access denied",
        "554 5.3.0 internal error",
        "550 5.7.10 Encryption required",
        "550 5.7.1 rate limit",
        "571 no",
    ] {
        assert_eq!(plain(words).0, State::Unknown, "{words}");
    }
}

#[test]
fn warning_variant_taken_and_control_refused() {
    let answers = [(Form::Control, UNKNOWN), (Form::Plain, CLOSED), (Form::Bang, TAKEN)];
    assert_eq!(judged(&seen(&answers)).0, State::Warning);
}

#[test]
fn ok_variants_of_a_catch_all_are_not_asked() {
    let mut all = seen(&[(Form::Control, TAKEN), (Form::Plain, CLOSED)]);
    all.servers[0].probes.push(probe(Form::Percent, Outcome::Skipped));
    assert_eq!(judged(&all).0, State::Ok);
}

#[test]
fn unknown_variant_put_off() {
    let answers = [(Form::Plain, CLOSED), (Form::Percent, "451 4.7.1 Greylisted")];
    assert_eq!(judged(&seen(&answers)).0, State::Unknown);
}

#[test]
fn critical_own_recipient_refused() {
    let (state, text) = judged(&seen(&[(Form::Local, UNKNOWN), (Form::Plain, CLOSED)]));
    assert_eq!((state, text.contains("refuses mail for its own")), (State::Critical, true));
}

#[test]
fn unknown_sender_refused_or_deferred() {
    for words in ["550 5.1.8 no such domain", "450 4.1.8 no such domain", "554 blocked"] {
        let mut barred = seen(&[]);
        barred.servers[0].probes.push(probe(Form::Plain, Outcome::Barred(Step::MailFrom, said(words))));
        assert_eq!(judged(&barred).0, State::Unknown, "{words}");
    }
}

#[test]
fn unknown_or_worse_probes_left() {
    let mut left = seen(&[(Form::Plain, CLOSED)]);
    left.servers[0].probes.push(probe(Form::Percent, Outcome::Lost));
    assert_eq!(judged(&left), (State::Unknown, "1 of 2 probes not made".into()));
    let error = ProbeError::new(Trouble::Unreachable, Phase::Querying, "connection reset");
    let stopped = Some(Stop::Failed(error));
    left.servers[0].sessions.push(Session { opening: Opening::default(), ours: None, stopped });
    assert_eq!(judged(&left), (State::Unknown, "1 of 2 probes not answered: connection reset".into()));
    left.servers[0].probes = vec![probe(Form::Plain, Outcome::Lost)];
    assert_eq!(judged(&left).0, State::Critical, "there was no answer at all");
}
#[test]
fn unknown_variant_taken_and_control_put_off_or_lost() {
    let deferred = [(Form::Control, "450 4.2.0 Greylisted"), (Form::Plain, CLOSED), (Form::Percent, TAKEN)];
    let (state, text) = judged(&seen(&deferred));
    assert_eq!(state, State::Unknown);
    assert_eq!(
        text,
        "not proved for percent hack: x@y.example is taken, \"250 2.1.5 Ok\", and so may be any local recipient: \"450 4.2.0 Greylisted\""
    );
    let report = report(&seen(&deferred), &["--temporary-state", "warning"]);
    assert_eq!(report.state(), State::Warning);
    let mut lost = seen(&deferred[1..]);
    for outcome in [Outcome::Lost, Outcome::Barred(Step::MailFrom, said("550 no"))] {
        lost.servers[0].probes.insert(0, probe(Form::Control, outcome));
        assert_eq!(judged(&lost).0, State::Unknown);
        lost.servers[0].probes.remove(0);
    }
    let route = [(Form::Control, "450 4.2.0 Greylisted"), (Form::Plain, CLOSED), (Form::SourceRoute, TAKEN)];
    assert_eq!(judged(&seen(&route)).0, State::Warning, "a route leads elsewhere, whoever is at home");
}

// Several addresses

fn unreached(address: &str, trouble: Trouble) -> Server {
    let text = match trouble {
        Trouble::Timeout => "timeout after 10 s while connecting".to_owned(),
        _ => format!("cannot connect to {address}:25: Connection refused"),
    };
    let stopped = Some(Stop::Failed(ProbeError::new(trouble, Phase::Connecting, text)));
    let sessions = vec![Session { opening: Opening::default(), ours: None, stopped }];
    Server { sessions, ..server(address, &[]) }
}

#[test]
fn ok_every_address_is_closed() {
    let both = host(vec![
        server("192.0.2.1", &[(Form::Plain, CLOSED)]),
        server("2001:db8::1", &[(Form::Plain, "550 relay not permitted"), (Form::Percent, CLOSED)]),
    ]);
    let (state, text) = judged(&both);
    assert_eq!(state, State::Ok);
    assert_eq!(
        text,
        format!(
            "mail.example:25 refuses to relay to x@y.example at 192.0.2.1 \"{CLOSED}\", 2001:db8::1 \"550 relay not permitted\" (3 probes)"
        )
    );
    assert_eq!(figures(&both), [Some(3.0), Some(0.0)]);
    let one = |last: u8| server(&format!("192.0.2.{last}"), &[(Form::Plain, CLOSED)]);
    let (_, text) = judged(&host((1..=5).map(one).collect()));
    assert_eq!(text, "mail.example:25 refuses to relay to x@y.example at 5 of 5 addresses (5 probes)");
}

fn figures(seen: &Seen) -> [Option<f64>; 2] {
    let report = report(seen, &[]);
    let value = |label: &str| report.metrics().iter().find(|one| one.label == label).unwrap().value;
    ["probes", "accepted"].map(value)
}

#[test]
fn critical_one_address_is_open() {
    let both = host(vec![
        server("192.0.2.1", &[(Form::Plain, CLOSED)]),
        server("2001:db8::1", &[(Form::Plain, TAKEN)]),
    ]);
    let (state, text) = judged(&both);
    assert_eq!(state, State::Critical);
    assert_eq!(
        text,
        "open relay: mail.example:25 [2001:db8::1] takes mail from a@out.example for x@y.example: \"250 2.1.5 Ok\""
    );
    assert_eq!(figures(&both), [Some(2.0), Some(1.0)]);
    let texts: Vec<String> = report(&both, &[]).findings().iter().map(|one| one.text.clone()).collect();
    assert_eq!(
        texts[1],
        format!("mail.example:25 [192.0.2.1] refuses to relay to x@y.example: \"{CLOSED}\" (1 probe)")
    );
}

#[test]
fn unknown_one_address_does_not_prove_it() {
    let mut both = host(vec![
        server("192.0.2.1", &[(Form::Plain, CLOSED)]),
        server("2001:db8::1", &[(Form::Plain, "450 4.2.0 Greylisted")]),
    ]);
    let (state, text) = judged(&both);
    assert_eq!(state, State::Unknown);
    assert!(
        text.starts_with("not proved that mail.example:25 [2001:db8::1] refuses to relay: greyl"),
        "{text}"
    );
    both.servers[1] = server("2001:db8::1", &[]);
    assert_eq!(
        judged(&both),
        (State::Unknown, "mail.example:25 [2001:db8::1]: 0 of 0 probes not made".into()),
        "nobody is never fine"
    );
    assert_eq!(figures(&both), [Some(1.0), None]);
}

#[test]
fn warning_an_address_cannot_be_reached_while_another_was_asked() {
    let good = || server("192.0.2.1", &[(Form::Plain, CLOSED)]);
    let both = host(vec![good(), unreached("2001:db8::1", Trouble::Unreachable)]);
    let report = report(&both, &[]);
    let first = report.findings()[0].clone();
    assert_eq!(report.state(), State::Warning);
    assert_eq!(first.text, "cannot connect to 2001:db8::1:25: Connection refused (only 192.0.2.1 was asked)");
    assert!(first.hint.unwrap().starts_with("-4 leaves"));
    assert_eq!(figures(&both), [Some(1.0), Some(0.0)], "who was not asked took nothing");
    let late = host(vec![good(), unreached("192.0.2.2", Trouble::Timeout)]);
    assert_eq!(
        judged(&late),
        (
            State::Warning,
            "mail.example:25 [192.0.2.2]: timeout after 10 s while connecting (only 192.0.2.1 was asked)"
                .into()
        )
    );
}

#[test]
fn critical_no_address_can_be_reached() {
    let dead = |address| unreached(address, Trouble::Unreachable);
    let (state, text) = judged(&host(vec![dead("192.0.2.1"), dead("192.0.2.2")]));
    assert_eq!(
        (state, text.as_str()),
        (State::Critical, "cannot connect to 192.0.2.1:25: Connection refused")
    );
}

#[test]
fn unknown_more_addresses_than_are_asked() {
    let many = Seen { left_out: 2, ..seen(&[(Form::Plain, CLOSED)]) };
    let (state, text) = judged(&many);
    assert_eq!(state, State::Unknown);
    assert_eq!(text, "2 further addresses of mail.example were not asked, there are too many");
}

#[test]
fn limits_and_openings_name_their_address() {
    let mut both = host(vec![
        unreached("192.0.2.1", Trouble::Unreachable),
        server("192.0.2.2", &[(Form::Plain, CLOSED)]),
    ]);
    let tried = Tried { count: 21, ..Tried::default() };
    both.limits = Some(Limits { errors: tried.clone(), recipients: tried });
    let opening = Opening { tls_given_up: Some("STARTTLS refused".into()), ..Opening::default() };
    both.servers[1].sessions.push(Session { opening, ours: None, stopped: None });
    let texts: Vec<String> = report(&both, &[]).findings().iter().map(|one| one.text.clone()).collect();
    assert!(texts[1].starts_with("mail.example:25 [192.0.2.2]: no limit on errors: "), "{texts:?}");
    assert!(texts[2].starts_with("mail.example:25 [192.0.2.2]: no limit on recipients: "), "{texts:?}");
    assert!(texts[3].starts_with("mail.example:25 [192.0.2.2]: STARTTLS is offered and fails"), "{texts:?}");
}
