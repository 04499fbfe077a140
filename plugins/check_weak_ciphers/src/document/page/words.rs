//! What findings and classes are called in front of people.

use common::report::State;

use crate::policy::{Class, FindingKind};

/// A finding in a few words.
pub(super) const fn title(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Ssl2 => "SSL 2.0 is offered",
        FindingKind::Ssl3 => "SSL 3.0 is offered",
        FindingKind::NullCipher => "No encryption",
        FindingKind::Anonymous => "No proof of who the server is",
        FindingKind::Export => "Suites made for export",
        FindingKind::Rc4 => "RC4",
        FindingKind::LowStrength => "Ciphers below 112 bit",
        FindingKind::DhBroken => "Diffie-Hellman prime below 1024 bit",
        FindingKind::InsecureRenegotiation => "Insecure renegotiation",
        FindingKind::Heartbleed => "Heartbleed: the server tells what is in its memory",
        FindingKind::CcsInjection => "Early change of keys (CCS injection)",
        FindingKind::Robot => "ROBOT: an oracle for RSA key exchange",
        FindingKind::Compression => "Compression by TLS",
        FindingKind::CertificateExpired => "Certificate has expired",
        FindingKind::CertificateUntrusted => "Certificate is not trusted",
        FindingKind::Tls10 => "TLS 1.0 is offered",
        FindingKind::Tls11 => "TLS 1.1 is offered",
        FindingKind::SmallBlock => "Blocks of 64 bit",
        FindingKind::ModestStrength => "Ciphers of 112 to 127 bit",
        FindingKind::DhSmall => "Diffie-Hellman prime is too short",
        FindingKind::CurveSmall => "Curve is too small",
        FindingKind::CertificateWeakHash => "Certificate is signed with a weak hash",
        FindingKind::SignatureWeakHash => "Key exchange is signed with a weak hash",
        FindingKind::RsaSmall => "RSA key is too short",
        FindingKind::NoForwardSecrecy => "No forward secrecy",
        FindingKind::StaticDh => "Static Diffie-Hellman",
        FindingKind::NoSecureRenegotiation => "No extension for secure renegotiation",
        FindingKind::ProtocolViolation => "Breach of the protocol",
        FindingKind::SuiteNotListed => "Not on the policy's list",
        FindingKind::Tls12 => "TLS 1.2 is offered",
        FindingKind::Tls13 => "TLS 1.3 is offered",
        FindingKind::Cbc => "CBC, MAC before encryption",
        FindingKind::Ffdhe => "Diffie-Hellman in a prime field",
        FindingKind::NoTls13 => "No TLS 1.3",
        FindingKind::NoPostQuantum => "No post-quantum group",
        FindingKind::ClientPreference => "The client decides",
        FindingKind::NoExtendedMasterSecret => "No extended master secret",
        FindingKind::GroupNotListed => "Group is not on the policy's list",
        FindingKind::GroupMissing => "A group that the policy asks for is missing",
        FindingKind::CertificateKey => "Certificate key is not on the policy's list",
        FindingKind::CertificateSignature => "Certificate signature is not on the policy's list",
        FindingKind::CertificateLifetime => "Certificate is made for too long",
        FindingKind::EndsSoon => "Allowed until the end of the year",
        FindingKind::NewProtocol => "New protocol version",
        FindingKind::NewSuite => "New suite",
        FindingKind::NewGroup => "New group",
        FindingKind::NewCertificateKey => "New certificate key",
        FindingKind::GoneProtocol => "Protocol version gone",
        FindingKind::GoneSuite => "Suite gone",
        FindingKind::GoneGroup => "Group gone",
        FindingKind::GoneCertificateKey => "Certificate key gone",
    }
}

/// The word of a class, and the kind of badge it stands on.
pub(super) const fn class_words(class: Option<Class>) -> (&'static str, &'static str) {
    match class {
        None | Some(Class::Note) => ("allowed", "ok"),
        Some(Class::Change) => ("new", "warning"),
        Some(Class::Policy) => ("not listed", "warning"),
        Some(Class::Weak) => ("weak", "warning"),
        Some(Class::Broken) => ("broken", "critical"),
    }
}

/// The kind of badge a state stands on.
pub(super) const fn state_badge(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Critical => "critical",
        State::Unknown => "unknown",
    }
}

/// What the words mean, for the end of the page.
pub(super) const LEGEND: [(&str, &str, &str); 5] = [
    ("critical", "broken", "Protects nobody: it can be read or changed by whoever is on the line."),
    ("warning", "weak", "Out of date: attacks need effort, luck or a rich attacker."),
    ("warning", "not listed", "Sound, but not among what the policy lists."),
    ("warning", "new", "Not in the inventory this one is compared with, whatever the policy says of it."),
    ("ok", "allowed", "The policy does not forbid it. Remarks beside the word are for information."),
];
