//! Groups for key agreement: the IANA registry "TLS Supported Groups" and the drafts seen on the internet, made by
//! `build.rs` from `data/groups.csv`.

use crate::version::Version;

include!(concat!(env!("OUT_DIR"), "/groups.rs"));

/// What kind of key agreement a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupKind {
    /// A named curve (RFC 8422, 7027, 7748, 9189, 8998).
    Ecdhe,
    /// A named prime field (RFC 7919).
    Ffdhe,
    /// ML-KEM alone (FIPS 203).
    MlKem,
    /// A curve and ML-KEM together (RFC 10024).
    Hybrid,
    /// A curve and Kyber, the draft of ML-KEM: obsolete.
    HybridDraft,
    /// Not named: the server sends the curve itself, which nobody can trust (RFC 8422 section 5.1.1 forbids it).
    Explicit,
}

/// In which versions a group may be offered. A hello for TLS 1.3 alone must not name the others: there are servers
/// that answer them with illegal_parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupUse {
    UpToTls12,
    Any,
    Tls13,
}

/// A group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The two bytes on the wire.
    pub(crate) code: u16,
    /// As in the registry: `x25519`, `X25519MLKEM768`.
    pub(crate) name: &'static str,
    pub(crate) kind: GroupKind,
    /// Bits of the field, of the prime, or the parameter set of ML-KEM; of a hybrid those of its curve; 0 when
    /// explicit.
    pub(crate) size: u16,
    /// Comparable strength of a symmetric key in bits, of a hybrid that of its stronger half; 0 when explicit.
    pub(crate) strength: u16,
    pub(crate) versions: GroupUse,
}

impl Group {
    /// The group with this code.
    pub(crate) fn by_code(code: u16) -> Option<&'static Self> {
        GROUPS.binary_search_by_key(&code, |group| group.code).ok().and_then(|at| GROUPS.get(at))
    }

    /// Those that may be offered in this version, by code.
    pub(crate) fn usable_in(version: Version) -> impl Iterator<Item = &'static Self> {
        GROUPS.iter().filter(move |group| group.is_usable_in(version))
    }

    /// Whether it may be offered in this version.
    pub(crate) fn is_usable_in(&self, version: Version) -> bool {
        match self.versions {
            GroupUse::UpToTls12 => version < Version::Tls13,
            GroupUse::Any => true,
            GroupUse::Tls13 => version == Version::Tls13,
        }
    }

    /// Safe from a quantum computer. The drafts count: they are obsolete, not broken.
    pub(crate) fn is_post_quantum(&self) -> bool {
        matches!(self.kind, GroupKind::MlKem | GroupKind::Hybrid | GroupKind::HybridDraft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_complete() {
        assert_eq!(GROUPS.len(), 57);
        assert!(GROUPS.is_sorted_by(|a, b| a.code < b.code));
        for group in &GROUPS {
            assert_eq!(Group::by_code(group.code), Some(group));
            assert!(group.strength > 0 || group.kind == GroupKind::Explicit, "{}", group.name);
        }
    }

    #[test]
    fn known_groups() {
        for (code, name, kind, size, strength, versions) in [
            (23, "secp256r1", GroupKind::Ecdhe, 256, 128, GroupUse::Any),
            (29, "x25519", GroupKind::Ecdhe, 255, 128, GroupUse::Any),
            (26, "brainpoolP256r1", GroupKind::Ecdhe, 256, 128, GroupUse::UpToTls12),
            (31, "brainpoolP256r1tls13", GroupKind::Ecdhe, 256, 128, GroupUse::Tls13),
            (256, "ffdhe2048", GroupKind::Ffdhe, 2048, 112, GroupUse::Any),
            (0x0201, "MLKEM768", GroupKind::MlKem, 768, 192, GroupUse::Tls13),
            (0x11EB, "SecP256r1MLKEM768", GroupKind::Hybrid, 256, 192, GroupUse::Tls13),
            (0x11EC, "X25519MLKEM768", GroupKind::Hybrid, 255, 192, GroupUse::Tls13),
            (0x11ED, "SecP384r1MLKEM1024", GroupKind::Hybrid, 384, 256, GroupUse::Tls13),
            (0x6399, "X25519Kyber768Draft00", GroupKind::HybridDraft, 255, 192, GroupUse::Tls13),
            (16, "secp160r1", GroupKind::Ecdhe, 160, 80, GroupUse::UpToTls12),
            (0xFF01, "arbitrary_explicit_prime_curves", GroupKind::Explicit, 0, 0, GroupUse::UpToTls12),
        ] {
            assert_eq!(Group::by_code(code), Some(&Group { code, name, kind, size, strength, versions }));
        }
        assert_eq!(Group::by_code(0x0A0A), None);
    }

    #[test]
    fn versions_divide_the_table() {
        let codes = |version| Group::usable_in(version).map(|group| group.code).collect::<Vec<_>>();
        assert!(codes(Version::Tls13).contains(&0x11EC));
        assert!(!codes(Version::Tls12).contains(&0x11EC));
        assert!(!codes(Version::Tls13).contains(&22));
        assert!(codes(Version::Tls12).contains(&22));
        assert!(Group::usable_in(Version::Tls12).all(|group| !group.is_post_quantum()));
        assert_eq!(GROUPS.iter().filter(|group| group.is_post_quantum()).count(), 9);
    }
}
