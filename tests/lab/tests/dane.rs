//! TLSA data and the certificates that exchangers present, as openssl computes and verifies them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use lab::certs::{Authority, Leaf, LeafOptions};
use lab::client::Client;
use lab::dane::{association, tlsa};
use lab::dns::{Rdata, Record};
use lab::exchanger::{Exchanger, ExchangerOptions, StartTls, TLS_454};
use lab::postfix_mx::{MxHost, PostfixMx, PostfixMxOptions};
use lab::process::left_out_without_root;
use lab::tls;

const NAME: &str = "mx1.example.test";

/// A root, an authority below it, and a leaf that is sent with both.
fn three() -> (Authority, Authority, Leaf) {
    let root = Authority::new("Lab Root CA");
    let middle = root.intermediate("Lab Intermediate CA", 90);
    let leaf = middle.leaf(&LeafOptions::server_named(NAME)).followed_by(&root);
    (root, middle, leaf)
}

#[test]
fn associations_are_those_of_openssl() {
    let (root, _, leaf) = three();
    let folder = tempfile::tempdir().unwrap();
    for der in [&leaf.cert_der, root.ca_der()] {
        std::fs::write(folder.path().join("cert"), der).unwrap();
        let certificate = "openssl x509 -inform DER -in cert";
        let whole = format!("{certificate} -outform DER");
        let key = format!("{certificate} -pubkey -noout | openssl pkey -pubin -outform DER");
        for (selector, command) in [(0, whole), (1, key)] {
            assert_eq!(association(selector, 0, der), shell(folder.path(), &command));
            for (matching, digest) in [(1, "-sha256"), (2, "-sha512")] {
                let digested = format!("{command} | openssl dgst {digest} -binary");
                assert_eq!(association(selector, matching, der), shell(folder.path(), &digested));
            }
        }
    }
}

fn shell(folder: &Path, command: &str) -> Vec<u8> {
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{command}");
    output.stdout
}

/// What `openssl s_client` makes of a server by one TLSA record and nothing else.
fn verified(address: SocketAddr, record: &Record) -> bool {
    let Rdata::Tlsa { usage, selector, matching, data } = &record.data else { panic!("{record:?}") };
    let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-brief", "-starttls", "smtp", "-connect", &address.to_string()]);
    // RFC 7672 section 3.1.1: a certificate that is named by its own record needs no names.
    command.args(["-dane_tlsa_domain", NAME, "-dane_ee_no_namechecks", "-dane_tlsa_rrdata"]);
    command.arg(format!("{usage} {selector} {matching} {data}")).arg("-verify_return_error");
    // The server is told goodbye, or openssl waits for it.
    let said = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr) + String::from_utf8_lossy(&said.stdout);
    let is_good = text.contains("Verification: OK");
    assert!(is_good || text.contains("no matching DANE TLSA records"), "{text}");
    is_good
}

/// Every way to name a certificate of the chain, right and wrong.
fn records(root: &Authority, middle: &Authority, leaf: &Leaf) -> Vec<(Record, bool)> {
    let (stranger, own) = (Authority::new("Lab Root CA"), &leaf.cert_der);
    vec![
        (tlsa(3, 1, 1, own), true),
        (tlsa(3, 0, 1, own), true),
        (tlsa(3, 1, 2, own), true),
        (tlsa(3, 0, 0, own), true),
        (tlsa(3, 1, 0, own), true),
        (tlsa(2, 0, 1, root.ca_der()), true),
        (tlsa(2, 1, 1, middle.ca_der()), true),
        (tlsa(3, 1, 1, root.ca_der()), false),
        (tlsa(2, 1, 1, own), false),
        (tlsa(2, 0, 1, stranger.ca_der()), false),
        (Record::tlsa(3, 1, 1, &[0; 32]), false),
    ]
}

#[test]
fn embedded_exchangers_present_the_chain_that_is_chosen() {
    let (root, middle, leaf) = three();
    let listen = (Ipv4Addr::new(127, 0, 0, 31), 0).into();
    let options = ExchangerOptions { leaf: Some(leaf.clone()), ..ExchangerOptions::named(NAME, listen) };
    let server = Exchanger::start(options);
    for (record, expected) in records(&root, &middle, &leaf) {
        assert_eq!(verified(server.addr(), &record), expected, "{record:?}");
    }
    let names = server.server_names();
    assert!(names.len() >= 11 && names.iter().all(|name| name.as_deref() == Some(NAME)), "{names:?}");
}

#[test]
fn postfix_presents_the_chain_that_is_chosen() {
    if left_out_without_root("Postfix with several certificates") {
        return;
    }
    let (root, middle, leaf) = three();
    let address = |last| IpAddr::from([127, 0, 0, last]);
    let other = root.leaf(&LeafOptions::server_named("mx2.example.test"));
    let hosts = vec![
        MxHost { name: NAME.into(), addresses: vec![address(31)], leaf: Some(leaf.clone()) },
        MxHost { name: "mx2.example.test".into(), addresses: vec![address(32)], leaf: Some(other.clone()) },
        MxHost { name: "mx3.example.test".into(), addresses: vec![address(33)], leaf: None },
    ];
    let postfix = PostfixMx::start(&PostfixMxOptions { hosts, ..Default::default() });
    let at = |last| SocketAddr::new(address(last), postfix.hosts_port());
    for (record, expected) in records(&root, &middle, &leaf) {
        assert_eq!(verified(at(31), &record), expected, "{record:?}\n{}", postfix.log());
    }
    assert!(verified(at(32), &tlsa(3, 1, 1, &other.cert_der)));
    assert!(!verified(at(32), &tlsa(3, 1, 1, &leaf.cert_der)));
    for (last, name, has_tls) in
        [(31, NAME, true), (32, "mx2.example.test", true), (33, "mx3.example.test", false)]
    {
        let mut client = Client::connect(at(last)).unwrap();
        assert!(client.reply().unwrap().lines[0].starts_with(&format!("{name} ESMTP")));
        assert_eq!(client.command("EHLO a.test").unwrap().has("STARTTLS"), has_tls, "{name}");
    }
}

#[test]
fn starttls_fails_in_every_way() {
    let authority = Arc::new(Authority::new("Lab Root CA"));
    let client = tls::client(&authority);
    let start = |starttls: StartTls| {
        let options = ExchangerOptions { starttls, ..Default::default() };
        Exchanger::start_all_of(&[options], &authority).remove(0)
    };
    let greeted = |server: &Exchanger| {
        let mut client = Client::connect(server.addr()).unwrap();
        assert_eq!(client.reply().unwrap().code, 220);
        assert!(client.command("EHLO a.test").unwrap().has("STARTTLS"));
        client
    };
    let refusing = start(StartTls::Refused(TLS_454.into()));
    let mut session = greeted(&refusing);
    let reply = session.command("STARTTLS").unwrap();
    assert_eq!((reply.code, &*reply.lines[0]), (454, "4.7.0 TLS not available due to local problem"));
    assert_eq!(session.command("QUIT").unwrap().code, 221, "the session goes on");
    for broken in [StartTls::Garbage, StartTls::Closed] {
        let server = start(broken);
        let failed = greeted(&server).starttls(&client, "mail.lab.test");
        assert!(failed.is_err());
    }
    let server = start(StartTls::Silence);
    let mut session = greeted(&server);
    assert_eq!(session.command("STARTTLS").unwrap().code, 220);
    drop((session, server));
    let working = start(StartTls::Works);
    let mut session = greeted(&working).starttls(&client, "mail.lab.test").unwrap();
    assert_eq!(session.command("EHLO a.test").unwrap().code, 250);
    assert_eq!(working.server_names(), [Some("mail.lab.test".to_owned())]);
}
