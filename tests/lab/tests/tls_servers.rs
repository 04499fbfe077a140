//! The real TLS servers take exactly the suites that the lab says they do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::time::Duration;

use lab::plugin::Plugin;
use lab::postfix::Listener;
use lab::process::{left_out_without_root, program};
use lab::tls_probe::{End, Offer, ask, ask_bytes, pairs, ssl2_hello, suites};
use lab::tls_script::{Auth, Protocol, Version};
use lab::tls_servers::openssl::left_out_without_built;
use lab::tls_servers::tlslite::left_out_without_tlslite;
use lab::tls_servers::{
    Keys, TlsServer, chat, databases, gnutls, inn, java, mail, nginx, openssl, remote, tlslite, vsftpd,
};

/// Every version takes as many suites as the truth says; one that is not in it takes none.
fn assert_truth(server: &TlsServer) {
    let found = pairs(server, "tls.test").unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    let count = |version| found.iter().filter(|(known, _)| *known == version).count();
    let counts = Version::ALL.map(|version| (version, count(version)));
    let counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counts, server.truth(), "{}", server.log());
    assert_eq!(server.pairs(), found.len());
}

/// What `openssl s_client` says about a connection with the server.
fn s_client(server: &TlsServer, keys: &Keys, arguments: &[&str]) -> String {
    let client = Plugin::at(program("openssl", "openssl"))
        .args(["s_client", "-connect", &server.addr().to_string(), "-servername", "tls.test"])
        .args(["-verify_return_error", "-verify_hostname", "tls.test", "-CAfile"])
        .arg(keys.ca_file())
        .args(arguments)
        .limit(Duration::from_secs(20))
        .run();
    assert!(!client.timed_out, "{}", client.report());
    client.report()
}

#[test]
fn nginx_as_debian_has_it() {
    let keys = Keys::new();
    let server = nginx::debian(&keys);
    assert_truth(&server);
    assert!(s_client(&server, &keys, &[]).contains("Verify return code: 0 (ok)"));
    let reply = ask(server.addr(), &Offer::new(Version::Tls10, &[0x002f, 0x0035, 0xc013])).unwrap();
    assert_eq!(reply.end, End::Alert(80));
}

#[test]
fn nginx_with_all_suites() {
    let keys = Keys::new();
    let server = nginx::all_suites(&keys);
    assert_truth(&server);
    assert!(s_client(&server, &keys, &["-tls1_3"]).contains("Verify return code: 0 (ok)"));
}

#[test]
fn nginx_as_mozilla_recommends() {
    let keys = Keys::new();
    let server = nginx::intermediate(&keys);
    assert_truth(&server);
    assert_eq!(suites(server.addr(), Version::Tls12, "tls.test").unwrap(), nginx::INTERMEDIATE_SUITES);
    assert_eq!(suites(server.addr(), Version::Tls13, "tls.test").unwrap(), [0x1301, 0x1302, 0x1303]);
}

#[test]
fn openssl_s_server() {
    let keys = Keys::new();
    let server = openssl::s_server(&keys);
    assert_truth(&server);
    let rsa = ask(server.addr(), &Offer::new(Version::Tls12, &[0x009c])).unwrap();
    let list = rsa.message(11).unwrap();
    let der = &keys.identity(Auth::Rsa).der;
    assert!(list.windows(der.len()).any(|window| window == der));
}

#[test]
fn gnutls_serv() {
    let keys = Keys::new();
    assert_truth(&gnutls::gnutls_serv(&keys));
}

#[test]
fn java_with_everything() {
    let keys = Keys::new();
    let server = java::server(&keys);
    assert_truth(&server);
    let export = ask(server.addr(), &Offer::new(Version::Ssl3, &[0x0003])).unwrap();
    assert_eq!((export.suite(), export.end), (Some(0x0003), End::Whole));
    let dsa = ask(server.addr(), &Offer::new(Version::Tls10, &[0x0011])).unwrap();
    assert_eq!(dsa.suite(), Some(0x0011));
    // The format of SSLv2 is all it knows of it: who asks for the version itself gets NO-CIPHER-ERROR.
    let ssl2 = ask_bytes(&server, &ssl2_hello(2, &[0x01_0080, 0x07_00c0])).unwrap();
    assert_eq!(ssl2.bytes, [0x80, 3, 0, 0, 1]);
}

#[test]
fn openssl_of_yesterday() {
    if left_out_without_built() {
        return;
    }
    let keys = Keys::new();
    let server = openssl::old(&keys);
    assert_truth(&server);
    let idea = ask(&server, &Offer::new(Version::Ssl3, &[0x0007])).unwrap();
    assert_eq!((idea.suite(), idea.end), (Some(0x0007), End::Whole));
}

#[test]
fn openssl_with_hybrid_groups() {
    if left_out_without_built() {
        return;
    }
    let keys = Keys::new();
    let server = openssl::hybrid(&keys);
    assert_truth(&server);
    assert_eq!([0x11ec, 0x11eb, 0x11ed].map(|group| group_is_taken(&server, group)), [true, true, false]);
}

#[test]
fn tlslite_with_everything() {
    if left_out_without_tlslite() {
        return;
    }
    let keys = Keys::new();
    assert_truth(&tlslite::weak(&keys));
}

#[test]
fn tlslite_with_hybrid_groups() {
    if left_out_without_tlslite() {
        return;
    }
    let keys = Keys::new();
    let server = tlslite::hybrid(&keys);
    assert_truth(&server);
    assert_eq!([0x11ec, 0x11eb, 0x001d].map(|group| group_is_taken(&server, group)), [true, false, true]);
}

/// Whether the server asks for a key share of this group when no other is offered.
fn group_is_taken(server: &TlsServer, group: u16) -> bool {
    let offer = Offer { groups: vec![group], ..Offer::new(Version::Tls13, &[0x1301, 0x1302]) };
    ask(server, &offer).unwrap().picked().is_some_and(|(_, _, picked)| picked == Some(group))
}

#[test]
fn postfix_by_starttls_and_at_once() {
    if left_out_without_root("Postfix") {
        return;
    }
    assert_truth(&mail::postfix(Listener::Submission));
    assert_truth(&mail::postfix(Listener::Implicit));
}

#[test]
fn dovecot_with_each_protocol() {
    if left_out_without_root("Dovecot") {
        return;
    }
    let keys = Keys::new();
    for protocol in [Protocol::Imap, Protocol::Pop3, Protocol::Lmtp, Protocol::Smtp, Protocol::Sieve] {
        assert_truth(&mail::dovecot(&keys, protocol));
    }
}

#[test]
fn mariadb_after_its_greeting() {
    assert_truth(&databases::mariadb(&Keys::new()));
}

#[test]
fn postgres_after_a_request() {
    if left_out_without_root("PostgreSQL") {
        return;
    }
    assert_truth(&databases::postgres(&Keys::new()));
}

#[test]
fn openldap_after_a_request() {
    assert_truth(&databases::openldap(&Keys::new()));
}

#[test]
fn vsftpd_after_a_command() {
    if left_out_without_root("vsftpd") {
        return;
    }
    assert_truth(&vsftpd::server(&Keys::new()));
}

#[test]
fn prosody_for_clients_and_for_servers() {
    let keys = Keys::new();
    for protocol in [Protocol::XmppClient, Protocol::XmppServer] {
        assert_truth(&chat::prosody(&keys, protocol));
    }
}

#[test]
fn inspircd_after_a_command() {
    assert_truth(&chat::inspircd(&Keys::new()));
}

#[test]
fn nnrpd_after_a_command() {
    if left_out_without_root("nnrpd") {
        return;
    }
    assert_truth(&inn::nnrpd(&Keys::new()));
}

#[test]
fn xrdp_after_a_request() {
    assert_truth(&remote::xrdp(&Keys::new()));
}

#[test]
fn kermit_after_an_option() {
    assert_truth(&remote::kermit(&Keys::new()));
}
