//! The settings themselves. Files stand where Debian has theirs.

use super::Software::{Apache, Dovecot, Dovecot23, Dovecot24, EximGnutls, EximOpenssl, Nginx, Postfix};
use super::{Settings, Software, Topic};
use crate::policy::FindingKind;

/// What a finding belongs to, where there is something to be done on the server.
pub(super) const fn topic(kind: FindingKind) -> Option<&'static Topic> {
    Some(match kind {
        FindingKind::Ssl2 | FindingKind::Ssl3 | FindingKind::Tls10 | FindingKind::Tls11 => &OLD_VERSIONS,
        FindingKind::NoTls13 => &NO_TLS13,
        FindingKind::Tls12 => &ONLY_TLS13,
        FindingKind::NullCipher
        | FindingKind::Anonymous
        | FindingKind::Export
        | FindingKind::Rc4
        | FindingKind::LowStrength
        | FindingKind::SmallBlock
        | FindingKind::ModestStrength
        | FindingKind::NoForwardSecrecy
        | FindingKind::StaticDh
        | FindingKind::Cbc
        | FindingKind::Ffdhe => &SUITES,
        FindingKind::SuiteNotListed => &LISTED_SUITES,
        FindingKind::DhBroken | FindingKind::DhSmall => &PRIME,
        FindingKind::CurveSmall => &CURVES,
        FindingKind::NoPostQuantum => &POST_QUANTUM,
        FindingKind::GroupNotListed | FindingKind::GroupMissing => &LISTED_GROUPS,
        FindingKind::RsaSmall
        | FindingKind::CertificateWeakHash
        | FindingKind::CertificateKey
        | FindingKind::CertificateSignature => &KEY,
        FindingKind::SignatureWeakHash => &SIGNATURES,
        FindingKind::CertificateExpired
        | FindingKind::CertificateUntrusted
        | FindingKind::CertificateLifetime => &CERTIFICATE,
        FindingKind::Heartbleed | FindingKind::CcsInjection => &LIBRARY,
        FindingKind::Robot => &KEY_TRANSPORT,
        FindingKind::Compression => &COMPRESSION,
        FindingKind::InsecureRenegotiation | FindingKind::NoSecureRenegotiation => &RENEGOTIATION,
        FindingKind::NoExtendedMasterSecret => &MASTER_SECRET,
        FindingKind::ClientPreference
        | FindingKind::ProtocolViolation
        | FindingKind::Tls13
        | FindingKind::EndsSoon
        // Whether what is new is wanted is for people to say.
        | FindingKind::NewProtocol
        | FindingKind::NewSuite
        | FindingKind::NewGroup
        | FindingKind::NewCertificateKey
        | FindingKind::GoneProtocol
        | FindingKind::GoneSuite
        | FindingKind::GoneGroup
        | FindingKind::GoneCertificateKey => return None,
    })
}

const fn set(software: Software, lines: &'static [&'static str]) -> Settings {
    Settings { software, lines }
}

/// GnuTLS has one setting for versions, suites, groups and extensions.
const GNUTLS: Settings = set(
    EximGnutls,
    &[
        "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1",
    ],
);

const NGINX_VERSIONS: Settings = set(Nginx, &["ssl_protocols TLSv1.2 TLSv1.3;"]);
const APACHE_VERSIONS: Settings = set(Apache, &["SSLProtocol -all +TLSv1.2 +TLSv1.3"]);
const POSTFIX_VERSIONS: Settings = set(
    Postfix,
    &[
        "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
        "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
    ],
);
const OPENSSL_VERSIONS: Settings =
    set(EximOpenssl, &["openssl_options = +no_sslv2 +no_sslv3 +no_tlsv1 +no_tlsv1_1"]);

static OLD_VERSIONS: Topic = Topic {
    title: "protocol versions",
    note: Some(
        "of several servers on one address the default one (nginx), or the first one (Apache), decides for all names",
    ),
    settings: &[
        NGINX_VERSIONS,
        APACHE_VERSIONS,
        POSTFIX_VERSIONS,
        set(Dovecot, &["ssl_min_protocol = TLSv1.2"]),
        GNUTLS,
        OPENSSL_VERSIONS,
    ],
};

static NO_TLS13: Topic = Topic {
    title: "TLS 1.3",
    note: Some(
        "it takes OpenSSL 1.1.1 or GnuTLS 3.6.5, and no MaxProtocol in /etc/ssl/openssl.cnf; Dovecot has no setting of \
         its own",
    ),
    settings: &[NGINX_VERSIONS, APACHE_VERSIONS, POSTFIX_VERSIONS, GNUTLS, OPENSSL_VERSIONS],
};

static ONLY_TLS13: Topic = Topic {
    title: "protocol versions",
    note: Some("clients from before 2018 are shut out"),
    settings: &[
        set(Nginx, &["ssl_protocols TLSv1.3;"]),
        set(Apache, &["SSLProtocol -all +TLSv1.3"]),
        set(
            Postfix,
            &[
                "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.2",
                "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.2",
            ],
        ),
        set(Dovecot, &["ssl_min_protocol = TLSv1.3"]),
        set(
            EximGnutls,
            &[
                "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM",
            ],
        ),
        set(EximOpenssl, &["openssl_options = +no_sslv2 +no_sslv3 +no_tlsv1 +no_tlsv1_1 +no_tlsv1_2"]),
    ],
};

static SUITES: Topic = Topic {
    title: "cipher suites",
    note: Some("on port 25 a sender that can do no better then delivers in the clear, if it delivers at all"),
    settings: &[
        set(Nginx, &["ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;"]),
        set(Apache, &["SSLCipherSuite ECDHE+AESGCM:ECDHE+CHACHA20"]),
        set(
            Postfix,
            &[
                "smtpd_tls_ciphers = high",
                "smtpd_tls_mandatory_ciphers = high",
                "smtpd_tls_exclude_ciphers = aNULL, kRSA, kDHE, PSK, SRP, SHA1, SHA256, SHA384",
            ],
        ),
        set(Dovecot, &["ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20"]),
        GNUTLS,
        set(EximOpenssl, &["tls_require_ciphers = ECDHE+AESGCM:ECDHE+CHACHA20"]),
    ],
};

static LISTED_SUITES: Topic = Topic {
    title: "cipher suites",
    note: Some(
        "AES-GCM is what all policies list, and some list more; a program without a setting for the suites of TLS 1.3 takes \
         them from Ciphersuites in /etc/ssl/openssl.cnf",
    ),
    settings: &[
        set(
            Nginx,
            &[
                "ssl_ciphers ECDHE+AESGCM;",
                "ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256;",
            ],
        ),
        set(
            Apache,
            &[
                "SSLCipherSuite ECDHE+AESGCM",
                "SSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
            ],
        ),
        set(
            Postfix,
            &[
                "smtpd_tls_ciphers = high",
                "smtpd_tls_mandatory_ciphers = high",
                "smtpd_tls_exclude_ciphers = aNULL, kRSA, kDHE, PSK, SRP, SHA1, SHA256, SHA384, CHACHA20, AESCCM, ARIA",
            ],
        ),
        set(
            Dovecot,
            &[
                "ssl_cipher_list = ECDHE+AESGCM",
                "ssl_cipher_suites = TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
            ],
        ),
        set(
            EximGnutls,
            &[
                "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1",
            ],
        ),
        set(EximOpenssl, &["tls_require_ciphers = ECDHE+AESGCM"]),
    ],
};

static PRIME: Topic = Topic {
    title: "the Diffie-Hellman prime",
    note: Some(
        "the file: openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out /etc/ssl/dh.pem (ffdhe3072 where \
         the policy asks for more); a server without DHE needs none",
    ),
    settings: &[
        set(Nginx, &["ssl_dhparam /etc/ssl/dh.pem;"]),
        set(Apache, &["SSLOpenSSLConfCmd DHParameters /etc/ssl/dh.pem"]),
        set(Postfix, &["smtpd_tls_dh1024_param_file = /etc/ssl/dh.pem"]),
        set(Dovecot23, &["ssl_dh = </etc/ssl/dh.pem"]),
        set(Dovecot24, &["ssl_server_dh_file = /etc/ssl/dh.pem"]),
        GNUTLS,
        set(EximOpenssl, &["tls_dhparam = ffdhe2048"]),
    ],
};

static CURVES: Topic = Topic {
    title: "elliptic curves",
    note: Some(
        "a certificate with such a key needs a new key, EC (P-256) or RSA of 3072 bits, and a new certificate",
    ),
    settings: &[
        NGINX_GROUPS,
        set(Apache, &["SSLOpenSSLConfCmd Groups X25519:P-256:P-384"]),
        set(Postfix, &["tls_eecdh_auto_curves = X25519 X448 prime256v1 secp521r1 secp384r1"]),
        DOVECOT_GROUPS,
        GNUTLS,
        OPENSSL_GROUPS,
    ],
};

/// What the library has by itself: without small curves, and with post-quantum groups as soon as it knows any.
const NGINX_GROUPS: Settings = set(Nginx, &["ssl_ecdh_curve auto;"]);
const DOVECOT_GROUPS: Settings = set(Dovecot, &["ssl_curve_list ="]);
const OPENSSL_GROUPS: Settings = set(EximOpenssl, &["tls_eccurve = auto"]);

static LIBRARY: Topic = Topic {
    title: "faults of the TLS library",
    note: Some("no setting helps: a newer library does, and after Heartbleed a new key and certificate"),
    settings: &[],
};

static KEY_TRANSPORT: Topic = Topic {
    title: "ROBOT",
    note: Some(
        "a newer TLS library, or no suites with RSA key exchange: the advice on suites takes them away",
    ),
    settings: &[],
};

static LISTED_GROUPS: Topic = Topic {
    title: "groups",
    note: Some("P-256 and P-384 are on the list of every policy; X25519MLKEM768 and X25519 are not on all"),
    settings: &[
        set(Nginx, &["ssl_ecdh_curve prime256v1:secp384r1;"]),
        set(Apache, &["SSLOpenSSLConfCmd Groups P-256:P-384"]),
        set(Postfix, &["tls_eecdh_auto_curves = prime256v1 secp384r1", "tls_ffdhe_auto_groups ="]),
        set(Dovecot, &["ssl_curve_list = P-256:P-384"]),
        set(
            EximGnutls,
            &[
                "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-SECP384R1",
            ],
        ),
    ],
};

static POST_QUANTUM: Topic = Topic {
    title: "post-quantum groups",
    note: Some("it takes TLS 1.3 with OpenSSL 3.5, and Postfix 3.10"),
    settings: &[
        NGINX_GROUPS,
        set(Apache, &["SSLOpenSSLConfCmd Groups X25519MLKEM768:X25519:P-256:P-384"]),
        set(Postfix, &["tls_eecdh_auto_curves =", "tls_ffdhe_auto_groups ="]),
        DOVECOT_GROUPS,
        OPENSSL_GROUPS,
    ],
};

/// Where key and certificate are.
const FILES: &[Settings] = &[
    set(
        Nginx,
        &["ssl_certificate /etc/ssl/certs/server.pem;", "ssl_certificate_key /etc/ssl/private/server.key;"],
    ),
    set(
        Apache,
        &[
            "SSLCertificateFile /etc/ssl/certs/server.pem",
            "SSLCertificateKeyFile /etc/ssl/private/server.key",
        ],
    ),
    set(Postfix, &["smtpd_tls_chain_files = /etc/ssl/private/server.key, /etc/ssl/certs/server.pem"]),
    set(Dovecot23, &["ssl_cert = </etc/ssl/certs/server.pem", "ssl_key = </etc/ssl/private/server.key"]),
    set(
        Dovecot24,
        &[
            "ssl_server_cert_file = /etc/ssl/certs/server.pem",
            "ssl_server_key_file = /etc/ssl/private/server.key",
        ],
    ),
    set(
        EximGnutls,
        &["tls_certificate = /etc/ssl/certs/server.pem", "tls_privatekey = /etc/ssl/private/server.key"],
    ),
    set(
        EximOpenssl,
        &["tls_certificate = /etc/ssl/certs/server.pem", "tls_privatekey = /etc/ssl/private/server.key"],
    ),
];

static KEY: Topic = Topic {
    title: "key and certificate",
    note: Some(
        "a new key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /etc/ssl/private/server.key; and a \
         new certificate for it, signed with SHA-256, in one file with the intermediate ones",
    ),
    settings: FILES,
};

static CERTIFICATE: Topic = Topic {
    title: "the certificate",
    note: Some(
        "a new certificate for the name from a CA that clients trust, in one file with the intermediate ones",
    ),
    settings: FILES,
};

static SIGNATURES: Topic = Topic {
    title: "signatures",
    note: Some(
        "a program without a setting of its own takes SignatureAlgorithms from /etc/ssl/openssl.cnf; a cipher list with \
         @SECLEVEL takes the place of one without",
    ),
    settings: &[
        set(
            Nginx,
            &[
                "ssl_conf_command SignatureAlgorithms ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384;",
            ],
        ),
        set(
            Apache,
            &[
                "SSLOpenSSLConfCmd SignatureAlgorithms ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384",
            ],
        ),
        set(Dovecot, &["ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"]),
        GNUTLS,
        set(EximOpenssl, &["tls_require_ciphers = ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"]),
    ],
};

static COMPRESSION: Topic = Topic {
    title: "compression",
    note: Some("OpenSSL from 1.1.0 and GnuTLS from 3.6 on do not compress by themselves: update the library"),
    settings: &[
        set(Apache, &["SSLCompression off"]),
        set(Postfix, &["tls_ssl_options = NO_COMPRESSION"]),
        set(Dovecot, &["ssl_options ="]),
        set(EximOpenssl, &["openssl_options = +no_sslv2 +no_sslv3 +no_tlsv1 +no_tlsv1_1 +no_compression"]),
    ],
};

static RENEGOTIATION: Topic = Topic {
    title: "renegotiation",
    note: Some("every TLS library since 2010 has it: update the one of the server"),
    settings: &[set(Apache, &["SSLInsecureRenegotiation off"]), GNUTLS],
};

static MASTER_SECRET: Topic = Topic {
    title: "the extended master secret",
    note: Some("OpenSSL from 1.1.0 and GnuTLS from 3.4 on have it: update the library"),
    settings: &[GNUTLS],
};
