//! The record, `_mta-sts.DOMAIN` (RFC 8461 section 3.1).

use common::proto::dns::DomainName;
use common::report::{Report, State, quote};

use super::judge::STS_MAX_AGE;
use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::fields::{Fields, starts_with_version};
use crate::lookup::{Texts, Unanswered};
use crate::options::Wish;

/// The record of a domain: there is a policy, and this is how it is told from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsRecord {
    /// The name of the record.
    pub name: DomainName,
    /// Its text, with an id that changes with the policy.
    pub text: String,
}

/// Why it is not known whether there is a policy, or why senders look for none although there is
/// a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nobody answered.
    Unanswered(Unanswered),
    /// Senders act as if there were no record: a sentence that begins with its name.
    Broken(String),
}

const VERSION: &str = "v=STSv1";
const MAX_ID: usize = 32;

impl StsRecord {
    /// Reads the record of a domain; `None` where there is none, and nothing that looks like one.
    pub(crate) fn read(domain: &DomainName, answers: &Answers) -> Result<Option<Self>, Problem> {
        let Some(name) = domain.child("_mta-sts") else { return Ok(None) };
        let texts = Texts::read(answers, &name, |text| starts_with_version(text, VERSION));
        let texts = texts.map_err(Problem::Unanswered)?;
        let broken = |what: String| {
            Err(Problem::Broken(format!(
                "{name}: {what}, so senders act as if there were none (RFC 8461 section 3.1)"
            )))
        };
        let text = match texts.records.as_slice() {
            [] => match texts.near_miss("v=stsv").as_str() {
                "" => return Ok(None),
                miss => return broken(format!("no MTA-STS record{miss}: it must begin with \"{VERSION};\"")),
            },
            [text] => text,
            several => return broken(format!("{} MTA-STS records", several.len())),
        };
        let fields = match Fields::parse(text, VERSION, "id") {
            Ok(fields) => fields,
            Err(error) => return broken(format!("has {error}")),
        };
        match fields.all("id").first() {
            None => broken("has no id=".to_owned()),
            Some(id) if !is_id(id) => {
                broken(format!("id={} is not 1 to {MAX_ID} letters and digits", quote(id)))
            }
            Some(_) => Ok(Some(Self { text: (*text).to_owned(), name })),
        }
    }
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric())
}

/// What came of the record; the record itself is only the way to the policy. `None` where no policy
/// has to be fetched.
pub(crate) fn judge_record(
    options: &CheckMailPolicy,
    answers: &Answers,
    report: &mut Report,
) -> Option<StsRecord> {
    let wish = options.records.wish_if_there(options.records.mta_sts);
    if wish == Wish::No {
        return None;
    }
    let name = format!("_mta-sts.{}", options.domain);
    match StsRecord::read(&options.domain, answers) {
        Ok(Some(record)) => {
            report.context(1, format!("{name}: {}", record.text));
            return Some(record);
        }
        Ok(None) if wish == Wish::Demanded => {
            let text = format!("{name}: no MTA-STS record (RFC 8461 section 3.1)");
            report.find("sts_missing", State::Critical, text);
        }
        Ok(None) => report.context(1, format!("{name}: no MTA-STS record")),
        Err(Problem::Unanswered(unanswered)) => {
            unanswered.report("sts_unknown", options, report);
            report.record(&STS_MAX_AGE, None);
        }
        Err(Problem::Broken(text)) => report.find("sts_record", State::Critical, text),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::testing::Zone;
    use crate::testing::{options, report, said};
    use common::proto::dns::{Kind, Outcome};

    const NAME: &str = "_mta-sts.example.org";

    fn judge(options: &CheckMailPolicy, answers: &Answers, report: &mut Report) {
        judge_record(options, answers, report);
    }

    fn judged(zone: &Zone, arguments: &[&str]) -> Vec<(State, String)> {
        said(zone, &options(arguments), judge)
    }

    #[test]
    fn a_record_alone_is_nothing_yet() {
        for text in
            ["v=STSv1; id=20260101T1;", "v=STSv1;id=20260101T1", "v=STSv1;\tx.y=1 ; id=20260101T1; id=2"]
        {
            let zone = Zone::default().txt(NAME, text).txt(NAME, "other");
            let report = report(&zone, &options(&["--mta-sts"]), judge);
            assert_eq!((report.state(), report.findings().len()), (State::Unknown, 0), "never OK by itself");
            let lines: Vec<&str> = report.context_lines(1).collect();
            assert_eq!(lines, [format!("{NAME}: {text}")]);
        }
    }

    #[test]
    fn critical_missing() {
        let expected = [(State::Critical, format!("{NAME}: no MTA-STS record (RFC 8461 section 3.1)"))];
        assert_eq!(judged(&Zone::default(), &["--mta-sts"]), expected);
        assert_eq!(judged(&Zone::default(), &[]), [], "not demanded where nothing is named");
        assert_eq!(judged(&Zone::default().txt(NAME, "v=STSv1;"), &["--spf"]), [], "not looked at");
    }

    #[test]
    fn critical_malformed() {
        for (text, words) in [
            ("v=STSv1;", "has nothing behind the version"),
            ("v=STSv1; x=1", "has no id="),
            ("v=STSv1; id=", "id=\"\" is not 1 to 32 letters and digits"),
            ("v=STSv1; id=2026-01-01", "id=\"2026-01-01\" is not 1 to 32 letters and digits"),
            ("v=STSv1; id = 1", "has a blank between \"id\" and \"=\""),
            ("v=STSv1; id=1;; x=1", "has an empty field"),
            ("v=STSv1 id=1", "no MTA-STS record; \"v=STSv1 id=1\" is none: it must begin with \"v=STSv1;\""),
        ] {
            let text_of =
                format!("{NAME}: {words}, so senders act as if there were none (RFC 8461 section 3.1)");
            assert_eq!(judged(&Zone::default().txt(NAME, text), &[]), [(State::Critical, text_of)], "{text}");
        }
        let long = format!("v=STSv1; id={}", "1".repeat(33));
        assert_eq!(judged(&Zone::default().txt(NAME, &long), &[])[0].0, State::Critical);
    }

    #[test]
    fn critical_several() {
        let zone = Zone::default().txt(NAME, "v=STSv1; id=1").txt(NAME, "v=STSv1; id=1");
        let said = judged(&zone, &["--mta-sts"]);
        assert!(
            said[0].0 == State::Critical && said[0].1.contains("2 MTA-STS records, so senders act"),
            "{said:?}"
        );
    }

    #[test]
    fn unknown_no_answer() {
        let zone = Zone::default().fails(NAME, Kind::Txt, Outcome::ServFail);
        let text = format!("cannot look up the TXT record of {NAME}: SERVFAIL");
        assert_eq!(judged(&zone, &["--mta-sts"]), [(State::Unknown, text)]);
    }
}
