//! Suites and groups for a hello: in which order, in how many portions.

use crate::groups::{Group, GroupKind};
use crate::suites::{Cipher, Suite};
use crate::version::Version;

/// Chains that a version with many suites is asked in at a time. Each costs a refusal more.
pub(super) const fn chains(version: Version) -> usize {
    match version {
        Version::Tls12 => 4,
        _ => 1,
    }
}

/// Deals suites out into so many portions, each from weak to strong; a single one stays as it is. Servers take them by kind of
/// key and of key exchange, so each portion has its share of each kind, and of those in use.
pub(super) fn deal(suites: &[u16], portions: usize) -> Vec<Vec<u16>> {
    if portions == 1 && !suites.is_empty() {
        return vec![suites.to_vec()];
    }
    let mut sorted = suites.to_vec();
    sorted.sort_by_cached_key(|code| {
        let suite = Suite::by_code(*code);
        let kind = suite.map(|suite| (suite.auth as u8, suite.kx as u8));
        (suite.is_none_or(|suite| suite.openssl_name.is_none()), kind)
    });
    let mut dealt = vec![Vec::new(); portions];
    for (turn, code) in sorted.into_iter().enumerate() {
        if let Some(portion) = dealt.get_mut(turn % portions.max(1)) {
            portion.push(code);
        }
    }
    dealt.retain(|portion| !portion.is_empty());
    dealt.into_iter().map(weakest_first).collect()
}

pub(super) fn weakest_first(mut suites: Vec<u16>) -> Vec<u16> {
    suites.sort_by_cached_key(|code| strength_order(*code));
    suites
}

/// Place of a suite in an order from weak to strong.
fn strength_order(code: u16) -> u64 {
    let place = |suite: &Suite| {
        // ChaCha20 is not the strongest: some servers put it first when a client does.
        let is_preferred_at_will = suite.cipher == Cipher::ChaCha20;
        let keys = [
            u64::from(suite.bits),
            u64::from(suite.is_aead()),
            u64::from(suite.has_forward_secrecy()),
            u64::from(!is_preferred_at_will),
        ];
        keys.iter().fold(0, |sum, key| sum << 10 | key) << 16 | u64::from(suite.code)
    };
    Suite::by_code(code).map_or(0, place)
}

/// Whether the suite's key exchange is in a group that the client offered.
pub(super) fn takes_groups(code: u16) -> bool {
    Suite::by_code(code)
        .is_some_and(|suite| suite.is_tls13() || suite.has_forward_secrecy() && suite.is_ecdhe())
}

/// Whether the server sends a prime with it.
pub(super) fn takes_prime(code: u16) -> bool {
    Suite::by_code(code).is_some_and(Suite::is_ffdhe)
}

/// The prime fields with a name.
pub(super) fn prime_groups() -> Vec<u16> {
    let is_prime = |group: &&Group| group.kind == GroupKind::Ffdhe;
    Group::usable_in(Version::Tls12).filter(is_prime).map(|group| group.code).collect()
}

/// Groups for a hello: those with a name, the common ones first. Prime fields only in TLS 1.3:
/// up to 1.2 their offer would make a server hide the prime that it has for others (RFC 7919 section 4).
pub(super) fn groups(version: Version) -> Vec<u16> {
    let is_asked = |group: &&Group| match group.kind {
        GroupKind::Explicit => false,
        GroupKind::Ffdhe => version == Version::Tls13,
        _ => true,
    };
    let others = Group::usable_in(version).filter(|group| !HEAD.contains(&group.code));
    let head =
        HEAD.iter().filter_map(|code| Group::by_code(*code)).filter(|group| group.is_usable_in(version));
    head.chain(others).filter(is_asked).map(|group| group.code).collect()
}

/// Groups at the head of a list that most servers have.
pub(super) const COMMON: usize = HEAD.len();

/// The same for short hellos.
pub(super) fn short_groups(version: Version) -> Vec<u16> {
    let is_asked = |code: &u16| Group::by_code(*code).is_some_and(|group| group.is_usable_in(version));
    HEAD.into_iter().filter(|code| *code != X448 && is_asked(code)).collect()
}

/// X25519MLKEM768, which a server that follows the client's order then shows; x25519, secp256r1, secp384r1, secp521r1, x448.
const HEAD: [u16; 6] = [0x11ec, 29, 23, 24, 25, X448];
const X448: u16 = 30;
