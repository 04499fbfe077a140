//! The advice of check_weak_ciphers on what only some policies forbid, tried like the rest of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeSet;

use lab::tls_script::Auth;
use lab::tls_servers::configured::Software;
use tests::advice::{ALL, Scene, ids, keys, left_out, set, sound, words};

/// With the lines against a finding these and no others are gone.
fn gone(scene: &Scene, weak: &[&str], policy: &str, finding: &str, expected: &str) {
    let gone = gone_with(scene, weak, policy, finding);
    assert_eq!(gone.iter().map(String::as_str).collect::<BTreeSet<_>>(), words(expected));
}

/// What is gone with the lines against a finding.
fn gone_with(scene: &Scene, weak: &[&str], policy: &str, finding: &str) -> BTreeSet<String> {
    let lines = scene.lines(scene.keys.identity(Auth::Rsa), weak);
    let (before, _) = scene.found(&lines, &["--policy", policy]);
    let advice =
        scene.advice(before.get(finding).unwrap_or_else(|| panic!("no {finding}: {:?}", ids(&before))));
    let (after, _) = scene.found(&set(&lines, &advice), &["--policy", policy]);
    let come: Vec<&str> = ids(&after).difference(&ids(&before)).copied().collect();
    // A note, where the policy lists none of them.
    assert!(come.iter().all(|id| *id == "no_post_quantum"), "{come:?} came with {advice:?}");
    ids(&before).difference(&ids(&after)).map(|id| (*id).to_owned()).collect()
}

#[test]
fn tls_1_3_alone() {
    for software in ALL.into_iter().filter(|software| !left_out(*software)) {
        let scene = Scene::new(software, keys(software));
        gone(&scene, sound(software), "mozilla-modern", "tls1_2", "tls1_2 suite_not_listed");
    }
}

#[test]
fn suites_that_are_listed() {
    for software in ALL.into_iter().filter(|software| !left_out(*software)) {
        // The last two cannot be told which suites of TLS 1.3 to take; these policies list all that they have.
        let (weak, policy) = match software {
            Software::Nginx => ("ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;", "nist-800-52r2"),
            Software::Apache => ("SSLCipherSuite ECDHE+AESGCM:ECDHE+CHACHA20", "nist-800-52r2"),
            Software::Dovecot23 | Software::Dovecot24 => {
                ("ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20", "nist-800-52r2")
            }
            Software::EximGnutls => (
                "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-SHA1",
                "nist-800-52r2",
            ),
            Software::Postfix => {
                ("smtpd_tls_exclude_ciphers = aNULL kRSA kDHE SHA1 SHA256 SHA384", "mozilla-intermediate")
            }
            Software::EximOpenssl => {
                ("tls_require_ciphers = ECDHE+AESGCM:ECDHE+ARIA", "mozilla-intermediate")
            }
        };
        let scene = Scene::new(software, keys(software));
        let lines = set(
            &sound(software).iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(),
            &[weak.to_owned()],
        );
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        gone(&scene, &lines, policy, "suite_not_listed", "suite_not_listed");
    }
}

#[test]
fn groups_that_are_listed() {
    // Exim 4.96 has no TLS at all with a curve of one's own on OpenSSL 3, so there is no line for it.
    let has_line = |software: &Software| *software != Software::EximOpenssl && !left_out(*software);
    for software in ALL.into_iter().filter(has_line) {
        let scene = Scene::new(software, keys(software));
        let mut gone = gone_with(&scene, sound(software), "bsi-tr-02102-2", "group_not_listed");
        // In TLS 1.3 some have prime fields among their groups.
        gone.remove("dh_small");
        assert_eq!(gone, ["group_not_listed".to_owned()].into(), "{software:?}");
    }
}
