//! Dovecot behind Postfix, as submission service and as LMTP service answers as the
//! scenarios expect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::certs::{Authority, LeafOptions};
use lab::client::{Client, Reply};
use lab::dovecot::DovecotOptions;
use lab::lmtp::Lmtp;
use lab::oauth::OAuth;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::smtpd::cram_digest;
use lab::submission::{
    ClientCertificates, DovecotSubmission, DovecotSubmissionOptions, Release, left_out_without_newer_dovecot,
};
use lab::tls;
use rustls::ClientConfig;

const ALL: [&str; 8] =
    ["plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2"];

fn greeted(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client
}

/// A session after TLS, with the second reply to EHLO.
fn encrypted(address: SocketAddr, config: &Arc<ClientConfig>) -> (Client, Reply) {
    let mut client = greeted(address);
    assert!(client.command("EHLO a.lab.test").unwrap().has("STARTTLS"));
    let mut client = client.starttls(config, "mail.lab.test").unwrap();
    let ehlo = client.command("EHLO a.lab.test").unwrap();
    (client, ehlo)
}

fn offered(ehlo: &Reply) -> Vec<String> {
    let line = ehlo.keyword("AUTH ").unwrap_or_default().to_ascii_lowercase();
    line.split(' ').skip(1).map(str::to_owned).collect()
}

fn decoded(reply: &Reply) -> String {
    String::from_utf8(BASE64.decode(&reply.lines[0]).unwrap()).unwrap()
}

fn bearer(user: &str, token: &str) -> String {
    BASE64.encode(format!("n,a={user},\x01host=mail.lab.test\x01port=587\x01auth=Bearer {token}\x01\x01"))
}

fn xoauth2(user: &str, token: &str) -> String {
    BASE64.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

fn http(url: &str, more: &str) -> String {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{} /{path}{more}", if more.contains("\r\n\r\n ") { "POST" } else { "GET" }).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn oauth_responder_knows_good_from_bad() {
    let oauth = OAuth::start([("good token/1".to_owned(), "probe".to_owned())].into());
    let good = http(&oauth.tokeninfo_url(), "good+token%2F1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(good.starts_with("HTTP/1.1 200 OK\r\n") && good.contains(r#""username":"probe""#), "{good}");
    let bad = http(&oauth.tokeninfo_url(), "bad HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(bad.starts_with("HTTP/1.1 401 ") && bad.ends_with(r#"{"error":"invalid_token"}"#), "{bad}");
    let form = |form: &str| format!(" HTTP/1.1\r\nContent-Length: {}\r\n\r\n{form}", form.len());
    let good = http(&oauth.introspection_url(), &form("x=1&token=good%20token/1"));
    assert!(good.contains(r#""active":true"#), "{good}");
    let bad = http(&oauth.introspection_url(), &form("token=bad"));
    assert!(bad.starts_with("HTTP/1.1 200 ") && bad.ends_with(r#"{"active":false}"#), "{bad}");
    let header = " HTTP/1.1\r\nAuthorization: Bearer good token/1\r\n\r\n";
    assert!(http(&oauth.introspection_url(), header).contains(r#""active":true"#));
    assert_eq!(oauth.requests().len(), 5);
}

#[test]
fn postfix_offers_every_mechanism() {
    let sasl = DovecotOptions::default().offering(&ALL).token("probe", "good");
    let postfix = Postfix::start(&PostfixOptions { sasl, ..PostfixOptions::default() });
    let config = tls::client(postfix.authority());
    let session = || encrypted(postfix.addr(Listener::Submission), &config);
    let (mut client, ehlo) = session();
    let mut names = offered(&ehlo);
    names.sort();
    let mut wanted = ALL;
    wanted.sort_unstable();
    assert_eq!(names, wanted);

    for name in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let first = BASE64.encode("n,,n=probe,r=0123456789");
        let challenge = decoded(&client.command(&format!("AUTH {name} {first}")).unwrap());
        assert!(challenge.starts_with("r=0123456789") && challenge.contains(",i=4096"), "{challenge}");
        assert_eq!(client.command("*").unwrap().code, 501);
    }
    let challenge = decoded(&client.command("AUTH DIGEST-MD5").unwrap());
    assert!(
        challenge.contains(r#"qop="auth""#) && challenge.contains("algorithm=\"md5-sess\""),
        "{challenge}"
    );
    assert_eq!(client.command("*").unwrap().code, 501);

    for (name, message, status) in [
        ("OAUTHBEARER", bearer("probe", "bad"), r#"{"status":"invalid_token""#),
        ("XOAUTH2", xoauth2("probe", "bad"), r#"{"status":"401""#),
    ] {
        let refused = client.command(&format!("AUTH {name} {message}")).unwrap();
        assert_eq!(refused.code, 334, "{refused:?}");
        assert!(decoded(&refused).starts_with(status), "{}", decoded(&refused));
        assert_eq!(client.command("AQ==").unwrap().code, 535);
    }
    for (name, message) in [("OAUTHBEARER", bearer("probe", "good")), ("XOAUTH2", xoauth2("probe", "good"))] {
        let (mut client, _) = session();
        assert_eq!(client.command(&format!("AUTH {name} {message}")).unwrap().code, 235);
    }
    assert!(postfix.dovecot().oauth().unwrap().requests().len() >= 4);
}

#[test]
fn submission_service_logs_in_and_relays() {
    let started = Instant::now();
    let service = DovecotSubmission::start(&DovecotSubmissionOptions::default());
    assert!(started.elapsed() < Duration::from_secs(3), "start took {:?}", started.elapsed());
    let config = tls::client(service.authority());
    let mut client = greeted(service.addr());
    let before = client.command("EHLO a.lab.test").unwrap();
    assert!(offered(&before).is_empty(), "{before:?}");
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 530);

    let (mut client, ehlo) = encrypted(service.addr(), &config);
    assert_eq!(offered(&ehlo), ["plain", "login", "cram-md5"]);
    let refused = client.auth_plain("probe", "wrong").unwrap();
    assert_eq!((refused.code, refused.lines[0].as_str()), (535, "5.7.8 Authentication failed."));
    let challenge = decoded(&client.command("AUTH CRAM-MD5").unwrap());
    let response = BASE64.encode(format!("probe {}", cram_digest("secret", &challenge)));
    assert_eq!(client.command(&response).unwrap().code, 235);
    assert_eq!(client.command("EHLO a.lab.test").unwrap().code, 250);
    assert_eq!(client.command("QUIT").unwrap().code, 221);
    assert!(!service.relay().unwrap().received().is_empty());

    let mut client = Client::connect_tls(service.implicit_addr(), &config, "mail.lab.test").unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);

    service.pause();
    let mut client = Client::connect(service.addr()).unwrap();
    client.set_timeout(Duration::from_millis(300));
    assert!(client.reply().is_err());
    service.resume();
    client.set_timeout(Duration::from_secs(10));
    assert_eq!(client.reply().unwrap().code, 220);
}

#[test]
fn submission_service_without_its_relay() {
    let options = DovecotSubmissionOptions { relay_down: true, ..DovecotSubmissionOptions::default() };
    let service = DovecotSubmission::start(&options);
    let (mut client, _) = encrypted(service.addr(), &tls::client(service.authority()));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
    assert_eq!(client.reply().unwrap().code, 421);
}

#[test]
fn external_with_and_without_a_client_certificate() {
    let service = DovecotSubmission::start(&DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&["plain", "external"]),
        client_certificates: ClientCertificates::Asked,
        ..DovecotSubmissionOptions::default()
    });
    let with = |name: &str| {
        let leaf = service.authority().leaf(&LeafOptions::client_named(name));
        tls::client_with_certificate(service.authority(), &leaf)
    };
    for (message, code) in
        [("=".to_owned(), 235), (BASE64.encode("probe"), 235), (BASE64.encode("other"), 535)]
    {
        let (mut client, ehlo) = encrypted(service.addr(), &with("probe"));
        assert_eq!(offered(&ehlo), ["plain", "external"]);
        assert_eq!(client.command(&format!("AUTH EXTERNAL {message}")).unwrap().code, code, "{message}");
    }
    let (mut client, _) = encrypted(service.addr(), &with("stranger"));
    assert_eq!(client.command("AUTH EXTERNAL =").unwrap().code, 535);

    let (mut client, ehlo) = encrypted(service.addr(), &tls::client(service.authority()));
    assert_eq!(offered(&ehlo), ["plain", "external"]);
    for message in ["=".to_owned(), BASE64.encode("probe")] {
        let refused = client.command(&format!("AUTH EXTERNAL {message}")).unwrap();
        assert_eq!(refused.code, 535, "{message} {refused:?}");
    }
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
}

#[test]
fn client_certificate_required_for_every_login() {
    let service = DovecotSubmission::start(&DovecotSubmissionOptions {
        client_certificates: ClientCertificates::Required,
        ..DovecotSubmissionOptions::default()
    });
    let (mut client, _) = encrypted(service.addr(), &tls::client(service.authority()));
    let refused = client.auth_plain("probe", "secret").unwrap();
    assert!(refused.code >= 500, "{refused:?}");
    let stranger = Authority::new("Other CA").leaf(&LeafOptions::client_named("probe"));
    let stranger = tls::client_with_certificate(service.authority(), &stranger);
    let refused = greeted(service.addr()).starttls(&stranger, "mail.lab.test").and_then(|mut client| {
        client.command("EHLO a.lab.test")?;
        client.auth_plain("probe", "secret")
    });
    assert!(refused.as_ref().is_ok_and(|reply| reply.code >= 500), "{refused:?}");
    let leaf = service.authority().leaf(&LeafOptions::client_named("probe"));
    let config = tls::client_with_certificate(service.authority(), &leaf);
    assert_eq!(encrypted(service.addr(), &config).0.auth_plain("probe", "secret").unwrap().code, 235);
}

#[test]
fn newer_dovecot_offers_channel_binding() {
    if left_out_without_newer_dovecot() {
        return;
    }
    let mechanisms = ["plain", "scram-sha-1", "scram-sha-256", "scram-sha-1-plus", "scram-sha-256-plus"];
    let started = Instant::now();
    let service = DovecotSubmission::start(&DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&mechanisms),
        release: Release::Newer,
        ..DovecotSubmissionOptions::default()
    });
    assert!(started.elapsed() < Duration::from_secs(3), "start took {:?}", started.elapsed());
    let (mut client, ehlo) = encrypted(service.addr(), &tls::client(service.authority()));
    assert_eq!(offered(&ehlo), mechanisms);
    let first = BASE64.encode("p=tls-exporter,,n=probe,r=0123456789");
    let challenge = decoded(&client.command(&format!("AUTH SCRAM-SHA-256-PLUS {first}")).unwrap());
    assert!(challenge.starts_with("r=0123456789") && challenge.contains(",i=4096"), "{challenge}");
    client.command("*").unwrap();
    assert_eq!(client.auth_plain("probe", "wrong").unwrap().code, 535);
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
}

#[test]
fn lmtp_has_starttls_and_no_auth() {
    let lmtp = Lmtp::start();
    let mut client = greeted(lmtp.addr());
    let before = client.command("LHLO a.lab.test").unwrap();
    assert!(before.has("STARTTLS") && !before.has("AUTH"), "{before:?}");
    let mut client = client.starttls(&tls::client(lmtp.authority()), "mail.lab.test").unwrap();
    let after = client.command("LHLO a.lab.test").unwrap();
    assert!(after.code == 250 && !after.has("STARTTLS") && !after.has("AUTH"), "{after:?}");
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 502);
    assert_eq!(client.command("EHLO a.lab.test").unwrap().code, 500);

    let mut socket = UnixStream::connect(lmtp.socket()).unwrap();
    socket.write_all(b"LHLO a.lab.test\r\nQUIT\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("220 ") && text.contains("STARTTLS") && text.contains("\r\n221 "), "{text}");
}

#[test]
fn hashed_password_serves_plain_alone() {
    let mut sasl = DovecotOptions::default().offering(&["plain", "cram-md5"]);
    sasl.hashed = true;
    let postfix = Postfix::start(&PostfixOptions { sasl, ..PostfixOptions::default() });
    let (mut client, _) = encrypted(postfix.addr(Listener::Submission), &tls::client(postfix.authority()));
    let challenge = decoded(&client.command("AUTH CRAM-MD5").unwrap());
    let response = BASE64.encode(format!("probe {}", cram_digest("secret", &challenge)));
    assert_eq!(client.command(&response).unwrap().code, 535);
    assert_eq!(client.auth_plain("probe", "wrong").unwrap().code, 535);
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
}
