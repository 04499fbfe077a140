//! A real Exim answers as the scenarios expect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::client::Client;
use lab::exim::{Exim, EximOptions};
use lab::process::has_ipv6;
use lab::smtpd::cram_digest;
use lab::tls;

fn greeted(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client
}

fn encrypted(exim: &Exim, address: SocketAddr) -> Client {
    let mut client = greeted(address);
    client.command("EHLO a.lab.test").unwrap();
    let mut client = client.starttls(&tls::client(exim.authority()), "mail.lab.test").unwrap();
    let ehlo = client.command("EHLO a.lab.test").unwrap();
    assert_eq!(ehlo.keyword("AUTH"), Some("AUTH PLAIN LOGIN CRAM-MD5"), "{}", exim.log());
    client
}

#[test]
fn auth_only_after_tls() {
    let started = Instant::now();
    let exim = Exim::start(&EximOptions::default());
    assert!(started.elapsed() < Duration::from_secs(3), "start took {:?}", started.elapsed());
    let mut client = greeted(exim.addr());
    let before = client.command("EHLO a.lab.test").unwrap();
    assert!(before.has("STARTTLS") && !before.has("AUTH"), "{before:?}");
    let refused = client.auth_plain("probe", "secret").unwrap();
    assert_eq!((refused.code, refused.lines[0].as_str()), (503, "AUTH command used when not advertised"));

    let addresses = if has_ipv6() { vec![exim.addr(), exim.addr_v6()] } else { vec![exim.addr()] };
    for address in addresses {
        let mut client = encrypted(&exim, address);
        assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235, "{}", exim.log());
        assert_eq!(client.command("MAIL FROM:<a@lab.test>").unwrap().code, 250);
        assert_eq!(client.command("RCPT TO:<b@lab.test>").unwrap().code, 250);
        assert_eq!(client.command("QUIT").unwrap().code, 221);
    }
    let implicit = (Ipv4Addr::LOCALHOST, exim.implicit_port()).into();
    let mut client = Client::connect_tls(implicit, &tls::client(exim.authority()), "mail.lab.test").unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    assert!(client.command("EHLO a.lab.test").unwrap().has("AUTH"));
}

#[test]
fn every_mechanism_and_its_refusal() {
    let exim = Exim::start(&EximOptions::default());
    for (user, password, code) in
        [("probe", "secret", 235), ("probe", "wrong", 535), ("nobody", "", 535), ("nobody", "secret", 535)]
    {
        let mut client = encrypted(&exim, exim.addr());
        let reply = client.auth_plain(user, password).unwrap();
        assert_eq!(reply.code, code, "{user} {password}: {reply:?}");
        assert!(code == 235 || reply.lines == ["Incorrect authentication data"], "{reply:?}");

        let mut client = encrypted(&exim, exim.addr());
        assert_eq!(client.command("AUTH LOGIN").unwrap().code, 334);
        assert_eq!(client.command(&BASE64.encode(user)).unwrap().code, 334);
        assert_eq!(client.command(&BASE64.encode(password)).unwrap().code, code);

        let mut client = encrypted(&exim, exim.addr());
        let challenge = client.command("AUTH CRAM-MD5").unwrap().lines.remove(0);
        let challenge = String::from_utf8(BASE64.decode(challenge).unwrap()).unwrap();
        let response = BASE64.encode(format!("{user} {}", cram_digest(password, &challenge)));
        assert_eq!(client.command(&response).unwrap().code, code);
    }
}

#[test]
fn options_and_end() {
    let main = [("smtp_banner".to_owned(), "mail.lab.test changed".to_owned())].into();
    let mut exim = Exim::start(&EximOptions { auth_before_tls: true, main, ..EximOptions::default() });
    let mut client = Client::connect(exim.addr()).unwrap();
    assert_eq!(client.reply().unwrap().lines, ["mail.lab.test changed"]);
    assert!(client.command("EHLO a.lab.test").unwrap().has("AUTH"));
    assert_eq!(client.auth_plain("probe", "secret").unwrap().code, 235);
    exim.pause();
    let mut client = Client::connect(exim.addr()).unwrap();
    client.set_timeout(Duration::from_millis(300));
    assert!(client.reply().is_err());
    exim.resume();
    exim.stop();
    assert!(TcpStream::connect(exim.addr()).is_err());
}
