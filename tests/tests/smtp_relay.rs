//! check_smtp_relay against embedded servers of every temper. Whatever they do, no message is
//! ever sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use lab::exchanger::{
    ACCEPTED, ErrorLimits, Exchanger, ExchangerOptions, Form, Greylisting, POSTGREY_450, POSTGREY_451,
    RELAY_251, RELAY_252, RELAY_454, RELAY_550, RELAY_554, Teaser,
};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::free_port;
use lab::relay::Relay;
use tests::{Check, Run};

const OWN: [&str; 2] = ["--local-rcpt", "probe@lab.test"];

fn at(address: SocketAddr) -> Check {
    Check::new("check_smtp_relay")
        .args(["-H", &address.ip().to_string(), "-p", &address.port().to_string()])
        .timeout(4.0)
}

/// Runs it against a server with these options; no message may come of it.
fn run(options: ExchangerOptions, arguments: &[&str], state: State, words: &[&str]) -> (Run, Exchanger) {
    let server = Exchanger::start(options);
    let run = at(server.addr()).args(arguments).gives(state, words);
    assert_eq!((server.messages(), server.data_commands()), (0, 0), "{}", run.outcome.report());
    (run, server)
}

fn foreign(reply: &str) -> ExchangerOptions {
    ExchangerOptions { foreign: reply.into(), ..Default::default() }
}

/// The commands of a session from the first MAIL on.
fn envelope(session: &[String]) -> Vec<&str> {
    let lines = session.iter().map(String::as_str);
    lines.skip_while(|line| !line.starts_with("MAIL")).collect()
}

#[test]
fn ok_every_refusal_of_relaying() {
    for reply in [
        RELAY_454,
        RELAY_550,
        RELAY_554,
        "550 relay not permitted",
        "550 Invalid recipient: <{}>",
        "551 user not local",
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "530 5.7.0 Authentication required",
        "454 no relaying",
        "554 5.7.1 <{}>: Recipient address rejected: Access denied",
    ] {
        let (run, server) =
            run(foreign(reply), &OWN, State::Ok, &["refuses to relay to probe@example.net", "(6 probes)"]);
        assert_eq!((run.parsed.value("probes"), run.parsed.value("accepted")), (Some(6.0), Some(0.0)));
        assert_eq!(server.connections(), 1, "one session");
    }
}

#[test]
fn ok_six_probes_with_rset_between() {
    let (_, server) = run(ExchangerOptions::default(), &OWN, State::Ok, &[]);
    let session = &server.sessions()[0];
    let lines = envelope(session);
    let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("MAIL FROM:<probe@example.org>"), count("RCPT TO:"), count("RSET")), (6, 6, 5));
    assert_eq!(lines.last(), Some(&"QUIT"));
    let recipients: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("RCPT TO:")).collect();
    assert_eq!(recipients[0], "<probe@lab.test>");
    assert!(recipients[1].ends_with("@lab.test>") && recipients[1].len() == "<@lab.test>".len() + 32);
    let (_, later) = run(ExchangerOptions::default(), &OWN, State::Ok, &[]);
    assert!(later.sessions()[0].contains(&format!("RCPT TO:{}", recipients[1])), "the same in each run");
    assert_eq!(
        recipients[2..],
        [
            "<probe@example.net>",
            "<probe%example.net@lab.test>",
            "<example.net!probe@lab.test>",
            "<\"probe@example.net\"@lab.test>"
        ]
    );
}

#[test]
fn ok_every_variant_in_two_sessions() {
    let (run, server) = run(
        ExchangerOptions::default(),
        &[&OWN[..], &["--variants", "all", "-v"]].concat(),
        State::Ok,
        &["(8 probes)"],
    );
    run.long("source route @lab.test:probe@example.net: \"454").long("empty sender probe@example.net: \"454");
    assert_eq!(server.connections(), 2, "six refusals are enough for one session");
    let (run, server) =
        self::run(ExchangerOptions::default(), &["--variants", "none"], State::Ok, &["(1 probe)"]);
    assert_eq!((run.parsed.value("probes"), server.connections()), (Some(1.0), 1));
}

#[test]
fn critical_open_relay() {
    for reply in [ACCEPTED, RELAY_251, RELAY_252] {
        let words = ["open relay", "takes mail from probe@example.org for probe@example.net"];
        let (run, _) = run(foreign(reply), &OWN, State::Critical, &words);
        assert!(run.parsed.value("accepted") >= Some(1.0));
    }
}

#[test]
fn critical_open_relay_confirmed_by_data_and_left_before_the_message() {
    let server = Exchanger::start(foreign(ACCEPTED));
    let run = at(server.addr()).args(OWN).arg("--confirm-data").gives(State::Critical, &["open relay"]);
    run.long("DATA accepted as well");
    assert_eq!((server.data_commands(), server.messages()), (1, 0));
    let said = server.received().concat();
    assert!(!said.windows(3).any(|bytes| bytes == b"\n.\r"), "no dot was sent");
    assert_eq!(server.sessions()[0].last().map(String::as_str), Some("DATA"), "nothing is said after it");
}

#[test]
fn critical_open_relay_although_data_is_refused() {
    let script = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT");
    let script =
        script.send("250 ok\r\n").expect("RSET").send("250 ok\r\n").expect("MAIL").send("250 ok\r\n");
    let script = script.expect("RCPT").send("250 ok\r\n").expect("DATA").send("554 no\r\n").quit();
    let peer = Peer::start(script);
    let run = at(peer.addr())
        .args(["--variants", "none", "--confirm-data"])
        .gives(State::Critical, &["open relay"]);
    run.long("DATA refused: \"554 no\"");
    peer.assert_followed();
}

#[test]
fn critical_open_for_the_empty_sender() {
    let options = ExchangerOptions { open_for: vec![Form::EmptySender], ..Default::default() };
    let arguments = [&OWN[..], &["--variants", "all"]].concat();
    run(options, &arguments, State::Critical, &["open relay for the empty sender"]);
}

#[test]
fn unknown_variant_taken_while_the_control_is_put_off() {
    // Whoever greylists unknown users alone: the disguised address may be one of everybody's.
    let options = ExchangerOptions {
        unknown: POSTGREY_450.into(),
        open_for: vec![Form::Percent],
        ..Default::default()
    };
    let words = "not proved for percent hack: probe%example.net@lab.test is taken, \"250 2.1.5 Ok\", and so may be any";
    let (run, _) = run(options, &OWN, State::Unknown, &[words, "\"450 4.2.0"]);
    run.silent_about("possible relay");
    let route = ExchangerOptions {
        unknown: POSTGREY_450.into(),
        open_for: vec![Form::SourceRoute],
        ..Default::default()
    };
    let arguments = [&OWN[..], &["--variants", "all"]].concat();
    self::run(route, &arguments, State::Warning, &["possible relay via source route"]);
}

#[test]
fn warning_each_variant_that_is_taken() {
    for (form, words) in [
        (Form::Percent, "possible relay via percent hack probe%example.net@lab.test"),
        (Form::Bang, "possible relay via bang path example.net!probe@lab.test"),
        (Form::Quoted, "possible relay via quoted address \"probe@example.net\"@lab.test"),
        (Form::SourceRoute, "possible relay via source route @lab.test:probe@example.net"),
    ] {
        let options = ExchangerOptions { open_for: vec![form], ..Default::default() };
        let (run, _) = run(options, &[&OWN[..], &["--variants", "all"]].concat(), State::Warning, &[words]);
        assert_eq!(run.parsed.value("accepted"), Some(1.0));
    }
}

#[test]
fn ok_catch_all_is_not_a_relay() {
    let options = ExchangerOptions { catch_all: true, ..Default::default() };
    let (run, _) =
        run(options, &[&OWN[..], &["-v"]].concat(), State::Ok, &["refuses to relay", "(3 probes)"]);
    run.long("takes any recipient in lab.test (catch-all): disguised addresses prove nothing");
    run.long("percent hack probe%example.net@lab.test: not asked");
}

#[test]
fn ok_with_a_note_where_the_variants_end_in_a_foreign_domain() {
    let (run, _) = run(ExchangerOptions::default(), &[], State::Ok, &["(5 probes)"]);
    run.long("mail.lab.test is not a domain of the server");
    run.long("asked from 127.0.0.1, which the server may trust");
}

#[test]
fn unknown_what_proves_nothing() {
    for (reply, words) in [
        (POSTGREY_450, "greylisted: \"450 4.2.0"),
        (POSTGREY_451, "greylisted: \"451 4.7.1"),
        ("451 4.3.0 <{}>: Temporary lookup failure", "deferred: \"451 4.3.0"),
        ("450 4.1.2 <{}>: Recipient address rejected: Domain not found", "deferred: \"450 4.1.2"),
        (
            "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using zen.lab.test",
            "refuses this client",
        ),
        ("554 5.7.1 <[127.0.0.1]>: Helo command rejected: go away", "refuses this client"),
        (
            "550 5.1.2 <{}>: Recipient address rejected: Domain not found",
            "the address is refused, not the relaying",
        ),
        (
            "556 5.1.10 <{}>: Recipient address rejected: Domain does not accept mail (nullMX)",
            "not the relaying",
        ),
        ("552 5.2.2 <{}>: Mailbox is full", "the server knows the recipient"),
        ("451 relay2.provider.test: temporary lookup failure", "deferred: \"451 relay2"),
        ("450 4.2.0 <{}>: Greylisted by relay03", "greylisted: \"450 4.2.0"),
        ("554 5.7.1 Client host blocked using dnsbl.lab.test; open relay", "refuses this client"),
        ("550 Sender verify failed", "the sender is refused: \"550"),
        ("554 5.7.1 <probe@example.org>: Sender address rejected: Access denied", "the sender is refused"),
        ("550 5.1.1 <{}>: Recipient address rejected: undeliverable address", "not the relaying"),
        ("554 5.3.2 going down", "the server has troubles of its own"),
        ("550 5.7.10 Encryption required", "the server wants TLS first"),
        ("550 5.7.25 no name for your address", "refuses this client"),
        ("571 no", "it is not told why"),
    ] {
        let words = ["not proved that 127.0.0.1:", words];
        let (run, _) = run(foreign(reply), &OWN, State::Unknown, &words);
        assert_eq!(run.parsed.value("accepted"), Some(0.0));
    }
}

#[test]
fn the_state_of_what_is_temporary_can_be_chosen() {
    let server = Exchanger::start(foreign(POSTGREY_450));
    at(server.addr()).args(["--temporary-state", "warning"]).gives(State::Warning, &["greylisted"]);
}

#[test]
fn unknown_sender_refused() {
    for (reply, words) in [
        ("550 5.1.8 <{}>: Sender address rejected: Domain not found", "the sender is refused: \"550 5.1.8"),
        ("450 4.1.8 <{}>: Sender address rejected: Domain not found", "the sender is deferred: \"450 4.1.8"),
        ("554 5.7.1 blocked using zen.lab.test", "refuses this client: \"554"),
        ("530 5.7.0 Must issue a STARTTLS command first", "the server wants TLS first"),
    ] {
        let senders = BTreeMap::from([("*".to_owned(), reply.to_owned())]);
        let options = ExchangerOptions { senders, ..Default::default() };
        run(options, &["--variants", "none"], State::Unknown, &["not proved", words]);
    }
    let senders = BTreeMap::from([("*".to_owned(), "530 5.7.0 Authentication required".to_owned())]);
    let options = ExchangerOptions { senders, ..Default::default() };
    run(options, &["--variants", "none"], State::Ok, &["refuses to relay", "\"530 5.7.0"]);
}

#[test]
fn critical_own_recipient_refused() {
    let (run, _) = run(
        ExchangerOptions::default(),
        &["--local-rcpt", "nobody@lab.test"],
        State::Critical,
        &["refuses mail for its own nobody@lab.test: \"550 5.1.1"],
    );
    run.long("refuses to relay");
}

#[test]
fn critical_when_everything_is_refused_and_nothing_is_proved() {
    let options = ExchangerOptions { unknown: "550 no".into(), recipients: Vec::new(), ..foreign("550 no") };
    let words =
        ["refuses mail for its own", "not proved that", "it refuses its own recipient as well: \"550 no\""];
    let (run, _) = run(options, &OWN, State::Critical, &words);
    run.long("hint: is --local-rcpt right, and this host welcome there?");
}

#[test]
fn unknown_own_recipient_greylisted() {
    let options = ExchangerOptions { greylisting: Some(Greylisting::default()), ..Default::default() };
    run(options, &OWN, State::Unknown, &["refuses mail for its own probe@lab.test: \"450 4.2.0"]);
}

#[test]
fn tls_is_used_where_it_is_offered_and_demanded_where_it_is_wanted() {
    let demanding = || ExchangerOptions { tls_demanded: true, ..Default::default() };
    run(demanding(), &OWN, State::Ok, &["refuses to relay"]);
    run(demanding(), &["--tls", "none"], State::Unknown, &["the server wants TLS first: \"530 5.7.0"]);
    let plain = || ExchangerOptions { certificate: None, ..Default::default() };
    run(plain(), &OWN, State::Ok, &["refuses to relay"]);
    run(plain(), &["--tls", "starttls"], State::Critical, &["STARTTLS is required and not offered"]);
    let server = Exchanger::start(ExchangerOptions::default());
    let ca_file = server.ca_file().to_string_lossy().into_owned();
    let verified = ["--tls", "starttls", "--ca-file", &ca_file];
    at(server.addr()).args(verified).gives(State::Ok, &["refuses to relay"]);
    at(server.addr())
        .args(verified)
        .args(["--sni", "other.lab.test"])
        .gives(State::Critical, &["the certificate does not verify", "other.lab.test"]);
}

#[test]
fn warning_starttls_that_fails_and_the_rest_in_the_clear() {
    let broken = Script::new().banner().ehlo(&["STARTTLS"]).expect("STARTTLS").send("454 4.7.0 no\r\n");
    let clear = Script::new().banner().ehlo(&["STARTTLS"]).expect("MAIL").send("250 ok\r\n");
    let clear = clear.expect("RCPT").send("454 4.7.1 Relay access denied\r\n").quit();
    let peer = Peer::start_each(vec![broken.quit(), clear]);
    let run = at(peer.addr())
        .args(["--variants", "none"])
        .gives(State::Warning, &["STARTTLS is offered and fails"]);
    run.long("refuses to relay");
}

#[test]
fn helo_is_enough_where_ehlo_is_not_known() {
    let options = ExchangerOptions { ehlo_refused: true, ..Default::default() };
    let (run, server) = run(options, &OWN, State::Ok, &["refuses to relay", "(6 probes)"]);
    run.long("EHLO refused, HELO accepted");
    // Without PIPELINING: a refused recipient leaves the transaction as it was.
    let sessions = server.sessions();
    let lines = envelope(&sessions[0]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("RCPT")).count(), 6);
    assert!(lines.iter().filter(|line| **line == "RSET").count() >= 1);
    assert!(lines.len() <= 2 * 6 + 1, "two commands for each probe and QUIT: {lines:?}");
}

#[test]
fn at_most_two_round_trips_for_each_probe() {
    for ehlo_refused in [false, true] {
        let options = ExchangerOptions { ehlo_refused, certificate: None, ..Default::default() };
        let server = Exchanger::start(options);
        let relay = Relay::start(server.addr(), Duration::from_millis(40));
        let run = at(relay.addr()).args(OWN).gives(State::Ok, &["(6 probes)"]);
        // Of 80 ms each: connect and banner two, EHLO one or, refused, two, then one for each probe
        // or two; QUIT may wait for its answer. One more for each probe would be 480 ms.
        let most = if ehlo_refused { 17.0 } else { 12.0 };
        let time = run.parsed.value("time").unwrap();
        assert!(time <= most * 0.08 + 0.4, "{time} s");
    }
}

#[test]
fn teaser_is_waited_for() {
    let teaser = Teaser { line: "220-mail.lab.test ESMTP".into(), delay: Duration::from_millis(300) };
    let options = ExchangerOptions { teaser: Some(teaser), ..Default::default() };
    let (run, _) = run(options, &OWN, State::Ok, &["refuses to relay"]);
    assert!(run.parsed.value("time") >= Some(0.3));
}

#[test]
fn unknown_refused_for_now_at_the_door() {
    let busy = ExchangerOptions { refused_connections: 0..usize::MAX, ..Default::default() };
    run(busy, &OWN, State::Unknown, &["temporary: server refuses to serve now: \"421 4.7.0"]);
    let never = ExchangerOptions {
        refused_connections: 0..usize::MAX,
        refusal: "554 5.7.1 go away".into(),
        ..Default::default()
    };
    run(never, &OWN, State::Critical, &["server refuses connections: \"554 5.7.1 go away\""]);
}

#[test]
fn a_session_that_ends_for_errors_is_followed_by_another() {
    let limits = ErrorLimits { soft: 100, delay: Duration::ZERO, hard: 3 };
    let options = ExchangerOptions { error_limits: Some(limits), ..Default::default() };
    let (_, server) = run(options, &OWN, State::Ok, &["refuses to relay", "(6 probes)"]);
    assert!(server.connections() > 1);
}

#[test]
fn unknown_when_the_server_hangs_up_at_a_probe() {
    let options = ExchangerOptions { hang_up_at: Some("RCPT TO:<probe%".into()), ..Default::default() };
    let (run, _) =
        run(options, &OWN, State::Unknown, &["3 of 6 probes not answered", "closed by the server"]);
    run.long("refuses to relay");
    let options = ExchangerOptions { hang_up_at: Some("MAIL".into()), ..Default::default() };
    let (run, _) = self::run(options, &OWN, State::Critical, &["closed by the server"]);
    assert_eq!(run.parsed.value("accepted"), None);
}

#[test]
fn limits_that_bite() {
    let limits = ErrorLimits { soft: 2, delay: Duration::from_millis(700), hard: 4 };
    let options =
        ExchangerOptions { error_limits: Some(limits), recipients_per_message: 7, ..Default::default() };
    let (run, server) = run(
        options,
        &[&OWN[..], &["--limits", "--variants", "none"]].concat(),
        State::Ok,
        &["refuses to relay"],
    );
    run.long("the session ends after 4 errors, answers held back up to ");
    run.long(" s from error 3 on: \"421 4.7.0");
    run.long("takes 7 recipients for one message: \"452 4.5.3");
    assert_eq!(
        (run.parsed.value("errors_taken"), run.parsed.value("recipients_taken")),
        (Some(4.0), Some(7.0))
    );
    assert_eq!(server.connections(), 3);
}

#[test]
fn warning_limits_that_are_not_there() {
    let options =
        ExchangerOptions { error_limits: None, recipients_per_message: usize::MAX, ..Default::default() };
    let wanted = ["--limits", "--error-limit", "30", "--recipient-limit", "120"];
    let (run, _) = run(
        options,
        &[&OWN[..], &wanted].concat(),
        State::Warning,
        &[
            "no limit on errors: the session goes on after 31 of them, limit 30",
            "no limit on recipients: 121 are taken for one message, limit 120",
        ],
    );
    assert_eq!(run.parsed.value("recipients_taken"), Some(121.0));
}

#[test]
fn unknown_limits_that_could_not_be_looked_for() {
    // The connections of both limits.
    let options = ExchangerOptions { refused_connections: 1..usize::MAX, ..Default::default() };
    let arguments = [&OWN[..], &["--limits", "--variants", "none"]].concat();
    let words =
        ["limit on errors not proved after 0 of them", "limit on recipients not proved after 0 of them"];
    let (run, _) = run(options, &arguments, State::Unknown, &words);
    assert_eq!((run.parsed.value("errors_taken"), run.parsed.value("recipients_taken")), (None, None));
}

#[test]
fn hostile_servers_are_bounded() {
    let endless = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").repeat_forever("250-more\r\n");
    let peer = Peer::start(endless);
    at(peer.addr()).gives(State::Critical, &["reply has more than 512 lines"]);
    let flood = Peer::start(Script::new().repeat_forever(vec![b'A'; 65_536]));
    at(flood.addr()).gives(State::Critical, &["not an SMTP reply"]);
    let words = "250 2.1.5 a | b='1' \x1b[31m\r\n";
    let odd =
        Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT").send(words);
    let peer = Peer::start(odd.quit());
    at(peer.addr())
        .args(["--variants", "none"])
        .gives(State::Critical, &[r#""250 2.1.5 a / b='1' \x1b[31m""#]);
    let eager =
        Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n454 4.7.1 relay denied\r\n");
    let peer = Peer::start(eager);
    at(peer.addr()).args(["--variants", "none"]).gives(State::Critical, &["spoke out of turn"]);
    let strange = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT");
    let peer = Peer::start(strange.send("354 go on\r\n").quit());
    at(peer.addr())
        .args(["--variants", "none"])
        .gives(State::Critical, &["not an answer to RCPT: \"354 go on\""]);
}

#[test]
fn critical_replies_that_are_one_too_many() {
    // An answer that came early would be taken for the next one's: an open relay that is none.
    let all = &["PIPELINING"];
    let mail = "250 ok\r\n454 4.7.1 relay denied\r\n";
    let doubled = Script::new().banner().ehlo(all).expect("MAIL").expect("RCPT").send(mail).expect("RSET");
    let script = doubled
        .expect("MAIL")
        .expect("RCPT")
        .send("250 ok\r\n250 ok\r\n250 ok\r\n454 4.7.1 relay denied\r\n");
    let peer = Peer::start(script);
    let run = at(peer.addr()).gives(State::Critical, &["4 of 5 probes not answered", "spoke out of turn"]);
    assert_ne!(run.parsed.value("accepted"), Some(1.0));
    let script = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT");
    let peer = Peer::start(script.send("550 relay denied\r\n250 ok\r\n"));
    at(peer.addr()).args(["--variants", "none"]).gives(State::Critical, &["spoke out of turn: \"250 ok\""]);
}

#[test]
fn ok_the_server_says_at_once_that_it_closes() {
    let refused = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT");
    let peer = Peer::start(refused.send("550 relay denied\r\n421 4.7.0 too many errors\r\n"));
    at(peer.addr()).args(["--variants", "none"]).gives(State::Ok, &["refuses to relay"]);
}

#[test]
fn unknown_probes_that_were_refused_at_mail() {
    let open = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("451 4.3.0 not now\r\n");
    let plain = open.expect("RSET").send("250 ok\r\n").expect("MAIL").send("250 ok\r\n").expect("RCPT");
    let peer = Peer::start(plain.send("550 relay denied\r\n").quit());
    at(peer.addr()).args(OWN).args(["--variants", "none"]).gives(
        State::Unknown,
        &["takes mail for its own probe@lab.test: MAIL refused: \"451 4.3.0 not now\""],
    );
    let senders = BTreeMap::from([(String::new(), "451 4.3.0 not now".to_owned())]);
    let options = ExchangerOptions { senders, ..Default::default() };
    let arguments = [&OWN[..], &["--variants", "all"]].concat();
    run(options, &arguments, State::Unknown, &["not proved for the empty sender", "451 4.3.0"]);
}

#[test]
fn the_states_of_options_hold_for_what_is_left_as_well() {
    let script = Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT");
    let script =
        script.send("550 5.1.1 nobody\r\n").expect("RCPT").send("550 relay denied\r\n").expect("RCPT").hold();
    let peer = Peer::start(script);
    let check = at(peer.addr()).timeout(1.0);
    check.gives(State::Critical, &["3 of 5 probes not answered: timeout after 1 s"]);
    check.args(["--timeout-state", "warning"]).gives(State::Warning, &["3 of 5 probes not answered"]);
}

#[test]
fn unknown_ends_that_are_no_limits() {
    let limits = ErrorLimits { soft: 100, delay: Duration::ZERO, hard: 1 };
    let options = ExchangerOptions { error_limits: Some(limits), ..Default::default() };
    let arguments = [&OWN[..], &["--limits", "--variants", "none"]].concat();
    let words = ["limit on errors not proved after 1 of them: the server ends too early"];
    let (run, _) = run(options, &arguments, State::Unknown, &words);
    assert_eq!(run.parsed.value("errors_taken"), None);
}

#[test]
fn silence_is_no_refusal() {
    let script =
        Script::new().banner().ehlo(&["SIZE"]).expect("MAIL").send("250 ok\r\n").expect("RCPT").hold();
    let peer = Peer::start(script);
    let run = at(peer.addr()).timeout(1.0).gives(State::Critical, &["timeout after 1 s while querying"]);
    assert_eq!(run.parsed.value("accepted"), None);
}

#[test]
fn dead_port_and_unknown_name() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    at(nobody).gives(State::Critical, &["cannot connect to 127.0.0.1:", "Connection refused"]);
    Check::new("check_smtp_relay")
        .args(["-H", "::1", "-4"])
        .gives(State::Unknown, &["cannot resolve ::1: it has no IPv4 address"]);
}

#[test]
fn unknown_usage() {
    for (arguments, words) in [
        (vec!["--rcpt-to", "probe"], "--rcpt-to: want an address with a domain"),
        (vec!["--rcpt-to", "<>"], "--rcpt-to: want an address with a domain"),
        (
            vec!["--rcpt-to", "x@LAB.test", "--local-rcpt", "y@lab.test"],
            "--rcpt-to: is in the domain of --local-rcpt",
        ),
        (vec!["--mail-from", "a b@c"], "--mail-from: contains blanks"),
        (vec!["--rcpt-to", "a@b\r\nDATA"], "--rcpt-to: contains blanks"),
        (
            vec!["--rcpt-to", "jürgen@example.net"],
            "--rcpt-to: an internationalised address proves nothing here",
        ),
        (vec!["--max-errors", "0"], "--max-errors"),
        (vec!["--limits"], "--local-rcpt: required"),
        (vec!["--error-limit", "5"], "--limits: required"),
        (
            vec!["--ca-file", "/nonexistent"],
            "--ca-file: nothing is verified without --tls starttls or implicit",
        ),
        (vec!["--insecure"], "--insecure: nothing is verified without --tls starttls or implicit"),
        (vec!["--sni", "x.test", "--tls", "none"], "--sni: there is no TLS with --tls none"),
        (vec!["--mail-from", "jürgen@example.org"], "--mail-from: an internationalised address"),
        (vec!["--helo", "localhost"], "--helo: want a fully qualified name"),
        (vec!["--source-ip", "::1", "-4"], "--source-ip: is of another family"),
    ] {
        let peer = Peer::start(Script::new());
        at(peer.addr()).args(&arguments).gives(State::Unknown, &[words]);
        assert_eq!(peer.connections(), 0, "{arguments:?}: nothing is sent");
    }
}
