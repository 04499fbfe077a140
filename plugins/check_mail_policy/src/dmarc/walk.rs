//! From a domain to the record that applies to it: the DNS tree walk (RFC 9989 section 4.10).

use common::proto::dns::{DomainName, Kind};

use super::record::{DmarcRecord, Psd};
use crate::answers::Answers;
use crate::lookup::{Texts, Unanswered};
use crate::tags::starts_with_version;

/// The records from a domain up to the top of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    start: DomainName,
    /// Longest name first.
    found: Vec<(DomainName, DmarcRecord)>,
    /// Where it ended before it was known what comes next.
    stopped: Option<Unanswered>,
}

/// Which record applies to the mail of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// That of the domain.
    Own(DmarcRecord),
    /// That of a domain above.
    Above(DomainName, DmarcRecord),
    /// So many at the domain, where one may be.
    Several(usize),
    /// None anywhere; what looks like one at the domain.
    Missing(String),
}

/// Names with more labels are cut, so that eight questions suffice.
const MOST_LABELS: usize = 7;

/// The name of a domain's record; `None` where it would be too long, so that nobody has it.
pub(crate) fn record_name(domain: &DomainName) -> Option<DomainName> {
    domain.child("_dmarc")
}

/// What is a DMARC record at all (RFC 9989 section 4.7).
pub(crate) fn is_record(text: &str) -> bool {
    starts_with_version(text, "DMARC1")
}

/// Looks for the record that applies to a domain (RFC 9989 section 4.10.1).
pub(crate) fn discover(domain: &DomainName, answers: &Answers) -> Result<Applied, Unanswered> {
    let texts = texts(domain, answers)?;
    match texts.records.as_slice() {
        [text] => return Ok(Applied::Own(DmarcRecord::parse(text))),
        [] => {}
        several => return Ok(Applied::Several(several.len())),
    }
    let walk = Walk::from(domain, answers);
    let organization = walk.organization()?;
    let above = walk.record(&organization).map(|record| (organization.clone(), record.clone()));
    let applied = above.or_else(|| walk.public_suffix());
    Ok(applied.map_or_else(
        || Applied::Missing(texts.near_miss("v=dmarc")),
        |(domain, record)| Applied::Above(domain, record),
    ))
}

impl Walk {
    /// Walks up from a domain, itself included.
    pub(crate) fn from(start: &DomainName, answers: &Answers) -> Self {
        let mut walk = Self { start: start.clone(), found: Vec::new(), stopped: None };
        let steps = steps(start);
        // All of them in one round.
        for name in steps.iter().filter_map(record_name) {
            answers.get(&name, Kind::Txt);
        }
        for domain in steps {
            match texts(&domain, answers) {
                Err(unanswered) => {
                    walk.stopped = Some(unanswered);
                    break;
                }
                Ok(texts) => {
                    // Several are as none.
                    if let [text] = texts.records.as_slice() {
                        let record = DmarcRecord::parse(text);
                        let is_end = record.psd != Psd::Unsaid;
                        walk.found.push((domain, record));
                        if is_end {
                            break;
                        }
                    }
                }
            }
        }
        walk
    }

    /// The organizational domain (RFC 9989 section 4.10.2).
    pub(crate) fn organization(&self) -> Result<DomainName, Unanswered> {
        if let Some(unanswered) = &self.stopped {
            return Err(unanswered.clone());
        }
        Ok(match self.found.last() {
            Some((domain, record)) if record.psd == Psd::Yes && *domain != self.start => {
                self.one_below(domain)
            }
            Some((domain, _)) => domain.clone(),
            None => self.start.clone(),
        })
    }

    /// The record of a domain on the way.
    pub(crate) fn record(&self, domain: &DomainName) -> Option<&DmarcRecord> {
        self.found.iter().find(|(found, _)| found == domain).map(|(_, record)| record)
    }

    fn public_suffix(&self) -> Option<(DomainName, DmarcRecord)> {
        self.found.last().filter(|(_, record)| record.psd == Psd::Yes).cloned()
    }

    /// The name on the way that is one label longer.
    fn one_below(&self, domain: &DomainName) -> DomainName {
        let labels = labels(domain) + 1;
        ancestors(&self.start).find(|name| labels_at_most(name, labels)).unwrap_or_else(|| self.start.clone())
    }
}

fn texts<'a>(domain: &DomainName, answers: &'a Answers) -> Result<Texts<'a>, Unanswered> {
    record_name(domain).map_or_else(|| Ok(Texts::default()), |name| Texts::read(answers, &name, is_record))
}

/// The domains that are asked about, the longest first.
fn steps(start: &DomainName) -> Vec<DomainName> {
    ancestors(start).filter(|name| name == start || labels_at_most(name, MOST_LABELS)).collect()
}

/// A name and all above it but the root.
fn ancestors(start: &DomainName) -> impl Iterator<Item = DomainName> {
    std::iter::successors(Some(start.clone()), DomainName::parent)
}

fn labels(name: &DomainName) -> usize {
    name.as_str().split('.').count()
}

fn labels_at_most(name: &DomainName, most: usize) -> bool {
    labels(name) <= most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::asked_name;
    use crate::answers::testing::Zone;
    use common::proto::dns::Outcome;
    use proptest::prelude::*;

    fn name(text: &str) -> DomainName {
        asked_name(text).unwrap()
    }

    fn organization(zone: &Zone, start: &str) -> String {
        let (organization, _) = zone.ask(|answers| Walk::from(&name(start), answers).organization());
        organization.map_or_else(|unanswered| unanswered.to_string(), |domain| domain.to_string())
    }

    #[test]
    fn a_long_name_takes_eight_questions() {
        let asked: Vec<String> =
            steps(&name("a.b.c.d.e.f.g.h.i.j.mail.example.com")).iter().map(ToString::to_string).collect();
        assert_eq!(
            asked,
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com"
            ]
        );
        assert_eq!(steps(&name("a.b.c.d.e.f.g.h")).len(), 8);
        let zone = Zone::default().txt("_dmarc.example.com", "v=DMARC1; p=none");
        let (walk, rounds) = zone.ask(|answers| Walk::from(&name("a.b.example.com"), answers));
        assert_eq!((walk.found.len(), rounds), (1, 1));
    }

    #[test]
    fn organizations_are_found() {
        let none = "v=DMARC1; p=none";
        let zone = Zone::default().txt("_dmarc.mail.example.com", none).txt("_dmarc.example.com", none);
        assert_eq!(organization(&zone, "a.mail.example.com"), "example.com", "the fewest labels");
        let own =
            Zone::default().txt("_dmarc.mail.example.com", "v=DMARC1; psd=n").txt("_dmarc.example.com", none);
        assert_eq!(organization(&own, "a.mail.example.com"), "mail.example.com");
        let psd = Zone::default().txt("_dmarc.bank", "v=DMARC1; p=reject; psd=y");
        assert_eq!(organization(&psd, "a.mail.example.bank"), "example.bank");
        assert_eq!(organization(&psd, "bank"), "bank", "the start itself is not one below");
        assert_eq!(organization(&psd, "a.com"), "a.com", "nothing found");
        let several = own.txt("_dmarc.mail.example.com", "v=DMARC1; psd=y");
        assert_eq!(organization(&several, "a.mail.example.com"), "example.com", "several are as none");
    }

    #[test]
    fn what_was_not_answered_matters_only_on_the_way() {
        let fails = |zone: Zone| zone.fails("_dmarc.com", Kind::Txt, Outcome::Refused);
        let zone = fails(Zone::default().txt("_dmarc.example.com", "v=DMARC1; p=none"));
        assert_eq!(organization(&zone, "example.com"), "the TXT record of _dmarc.com: REFUSED");
        let ended = fails(Zone::default().txt("_dmarc.example.com", "v=DMARC1; psd=n"));
        assert_eq!(organization(&ended, "example.com"), "example.com");
    }

    proptest! {
        #[test]
        fn walks_end_and_organizations_lie_on_the_way(
            start in "([a-c][.]){0,12}[a-c]",
            records in prop::collection::vec(("([a-c][.]){0,6}[a-c]", "y|n|u"), 0..8),
        ) {
            let start = name(&start);
            let zone = records.iter().fold(Zone::default(), |zone, (at, psd)| {
                zone.txt(&format!("_dmarc.{at}"), &format!("v=DMARC1; p=none; psd={psd}"))
            });
            prop_assert!(steps(&start).len() <= 8);
            let (found, rounds) = zone.ask(|answers| Walk::from(&start, answers).organization());
            prop_assert!(rounds <= 1);
            prop_assert!(start.is_within(&found.unwrap()));
        }
    }
}
