//! check_smtp_auth and TLS: certificates, versions, client certificates, the wrong kind of
//! port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::os::unix::fs::PermissionsExt;

use lab::certs::{Authority, Leaf, LeafOptions};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::smtpd::{Submission, SubmissionOptions, TlsMode};
use lab::tls::{Versions, server_with};
use tests::Check;
use tests::mail::{Mail, PASSWORD, USER};

/// A server that accepts the login, a fixture, and a call that trusts the server's authority.
struct Scene {
    server: Submission,
    mail: Mail,
}

impl Scene {
    fn with_leaf(authority: Authority, leaf: &Leaf) -> Self {
        let options = SubmissionOptions {
            users: [(USER.to_owned(), PASSWORD.to_owned())].into(),
            ..SubmissionOptions::default()
        };
        Self { server: Submission::start_with(options, authority, leaf), mail: Mail::new() }
    }

    fn signed(options: &LeafOptions) -> Self {
        let authority = Authority::new("Lab Root CA");
        let leaf = authority.leaf(options);
        Self::with_leaf(authority, &leaf)
    }

    fn days(days: i32) -> Self {
        Self::signed(&LeafOptions::default().days(days.into()))
    }

    /// Without any word about whom to trust.
    fn bare(&self) -> Check {
        self.mail.with_login(self.server.addr()).timeout(2.0)
    }

    fn check(&self) -> Check {
        self.bare().arg("--ca-file").arg(self.server.ca_file())
    }
}

fn days(run: &tests::Run) -> Option<f64> {
    run.parsed.perf("cert_days").expect("cert_days").value
}

// Days

#[test]
fn critical_expired() {
    for (left, words) in [(-3, "certificate expired 3 days ago"), (-1, "certificate expired 1 day ago")] {
        let run = Scene::days(left).check().gives(State::Critical, &[words]);
        assert_eq!(days(&run), Some(f64::from(left)));
        assert!(run.parsed.value("time_tls").is_some() && run.parsed.value("time_auth").is_none());
    }
}

#[test]
fn critical_few_days_although_the_login_works() {
    for left in [0, 1, 5, 6] {
        let words = format!("certificate expires in {left} day");
        let run = Scene::days(left).check().gives(State::Critical, &[&words, "critical below 7"]);
        assert_eq!(days(&run), Some(f64::from(left)));
        run.long("probe logged in");
    }
}

#[test]
fn warning_some_days() {
    for left in [7, 15, 20] {
        let words = format!("certificate expires in {left} days, warning below 21");
        let run = Scene::days(left).check().gives(State::Warning, &[&words]);
        run.long("probe logged in");
    }
}

#[test]
fn ok_enough_days() {
    for left in [21, 22, 400] {
        let run = Scene::days(left).check().gives(State::Ok, &["probe logged in"]);
        let perf = run.parsed.perf("cert_days").unwrap();
        assert_eq!(
            (perf.value, perf.warn.as_deref(), perf.crit.as_deref()),
            (Some(f64::from(left)), Some("21:"), Some("7:"))
        );
    }
}

#[test]
fn day_limits_are_options_and_a_contradicting_default_is_dropped() {
    let scene = Scene::days(15);
    for (arguments, state, warn, crit) in [
        (&["--cert-warning", "10"][..], State::Ok, Some("10:"), Some("7:")),
        (&["--cert-warning", "16"], State::Warning, Some("16:"), Some("7:")),
        (&["--cert-warning", "15"], State::Ok, Some("15:"), Some("7:")),
        (&["--cert-warning", "5"], State::Ok, Some("5:"), None),
        (&["--cert-critical", "15"], State::Warning, Some("21:"), Some("15:")),
        (&["--cert-critical", "16"], State::Critical, Some("21:"), Some("16:")),
        (&["--cert-critical", "30"], State::Critical, None, Some("30:")),
        (&["--cert-warning", "40", "--cert-critical", "30"], State::Critical, Some("40:"), Some("30:")),
        (&["--cert-warning", "0", "--cert-critical", "0"], State::Ok, Some("0:"), Some("0:")),
    ] {
        let run = scene.check().args(arguments).gives(state, &[]);
        let perf = run.parsed.perf("cert_days").unwrap();
        assert_eq!((perf.warn.as_deref(), perf.crit.as_deref()), (warn, crit), "{arguments:?}");
    }
    let run = scene.check().args(["--cert-warning", "5", "--cert-critical", "7"]);
    run.gives(State::Unknown, &["--cert-warning: 5 days is below --cert-critical 7"]);
    for value in ["-1", "1.5", "x", "", "99999999999"] {
        let check = scene.check().arg(format!("--cert-warning={value}"));
        check.gives(State::Unknown, &["--cert-warning: "]);
    }
}

#[test]
fn expired_is_critical_whatever_the_limits() {
    let scene = Scene::days(-2);
    let check = scene.check().args(["--cert-warning", "0", "--cert-critical", "0"]);
    check.gives(State::Critical, &["certificate expired 2 days ago"]);
}

// Name

#[test]
fn critical_wrong_name() {
    let scene = Scene::signed(&LeafOptions::server_named("other.lab.test"));
    let run =
        scene.check().gives(State::Critical, &["certificate is not for 127.0.0.1 but for other.lab.test"]);
    run.long("--sni");
    assert_eq!(days(&run), Some(90.0), "a bad certificate still shows its days");
    let check = scene.check().args(["--sni", "mail.lab.test"]);
    check.gives(State::Critical, &["certificate is not for mail.lab.test but for other.lab.test"]);
}

#[test]
fn ok_name_given_by_sni() {
    let scene = Scene::signed(&LeafOptions::server_named("other.lab.test"));
    for name in ["other.lab.test", "OTHER.lab.test", "other.lab.test."] {
        let run = scene.check().args(["-v", "--sni", name]).gives(State::Ok, &["logged in"]);
        run.long("TLS: TLSv1.3 ");
    }
    let scene = Scene::signed(&LeafOptions::server_named("*.lab.test"));
    scene.check().args(["--sni", "any.lab.test"]).gives(State::Ok, &["logged in"]);
    scene.check().args(["--servername", "a.b.lab.test"]).gives(State::Critical, &["not for a.b.lab.test"]);
}

#[test]
fn ok_host_name_is_the_name_in_the_certificate() {
    let scene = Scene::days(90);
    let port = scene.server.port().to_string();
    let check = Check::new("check_smtp_auth").args(["-H", "localhost", "-4", "-p", &port, "-u", USER]);
    let check = check.arg("--password-file").arg(scene.mail.password_file());
    let run = check.arg("--ca-file").arg(scene.server.ca_file()).timeout(2.0);
    let run = run.gives(State::Ok, &[&format!("probe logged in to localhost:{port} by PLAIN over TLSv1.3")]);
    assert!(run.parsed.value("time_dns").is_some(), "a name was looked up");
}

#[test]
fn critical_certificate_without_any_name() {
    let options = LeafOptions { dns_names: Vec::new(), ips: Vec::new(), ..LeafOptions::default() };
    // The common name does not count (RFC 6125).
    let scene = Scene::signed(&options);
    scene
        .check()
        .args(["--sni", "mail.lab.test"])
        .gives(State::Critical, &["certificate is not for mail.lab.test but for no name at all"]);
}

#[test]
fn critical_wrong_name_among_very_many() {
    let dns_names = (0..500).map(|number| format!("a-rather-long-host-name-{number}.lab.test")).collect();
    let scene = Scene::signed(&LeafOptions { dns_names, ips: Vec::new(), ..LeafOptions::default() });
    let run = scene.check().gives(State::Critical, &["certificate is not for 127.0.0.1 but for "]);
    assert!(run.parsed.summary.chars().count() < 300, "{}", run.parsed.summary);
}

// Chain

#[test]
fn critical_unknown_authority() {
    let stranger = Authority::new("Stranger CA");
    let leaf = stranger.leaf(&LeafOptions::default());
    let scene = Scene::with_leaf(Authority::new("Lab Root CA"), &leaf);
    let words = ["certificate chain does not lead to", "ca.pem", "Stranger CA"];
    let run = scene.check().gives(State::Critical, &words);
    run.long("--ca-file");
    assert_eq!(days(&run), Some(90.0));
    // The same authority name with another key is as bad.
    let leaf = Authority::new("Lab Root CA").leaf(&LeafOptions::default());
    let scene = Scene::with_leaf(Authority::new("Lab Root CA"), &leaf);
    scene.check().gives(State::Critical, &["certificate"]);
}

#[test]
fn critical_private_authority_by_the_roots_of_the_system() {
    let run =
        Scene::days(90).bare().gives(State::Critical, &["does not lead to the system's CA certificates"]);
    run.long("--ca-file");
}

#[test]
fn self_signed_is_refused_or_pinned() {
    let leaf = Leaf::self_signed(&LeafOptions::default());
    let scene = Scene::with_leaf(Authority::new("Lab Root CA"), &leaf);
    scene.check().gives(State::Critical, &["certificate"]);
    let pin = scene.mail.file("pin.pem", &leaf.cert_pem, 0o644);
    scene.bare().arg("--ca-file").arg(&pin).gives(State::Ok, &["logged in"]);

    // A pinned certificate still has a name and an end.
    for (options, words) in [
        (LeafOptions::server_named("other.lab.test"), "not for 127.0.0.1 but for other.lab.test"),
        (LeafOptions::default().days(-2), "certificate expired 2 days ago"),
    ] {
        let leaf = Leaf::self_signed(&options);
        let scene = Scene::with_leaf(Authority::new("Lab Root CA"), &leaf);
        let pin = scene.mail.file("pin.pem", &leaf.cert_pem, 0o644);
        scene.bare().arg("--ca-file").arg(&pin).gives(State::Critical, &[words]);
    }
}

#[test]
fn intermediate_must_be_sent() {
    let root = Authority::new("Lab Root CA");
    let mut leaf = root.leaf_via_intermediate(&LeafOptions::default(), 400);
    let scene = Scene::with_leaf(root, &leaf);
    let run = scene.check().arg("-v").gives(State::Ok, &["logged in"]);
    run.long("certificate 0: CN=mail.lab.test").long("certificate 1: CN=Lab Intermediate CA");

    let root = Authority::new("Lab Root CA");
    leaf = root.leaf_via_intermediate(&LeafOptions::default(), 400);
    leaf.chain_der.truncate(1);
    let scene = Scene::with_leaf(root, &leaf);
    let words = ["certificate chain does not lead to", "Lab Intermediate CA"];
    scene.check().gives(State::Critical, &words).long("incomplete chain");
}

#[test]
fn intermediate_that_ends_first_counts() {
    for (left, state, words) in [
        (5, State::Critical, "certificate expires in 5 days, critical below 7"),
        (15, State::Warning, "certificate expires in 15 days, warning below 21"),
        (-2, State::Critical, "certificate expired 2 days ago"),
    ] {
        let root = Authority::new("Lab Root CA");
        let leaf = root.leaf_via_intermediate(&LeafOptions::default(), left.into());
        let run = Scene::with_leaf(root, &leaf).check().gives(state, &[words]);
        assert_eq!(days(&run), Some(f64::from(left)));
    }
}

#[test]
fn ok_expired_certificate_that_is_not_needed() {
    let root = Authority::new("Lab Root CA");
    let mut leaf = root.leaf(&LeafOptions::default());
    leaf.chain_der.push(Authority::new("Old Cross CA").intermediate("Old CA", -400).ca_der().to_vec());
    let run = Scene::with_leaf(root, &leaf).check().gives(State::Ok, &["logged in"]);
    assert_eq!(days(&run), Some(90.0));
}

#[test]
fn critical_certificate_for_clients() {
    let options = LeafOptions { usage: lab::certs::Usage::Client, ..LeafOptions::default() };
    Scene::signed(&options).check().gives(State::Critical, &["certificate is not meant for servers"]);
}

#[test]
fn insecure_trusts_anyone_and_still_counts_the_days() {
    let stranger = || {
        let leaf = Authority::new("Stranger CA").leaf(&LeafOptions::server_named("other.lab.test"));
        Scene::with_leaf(Authority::new("Lab Root CA"), &leaf)
    };
    let run = stranger().bare().arg("--insecure").gives(State::Ok, &["logged in"]);
    run.long("note: certificate not verified (--insecure)");
    assert_eq!(days(&run), Some(90.0));
    for (left, state, words) in [
        (5, State::Critical, "certificate expires in 5 days"),
        (15, State::Warning, "certificate expires in 15 days"),
        (-3, State::Critical, "certificate expired 3 days ago"),
    ] {
        Scene::days(left).bare().arg("--insecure").gives(state, &[words]);
    }
    stranger()
        .check()
        .arg("--insecure")
        .gives(State::Unknown, &["--ca-file: cannot stand together with --insecure"]);
}

// Versions

fn peer_with(mail: &Mail, versions: Versions, client_ca: Option<&Authority>) -> Peer {
    let leaf = mail.authority.leaf(&LeafOptions::default());
    let config = server_with(&leaf, versions, client_ca);
    let script = Script::new().banner().ehlo(&["STARTTLS"]).starttls(&config).ehlo(&["AUTH PLAIN"]);
    Peer::start(script.expect("AUTH PLAIN").send("235 ok\r\n").quit())
}

#[test]
fn ok_each_version() {
    let mail = Mail::new();
    for (versions, minimum, shown) in [
        (Versions::Tls12, "1.2", "over TLSv1.2"),
        (Versions::Tls13, "1.2", "over TLSv1.3"),
        (Versions::Both, "1.2", "over TLSv1.3"),
        (Versions::Both, "1.3", "over TLSv1.3"),
    ] {
        let peer = peer_with(&mail, versions, None);
        mail.starttls(peer.addr()).args(["--tls-min", minimum]).gives(State::Ok, &["by PLAIN", shown]);
        peer.assert_followed();
    }
}

#[test]
fn critical_version_below_the_minimum() {
    let mail = Mail::new();
    let peer = peer_with(&mail, Versions::Tls12, None);
    let run = mail.starttls(peer.addr()).args(["--tls-min", "1.3"]);
    let run = run.gives(State::Critical, &["TLS handshake failed", "alert protocol_version"]);
    run.long("hint: ");
    assert_eq!(peer.tls_failures().len(), 1);
}

#[test]
fn unknown_version_we_cannot_speak() {
    let mail = Mail::new();
    let peer = peer_with(&mail, Versions::Both, None);
    for (version, hint) in [("1.0", true), ("1.1", true), ("1.4", false), ("TLS1.2", false), ("", false)] {
        let run = mail.starttls(peer.addr()).arg(format!("--tls-min={version}"));
        let run = run.gives(State::Unknown, &["--tls-min: "]);
        if hint {
            run.long("hint: 1.2 is its lowest; --tls-backend native goes down to 1.0");
        }
    }
    assert_eq!(peer.connections(), 0);
}

// Client certificates

#[test]
fn client_certificate_demanded() {
    let mail = Mail::new();
    let client_ca = Authority::new("Lab Client CA");
    let (cert, key) = client_ca.leaf(&LeafOptions::client_named("probe")).write(mail.dir(), "client");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (other, other_key) =
        mail.authority.leaf(&LeafOptions::client_named("probe")).write(mail.dir(), "other");
    std::fs::set_permissions(&other_key, std::fs::Permissions::from_mode(0o600)).unwrap();
    for versions in [Versions::Tls12, Versions::Tls13] {
        let peer = peer_with(&mail, versions, Some(&client_ca));
        let check = || mail.starttls(peer.addr());
        let given = check().arg("--cert-file").arg(&cert).arg("--key-file").arg(&key);
        given.gives(State::Ok, &["logged in"]);
        let words = ["TLS handshake failed", "alert certificate_required"];
        let missing = check().gives(State::Critical, &words[..1]);
        assert!(versions == Versions::Tls12 || missing.parsed.summary.contains(words[1]));
        let stranger = check().arg("--cert-file").arg(&other).arg("--key-file").arg(&other_key);
        stranger.gives(State::Critical, &["TLS handshake failed", "alert "]);
        for connection in 1..3 {
            assert!(!peer.received_text(connection).contains("AUTH"));
        }
    }
}

#[test]
fn unknown_client_certificate_unusable() {
    let mail = Mail::new();
    let peer = peer_with(&mail, Versions::Both, None);
    let leaf = mail.authority.leaf(&LeafOptions::client_named("probe"));
    let cert = mail.file("c.pem", &leaf.cert_pem, 0o644);
    let key = mail.file("c.key", &leaf.key_pem, 0o600);
    let open = mail.file("open.key", &leaf.key_pem, 0o644);
    let foreign = mail.file("f.key", mail.authority.leaf(&LeafOptions::default()).key_pem, 0o600);
    let absent = mail.dir().join("absent");
    for (cert_file, key_file, words) in [
        (&absent, &key, "cannot read"),
        (&cert, &absent, "cannot read"),
        (&key, &key, "no certificate in PEM form"),
        (&cert, &cert, "too open"),
        (&cert, &open, "too open (mode 0644)"),
        (&cert, &foreign, "cannot use"),
    ] {
        let check =
            mail.starttls(peer.addr()).arg("--cert-file").arg(cert_file).arg("--key-file").arg(key_file);
        check.gives(State::Unknown, &[words]).silent_about("BEGIN");
    }
    let check = mail.starttls(peer.addr()).arg("--cert-file").arg(&cert);
    check.gives(State::Unknown, &["--key-file: required"]);
    let check = mail.starttls(peer.addr()).arg("--key-file").arg(&key);
    check.gives(State::Unknown, &["--cert-file: required"]);
    assert_eq!(peer.connections(), 0);
}

#[test]
fn unknown_authority_file_unusable() {
    let mail = Mail::new();
    let peer = peer_with(&mail, Versions::Both, None);
    let leaf = mail.authority.leaf(&LeafOptions::default());
    let absent = mail.dir().join("absent.pem");
    let folder = mail.dir().to_owned();
    let empty = mail.file("empty.pem", "", 0o644);
    let key = mail.file("key.pem", &leaf.key_pem, 0o644);
    let text = mail.file("text.pem", "no PEM at all", 0o644);
    let broken =
        mail.file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    let cut = mail.file("cut.pem", &mail.authority.ca_pem()[..200], 0o644);
    for (file, words) in [
        (&absent, "No such file"),
        (&folder, "cannot read"),
        (&empty, "no certificate in PEM form"),
        (&key, "no certificate in PEM form"),
        (&text, "no certificate in PEM form"),
        (&broken, "cannot read"),
        (&cut, "cannot read"),
    ] {
        let check = mail.with_login(peer.addr()).arg("--ca-file").arg(file).timeout(1.0);
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        check.gives(State::Unknown, &[words, &name]);
    }
    assert_eq!(peer.connections(), 0, "nothing is sent before all files are read");
}

// The wrong kind of port

#[test]
fn ok_implicit_tls() {
    let options = SubmissionOptions {
        tls: TlsMode::Implicit,
        users: [(USER.to_owned(), PASSWORD.to_owned())].into(),
        ..SubmissionOptions::default()
    };
    let server = Submission::start(options);
    let mail = Mail::new();
    let check = mail.with_login(server.addr()).args(["--tls", "implicit", "--ca-file"]).arg(server.ca_file());
    let run = check.timeout(2.0).gives(State::Ok, &["by PLAIN over TLSv1.3"]);
    assert!(
        ["time_tls", "time_banner", "time_ehlo", "time_auth"].iter().all(|l| run.parsed.value(l).is_some())
    );
}

#[test]
fn critical_implicit_tls_against_a_starttls_port() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().banner());
    let check = mail.starttls(peer.addr()).args(["--tls", "implicit"]);
    let words = ["TLS handshake failed: the server answered in plaintext", "\"220 mail.lab.test ESMTP\""];
    let run = check.gives(State::Critical, &words);
    run.long("--tls starttls");
    assert!(run.parsed.value("time").unwrap() < 0.5, "known at once");
}

#[test]
fn critical_starttls_against_an_implicit_tls_port() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().tls(&mail.tls).banner());
    let run = mail.starttls(peer.addr()).timeout(0.5);
    let run = run.gives(State::Critical, &["timeout after 0.5 s while waiting for the banner"]);
    run.long("TLS expected first");
}

#[test]
fn tls_fields_are_left_out_without_tls() {
    let mail = Mail::new();
    let peer = Peer::start(tests::mail::clear_to_auth("AUTH PLAIN").expect("AUTH").send("235 ok\r\n").quit());
    let run = mail.clear(peer.addr()).gives(State::Ok, &["without TLS"]);
    assert_eq!(
        run.parsed.labels(),
        ["time", "time_connect", "time_banner", "time_ehlo", "time_auth", "mechs"]
    );
}

// Hostile certificates

#[test]
fn hostile_names_stay_harmless() {
    let evil = "evil\n| x=1;2 \x1b[31m\u{202e}\r\nOK: fine";
    let authority = Authority::new(evil);
    let options = LeafOptions { common_name: evil.to_owned(), ..LeafOptions::default() };
    let leaf = authority.leaf(&options);
    let scene = Scene::with_leaf(authority, &leaf);
    let run = scene.check().arg("-vvv").gives(State::Ok, &["logged in"]);
    run.long(r"CN=evil / x=1;2 \x1b[31m\u{202E}  OK: fine");
    assert!(run.parsed.perf("x").is_none());

    // As the name that decides, and as the issuer nobody knows.
    let ascii = "evil\n| x=1 \x1b[31m.test";
    let stranger = Authority::new(evil);
    let leaf = stranger.leaf(&LeafOptions { ips: Vec::new(), ..LeafOptions::server_named(ascii) });
    let scene = Scene::with_leaf(Authority::new("Lab Root CA"), &leaf);
    let run = scene.check().arg("-vvv").gives(State::Critical, &[r"evil / x=1 \x1b[31m.test"]);
    assert!(run.parsed.perf("x").is_none());

    for form in ["json", "zabbix", "prometheus"] {
        let outcome = scene.check().args(["-vvv", "--output", form]).outcome();
        let lines = outcome.text().lines().count();
        assert!(form == "prometheus" || lines == 1, "{}", outcome.report());
        assert!(!outcome.text().contains('\x1b'), "{}", outcome.report());
    }
}
