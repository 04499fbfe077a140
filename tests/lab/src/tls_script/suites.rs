//! What the endpoint has to know about versions, suites and groups to shape its messages:
//! the key exchange of a suite decides whether there is a ServerKeyExchange and what is in it
//! (IANA's registry "TLS Cipher Suites").

/// A protocol version that the endpoint can speak. SSLv2 has messages of its own, see
/// [`TlsScript::ssl2`](super::TlsScript::ssl2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the usual ones")]
pub enum Version {
    Ssl3,
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl Version {
    /// All of them, the oldest first.
    pub const ALL: [Self; 5] = [Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// Its number in a hello.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Ssl3 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }
}

/// Kind of key in the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the usual ones")]
pub enum Auth {
    Rsa,
    Ecdsa,
    Dsa,
}

/// How the key of a connection comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// Nothing beyond the certificate: RSA, static DH and ECDH, Kerberos, PSK.
    None,
    /// An RSA key of so many bits, shorter than that of the certificate.
    RsaExport(usize),
    /// Diffie-Hellman with the endpoint's prime, or of so many bits for EXPORT.
    Dhe(Option<usize>),
    Ecdhe,
    /// TLS 1.3: not decided by the suite.
    Tls13,
}

/// Key exchange of a suite, and the certificate that it needs; none for an anonymous one.
pub(crate) fn exchange(suite: u16) -> (Exchange, Option<Auth>) {
    use Auth::{Dsa, Ecdsa, Rsa};
    match suite {
        0x0003 | 0x0006 | 0x0008 => (Exchange::RsaExport(512), Some(Rsa)),
        0x0060..=0x0062 | 0x0064 => (Exchange::RsaExport(1024), Some(Rsa)),
        0x0011 => (Exchange::Dhe(Some(512)), Some(Dsa)),
        0x0014 => (Exchange::Dhe(Some(512)), Some(Rsa)),
        0x0017 | 0x0019 => (Exchange::Dhe(Some(512)), None),
        0x0063 | 0x0065 => (Exchange::Dhe(Some(1024)), Some(Dsa)),
        0x0018 | 0x001a | 0x001b | 0x0034 | 0x003a | 0x0046 | 0x006c | 0x006d | 0x0089 | 0x009b | 0x00a6
        | 0x00a7 | 0x00bf | 0x00c5 | 0xc046 | 0xc047 | 0xc05a | 0xc05b | 0xc084 | 0xc085 => {
            (Exchange::Dhe(None), None)
        }
        0x0012 | 0x0013 | 0x0032 | 0x0038 | 0x0040 | 0x0044 | 0x0066 | 0x006a | 0x0087 | 0x0099 | 0x00a2
        | 0x00a3 | 0x00bd | 0x00c3 | 0xc042 | 0xc043 | 0xc056 | 0xc057 | 0xc080 | 0xc081 => {
            (Exchange::Dhe(None), Some(Dsa))
        }
        0x0015 | 0x0016 | 0x0033 | 0x0039 | 0x0045 | 0x0067 | 0x006b | 0x0088 | 0x009a | 0x009e | 0x009f
        | 0x00be | 0x00c4 | 0xc044 | 0xc045 | 0xc052 | 0xc053 | 0xc07c | 0xc07d | 0xc09e | 0xc09f
        | 0xc0a2 | 0xc0a3 | 0xccaa | 0xcc15 => (Exchange::Dhe(None), Some(Rsa)),
        0xc006..=0xc00a
        | 0xc023
        | 0xc024
        | 0xc02b
        | 0xc02c
        | 0xc048
        | 0xc049
        | 0xc05c
        | 0xc05d
        | 0xc072
        | 0xc073
        | 0xc086
        | 0xc087
        | 0xc0ac..=0xc0af
        | 0xcca9
        | 0xcc14 => (Exchange::Ecdhe, Some(Ecdsa)),
        0xc010..=0xc014
        | 0xc027
        | 0xc028
        | 0xc02f
        | 0xc030
        | 0xc04c
        | 0xc04d
        | 0xc060
        | 0xc061
        | 0xc076
        | 0xc077
        | 0xc08a
        | 0xc08b
        | 0xcca8
        | 0xcc13 => (Exchange::Ecdhe, Some(Rsa)),
        0xc015..=0xc019 => (Exchange::Ecdhe, None),
        0x1301..=0x1305 => (Exchange::Tls13, None),
        _ => (Exchange::None, Some(static_key(suite))),
    }
}

/// Certificate of the suites that agree on a key with it alone.
fn static_key(suite: u16) -> Auth {
    match suite {
        0x000b..=0x000d | 0x0030 | 0x0036 | 0x003e | 0x0042 | 0x0068 | 0x0085 | 0x0097 | 0x00a4 | 0x00a5 => {
            Auth::Dsa
        }
        0xc001..=0xc005 | 0xc025 | 0xc026 | 0xc02d | 0xc02e | 0xc04a | 0xc04b => Auth::Ecdsa,
        _ => Auth::Rsa,
    }
}

/// Length of a server's key share for a group; the hybrids answer with a ciphertext (FIPS 203).
pub(crate) fn share_length(group: u16) -> usize {
    match group {
        0x0017 => 65,
        0x0018 => 97,
        0x0019 => 133,
        0x001e => 56,
        0x0100 => 256,
        0x0101 => 384,
        0x0102 => 512,
        0x0200 => 768,
        0x0201 => 1088,
        0x0202 => 1568,
        0x11eb => 65 + 1088,
        0x11ec => 1088 + 32,
        0x11ed => 97 + 1568,
        _ => 32,
    }
}
