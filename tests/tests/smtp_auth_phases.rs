//! check_smtp_auth against servers that fall silent, close, reset or say 421, at each phase
//! of the dialogue: the phase is named, and the perfdata of what was reached is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::time::Duration;

use lab::output::State;
use lab::peer::{Peer, Script};
use tests::Measured;
use tests::mail::{Mail, PASSWORD, USER, clear_to_auth, encode};

/// A point at which the client waits for the server.
struct Phase {
    name: &'static str,
    script: Script,
    words: &'static str,
    /// Perfdata with a value when the server fails here.
    measured: &'static [&'static str],
}

const LABELS: [&str; 8] =
    ["time", "time_connect", "time_tls", "time_banner", "time_ehlo", "time_auth", "cert_days", "mechs"];
const TO_CONNECT: &[&str] = &["time", "time_connect"];
const TO_BANNER: &[&str] = &["time", "time_connect", "time_banner"];
const TO_EHLO: &[&str] = &["time", "time_connect", "time_banner", "time_ehlo"];
/// EHLO counts when both are through.
const TO_TLS: &[&str] = &["time", "time_connect", "time_tls", "time_banner", "cert_days"];
const TO_SECOND_EHLO: &[&str] =
    &["time", "time_connect", "time_tls", "time_banner", "time_ehlo", "cert_days", "mechs"];

fn phases(mail: &Mail) -> Vec<Phase> {
    let greeted = || Script::new().banner().ehlo(&["STARTTLS"]);
    let phase = |name, script, words, measured| Phase { name, script, words, measured };
    vec![
        phase("banner", Script::new(), "waiting for the banner", TO_CONNECT),
        phase("EHLO", Script::new().banner().expect("EHLO"), "greeting", TO_BANNER),
        phase("STARTTLS", greeted().expect("STARTTLS"), "negotiating TLS", TO_EHLO),
        phase(
            "handshake",
            greeted().expect("STARTTLS").send("220 Go ahead\r\n").read_some(),
            "negotiating TLS",
            TO_EHLO,
        ),
        phase("second EHLO", greeted().starttls(&mail.tls).expect("EHLO"), "greeting", TO_TLS),
        phase(
            "AUTH",
            mail.script_to_auth("AUTH PLAIN").expect("AUTH PLAIN"),
            "authenticating",
            TO_SECOND_EHLO,
        ),
        phase(
            "in AUTH",
            mail.script_to_auth("AUTH LOGIN")
                .expect("AUTH LOGIN")
                .send("334 VXNlcm5hbWU6\r\n")
                .expect(&encode(USER)),
            "authenticating",
            TO_SECOND_EHLO,
        ),
    ]
}

fn wanted(measured: &[&str]) -> Vec<(&'static str, Measured)> {
    LABELS.map(|label| (label, if measured.contains(&label) { Measured::Yes } else { Measured::No })).to_vec()
}

/// Plays every phase followed by a fault, all at once.
fn in_every_phase(fault: impl Fn(Script) -> Script, seconds: f64, words: impl Fn(&Phase) -> String) {
    let mail = Mail::new();
    let running: Vec<_> = phases(&mail)
        .into_iter()
        .map(|phase| {
            let peer = Peer::start(fault(phase.script.clone()));
            let started = mail.starttls(peer.addr()).timeout(seconds).start();
            (phase, peer, started)
        })
        .collect();
    for (phase, peer, started) in running {
        let run = started.gives(State::Critical, &[&words(&phase)]);
        run.perfdata(&wanted(phase.measured)).silent_about(PASSWORD);
        assert_eq!(peer.connections(), 1, "{}", phase.name);
        peer.assert_followed();
    }
}

#[test]
fn critical_silence_in_every_phase() {
    in_every_phase(Script::hold, 0.5, |phase| format!("timeout after 0.5 s while {}", phase.words));
}

#[test]
fn critical_close_in_every_phase() {
    in_every_phase(Script::close, 2.0, |phase| {
        format!("connection closed by the server while {}", phase.words)
    });
}

#[test]
fn critical_cut_without_close_notify_in_every_phase() {
    in_every_phase(Script::cut, 2.0, |phase| {
        format!("connection closed by the server while {}", phase.words)
    });
}

#[test]
fn critical_reset_in_every_phase() {
    // Without the pause the reset can overtake the connect itself, which is another phase.
    in_every_phase(
        |script| script.sleep(Duration::from_millis(30)).reset(),
        2.0,
        |phase| format!("connection reset by the server while {}", phase.words),
    );
}

#[test]
fn critical_421_in_every_phase() {
    let mail = Mail::new();
    for phase in phases(&mail).into_iter().filter(|phase| phase.name != "handshake") {
        let peer = Peer::start_each(vec![
            phase
                .script
                .clone()
                .send("421 4.3.2 mail.lab.test shutting down\r\n")
                .close();
            2
        ]);
        let words = ["temporary: ", "421 4.3.2 mail.lab.test shutting down"];
        mail.starttls(peer.addr()).gives(State::Critical, &words);
        let check = mail.starttls(peer.addr()).args(["--temporary-state", "warning"]);
        check.gives(State::Warning, &words);
        peer.assert_followed();
        for connection in 0..2 {
            assert!(!peer.received_text(connection).contains("QUIT"), "421 closes: {}", phase.name);
        }
    }
}

#[test]
fn critical_half_a_reply_then_close() {
    let mail = Mail::new();
    for phase in phases(&mail).into_iter().filter(|phase| phase.name != "handshake") {
        let peer = Peer::start(phase.script.send("250-half\r\n25").close());
        let words = format!(
            "connection closed by the server while {} in the middle of a reply (12 bytes)",
            phase.words
        );
        mail.starttls(peer.addr()).gives(State::Critical, &[&words]);
    }
}

#[test]
fn critical_drip_is_called_a_tarpit() {
    let mail = Mail::new();
    let every = Duration::from_millis(50);
    let drip = "250-mail.lab.test a very long reply that never ends in time\r\n";
    let running: Vec<_> = phases(&mail)
        .into_iter()
        .filter(|phase| phase.name != "handshake")
        .map(|phase| {
            let peer = Peer::start(phase.script.clone().drip(drip, every));
            let started = mail.starttls(peer.addr()).timeout(0.6).start();
            (phase, peer, started)
        })
        .collect();
    for (phase, _peer, started) in running {
        let words = format!("timeout after 0.6 s while {}: ", phase.words);
        let run = started.gives(State::Critical, &[&words, "bytes came, but no whole reply", "tarpit"]);
        run.perfdata(&wanted(phase.measured));
        assert!(
            run.parsed.long.iter().all(|line| !line.contains("nobody serves it")),
            "{:?}",
            run.parsed.long
        );
    }
}

#[test]
fn timeout_state_is_obeyed() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().hold());
    let check = mail.starttls(peer.addr()).timeout(0.3);
    check.clone().args(["--timeout-state", "unknown"]).gives(State::Unknown, &["timeout after 0.3 s"]);
    check.args(["--timeout-state", "warning"]).gives(State::Warning, &["timeout after 0.3 s"]);
}

#[test]
fn critical_no_banner_says_that_the_port_is_open() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().hold());
    let run = mail.starttls(peer.addr()).timeout(0.3).gives(
        State::Critical,
        &[
            "timeout after 0.3 s while waiting for the banner",
            "accepted the connection in",
            &peer.addr().to_string(),
        ],
    );
    run.long("nobody serves it");
    assert_eq!(peer.received_text(0), "", "nothing is sent before the banner");
}

#[test]
fn ok_close_after_235_with_a_note() {
    let mail = Mail::new();
    let end = "235 2.7.0 ok\r\n";
    for script in [
        mail.script_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(end).close(),
        mail.script_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(end).cut(),
        mail.script_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(end).reset(),
        clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(end).close(),
        clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(end).expect("QUIT").close(),
    ] {
        let tls = format!("{script:?}").contains("Tls");
        let peer = Peer::start(script);
        let check = if tls { mail.starttls(peer.addr()) } else { mail.clear(peer.addr()) };
        let run = check.gives(State::Ok, &["logged in"]);
        run.long("note: ").long("QUIT");
    }
}

#[test]
fn ok_silence_at_quit_costs_a_quarter_of_a_second() {
    let mail = Mail::new();
    let peer = Peer::start(
        clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 ok\r\n").expect("QUIT").hold(),
    );
    let run = mail.clear(peer.addr()).timeout(5.0).gives(State::Ok, &["logged in"]);
    assert!(run.parsed.value("time").unwrap() < 0.35, "{}", run.outcome.report());
    peer.assert_followed();
    // Nor does it break a short limit.
    let run = mail.clear(peer.addr()).timeout(0.2).gives(State::Ok, &["logged in"]);
    assert!(run.parsed.value("time").unwrap() < 0.3, "{}", run.outcome.report());
}

#[test]
fn ok_whatever_quit_is_answered() {
    let mail = Mail::new();
    for answer in ["500 what?\r\n", "421 bye\r\n", "garbage\r\n", "221-x\r\n500 y\r\n", "\0\x01\x02\x03\x04"]
    {
        let script = clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 ok\r\n").expect("QUIT");
        let peer = Peer::start(script.send(answer).close());
        mail.clear(peer.addr()).gives(State::Ok, &["logged in"]);
    }
}

#[test]
fn critical_paused_server_is_named_by_phase() {
    let mail = Mail::new();
    // The kernel accepts for a listener that is never served.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let run = mail
        .starttls(listener.local_addr().unwrap())
        .timeout(0.4)
        .gives(State::Critical, &["timeout after 0.4 s while waiting for the banner"]);
    run.perfdata(&wanted(TO_CONNECT));
}

#[test]
fn unknown_sigterm_names_the_phase() {
    let mail = Mail::new();
    for phase in phases(&mail) {
        let peer = Peer::start(phase.script.hold());
        let started = mail.starttls(peer.addr()).timeout(10.0).start();
        let until = std::time::Instant::now() + Duration::from_secs(3);
        while peer.connections() == 0 && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(150));
        started.running.signal(lab::Signal::Term);
        let words = format!("stopped by SIGTERM while {}", phase.words);
        let run = started.gives(State::Unknown, &[&words]);
        assert!(run.outcome.elapsed < Duration::from_secs(4), "{}", run.outcome.report());
    }
}
