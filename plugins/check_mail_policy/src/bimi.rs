//! BIMI, `SELECTOR._bimi.DOMAIN`: the logo beside the mail of the domain
//! (draft-brand-indicators-for-message-identification).
//!
//! A logo that is not shown loses no mail: nothing here is worse than WARNING but what nobody
//! answered.

use common::proto::dns::DomainName;
use common::report::{Report, State, quote};

use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::dmarc::{DmarcRecord, Policy, Walk, Whose};
use crate::lookup::{Texts, Unanswered};
use crate::options::Wish;
use crate::place::Place;
use crate::tags::{Tags, starts_with_version};

const KNOWN: [&str; 5] = ["v", "l", "a", "avp", "lps"];

/// The record, and whether DMARC is strict enough for it.
pub(crate) fn judge(options: &CheckMailPolicy, answers: &Answers, report: &mut Report) {
    let wish = options.records.wish_if_there(options.records.bimi);
    if wish == Wish::No {
        return;
    }
    if let Err(unanswered) = judge_place(options, &options.domain, wish, answers, report) {
        unanswered.report("bimi_unknown", options, report);
    }
}

/// The record of one domain. One that is missing is looked for at the organizational domain.
fn judge_place(
    options: &CheckMailPolicy,
    at: &DomainName,
    wish: Wish,
    answers: &Answers,
    report: &mut Report,
) -> Result<(), Unanswered> {
    let labels = options.expect.bimi_labels();
    let own = format!("{labels}.{}", options.domain);
    let name = at.child(&labels);
    let texts = match &name {
        Some(name) => Texts::read(answers, name, |text| starts_with_version(text, "BIMI1"))?,
        None => Texts::default(),
    };
    if let Some(name) = &name {
        texts.show(name, 1, report);
    }
    match (texts.records.as_slice(), name) {
        ([text], Some(name)) => {
            if judge_record(&name, text, report) {
                judge_dmarc(options, &name, answers, report);
            }
        }
        ([_, _, ..], Some(name)) => {
            let text = format!("{name}: {} BIMI records, so no logo is shown", texts.records.len());
            report.find("bimi_several", State::Warning, text);
        }
        _ if wish != Wish::Demanded => report.context(1, format!("{own}: no BIMI record")),
        _ => {
            let organization = Walk::from(&options.domain, answers).organization()?;
            if organization != *at && *at == options.domain {
                return judge_place(options, &organization, wish, answers, report);
            }
            let above = if *at == options.domain { String::new() } else { format!(", nor at {at}") };
            let text = format!("{own}: no BIMI record{above}{}", texts.near_miss("v=bimi"));
            report.find("bimi_missing", State::Warning, text);
        }
    }
    Ok(())
}

/// What the record says; whether it promises a logo.
fn judge_record(name: &DomainName, text: &str, report: &mut Report) -> bool {
    let tags = Tags::parse(text);
    let mut is_broken = false;
    let mut broken = |what: String| {
        is_broken = true;
        report.find("bimi_syntax", State::Warning, format!("{name}: {what}, so no logo is shown"));
    };
    for flaw in tags.flaws() {
        broken(format!("has {flaw} (RFC 6376 section 3.2)"));
    }
    let [logo, evidence] = ["l", "a"].map(|tag| (tag, tags.get(tag)));
    if logo.1.is_none() {
        broken("has no l=".to_owned());
    }
    for (tag, uri) in [logo, evidence] {
        let Some(uri) = uri.filter(|uri| !uri.is_empty()) else { continue };
        if !matches!(Place::parse(uri), Ok(Place::Https(_))) {
            broken(format!("{tag}={} is no https URI", quote(uri)));
        } else if tag == "l" && !is_image(uri) {
            broken(format!("l={} is no SVG", quote(uri)));
        }
    }
    if let Some(others) = tags.unknown(&KNOWN) {
        report.note("bimi_note", format!("{name}: receivers ignore {others}"));
    }
    if is_broken {
        return false;
    }
    match logo.1 {
        Some(uri) if !uri.is_empty() => {
            let evidence =
                if evidence.1.is_some_and(|uri| !uri.is_empty()) { "" } else { ", without evidence" };
            report.find("bimi", State::Ok, format!("BIMI {}{evidence}", quote(uri)));
            true
        }
        _ => {
            report.note("bimi", format!("BIMI: {name} declines to show a logo"));
            false
        }
    }
}

/// Whether a location may lead to SVG or SVGZ, the only images that are shown: it does not where
/// its name ends as those of other files do.
fn is_image(uri: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let others = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "ico", "pdf"];
    let suffix = file.rsplit_once('.').map(|(_, suffix)| suffix).unwrap_or_default();
    !others.iter().any(|other| suffix.eq_ignore_ascii_case(other))
}

/// No logo is shown where DMARC does not quarantine or reject, for the domain and for its
/// organization.
fn judge_dmarc(options: &CheckMailPolicy, name: &DomainName, answers: &Answers, report: &mut Report) {
    let domain = &options.domain;
    let walk = Walk::from(domain, answers);
    let organization = match walk.organization() {
        Ok(organization) => organization,
        Err(unanswered) => {
            let text = format!(
                "{name}: cannot tell whether DMARC is strict enough for BIMI: {}",
                unanswered.sentence()
            );
            report.find("bimi_unknown", options.state_of(&unanswered.outcome), text);
            return;
        }
    };
    let mut places: Vec<(&DomainName, &DmarcRecord)> = [domain, &organization]
        .into_iter()
        .filter_map(|domain| Some((domain, walk.record(domain)?)))
        .collect();
    places.dedup_by(|one, other| one.0 == other.0);
    let why = match places.as_slice() {
        [] => Some("there is no DMARC record".to_owned()),
        places => places.iter().find_map(|(at, record)| too_weak(at, record)),
    };
    if let Some(why) = why {
        let text = format!(
            "{name}: no logo is shown, because {why} \
             (BIMI draft)"
        );
        report.find("bimi_dmarc", State::Warning, text);
    }
}

fn too_weak(at: &DomainName, record: &DmarcRecord) -> Option<String> {
    let settings = [Whose::Own, Whose::Below].map(|whose| record.policy(whose));
    let weak = settings.iter().find(|setting| setting.is_none_or(|(_, policy)| policy == Policy::None));
    match (weak, record.share) {
        (Some(Some((tag, policy))), _) => Some(format!("_dmarc.{at} says {tag}={policy}")),
        (Some(None), _) => Some(format!("_dmarc.{at} has no valid policy")),
        (None, Some(share)) if record.p.policy() == Some(Policy::Quarantine) => {
            Some(format!("_dmarc.{at} says p=quarantine for {share} % only"))
        }
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::testing::Zone;
    use crate::testing::{options, options_of, said, states_of};
    use common::proto::dns::{Kind, Outcome};

    const NAME: &str = "default._bimi.example.org";
    const GOOD: &str = "v=BIMI1; l=https://example.org/logo.svg; a=https://example.org/mark.pem; avp=brand";

    fn strict() -> Zone {
        Zone::default().txt("_dmarc.example.org", "v=DMARC1; p=quarantine")
    }

    fn judged(zone: &Zone, arguments: &[&str]) -> Vec<(State, String)> {
        said(zone, &options(arguments), judge)
    }

    fn record(text: &str) -> Vec<(State, String)> {
        judged(&strict().txt(NAME, text), &["--bimi"])
    }

    #[test]
    fn ok_record() {
        assert_eq!(record(GOOD), [(State::Ok, "BIMI \"https://example.org/logo.svg\"".to_owned())]);
        let bare = record("v=BIMI1; l=https://example.org/logo");
        assert_eq!(bare, [(State::Ok, "BIMI \"https://example.org/logo\", without evidence".to_owned())]);
        let selected = strict().txt("s1._bimi.example.org", GOOD);
        assert_eq!(states_of(&judged(&selected, &["--bimi", "--bimi-selector", "s1"])), [State::Ok]);
    }

    #[test]
    fn ok_declined() {
        for text in ["v=BIMI1; l=; a=;", "v=BIMI1; l="] {
            let expected = format!("BIMI: {NAME} declines to show a logo");
            let zone = Zone::default().txt(NAME, text);
            assert_eq!(judged(&zone, &["--bimi"]), [(State::Ok, expected)], "{text}");
        }
    }

    #[test]
    fn warning_missing() {
        let expected = [(State::Warning, format!("{NAME}: no BIMI record"))];
        assert_eq!(judged(&strict(), &["--bimi"]), expected);
        assert_eq!(judged(&strict(), &[]), [], "not demanded where nothing is named");
        let miss = judged(&strict().txt(NAME, "v=bimi1; l="), &["--bimi"]);
        assert_eq!(miss, [(State::Warning, format!("{NAME}: no BIMI record; \"v=bimi1; l=\" is none"))]);
    }

    #[test]
    fn the_organization_has_one_for_all() {
        let options = options_of("a.example.org", &["--bimi"]);
        let zone = strict().txt(NAME, GOOD);
        assert_eq!(states_of(&said(&zone, &options, judge)), [State::Ok]);
        let own = "default._bimi.a.example.org";
        assert_eq!(
            said(&strict(), &options, judge),
            [(State::Warning, format!("{own}: no BIMI record, nor at example.org"))]
        );
    }

    #[test]
    fn warning_several() {
        let zone = strict().txt(NAME, GOOD).txt(NAME, GOOD);
        assert_eq!(
            judged(&zone, &[]),
            [(State::Warning, format!("{NAME}: 2 BIMI records, so no logo is shown"))]
        );
    }

    #[test]
    fn warning_malformed() {
        for (text, words) in [
            ("v=BIMI1", "has no l="),
            ("v=BIMI1; l=http://example.org/l.svg", "l=\"http://example.org/l.svg\" is no https URI"),
            ("v=BIMI1; l=https://e.org/l.svg; a=x", "a=\"x\" is no https URI"),
            ("v=BIMI1; l=https://e.org/l.PNG?x", "l=\"https://e.org/l.PNG?x\" is no SVG"),
            ("v=BIMI1; l=https://e.org/l.svg,https://e.org/m.svg", "is no https URI"),
            ("v=BIMI1; l=; l=", "has l= twice (RFC 6376 section 3.2)"),
        ] {
            let [(State::Warning, said)] = &record(text)[..] else { panic!("{text}: {:?}", record(text)) };
            assert!(
                said.starts_with(NAME) && said.contains(words) && said.ends_with("so no logo is shown"),
                "{said}"
            );
        }
    }

    #[test]
    fn warning_dmarc_not_enforced() {
        for (dmarc, why) in [
            ("v=DMARC1; p=none", "_dmarc.example.org says p=none"),
            ("v=DMARC1; p=reject; sp=none", "_dmarc.example.org says sp=none"),
            ("v=DMARC1; p=quarantine; pct=50", "_dmarc.example.org says p=quarantine for 50 % only"),
            ("v=DMARC1; p=rejct", "_dmarc.example.org has no valid policy"),
            ("v=DMARC2", "there is no DMARC record"),
        ] {
            let zone = Zone::default().txt("_dmarc.example.org", dmarc).txt(NAME, GOOD);
            let said = judged(&zone, &["--bimi"]);
            assert_eq!(states_of(&said), [State::Warning, State::Ok], "{dmarc}");
            assert!(said[0].1.contains(&format!("because {why} (")), "{said:?}");
        }
        let weak_above = Zone::default()
            .txt("_dmarc.a.example.org", "v=DMARC1; p=reject")
            .txt("_dmarc.example.org", "v=DMARC1; p=none")
            .txt("default._bimi.a.example.org", GOOD);
        let said = said(&weak_above, &options_of("a.example.org", &["--bimi"]), judge);
        assert!(said[0].1.contains("because _dmarc.example.org says p=none"), "{said:?}");
    }

    #[test]
    fn unknown_no_answer() {
        let zone = strict().fails(NAME, Kind::Txt, Outcome::Timeout);
        assert_eq!(
            judged(&zone, &[]),
            [(State::Unknown, format!("cannot look up the TXT record of {NAME}: timeout"))]
        );
        let dmarc = Zone::default().fails("_dmarc.example.org", Kind::Txt, Outcome::ServFail);
        let said = judged(&dmarc.txt(NAME, GOOD), &["--bimi"]);
        assert_eq!(states_of(&said), [State::Unknown, State::Ok]);
        assert!(
            said[0].1.ends_with("cannot look up the TXT record of _dmarc.example.org: SERVFAIL"),
            "{said:?}"
        );
    }
}
