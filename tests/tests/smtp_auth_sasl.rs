//! check_smtp_auth and the mechanisms that prove more than a password: SCRAM, DIGEST-MD5,
//! tokens, certificates. Real servers play the good ones in `dovecot.rs`; here are those
//! that lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::certs::LeafOptions;
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::tls::{self, Versions};
use ring::{digest, hmac, pbkdf2};
use tests::Check;
use tests::mail::{Mail, PASSWORD, USER, clear_to_auth, encode};

const SALT: &[u8] = b"salt of the lab";

/// What a SCRAM server of the lab remembers and how it lies.
#[derive(Clone)]
struct Scram {
    iterations: u32,
    /// Sent instead of what continues the client's nonce.
    nonce: Option<&'static str>,
    /// Sent instead of the true server signature.
    proof: Option<&'static str>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Scram {
    fn new() -> Self {
        Self { iterations: 4096, nonce: None, proof: None, said: Arc::default() }
    }

    fn text(line: &[u8]) -> String {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        let blob = line.rsplit(' ').next().unwrap().to_owned();
        String::from_utf8(BASE64.decode(blob).unwrap()).unwrap()
    }

    /// server-first-message
    fn challenge(&self, line: &[u8]) -> Vec<u8> {
        let first = Self::text(line);
        let client_nonce = first.split("r=").nth(1).unwrap().to_owned();
        let nonce = self.nonce.map_or_else(|| format!("{client_nonce}lab"), ToOwned::to_owned);
        let challenge = format!("r={nonce},s={},i={}", BASE64.encode(SALT), self.iterations);
        self.said.lock().unwrap().extend([first, challenge.clone()]);
        format!("334 {}\r\n", encode(&challenge)).into_bytes()
    }

    /// server-final-message, computed as RFC 5802 section 3 says.
    fn answer(&self, line: &[u8]) -> Vec<u8> {
        let last = Self::text(line);
        let said = self.said.lock().unwrap();
        let bare = said[0].splitn(3, ',').nth(2).unwrap();
        let without_proof = last.rsplit_once(",p=").unwrap().0;
        let message = format!("{bare},{},{without_proof}", said[1]);
        let mut salted = [0; 32];
        let iterations = NonZeroU32::new(self.iterations).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, SALT, PASSWORD.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
        let server_key = sign(&salted, b"Server Key");
        let signature = BASE64.encode(sign(server_key.as_ref(), message.as_bytes()));
        drop(said);
        self.said.lock().unwrap().push(last);
        let proof = self.proof.map_or_else(|| format!("v={signature}"), ToOwned::to_owned);
        format!("334 {}\r\n", encode(&proof)).into_bytes()
    }

    /// From AUTH to behind the client's proof.
    fn play(&self, script: Script) -> Script {
        let (first, last) = (self.clone(), self.clone());
        script.reply(move |line| first.challenge(line)).reply(move |line| last.answer(line))
    }
}

const ACCEPT: &str = "235 2.7.0 ok\r\n";

#[test]
fn ok_scram_proves_both_sides() {
    let scram = Scram::new();
    let script = scram.play(clear_to_auth("AUTH PLAIN SCRAM-SHA-256")).read().send(ACCEPT).quit();
    let peer = Peer::start(script);
    let mail = Mail::new();
    let run = mail.clear(peer.addr()).arg("-vvv").gives(State::Ok, &["by SCRAM-SHA-256 without TLS"]);
    run.silent_about(PASSWORD);
    assert!(peer.received_text(0).contains("\r\n\r\nQUIT"), "an empty line takes the server's proof");
    assert!(scram.said.lock().unwrap()[0].starts_with("n,,n=probe,r="));
}

#[test]
fn critical_scram_servers_that_lie() {
    for (scram, words) in [
        (
            Scram { proof: Some("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), ..Scram::new() },
            "server signature is wrong",
        ),
        (Scram { proof: Some("x=1"), ..Scram::new() }, "without a server signature"),
    ] {
        let peer = Peer::start(
            scram.play(clear_to_auth("AUTH SCRAM-SHA-256")).expect("*").send("501 ok\r\n").quit(),
        );
        let mail = Mail::new();
        mail.clear(peer.addr()).gives(State::Critical, &["protocol violation in AUTH SCRAM-SHA-256", words]);
        peer.assert_followed();
    }
    // Success without the proof, right after ours.
    let scram = Scram::new();
    let first = scram.clone();
    let script =
        clear_to_auth("AUTH SCRAM-SHA-256").reply(move |line| first.challenge(line)).read().send(ACCEPT);
    let peer = Peer::start(script);
    Mail::new()
        .clear(peer.addr())
        .gives(State::Critical, &["server accepts without a server signature", "235"]);
    // And before it.
    let peer = Peer::start(clear_to_auth("AUTH SCRAM-SHA-256").read().send(ACCEPT));
    Mail::new().clear(peer.addr()).gives(State::Critical, &["server accepts before anything was proved"]);
}

#[test]
fn critical_scram_challenges_that_break_the_rules() {
    let foreign = Scram { nonce: Some("somebody-elses"), ..Scram::new() };
    let script = foreign.clone();
    let peer = Peer::start(
        clear_to_auth("AUTH SCRAM-SHA-256")
            .reply(move |line| script.challenge(line))
            .expect("*")
            .send("501 x\r\n")
            .quit(),
    );
    Mail::new().clear(peer.addr()).gives(State::Critical, &["does not continue our nonce"]);
    let costly = Scram { iterations: 4_000_000_000, ..Scram::new() };
    let peer = Peer::start(
        clear_to_auth("AUTH SCRAM-SHA-256")
            .reply(move |line| costly.challenge(line))
            .expect("*")
            .send("501 x\r\n")
            .quit(),
    );
    Mail::new().clear(peer.addr()).gives(State::Critical, &["absurd number of iterations"]);
}

#[test]
fn warning_few_iterations() {
    let scram = Scram { iterations: 1000, ..Scram::new() };
    let peer = Peer::start(scram.play(clear_to_auth("AUTH SCRAM-SHA-256")).read().send(ACCEPT).quit());
    let words = ["only 1000 iterations, below 4096"];
    Mail::new().clear(peer.addr()).gives(State::Warning, &words).long("probe logged in");
}

#[test]
fn critical_535_after_automatic_scram_says_what_else_it_may_be() {
    for (arguments, hinted) in [(&[][..], true), (&["--mech", "scram-sha-256"], false)] {
        let scram = Scram::new();
        let script = clear_to_auth("AUTH PLAIN SCRAM-SHA-256")
            .reply(move |line| scram.challenge(line))
            .read()
            .send("535 5.7.8 no\r\n")
            .quit();
        let peer = Peer::start(script);
        let run = Mail::new()
            .clear(peer.addr())
            .args(arguments)
            .gives(State::Critical, &["credentials of probe rejected"]);
        assert_eq!(run.outcome.text().contains("--mech plain"), hinted, "{}", run.outcome.text());
    }
}

/// Plays up to the client-final-message of a -PLUS mechanism and returns what it is bound to,
/// and the server's certificate.
fn bound_to(check: Check, versions: Versions) -> (Vec<u8>, Vec<u8>) {
    let mail = Mail::new();
    let leaf = mail.authority.leaf(&LeafOptions::default());
    let config = tls::server_with(&leaf, versions, None);
    let scram = Scram::new();
    let script = Script::new()
        .banner()
        .ehlo(&["STARTTLS"])
        .starttls(&config)
        .ehlo(&["AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN"]);
    let peer = Peer::start(scram.play(script).read().send(ACCEPT).quit());
    let check = mail.login(check, peer.addr()).args(["--mech", "scram-sha-256-plus"]);
    check.arg("--ca-file").arg(mail.ca_file()).gives(State::Ok, &["by SCRAM-SHA-256-PLUS over TLS"]);
    let said = scram.said.lock().unwrap();
    let bound = said[2].strip_prefix("c=").unwrap().split(',').next().unwrap();
    (BASE64.decode(bound).unwrap(), leaf.cert_der.clone())
}

#[test]
fn ok_plus_is_tied_to_the_connection() {
    let builds = [Some(Check::new("check_smtp_auth")), Check::native("check_smtp_auth")];
    for check in builds.into_iter().flatten() {
        let (bound, certificate) = bound_to(check.clone(), Versions::Tls12);
        let digest = digest::digest(&digest::SHA256, &certificate);
        assert_eq!(bound, [b"p=tls-server-end-point,,".as_slice(), digest.as_ref()].concat());
        let (bound, _) = bound_to(check, Versions::Tls13);
        let exported = bound.strip_prefix(b"p=tls-exporter,,".as_slice()).unwrap();
        assert!(exported.len() == 32 && exported.iter().any(|byte| *byte != 0));
    }
}

#[test]
fn critical_plus_wanted_where_nothing_can_be_tied() {
    let peer = Peer::start(clear_to_auth("AUTH SCRAM-SHA-256-PLUS").quit());
    let mail = Mail::new();
    let check = mail.clear(peer.addr()).args(["--mech", "scram-sha-256-plus"]);
    check.gives(State::Critical, &["SCRAM-SHA-256-PLUS cannot be tied"]);
}

#[test]
fn digest_md5_checks_the_servers_answer() {
    let challenge = r#"realm="lab",nonce="abc",qop="auth",algorithm=md5-sess,charset=utf-8"#;
    let begin = || {
        clear_to_auth("AUTH DIGEST-MD5")
            .expect("AUTH DIGEST-MD5")
            .send(format!("334 {}\r\n", encode(challenge)))
    };
    let wrong =
        begin().read().send(format!("334 {}\r\n", encode("rspauth=00"))).expect("*").send("501 x\r\n").quit();
    let peer = Peer::start(wrong);
    Mail::new()
        .clear(peer.addr())
        .args(["--mech", "digest-md5"])
        .gives(State::Critical, &["server signature is wrong"]);
    let peer = Peer::start(begin().read().send(ACCEPT).quit());
    Mail::new()
        .clear(peer.addr())
        .args(["--mech", "digest-md5"])
        .gives(State::Critical, &["without a server signature"]);
    let said: Arc<Mutex<String>> = Arc::default();
    let heard = Arc::clone(&said);
    let rejected = begin().reply(move |line| {
        *heard.lock().unwrap() = Scram::text(line);
        b"535 5.7.8 no\r\n".to_vec()
    });
    let peer = Peer::start(rejected.quit());
    Mail::new()
        .clear(peer.addr())
        .args(["--mech", "digest-md5"])
        .gives(State::Critical, &["credentials of probe rejected"]);
    assert!(said.lock().unwrap().contains(r#"username="probe",realm="lab",nonce="abc",nc=00000001"#));
    assert!(said.lock().unwrap().contains(r#"digest-uri="smtp/127.0.0.1""#));
}

#[test]
fn tokens_and_their_errors() {
    let mail = Mail::new();
    let token = mail.file("token", "tok.en\n", 0o600);
    let check = |peer: &Peer, mechanism: &str| {
        Mail::bare(peer.addr())
            .args(["-u", USER, "--tls", "none", "--allow-plaintext", "--mech", mechanism, "--token-file"])
            .arg(&token)
            .timeout(1.0)
    };
    let port = |peer: &Peer| peer.port();
    let good = |offer: &str| clear_to_auth(offer).expect("AUTH ").send(ACCEPT).quit();
    let peer = Peer::start(good("AUTH XOAUTH2 OAUTHBEARER"));
    check(&peer, "oauthbearer").gives(State::Ok, &["by OAUTHBEARER"]);
    let sent = peer.received_text(0);
    let blob = sent.split("AUTH OAUTHBEARER ").nth(1).unwrap().split("\r\n").next().unwrap();
    let message = String::from_utf8(BASE64.decode(blob).unwrap()).unwrap();
    let expected =
        format!("n,a=probe,\x01host=127.0.0.1\x01port={}\x01auth=Bearer tok.en\x01\x01", port(&peer));
    assert_eq!(message, expected);
    let peer = Peer::start(good("AUTH PLAIN XOAUTH2"));
    check(&peer, "auto").gives(State::Ok, &["by XOAUTH2"]);
    let blob = encode("user=probe\x01auth=Bearer tok.en\x01\x01");
    assert!(peer.received_text(0).contains(&format!("AUTH XOAUTH2 {blob}")));

    for (mechanism, answer) in [("OAUTHBEARER", "AQ==\r\n"), ("XOAUTH2", "\r\n")] {
        let error = encode(r#"{"status":"invalid_token","scope":"mail"}"#);
        let script = clear_to_auth(&format!("AUTH {mechanism}"))
            .expect("AUTH ")
            .send(format!("334 {error}\r\n"))
            .read()
            .send("535 5.7.8 token\r\n")
            .quit();
        let peer = Peer::start(script);
        let run = check(&peer, mechanism)
            .arg("-vvv")
            .gives(State::Critical, &["token status \"invalid_token\"", "535 5.7.8"]);
        run.silent_about("tok.en");
        assert!(peer.received_text(0).contains(&format!("\r\n{answer}QUIT")), "{}", peer.received_text(0));
    }
}

#[test]
fn external_sends_an_identity_or_nothing() {
    let mail = Mail::new();
    let leaf = mail.authority.leaf(&LeafOptions::client_named("probe"));
    let (certificate, key) = leaf.write(mail.dir(), "client");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for (arguments, line) in
        [(&[][..], "AUTH EXTERNAL =\r\n"), (&["--authzid", "boss"], "AUTH EXTERNAL Ym9zcw==\r\n")]
    {
        let peer = Peer::start(mail.script_to_auth("AUTH EXTERNAL PLAIN").expect("AUTH").send(ACCEPT).quit());
        let check = Mail::bare(peer.addr())
            .args(["--mech", "external", "--ca-file"])
            .arg(mail.ca_file())
            .arg("--cert-file")
            .arg(&certificate)
            .arg("--key-file")
            .arg(&key)
            .args(arguments)
            .timeout(1.0);
        check.gives(State::Ok, &["the client certificate logged in to", "by EXTERNAL"]);
        assert!(peer.received_text(0).contains(line), "{}", peer.received_text(0));
    }
    let without = Mail::bare("127.0.0.1:9".parse().unwrap()).args(["--mech", "external"]).timeout(1.0);
    without.gives(State::Unknown, &["--cert-file: required by --mech EXTERNAL"]);
}
