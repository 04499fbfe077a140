//! check_mail_policy against the embedded domain: in order, with each fault, and asked in other ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::certs::{Leaf, LeafOptions};
use lab::dns::{Reaction, Record, RecordType};
use lab::https::{Https, HttpsOptions, Site, answer};
use lab::output::State;
use lab::policy::{DOMAIN, Domain, POLICY, POLICY_HOST, SELECTORS, Servers, fault};
use tests::{Check, Measured, Run};

use State::{Critical, Ok, Unknown, Warning};

/// A check of the domain.
fn check(servers: &Servers) -> Check {
    let arguments = servers.arguments();
    Check::new("check_mail_policy").args(&arguments)
}

/// Everything is looked at.
fn whole(servers: &Servers) -> Check {
    let check = SELECTORS.iter().fold(check(servers), |check, selector| check.args(["--dkim", selector]));
    check.args(["--spf", "--dmarc", "--mta-sts", "--tlsrpt", "--dane", "--bimi"])
}

#[test]
fn a_healthy_domain_is_told_in_one_line() {
    let servers = Domain::healthy().start();
    let run = whole(&servers).gives(
        Ok,
        &[
            "example.test: SPF 4 of 10 lookups, -all; DKIM s2026: RSA 2048; DKIM ed: Ed25519; DKIM alias: RSA 2048",
            "DMARC p=reject",
            "TLS-RPT",
            "BIMI",
            "DANE on 2 of 2 mail exchangers, 2 of 2 certificates match",
            "MTA-STS enforce for 604800 s",
            "2 of 2 certificates are as MTA-STS wants them",
        ],
    );
    let figures = ["spf_lookups", "spf_voids", "dkim_bits", "sts_max_age", "tlsa"];
    let values = figures.map(|label| run.parsed.value(label).unwrap_or(f64::NAN));
    assert_eq!(values.map(|value| value.to_string()), ["4", "0", "2048", "604800", "2"]);
    let requests = servers.web.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].target.as_str()),
        ("GET", "/.well-known/mta-sts.txt")
    );
}

/// Each fault by itself, with all that is looked at: the state, and what the first line says.
const FAULTS: &[(&str, State, &str)] = &[
    ("spf_missing", Critical, "example.test has no SPF record"),
    ("spf_twice", Critical, "example.test has 2 SPF records (RFC 7208 section 4.5)"),
    ("spf_syntax", Critical, "\"ipv4:192.0.2.1\" is no mechanism (RFC 7208 section 4.6.1)"),
    ("spf_nine_lookups", Warning, "SPF of example.test takes 9 of 10 lookups"),
    ("spf_eleven_lookups", Critical, "SPF of example.test takes 11 lookups, above 10"),
    ("spf_loop", Critical, "SPF loop: _spf.example.test leads back to example.test"),
    ("spf_include_missing", Critical, "includes mx1.example.test, which has none: NODATA"),
    ("spf_three_voids", Critical, "SPF of example.test takes 3 void lookups, above 2"),
    ("spf_allows_all", Critical, "everybody may send as example.test: \"+all\""),
    ("spf_neutral", Warning, "?all of example.test"),
    ("spf_without_all", Warning, "SPF of example.test has neither all nor redirect"),
    ("spf_ptr", Warning, "\"ptr\" of example.test should not be used"),
    ("spf_long", Warning, "SPF of example.test has 711 bytes, above 450"),
    (
        "spf_servfail",
        Unknown,
        "SPF of example.test is not known: cannot look up the TXT record of example.test: SERVFAIL",
    ),
    ("spf_include_servfail", Unknown, "the TXT record of _spf.example.test: SERVFAIL"),
    (
        "spf_timeout",
        Unknown,
        "SPF of example.test is not known: cannot look up the TXT record of example.test: timeout",
    ),
    ("dkim_missing", Critical, "s2026._domainkey.example.test: no DKIM key"),
    ("dkim_revoked", Critical, "p= is empty: the key was revoked"),
    ("dkim_512", Critical, "RSA key of 512 bits, verifiers want at least 1024"),
    ("dkim_1024", Warning, "RSA key of 1024 bits, it should have at least 2048"),
    ("dkim_testing", Warning, "t=y says that the domain only tests DKIM"),
    ("dkim_garbled", Critical, "p= is no base64"),
    ("dkim_dangling", Critical, "no DKIM key at s9.dkim.mailer.test, of which it is an alias"),
    ("dkim_servfail", Unknown, "s2026._domainkey.example.test: SERVFAIL"),
    ("dmarc_missing", Critical, "_dmarc.example.test: no DMARC record, nor at a name above"),
    ("dmarc_twice", Critical, "_dmarc.example.test: 2 DMARC records, so receivers take none"),
    ("dmarc_invalid", Critical, "_dmarc.example.test: p=\"rejct\" is no policy, which switches DMARC off"),
    // Only the logo wants more, unless --dmarc-min does.
    (
        "dmarc_none",
        Warning,
        "default._bimi.example.test: no logo is shown, because _dmarc.example.test says p=none",
    ),
    ("dmarc_report_unauthorised", Warning, "rua= sends reports to stranger.test, which does not agree"),
    ("dmarc_servfail", Unknown, "_dmarc.example.test: SERVFAIL"),
    ("sts_record_missing", Critical, "_mta-sts.example.test: no MTA-STS record"),
    ("sts_record_invalid", Critical, "_mta-sts.example.test: has nothing behind the version"),
    ("sts_no_host", Critical, "mta-sts.example.test has no address"),
    ("sts_not_found", Critical, "MTA-STS policy cannot be fetched: HTTP 404 \"Not Found\""),
    (
        "sts_redirect",
        Critical,
        "HTTP 301 \"Moved Permanently\" to \"https://www.example.test/mta-sts.txt\", which nobody",
    ),
    ("sts_html", Warning, "the policy has the media type \"text/html\" instead of text/plain"),
    ("sts_other_name", Critical, "certificate is not for mta-sts.example.test but for www.example.test"),
    ("sts_self_signed", Critical, "cannot be fetched: certificate chain does not lead to"),
    ("sts_expired", Critical, "cannot be fetched: certificate is not valid at this time"),
    ("sts_plaintext", Critical, "the server answered in plaintext \"HTTP/1.1 400 Bad Request\""),
    ("sts_silent", Unknown, "MTA-STS policy cannot be fetched: timeout after"),
    ("sts_drip", Unknown, "MTA-STS policy cannot be fetched: timeout after"),
    ("sts_endless", Critical, "MTA-STS policy cannot be fetched: body of more than 65536 bytes"),
    (
        "sts_syntax",
        Critical,
        "mta-sts.example.test: no valid policy, so senders act as if there were none: has no version",
    ),
    ("sts_testing", Ok, "MTA-STS testing for 604800 s"),
    ("sts_none", Warning, "mta-sts.example.test: mode none switches MTA-STS off, while --mta-sts wants it"),
    ("sts_short", Warning, "max_age 3600 s is less than a day"),
    ("sts_host_missing", Critical, "the policy does not name mx2.example.test, senders do not deliver to it"),
    (
        "host_other_name",
        Critical,
        "certificate is not for mx2.example.test but for mail.elsewhere.test, while the MTA-STS",
    ),
    (
        "host_expired",
        Critical,
        "certificate is not valid at this time, while the MTA-STS policy wants it verified",
    ),
    ("host_self_signed", Critical, "certificate chain does not lead to"),
    ("host_without_starttls", Critical, "STARTTLS is not offered, while its TLSA record promises TLS"),
    (
        "host_starttls_refused",
        Unknown,
        "STARTTLS refused: \"454 4.7.0 TLS not available due to local problem\"",
    ),
    ("host_starttls_broken", Critical, "plaintext behind the 220 to STARTTLS: \"421 4.3.0"),
    ("host_busy", Unknown, "cannot look at the certificate of mx2.example.test"),
    ("tlsrpt_missing", Warning, "_smtp._tls.example.test: no TLS-RPT record"),
    ("tlsrpt_invalid", Critical, "_smtp._tls.example.test: has nothing behind the version"),
    ("dane_unsigned", Warning, "mx1.example.test TLSA is not validated (no AD)"),
    ("dane_wrong", Critical, "serves another certificate than its TLSA 3 1 1 0000"),
    ("dane_one_wrong", Ok, "DANE on 2 of 2 mail exchangers, 2 of 2 certificates match"),
    ("dane_partly", Warning, "no TLSA record for mx2.example.test, while other mail exchangers have one"),
    ("dane_missing", Critical, "no mail exchanger has a TLSA record: mx1.example.test, mx2.example.test"),
    ("dane_unusable", Warning, "cannot be used: usage 0 and 1 are not for mail"),
    ("dane_servfail", Unknown, ".mx2.example.test: SERVFAIL"),
    ("host_servfail", Unknown, "cannot look up the A record of mx2.example.test: SERVFAIL"),
    ("bimi_missing", Warning, "default._bimi.example.test: no BIMI record"),
];

#[test]
fn each_fault_has_its_state_and_its_line() {
    let names: Vec<&str> = fault::ALL.iter().map(|(name, _)| *name).collect();
    let rows: Vec<&str> = FAULTS.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(rows, names, "a row for each fault, in their order");
    let mut wrong = Vec::new();
    for ((name, state, words), (_, change)) in FAULTS.iter().zip(fault::ALL) {
        let servers = Domain::healthy().with(change).start();
        let outcome = whole(&servers).args(["-t", "2", "--query-timeout", "0.5"]).outcome();
        let parsed = outcome.parsed();
        if parsed.state != *state || !parsed.summary.contains(words) {
            wrong.push(format!("{name}: want {state:?} {words}\n{}", outcome.report()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn gives(change: fault::Fault, words: &[&str], state: State, text: &str) -> Run {
    let servers = Domain::healthy().with(change).start();
    check(&servers).args(words).gives(state, &[text])
}

#[test]
fn only_what_is_named_is_looked_at() {
    gives(fault::dmarc_missing, &["--spf"], Ok, "example.test: SPF 4 of 10 lookups, -all");
    gives(fault::spf_missing, &["--dmarc"], Ok, "DMARC p=reject");
    gives(fault::spf_missing, &["--dkim", "s2026"], Ok, "DKIM s2026: RSA 2048");
    gives(fault::sts_not_found, &["--tlsrpt"], Ok, "TLS-RPT");
    let servers = Domain::healthy().start();
    let run = check(&servers).arg("--spf").gives(Ok, &["SPF"]);
    run.silent_about("DMARC").silent_about("MTA-STS").silent_about("tlsa");
    assert_eq!(servers.web.requests().len(), 0);
    assert_eq!(servers.hosts[0].connections(), 0);
}

#[test]
fn name_servers_are_asked_without_certificates() {
    let servers = Domain::healthy().start();
    let check = || {
        let resolver = servers.resolver().to_string();
        let check = Check::new("check_mail_policy").args(["-d", DOMAIN, "--resolver", &resolver]);
        check.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/nonexistent")
    };
    check().args(["--spf", "--dmarc", "--tlsrpt"]).gives(Ok, &["SPF 4 of 10", "DMARC p=reject"]);
    let https = servers.https_port().to_string();
    check()
        .args(["--mta-sts", "--no-connect", "--https-port", &https])
        .gives(Unknown, &["the system has no CA certificates"]);
}

/// Nothing named: SPF and DMARC must be there, others must be right where they are there, and nobody's
/// port 25 is touched.
#[test]
fn nothing_named() {
    let servers = Domain::healthy().start();
    check(&servers).gives(
        Ok,
        &[
            "SPF",
            "DMARC p=reject",
            "MTA-STS enforce for 604800 s; certificates not looked at",
            "TLS-RPT",
            "BIMI",
        ],
    );
    assert_eq!(servers.web.requests().len(), 1);
    assert_eq!(servers.hosts[0].connections(), 0);
    gives(fault::spf_missing, &[], Critical, "example.test has no SPF record");
    gives(fault::spf_missing, &["--spf-missing", "warning"], Warning, "example.test has no SPF record");
    gives(fault::dmarc_missing, &[], Critical, "no DMARC record");
    gives(fault::sts_record_missing, &[], Ok, "SPF");
    gives(fault::tlsrpt_missing, &[], Ok, "SPF");
    gives(fault::bimi_missing, &[], Ok, "SPF");
    gives(fault::sts_none, &[], Ok, "MTA-STS none");
    gives(fault::sts_redirect, &[], Critical, "HTTP 301");
    gives(fault::sts_host_missing, &[], Critical, "the policy does not name mx2.example.test");
    gives(fault::tlsrpt_invalid, &[], Critical, "_smtp._tls.example.test");
}

#[test]
fn senders_are_held_against_spf() {
    let servers = Domain::healthy().start();
    let spf = || check(&servers).arg("--spf");
    spf().args(["--ip", "127.0.0.31"]).gives(Ok, &["127.0.0.31"]);
    spf().args(["--ip", "127.0.0.31", "--ip", "198.18.0.1"]).gives(Critical, &["198.18.0.1"]);
    spf().args(["--ip", "127.0.0.31", "--sender", "x@mailer.test"]).gives(Critical, &["mailer.test"]);
    gives(fault::spf_include_servfail, &["--ip", "198.18.0.1"], Unknown, "SERVFAIL");
}

#[test]
fn a_policy_can_be_too_weak() {
    gives(fault::dmarc_none, &["--dmarc"], Ok, "DMARC p=none");
    gives(fault::dmarc_none, &["--dmarc", "--dmarc-min", "quarantine"], Warning, "p=none");
}

#[test]
fn certificates_are_not_looked_at_without_connections() {
    let servers = Domain::healthy().with(fault::host_expired).start();
    check(&servers).args(["--dane", "--mta-sts", "--no-connect"]).gives(
        Ok,
        &[
            "DANE on 2 of 2 mail exchangers, certificates not looked at",
            "MTA-STS enforce for 604800 s; certificates not looked at",
        ],
    );
    assert_eq!(servers.hosts[1].connections(), 0);
}

/// The address of an exchanger that does not listen, one of two.
#[test]
fn a_host_out_of_reach_is_unknown() {
    let servers = Domain::healthy().start();
    let port = lab::process::free_port().to_string();
    let mut arguments = servers.arguments();
    let at = arguments.iter().position(|word| word == "--port").unwrap();
    arguments[at + 1].clone_from(&port);
    Check::new("check_mail_policy")
        .args(&arguments)
        .arg("--mta-sts")
        .gives(Unknown, &["cannot look at the certificate of mx1.example.test", "Connection refused"]);
    let at = arguments.iter().position(|word| word == "--https-port").unwrap();
    arguments[at + 1] = port;
    Check::new("check_mail_policy")
        .args(&arguments)
        .args(["--mta-sts", "--no-connect"])
        .gives(Critical, &["MTA-STS policy cannot be fetched: cannot connect", "refused"]);
}

/// One server of several without its certificate is met by some senders.
#[test]
fn every_address_of_the_policy_host_is_asked() {
    let with = |leaf: &dyn Fn(&Servers) -> Leaf, body: &str, state, text: &str| {
        let second = Record::address("127.0.0.29").owned_by(POLICY_HOST);
        let servers = Domain::healthy().record(second).start();
        let site = Site::new(POLICY_HOST, &leaf(&servers), answer::ok(body));
        let listen = (Ipv4Addr::new(127, 0, 0, 29), servers.https_port()).into();
        let web = Https::start(HttpsOptions::of([site]).at(&[listen]));
        let run = check(&servers).args(["--mta-sts", "-v"]).gives(state, &[text]);
        assert_eq!((servers.web.requests().len(), web.connections()), (1, 1));
        run
    };
    let good = |servers: &Servers| servers.authority.leaf(&LeafOptions::server_named(POLICY_HOST));
    let bad = |_: &Servers| Leaf::self_signed(&LeafOptions::server_named(POLICY_HOST));
    with(&good, POLICY, Ok, "MTA-STS enforce").long("policy by 127.0.0.29");
    with(&bad, POLICY, Critical, "mta-sts.example.test (127.0.0.29:").long("MTA-STS enforce");
    let other = POLICY.replace("604800", "604801");
    with(&good, &other, Warning, "serves another MTA-STS policy than 127.0.0.");
    // Whom nobody meets harms nobody.
    let second = Record::address("127.0.0.29").owned_by(POLICY_HOST);
    let servers = Domain::healthy().record(second).start();
    check(&servers).arg("--mta-sts").gives(Ok, &["MTA-STS enforce"]).long("127.0.0.29");
}

#[test]
fn the_address_to_connect_from_holds_for_all_connections() {
    let servers = Domain::healthy().start();
    check(&servers).args(["--mta-sts", "--source-ip", "127.0.0.77"]).gives(Ok, &["MTA-STS enforce"]);
    assert_eq!(servers.web.requests()[0].peer.ip().to_string(), "127.0.0.77");
    assert!(servers.hosts[0].sessions()[0][0].contains("127.0.0.77"));
}

/// Who is woken up wants to see what was judged, not only what is wrong with it.
#[test]
fn the_records_themselves_are_shown() {
    let servers = Domain::healthy().start();
    let run = whole(&servers).arg("-v").gives(Ok, &[]);
    for record in [
        "example.test: v=spf1 mx include:_spf.example.test include:spf.mailer.test -all",
        "spf.mailer.test (included by example.test): v=spf1 a:out.mailer.test",
        "_dmarc.example.test: v=DMARC1; p=reject; rua=",
        "_smtp._tls.example.test: v=TLSRPTv1; rua=",
        "default._bimi.example.test: v=BIMI1; l=",
        "_mta-sts.example.test: v=STSv1; id=20260101T000000",
    ] {
        run.long(record);
    }
    run.silent_about("v=DKIM1");
    whole(&servers).arg("-vv").gives(Ok, &[]).long("s2026._domainkey.example.test: v=DKIM1; k=rsa; p=MII");
    check(&servers).gives(Ok, &[]).silent_about("v=spf1");
}

/// A question that nobody answers does not keep the check from all that needs no answer to it.
#[test]
fn silence_in_one_place_hides_no_other() {
    let silent = |_: Reaction| Reaction::silence();
    let slow = ["-t", "5", "--query-timeout", "9"];
    let servers = Domain::healthy().with(fault::spf_timeout).start();
    let run =
        check(&servers).args(["--spf", "--mta-sts"]).args(slow).gives(Unknown, &["SPF of example.test"]);
    run.long("MTA-STS enforce for 604800 s; 2 of 2 certificates");
    let servers = Domain::healthy().at("mx2", RecordType::A, silent).start();
    let run =
        check(&servers).args(["--mta-sts"]).args(slow).gives(Unknown, &["A record of mx2.example.test"]);
    run.long("MTA-STS enforce for 604800 s; 1 of 1 certificates");
    let servers = Domain::healthy().with(fault::sts_self_signed).at("", RecordType::Txt, silent).start();
    check(&servers).args(slow).gives(Critical, &["certificate chain does not lead to"]);
}

/// A figure that is not known is there, as unknown.
#[test]
fn unknown_figures_are_there() {
    for fault in [fault::sts_not_found, fault::sts_self_signed, fault::sts_no_host] {
        let servers = Domain::healthy().with(fault).start();
        let run = check(&servers).arg("--mta-sts").gives(Critical, &[]);
        run.perfdata(&[("time", Measured::Yes), ("sts_max_age", Measured::No)]);
    }
    let servers = Domain::healthy().at("_mta-sts", RecordType::Txt, fault::servfail).start();
    let run = check(&servers).arg("--mta-sts").gives(Unknown, &[]);
    run.perfdata(&[("time", Measured::Yes), ("sts_max_age", Measured::No)]);
}

/// What is slow is asked at the same time: rounds, not questions, cost time.
#[test]
fn a_far_resolver_costs_rounds() {
    let servers = Domain::healthy().away(Duration::from_millis(100)).start();
    let run = whole(&servers).gives(Ok, &["SPF 4 of 10"]);
    let questions = servers.dns.queries().len();
    assert!(questions > 20, "{questions}");
    // 20 questions one after the other would be two seconds and more.
    assert!(run.outcome.elapsed < Duration::from_secs(2), "{:?}", run.outcome.elapsed);
}

#[test]
fn usage() {
    let bad = |words: &[&str], text: &str| {
        Check::new("check_mail_policy").args(words).gives(Unknown, &[text]);
    };
    bad(&[], "--domain");
    bad(&["-d", DOMAIN, "--sender", "a@b.test"], "--ip");
    bad(&["-d", DOMAIN, "--ip", "x"], "--ip");
    bad(&["-d", DOMAIN, "--dkim", "a b"], "--dkim");
    bad(&["-d", "192.0.2.1"], "--domain");
    bad(&["-d", DOMAIN, "--dmarc-min", "all"], "--dmarc-min");
    bad(&["-d", DOMAIN, "--spf-missing", "bad"], "--spf-missing");
    bad(&["-d", DOMAIN, "--port", "0"], "--port");
    bad(&["-d", DOMAIN, "--source-ip", "127.0.0.1", "-6"], "--source-ip");
    bad(&["-d", DOMAIN, "--no-connect", "--spf"], "--no-connect");
    // What is wanted of a record that is not looked at would be taken for granted.
    bad(
        &["-d", DOMAIN, "--spf", "--dmarc-min", "reject"],
        "--dmarc-min: DMARC is not looked at without --dmarc",
    );
    bad(&["-d", DOMAIN, "--dmarc", "--spf-missing", "ok"], "--spf-missing: SPF is not looked at");
    bad(
        &["-d", DOMAIN, "--dmarc", "--spf-lookups-warning", "5"],
        "--spf-lookups-warning: SPF is not looked at",
    );
    bad(&["-d", DOMAIN, "--dmarc", "--bimi-selector", "s1"], "--bimi-selector: BIMI is not looked at");
    bad(&["-d", DOMAIN, "--mta-sts", "--trust-ad"], "--trust-ad: nobody asks for AD without --dane");
}
