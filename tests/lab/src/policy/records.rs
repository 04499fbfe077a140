//! The records of the healthy domain.

use super::{DOMAIN, RESOLVER, WEB, name};
use crate::dns::Record;

/// A public key of 2048 bits whose private part nobody kept.
pub(super) const RSA_2048: &str = "\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0WkGQ8KwYClIXiuXXJEiq3kkj6qcUpP+X7aaEsuFSS6Gi8\
    Ib5aRg/dO2tK/gYFOgJ6jXcoX3Rs0JVlA2C8QxAjsHVqVgr+Qe61+CHh1db3J/ob6cCDgIKAfQRKandkz0hIxlwFn3\
    3fE4oaIf35iFA3sbM2fBKoMvD3I7NMu9Mzxi7sIwzEJTUBNY7DpzFkdvZGJ3GKY1w6uP+DoEyLPwzNTUktlr+ZaFOk\
    3jDeGPCQ8eGaZwoXz8iR6v+1kPRlWRbYZHU+85E2XdiwKoY3FXAtSH6UV1EVSxHN0h5R5bhTMjFxxvOVX5awFc2sur\
    EAVyIDDE7ADn+rxTPVwE6+zl6wIDAQAB";
/// One of 1024 bits.
pub(super) const RSA_1024: &str = "\
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCmvol0quZclH1ItfCBj1N8Uovt5IP44Zp8Dbrm2ZyfEt4eqWBHTp\
    PL3wTLYotenci665CaZtAnjvetZ5CUcCAAvIkKvJLbGZgZDRYN0le4TFMoHyrVFK7LfsOR61l3n0VINb9iZQxWEbsU\
    e8UVHOkQCIbGTJhN4qsXvm33NLn9iwIDAQAB";
/// One of 512 bits.
pub(super) const RSA_512: &str = "\
    MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALFg6UWTBkMHYIoyWKAzoEjQfGhp2uOYmuXZ20AjUbPklDTS6h0OHaNEtp\
    hsumv8JyMiqO4QGeNpHKQlIxDXkQUCAwEAAQ==";
/// An Ed25519 key, bare (RFC 8463 section 4.2).
const ED25519: &str = "l9hKEPK9Cqf6H4cZoidL9XDs+Qmwo/I0dxvXrd5eSeg=";

/// The SPF record.
pub(super) const SPF: &str = "v=spf1 mx include:_spf.example.test include:spf.mailer.test -all";

/// What its host serves.
pub const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\n\
    mx: mx1.example.test\r\nmx: mx2.example.test\r\n";

/// A picture in the profile that BIMI wants.
pub(super) const LOGO: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <svg version=\"1.2\" baseProfile=\"tiny-ps\" viewBox=\"0 0 96 96\" width=\"96\" height=\"96\" \
    xmlns=\"http://www.w3.org/2000/svg\"><title>Example</title><rect width=\"96\" height=\"96\"/></svg>";

/// The text of an RSA key's record.
pub(super) fn rsa(key: &str) -> String {
    format!("v=DKIM1; k=rsa; p={key}")
}

/// All but the TLSA records, which are made with the certificates.
pub(super) fn healthy() -> Vec<Record> {
    let texts = [
        ("", SPF),
        ("_spf", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all"),
        ("s2026._domainkey", &rsa(RSA_2048)),
        ("ed._domainkey", &format!("v=DKIM1; k=ed25519; p={ED25519}")),
        ("_dmarc", "v=DMARC1; p=reject; rua=mailto:dmarc@example.test,mailto:collect@reports.test"),
        ("_mta-sts", "v=STSv1; id=20260101T000000"),
        ("_smtp._tls", "v=TLSRPTv1; rua=mailto:tls@example.test"),
        ("default._bimi", "v=BIMI1; l=https://www.example.test/logo.svg; a="),
    ];
    let addresses = [
        ("mx1", "127.0.0.31".to_owned()),
        ("mx2", "127.0.0.32".to_owned()),
        ("mta-sts", WEB.to_string()),
        ("www", WEB.to_string()),
        ("ns", RESOLVER.to_string()),
    ];
    let own = [
        Record::soa(DOMAIN),
        Record::ns(&name("ns")).owned_by(DOMAIN),
        Record::mx(10, &name("mx1")).owned_by(DOMAIN),
        Record::mx(20, &name("mx2")).owned_by(DOMAIN),
        Record::cname("s1.dkim.mailer.test").owned_by(&name("alias._domainkey")),
    ];
    let others = [
        Record::txt("v=spf1 a:out.mailer.test ip4:198.51.100.0/25 -all").owned_by("spf.mailer.test"),
        Record::address("198.51.100.200").owned_by("out.mailer.test"),
        Record::txt(&rsa(RSA_2048)).owned_by("s1.dkim.mailer.test"),
        Record::ptr(&name("mx1")).owned_by("31.0.0.127.in-addr.arpa"),
        Record::ptr(&name("mx2")).owned_by("32.0.0.127.in-addr.arpa"),
        Record::mx(10, "mx.reports.test").owned_by("reports.test"),
        Record::address("198.51.100.201").owned_by("mx.reports.test"),
        Record::txt("v=DMARC1;").owned_by("example.test._report._dmarc.reports.test"),
    ];
    let texts = texts.map(|(front, text)| Record::txt(text).owned_by(&name(front)));
    let addresses = addresses.map(|(front, address)| Record::address(&address).owned_by(&name(front)));
    texts.into_iter().chain(addresses).chain(own).chain(others).collect()
}
