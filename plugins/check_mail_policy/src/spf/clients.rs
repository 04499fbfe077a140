//! The states of single clients: those that must pass, and strangers that must not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::proto::dns::DomainName;
use common::report::{State, quote};

use super::check_host::{Client, Reason, Ruling, Verdict, check_host};
use super::judge::Findings;
use super::record::{Directive, Mechanism, Qualifier};
use super::walk::{Remark, Walk};
use crate::CheckMailPolicy;
use crate::answers::Answers;

/// Addresses that nobody sends from (RFC 5737, RFC 3849, RFC 9637), of each family.
const STRANGERS: [&[IpAddr]; 2] = [
    &[
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 219)),
        IpAddr::V4(Ipv4Addr::new(198, 51, 100, 219)),
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 219)),
    ],
    &[
        IpAddr::V6(Ipv6Addr::new(0x3fff, 0xf19, 0, 0, 0, 0, 0, 0x219)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf19, 0, 0, 0, 0, 0x219)),
    ],
];
const STRANGER_NAME: &str = "stranger.invalid";

impl CheckMailPolicy {
    /// The clients that must pass.
    pub(super) fn judge_clients(&self, answers: &Answers, findings: &mut Findings) {
        for ip in &self.spf.ip {
            let client = self.client(*ip);
            let sender = format!("{}@{}", client.local, client.domain);
            let ruling = check_host(answers, &client);
            let (verdict, reason) = (ruling.verdict, reason(&ruling.reason));
            let (state, does) = match (verdict, &ruling.reason) {
                (Verdict::Pass, _) => (State::Ok, "may send"),
                (Verdict::TempError, Reason::Open(open)) => (self.state_of(&open.outcome), "is not known"),
                (Verdict::TempError, _) => (State::Unknown, "is not known"),
                (Verdict::Fail | Verdict::SoftFail, _) => (State::Critical, "is refused"),
                _ => (State::Critical, "does not pass"),
            };
            let words = ruling
                .words(answers, &client)
                .map(|words| format!(", {}", quote(&words)))
                .unwrap_or_default();
            let text = format!("{ip} {does}: {reason} ({verdict} for {}{words})", quote(&sender));
            findings.add("spf_ip", state, text);
        }
    }

    fn client(&self, ip: IpAddr) -> Client {
        let domain = self.domain.as_str();
        let helo = self.spf.spf_helo.as_ref().map_or(domain, DomainName::as_str).to_owned();
        let (local, domain) = match &self.spf.sender {
            None => ("postmaster", domain.to_owned()),
            // The empty sender is whoever said HELO (RFC 7208 section 2.4).
            Some(sender) => (sender.local_part(), sender.domain().map_or(helo.clone(), in_ascii)),
        };
        let local = if local.is_empty() { "postmaster" } else { local }.to_owned();
        Client { ip: ip.to_canonical(), helo, local, domain }
    }

    /// What macros let in, and which terms come before the rest, cannot be seen without a client:
    /// here is one that must not be let in.
    pub(super) fn judge_strangers(&self, answers: &Answers, walk: &Walk<'_>, findings: &mut Findings) {
        let hides = |remark: &Remark<'_>| {
            matches!(remark, Remark::AsksForClient(_) | Remark::NotFollowed(_) | Remark::Ptr(_))
        };
        let is_hidden = walk.remarks.iter().any(|(_, remark)| hides(remark));
        // All else was seen without a client, and two of them cost each round as much as the rest of SPF.
        let is_neutral = |directive: &Directive<'_>| {
            directive.qualifier == Qualifier::Neutral && directive.mechanism != Mechanism::All
        };
        if !is_hidden && !walk.directives().any(is_neutral) {
            return;
        }
        for family in STRANGERS {
            let rulings = family.iter().map(|ip| (ip, check_host(answers, &self.stranger(*ip))));
            let mut last = None;
            for (ip, ruling) in rulings {
                let is_met = ruling.verdict == Verdict::Pass || neutral_by(&ruling).is_some();
                last = Some((ip, ruling));
                if !is_met {
                    break;
                }
            }
            let last = last.filter(|(_, ruling)| is_hidden || neutral_by(ruling).is_some());
            if let Some((ip, ruling)) = last {
                self.judge_stranger(*ip, &ruling, findings);
            }
        }
    }

    fn judge_stranger(&self, ip: IpAddr, ruling: &Ruling<'_>, findings: &mut Findings) {
        let (domain, why) = (&self.domain, reason(&ruling.reason));
        match (ruling.verdict, &ruling.reason) {
            (Verdict::Pass, _) => {
                let text = format!("everybody may send as {domain}, even {ip}: {why} (RFC 7208 section 7)");
                findings.add("spf_everybody", State::Critical, text);
            }
            (Verdict::Neutral, _) if let Some(term) = neutral_by(ruling) => {
                let text =
                    format!("{term} makes whoever is not listed neutral, as {ip} (RFC 7208 section 8.2)");
                findings.add("spf_neutral", State::Warning, text);
            }
            // What was said before is not said again in other words.
            (Verdict::TempError, Reason::Open(open)) if findings.worst() < State::Unknown => {
                let text = format!("SPF of {domain} is not known: {why}");
                findings.add("spf_dns", self.state_of(&open.outcome), text);
            }
            (Verdict::PermError, _) if findings.worst() < State::Critical => {
                let text = format!("SPF of {domain} is an error for whoever is not listed, as {ip}: {why}");
                findings.add("spf_unlisted", State::Warning, text);
            }
            _ => {}
        }
    }

    fn stranger(&self, ip: IpAddr) -> Client {
        let domain = self.domain.as_str().to_owned();
        Client { ip, helo: STRANGER_NAME.to_owned(), local: "stranger".to_owned(), domain }
    }
}

/// The term other than `all` that makes a client neutral.
fn neutral_by(ruling: &Ruling<'_>) -> Option<String> {
    match &ruling.reason {
        Reason::Term(directive, domain)
            if ruling.verdict == Verdict::Neutral && directive.mechanism != Mechanism::All =>
        {
            Some(format!("{} of {domain}", quote(&directive.to_string())))
        }
        _ => None,
    }
}

/// As it is asked for; what is no name is left, and is found to be none.
fn in_ascii(domain: &str) -> String {
    if domain.is_ascii() {
        return domain.to_owned();
    }
    domain.parse::<DomainName>().map_or(domain.to_owned(), |name| name.as_str().to_owned())
}

/// What decided, in words.
fn reason(reason: &Reason<'_>) -> String {
    match reason {
        Reason::Term(directive, domain) => format!("{} of {domain}", quote(&directive.to_string())),
        Reason::NoMatch(domain) => format!("no term of {domain} matches"),
        Reason::NoDomain => "the sender has no domain".to_owned(),
        Reason::NoRecord(domain) => format!("{domain} has no SPF record"),
        Reason::Several(domain, number) => format!("{domain} has {number} SPF records"),
        Reason::Syntax(domain, error) => format!("SPF of {domain}: {error}"),
        Reason::LeadsNowhere(domain, name) => {
            format!("SPF of {domain} leads to {}, which has none", quote(name))
        }
        Reason::Limit(limit) => format!("{limit} (RFC 7208 section 4.6.4)"),
        Reason::Open(unanswered) => unanswered.sentence(),
    }
}
