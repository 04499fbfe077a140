//! The crate `mysql` trusts the public authorities of `webpki-roots` besides the file of
//! `--ca-file`. With `--ssl-mode verify-ca`, which looks at no name, anybody with a public
//! certificate for any name could then stand in for the server. This crate takes the place
//! of that list.

#![forbid(unsafe_code)]

use rustls_pki_types::{Der, TrustAnchor};

/// One anchor that no chain can lead to: its name is none that a certificate can carry and
/// its key is none at all. An empty list would not do, because rustls refuses a verifier
/// without anchors, which `--ssl-mode required` has no use for but needs all the same.
pub const TLS_SERVER_ROOTS: &[TrustAnchor<'static>] = &[TrustAnchor {
    subject: Der::from_slice(b"no certificate is issued by this name"),
    subject_public_key_info: Der::from_slice(b""),
    name_constraints: None,
}];
