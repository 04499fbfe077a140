use super::FindingKind as F;
use super::*;
use crate::groups::GROUPS;
use crate::suites::SUITES;

fn bcp195() -> &'static Policy {
    Policy::by_name("bcp195").expect("built in")
}

fn suite(code: u16) -> &'static Suite {
    Suite::by_code(code).expect("known code")
}

/// Kinds and attacks of all reasons, worst first, and the class of the worst.
fn judged(version: Version, code: u16, dh_bits: Option<u16>) -> (Vec<FindingKind>, Vec<Attack>, Class) {
    let reasons = bcp195().judge_suite(version, suite(code), dh_bits);
    let attacks = reasons.iter().flat_map(|reason| reason.attacks.clone()).collect();
    let worst = reasons.first().map_or(Class::Note, |reason| reason.class);
    (reasons.iter().map(|reason| reason.kind).collect(), attacks, worst)
}

#[test]
fn every_kind_stands_once_in_the_list_of_kinds() {
    for (at, (kind, name, class)) in FindingKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, at, "{name}");
        assert_eq!(FindingKind::from_name(name), Some(kind));
        assert_eq!((kind.name(), kind.default_class()), (name, class));
    }
    assert_eq!(FindingKind::ALL.last().map(|(kind, ..)| *kind), Some(FindingKind::GoneCertificateKey));
    for class in Class::ALL {
        assert_eq!(Class::from_name(class.name()), Some(class));
    }
}

#[test]
fn classes_give_states() {
    for (class, normal, strict) in [
        (Class::Broken, State::Critical, State::Critical),
        (Class::Weak, State::Warning, State::Warning),
        (Class::Policy, State::Warning, State::Critical),
        (Class::Change, State::Warning, State::Warning),
        (Class::Note, State::Ok, State::Ok),
    ] {
        assert_eq!(class.state(Strictness::Normal), normal);
        assert_eq!(class.state(Strictness::Strict), strict);
    }
}

#[test]
fn what_a_finding_counts_as_by_default() {
    for (kind, expected) in [
        (FindingKind::Ssl2, Class::Broken),
        (FindingKind::Ssl3, Class::Broken),
        (FindingKind::NullCipher, Class::Broken),
        (FindingKind::Anonymous, Class::Broken),
        (FindingKind::Export, Class::Broken),
        (FindingKind::Rc4, Class::Broken),
        (FindingKind::LowStrength, Class::Broken),
        (FindingKind::DhBroken, Class::Broken),
        (FindingKind::InsecureRenegotiation, Class::Broken),
        (FindingKind::Compression, Class::Broken),
        (FindingKind::CertificateExpired, Class::Broken),
        (FindingKind::CertificateUntrusted, Class::Broken),
        (FindingKind::NoSecureRenegotiation, Class::Weak),
        (FindingKind::Tls10, Class::Weak),
        (FindingKind::Tls11, Class::Weak),
        (FindingKind::SmallBlock, Class::Weak),
        (FindingKind::ModestStrength, Class::Weak),
        (FindingKind::DhSmall, Class::Weak),
        (FindingKind::CurveSmall, Class::Weak),
        (FindingKind::CertificateWeakHash, Class::Weak),
        (FindingKind::RsaSmall, Class::Weak),
        (FindingKind::NoForwardSecrecy, Class::Weak),
        (FindingKind::StaticDh, Class::Weak),
        (FindingKind::ProtocolViolation, Class::Weak),
        (FindingKind::Cbc, Class::Note),
        (FindingKind::Ffdhe, Class::Note),
        (FindingKind::NoTls13, Class::Note),
        (FindingKind::NoPostQuantum, Class::Note),
        (FindingKind::ClientPreference, Class::Note),
        (FindingKind::NoExtendedMasterSecret, Class::Note),
        (FindingKind::Tls12, Class::Note),
        (FindingKind::Tls13, Class::Note),
    ] {
        assert_eq!(bcp195().judge(kind), Reason { kind, class: expected, attacks: Vec::new(), until: None });
    }
}

#[test]
fn versions() {
    for (version, expected) in [
        (Version::Ssl2, Some((Class::Broken, vec![Attack::Drown]))),
        (Version::Ssl3, Some((Class::Broken, vec![]))),
        (Version::Tls10, Some((Class::Weak, vec![]))),
        (Version::Tls11, Some((Class::Weak, vec![]))),
        (Version::Tls12, None),
        (Version::Tls13, None),
    ] {
        let reason = bcp195().judge_version(version).map(|reason| (reason.class, reason.attacks));
        assert_eq!(reason, expected, "{version}");
    }
}

#[test]
fn suites_by_what_they_are_made_of() {
    let tls12 = Version::Tls12;
    for (code, kinds, class) in [
        (0x0001, vec![F::NullCipher, F::NoForwardSecrecy], Class::Broken),
        (0xC0B4, vec![F::NullCipher], Class::Broken),
        (0xC018, vec![F::Anonymous, F::Cbc], Class::Broken),
        (0x0003, vec![F::Export, F::Rc4, F::LowStrength, F::NoForwardSecrecy], Class::Broken),
        (0x0062, vec![F::Export, F::LowStrength, F::SmallBlock, F::NoForwardSecrecy, F::Cbc], Class::Broken),
        (0xC011, vec![F::Rc4], Class::Broken),
        (0x0015, vec![F::LowStrength, F::SmallBlock, F::Cbc, F::Ffdhe], Class::Broken),
        (0xC012, vec![F::SmallBlock, F::ModestStrength, F::Cbc], Class::Weak),
        (0x0007, vec![F::SmallBlock, F::NoForwardSecrecy, F::Cbc], Class::Weak),
        (0x009C, vec![F::NoForwardSecrecy], Class::Weak),
        (0x00A8, vec![F::NoForwardSecrecy], Class::Weak),
        (0x0030, vec![F::StaticDh, F::Cbc], Class::Weak),
        (0xC031, vec![F::StaticDh], Class::Weak),
        (0xC013, vec![F::Cbc], Class::Note),
        (0x009E, vec![F::Ffdhe], Class::Note),
        (0xC02F, vec![], Class::Note),
        (0xC0AE, vec![], Class::Note),
        (0xCCA8, vec![], Class::Note),
    ] {
        let (found, _, worst) = judged(tls12, code, None);
        assert_eq!((found, worst), (kinds, class), "{}", suite(code).name);
    }
    assert_eq!(judged(Version::Tls13, 0x1301, None), (vec![], vec![], Class::Note));
}

#[test]
fn a_forbidden_version_taints_its_suites() {
    assert_eq!(judged(Version::Tls10, 0xC013, None).0, [FindingKind::Tls10, FindingKind::Cbc]);
    assert_eq!(judged(Version::Tls11, 0xC013, None).2, Class::Weak);
    assert_eq!(judged(Version::Ssl3, 0x002F, None).0, [FindingKind::Ssl3, FindingKind::NoForwardSecrecy]);
}

#[test]
fn attacks_follow_from_version_suite_and_size() {
    for (version, code, dh_bits, expected) in [
        (Version::Ssl3, 0xC013, None, vec![Attack::Poodle, Attack::Beast]),
        (Version::Ssl3, 0xC011, None, vec![Attack::Rc4]),
        (Version::Tls10, 0xC013, None, vec![Attack::Beast, Attack::Lucky13]),
        (Version::Tls11, 0xC013, None, vec![Attack::Lucky13]),
        (Version::Tls12, 0xC013, None, vec![Attack::Lucky13]),
        (Version::Tls12, 0xC02F, None, vec![]),
        (Version::Tls12, 0xC012, None, vec![Attack::Sweet32, Attack::Lucky13]),
        (Version::Tls12, 0x0003, None, vec![Attack::Freak, Attack::Rc4]),
        (Version::Tls12, 0x0064, None, vec![Attack::Rc4]),
        (Version::Tls12, 0x0014, None, vec![Attack::Logjam, Attack::Sweet32, Attack::Lucky13]),
        (Version::Tls12, 0x009E, Some(768), vec![Attack::Logjam]),
        (Version::Tls12, 0x009E, Some(1024), vec![Attack::Logjam]),
        (Version::Tls12, 0x009E, Some(1536), vec![]),
        (Version::Tls12, 0x009E, Some(2048), vec![]),
        (Version::Tls13, 0x1301, None, vec![]),
    ] {
        assert_eq!(judged(version, code, dh_bits).1, expected, "{version} {} {dh_bits:?}", suite(code).name);
    }
}

#[test]
fn sizes_of_keys() {
    let class = |reason: Option<Reason>| reason.map(|reason| reason.class);
    for (bits, expected) in [
        (512, Some(Class::Broken)),
        (1023, Some(Class::Broken)),
        (1024, Some(Class::Weak)),
        (2047, Some(Class::Weak)),
        (2048, None),
    ] {
        assert_eq!(class(bcp195().judge_dh(bits)), expected, "{bits}");
        let suite_class = judged(Version::Tls12, 0x009E, Some(bits)).2;
        assert_eq!(suite_class, expected.unwrap_or(Class::Note), "{bits}");
    }
    assert_eq!(judged(Version::Tls12, 0xC02F, Some(512)).0, [], "a prime seen elsewhere is not this suite's");
    for (name, expected) in [
        ("secp192r1", Some(Class::Weak)),
        ("secp224r1", None),
        ("x25519", None),
        ("ffdhe2048", None),
        ("X25519MLKEM768", None),
        ("MLKEM512", None),
        ("arbitrary_explicit_prime_curves", Some(Class::Weak)),
    ] {
        let group = GROUPS.iter().find(|group| group.name == name).expect("known group");
        assert_eq!(class(bcp195().judge_group(group.code).next()), expected, "{name}");
    }
}

#[test]
fn kinds_of_ssl2() {
    let kinds = |code| {
        let kind = Sslv2Kind::by_code(code).expect("known kind");
        bcp195().judge_sslv2(kind).into_iter().map(|reason| reason.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds([0x02, 0x00, 0x80]), [F::Ssl2, F::Export, F::Rc4, F::LowStrength]);
    assert_eq!(kinds([0x07, 0x00, 0xC0]), [F::Ssl2, F::ModestStrength, F::SmallBlock]);
    assert_eq!(kinds([0xFF, 0x80, 0x10]), [F::Ssl2, F::NullCipher]);
}

#[test]
fn forbidden_and_allowed_divide_the_suites_of_a_version() {
    let forbids = |version, code| bcp195().forbids(version, suite(code));
    assert!(
        !forbids(Version::Tls12, 0xC02F)
            && !forbids(Version::Tls12, 0x009E)
            && !forbids(Version::Tls12, 0xC013)
    );
    assert!(
        forbids(Version::Tls12, 0x009C) && forbids(Version::Tls12, 0xC012) && forbids(Version::Tls12, 0xC018)
    );
    assert!(!forbids(Version::Tls13, 0x1301) && forbids(Version::Tls13, 0xC0B4));
    for version in [Version::Ssl3, Version::Tls10, Version::Tls11] {
        assert!(SUITES.iter().all(|suite| bcp195().forbids(version, suite)), "{version}");
    }
    for suite in &SUITES {
        for version in [Version::Tls12, Version::Tls13] {
            let reasons = bcp195().judge_suite(version, suite, None);
            let counts = reasons.iter().any(|reason| reason.class > Class::Note);
            assert_eq!(bcp195().forbids(version, suite), counts, "{version} {}", suite.name);
        }
    }
}

#[test]
fn what_a_policy_does_not_speak_of_is_a_note() {
    let mut policy = bcp195().clone();
    policy.rules.to_mut().retain(|rule| rule.kind != FindingKind::SmallBlock);
    let reasons = policy.judge_suite(Version::Tls12, suite(0x0007), None);
    assert!(reasons.contains(&Reason {
        kind: FindingKind::SmallBlock,
        class: Class::Note,
        attacks: vec![Attack::Sweet32],
        until: None
    }));
}

#[test]
fn suites_by_name() {
    let mut policy = bcp195().clone();
    let rule = Rule {
        kind: FindingKind::SuiteNotListed,
        class: Class::Policy,
        upcoming: None,
        until: None,
        source: Cow::Borrowed("test"),
    };
    policy.rules.to_mut().push(rule);
    policy.suites.allow = Cow::Owned(vec![Cow::Borrowed("TLS_ECDHE_*_GCM_*"), Cow::Borrowed("TLS_AES_*")]);
    policy.suites.deny = Cow::Owned(vec![Cow::Borrowed("*ARIA*")]);
    for (version, code, expected) in [
        (Version::Tls12, 0xC02F, false),
        (Version::Tls13, 0x1301, false),
        (Version::Tls13, 0x1303, true),
        (Version::Tls12, 0xCCA8, true),
        (Version::Tls12, 0xC060, true),
    ] {
        assert_eq!(policy.forbids(version, suite(code)), expected, "{}", suite(code).name);
    }
    let reasons = policy.judge_suite(Version::Tls12, suite(0xCCA8), None);
    assert_eq!(reasons.iter().map(|reason| reason.class).collect::<Vec<_>>(), [Class::Policy]);
}

#[test]
fn upcoming_rules_count_when_asked_for() {
    let upcoming = bcp195().in_force(Moment::Upcoming);
    assert!(upcoming.forbids(Version::Tls12, suite(0x009E)));
    assert!(!upcoming.forbids(Version::Tls12, suite(0xC02F)));
}

#[test]
fn the_policy_says_where_it_comes_from() {
    let policy = bcp195();
    assert_eq!((policy.version.as_ref(), policy.date.as_ref()), ("RFC 9325", "2022-11"));
    assert_eq!((policy.limits.dh, policy.limits.rsa, policy.limits.curve), (2048, 2048, 224));
    assert!(policy.rules.iter().all(|rule| rule.source.contains("RFC ")));
    assert_eq!(
        policy.rule(FindingKind::Rc4).map(|rule| rule.source.as_ref()),
        Some("MUST NOT, RFC 9325 section 4.1, RFC 7465 section 2")
    );
    assert_eq!(Policy::by_name("bcp"), None);
}
