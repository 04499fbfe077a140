//! check_weak_ciphers: what a server takes is found, what cannot be seen is UNKNOWN, and OK is
//! said only when it was proved.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use lab::output::State;
use lab::peer::{Peer, Script};
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::process::{Daemon, Group, free_port, left_out_without_root, program};
use lab::s_server::SelfSigned;
use lab::tls_script::{
    Ending, Fault, Foreign, Format, Preference, Protocol, TlsPeer, TlsScript, Upgrade, Version,
};
use tests::{Check, Run};

/// ECDHE with AES-GCM and ChaCha20, as every policy wants it.
const SOUND: [u16; 2] = [0xc02f, 0xc02b];
/// Connections of a scan that finds nothing: an opening, TLS 1.3, what is forbidden in five
/// versions, SSLv2.
const CONNECTIONS: usize = 8;

fn at(port: u16) -> Check {
    let port = port.to_string();
    Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", &port]).timeout(20.0)
}

/// A check that does not wait long for an endpoint that says nothing.
fn impatient(peer: &TlsPeer) -> Check {
    at(peer.port()).args(["--handshake-timeout", "2"])
}

fn gives(script: TlsScript, state: State, words: &[&str]) -> (TlsPeer, Run) {
    let peer = TlsPeer::start(script);
    let run = impatient(&peer).gives(state, words);
    (peer, run)
}

/// TLS 1.2 with something sound and these.
fn and(suites: &[u16]) -> TlsScript {
    TlsScript::new().version(Version::Tls12, &[&SOUND, suites].concat())
}

fn figure(run: &Run, label: &str) -> f64 {
    run.parsed.value(label).unwrap_or_else(|| panic!("no {label}\n{}", run.outcome.report()))
}

/// The whole output holds this.
fn says(run: &Run, words: &str) {
    assert!(run.outcome.text().contains(words), "no {words:?}\n{}", run.outcome.report());
}

#[test]
fn ok_compliant_in_eight_connections() {
    for script in [
        TlsScript::good(),
        TlsScript::good().preference(Preference::Client),
        TlsScript::new().version(Version::Tls12, &SOUND),
        TlsScript::new().version(Version::Tls13, &[0x1301]),
        TlsScript::good().asks_client_certificate(),
        TlsScript::good().warning(112),
    ] {
        let (peer, run) = gives(script, State::Ok, &["nothing that bcp195 forbids"]);
        // Less where the answer to one says that the version is not spoken, before the next is sent.
        let made = peer.connections();
        assert!(made <= CONNECTIONS, "{}", run.outcome.report());
        assert_eq!(figure(&run, "connections"), f64::from(u32::try_from(made).unwrap()));
        assert_eq!(["broken", "weak", "policy"].map(|label| figure(&run, label)), [0.0; 3]);
        assert_eq!(peer.hellos().iter().filter(|hello| hello.format == Format::Ssl2).count(), 1);
    }
}

#[test]
fn warning_weak() {
    let old = |version| TlsScript::good().version(version, &[0xc013]);
    for (script, words) in [
        (old(Version::Tls10), "tls1_0"),
        (old(Version::Tls11), "tls1_1"),
        (and(&[0x000a]), "small_block (SWEET32) in TLS1.2: DES-CBC3-SHA"),
        (and(&[0x009c]), "no_forward_secrecy in TLS1.2: AES128-GCM-SHA256"),
        (TlsScript::new().version(Version::Tls12, &[0x009e]).dh_bits(1024), "dh_small"),
        (TlsScript::good().without_renegotiation_info(), "no_secure_renegotiation"),
    ] {
        let (_, run) = gives(script, State::Warning, &[]);
        says(&run, words);
        assert_eq!(figure(&run, "broken"), 0.0);
        assert!(figure(&run, "weak") >= 1.0);
    }
}

#[test]
fn critical_broken() {
    for (script, words) in [
        (TlsScript::good().version(Version::Ssl3, &[0x002f]), "sslv3 (POODLE"),
        (TlsScript::good().ssl2(&[0x01_0080]), "sslv2 (DROWN)"),
        (and(&[0x0005]), "rc4 (RC4) in TLS1.2: RC4-SHA"),
        (and(&[0x0003]), "export (FREAK)"),
        (and(&[0x0002]), "null_cipher in TLS1.2: NULL-SHA"),
        (and(&[0x0034]), "anonymous in TLS1.2: ADH-AES128-SHA"),
        (and(&[0xc018]), "anonymous in TLS1.2: AECDH-AES128-SHA"),
        (and(&[0x0009]), "low_strength in TLS1.2: DES-CBC-SHA"),
        (TlsScript::new().version(Version::Tls12, &[0x009e]).dh_bits(512), "dh_broken (LOGJAM)"),
        (TlsScript::new().version(Version::Ssl3, &[0x0005]), "rc4"),
        (TlsScript::new().ssl2(&[0x07_00c0]), "sslv2"),
    ] {
        let (_, run) = gives(script, State::Critical, &[]);
        says(&run, words);
        assert!(figure(&run, "broken") >= 1.0);
    }
}

/// The server's preference hides the small prime behind a sound suite.
#[test]
fn critical_small_prime_behind_a_better_suite() {
    let (peer, run) = gives(and(&[0x009e, 0x009f, 0x0033]).dh_bits(512), State::Critical, &["dh_broken"]);
    assert!(peer.connections() <= CONNECTIONS + 2, "{}", run.outcome.report());
    // A prime that is long enough is no finding.
    let (peer, run) = gives(and(&[0x009e, 0x009f, 0x0033]), State::Ok, &["nothing that bcp195 forbids"]);
    assert!(peer.connections() <= CONNECTIONS + 2, "{}", run.outcome.report());
}

#[test]
fn critical_everything_is_listed() {
    let (_, run) = gives(TlsScript::weak(), State::Critical, &[]);
    for words in ["sslv2", "sslv3", "export", "rc4", "dh_broken", "small_block", "tls1_0"] {
        says(&run, words);
    }
    let peer = TlsPeer::start(and(&[0x0004, 0x0005, 0x000a, 0x002f, 0x0035, 0x003c]));
    let run = impatient(&peer).gives(State::Critical, &["RC4-MD5"]);
    for name in ["RC4-MD5", "RC4-SHA", "DES-CBC3-SHA", "AES128-SHA", "AES256-SHA", "AES128-SHA256"] {
        says(&run, name);
    }
    // Six more than a scan that finds nothing: the seventh hello is refused.
    assert!(peer.connections() <= CONNECTIONS + 7, "{}", run.outcome.report());
}

type Limit = fn(TlsScript, Ending) -> TlsScript;

/// Limits on hellos never hide what is weak, and a sound server stays OK.
#[test]
fn intolerant_servers_hide_nothing() {
    let endings = [Ending::Close, Ending::Reset, Ending::Hang, Ending::Alert(40), Ending::Alert(80)];
    let limits: [Limit; 2] = [
        |script, ending| script.longest_hello(255, ending),
        |script, ending| script.longest_hello(511, ending),
    ];
    for limit in limits {
        for ending in endings {
            let (_, run) = gives(limit(and(&[0x0005]), ending), State::Critical, &["RC4-SHA"]);
            run.long("short hellos only");
            gives(limit(TlsScript::good(), ending), State::Ok, &["nothing that bcp195 forbids"]);
        }
    }
    for count in [64, 128] {
        // The one weak suite may be read last in a long hello.
        for (weak, name) in [(0x0001, "NULL-MD5"), (0x0005, "RC4-SHA"), (0xc018, "AECDH-AES128-SHA")] {
            gives(and(&[weak]).suites_read(count), State::Critical, &[name]);
        }
        gives(TlsScript::good().suites_read(count), State::Ok, &["nothing that bcp195 forbids"]);
    }
}

/// A hello of an unlucky length gets no answer, whatever is in it.
#[test]
fn unlucky_lengths_hide_nothing() {
    for ending in [Ending::Close, Ending::Hang] {
        let clean = TlsPeer::start(TlsScript::good());
        impatient(&clean).gives(State::Ok, &[]);
        // Every length that a scan of a sound server has, one after the other.
        let mut lengths: Vec<usize> = clean.hellos().iter().map(|hello| hello.length % 256).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for length in lengths {
            let script = and(&[0x0005]).unlucky_lengths(&[length], ending);
            gives(script, State::Critical, &["RC4-SHA"]);
            let peer = TlsPeer::start(TlsScript::good().unlucky_lengths(&[length], ending));
            let state = impatient(&peer).outcome().parsed().state;
            assert!(matches!(state, State::Ok | State::Unknown), "{length} {ending:?}: {state:?}");
        }
    }
}

/// A server that ends connections after some has not refused anything.
#[test]
fn unknown_cut_off() {
    for ending in [Ending::Close, Ending::Reset, Ending::Hang, Ending::Busy] {
        for answered in [1, 2, CONNECTIONS - 1] {
            let script = TlsScript::good().cut_off(answered.., ending);
            let peer = TlsPeer::start(script);
            let check = impatient(&peer).args(["--max-conns", "1"]);
            let run = check.gives(State::Unknown, &["is not complete"]);
            run.silent_about("nothing that bcp195 forbids");
        }
    }
    for answered in 1..CONNECTIONS {
        let (_, run) = gives(TlsScript::good().cut_off(answered.., Ending::Reset), State::Unknown, &[]);
        run.silent_about("nothing that bcp195 forbids");
    }
    // What was seen before stays seen.
    let weak = || TlsScript::weak().version(Version::Tls12, &[0x0005]);
    let whole = TlsPeer::start(weak());
    impatient(&whole).args(["--max-conns", "1"]).gives(State::Critical, &[]);
    let peer = TlsPeer::start(weak().cut_off(whole.connections() / 2.., Ending::Reset));
    let run = impatient(&peer).args(["--max-conns", "1"]).gives(State::Critical, &[]);
    run.long("is not complete");
}

#[test]
fn ok_after_a_passing_limit() {
    for ending in [Ending::Close, Ending::Reset] {
        gives(TlsScript::good().cut_off(3..5, ending), State::Ok, &["nothing that bcp195 forbids"]);
    }
}

/// A server that ends the hello of SSLv2 without a word, as many do.
#[test]
fn ok_sslv2_is_noise() {
    for ending in [Ending::Close, Ending::Reset, Ending::Alert(70), Ending::Alert(40), Ending::Alert(50)] {
        let script = TlsScript::good().fault_if(|hello| hello.format == Format::Ssl2, Fault::Empty(ending));
        gives(script, State::Ok, &["nothing that bcp195 forbids"]);
    }
}

#[test]
fn server_name_is_asked_for() {
    let peer = TlsPeer::start(TlsScript::good().sni_demanded());
    let run = at(peer.port()).gives(State::Unknown, &["unrecognized_name"]);
    run.long("--sni");
    let tries = peer.connections();
    assert!(tries <= 4, "{tries} connections for one answer\n{}", run.outcome.report());
    at(peer.port()).args(["--sni", "www.lab.test"]).gives(State::Ok, &["nothing that bcp195 forbids"]);
    let hellos = peer.hellos();
    assert!(
        hellos[tries..]
            .iter()
            .filter(|hello| hello.format == Format::Tls && hello.version > 0x0300)
            .all(|hello| hello.server_name().as_deref() == Some("www.lab.test"))
    );
    // An address is no name (RFC 6066).
    assert!(hellos[..tries].iter().all(|hello| hello.server_name().is_none()));
    let named = TlsPeer::start(TlsScript::good().sni_demanded());
    let port = named.port().to_string();
    let check = Check::new("check_weak_ciphers").args(["-H", "localhost", "-4", "--no-cert", "-p", &port]);
    check.gives(State::Ok, &[&format!("localhost:{port}")]);
    // Only the versions that are good are shown to those who name nobody else.
    let weak = TlsPeer::start(and(&[0x0005]).sni_demanded());
    at(weak.port()).args(["--sni", "www.lab.test"]).gives(State::Critical, &["RC4-SHA"]);
}

/// Refusals in all the words that servers have for them.
#[test]
fn ok_every_refusing_alert() {
    for alert in [40, 47, 70, 71, 80, 86] {
        let script =
            TlsScript::good().refuse_suite(Ending::Alert(alert)).refuse_version(Ending::Alert(alert));
        let (peer, run) = gives(script, State::Ok, &["nothing that bcp195 forbids"]);
        assert!(peer.connections() <= CONNECTIONS + 1, "{alert}\n{}", run.outcome.report());
    }
    // An alert that means a limit is none of them.
    for alert in [48, 50, 90, 110, 200] {
        let script =
            TlsScript::good().refuse_suite(Ending::Alert(alert)).refuse_version(Ending::Alert(alert));
        let (_, run) = gives(script, State::Unknown, &["is not complete"]);
        run.silent_about("nothing that bcp195 forbids");
    }
}

/// Some servers refuse by ending connections, each time. That counts while they answer others.
#[test]
fn ok_refusals_without_a_word() {
    for ending in [Ending::Close, Ending::Reset] {
        let script = TlsScript::good().refuse_suite(ending).refuse_version(ending);
        let (peer, run) = gives(script, State::Ok, &["nothing that bcp195 forbids"]);
        run.long("refuses by ending connections");
        assert!(peer.connections() <= 3 + 5 * 5 + 1, "{}", run.outcome.report());
        let weak = and(&[0x0005]).refuse_suite(ending).refuse_version(ending);
        gives(weak, State::Critical, &["RC4-SHA"]);
    }
    // Silence is never one.
    let script = TlsScript::good().refuse_suite(Ending::Hang).refuse_version(Ending::Hang);
    let (_, run) = gives(script, State::Unknown, &["is not complete"]);
    run.silent_about("nothing that bcp195 forbids");
}

#[test]
fn unknown_no_common_protocol() {
    gives(TlsScript::new(), State::Unknown, &["no common protocol"]);
}

/// A ServerHello shows a suite, whatever follows; but not how long its prime is, nor what curve it has.
#[test]
fn halfway_answers() {
    for ending in [Ending::Close, Ending::Reset, Ending::Hang, Ending::Alert(40)] {
        let words = match ending {
            Ending::Alert(_) => "gives up with alert handshake_failure",
            _ => "does not show the key exchange",
        };
        for suite in [0x009e, 0xc02f] {
            let sound = TlsScript::new().version(Version::Tls12, &[suite]);
            let sound = sound.fault(Fault::AfterServerHello(ending));
            let (_, run) = gives(sound, State::Unknown, &["the scan of TLS1.2 is not complete", words]);
            run.silent_about("nothing that bcp195 forbids");
        }
        let sound = TlsScript::new().version(Version::Tls13, &[0x1301]);
        gives(sound.fault(Fault::AfterServerHello(ending)), State::Ok, &["nothing that bcp195 forbids"]);
        let weak = and(&[0x0005]).fault(Fault::AfterServerHello(ending));
        gives(weak, State::Critical, &["RC4-SHA"]);
        let script = TlsScript::good().fault(Fault::InRecord(ending));
        gives(script, State::Unknown, &[]).1.silent_about("nothing that bcp195 forbids");
    }
}

#[test]
fn unknown_broken_answers() {
    for fault in [
        Fault::HugeRecord,
        Fault::HugeHandshake,
        Fault::ZeroLengthRecords,
        Fault::RecordFlood,
        Fault::AlertFlood,
        Fault::UnknownMessages,
        Fault::NoServerHello,
        Fault::LongAlert,
        Fault::ShortAlert,
        Fault::LyingLength,
        Fault::WrongType(23),
        Fault::WrongType(99),
        Fault::Bytes(vec![0; 300]),
        Fault::Bytes(b"\x16\x03\x03\0\x01\x02".to_vec()),
        Fault::Empty(Ending::Close),
        Fault::Empty(Ending::Reset),
        Fault::Empty(Ending::Hang),
    ] {
        let peer = TlsPeer::start(TlsScript::good().fault(fault.clone()));
        let outcome = impatient(&peer).outcome();
        let parsed = outcome.parsed();
        assert_eq!(parsed.state, State::Unknown, "{fault:?}\n{}", outcome.report());
        assert!(!outcome.text().contains("nothing that"), "{fault:?}\n{}", outcome.report());
    }
}

/// A pick that nobody offered is neither a proof nor a refusal.
#[test]
fn never_ok_unoffered_picks() {
    for fault in [
        Fault::Suite(0x1399),
        Fault::Suite(0x0005),
        Fault::Suite(0xc02f),
        Fault::Version(0x0304),
        Fault::Version(0x0305),
        Fault::Version(0x7f1c),
        Fault::Version(0x0002),
    ] {
        let peer = TlsPeer::start(TlsScript::good().fault(fault.clone()));
        let outcome = impatient(&peer).outcome();
        let parsed = outcome.parsed();
        assert_ne!(parsed.state, State::Ok, "{fault:?}\n{}", outcome.report());
        assert!(!outcome.text().contains("nothing that"), "{fault:?}\n{}", outcome.report());
        if let Fault::Suite(_) = fault {
            assert!(outcome.text().contains("breaks the protocol"), "{fault:?}\n{}", outcome.report());
        }
    }
    // Taken as allowed, and then picked where only others are offered.
    let peer = TlsPeer::start(TlsScript::good().fault(Fault::Suite(0xc02f)));
    let run = impatient(&peer).gives(State::Unknown, &["the scan of TLS1.2 is not complete"]);
    let finding = "WARNING: 127.0.0.1:PORT: protocol_violation in TLS1.2, TLS1.3";
    assert!(
        run.outcome.text().contains(&finding.replace("PORT", &peer.port().to_string())),
        "{}",
        run.outcome.report()
    );
}

#[test]
fn unknown_other_services() {
    for (foreign, words) in [
        (Foreign::ssh(), "speaks SSH, not TLS"),
        (Foreign::http(), "speaks HTTP, not TLS"),
        (Foreign::smtp(), "--starttls smtp"),
        (Foreign::Banner(b"* OK IMAP4rev1 ready\r\n".to_vec()), "--starttls imap"),
        (Foreign::Banner(b"+OK ready\r\n".to_vec()), "--starttls pop3"),
        (Foreign::Banner(b"\xff\xfe|\x1b[31m hello\r\n".to_vec()), "does not speak TLS"),
        (Foreign::Answer(vec![0; 4]), "does not speak TLS"),
    ] {
        let peer = TlsPeer::start(TlsScript::new().not_tls(foreign));
        let run = impatient(&peer).args(["--starttls", "none"]).gives(State::Unknown, &[words]);
        assert_eq!(peer.connections(), 1, "{}", run.outcome.report());
        assert!(run.parsed.perf("weak").is_some_and(|item| item.value.is_none()));
    }
}

#[test]
fn unknown_silence() {
    let (peer, run) = gives(TlsScript::new().not_tls(Foreign::Silence), State::Unknown, &["no answer"]);
    assert!(peer.connections() <= 4, "{} connections\n{}", peer.connections(), run.outcome.report());
}

#[test]
fn unknown_refused_port() {
    let run = at(free_port()).gives(State::Unknown, &["refused"]);
    assert_eq!(figure(&run, "connections"), 1.0);
    // The contract's default for this check can be changed, as everywhere.
    let down = at(free_port()).args(["--map-state", "unknown=critical"]);
    down.gives(State::Critical, &["refused"]);
}

#[test]
fn deadline_holds() {
    let peer = TlsPeer::start(TlsScript::new().not_tls(Foreign::Silence));
    let port = peer.port().to_string();
    let check =
        Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", &port]).timeout(0.6);
    let before = Instant::now();
    check.gives(State::Unknown, &[]);
    assert!(before.elapsed() >= Duration::from_millis(500));
    check.clone().args(["--timeout-state", "critical"]).gives(State::Critical, &[]);
    // Silent after the first answers.
    let peer = TlsPeer::start(and(&[0x0005]).cut_off(4.., Ending::Hang));
    let port = peer.port().to_string();
    let check =
        Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", &port]).timeout(0.6);
    let state = check.outcome().parsed().state;
    assert!(matches!(state, State::Unknown | State::Critical), "{state:?}");
}

#[test]
fn options_change_the_state() {
    let peer = TlsPeer::start(and(&[0x000a]).version(Version::Tls10, &[0xc013]));
    let check = || impatient(&peer);
    check().gives(State::Warning, &[]);
    let ignored = ["tls1_0", "small_block", "modest_strength", "no_forward_secrecy"];
    let all = ignored.iter().fold(check(), |check, name| check.args(["--ignore", name]));
    let run = all.gives(State::Ok, &[]);
    assert_eq!(["broken", "weak", "policy"].map(|label| figure(&run, label)), [0.0; 3]);
    check().args(["--severity", "tls1_0=critical"]).gives(State::Critical, &["tls1_0"]);
    // The last word counts.
    check()
        .args(["--severity", "tls1_0=critical", "--severity", "tls1_0=warning"])
        .gives(State::Warning, &[]);
    let mild = ignored.iter().fold(check(), |check, name| check.args(["--severity", &format!("{name}=ok")]));
    mild.gives(State::Ok, &[]);
    // --strict is about suites that are not listed, and bcp195 lists none.
    check().arg("--strict").gives(State::Warning, &[]);
    let strict = TlsPeer::start(TlsScript::good());
    impatient(&strict).arg("--strict").gives(State::Ok, &[]);
    let dhe = TlsPeer::start(and(&[0x009e]));
    impatient(&dhe).arg("--upcoming").gives(State::Warning, &["ffdhe"]);
    for wrong in [["--ignore", "no-such"], ["--severity", "tls1_0"], ["--severity", "tls1_0=worst"]] {
        check().args(wrong).gives(State::Unknown, &[wrong[0]]);
    }
    for wrong in
        [["-p", "0"], ["-p", "443,"], ["-p", "65536"], ["--starttls", "gopher"], ["--max-conns", "0"]]
    {
        Check::new("check_weak_ciphers").args(["-H", "127.0.0.1"]).args(wrong).gives(State::Unknown, &[]);
    }
}

#[test]
fn several_ports() {
    let (good, weak) = (TlsPeer::start(TlsScript::good()), TlsPeer::start(and(&[0x0005])));
    let check =
        |ports: &str| Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", ports]);
    let run = check(&format!("{},{}", good.port(), weak.port())).gives(State::Critical, &["rc4"]);
    says(&run, &format!("127.0.0.1:{} offers TLS1.2 and TLS1.3", good.port()));
    // What could not be seen leaves the sums unknown.
    let run = check(&format!("{},{}", good.port(), free_port())).gives(State::Unknown, &["refused"]);
    assert!(run.parsed.perf("broken").is_some_and(|item| item.value.is_none()));
}

// STARTTLS

fn smtp(script: Script, state: State, words: &[&str]) -> (Peer, Run) {
    let peer = Peer::start(script);
    let run = at(peer.port()).args(["--starttls", "smtp", "--handshake-timeout", "1"]).gives(state, words);
    (peer, run)
}

#[test]
fn critical_no_starttls() {
    let greeted = || Script::new().send("220 mail.lab.test ESMTP\r\n").expect("EHLO");
    let (peer, _) =
        smtp(greeted().send("250 mail.lab.test\r\n"), State::Critical, &["STARTTLS is not offered"]);
    assert_eq!(peer.connections(), 1);
    // Guessed by nobody: --starttls none sees a mail server where TLS should be.
    let script = greeted().send("250-mail.lab.test\r\n250 STARTTLS\r\n").expect("STARTTLS");
    smtp(script.clone().send("502 5.5.1 not here\r\n"), State::Critical, &["502 5.5.1 not here"]);
    let (_, run) = smtp(script.send("454 4.7.0 TLS not available\r\n"), State::Unknown, &["454 4.7.0"]);
    run.long("--max-conns 1");
    smtp(Script::new().send("421 4.7.0 too many\r\n").close(), State::Unknown, &["421 4.7.0 too many"]);
    smtp(Script::new().send("SSH-2.0-x\r\n"), State::Unknown, &["speaks SSH"]);
    smtp(Script::new().hold(), State::Unknown, &["no answer"]);
    smtp(Script::new().close(), State::Unknown, &["closed"]);
}

/// Every protocol but SMTP, with the lab's half of it.
const PROTOCOLS: [(&str, Protocol); 14] = [
    ("lmtp", Protocol::Lmtp),
    ("imap", Protocol::Imap),
    ("pop3", Protocol::Pop3),
    ("ftp", Protocol::Ftp),
    ("ldap", Protocol::Ldap),
    ("postgres", Protocol::Postgres),
    ("mysql", Protocol::MySql),
    ("xmpp-client", Protocol::XmppClient),
    ("xmpp-server", Protocol::XmppServer),
    ("sieve", Protocol::Sieve),
    ("nntp", Protocol::Nntp),
    ("irc", Protocol::Irc),
    ("rdp", Protocol::Rdp),
    ("telnet", Protocol::Telnet),
];

/// A greeting without end costs neither time nor memory.
#[test]
fn unknown_endless_greeting() {
    for endless in ["x", "220-x\r\n", "220 x\r\n250-", "\r\n"] {
        smtp(Script::new().repeat_forever(endless), State::Unknown, &[]);
        for (protocol, _) in PROTOCOLS {
            let peer = Peer::start(Script::new().repeat_forever(endless));
            let check = at(peer.port()).args(["--handshake-timeout", "1", "--starttls", protocol]);
            let outcome = check.outcome();
            let state = outcome.parsed().state;
            assert!(matches!(state, State::Unknown | State::Critical), "{protocol}\n{}", outcome.report());
        }
    }
}

/// Every protocol leads to TLS and to what is weak in it; what is said before comes in one piece or byte by byte.
#[test]
fn every_protocol_leads_to_tls() {
    for (name, protocol) in PROTOCOLS {
        for split in [false, true] {
            let front = |script: TlsScript| {
                let script = script.starttls(protocol, Upgrade::Offered);
                TlsPeer::start(if split { script.split() } else { script })
            };
            let weak = front(and(&[0x0005]));
            impatient(&weak).args(["--starttls", name]).gives(State::Critical, &["RC4-SHA"]);
            let good = front(TlsScript::good());
            let run = impatient(&good).args(["--starttls", name]).gives(State::Ok, &["nothing that bcp195"]);
            assert!(good.connections() <= CONNECTIONS, "{name}\n{}", run.outcome.report());
        }
    }
}

/// What is not offered is CRITICAL where it was asked for; what is refused for now is UNKNOWN.
#[test]
fn refusals_in_every_protocol() {
    // These have no word for a refusal that may pass.
    let speechless = ["postgres", "mysql", "rdp", "telnet"];
    for (name, protocol) in PROTOCOLS {
        let refused = |upgrade, state, words: &[&str]| {
            let peer = TlsPeer::start(TlsScript::good().starttls(protocol, upgrade));
            let run = impatient(&peer).args(["--starttls", name]).gives(state, words);
            run.silent_about("nothing that bcp195 forbids");
            assert!(peer.hellos().is_empty(), "{name}: a hello without leave");
        };
        refused(Upgrade::NotOffered, State::Critical, &["STARTTLS is not offered"]);
        if speechless.contains(&name) {
            refused(Upgrade::Refused, State::Critical, &["STARTTLS is not offered"]);
        } else {
            refused(Upgrade::Refused, State::Unknown, &["refused for now"]);
        }
        let busy = match name {
            "postgres" => "does not speak postgres",
            "telnet" => "does not speak telnet: \"Too many users",
            _ => "refused for now",
        };
        refused(Upgrade::Busy, State::Unknown, &[busy]);
    }
}

/// A limit that is reached halfway leaves the scan incomplete.
#[test]
fn unknown_cut_off_in_every_protocol() {
    for (name, protocol) in PROTOCOLS {
        for ending in [Ending::Busy, Ending::Reset] {
            let script = TlsScript::good().starttls(protocol, Upgrade::Offered).cut_off(3.., ending);
            let peer = TlsPeer::start(script);
            let check = impatient(&peer).args(["--max-conns", "1", "--starttls", name]);
            check.gives(State::Unknown, &["is not complete"]).silent_about("nothing that bcp195 forbids");
        }
    }
}

/// Silence, half an answer and the answers of other services.
#[test]
fn unknown_other_answers_in_every_protocol() {
    let no = |name: &str, script: Script, patience: &str, words: &str| {
        let peer = Peer::start(script);
        let check = at(peer.port()).args(["--handshake-timeout", patience, "--starttls", name]);
        check.gives(State::Unknown, &[words]);
    };
    for (name, _) in PROTOCOLS {
        no(name, Script::new().hold(), "0.3", "no answer");
        no(name, Script::new().close(), "2", "closed");
    }
    for (name, half) in [
        ("xmpp-client", &b"<stream:stream version='1.0'><stream:feat"[..]),
        ("xmpp-server", b"<stream:stream version='1.0'><stream:features><starttls/>"),
        ("sieve", b"\"STARTTLS\"\r\nO"),
        ("nntp", b"200 news\r\n38"),
        ("irc", b":irc CAP * LS :tls\r\n:irc 67"),
        ("rdp", b"\x03\0\0\x13\x0e\xd0"),
        ("telnet", b"\xff\xfd\x2e\xff\xfa\x2e\x01\xff"),
    ] {
        no(name, Script::new().send(half), "0.3", "no answer");
        no(name, Script::new().send(half).close(), "2", "closed");
        no(name, Script::new().send("SSH-2.0-OpenSSH_9.2p1\r\nx"), "2", "speaks SSH, not TLS");
    }
}

/// A name that a chat server does not know is the operator's to mend.
#[test]
fn unknown_name_of_a_chat_server() {
    for condition in ["host-unknown", "see-other-host"] {
        let error = format!("<stream:stream version='1.0'><stream:error><{condition}/></stream:error>");
        let peer = Peer::start(Script::new().send(error.as_str()));
        let check = at(peer.port()).args(["--starttls", "xmpp-client", "--sni", "im.lab.test"]);
        let run = check.gives(State::Unknown, &["is not the one for this name", condition]);
        run.long("--sni NAME");
        assert_eq!(peer.connections(), 1);
    }
    let peer = TlsPeer::start(TlsScript::good().starttls(Protocol::XmppServer, Upgrade::Offered));
    impatient(&peer).args(["--starttls", "xmpp-server", "--sni", "im.lab.test"]).gives(State::Ok, &[]);
    assert!(peer.said().iter().any(|(_, words)| words.contains("to='im.lab.test'")));
}

/// Some greet before TLS wherever they listen.
#[test]
fn greetings_are_taken_at_their_word() {
    for protocol in [Protocol::Sieve, Protocol::Nntp, Protocol::Irc, Protocol::Telnet] {
        let peer = TlsPeer::start(TlsScript::good().starttls(protocol, Upgrade::Offered));
        impatient(&peer).gives(State::Ok, &["nothing that bcp195 forbids"]);
    }
}

/// A mail server of today: what its administrator forbade is not offered, and what was allowed is found.
#[test]
fn postfix_by_starttls_and_at_once() {
    if left_out_without_root("a real Postfix") {
        return;
    }
    let strong = [("smtpd_tls_protocols", ">=TLSv1.2"), ("smtpd_tls_mandatory_protocols", ">=TLSv1.2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let lists = [("tls_high_cipherlist", "ECDHE+AESGCM"), ("tls_medium_cipherlist", "ECDHE+AESGCM")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let main_cf = strong.into_iter().chain(lists).collect();
    let postfix = Postfix::start(&PostfixOptions { main_cf, ..PostfixOptions::default() });
    let submission = at(postfix.port(Listener::Submission)).args(["--starttls", "smtp"]);
    let run = submission.gives(State::Ok, &["offers TLS1.2 and TLS1.3", "nothing that bcp195 forbids"]);
    assert_eq!(figure(&run, "connections"), 8.0);
    at(postfix.port(Listener::Implicit)).gives(State::Ok, &["nothing that bcp195 forbids"]);
    // The greeting says what it is.
    at(postfix.port(Listener::Submission)).gives(State::Ok, &["nothing that bcp195 forbids"]);
    let at_once = at(postfix.port(Listener::Submission)).args(["--starttls", "none"]);
    at_once.gives(State::Unknown, &["--starttls smtp"]);
    let plain = at(postfix.port(Listener::Plaintext)).args(["--starttls", "smtp"]);
    plain.gives(State::Critical, &["STARTTLS is not offered"]);
}

// openssl s_server

/// A real stack with these arguments.
fn openssl(arguments: &[&str]) -> (tempfile::TempDir, Daemon, u16) {
    let folder = tempfile::tempdir().unwrap();
    let identity = SelfSigned::new(folder.path(), "rsa:2048");
    let port = free_port();
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
    command.arg(&identity.certificate).arg("-key").arg(&identity.key).args(arguments);
    let mut daemon = Daemon::spawn("openssl s_server", command, Group::FromLab, &folder.path().join("log"));
    daemon.wait_listening(port);
    (folder, daemon, port)
}

#[test]
fn openssl_shows_what_it_takes() {
    let sound = ["-cipher", "ECDHE+AESGCM", "-min_protocol", "TLSv1.2"];
    let (_folder, _server, port) = openssl(&sound);
    let run = at(port).gives(State::Ok, &["TLS1.2 and TLS1.3", "nothing that bcp195 forbids"]);
    assert_eq!(figure(&run, "connections"), 8.0, "{}", run.outcome.report());
    for (arguments, state, words) in [
        (&["-cipher", "ECDHE+AESGCM:AES128-SHA"][..], State::Warning, "AES128-SHA"),
        (&["-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1"], State::Critical, "anonymous"),
        (&["-cipher", "NULL-SHA256:ECDHE+AESGCM:@SECLEVEL=0"], State::Critical, "NULL-SHA256"),
        (&["-tls1_3"], State::Ok, "offers TLS1.3 and"),
        (&["-cipher", "DEFAULT:@SECLEVEL=0", "-min_protocol", "TLSv1"], State::Warning, "tls1_0"),
    ] {
        let (_folder, _server, port) = openssl(arguments);
        says(&at(port).gives(state, &[]), words);
    }
}

/// `openssl ciphers` lists the truth; none of what bcp195 forbids of it may be missed.
#[test]
fn openssl_everything_is_found() {
    let all = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-no_tls1_3", "-no_tls1", "-no_tls1_1"];
    let (_folder, _server, port) = openssl(&all);
    let run = at(port).args(["--output", "json"]).outcome();
    let text = run.text();
    for name in ["NULL-SHA256", "ADH-AES128-GCM-SHA256", "AECDH-AES128-SHA"] {
        assert!(text.contains(name), "no {name}\n{}", run.report());
    }
}
