//! check_weak_ciphers on real servers: an inventory lists what the lab's prober and nmap find, and
//! nothing else; a verdict has the state and the findings that follow from the server's configuration.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use lab::output::State;
use lab::postfix::Listener;
use lab::process::left_out_without_root;
use lab::relay::Relay;
use lab::tls_probe::pairs;
use lab::tls_script::Protocol;
use lab::tls_servers::openssl::left_out_without_built;
use lab::tls_servers::tlslite::left_out_without_tlslite;
use lab::tls_servers::{
    Keys, TlsServer, chat, databases, gnutls, inn, java, mail, nginx, openssl, remote, tlslite, vsftpd,
};
use tests::Check;
use tests::ciphers::{Document, check, difference, names, nmap, nmap_speaks};

/// Connections for a server with nothing to find fault with.
const CONNECTIONS: usize = 8;
/// One more shows the prime of DHE where the server itself puts ECDHE in front.
const WITH_DHE: usize = CONNECTIONS + 1;
/// Of a server that refuses by ending the connection each refusal has to be told from a limit.
const WITHOUT_A_WORD: usize = 30;

const CRITICAL: &str = "CRITICAL";
const WARNING: &str = "WARNING";

/// The inventory is the truth, and nmap says the same if it speaks the protocol.
fn inventory(server: &TlsServer) {
    let outcome = check(server.port(), server.starttls()).arg("--inventory").outcome();
    let ours = Document::of(&outcome);
    assert_eq!(ours.at("/ports/0/complete"), true, "{}", ours.report());
    let found = ours.pairs();
    let truth = pairs(server, "tls.test").unwrap();
    assert_eq!(truth.len(), server.pairs());
    assert_eq!(difference(&found, &truth), "", "truth\n{}", ours.report());
    if nmap_speaks(server.starttls()) {
        assert_eq!(difference(&found, &nmap(server)), "", "nmap\n{}", ours.report());
    }
}

/// The verdict is as expected.
fn verdict(server: &TlsServer, expected: &[(&str, &str)]) {
    verdict_within(server, expected, usize::MAX);
}

/// Every kind of server answers questions about groups alone, so that a verdict by a policy that lists them is complete;
/// an inventory by the same policy finds no other groups that it forbids.
fn lists_groups(server: &TlsServer) {
    let by_bsi = |more: &[&str]| {
        let check = check(server.port(), server.starttls()).args(["--policy", "bsi-tr-02102-2"]).args(more);
        let ours = Document::of(&check.outcome());
        assert_eq!(ours.at("/ports/0/complete"), true, "{}", ours.report());
        let findings = ours.at("/ports/0/findings").as_array().unwrap().iter();
        let groups = findings.filter(|finding| finding["id"] == "group_not_listed");
        let mut groups: Vec<String> = groups
            .flat_map(|finding| finding["evidence"].as_array().unwrap())
            .map(ToString::to_string)
            .collect();
        groups.sort_unstable();
        groups
    };
    assert_eq!(by_bsi(&[]), by_bsi(&["--inventory"]));
}

/// The verdict is as expected, by no more than so many connections; a relay counts them.
fn verdict_within(server: &TlsServer, expected: &[(&str, &str)], connections: usize) {
    let relay = Relay::start(server.addr(), Duration::ZERO);
    let outcome = check(relay.port(), server.starttls()).outcome();
    let ours = Document::of(&outcome);
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect();
    assert_eq!(ours.findings(), expected, "{}", ours.report());
    let worst = [CRITICAL, WARNING].into_iter().find(|state| expected.values().any(|one| one == state));
    let code = match worst {
        Some(CRITICAL) => State::Critical,
        Some(_) => State::Warning,
        None => State::Ok,
    };
    assert_eq!(outcome.code, Some(code.code()), "{}", ours.report());
    assert_eq!(ours.at("/ports/0/complete"), true, "{}", ours.report());
    assert_eq!(ours.at("/ports/0/connections"), relay.connections(), "{}", ours.report());
    assert!(relay.connections() <= connections, "{} connections\n{}", relay.connections(), ours.report());
}

#[test]
fn nginx_as_debian_has_it() {
    let keys = Keys::new();
    let server = nginx::debian(&keys);
    verdict(&server, &[("no_forward_secrecy", WARNING)]);
    inventory(&server);
}

#[test]
fn nginx_with_all_suites() {
    let keys = Keys::new();
    let server = nginx::all_suites(&keys);
    verdict(
        &server,
        &[
            ("null_cipher", CRITICAL),
            ("anonymous", CRITICAL),
            ("tls1_0", WARNING),
            ("tls1_1", WARNING),
            ("dh_small", WARNING),
        ],
    );
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn nginx_as_mozilla_recommends() {
    let keys = Keys::new();
    let server = nginx::intermediate(&keys);
    verdict_within(&server, &[], CONNECTIONS);
    inventory(&server);
}

const S_SERVER: [(&str, &str); 6] = [
    ("null_cipher", CRITICAL),
    ("anonymous", CRITICAL),
    ("tls1_0", WARNING),
    ("tls1_1", WARNING),
    ("no_forward_secrecy", WARNING),
    ("dh_small", WARNING),
];

#[test]
fn openssl_s_server() {
    let keys = Keys::new();
    let server = openssl::s_server(&keys);
    verdict(&server, &S_SERVER);
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn openssl_that_wants_a_client_certificate() {
    let keys = Keys::new();
    let server = openssl::s_server_with(&keys, &["-Verify", "1"]);
    verdict(&server, &S_SERVER);
    inventory(&server);
}

/// OpenSSL takes ECDHE with an ECDSA certificate only from who offers the curve of its key as well; the other groups are
/// found all the same.
#[test]
fn groups_beside_the_curve_of_the_certificate() {
    let keys = Keys::new();
    let server = nginx::all_suites(&keys);
    let ours = Document::of(&check(server.port(), server.starttls()).arg("--inventory").outcome());
    let names = |version: &str| -> BTreeSet<String> {
        let groups = ours.at("/ports/0/groups").as_array().unwrap().clone();
        let of_version =
            groups.iter().filter(|group| group["versions"].as_array().unwrap().contains(&version.into()));
        of_version.map(|group| group["name"].as_str().unwrap().to_owned()).collect()
    };
    let curves = ["secp256r1", "secp384r1", "secp521r1", "x25519", "x448"].map(str::to_owned);
    assert_eq!(names("TLS1.2"), BTreeSet::from(curves), "{}", ours.report());
    let policy = keys.folder().join("two-groups.toml");
    fs::write(&policy, "[groups]\nallow = [\"x25519\", \"secp256r1\"]\n").unwrap();
    let outcome = check(server.port(), server.starttls()).arg("--policy").arg(&policy).outcome();
    let ours = Document::of(&outcome);
    let findings = ours.at("/ports/0/findings").as_array().unwrap().clone();
    let listed = findings.iter().find(|finding| finding["id"] == "group_not_listed").unwrap();
    assert!(listed["versions"].as_array().unwrap().contains(&"TLS1.2".into()), "{}", ours.report());
}

/// What it was told to sign with, and nothing else.
#[test]
fn signature_schemes() {
    let listed = |server: &TlsServer| {
        let check = check(server.port(), server.starttls()).args(["--inventory", "--signatures"]);
        let ours = Document::of(&check.outcome());
        assert_eq!(ours.at("/ports/0/complete"), true, "{}", ours.report());
        let names = ours.at("/ports/0/protocols/4/signatures").as_array().unwrap().clone();
        let names: BTreeSet<String> = names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        (names, ours.findings().get("signature_weak_hash").cloned())
    };
    let keys = Keys::new();
    for (schemes, expected, state) in [
        ("RSA+SHA256:ECDSA+SHA384", &["rsa_pkcs1_sha256", "ecdsa_secp384r1_sha384"][..], None),
        (
            "RSA-PSS+SHA384:RSA+SHA1:ECDSA+SHA256",
            &["rsa_pss_rsae_sha384", "rsa_pkcs1_sha1", "ecdsa_secp256r1_sha256"],
            Some(WARNING),
        ),
    ] {
        let (names, finding) = listed(&openssl::s_server_with(&keys, &["-sigalgs", schemes]));
        assert_eq!(names, expected.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(finding.as_deref(), state);
    }
    let (names, finding) = listed(&java::server(&keys));
    assert!(names.contains("md5_rsa") && names.contains("sha256_dsa"), "{names:?}");
    assert_eq!(finding.as_deref(), Some(WARNING));
}

#[test]
fn openssl_with_psk() {
    let keys = Keys::new();
    let server = openssl::with_psk(&keys);
    verdict(
        &server,
        &[
            ("null_cipher", CRITICAL),
            ("tls1_0", WARNING),
            ("tls1_1", WARNING),
            ("no_forward_secrecy", WARNING),
            ("dh_small", WARNING),
        ],
    );
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn openssl_of_yesterday() {
    if left_out_without_built() {
        return;
    }
    let keys = Keys::new();
    let server = openssl::old(&keys);
    let old =
        [("sslv3", CRITICAL), ("rc4", CRITICAL), ("small_block", WARNING), ("modest_strength", WARNING)];
    verdict(&server, &[&S_SERVER[..], &old].concat());
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn openssl_with_hybrid_groups() {
    if left_out_without_built() {
        return;
    }
    let keys = Keys::new();
    let server = openssl::hybrid(&keys);
    verdict(&server, &[("no_forward_secrecy", WARNING)]);
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn gnutls_serv() {
    let keys = Keys::new();
    let server = gnutls::gnutls_serv(&keys);
    verdict(
        &server,
        &[
            ("anonymous", CRITICAL),
            ("rc4", CRITICAL),
            ("tls1_0", WARNING),
            ("tls1_1", WARNING),
            ("small_block", WARNING),
            ("modest_strength", WARNING),
            ("no_forward_secrecy", WARNING),
        ],
    );
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn java_with_everything() {
    let keys = Keys::new();
    let server = java::server(&keys);
    verdict(
        &server,
        &[
            ("sslv3", CRITICAL),
            ("null_cipher", CRITICAL),
            ("anonymous", CRITICAL),
            ("export", CRITICAL),
            ("rc4", CRITICAL),
            ("low_strength", CRITICAL),
            ("dh_broken", CRITICAL),
            ("tls1_0", WARNING),
            ("tls1_1", WARNING),
            ("small_block", WARNING),
            ("modest_strength", WARNING),
            ("no_forward_secrecy", WARNING),
            ("static_dh", WARNING),
        ],
    );
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn tlslite_with_everything() {
    if left_out_without_tlslite() {
        return;
    }
    let keys = Keys::new();
    let server = tlslite::weak(&keys);
    verdict(
        &server,
        &[
            ("sslv3", CRITICAL),
            ("null_cipher", CRITICAL),
            ("rc4", CRITICAL),
            ("tls1_0", WARNING),
            ("tls1_1", WARNING),
            ("small_block", WARNING),
            ("modest_strength", WARNING),
            ("no_forward_secrecy", WARNING),
        ],
    );
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn tlslite_with_hybrid_groups() {
    if left_out_without_tlslite() {
        return;
    }
    let keys = Keys::new();
    let server = tlslite::hybrid(&keys);
    verdict_within(&server, &[], WITH_DHE);
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn postfix_by_starttls_and_at_once() {
    if left_out_without_root("Postfix") {
        return;
    }
    for listener in [Listener::Submission, Listener::Implicit] {
        let server = mail::postfix(listener);
        // Without a certificate OpenSSL chooses the prime by the cipher: 1024 bits for one of 128.
        let weak = [("dh_small", WARNING), ("tls1_0", WARNING), ("tls1_1", WARNING)];
        verdict(&server, &[&[("anonymous", CRITICAL)], &weak[..]].concat());
        inventory(&server);
    }
}

fn dovecot(protocol: Protocol) {
    if left_out_without_root("Dovecot") {
        return;
    }
    let keys = Keys::new();
    let server = mail::dovecot(&keys, protocol);
    verdict_within(&server, &[], WITHOUT_A_WORD);
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn dovecot_with_imap() {
    dovecot(Protocol::Imap);
}

#[test]
fn dovecot_with_pop3() {
    dovecot(Protocol::Pop3);
}

#[test]
fn dovecot_with_lmtp() {
    dovecot(Protocol::Lmtp);
}

#[test]
fn dovecot_with_smtp() {
    dovecot(Protocol::Smtp);
}

#[test]
fn dovecot_with_sieve() {
    dovecot(Protocol::Sieve);
}

#[test]
fn prosody_for_clients_and_for_servers() {
    let keys = Keys::new();
    for protocol in [Protocol::XmppClient, Protocol::XmppServer] {
        let server = chat::prosody(&keys, protocol);
        verdict_within(&server, &[], CONNECTIONS);
        inventory(&server);
    }
}

/// It asks for another name before TLS.
#[test]
fn prosody_for_another_name() {
    let keys = Keys::new();
    for protocol in [Protocol::XmppClient, Protocol::XmppServer] {
        let server = chat::prosody(&keys, protocol);
        let (port, name) = (server.port().to_string(), names(server.starttls()).0);
        let check = Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "-p", &port, "--no-cert"]);
        let check = check.args(["--starttls", name, "--sni", "other.test"]);
        let run = check.gives(State::Unknown, &["not the one for this name", "host-unknown"]);
        run.long("--sni NAME");
    }
}

#[test]
fn inspircd() {
    let keys = Keys::new();
    let server = chat::inspircd(&keys);
    verdict(&server, &[("tls1_0", WARNING), ("tls1_1", WARNING), ("no_forward_secrecy", WARNING)]);
    inventory(&server);
}

#[test]
fn nnrpd() {
    if left_out_without_root("nnrpd") {
        return;
    }
    let keys = Keys::new();
    let server = inn::nnrpd(&keys);
    verdict(&server, &[("no_forward_secrecy", WARNING)]);
    inventory(&server);
}

#[test]
fn xrdp() {
    let keys = Keys::new();
    let server = remote::xrdp(&keys);
    verdict(&server, &[("no_forward_secrecy", WARNING)]);
    inventory(&server);
}

#[test]
fn kermit_by_telnet() {
    let keys = Keys::new();
    let server = remote::kermit(&keys);
    verdict(&server, &[("no_forward_secrecy", WARNING)]);
    inventory(&server);
}

#[test]
fn mariadb() {
    let keys = Keys::new();
    let server = databases::mariadb(&keys);
    verdict(
        &server,
        &[("anonymous", CRITICAL), ("tls1_0", WARNING), ("tls1_1", WARNING), ("no_forward_secrecy", WARNING)],
    );
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn postgres() {
    if left_out_without_root("PostgreSQL") {
        return;
    }
    let keys = Keys::new();
    let server = databases::postgres(&keys);
    verdict(&server, &[("no_forward_secrecy", WARNING)]);
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn openldap() {
    let keys = Keys::new();
    let server = databases::openldap(&keys);
    verdict(&server, &[("tls1_0", WARNING), ("tls1_1", WARNING), ("no_forward_secrecy", WARNING)]);
    inventory(&server);
    lists_groups(&server);
}

#[test]
fn vsftpd_by_auth_tls() {
    if left_out_without_root("vsftpd") {
        return;
    }
    let keys = Keys::new();
    let server = vsftpd::server(&keys);
    verdict_within(&server, &[], CONNECTIONS);
    inventory(&server);
    lists_groups(&server);
}
