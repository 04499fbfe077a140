//! Whether those who shall get reports have agreed to (RFC 9990 section 4, RFC 9991 section 5).

use common::proto::dns::DomainName;
use common::report::{Report, State};

use super::record::{DmarcRecord, Uris};
use super::walk::{Walk, is_record};
use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::lookup::{Texts, Unanswered};

/// How a domain stands to those who want reports sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Consent {
    /// It is of the same organization, or says yes.
    Given,
    /// It says yes, and sends the reports on to another domain, which is forbidden.
    Redirected(DomainName, DomainName),
    /// It does not say yes; the name at which it should.
    Missing(Option<DomainName>),
}

/// Domains whose consent is asked for: each takes up to nine questions.
const MOST_HOSTS: usize = 16;

/// All that the record of a domain sends reports to.
pub(crate) fn judge(
    options: &CheckMailPolicy,
    (at, record): (&DomainName, &DmarcRecord),
    answers: &Answers,
    report: &mut Report,
) {
    let name = format!("_dmarc.{at}");
    if !record.rua.is_there {
        report.note(
            "dmarc_reports",
            format!("{name}: no rua=, so nobody reports who uses the domain (RFC 9989 section 4.7)"),
        );
    }
    for (tag, Uris { hosts, .. }) in [("rua", &record.rua), ("ruf", &record.ruf)] {
        for host in hosts.iter().take(MOST_HOSTS) {
            match consent(at, host, answers) {
                Ok(Consent::Given) => {}
                Ok(Consent::Redirected(place, other)) => {
                    let text = format!(
                        "{name}: {tag}= sends reports to {host}, and {place} sends them on to {other}, \
                         so that nobody gets them (RFC 9990 section 4)"
                    );
                    report.find("dmarc_unauthorised", State::Warning, text);
                }
                Ok(Consent::Missing(place)) => {
                    let place =
                        place.map_or_else(|| "a name too long to be".to_owned(), |place| place.to_string());
                    let text = format!(
                        "{name}: {tag}= sends reports to {host}, which does not agree: no v=DMARC1 at {place} \
                         (RFC 9990 section 4)"
                    );
                    report.find("dmarc_unauthorised", State::Warning, text);
                }
                Err(unanswered) => unanswered.report("dmarc_unknown", options, report),
            }
        }
        if let Some(left) = hosts.len().checked_sub(MOST_HOSTS).filter(|left| *left > 0) {
            let text = format!(
                "{name}: {tag}= sends reports to {} domains, {left} of which were not looked at; \
                 receivers need not serve so many (RFC 9990 section 3.5)",
                hosts.len()
            );
            report.find("dmarc_reports", State::Warning, text);
        }
    }
}

fn consent(at: &DomainName, host: &DomainName, answers: &Answers) -> Result<Consent, Unanswered> {
    if host == at {
        return Ok(Consent::Given);
    }
    // Of two domains one of which lies in the other, most are of one organization; others are not.
    if host.is_within(at) || at.is_within(host) {
        match is_same_organization(at, host, answers) {
            Ok(true) => Ok(Consent::Given),
            Ok(false) => authorisation(at, host, answers),
            Err(unanswered) => or_authorised(authorisation(at, host, answers), unanswered),
        }
    } else {
        match authorisation(at, host, answers)? {
            Consent::Missing(_) if is_same_organization(at, host, answers)? => Ok(Consent::Given),
            consent => Ok(consent),
        }
    }
}

/// A consent counts whatever the organization is; only without one it matters that it is unknown.
fn or_authorised(
    authorisation: Result<Consent, Unanswered>,
    unanswered: Unanswered,
) -> Result<Consent, Unanswered> {
    match authorisation {
        Ok(Consent::Missing(_)) | Err(_) => Err(unanswered),
        given => given,
    }
}

fn is_same_organization(one: &DomainName, other: &DomainName, answers: &Answers) -> Result<bool, Unanswered> {
    let [one, other] = [one, other].map(|domain| Walk::from(domain, answers));
    Ok(one.organization()? == other.organization()?)
}

fn authorisation(at: &DomainName, host: &DomainName, answers: &Answers) -> Result<Consent, Unanswered> {
    let Some(place) = host.child(&format!("{at}._report._dmarc")) else { return Ok(Consent::Missing(None)) };
    let texts = Texts::read(answers, &place, is_record)?;
    if texts.records.is_empty() {
        return Ok(Consent::Missing(Some(place)));
    }
    let records = texts.records.iter().map(|text| DmarcRecord::parse(text));
    let elsewhere = records.flat_map(|record| record.rua.hosts).find(|other| other != host);
    Ok(elsewhere.map_or(Consent::Given, |other| Consent::Redirected(place, other)))
}
