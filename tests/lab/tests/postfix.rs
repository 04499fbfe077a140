//! A real Postfix with a real Dovecot behind it answers as the scenarios expect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::client::Client;
use lab::dovecot::DovecotOptions;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::smtpd::cram_digest;
use lab::tls;

fn greeted(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client
}

fn encrypted(postfix: &Postfix, address: SocketAddr) -> Client {
    let mut client = greeted(address);
    assert!(client.command("EHLO a.lab.test").unwrap().has("STARTTLS"));
    let mut client = client.starttls(&tls::client(postfix.authority()), "mail.lab.test").unwrap();
    client.command("EHLO a.lab.test").unwrap();
    client
}

#[test]
fn every_listener_has_its_flavour() {
    let started = Instant::now();
    let postfix = Postfix::start(&PostfixOptions::default());
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "start took {took:?}");
    let config = tls::client(postfix.authority());

    let mut client = greeted(postfix.addr(Listener::Submission));
    let before = client.command("EHLO a.lab.test").unwrap();
    assert!(before.has("STARTTLS") && !before.has("AUTH"));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 530);
    for address in [postfix.addr(Listener::Submission), postfix.addr_v6(Listener::Submission)] {
        let mut client = encrypted(&postfix, address);
        assert_eq!(client.auth_plain("probe", "wrong").unwrap().code, 535);
        assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
        assert_eq!(client.command("QUIT").unwrap().code, 221);
    }

    let mut client = greeted(postfix.addr(Listener::Plaintext));
    let ehlo = client.command("EHLO a.lab.test").unwrap();
    assert!(ehlo.has("AUTH ") && ehlo.has("AUTH=") && !ehlo.has("STARTTLS"));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);

    let mut client = Client::connect_tls(postfix.addr(Listener::Implicit), &config, "mail.lab.test").unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    assert!(client.command("EHLO a.lab.test").unwrap().has("AUTH"));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);

    let mut client = greeted(postfix.addr(Listener::Optional));
    let ehlo = client.command("EHLO a.lab.test").unwrap();
    assert!(ehlo.has("AUTH") && ehlo.has("STARTTLS"));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
}

#[test]
fn certificates_are_the_announced_ones() {
    let postfix = Postfix::start(&PostfixOptions::default());
    let config = tls::client(postfix.authority());
    let handshake = |listener, name: &str| {
        greeted(postfix.addr(listener)).starttls(&config, name).map(|_| ()).map_err(|e| e.to_string())
    };
    for name in ["mail.lab.test", "localhost", "127.0.0.1", "::1"] {
        assert_eq!(handshake(Listener::Submission, name), Ok(()));
    }
    assert_eq!(handshake(Listener::Expiring, "mail.lab.test"), Ok(()));
    assert_eq!(handshake(Listener::WrongName, "other.lab.test"), Ok(()));
    let wrong = handshake(Listener::WrongName, "mail.lab.test").unwrap_err();
    assert!(wrong.contains("not valid for"), "{wrong}");
    let expired = handshake(Listener::Expired, "mail.lab.test").unwrap_err();
    assert!(expired.contains("expired"), "{expired}");
}

#[test]
fn login_and_cram_md5_with_odd_passwords() {
    let users = BTreeMap::from([("probe@lab.test".to_owned(), "a:b {c} ü".to_owned())]);
    let sasl = DovecotOptions { users, ..DovecotOptions::default() };
    let postfix = Postfix::start(&PostfixOptions { sasl, ..PostfixOptions::default() });
    let mut client = encrypted(&postfix, postfix.addr(Listener::Submission));
    assert_eq!(client.command("AUTH LOGIN").unwrap().code, 334);
    assert_eq!(client.command(&BASE64.encode("probe@lab.test")).unwrap().code, 334);
    assert_eq!(client.command(&BASE64.encode("a:b {c} ü")).unwrap().code, 235);

    let mut client = encrypted(&postfix, postfix.addr(Listener::Submission));
    let challenge = client.command("AUTH CRAM-MD5").unwrap().lines.remove(0);
    let challenge = String::from_utf8(BASE64.decode(challenge).unwrap()).unwrap();
    let response = format!("probe@lab.test {}", cram_digest("a:b {c} ü", &challenge));
    assert_eq!(client.command(&BASE64.encode(response)).unwrap().code, 235);
}

#[test]
fn mechanisms_and_main_cf_are_configurable() {
    let sasl = DovecotOptions { mechanisms: vec!["login".into()], ..DovecotOptions::default() };
    let main_cf = BTreeMap::from([("smtpd_banner".to_owned(), "$myhostname ESMTP changed".to_owned())]);
    let postfix = Postfix::start(&PostfixOptions { sasl, main_cf });
    let mut client = Client::connect(postfix.addr(Listener::Plaintext)).unwrap();
    assert_eq!(client.reply().unwrap().lines, ["mail.lab.test ESMTP changed"]);
    assert_eq!(client.command("EHLO a.lab.test").unwrap().keyword("AUTH "), Some("AUTH LOGIN"));
}

#[test]
fn failure_without_penalty_does_not_slow_the_next_login() {
    let postfix = Postfix::start(&PostfixOptions::default());
    let started = Instant::now();
    for password in ["wrong", "secret"] {
        let mut client = encrypted(&postfix, postfix.addr(Listener::Submission));
        client.auth_plain("probe", password).unwrap();
    }
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
}

#[test]
fn penalty_slows_the_next_login() {
    let sasl = DovecotOptions { auth_penalty: true, ..DovecotOptions::default() };
    let postfix = Postfix::start(&PostfixOptions { sasl, ..PostfixOptions::default() });
    let mut client = encrypted(&postfix, postfix.addr(Listener::Submission));
    assert_eq!(client.auth_plain("probe", "wrong").unwrap().code, 535);
    let started = Instant::now();
    let mut client = encrypted(&postfix, postfix.addr(Listener::Submission));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
    assert!(started.elapsed() > Duration::from_millis(1500), "{:?}", started.elapsed());
}

#[test]
fn paused_server_accepts_and_stays_silent() {
    let postfix = Postfix::start(&PostfixOptions::default());
    let address = postfix.addr(Listener::Submission);
    greeted(address);
    postfix.pause();
    let mut client = Client::connect(address).unwrap();
    client.set_timeout(Duration::from_millis(300));
    assert!(client.reply().is_err());
    postfix.resume();
    client.set_timeout(Duration::from_secs(10));
    assert_eq!(client.reply().unwrap().code, 220);
}

#[test]
fn sasl_down_for_new_sessions() {
    let mut postfix = Postfix::start(&PostfixOptions::default());
    postfix.stop_sasl();
    let mut client = Client::connect(postfix.addr(Listener::Plaintext)).unwrap();
    assert!(client.reply().is_err(), "no greeting");

    let mut client = greeted(postfix.addr(Listener::Submission));
    assert!(client.command("EHLO a.lab.test").unwrap().has("STARTTLS"));
    let after_tls = client
        .starttls(&tls::client(postfix.authority()), "mail.lab.test")
        .and_then(|mut client| client.command("EHLO a.lab.test"));
    assert!(after_tls.is_err(), "{after_tls:?}");
    assert!(postfix.log().contains("fatal: no SASL authentication mechanisms"), "{}", postfix.log());
}

#[test]
fn sasl_down_for_an_open_session_and_back() {
    let mut postfix = Postfix::start(&PostfixOptions::default());
    let address = postfix.addr(Listener::Plaintext);
    let mut client = greeted(address);
    client.command("EHLO a.lab.test").unwrap();
    postfix.stop_sasl();
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 454);
    drop(client);
    // The same process still has the mechanisms in memory, until a reconnect fails.
    assert_eq!(login(address).unwrap(), 454);
    assert!(login(address).is_err(), "no greeting");

    postfix.start_sasl();
    let until = Instant::now() + Duration::from_secs(8);
    let mut code = None;
    while code != Some(235) && Instant::now() < until {
        code = login(address).ok();
    }
    assert_eq!(code, Some(235), "{}{}", postfix.log(), postfix.dovecot().log());
}

fn login(address: SocketAddr) -> std::io::Result<u16> {
    let mut client = Client::connect(address)?;
    client.reply()?;
    client.command("EHLO a.lab.test")?;
    Ok(client.auth_plain("probe", "secret")?.code)
}

#[test]
fn dropping_leaves_nothing_behind() {
    let postfix = Postfix::start(&PostfixOptions::default());
    let (address, folder) = (postfix.addr(Listener::Submission), postfix.dir().to_owned());
    greeted(address);
    let started = Instant::now();
    drop(postfix);
    assert!(started.elapsed() < Duration::from_secs(3), "stop took {:?}", started.elapsed());
    assert!(!folder.exists());
    assert!(TcpStream::connect(address).is_err());
}
