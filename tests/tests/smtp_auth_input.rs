//! check_smtp_auth and its options: every mistake is one clear UNKNOWN line, and nothing is
//! sent to anybody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;

use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::has_ipv6;
use tests::mail::{Mail, PASSWORD, USER, clear_to_auth, encode, plain_blob};
use tests::{Check, Run};

/// A server that accepts a login in the clear with [`PASSWORD`] and nothing else.
fn accepting() -> Script {
    let blob = plain_blob("", USER, PASSWORD);
    clear_to_auth("AUTH PLAIN").expect(&format!("AUTH PLAIN {blob}\r\n")).send("235 2.7.0 ok\r\n").quit()
}

/// A server that must not be reached, and a fixture.
struct Untouched {
    mail: Mail,
    peer: Peer,
}

impl Untouched {
    fn new() -> Self {
        Self { mail: Mail::new(), peer: Peer::start(accepting()) }
    }

    fn address(&self) -> SocketAddr {
        self.peer.addr()
    }

    /// A complete call that would log in.
    fn complete(&self) -> Check {
        self.mail.clear(self.address())
    }

    /// The mistake is named, quickly, and no connection was made.
    fn refuses(&self, check: &Check, words: &[&str]) -> Run {
        let run = check.gives(State::Unknown, words);
        assert_eq!(run.outcome.code, Some(3));
        assert!(run.parsed.long.iter().all(|line| line.starts_with("hint: ")), "{}", run.outcome.report());
        assert_eq!(self.peer.connections(), 0, "{}", run.outcome.report());
        run
    }
}

/// `check_smtp_auth` with user and password by environment, in the clear.
fn by_environment(arguments: &[&str]) -> Check {
    let login = ["-u", USER, "--password-env", "PROBE_PW", "--tls", "none", "--allow-plaintext"];
    Check::new("check_smtp_auth").args(arguments).args(login).env("PROBE_PW", PASSWORD).timeout(2.0)
}

// The target

#[test]
fn unknown_host_does_not_resolve() {
    for (host, name) in [
        ("no-such-host.invalid", "no-such-host.invalid"),
        ("bücher.invalid", "xn--bcher-kva.invalid"),
        ("BÜCHER.invalid", "xn--bcher-kva.invalid"),
        ("No-Such-Host.Invalid.", "no-such-host.invalid"),
    ] {
        let outcome = by_environment(&["-H", host]).outcome();
        let parsed = outcome.parsed();
        // A machine whose resolver never answers has run into the time limit instead.
        let (state, words) = if parsed.summary.contains("timeout") {
            (State::Critical, "timeout after 2 s while resolving".to_owned())
        } else {
            (State::Unknown, format!("cannot resolve {name}"))
        };
        assert_eq!(parsed.state, state, "{}", outcome.report());
        assert!(parsed.summary.contains(&words), "{}", outcome.report());
        for label in ["time_dns", "time_connect"] {
            assert!(parsed.perf(label).is_some_and(|perf| perf.value.is_none()), "{}", outcome.report());
        }
    }
}

#[test]
fn critical_port_is_closed() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let run = by_environment(&["-H", "127.0.0.1", "-p", &port])
        .gives(State::Critical, &[&format!("cannot connect to 127.0.0.1:{port}: Connection refused")]);
    assert!(run.parsed.perf("time_connect").unwrap().value.is_none());
    assert!(run.parsed.value("time").unwrap() < 1.0);
}

#[test]
fn unknown_host_malformed() {
    for host in [
        "",
        " ",
        "a b",
        "mail:25",
        "127.0.0.1:25",
        "[mail]",
        "[127.0.0.1]",
        "-a.test",
        "a..b",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "*",
        "a/b",
        "::1::",
        "fe80::1%",
        "mail.test\r\nMAIL FROM:<>",
        "a\tb",
        "user@host",
        "http://x",
        "ü\u{202e}.test",
        "a|b",
    ] {
        let run = by_environment(&[&format!("--hostname={host}")]).gives(State::Unknown, &["--hostname: "]);
        assert!(run.parsed.perfdata.is_empty());
    }
    let long = "a.".repeat(130);
    by_environment(&["-H", &long]).gives(State::Unknown, &["--hostname: "]);
    by_environment(&[]).gives(State::Unknown, &["--hostname: required"]);
}

#[test]
fn unknown_port_malformed() {
    for port in ["0", "65536", "-1", "smtp", "", "25x", "2.5", " 25"] {
        by_environment(&["-H", "127.0.0.1", &format!("--port={port}")]).gives(State::Unknown, &["--port: "]);
    }
}

#[test]
fn unknown_family_contradicts() {
    let untouched = Untouched::new();
    untouched.refuses(&untouched.complete().args(["-4", "-6"]), &["cannot stand together"]);
    untouched.refuses(&untouched.complete().arg("-6"), &["127.0.0.1", "no IPv6 address"]);
    by_environment(&["-H", "::1", "-4"]).gives(State::Unknown, &["::1", "no IPv4 address"]);
}

#[test]
fn ok_address_literals() {
    let mail = Mail::new();
    let peer = Peer::start(accepting());
    mail.clear(peer.addr())
        .arg("-4")
        .gives(State::Ok, &[&format!("logged in to 127.0.0.1:{} ", peer.port())]);
    if has_ipv6() {
        let peer = Peer::start_on("[::1]:0".parse().unwrap(), accepting());
        let port = peer.port().to_string();
        for host in ["::1", "[::1]", "0:0:0:0:0:0:0:1"] {
            let check = by_environment(&["-H", host, "-p", &port]);
            check.gives(State::Ok, &[&format!("logged in to [::1]:{port} ")]);
            check.arg("-6").gives(State::Ok, &["logged in"]);
        }
    } else {
        eprintln!("LEFT OUT: no IPv6 loopback");
    }
}

#[test]
fn ok_host_by_name() {
    let peer = Peer::start(accepting());
    let port = peer.port().to_string();
    for arguments in [&["-H", "localhost"][..], &["-H", "LocalHost"], &["--host", "localhost", "-4"]] {
        let run = by_environment(&["-p", &port]).args(arguments);
        let run = run.gives(State::Ok, &[&format!("logged in to localhost:{port} by PLAIN without TLS")]);
        assert!(run.parsed.value("time_dns").is_some());
    }
}

// Who logs in

#[test]
fn unknown_user_missing_or_unspeakable() {
    let untouched = Untouched::new();
    let base = || {
        let check =
            Mail::bare(untouched.address()).args(["--tls", "none", "--allow-plaintext", "--password-file"]);
        check.arg(untouched.mail.password_file()).timeout(1.0)
    };
    untouched.refuses(&base(), &["--user: required"]);
    untouched.refuses(&base().args(["-u", ""]), &["--user: required"]);
    for user in ["probe\r\nMAIL FROM:<a@b>", "probe\n", "\rprobe", "a\r\n"] {
        untouched.refuses(&base().args(["-u", user]), &["--user: contains a line break"]);
        untouched
            .refuses(&base().args(["-u", USER, "--authzid", user]), &["--authzid: contains a line break"]);
    }
    untouched.refuses(&base().arg("-u").arg(OsStr::from_bytes(b"pr\xffbe")), &["not UTF-8"]);
    untouched.refuses(&base().args(["-u", "a", "-u", "b"]), &["--user: given more than once"]);
}

#[test]
fn unknown_helo_unspeakable() {
    let untouched = Untouched::new();
    for name in
        ["mail.test\r\nRSET", "mail.test\n", "localhost", "a b.test", "", "[::1]", "[mail]", "mail..test"]
    {
        let check = untouched.complete().arg(format!("--helo={name}"));
        untouched.refuses(&check, &["--helo: "]);
    }
}

#[test]
fn unknown_password_missing() {
    let untouched = Untouched::new();
    let base = || Mail::bare(untouched.address()).args(["-u", USER, "--tls", "none"]).timeout(1.0);
    untouched.refuses(&base(), &["--password-file: required", "--password-env", "--password-fd"]);
    untouched.refuses(&base().args(["--password-env", "NO_SUCH_NAME"]), &["NO_SUCH_NAME is not set"]);
    untouched.refuses(&base().args(["--password-env", "EMPTY"]).env("EMPTY", ""), &["EMPTY", "empty"]);
    untouched.refuses(&base().args(["--password-fd", "77"]), &["file descriptor 77 is not open"]);
    untouched.refuses(&base().args(["--password-fd", "0"]), &["file descriptor 0", "empty"]);
    untouched.refuses(&base().args(["--password-fd", "x"]), &["--password-fd: "]);
    let both = base().args(["--password-env", "A", "--password-fd", "0"]).env("A", PASSWORD);
    untouched.refuses(&both, &["cannot stand together"]);
}

#[test]
fn unknown_password_file_unusable() {
    let untouched = Untouched::new();
    let mail = &untouched.mail;
    let base = || {
        Mail::bare(untouched.address()).args(["-u", USER, "--tls", "none", "--password-file"]).timeout(1.0)
    };
    for mode in [0o644, 0o660, 0o606, 0o777] {
        let file = mail.file("open", format!("{PASSWORD}\n"), mode);
        let run = untouched.refuses(&base().arg(&file), &["too open", &format!("mode {mode:04o}")]);
        run.long(&format!("hint: chmod g-w,o= {}", file.display())).silent_about(PASSWORD);
    }
    untouched.refuses(&base().arg(mail.dir().join("absent")), &["cannot read", "absent", "No such file"]);
    untouched.refuses(&base().arg(mail.dir()), &["directory"]);
    untouched.refuses(&base().arg(mail.file("empty", "", 0o600)), &["empty"]);
    untouched.refuses(&base().arg(mail.file("blank", "\nsecond\n", 0o600)), &["empty"]);
    untouched.refuses(&base().arg(mail.file("nul", "a\0b\n", 0o600)), &["NUL"]);
    untouched.refuses(&base().arg(""), &["--password-file"]);
}

#[test]
fn unknown_password_on_the_command_line() {
    let untouched = Untouched::new();
    let base = || Mail::bare(untouched.address()).args(["-u", USER, "--tls", "none", "--allow-plaintext"]);
    for arguments in [
        &["--password", PASSWORD][..],
        &["-P", PASSWORD],
        &[&format!("--password={PASSWORD}")],
        &[&format!("-P{PASSWORD}")],
        &["--password", PASSWORD, "--password", PASSWORD],
        &["--password", PASSWORD, "--no-such-option"],
        &["--password", PASSWORD, "-vvv", "--output", "text"],
    ] {
        let run = untouched.refuses(&base().args(arguments), &["--"]);
        run.silent_about(PASSWORD).silent_about(&encode(PASSWORD));
    }
    let file = untouched.mail.password_file();
    let check = base().args(["--password", PASSWORD, "--password-file"]).arg(file);
    untouched.refuses(&check, &["--password: refused"]).long("--password-file").silent_about(PASSWORD);
    untouched.refuses(&base().arg(PASSWORD), &["word that belongs to no option"]).silent_about(PASSWORD);
}

#[test]
fn ok_password_from_each_source() {
    let mail = Mail::new();
    let peer = Peer::start(accepting());
    let base =
        || Mail::bare(peer.addr()).args(["--tls", "none", "--allow-plaintext", "-u", USER]).timeout(1.0);
    let words = ["logged in"];
    base().args(["--password-env", "PW"]).env("PW", PASSWORD).gives(State::Ok, &words);
    base().args(["--password-env", "PW"]).env("PW", format!("{PASSWORD}\nmore")).gives(State::Ok, &words);
    base().args(["--password-fd", "0"]).stdin_bytes(format!("{PASSWORD}\n")).gives(State::Ok, &words);
    base().arg("--password-file").arg(mail.password_file()).gives(State::Ok, &words);
    for mode in [0o640, 0o400] {
        let file = mail.file("pw", format!("{PASSWORD}\r\nsecond line\n"), mode);
        base().arg("--password-file").arg(file).gives(State::Ok, &words);
    }
    let (host, port) = (peer.addr().ip(), peer.port());
    let text = format!(
        "[check_smtp_auth]\nhostname={host}\nport={port}\nuser={USER}\ntls=none\nallow-plaintext\npassword={PASSWORD}\n"
    );
    let ini = mail.file("all.ini", text, 0o640);
    let check = Check::new("check_smtp_auth").arg(format!("--extra-opts=@{}", ini.display())).timeout(1.0);
    check.clone().arg("-vvv").gives(State::Ok, &words).silent_about(PASSWORD);
    peer.assert_followed();

    // With a password in it the file is a secret file.
    let connections = peer.connections();
    let open = mail.file("all.ini", std::fs::read(&ini).unwrap(), 0o644);
    let run = check.gives(State::Unknown, &["--extra-opts: ", "too open"]);
    run.long(&format!("chmod g-w,o= {}", open.display())).silent_about(PASSWORD);
    assert_eq!(peer.connections(), connections);
}

#[test]
fn critical_password_of_the_file_is_the_one_sent() {
    let mail = Mail::new();
    let peer = Peer::start(accepting());
    let other = mail.file("other", "another-password\n", 0o600);
    let check =
        Mail::bare(peer.addr()).args(["--tls", "none", "--allow-plaintext", "-u", USER, "--password-file"]);
    // The scripted server knows one password and closes otherwise.
    check.arg(other).timeout(1.0).gives(State::Critical, &["closed by the server while authenticating"]);
    assert_eq!(peer.mismatches().len(), 1);
}

// How

#[test]
fn unknown_mechanism() {
    let untouched = Untouched::new();
    for name in ["NOPE", "SCRAM-SHA-512", "PLAIN,LOGIN", "", "PLAIN\r\nX"] {
        untouched.refuses(&untouched.complete().arg(format!("--mech={name}")), &["--mech: "]);
    }
}

#[test]
fn unknown_authzid_where_it_has_no_place() {
    let untouched = Untouched::new();
    for name in ["LOGIN", "CRAM-MD5"] {
        let check = untouched.complete().args(["--authzid", "boss", "--mech", name]);
        untouched.refuses(&check, &[&format!("--authzid: {name} cannot act as somebody else")]);
    }
}

#[test]
fn authzid_is_never_dropped_in_silence() {
    let mail = Mail::new();
    let blob = plain_blob("boss", USER, PASSWORD);
    let script =
        clear_to_auth("AUTH CRAM-MD5 LOGIN PLAIN").expect(&format!("AUTH PLAIN {blob}")).send("235 ok\r\n");
    let peer = Peer::start(script.quit());
    mail.clear(peer.addr()).args(["--authzid", "boss"]).gives(State::Ok, &["by PLAIN"]);
    peer.assert_followed();
    let peer = Peer::start(clear_to_auth("AUTH CRAM-MD5 LOGIN").quit());
    mail.clear(peer.addr()).args(["--authzid", "boss"]).gives(State::Critical, &["none of those offered"]);
    peer.assert_followed();
}

#[test]
fn unknown_range_and_number_options() {
    let untouched = Untouched::new();
    for (option, value) in [
        ("--warning", "5:2"),
        ("--warning", "1e3"),
        ("--critical", ""),
        ("--critical", "10x"),
        ("--critical", ":5"),
        ("--timeout", "0"),
        ("--max-reply", "0"),
        ("--max-reply", "2GiB"),
        ("--tls", "ssl"),
        ("--tls-min", "1.1"),
        ("--temporary-state", "bad"),
        ("--cert-warning", "x"),
        ("--output", "xml"),
    ] {
        let check = untouched.mail.with_login(untouched.address()).arg(format!("{option}={value}"));
        untouched.refuses(&check, &[&format!("{option}: ")]);
    }
    let check = untouched.complete().args(["-w", "10", "-c", "5"]);
    untouched.refuses(&check, &["--warning: ", "10", "5"]);
    untouched.refuses(&untouched.complete().arg("--no-such"), &["--no-such: unknown option"]);
    untouched.refuses(&untouched.complete().args(["--tls", "none"]), &["--tls: given more than once"]);
}

#[test]
fn help_and_version_connect_nowhere() {
    let untouched = Untouched::new();
    let outcome = untouched.complete().arg("--version").outcome();
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(3), "check_smtp_auth 0.1.0\n"));
    let outcome = untouched.complete().arg("--help").outcome();
    assert_eq!(outcome.code, Some(3));
    let help = outcome.text();
    for word in
        ["--hostname", "--password-file", "--cert-warning", "--temporary-state", "States:", "Examples:"]
    {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
    for hidden in ["--password <", "-P,", "--family"] {
        assert!(!help.contains(hidden), "{hidden} in\n{help}");
    }
    assert_eq!(untouched.peer.connections(), 0);
}

// Other forms of output

#[test]
fn forms_of_output_agree() {
    let mail = Mail::new();
    let peer =
        Peer::start(clear_to_auth("AUTH PLAIN LOGIN").expect("AUTH").send("535 5.7.8 no | \"x\"\r\n").quit());
    let check = mail.clear(peer.addr());
    let text = check.gives(State::Critical, &["credentials of probe rejected"]).parsed;
    let json = check.clone().args(["--output", "json"]).outcome();
    assert_eq!(json.code, Some(2));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["summary"], text.summary);
    assert_eq!(json["status"], "CRITICAL");
    assert_eq!(json["findings"][0]["id"], "credentials_rejected");
    let labels: Vec<&str> =
        json["perfdata"].as_array().unwrap().iter().map(|p| p["label"].as_str().unwrap()).collect();
    assert_eq!(labels, text.labels());
    assert_eq!(json["data"]["sessions"][0]["end"]["Stopped"]["Refused"][1]["code"], 535);
    let zabbix = check.clone().args(["--output", "zabbix"]).outcome();
    let zabbix: serde_json::Value = serde_json::from_slice(&zabbix.stdout).unwrap();
    assert_eq!(zabbix["summary"], text.summary);
    assert_eq!(zabbix["metrics"]["mechs"], 2);
    let prometheus = check.args(["--output", "prometheus"]).outcome();
    assert_eq!(prometheus.code, Some(2));
    let target = format!("target=\"127.0.0.1:{}\"", peer.port());
    for line in [
        format!("vedette_state{{plugin=\"smtp_auth\",{target}}} 2"),
        format!("vedette_smtp_auth_mechs{{{target}}} 2"),
    ] {
        assert!(prometheus.text().lines().any(|found| found == line), "{line}\n{}", prometheus.report());
    }
    peer.assert_followed();
}
