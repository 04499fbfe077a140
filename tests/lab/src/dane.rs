//! TLSA data of certificates (RFC 6698 section 2.1).

use ring::digest::{SHA256, SHA512, digest};
use x509_parser::parse_x509_certificate;

use crate::dns::Record;

/// Certificate association data: of the certificate (selector 0) or its public key (1), as it is
/// (matching 0), by SHA-256 (1) or SHA-512 (2).
#[must_use]
pub fn association(selector: u8, matching: u8, certificate: &[u8]) -> Vec<u8> {
    let selected = match selector {
        0 => certificate.to_vec(),
        1 => {
            let (_, parsed) =
                parse_x509_certificate(certificate).expect("the lab's certificates are well formed");
            parsed.subject_pki.raw.to_vec()
        }
        other => panic!("selector {other} has no meaning"),
    };
    match matching {
        0 => selected,
        1 => digest(&SHA256, &selected).as_ref().to_vec(),
        2 => digest(&SHA512, &selected).as_ref().to_vec(),
        other => panic!("matching type {other} has no meaning"),
    }
}

/// The TLSA record of a certificate, DER: usage 3 of the server's own one, 2 of one above it.
#[must_use]
pub fn tlsa(usage: u8, selector: u8, matching: u8, certificate: &[u8]) -> Record {
    Record::tlsa(usage, selector, matching, &association(selector, matching, certificate))
}
