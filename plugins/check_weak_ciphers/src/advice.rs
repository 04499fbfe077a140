//! What to set on a server so that a finding goes, for the programs that are met most. Every line is tried on the program
//! it is for (`tests/tests/weak_ciphers_advice*.rs`); what could not be is not here.

mod table;

use common::report::{Report, State};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::CheckWeakCiphers;
use crate::judge::hits;
use crate::policy::FindingKind;
use crate::scan::starttls::Protocol;
use crate::seen::{Seen, SeenPort};

/// Findings that the same settings end.
#[derive(Debug, PartialEq, Eq)]
struct Topic {
    /// What it is about, for people.
    title: &'static str,
    /// What a setting alone does not do, or does besides.
    note: Option<&'static str>,
    settings: &'static [Settings],
}

/// Lines for the configuration of a program.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    software: Software,
    lines: &'static [&'static str],
}

/// A program, or one of its releases or builds where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Software {
    Nginx,
    Apache,
    Postfix,
    Dovecot,
    Dovecot23,
    Dovecot24,
    EximGnutls,
    EximOpenssl,
}

/// What programs serve, as far as a port tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Web,
    Mail,
    Mailbox,
}

impl Software {
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Postfix => "Postfix",
            Self::Dovecot => "Dovecot",
            Self::Dovecot23 => "Dovecot 2.3",
            Self::Dovecot24 => "Dovecot 2.4",
            Self::EximGnutls => "Exim (GnuTLS)",
            Self::EximOpenssl => "Exim (OpenSSL)",
        }
    }

    const fn service(self) -> Service {
        match self {
            Self::Nginx | Self::Apache => Service::Web,
            Self::Postfix | Self::EximGnutls | Self::EximOpenssl => Service::Mail,
            Self::Dovecot | Self::Dovecot23 | Self::Dovecot24 => Service::Mailbox,
        }
    }
}

impl Service {
    const ALL: &'static [Self] = &[Self::Web, Self::Mail, Self::Mailbox];

    /// Those that a port can be: one where its protocol or number tells, none where it belongs to other programs.
    const fn on(port: u16, starttls: Option<Protocol>) -> &'static [Self] {
        match (starttls, port) {
            (Some(Protocol::Smtp), _) | (None, 465) => &[Self::Mail],
            (Some(Protocol::Imap | Protocol::Pop3 | Protocol::Lmtp | Protocol::Sieve), _)
            | (None, 993 | 995) => &[Self::Mailbox],
            (None, 443) => &[Self::Web],
            // FTP, LDAP, news, XMPP and IRC with TLS at once.
            (None, 563 | 636 | 990 | 3269 | 5223 | 5270 | 6697) | (Some(_), _) => &[],
            (None, _) => Self::ALL,
        }
    }
}

/// Each program that the port can be, with the lines to set against a finding.
pub(crate) fn of(
    kind: FindingKind,
    port: u16,
    starttls: Option<Protocol>,
) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let settings = table::topic(kind).map_or(&[][..], |topic| topic.settings);
    let services = Service::on(port, starttls);
    let fitting = settings.iter().filter(|one| services.contains(&one.software.service()));
    fitting.map(|one| (one.software.name(), one.lines))
}

/// What the advice is about: the same for all findings that the same lines are against.
pub(crate) fn title(kind: FindingKind) -> Option<&'static str> {
    table::topic(kind).map(|topic| topic.title)
}

/// What is to be known or done besides, in a sentence.
pub(crate) fn note(kind: FindingKind) -> Option<&'static str> {
    table::topic(kind).and_then(|topic| topic.note)
}

/// [`of`] as an object: the lines by program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    pub(crate) kind: FindingKind,
    pub(crate) port: u16,
    pub(crate) starttls: Option<Protocol>,
}

impl Lines {
    /// Each program with its lines.
    pub(crate) fn each(self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        of(self.kind, self.port, self.starttls)
    }
}

impl Serialize for Lines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (software, lines) in self.each() {
            map.serialize_entry(software, lines)?;
        }
        map.end()
    }
}

/// Adds the lines against all that counts to the background, each once whatever the number of findings and ports.
pub(crate) fn report(options: &CheckWeakCiphers, seen: &Seen, now: i64, report: &mut Report) {
    let mut found: Vec<(&Topic, Vec<FindingKind>, Vec<&SeenPort>)> = Vec::new();
    for port in &seen.ports {
        let counting = hits(options, port, now);
        for kind in counting.into_iter().filter(|hit| hit.state > State::Ok).map(|hit| hit.kind) {
            let Some(topic) = table::topic(kind) else { continue };
            let at = found.iter().position(|(known, ..)| *known == topic).unwrap_or_else(|| {
                found.push((topic, Vec::new(), Vec::new()));
                found.len() - 1
            });
            if let Some((_, kinds, ports)) = found.get_mut(at) {
                kinds.extend((!kinds.contains(&kind)).then_some(kind));
                ports.push(port);
            }
        }
    }
    for (topic, kinds, ports) in found {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let note = topic.note.map(|note| format!(": {note}")).unwrap_or_default();
        report.context(1, format!("advice on {} ({}){note}", topic.title, names.join(", ")));
        let can_be =
            |service| ports.iter().any(|port| Service::on(port.port, port.starttls).contains(&service));
        for one in topic.settings.iter().filter(|one| can_be(one.software.service())) {
            for line in one.lines {
                report.context(1, format!("advice for {}: {line}", one.software.name()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
