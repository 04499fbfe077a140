//! The advice of check_weak_ciphers, tried: a real server is made as weak as its build allows, the lines that the check
//! gives for a finding are put into its configuration, and exactly the findings go that these lines are for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs;

use lab::certs::{Authority, LeafOptions};
use lab::output::State;
use lab::process::{left_out_without_newer, left_out_without_root};
use lab::tls_script::{Auth, Protocol, TlsPeer, TlsScript, Upgrade, Version};
use lab::tls_servers::configured::Software;
use lab::tls_servers::{Identity, Keys};
use tests::advice::{ALL, Scene, ids, keys, left_out, set, sound, tried, words};
use tests::{Check, Run};

/// What nginx and Apache can be made to show.
const WEB: [(&str, &str); 4] = [
    ("tls1_0 tls1_1 no_tls1_3", ""),
    ("null_cipher anonymous no_forward_secrecy cbc ffdhe", "tls1_0 tls1_1 dh_small"),
    ("dh_small", ""),
    ("curve_small", ""),
];

#[test]
fn nginx() {
    let scene = Scene::new(Software::Nginx, Keys::new());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "ssl_protocols TLSv1 TLSv1.1 TLSv1.2;",
            "ssl_ciphers ALL:COMPLEMENTOFALL:!PSK:!SRP;",
            "ssl_dhparam DH1024;",
            "ssl_ecdh_curve secp160r1:secp192k1:X25519;",
        ],
    );
    tried(&scene, &lines, &WEB, "no_post_quantum", &[]);
}

#[test]
fn apache() {
    let scene = Scene::new(Software::Apache, Keys::new());
    // Where it takes the prime from first.
    let certificate = &scene.keys.identity(Auth::Rsa).certificate;
    let with_prime = [fs::read(certificate).unwrap(), fs::read(scene.keys.dh_1024()).unwrap()].concat();
    fs::write(certificate, with_prime).unwrap();
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "SSLProtocol -all +TLSv1 +TLSv1.1 +TLSv1.2",
            "SSLCipherSuite ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "SSLOpenSSLConfCmd Groups secp160r1:secp192k1:X25519",
        ],
    );
    // It adds !aNULL:!eNULL to any list.
    let rows = [WEB[0], ("no_forward_secrecy cbc ffdhe", "tls1_0 tls1_1 dh_small"), WEB[2], WEB[3]];
    tried(&scene, &lines, &rows, "no_post_quantum", &[]);
}

#[test]
fn postfix() {
    if left_out(Software::Postfix) {
        return;
    }
    for (level, mandatory) in [("may", ""), ("encrypt", "mandatory_")] {
        let scene = Scene::new(Software::Postfix, Keys::new());
        let lines = scene.lines(
            scene.keys.identity(Auth::Rsa),
            &[
                &format!("smtpd_tls_{mandatory}protocols = >=TLSv1, <=TLSv1.2"),
                "tls_medium_cipherlist = ALL:COMPLEMENTOFALL",
                "smtpd_tls_dh1024_param_file = DH1024",
                "tls_eecdh_auto_curves = secp160r1 secp192k1 X25519",
            ],
        );
        let lines = set(&lines, &[format!("smtpd_tls_security_level = {level}")]);
        tried(&scene, &lines, &WEB, "no_post_quantum", &[]);
    }
}

#[test]
fn dovecot() {
    if left_out(Software::Dovecot23) {
        return;
    }
    let scene = Scene::new(Software::Dovecot23, Keys::new());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "ssl_min_protocol = TLSv1",
            "ssl_cipher_list = ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "ssl_dh = <DH1024",
            "ssl_curve_list = secp160r1:secp192k1:X25519",
        ],
    );
    let rows = [("tls1_0 tls1_1", ""), WEB[1], WEB[2], WEB[3]];
    tried(&scene, &lines, &rows, "no_post_quantum", &[]);
}

#[test]
fn newer_dovecot() {
    if left_out(Software::Dovecot24) {
        return;
    }
    let scene = Scene::new(Software::Dovecot24, Keys::newer());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "ssl_min_protocol = TLSv1",
            "ssl_cipher_list = ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "ssl_server_dh_file = DH1024",
            "ssl_curve_list = secp160r1:secp192k1:X25519",
        ],
    );
    let rows = [("tls1_0 tls1_1", ""), WEB[1], WEB[2], ("curve_small no_post_quantum", "")];
    tried(&scene, &lines, &rows, "", &[]);
}

#[test]
fn exim() {
    if left_out(Software::EximGnutls) {
        return;
    }
    let scene = Scene::new(Software::EximGnutls, Keys::new());
    let weak = "tls_require_ciphers = NORMAL:+VERS-ALL:-VERS-TLS1.3:+NULL:+3DES-CBC:+ARCFOUR-128:+MAC-ALL:+RSA:+DHE-RSA:+GROUP-SECP192R1:\
                %DISABLE_SAFE_RENEGOTIATION:%NO_SESSION_HASH";
    let lines = scene.lines(scene.keys.identity(Auth::Rsa), &[weak]);
    // One setting for everything, so one line ends it all.
    let row = "tls1_0 tls1_1 no_tls1_3 null_cipher rc4 small_block modest_strength no_forward_secrecy cbc ffdhe \
               curve_small no_secure_renegotiation no_extended_master_secret";
    tried(&scene, &lines, &[(row, "")], "no_post_quantum", &[]);
}

#[test]
fn exim_with_openssl() {
    if left_out(Software::EximOpenssl) {
        return;
    }
    let scene = Scene::new(Software::EximOpenssl, Keys::new());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "openssl_options = +no_tlsv1_3",
            "tls_require_ciphers = ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "tls_dhparam = DH1024",
        ],
    );
    // With a curve of one's own 4.96 has no TLS at all on OpenSSL 3.
    tried(&scene, &lines, &WEB[..3], "no_post_quantum", &[]);
}

/// Certificates that nobody should accept, on a server that is sound otherwise.
fn certificates(software: Software) {
    if left_out(software) {
        return;
    }
    let scene = Scene::new(software, keys(software));
    let weak =
        scene.keys.issue("weak", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &["-sha1"]);
    let lines = scene.lines(&weak, sound(software));
    let newest = if software == Software::Dovecot24 { "" } else { "no_post_quantum" };
    // Who verifies accepts no SHA-1.
    tried(&scene, &lines, &[("rsa_small certificate_weak_hash certificate_untrusted", "")], newest, &[]);

    let scene = Scene::new(software, keys(software));
    let leaf = Authority::new("Another CA").leaf(&LeafOptions::server_named("tls.test").days(-3));
    let (certificate, key) = leaf.write(scene.keys.folder(), "old");
    let lines = scene.lines(&Identity { certificate, key, der: Vec::new() }, sound(software));
    tried(&scene, &lines, &[("certificate_expired certificate_untrusted", "")], newest, &[]);
}

#[test]
fn nginx_certificates() {
    certificates(Software::Nginx);
}

#[test]
fn apache_certificates() {
    certificates(Software::Apache);
}

#[test]
fn postfix_certificates() {
    certificates(Software::Postfix);
}

#[test]
fn dovecot_certificates() {
    certificates(Software::Dovecot23);
}

#[test]
fn newer_dovecot_certificates() {
    certificates(Software::Dovecot24);
}

#[test]
fn exim_certificates() {
    certificates(Software::EximGnutls);
}

#[test]
fn exim_with_openssl_certificates() {
    certificates(Software::EximOpenssl);
}

/// A library that forbids nothing signs by SHA-1, and GnuTLS does in any case. Postfix has no setting for it.
#[test]
fn signatures() {
    let told = ALL.into_iter().filter(|software| *software != Software::Postfix);
    for software in told.filter(|software| !left_out(*software)) {
        let scene = Scene::new(software, keys(software));
        let lines = scene.lines(scene.keys.identity(Auth::Rsa), sound(software));
        let newest = if software == Software::Dovecot24 { "" } else { "no_post_quantum" };
        tried(&scene, &lines, &[("signature_weak_hash", "")], newest, &["--signatures"]);
    }
}

/// The releases of Debian 13 know post-quantum groups; [`newer_dovecot`] has its own.
#[test]
fn post_quantum_groups() {
    if left_out_without_root("a newer release") || left_out_without_newer("nginx, Apache and Postfix") {
        return;
    }
    for (software, classical) in [
        (Software::Nginx, &["ssl_ecdh_curve X25519:prime256v1;"][..]),
        (Software::Apache, &["SSLOpenSSLConfCmd Groups X25519:P-256"]),
        // By itself it names groups of its time.
        (Software::Postfix, &[]),
    ] {
        let scene = Scene::new(software, Keys::newer());
        let lines = scene.lines(scene.keys.identity(Auth::Ecdsa), &[sound(software), classical].concat());
        tried(&scene, &lines, &[("no_post_quantum", "")], "", &["--require", "pqc"]);
    }
}

/// What no build of Debian shows any more is shown by the scripted endpoint. Each program accepts all lines against it
/// and is sound with them.
#[test]
fn what_only_older_builds_show() {
    let keys_of_peer = Keys::new();
    let chain = [keys_of_peer.identity(Auth::Rsa).der.clone()];
    let peer = TlsPeer::start(
        TlsScript::new()
            .certificate(Auth::Rsa, &chain)
            .ssl2(&[0x01_0080, 0x07_00c0])
            .version(Version::Ssl3, &[0x0003, 0x0004, 0x0007, 0x0009, 0x000a, 0x0014])
            .version(Version::Tls12, &[0x0033, 0x0031, 0xc013])
            .groups(&[18])
            .dh_bits(512)
            .compression(1)
            .without_renegotiation_info()
            .without_extended_master_secret(),
    );
    let shown = "sslv2 sslv3 export rc4 low_strength small_block modest_strength dh_broken static_dh curve_small no_forward_secrecy cbc \
                 ffdhe compression no_secure_renegotiation no_extended_master_secret no_tls1_3 no_post_quantum \
                 certificate_untrusted";
    for software in ALL.into_iter().filter(|software| !left_out(*software)) {
        let scene = Scene::new(software, keys(software));
        let (before, _) = scene.check(peer.port(), "none", &[]);
        assert_eq!(ids(&before), words(shown));
        let mut lines = scene.lines(scene.keys.identity(Auth::Rsa), &[]);
        // An older library refuses the names of newer groups.
        for finding in before.values().filter(|one| one["id"] != "no_post_quantum") {
            let advice = scene.advice(finding);
            scene.prepare(finding, &advice);
            lines = set(&lines, &advice);
        }
        let (after, code) = scene.found(&lines, &[]);
        let left = if software == Software::Dovecot24 { "" } else { "no_post_quantum" };
        assert_eq!((ids(&after), code), (words(left), Some(State::Ok.code())), "{lines:?}");
    }
}

/// `-v` has each line once, for the programs that the port can be.
#[test]
fn lines_in_the_long_output() {
    let keys = Keys::new();
    let chain = [keys.identity(Auth::Rsa).der.clone()];
    let weak = TlsScript::new().certificate(Auth::Rsa, &chain).version(Version::Tls12, &[0x0005, 0xc02f]);
    let peer = TlsPeer::start(weak.clone());
    let behind = TlsPeer::start(weak.starttls(Protocol::Imap, Upgrade::Offered));
    let run = |port: u16, protocol: &str, more: &[&str]| {
        Check::new("check_weak_ciphers")
            .args(["-H", "127.0.0.1", "-p", &port.to_string(), "--no-cert", "--starttls", protocol])
            .args(more)
            .timeout(20.0)
            .gives(State::Critical, &["rc4"])
    };
    let whole = run(peer.port(), "none", &["-v"]);
    let about = |run: &Run| -> Vec<String> {
        run.parsed.long.iter().filter(|line| line.starts_with("advice ")).cloned().collect()
    };
    let lines = about(&whole);
    assert!(
        lines[0].starts_with("advice on cipher suites (rc4, no_forward_secrecy): on port 25"),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"advice for nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;".to_owned()),
        "{lines:?}"
    );
    // Notes are no reason to change anything.
    assert!(!lines.iter().any(|line| line.contains("TLS 1.3")), "{lines:?}");
    let imap = about(&run(behind.port(), "imap", &["-v"]));
    assert_eq!(imap[1..], ["advice for Dovecot: ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20"]);
    assert!(about(&run(peer.port(), "none", &[])).is_empty());
}
