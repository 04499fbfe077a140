//! The certificates of a port on the page.

use common::net::tls::CertificateDetails;

use super::port::{badge, row, table, text_cell};
use super::writer::Html;
use super::{Subject, entry, fact};
use crate::calendar::date;
use crate::certificate::{SeenChain, SeenTrust, Trust};
use crate::document::Port;
use crate::judge::certificate::{days_until, key_words};

pub(super) fn list(html: &mut Html, subject: &Subject<'_>, port: &Port) {
    html.leaf("h3", &[], "Certificates");
    let Some(seen) = &port.certificates else {
        html.leaf("p", &[], "They were not looked at (--no-cert).");
        return;
    };
    if let Some(why) = &seen.incomplete {
        html.element("p", &[], |html| {
            badge(html, "unknown", "not complete");
            html.text(" ");
            html.text(why);
        });
    }
    if seen.chains.is_empty() && seen.incomplete.is_none() {
        html.leaf("p", &[], "The server has shown none.");
    }
    for chain in &seen.chains {
        html.element("div", &[("class", "chain")], |html| show(html, subject, chain));
    }
}

fn show(html: &mut Html, subject: &Subject<'_>, chain: &SeenChain) {
    let Some(leaf) = chain.leaf() else {
        html.leaf("p", &[], "The server's own certificate cannot be read.");
        return;
    };
    html.element("dl", &[("class", "facts")], |html| {
        fact(html, "Subject", &leaf.seen.subject);
        fact(html, "Issued by", &leaf.seen.issuer);
        fact(html, "Names", &or_none(leaf.seen.names.join(", ")));
        let days = days_until(leaf.seen.not_after, subject.now);
        let left = if days < 0 { "expired".to_owned() } else { format!("{days} days left") };
        let (from, to) = (date(leaf.seen.not_before), date(leaf.seen.not_after));
        fact(html, "Valid", &format!("{from} to {to}, {left}"));
        entry(html, "Trust", |html| trust(html, &chain.trust));
        fact(html, "Key", &key_words(&leaf.key));
        fact(html, "Signature", &leaf.signature.algorithm);
        fact(html, "Serial number", &leaf.seen.serial);
        entry(html, "SHA-256 of the certificate", |html| html.leaf("code", &[], &leaf.sha256));
        entry(html, "SHA-256 of its public key", |html| html.leaf("code", &[], &leaf.key.sha256));
    });
    let above: Vec<&CertificateDetails> = chain.certificates.iter().skip(1).flatten().collect();
    if above.is_empty() {
        return;
    }
    html.leaf("h4", &[], "Sent with it");
    table(html, "sent", &["Subject", "Key", "Signature", "Valid until"], |html| {
        for one in above {
            row(html, |html| {
                text_cell(html, "Subject", &one.seen.subject);
                text_cell(html, "Key", &key_words(&one.key));
                text_cell(html, "Signature", &one.signature.algorithm);
                text_cell(html, "Valid until", &date(one.seen.not_after));
            });
        }
    });
}

fn trust(html: &mut Html, trust: &SeenTrust) {
    match trust {
        SeenTrust::NotJudged(why) => {
            badge(html, "unknown", "not known");
            html.text(" ");
            html.text(why);
        }
        SeenTrust::Judged(Trust { chain_problem: None, name_problem: None, name, .. }) => {
            badge(html, "ok", "trusted");
            match name {
                Some(name) => html.text(&format!(" for {name}")),
                None => html.text(" The name was not judged."),
            }
        }
        SeenTrust::Judged(Trust { chain_problem, name_problem, .. }) => {
            badge(html, "critical", "not trusted");
            for problem in [chain_problem, name_problem].into_iter().flatten() {
                html.leaf("div", &[], problem);
            }
        }
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}
