//! What can be found at a server, by the names that policies, `--severity` and `--ignore` use. The build refuses a policy
//! with a name that is not here, so this file is part of `build.rs` too.

/// How bad a finding is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Worth knowing; the policy allows it.
    Note,
    /// Not there before, whatever else is to be said about it.
    Change,
    /// Sound, but not what the policy lists.
    Policy,
    /// Out of date: attacks need effort, luck or a rich attacker.
    Weak,
    /// Protects nobody.
    Broken,
}

impl Class {
    pub(crate) const ALL: [Self; 5] = [Self::Note, Self::Change, Self::Policy, Self::Weak, Self::Broken];

    /// As in policies and in the JSON document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Change => "change",
            Self::Policy => "policy",
            Self::Weak => "weak",
            Self::Broken => "broken",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Something a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindingKind {
    Ssl2,
    Ssl3,
    /// A suite without encryption.
    NullCipher,
    /// A suite without proof of who the server is.
    Anonymous,
    /// A suite made for export.
    Export,
    Rc4,
    /// A cipher of less than 112 bit.
    LowStrength,
    /// A prime field group of less than 1024 bit.
    DhBroken,
    /// The server's memory for the asking (CVE-2014-0160), shown by asking.
    Heartbleed,
    /// Keys made from nothing (CVE-2014-0224), shown by using them.
    CcsInjection,
    /// Renegotiation without RFC 5746, shown by doing it.
    InsecureRenegotiation,
    /// Answers that tell right paddings of RSA key exchange from wrong ones, shown by comparing them.
    Robot,
    /// Compression of TLS (CRIME).
    Compression,
    CertificateExpired,
    CertificateUntrusted,
    Tls10,
    Tls11,
    /// A cipher with blocks of 64 bit.
    SmallBlock,
    /// A cipher of at least 112 and less than 128 bit.
    ModestStrength,
    /// A prime field group below the policy's least size.
    DhSmall,
    /// A curve below the policy's least size.
    CurveSmall,
    /// A certificate signed with MD5 or SHA-1.
    CertificateWeakHash,
    /// A key exchange of TLS 1.2 signed by MD5 or SHA-1.
    SignatureWeakHash,
    /// An RSA key below the policy's least size.
    RsaSmall,
    /// A key exchange without forward secrecy, but for the next one.
    NoForwardSecrecy,
    /// Diffie-Hellman with the key of the certificate.
    StaticDh,
    /// The extension of RFC 5746 is missing, which proves nothing.
    NoSecureRenegotiation,
    /// The server picked what was not offered.
    ProtocolViolation,
    /// A suite the policy does not list, or denies by name.
    SuiteNotListed,
    /// A group the policy does not list, or denies by name.
    GroupNotListed,
    /// A group the policy asks for is not there.
    GroupMissing,
    /// A certificate with a kind of key, or a curve, that the policy does not list.
    CertificateKey,
    /// A certificate whose signature the policy does not list.
    CertificateSignature,
    /// A certificate made for a longer time than the policy allows.
    CertificateLifetime,
    /// What the policy allows until the end of this year.
    EndsSoon,
    Tls12,
    Tls13,
    /// CBC with the MAC under the encryption.
    Cbc,
    /// Prime field Diffie-Hellman with a fresh key.
    Ffdhe,
    NoTls13,
    NoPostQuantum,
    ClientPreference,
    NoExtendedMasterSecret,
    /// Not in the inventory of `--baseline`.
    NewProtocol,
    NewSuite,
    NewGroup,
    NewCertificateKey,
    /// In the inventory of `--baseline`, and not offered any more.
    GoneProtocol,
    GoneSuite,
    GoneGroup,
    GoneCertificateKey,
}

impl FindingKind {
    /// Each with its name and its class where a policy forbids it and says no more.
    pub(crate) const ALL: [(Self, &'static str, Class); 51] = [
        (Self::Ssl2, "sslv2", Class::Broken),
        (Self::Ssl3, "sslv3", Class::Broken),
        (Self::NullCipher, "null_cipher", Class::Broken),
        (Self::Anonymous, "anonymous", Class::Broken),
        (Self::Export, "export", Class::Broken),
        (Self::Rc4, "rc4", Class::Broken),
        (Self::LowStrength, "low_strength", Class::Broken),
        (Self::DhBroken, "dh_broken", Class::Broken),
        (Self::Heartbleed, "heartbleed", Class::Broken),
        (Self::CcsInjection, "ccs_injection", Class::Broken),
        (Self::InsecureRenegotiation, "insecure_renegotiation", Class::Broken),
        (Self::Robot, "robot", Class::Broken),
        (Self::Compression, "compression", Class::Broken),
        (Self::CertificateExpired, "certificate_expired", Class::Broken),
        (Self::CertificateUntrusted, "certificate_untrusted", Class::Broken),
        (Self::Tls10, "tls1_0", Class::Weak),
        (Self::Tls11, "tls1_1", Class::Weak),
        (Self::SmallBlock, "small_block", Class::Weak),
        (Self::ModestStrength, "modest_strength", Class::Weak),
        (Self::DhSmall, "dh_small", Class::Weak),
        (Self::CurveSmall, "curve_small", Class::Weak),
        (Self::CertificateWeakHash, "certificate_weak_hash", Class::Weak),
        (Self::SignatureWeakHash, "signature_weak_hash", Class::Weak),
        (Self::RsaSmall, "rsa_small", Class::Weak),
        (Self::NoForwardSecrecy, "no_forward_secrecy", Class::Weak),
        (Self::StaticDh, "static_dh", Class::Weak),
        (Self::NoSecureRenegotiation, "no_secure_renegotiation", Class::Weak),
        (Self::ProtocolViolation, "protocol_violation", Class::Weak),
        (Self::SuiteNotListed, "suite_not_listed", Class::Policy),
        (Self::GroupNotListed, "group_not_listed", Class::Policy),
        (Self::GroupMissing, "group_missing", Class::Policy),
        (Self::CertificateKey, "certificate_key", Class::Policy),
        (Self::CertificateSignature, "certificate_signature", Class::Policy),
        (Self::CertificateLifetime, "certificate_lifetime", Class::Policy),
        (Self::EndsSoon, "ends_soon", Class::Policy),
        (Self::Tls12, "tls1_2", Class::Policy),
        (Self::Tls13, "tls1_3", Class::Policy),
        (Self::Cbc, "cbc", Class::Note),
        (Self::Ffdhe, "ffdhe", Class::Note),
        (Self::NoTls13, "no_tls1_3", Class::Note),
        (Self::NoPostQuantum, "no_post_quantum", Class::Note),
        (Self::ClientPreference, "client_preference", Class::Note),
        (Self::NoExtendedMasterSecret, "no_extended_master_secret", Class::Note),
        (Self::NewProtocol, "new_protocol", Class::Change),
        (Self::NewSuite, "new_suite", Class::Change),
        (Self::NewGroup, "new_group", Class::Change),
        (Self::NewCertificateKey, "new_certificate_key", Class::Change),
        (Self::GoneProtocol, "gone_protocol", Class::Note),
        (Self::GoneSuite, "gone_suite", Class::Note),
        (Self::GoneGroup, "gone_group", Class::Note),
        (Self::GoneCertificateKey, "gone_certificate_key", Class::Note),
    ];

    /// The name in policies, options and output: `small_block`. Never changes.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| *name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| *kind)
    }

    /// That a version is offered at all.
    pub(crate) fn is_version(self) -> bool {
        matches!(self, Self::Ssl2 | Self::Ssl3 | Self::Tls10 | Self::Tls11 | Self::Tls12 | Self::Tls13)
    }

    /// A difference to the baseline that must not pass unseen.
    pub(crate) const fn is_new(self) -> bool {
        matches!(self, Self::NewProtocol | Self::NewSuite | Self::NewGroup | Self::NewCertificateKey)
    }

    /// A difference to the baseline, of either side.
    pub(crate) const fn is_difference(self) -> bool {
        self.is_new()
            || matches!(
                self,
                Self::GoneProtocol | Self::GoneSuite | Self::GoneGroup | Self::GoneCertificateKey
            )
    }

    /// The class it has where a policy forbids it and says no more.
    pub(crate) fn default_class(self) -> Class {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(Class::Note, |(.., class)| *class)
    }
}
