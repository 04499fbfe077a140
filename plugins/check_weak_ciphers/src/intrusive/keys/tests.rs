use super::*;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// The vectors that the TLS working group shared when RFC 5246 was made.
#[test]
fn prf_of_tls12_gives_the_known_bytes() {
    let out = Hash::Sha256.prf(
        &bytes("9bbe436ba940f017b17652849a71db35"),
        "test label",
        &bytes("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    );
    let known = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
        0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
        87347b66";
    assert_eq!(out, bytes(known));
    let out = Hash::Sha384.prf(
        &bytes("b80b733d6ceefcdc71566ea48e5567df"),
        "test label",
        &bytes("cd665cf6a8447dd6ff8b27555edb7465"),
        148,
    );
    let known = "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0\
        e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425\
        9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070\
        3d73e56f";
    assert_eq!(out, bytes(known));
}

/// The older vector of the same kind for TLS 1.0; and an odd secret, of which OpenSSL makes the same.
#[test]
fn prf_of_tls10_gives_the_known_bytes() {
    let out = Hash::Md5Sha1.prf(&[0xab; 48], "PRF Testvector", &[0xcd; 64], 104);
    let known = "d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc289abcbc1187e4eb\
        d31e602353776c408aafb74cbc85eff69255f9788faa184cbb957a9819d84a5d7eb006eb459d3ae8de9810454b8b2d8f\
        1afbc655a8c9a013";
    assert_eq!(out, bytes(known));
    let out = Hash::Md5Sha1.prf(&[1, 2, 3, 4, 5], "label", b"seed", 20);
    assert_eq!(out, bytes("3f3064bbbf4ed9aa52f11cc12dbd3f5b0d3086b3"));
}

const RANDOMS: Randoms = Randoms { client: [1; 32], server: [2; 32] };

/// Every cipher in every version that has it.
fn specs() -> Vec<Spec> {
    let mut specs = Vec::new();
    for version in [Version::Tls10, Version::Tls11, Version::Tls12] {
        specs.extend(Spec::suites(version).filter_map(|suite| Spec::of(version, suite)));
    }
    specs.dedup();
    specs
}

fn spec(version: Version, suite: u16) -> Spec {
    Spec::of(version, suite).unwrap()
}

/// The same keys twice.
fn pair(spec: Spec) -> (Keys, Keys) {
    (spec.keys(&[7; 48], &RANDOMS).unwrap().0, spec.keys(&[7; 48], &RANDOMS).unwrap().0)
}

#[test]
fn a_suite_is_of_the_versions_that_have_its_mac() {
    assert_eq!(Spec::of(Version::Tls10, 0x002f).unwrap().hash(), Hash::Md5Sha1);
    assert_eq!(Spec::of(Version::Tls12, 0x002f).unwrap().hash(), Hash::Sha256);
    assert_eq!(Spec::of(Version::Tls12, 0xc030).unwrap().hash(), Hash::Sha384);
    for (version, suite) in [
        (Version::Tls11, 0xc02f),
        (Version::Tls11, 0x003c),
        (Version::Tls12, 0x0005),
        (Version::Tls13, 0x002f),
        (Version::Ssl3, 0x002f),
    ] {
        assert_eq!(Spec::of(version, suite), None);
    }
    assert_eq!(Spec::suites(Version::Tls12).count(), SUITES.len());
    assert_eq!(Spec::suites(Version::Tls10).count(), 8);
}

/// RFC 5288 section 3: four bytes of the key block, then eight that are sent in front of the text.
/// RFC 7905 section 2: the number of the record, exclusive-or with all twelve.
#[test]
fn nonces_have_their_form() {
    let (mut one, _) = pair(spec(Version::Tls12, 0xc02f));
    one.sequence = 5;
    let fragment = one.seal(22, b"hello").unwrap();
    assert_eq!(fragment[..8], 5u64.to_be_bytes());
    assert_eq!(fragment.len(), 8 + 5 + 16);
    assert_eq!(nonce(&[1, 2, 3, 4], [9; 8]).unwrap().as_ref(), &[1, 2, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9]);
    let long = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
    assert_eq!(nonce(&long, 0x0102_u64.to_be_bytes()).unwrap().as_ref()[9..], [1, 0, 3]);
    assert_eq!(pair(spec(Version::Tls12, 0xcca8)).0.seal(22, b"hello").unwrap().len(), 5 + 16);
    assert!(nonce(&[1; 3], [9; 8]).is_none());
}

/// RFC 2246 section 6.2.3.2 goes on with the last block, RFC 4346 section 6.2.3.2 sends a vector.
#[test]
fn cbc_has_a_vector_from_tls11_on() {
    let (mut one, _) = pair(spec(Version::Tls10, 0x002f));
    assert_eq!(one.seal(22, &[5; 12]).unwrap().len(), 48);
    // The MAC fills the last block, so that the padding takes one of its own.
    assert_eq!(one.seal(22, &[5; 12]).unwrap().len() % 16, 0);
    let (mut one, _) = pair(spec(Version::Tls11, 0x002f));
    assert_eq!(one.seal(22, &[5; 12]).unwrap().len(), 16 + 48);
}

#[test]
fn cbc_checks_padding_and_mac() {
    let (mut one, mut other) = pair(spec(Version::Tls10, 0x002f));
    let Protection::Cbc(cbc) = &mut one.protection else { panic!() };
    // Good padding over a MAC of nothing, and bytes that are no padding.
    let encrypted = |cbc: &Cbc, text: [u8; 32]| {
        let first = cbc.aes.encrypt(xor(*text.first_chunk().unwrap(), cbc.chained.unwrap()));
        [first, cbc.aes.encrypt(xor(*text.last_chunk().unwrap(), first))].concat()
    };
    for last in [11, 0, 31, 32, 255] {
        let mut text = [last; 32];
        text[0] = 1;
        assert_eq!(other.open(22, &encrypted(cbc, text)), None, "{last}");
    }
    for wrong in [0, 1, 15, 17, 33] {
        assert_eq!(other.open(22, &vec![0; wrong]), None);
    }
}

#[test]
fn both_directions_have_keys_of_their_own() {
    for spec in specs() {
        let (mut client, mut server) = spec.keys(&[7; 48], &RANDOMS).unwrap();
        let fragment = client.seal(22, b"hello").unwrap();
        assert_eq!(server.open(22, &fragment), None, "{spec:?}");
        // A master secret of no bytes gives keys as well: that is the fault of CCS injection.
        assert!(spec.keys(&[], &RANDOMS).is_some());
    }
}

#[test]
fn a_record_counts_for_its_number_and_type_alone() {
    for spec in specs() {
        let (mut one, mut other) = pair(spec);
        let (first, second) = (one.seal(22, b"first").unwrap(), one.seal(23, b"second").unwrap());
        assert_eq!(other.open(23, &second), None);
        assert_eq!(other.open(21, &first), None);
        assert_eq!(other.open(22, &first).as_deref(), Some(&b"first"[..]));
        assert_eq!(other.open(22, &first), None);
        assert_eq!(other.open(23, &second).as_deref(), Some(&b"second"[..]), "{spec:?}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_what_was_changed_does_not(
        plain in proptest::collection::vec(any::<u8>(), 0..100),
        kind in 20u8..25,
        at in any::<prop::sample::Index>(),
    ) {
        for spec in [(Version::Tls10, 0x0035), (Version::Tls11, 0x002f), (Version::Tls12, 0x003c),
            (Version::Tls12, 0x009c), (Version::Tls12, 0x009d), (Version::Tls12, 0xcca8)]
        {
            let (mut one, mut other) = pair(Spec::of(spec.0, spec.1).unwrap());
            for _ in 0..2 {
                let fragment = one.seal(kind, &plain).unwrap();
                let mut changed = fragment.clone();
                changed[at.index(fragment.len())] ^= 1;
                prop_assert_eq!(other.open(kind, &changed), None);
                prop_assert_eq!(other.open(kind, &fragment), Some(plain.clone()));
            }
        }
    }

    #[test]
    fn any_bytes_open_to_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        for spec in specs() {
            prop_assert_eq!(pair(spec).0.open(22, &bytes), None);
        }
    }

    #[test]
    fn a_shorter_prf_is_the_begin_of_a_longer_one(length in 0usize..200) {
        for hash in [Hash::Md5Sha1, Hash::Sha256, Hash::Sha384] {
            let (long, short) = (hash.prf(b"s", "l", b"seed", 200), hash.prf(b"s", "l", b"seed", length));
            prop_assert_eq!(&long[..length], &short[..]);
        }
    }
}
