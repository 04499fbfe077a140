use std::fs;

use super::*;
use crate::policy::{Class, Moment};
use crate::suites::Suite;
use crate::version::Version;

fn read(text: &str) -> Result<Policy, String> {
    Policy::read(text, "own", "own.toml").map(|policy| policy.in_force(Moment::Year(2026)))
}

fn good(text: &str) -> Policy {
    read(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn forbids(policy: &Policy, version: Version, name: &str) -> bool {
    let suite = SUITES.iter().find(|suite| suite.name == name).unwrap_or_else(|| panic!("no {name}"));
    policy.forbids(version, suite)
}

const ECDHE_RSA_GCM: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
const ECDHE_ECDSA_GCM: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";

#[test]
fn an_empty_file_is_the_default_policy() {
    let (own, base) = (good(""), Policy::by_name("bcp195").unwrap().in_force(Moment::Year(2026)));
    assert_eq!((own.name.as_ref(), own.version.as_ref()), ("own", "bcp195 RFC 9325 with changes"));
    assert_eq!((own.date.as_ref(), own.source.as_ref()), ("2022-11", "own.toml"));
    assert_eq!((&own.rules, &own.limits, &own.suites), (&base.rules, &base.limits, &base.suites));
}

#[test]
fn a_file_names_itself() {
    let own = good("name = 'house'\nversion = '7'\ndate = '2026-11'\nsource = 'https://x'\nnote = 'draft'\n");
    assert_eq!(own.line(), "house: 7, 2026-11, https://x (draft)");
}

#[test]
fn what_a_file_extends() {
    let own = good("extends = \"mozilla-modern\"\n");
    assert!(forbids(&own, Version::Tls12, ECDHE_RSA_GCM));
    assert!(!forbids(&own, Version::Tls13, "TLS_AES_128_GCM_SHA256"));
    // A note is handed down, for what it says of the base is true of the file too.
    assert!(good("extends = 'pci-dss-4'").note.is_some());
}

#[test]
fn protocols_are_those_that_are_listed() {
    let own = good("protocols = ['TLS1.1', 'TLS1.3']");
    for (version, expected) in [
        (Version::Ssl2, Some(Class::Broken)),
        (Version::Ssl3, Some(Class::Broken)),
        (Version::Tls10, Some(Class::Weak)),
        (Version::Tls11, None),
        (Version::Tls12, Some(Class::Policy)),
        (Version::Tls13, None),
    ] {
        assert_eq!(own.judge_version(version).map(|reason| reason.class), expected, "{version}");
    }
}

#[test]
fn suites_by_name_of_iana_or_openssl_or_pattern() {
    let own = good(
        "[suites]\nallow = [\n  'ECDHE-RSA-AES128-GCM-SHA256', # by OpenSSL's name\n  'TLS_AES_*',\n]\n",
    );
    assert!(!forbids(&own, Version::Tls12, ECDHE_RSA_GCM));
    assert!(forbids(&own, Version::Tls12, ECDHE_ECDSA_GCM));
    assert!(forbids(&own, Version::Tls13, "TLS_CHACHA20_POLY1305_SHA256"));
    // What the base forbids stays forbidden.
    assert!(forbids(&good("suites.allow = ['RC4-SHA']"), Version::Tls12, "TLS_RSA_WITH_RC4_128_SHA"));
    let own = good("suites.deny = ['*CHACHA20*']");
    assert!(forbids(&own, Version::Tls13, "TLS_CHACHA20_POLY1305_SHA256"));
    assert!(!forbids(&own, Version::Tls12, ECDHE_RSA_GCM));
    // A list of its own takes the place of the base's; what is denied stays.
    let own = good("extends = 'mozilla-intermediate'\n[suites]\nallow = ['TLS_*']\ndeny = ['*ECDSA*']\n");
    assert!(!forbids(&own, Version::Tls12, ECDHE_RSA_GCM) && forbids(&own, Version::Tls12, ECDHE_ECDSA_GCM));
}

#[test]
fn groups() {
    let classes = |own: &Policy, name: &str| -> Vec<(FindingKind, Class)> {
        let group = GROUPS.iter().find(|group| group.name == name).unwrap();
        own.judge_group(group.code).map(|reason| (reason.kind, reason.class)).collect()
    };
    let own = good(
        "[groups]\nallow = ['x25519', 'secp*']\ndeny = ['secp5*']\nrequire = ['*MLKEM*', 'x25519|x448']\n",
    );
    assert_eq!(classes(&own, "x25519"), []);
    assert_eq!(classes(&own, "secp521r1"), [(FindingKind::GroupNotListed, Class::Policy)]);
    assert_eq!(classes(&own, "x448"), [(FindingKind::GroupNotListed, Class::Policy)]);
    assert_eq!(
        classes(&own, "secp192r1"),
        [(FindingKind::CurveSmall, Class::Weak)],
        "listed, and small all the same"
    );
    assert_eq!(own.class_of(FindingKind::GroupMissing), Class::Policy);
    assert_eq!(
        own.judge_group(0x0a0a).map(|reason| reason.kind).collect::<Vec<_>>(),
        [FindingKind::GroupNotListed]
    );
    let required = |requirement: usize, name: &str| {
        let group = GROUPS.iter().find(|group| group.name == name).unwrap();
        Policy::is_required(&own.require[requirement], group)
    };
    assert!(required(0, "X25519MLKEM768") && !required(0, "x25519"));
    assert!(required(1, "x448") && required(1, "x25519") && !required(1, "secp256r1"));
}

#[test]
fn sizes() {
    let own = good("dh_min = 3072\nrsa_min = 4096\ncurve_min = 384\n");
    assert_eq!(own.limits, LeastBits { dh: 3072, rsa: 4096, curve: 384 });
    assert_eq!(own.judge_dh(2048).map(|reason| reason.class), Some(Class::Weak));
    // The base has no rule on the size of curves in certificates of CAs: a size makes one.
    let own = good("extends = 'mozilla-modern'\nrsa_min = 3072");
    assert_eq!(own.class_of(FindingKind::RsaSmall), Class::Weak);
}

#[test]
fn certificates() {
    let own = good(
        "[certificate]\nkeys = ['RSA', 'EC secp384r1']\nsignatures = ['*SHA384*']\nchain_signatures = ['*SHA*']\ndays = 90\n",
    );
    let rules = &own.certificate;
    assert!(rules.keys.forbids("EC secp256r1") && !rules.keys.forbids("EC secp384r1"));
    assert!(rules.signatures.forbids("sha256WithRSAEncryption"));
    assert!(!rules.chain_signatures.forbids("sha256WithRSAEncryption"));
    assert_eq!(rules.days, Some(90));
    for kind in
        [FindingKind::CertificateKey, FindingKind::CertificateSignature, FindingKind::CertificateLifetime]
    {
        assert_eq!(own.class_of(kind), Class::Policy, "{}", kind.name());
    }
}

#[test]
fn states() {
    for text in
        ["severity.tls1_0 = 'ok'\nseverity.rc4 = 'unknown'", "[severity]\ntls1_0 = 'ok'\nrc4 = 'unknown'"]
    {
        let expected = [(FindingKind::Tls10, State::Ok), (FindingKind::Rc4, State::Unknown)];
        assert_eq!(good(text).severity.as_ref(), expected);
    }
}

#[test]
fn rules_take_the_place_of_others() {
    let own = good("[[rule]]\nfinding = ['cbc', 'rc4']\nclass = 'weak'\n\n[[rule]]\nfinding = 'tls1_0'\n");
    assert_eq!(own.class_of(FindingKind::Cbc), Class::Weak);
    assert_eq!(own.class_of(FindingKind::Rc4), Class::Weak);
    assert_eq!(own.class_of(FindingKind::Tls10), Class::Weak);
    assert_eq!(own.rule(FindingKind::Cbc).map(|rule| rule.source.as_ref()), Some("own"));
}

/// Each mistake with the line it is told with.
#[test]
fn mistakes() {
    for (text, expected) in [
        ("\ndh_mim = 2048", "2: unknown key dh_mim (did you mean dh_min?)"),
        ("colour = 'red'", "1: unknown key colour"),
        ("[suite]\nallow = []", "1: unknown table suite (did you mean suites?)"),
        ("[suites]\nallowed = []", "2: unknown key allowed (did you mean allow?)"),
        ("[suites]\nallow = 'x'", "2: allow must be a list of strings"),
        (
            "[suites]\nallow = [\n  'TLS_AES_128_GCM_SHA256',\n  'ECDHE-RSA-AES128-GCM-SHA265',\n]",
            "4: unknown suite ECDHE-RSA-AES128-GCM-SHA265 (did you mean ECDHE-RSA-AES128-GCM-SHA256?)",
        ),
        ("suites.deny = ['*RC5*']", "1: unknown suite *RC5*"),
        ("[groups]\nallow = ['P-256']", "2: unknown group P-256"),
        ("[groups]\nrequire = ['x25519|secp256r3']", "2: unknown group secp256r3 (did you mean secp256r1?)"),
        ("[groups]\nrequire = ['x25519|']", "2: unknown group "),
        ("groups.permit = []", "1: unknown key permit"),
        ("[certificate]\nkeys = ['rsa2048']", "2: unknown kind of key rsa2048"),
        (
            "[certificate]\nkeys = ['EC secp256k2']",
            "2: unknown kind of key EC secp256k2 (did you mean EC secp256k1?)",
        ),
        ("[certificate]\nsignatures = ['sha256']", "2: unknown signature sha256"),
        ("[certificate]\ndays = '90'", "2: days must be a number"),
        ("protocols = ['TLSv1.2']", "1: unknown protocol TLSv1.2 (did you mean TLS1.2?)"),
        ("protocols = 'TLS1.2'", "1: protocols must be a list of strings"),
        ("\n\nextends = 'bcp196'", "3: unknown policy bcp196 (did you mean bcp195?)"),
        ("extends = 195", "1: extends must be a string"),
        ("[severity]\ntls1_9 = 'ok'", "2: unknown finding tls1_9 (did you mean tls1_0?)"),
        ("severity.tls1_0 = 'crit'", "1: unknown state crit"),
        ("severity.tls1_0 = 2", "1: tls1_0 must be the name of a state"),
        ("[[rule]]\nclass = 'weak'", "1: finding is missing"),
        ("[[rule]]\nfinding = 'rc5'", "2: unknown finding rc5 (did you mean rc4?)"),
        ("[[rule]]\nfinding = 'rc4'\nclass = 'bad'", "3: unknown class bad"),
        ("[[rule]]\nfinding = 'rc4'\nuntill = 2029", "3: unknown key untill (did you mean until?)"),
        ("[[rule]]\nfinding = 'rc4'\nuntil = 29", "3: until must be a year"),
        ("[[rule]]\nfinding = 'rc4'\n[[rule]]\nfinding = 'rc4'", "4: a second rule on rc4"),
        ("[[ends]]\nsuites = ['*']", "1: until is missing"),
        ("[[ends]]\nuntil = 2029\nsuites = ['*SM5*']", "3: unknown suite *SM5*"),
        ("rsa_min = 2048\nrsa_min = 3072", "2: rsa_min is there twice"),
        ("[suites\n", "1: ] is expected"),
    ] {
        assert_eq!(read(text).err().as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn files_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let write = |name: &str, text: &[u8]| {
        fs::write(path(name), text).unwrap();
        path(name)
    };
    let house = write("house.toml", b"dh_min = 4096\n");
    assert_eq!(Policy::find(&house).map(|policy| policy.name.into_owned()), Ok("house".to_owned()));
    let bad = write("bad.toml", b"\n\ndh_mn = 1\n");
    assert_eq!(Policy::find(&bad).err(), Some(format!("{bad}:3: unknown key dh_mn (did you mean dh_min?)")));
    let missing = path("missing.toml");
    assert!(
        Policy::find(&missing).is_err_and(|error| error.starts_with(&format!("cannot read {missing}: ")))
    );
    let folder_path = path("");
    assert_eq!(Policy::find(&folder_path).err(), Some(format!("cannot read {folder_path}: not a file")));
    let long = write("long.toml", " ".repeat(70_000).as_bytes());
    assert_eq!(Policy::find(&long).err(), Some(format!("cannot read {long}: too long for a policy")));
    let binary = write("binary.toml", &[0xff, 0xfe]);
    assert!(Policy::find(&binary).is_err());
    assert_eq!(
        Policy::find("bcp196").err().as_deref(),
        Some("'bcp196' is not a policy (did you mean bcp195?)")
    );
    assert_eq!(Policy::find("PCI").err().as_deref(), Some("'PCI' is not a policy"));
    for policy in Policy::all() {
        assert_eq!(Policy::find(&policy.name), Ok(policy.clone()));
    }
}

/// What ends: silent before the year, a warning in it, forbidden after it.
#[test]
fn ends() {
    let text = "[[ends]]\nuntil = 2029\nsuites = ['TLS_DHE_*']\ngroups = ['secp521r1']\n\n\
        [[rule]]\nfinding = 'tls1_2'\nuntil = 2031\n";
    let own = Policy::read(text, "own", "").unwrap();
    let dhe = Suite::by_code(0x009e).unwrap();
    let kinds = |year: i64| -> Vec<(FindingKind, Class, Option<u16>)> {
        let policy = own.in_force(Moment::Year(year));
        let suite = policy.judge_suite(Version::Tls12, dhe, Some(2048));
        let reasons =
            suite.into_iter().chain(policy.judge_group(25)).chain(policy.judge_version_end(Version::Tls12));
        let counts = reasons.filter(|reason| reason.class > Class::Note);
        counts.map(|reason| (reason.kind, reason.class, reason.until)).collect()
    };
    let soon = |until| (FindingKind::EndsSoon, Class::Policy, Some(until));
    let not_listed = (FindingKind::SuiteNotListed, Class::Policy, None);
    let group = (FindingKind::GroupNotListed, Class::Policy, None);
    assert_eq!(kinds(2028), []);
    assert_eq!(kinds(2029), [soon(2029), soon(2029)]);
    assert_eq!(kinds(2030), [not_listed, group]);
    assert_eq!(kinds(2031), [not_listed, group, soon(2031)]);
    assert_eq!(kinds(2032), [not_listed, (FindingKind::Tls12, Class::Policy, None), group]);
    let upcoming = own.in_force(Moment::Upcoming);
    assert!(upcoming.forbids(Version::Tls12, dhe) && upcoming.judge_version(Version::Tls12).is_some());
    assert!(upcoming.forbids_group(crate::groups::Group::by_code(25).unwrap()));
    assert!(own.has_upcoming() && !good("").in_force(Moment::Upcoming).groups.forbids("secp521r1"));
    // What the scan has to show is the same in any year; not all suites of a version, for the version shows by itself.
    let watchful = own.in_force(Moment::Watchful { upcoming: false });
    assert!(watchful.forbids(Version::Tls12, dhe));
    assert!(!forbids(&watchful, Version::Tls12, ECDHE_RSA_GCM));
}

/// The example in the README is a policy, and changes what it says.
#[test]
fn the_example_in_the_readme_is_valid() {
    let readme = include_str!("../../../README.md");
    let (_, example) = readme.split_once("# house.toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let own = good(example);
    assert_eq!(own.limits, LeastBits { dh: 3072, rsa: 2048, curve: 224 });
    assert_eq!((own.require.len(), own.severity.len(), own.certificate.days), (1, 2, Some(200)));
    assert_eq!(own.class_of(FindingKind::Cbc), Class::Weak);
    assert!(!forbids(&own, Version::Tls12, ECDHE_RSA_GCM));
    let after = Policy::read(example, "own", "").unwrap().in_force(Moment::Year(2028));
    assert!(forbids(&after, Version::Tls12, ECDHE_RSA_GCM));
}
