//! The embedded submission server answers like a real one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::certs::LeafOptions;
use lab::client::Client;
use lab::smtpd::{BeforeTls, Submission, SubmissionOptions, TlsMode, cram_digest};
use lab::tls;

fn greeted(server: &Submission) -> Client {
    let mut client = Client::connect(server.addr()).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client
}

fn encrypted(server: &Submission) -> Client {
    let config = tls::client(server.authority());
    let mut client = greeted(server).starttls(&config, "mail.lab.test").unwrap();
    client.command("EHLO [127.0.0.1]").unwrap();
    client
}

#[test]
fn starttls_then_auth_plain() {
    let server = Submission::start(SubmissionOptions::default());
    let mut client = greeted(&server);
    let before = client.command("EHLO [127.0.0.1]").unwrap();
    assert!(before.has("STARTTLS") && before.has("SIZE") && before.has("PIPELINING"));
    assert!(!before.has("AUTH"));
    let mut client = client.starttls(&tls::client(server.authority()), "mail.lab.test").unwrap();
    let after = client.command("EHLO [127.0.0.1]").unwrap();
    assert_eq!(after.keyword("AUTH"), Some("AUTH PLAIN LOGIN CRAM-MD5"));
    assert!(!after.has("STARTTLS"));
    assert_eq!(client.command("MAIL FROM:<>").unwrap().code, 530);
    assert_eq!(client.auth_plain("probe", "wrong").unwrap().lines[0], "5.7.8 Error: authentication failed");
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 503);
    assert_eq!(client.command("QUIT").unwrap().code, 221);
    let sent = String::from_utf8(server.received()[0].clone()).unwrap();
    assert!(sent.contains("STARTTLS\r\n[TLS]\r\nEHLO [127.0.0.1]\r\n"), "{sent}");
}

#[test]
fn auth_in_steps() {
    let server = Submission::start(SubmissionOptions::default());
    let mut client = encrypted(&server);
    assert_eq!(client.command("AUTH LOGIN").unwrap().lines, ["VXNlcm5hbWU6"]);
    assert_eq!(client.command(&BASE64.encode("probe")).unwrap().lines, ["UGFzc3dvcmQ6"]);
    assert_eq!(client.command(&BASE64.encode("secret")).unwrap().code, 235);

    let mut client = encrypted(&server);
    let challenge = client.command("AUTH CRAM-MD5").unwrap();
    assert_eq!(challenge.code, 334);
    let challenge = String::from_utf8(BASE64.decode(&challenge.lines[0]).unwrap()).unwrap();
    let response = format!("probe {}", cram_digest("secret", &challenge));
    assert_eq!(client.command(&BASE64.encode(response)).unwrap().code, 235);

    let mut client = encrypted(&server);
    assert_eq!(client.command("AUTH PLAIN").unwrap().code, 334);
    assert_eq!(client.command("*").unwrap().code, 501);
    assert_eq!(client.command("AUTH PLAIN").unwrap().code, 334);
    assert_eq!(client.command("!").unwrap().code, 501);
    assert_eq!(client.command("AUTH SCRAM-SHA-1").unwrap().code, 504);
    assert_eq!(client.command("RSET").unwrap().code, 250);
    assert_eq!(client.command("NOOP").unwrap().code, 250);
}

#[test]
fn auth_before_tls_is_refused_as_configured() {
    for (before_tls, code) in
        [(BeforeTls::Refuse530, 530), (BeforeTls::Refuse538, 538), (BeforeTls::Accept, 235)]
    {
        let server = Submission::start(SubmissionOptions { before_tls, ..SubmissionOptions::default() });
        let mut client = greeted(&server);
        let offered = client.command("EHLO a.lab.test").unwrap().has("AUTH");
        assert_eq!(offered, before_tls == BeforeTls::Accept);
        assert_eq!(client.auth_plain("probe", "secret").unwrap().code, code);
    }
}

#[test]
fn implicit_tls_and_none() {
    let options = |tls| SubmissionOptions { tls, ..SubmissionOptions::default() };
    let server = Submission::start(options(TlsMode::Implicit));
    let config = tls::client(server.authority());
    let mut client = Client::connect_tls(server.addr(), &config, "localhost").unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    assert!(!client.command("EHLO a.lab.test").unwrap().has("STARTTLS"));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);

    let server = Submission::start(options(TlsMode::None));
    let mut client = greeted(&server);
    assert!(!client.command("EHLO a.lab.test").unwrap().has("STARTTLS"));
    assert_eq!(client.command("STARTTLS").unwrap().code, 503);
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
}

#[test]
fn backend_down_and_masked_banner() {
    let server = Submission::start(SubmissionOptions {
        backend_down: true,
        banner: "220 ****************2****".into(),
        certificate: LeafOptions::default().days(5),
        ..SubmissionOptions::default()
    });
    let mut client = Client::connect(server.addr()).unwrap();
    assert_eq!(client.reply().unwrap().lines, ["****************2****"]);
    let mut client = client.starttls(&tls::client(server.authority()), "mail.lab.test").unwrap();
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 454);
}
