//! What can be wrong with a domain, one thing each; for [`Domain::with`].

use std::time::Duration;

use super::records::{RSA_512, RSA_1024, RSA_2048, rsa};
use super::{Domain, POLICY, POLICY_HOST, name};
use crate::certs::{Leaf, LeafOptions};
use crate::dane::tlsa;
use crate::dns::{Rcode, Reaction, Record, RecordType};
use crate::exchanger::{StartTls, TLS_454};
use crate::https::{Opening, answer};

/// A change of a healthy domain.
pub type Fault = fn(Domain) -> Domain;

/// Makes the functions, and the list of all of them.
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident = $change:expr;)+) => {
        $($(#[doc = $doc])+
        #[must_use]
        pub fn $name(domain: Domain) -> Domain {
            let change: Fault = $change;
            change(domain)
        })+

        /// All of them with their names.
        pub const ALL: &[(&str, Fault)] = &[$((stringify!($name), $name)),+];
    };
}

faults! {
    /// No SPF record.
    spf_missing = |domain| domain.without("", RecordType::Txt);
    /// Two SPF records.
    spf_twice = |domain| domain.second_text("", "v=spf1 -all");
    /// A mechanism that does not exist.
    spf_syntax = |domain| domain.text("", "v=spf1 ipv4:192.0.2.1 -all");
    /// Nine lookups, one before the limit.
    spf_nine_lookups = |domain| spf_of_lookups(domain, 9);
    /// Eleven lookups, one beyond the limit.
    spf_eleven_lookups = |domain| spf_of_lookups(domain, 11);
    /// An include that leads back.
    spf_loop = |domain| domain.text("_spf", "v=spf1 include:example.test -all");
    /// An include of a name without SPF record.
    spf_include_missing = |domain| domain.text("", "v=spf1 include:mx1.example.test -all");
    /// Three names without an address, one beyond the limit.
    spf_three_voids = |domain| {
        domain.text("", "v=spf1 a:no1.example.test a:no2.example.test a:no3.example.test mx -all")
    };
    /// Everybody may send.
    spf_allows_all = |domain| domain.text("", "v=spf1 mx +all");
    /// Nothing is said about the others.
    spf_neutral = |domain| domain.text("", "v=spf1 mx ?all");
    /// The same without a word.
    spf_without_all = |domain| domain.text("", "v=spf1 mx");
    /// The mechanism that nobody should use.
    spf_ptr = |domain| domain.text("", "v=spf1 mx ptr -all");
    /// A record of more than 450 bytes.
    spf_long = |domain| {
        let networks: String = (0..20).map(|number| format!("ip4:192.0.2.{number}/32 ip4:198.51.100.{number} ")).collect();
        domain.text("", &format!("v=spf1 {networks}-all"))
    };
    /// SERVFAIL for the domain's texts.
    spf_servfail = |domain| domain.at("", RecordType::Txt, servfail);
    /// SERVFAIL for an include.
    spf_include_servfail = |domain| domain.at("_spf", RecordType::Txt, servfail);
    /// No answer about the domain's texts.
    spf_timeout = |domain| domain.at("", RecordType::Txt, |_| Reaction::silence());

    /// No record of the first selector.
    dkim_missing = |domain| domain.without("s2026._domainkey", RecordType::Txt);
    /// A key that was taken back.
    dkim_revoked = |domain| domain.text("s2026._domainkey", "v=DKIM1; k=rsa; p=");
    /// 512 bits.
    dkim_512 = |domain| domain.text("s2026._domainkey", &rsa(RSA_512));
    /// 1024 bits.
    dkim_1024 = |domain| domain.text("s2026._domainkey", &rsa(RSA_1024));
    /// A domain that is only testing.
    dkim_testing = |domain| {
        domain.text("s2026._domainkey", &format!("v=DKIM1; k=rsa; t=y; p={RSA_2048}"))
    };
    /// No key in the key.
    dkim_garbled = |domain| domain.text("s2026._domainkey", "v=DKIM1; k=rsa; p=MIIBIjANBg!?");
    /// An alias that leads to nothing.
    dkim_dangling = |domain| {
        let alias = Record::cname("s9.dkim.mailer.test").owned_by(&name("alias._domainkey"));
        domain.without("alias._domainkey", RecordType::Cname).record(alias)
    };
    /// SERVFAIL for the first selector.
    dkim_servfail = |domain| domain.at("s2026._domainkey", RecordType::Txt, servfail);

    /// No DMARC record.
    dmarc_missing = |domain| domain.without("_dmarc", RecordType::Txt);
    /// Two DMARC records.
    dmarc_twice = |domain| domain.second_text("_dmarc", "v=DMARC1; p=none");
    /// A policy that does not exist.
    dmarc_invalid = |domain| domain.text("_dmarc", "v=DMARC1; p=rejct");
    /// Reports, and nothing else.
    dmarc_none = |domain| domain.text("_dmarc", "v=DMARC1; p=none; rua=mailto:dmarc@example.test");
    /// Reports to somebody who has not agreed.
    dmarc_report_unauthorised = |domain| {
        domain.text("_dmarc", "v=DMARC1; p=reject; rua=mailto:dmarc@stranger.test")
    };
    /// SERVFAIL for the DMARC record.
    dmarc_servfail = |domain| domain.at("_dmarc", RecordType::Txt, servfail);

    /// No MTA-STS record.
    sts_record_missing = |domain| domain.without("_mta-sts", RecordType::Txt);
    /// A record without an id.
    sts_record_invalid = |domain| domain.text("_mta-sts", "v=STSv1;");
    /// No host of the policy.
    sts_no_host = |domain| domain.without("mta-sts", RecordType::A);
    /// No policy at the host.
    sts_not_found = |domain| domain.web_answer(answer::status("404 Not Found"));
    /// The policy is elsewhere.
    sts_redirect = |domain| domain.web_answer(answer::redirect("https://www.example.test/mta-sts.txt"));
    /// The policy is sent as a page.
    sts_html = |domain| domain.web_answer(answer::typed("text/html", POLICY));
    /// A certificate for another name.
    sts_other_name = |domain| {
        domain.web_leaf(|authority| authority.leaf(&LeafOptions::server_named("www.example.test")))
    };
    /// A certificate that nobody signed.
    sts_self_signed = |domain| domain.web_leaf(|_| Leaf::self_signed(&LeafOptions::server_named(POLICY_HOST)));
    /// A certificate that ended three days ago.
    sts_expired = |domain| {
        domain.web_leaf(|authority| authority.leaf(&LeafOptions::server_named(POLICY_HOST).days(-3)))
    };
    /// No TLS.
    sts_plaintext = |domain| domain.web_opening(Opening::Clear);
    /// No answer to the handshake.
    sts_silent = |domain| domain.web_opening(Opening::Silent);
    /// A byte every tenth of a second.
    sts_drip = |domain| domain.web_answer(answer::drip(POLICY, Duration::from_millis(100)));
    /// No end.
    sts_endless = |domain| domain.web_answer(answer::endless());
    /// A policy without its version.
    sts_syntax = |domain| domain.policy("mode: enforce\r\nmax_age: 604800\r\nmx: *.example.test\r\n");
    /// Mode testing.
    sts_testing = |domain| domain.policy(&POLICY.replace("enforce", "testing"));
    /// Mode none.
    sts_none = |domain| domain.policy(&POLICY.replace("enforce", "none"));
    /// For an hour.
    sts_short = |domain| domain.policy(&POLICY.replace("604800", "3600"));
    /// The second exchanger is not in the policy.
    sts_host_missing = |domain| domain.policy(&POLICY.replace("mx: mx2.example.test\r\n", ""));

    /// The second exchanger has a certificate for another name, with the TLSA record that belongs to it.
    host_other_name = |domain| {
        domain.host_leaf(2, |authority| authority.leaf(&LeafOptions::server_named("mail.elsewhere.test")))
    };
    /// The second exchanger's certificate ended three days ago; its TLSA record belongs to it.
    host_expired = |domain| {
        domain.host_leaf(2, |authority| authority.leaf(&LeafOptions::server_named(&name("mx2")).days(-3)))
    };
    /// The second exchanger's certificate was signed by nobody; its TLSA record belongs to it.
    host_self_signed = |domain| {
        domain.host_leaf(2, |_| Leaf::self_signed(&LeafOptions::server_named(&name("mx2"))))
    };
    /// The second exchanger does not offer STARTTLS.
    host_without_starttls = |domain| {
        domain.host(2, |options| (options.certificate, options.leaf) = (None, None))
    };
    /// The second exchanger answers 454 to STARTTLS.
    host_starttls_refused = |domain| {
        domain.host(2, |options| options.starttls = StartTls::Refused(TLS_454.into()))
    };
    /// The second exchanger answers the handshake with text.
    host_starttls_broken = |domain| domain.host(2, |options| options.starttls = StartTls::Garbage);
    /// The second exchanger greets everybody with 421.
    host_busy = |domain| domain.host(2, |options| options.refused_connections = 0..usize::MAX);

    /// No TLS-RPT record.
    tlsrpt_missing = |domain| domain.without("_smtp._tls", RecordType::Txt);
    /// A TLS-RPT record that says nothing.
    tlsrpt_invalid = |domain| domain.text("_smtp._tls", "v=TLSRPTv1;");

    /// The resolver does not vouch for the zone.
    dane_unsigned = Domain::unsigned;
    /// The second exchanger's TLSA record names another certificate.
    dane_wrong = |domain| domain.tlsa(2, [Record::tlsa(3, 1, 1, &[0; 32])]);
    /// The same, beside one that is right.
    dane_one_wrong = |domain| {
        let right = tlsa(2, 0, 1, domain.authority.ca_der());
        domain.tlsa(2, [Record::tlsa(3, 1, 1, &[0; 32]), right])
    };
    /// The second exchanger has no TLSA record.
    dane_partly = |domain| domain.tlsa(2, []);
    /// No exchanger has one.
    dane_missing = |domain| domain.tlsa(1, []).tlsa(2, []);
    /// The second exchanger's TLSA record has a usage that says nothing about mail.
    dane_unusable = |domain| domain.tlsa(2, [Record::tlsa(1, 1, 1, &[0; 32])]);
    /// SERVFAIL for the second exchanger's TLSA records: they are there, or were.
    dane_servfail = |domain| domain.tlsa_rcode(2, Rcode::ServFail);
    /// SERVFAIL for the second exchanger's addresses, so that nobody can ask it.
    host_servfail = |domain| domain.at("mx2", RecordType::Any, servfail);

    /// No BIMI record.
    bimi_missing = |domain| domain.without("default._bimi", RecordType::Txt);
}

/// SERVFAIL whatever was to be said.
#[must_use]
pub fn servfail(_: Reaction) -> Reaction {
    Reaction::rcode(Rcode::ServFail)
}

/// An SPF record with so many lookups and no void one.
fn spf_of_lookups(domain: Domain, count: usize) -> Domain {
    let addresses = "a:mx1.example.test ".repeat(count - 1);
    domain.text("", &format!("v=spf1 mx {addresses}-all"))
}
