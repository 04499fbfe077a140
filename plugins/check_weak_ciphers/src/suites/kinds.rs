//! What a suite is made of. The build reads names of suites into these, so this file is part of `build.rs` too.

/// How the key is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchange {
    /// None at all (0x0000, the state before the first handshake).
    Null,
    /// The client encrypts the secret to the server's RSA key.
    Rsa,
    /// Diffie-Hellman with the key of the certificate.
    Dh,
    /// Diffie-Hellman with a fresh key, signed or (anonymous) not.
    Dhe,
    /// Elliptic curve Diffie-Hellman with the key of the certificate.
    Ecdh,
    /// Elliptic curve Diffie-Hellman with a fresh key, signed or (anonymous) not.
    Ecdhe,
    /// Menezes-Qu-Vanstone with the key of the certificate.
    Ecmqv,
    /// Kerberos 5 (RFC 2712).
    Krb5,
    /// A shared key alone (RFC 4279).
    Psk,
    /// A shared key with fresh Diffie-Hellman.
    DhePsk,
    /// A shared key with fresh elliptic curve Diffie-Hellman (RFC 5489, 8442).
    EcdhePsk,
    /// A shared key with RSA key transport.
    RsaPsk,
    /// Secure remote password (RFC 5054).
    Srp,
    /// Dragonfly (RFC 8492).
    EccPwd,
    /// Password by juggling (Thread).
    EcJpake,
    /// Key exchange algorithm of FORTEZZA cards (SSL 3.0).
    Kea,
    /// VKO GOST with the key of the certificate (RFC 9189).
    Gost,
    /// X25519 with NewHope, an experiment of 2016.
    Cecpq1,
    /// Agreed on apart from the suite, by groups and signature schemes (TLS 1.3).
    Tls13,
}

/// How the server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Not at all, before the first handshake (0x0000).
    Null,
    /// Not at all.
    Anonymous,
    Rsa,
    Dss,
    Ecdsa,
    /// Nyberg-Rueppel, in a draft of 2001.
    Ecnra,
    Krb5,
    Psk,
    /// A password (SRP without certificate, Dragonfly, J-PAKE).
    Password,
    Kea,
    Gost,
    /// Agreed on apart from the suite (TLS 1.3).
    Tls13,
}

/// What encrypts the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Null,
    Rc2,
    Rc4,
    Des,
    TripleDes,
    Idea,
    Seed,
    /// Of FORTEZZA cards.
    Skipjack,
    Aes,
    Camellia,
    Aria,
    ChaCha20,
    Salsa20,
    Sm4,
    Gost28147,
    Kuznyechik,
    Magma,
    Aegis,
    Ascon,
}

/// How the cipher is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No cipher.
    Null,
    Stream,
    Cbc,
    /// DES with feedback of eight bytes, in SSL 2.0.
    Cfb,
    /// Counter, with a MAC of its own.
    Counter,
    Gcm,
    Ccm,
    /// CCM with a tag of eight bytes.
    Ccm8,
    Poly1305,
    Mgm,
    /// AEAD by design of the cipher (AEGIS, Ascon).
    Aead,
}

/// What protects the records from changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mac {
    Null,
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Ripemd160,
    Gost28147Imit,
    GostR3411,
    Omac,
    /// The mode itself.
    Aead,
}

/// Weakened for export from the United States, before 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    /// `EXPORT`: 40 bit ciphers, 512 bit keys (RFC 2246).
    Bits40,
    /// `EXPORT1024`: 56 bit ciphers, 1024 bit keys.
    Bits56,
}
