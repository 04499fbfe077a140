//! The verdict of check_mail_policy on whatever stands in SPF records: it asks a bounded number of
//! questions, is well only where a record is, and never where everybody may send.
//!
//! Input: lines. The first is the sender's local part; each other one begins with a letter that
//! says whose text it is (`a` for the domain itself, `b` to `p` for `b.example` to `p.example`).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use check_mail_policy::CheckMailPolicy;
use check_mail_policy::fuzz::judge_spf;
use clap::Parser;
use common::proto::dns::{Data, Kind, Outcome, Question, Record};
use common::proto::text::decode;
use common::report::{Report, State};

const DOMAIN: &str = "example.org";
/// Texts at one name, as many as a resolver's answer may have.
const MOST_TEXTS: usize = 100;

/// The target.
pub fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let sender = decode(lines.next().unwrap_or_default());
    let texts = texts(lines);
    let alone = judged(&[], &texts);
    check(&alone, &texts);
    let sender = format!("{sender}@{DOMAIN}");
    let sender = if sender.parse::<common::proto::smtp::Mailbox>().is_ok() { &sender } else { "<>" };
    let passes_as = |sender: &str, helo: &str, ip: &str| {
        // In one word: its first letter may be a hyphen.
        let sender = format!("--sender={sender}");
        let report = judged(&["--ip", ip, &sender, "--spf-helo", helo], &texts);
        let found = report.findings().into_iter().find(|finding| finding.id == "spf_ip");
        let state = found.expect("a word about each client").state;
        assert!(report.state() >= alone.state() && report.state() >= state, "a client takes nothing back");
        state == State::Ok
    };
    // It has the addresses that the zone's hosts have.
    passes_as(sender, DOMAIN, "53.6.7.1");
    if alone.state() != State::Ok {
        return;
    }
    // Where a macro makes the name that is asked for, each client has an answer of its own, and only those
    // that the check itself takes for strangers must not all pass.
    let has_macros = texts.values().flatten().any(|text| text.contains('%'));
    let strangers = |all: &'static [&str]| if has_macros { all } else { &[] };
    let passes = |ip: &str| passes_as(sender, DOMAIN, ip);
    let passes_by_name = |ip: &&str| passes_as("stranger@example.org", "stranger.invalid", ip);
    // One address in each sixteenth of all: nobody has them all.
    let mut everywhere = (0..16).map(|at| Ipv4Addr::new(at * 16 + 5, 6, 7, 8).to_string());
    let alien = strangers(&["203.0.113.219", "198.51.100.219", "192.0.2.219"]);
    assert!(!everywhere.all(|ip| passes(&ip)) || !alien.iter().all(passes_by_name), "everybody may send");
    let mut everywhere =
        (0..16).map(|at| Ipv6Addr::new(0x2005 + at * 0x200, 6, 7, 8, 9, 0, 0, 1).to_string());
    let alien = strangers(&["3fff:f19::219", "2001:db8:f19::219"]);
    assert!(!everywhere.all(|ip| passes(&ip)) || !alien.iter().all(passes_by_name), "everybody may send");
}

fn texts<'a>(lines: impl Iterator<Item = &'a [u8]>) -> BTreeMap<String, Vec<String>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (letter, text) in lines.filter_map(<[u8]>::split_first) {
        let name = match letter.wrapping_sub(b'a') % 16 {
            0 => DOMAIN.to_owned(),
            at => format!("{}.example", char::from(b'a' + at)),
        };
        let texts = texts.entry(name).or_default();
        if texts.len() < MOST_TEXTS {
            texts.push(decode(text));
        }
    }
    texts
}

fn judged(arguments: &[&str], texts: &BTreeMap<String, Vec<String>>) -> Report {
    let all = ["check_mail_policy", "-d", DOMAIN, "--spf"].iter().chain(arguments);
    let options = CheckMailPolicy::try_parse_from(all).expect("good options");
    let (report, questions, rounds) = judge_spf(&options, |question| say(question, texts));
    assert!(rounds <= 60 && questions <= 1000, "{questions} questions in {rounds} rounds");
    for finding in report.findings() {
        assert!(!finding.text.is_empty() && finding.text.len() < 2048, "{}", finding.text);
    }
    report
}

/// Texts as given; everything else by the letters of the name, so that each name has its own.
fn say(question: &Question, texts: &BTreeMap<String, Vec<String>>) -> Outcome {
    let name = question.name.as_str();
    let letters = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte));
    let records = |all: Vec<Data>| {
        let record = |data| Record { name: name.to_owned(), ttl: 300, data };
        if all.is_empty() { Outcome::NoData } else { Outcome::Records(all.into_iter().map(record).collect()) }
    };
    let host = |at: usize| format!("{}.example", char::from(b'a' + u8::try_from(at % 26).expect("a letter")));
    let many = |most: usize| 0..(letters / 7) % most;
    match question.kind {
        Kind::Txt => texts.get(name).map_or(Outcome::NxDomain, |texts| {
            records(texts.iter().map(|text| Data::Txt(text.clone())).collect())
        }),
        _ if letters % 23 == 0 => Outcome::Timeout,
        Kind::A => records(
            many(3).map(|at| Data::A(Ipv4Addr::from([53, 6, 7, u8::try_from(at).expect("few")]))).collect(),
        ),
        Kind::Aaaa if letters % 2 == 0 => {
            records(vec![Data::Aaaa(Ipv6Addr::new(0x2a05, 6, 7, 8, 9, 0, 0, 1))])
        }
        Kind::Mx => {
            records(many(13).map(|at| Data::Mx { preference: 10, exchange: host(letters + at) }).collect())
        }
        Kind::Ptr => records(many(13).map(|at| Data::Ptr(host(letters + at))).collect()),
        _ => Outcome::NxDomain,
    }
}

fn check(report: &Report, texts: &BTreeMap<String, Vec<String>>) {
    let is_record = |text: &&String| {
        let text = text.to_ascii_lowercase();
        text == "v=spf1" || text.starts_with("v=spf1 ")
    };
    let records: Vec<&String> = texts.get(DOMAIN).into_iter().flatten().filter(is_record).collect();
    let [record] = records.as_slice() else {
        assert_eq!(report.state(), State::Critical, "none, or more than one");
        return;
    };
    let metric =
        |label: &str| report.metrics().iter().find(|metric| metric.label == label).expect(label).value;
    if report.state() == State::Ok {
        assert!(metric("spf_lookups").is_some_and(|lookups| lookups < 8.0));
        assert!(metric("spf_voids").is_some_and(|voids| voids <= 2.0));
        assert!(record.is_ascii() && record.len() <= 450);
        let is_all = |term: &&str| term.trim_start_matches(['+', '-', '~', '?']) == "all";
        let lower = record.to_ascii_lowercase();
        let all = lower.split(' ').find(is_all);
        assert!(!matches!(all, Some("all" | "+all" | "?all")), "{record}");
        assert!(all.is_some() || lower.contains(" redirect="), "{record}");
    }
}
