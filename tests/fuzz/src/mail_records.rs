//! What check_mail_policy makes of whatever name servers may have at the names of mail policies: a
//! verdict in few rounds of questions, and none that is OK on what nobody answered or nobody has.
//!
//! Input: a byte that chooses options, then lines. The first letter of a line chooses the name, the
//! rest is a text there, or after `!` what comes instead of an answer.

use check_mail_policy::CheckMailPolicy;
use check_mail_policy::fuzz::judge_records;
use clap::Parser;
use common::proto::dns::{Data, Kind, Outcome, Question, Record};
use common::report::State;

const NAMES: [&str; 10] = [
    "s1._domainkey.example.org",
    "_dmarc.example.org",
    "_dmarc.org",
    "_smtp._tls.example.org",
    "default._bimi.example.org",
    "_mta-sts.example.org",
    "example.org._report._dmarc.r.example",
    "_dmarc.r.example",
    "_dmarc.in.example.org",
    "example.org._report._dmarc.in.example.org",
];

const OPTIONS: [&[&str]; 4] = [
    &["--dkim", "s1", "--dmarc", "--tlsrpt", "--bimi", "--mta-sts"],
    &["--dkim", "s1", "--dmarc", "--dmarc-min", "reject"],
    &["--dmarc", "--bimi"],
    &["--tlsrpt", "--mta-sts"],
];

/// Rounds of questions that suffice for any records.
const MOST_ROUNDS: usize = 8;
/// Questions that the probe asks at most, and findings that a page can show.
const MOST: usize = 1000;

/// The target.
pub fn run(data: &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let arguments = OPTIONS[usize::from(*first) % OPTIONS.len()];
    let options = [&["check_mail_policy", "-d", "example.org"], arguments].concat();
    let options = CheckMailPolicy::try_parse_from(options).expect("good options");
    let zone: Vec<(&str, Result<String, Outcome>)> =
        rest.split(|byte| *byte == b'\n').filter_map(line).collect();
    let (report, questions, rounds) = judge_records(&options, |question| answer(&zone, question));

    assert!(rounds <= MOST_ROUNDS && questions <= MOST, "{questions} questions in {rounds} rounds");
    let findings = report.findings();
    assert!(findings.len() <= MOST, "{} findings", findings.len());
    assert!(findings.iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
    if report.state() < State::Unknown {
        let asked_in_any_case =
            [("--dkim", 0), ("--dmarc", 1), ("--tlsrpt", 3), ("--bimi", 4), ("--mta-sts", 5)];
        for (_, at) in asked_in_any_case.iter().filter(|(option, _)| arguments.contains(option)) {
            assert!(zone.iter().all(|(name, said)| *name != NAMES[*at] || said.is_ok()), "{}", NAMES[*at]);
        }
    }
    if report.state() == State::Ok {
        let has = |at: usize, words: &str| {
            zone.iter().any(|(name, said)| {
                *name == NAMES[at] && said.as_ref().is_ok_and(|text| text.contains(words))
            })
        };
        let wants = |option| arguments.contains(&option);
        assert!(!wants("--dkim") || has(0, "p"), "a key");
        assert!(!wants("--dmarc") || has(1, "DMARC1") || has(2, "DMARC1"), "a policy");
        assert!(!wants("--tlsrpt") || has(3, "v=TLSRPTv1;"), "a place for reports");
        assert!(!wants("--bimi") || has(4, "BIMI1"), "a logo");
        assert!(!wants("--mta-sts") || has(5, "v=STSv1;"), "a policy for TLS");
    }
}

fn line(line: &[u8]) -> Option<(&'static str, Result<String, Outcome>)> {
    let (first, rest) = line.split_first()?;
    let name = NAMES[usize::from(first.wrapping_sub(b'a')) % NAMES.len()];
    let said = match rest {
        [b'!', b't', ..] => Err(Outcome::Timeout),
        [b'!', b'r', ..] => Err(Outcome::Refused),
        [b'!', ..] => Err(Outcome::ServFail),
        text => Ok(common::proto::text::decode(text)),
    };
    Some((name, said))
}

fn answer(zone: &[(&str, Result<String, Outcome>)], question: &Question) -> Outcome {
    let here = || zone.iter().filter(|(name, _)| *name == question.name.as_str()).map(|(_, said)| said);
    if let Some(trouble) = here().find_map(|said| said.as_ref().err()) {
        return trouble.clone();
    }
    let record =
        |text: &String| Record { name: question.name.to_string(), ttl: 300, data: Data::Txt(text.clone()) };
    let records: Vec<Record> = here().flatten().map(record).collect();
    match (records.is_empty(), question.kind) {
        (false, Kind::Txt) => Outcome::Records(records),
        (false, _) => Outcome::NoData,
        (true, _) => Outcome::NxDomain,
    }
}
