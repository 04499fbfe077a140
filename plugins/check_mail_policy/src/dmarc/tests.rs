use super::*;
use crate::answers::testing::Zone;
use crate::testing::{options, options_of, said, states_of};

const NAME: &str = "_dmarc.example.org";
const RUA: &str = "rua=mailto:dmarc@example.org";

fn judged(zone: &Zone, arguments: &[&str]) -> Vec<(State, String)> {
    said(zone, &options(arguments), judge)
}

/// What is said of a record beside the note that there is no rua.
fn record(text: &str, arguments: &[&str]) -> Vec<(State, String)> {
    let mut said = judged(&Zone::default().txt(NAME, text), arguments);
    said.retain(|(_, text)| !text.contains("no rua="));
    said
}

#[test]
fn ok_record() {
    for (text, fact) in [
        ("v=DMARC1; p=reject", "DMARC p=reject"),
        ("v = DMARC1; p=Quarantine;", "DMARC p=quarantine"),
        ("v=DMARC1; rua=mailto:a@example.org; p=none", "DMARC p=none"),
    ] {
        assert_eq!(record(text, &[]), [(State::Ok, fact.to_owned())], "{text}");
    }
    let beside = Zone::default().txt(NAME, "unrelated").txt(NAME, &format!("v=DMARC1; p=reject; {RUA}"));
    assert_eq!(judged(&beside, &["--dmarc"]), [(State::Ok, "DMARC p=reject".to_owned())]);
    assert_eq!(judged(&Zone::default(), &["--spf"]), [], "not looked at");
}

#[test]
fn ok_without_reports_is_a_note() {
    let said = judged(&Zone::default().txt(NAME, "v=DMARC1; p=reject"), &[]);
    let note = format!("{NAME}: no rua=, so nobody reports who uses the domain (RFC 9989 section 4.7)");
    assert_eq!(said, [(State::Ok, "DMARC p=reject".to_owned()), (State::Ok, note)]);
}

#[test]
fn critical_missing() {
    let missing =
        |miss: &str| format!("{NAME}: no DMARC record, nor at a name above{miss} (RFC 9989 section 4.10)");
    assert_eq!(judged(&Zone::default(), &[]), [(State::Critical, missing(""))]);
    let miss = Zone::default().txt(NAME, "v=DMARC1 p=reject");
    assert_eq!(judged(&miss, &[]), [(State::Critical, missing("; \"v=DMARC1 p=reject\" is none"))]);
}

#[test]
fn critical_several() {
    let zone = Zone::default().txt(NAME, "v=DMARC1; p=none").txt(NAME, "v=DMARC1; p=reject");
    let text = format!("{NAME}: 2 DMARC records, so receivers take none (RFC 9989 section 4.10)");
    assert_eq!(judged(&zone, &[]), [(State::Critical, text)]);
}

#[test]
fn critical_policy_is_none() {
    for (tags, words) in [
        ("p=rejct".to_owned(), "p=\"rejct\" is no policy, which switches DMARC off"),
        ("p=reject; sp=".to_owned(), "sp=\"\" is no policy, which switches DMARC off"),
        (format!("p=reject; np=x; {RUA}"), "np=\"x\" is no policy, which counts as p=none"),
        ("sp=reject".to_owned(), "has no p=, which switches DMARC off"),
        ("rua=nobody".to_owned(), "has no p=, which switches DMARC off"),
    ] {
        let said = record(&format!("v=DMARC1; {tags}"), &[]);
        assert_eq!(
            said[0],
            (State::Critical, format!("{NAME}: {words} (RFC 9989 section 4.10.1)")),
            "{tags}"
        );
    }
    let twice = record("v=DMARC1; p=reject; p=none", &[]);
    assert_eq!(states_of(&twice), [State::Critical], "no good word on it");
}

#[test]
fn warning_no_policy_but_reports() {
    let said = record(&format!("v=DMARC1; {RUA}"), &[]);
    let text = format!("{NAME}: has no p=, which counts as p=none (RFC 9989 section 4.10.1)");
    assert_eq!(said, [(State::Warning, text), (State::Ok, "DMARC p=none".to_owned())]);
}

#[test]
fn warning_weaker_than_wanted() {
    for (policy, least, is_weak) in [
        ("none", "none", false),
        ("none", "quarantine", true),
        ("quarantine", "quarantine", false),
        ("quarantine", "reject", true),
        ("reject", "reject", false),
    ] {
        let said = record(&format!("v=DMARC1; p={policy}"), &["--dmarc-min", least]);
        let text = format!("{NAME}: p={policy} is weaker than {least} (--dmarc-min)");
        let expected = is_weak.then_some((State::Warning, text));
        assert_eq!(
            said.first().filter(|(state, _)| *state > State::Ok),
            expected.as_ref(),
            "{policy} {least}"
        );
    }
}

#[test]
fn warning_only_tested() {
    let text =
        format!("{NAME}: t=y, so receivers apply quarantine in place of reject (RFC 9989 section 4.7)");
    let fact = (State::Ok, "DMARC p=reject, only tested (t=y)".to_owned());
    let tested = "v=DMARC1; p=reject; t=y";
    assert_eq!(
        record(tested, &["--dmarc-min", "quarantine"]),
        [(State::Warning, text.clone()), fact.clone()]
    );
    assert_eq!(record(tested, &[]), [fact, (State::Ok, text)]);
    assert_eq!(record("v=DMARC1; p=none; t=y", &[]).len(), 1, "there is nothing to test");
}

#[test]
fn names_below_count_where_the_organization_says_so() {
    let text = format!("{NAME}: sp=none for names below example.org is weaker than");
    let weak = "v=DMARC1; p=reject; sp=none";
    let strict = record(weak, &["--dmarc-min", "reject"]);
    assert_eq!(strict[0], (State::Warning, format!("{text} reject (--dmarc-min)")));
    assert_eq!(record(weak, &[])[1], (State::Ok, format!("{text} p=reject")));
    let subdomain = Zone::default().txt("_dmarc.a.example.org", weak).txt(NAME, "v=DMARC1; p=reject");
    let options = options_of("a.example.org", &["--dmarc-min", "reject"]);
    let ignored = said(&subdomain, &options, judge);
    assert_eq!(states_of(&ignored), [State::Ok, State::Ok], "only the note on rua: {ignored:?}");
    let open = Zone::default().txt(NAME, weak).fails("_dmarc.org", Kind::Txt, Outcome::ServFail);
    assert_eq!(judged(&open, &[])[0].0, State::Unknown);
}

#[test]
fn a_name_below_has_the_policy_of_its_organization() {
    let zone = Zone::default().txt(NAME, &format!("v=DMARC1; p=reject; sp=quarantine; np=none; {RUA}"));
    let below =
        |zone: &Zone, domain: &str, arguments: &[&str]| said(zone, &options_of(domain, arguments), judge);
    let missing = below(&zone, "a.example.org", &[]);
    assert_eq!(missing, [(State::Ok, "DMARC np=none of example.org for a.example.org".to_owned())]);
    let zone = zone.txt("a.example.org", "x");
    let exists = below(&zone, "a.example.org", &["--dmarc-min", "reject"]);
    let weak =
        format!("{NAME}: sp=quarantine of example.org for a.example.org is weaker than reject (--dmarc-min)");
    assert_eq!(
        exists,
        [
            (State::Warning, weak),
            (State::Ok, "DMARC sp=quarantine of example.org for a.example.org".to_owned())
        ]
    );
    // An intermediate record is not that of the organization.
    let between = zone.txt("_dmarc.b.example.org", "v=DMARC1; p=none").txt("a.b.example.org", "x");
    assert_eq!(
        below(&between, "a.b.example.org", &[])[0].1,
        "DMARC sp=quarantine of example.org for a.b.example.org"
    );
}

#[test]
fn a_public_suffix_speaks_for_those_who_do_not() {
    let zone = Zone::default().txt("_dmarc.bank", "v=DMARC1; p=reject; psd=y; rua=mailto:r@dmarc.bank");
    let said = said(&zone, &options_of("example.bank", &[]), judge);
    assert_eq!(
        said[0].1,
        "_dmarc.bank: rua= sends reports to dmarc.bank, which does not agree: no v=DMARC1 at \
                           bank._report._dmarc.dmarc.bank (RFC 9990 section 4)"
    );
    assert_eq!(said[1], (State::Ok, "DMARC p=reject of bank for example.bank".to_owned()));
}

#[test]
fn whether_a_name_exists_is_asked_only_where_it_matters() {
    let asks = |tags: &str| {
        let zone = Zone::default().txt(NAME, tags).fails("a.example.org", Kind::Txt, Outcome::ServFail);
        said(&zone, &options_of("a.example.org", &[]), judge)
    };
    assert_eq!(asks(&format!("v=DMARC1; p=reject; {RUA}")).len(), 1);
    assert_eq!(
        asks(&format!("v=DMARC1; p=reject; np=none; {RUA}")),
        [(State::Unknown, "cannot look up the TXT record of a.example.org: SERVFAIL".to_owned())]
    );
}

#[test]
fn warning_external_reports_without_consent() {
    let place = "example.org._report._dmarc.r.example";
    let zone = |tag: &str| {
        Zone::default().txt(NAME, &format!("v=DMARC1; p=reject; {RUA}; {tag}=mailto:a@r.example"))
    };
    let text = format!(
        "{NAME}: ruf= sends reports to r.example, which does not agree: no v=DMARC1 at {place} (RFC 9990 section 4)"
    );
    assert_eq!(judged(&zone("ruf"), &[])[0], (State::Warning, text));
    let rua = format!("v=DMARC1; p=reject; rua=mailto:a@r.example,{}", &RUA[4..]);
    let asked = Zone::default().txt(NAME, &rua);
    assert_eq!(states_of(&judged(&asked, &[])), [State::Warning, State::Ok]);
    for yes in ["v=DMARC1", "v=DMARC1;", "v=DMARC1; rua=mailto:b@r.example"] {
        let agreed = Zone::default().txt(NAME, &rua).txt(place, yes);
        assert_eq!(states_of(&judged(&agreed, &[])), [State::Ok], "{yes}");
    }
    for no in ["v=DMARC2", "v=DMARC1x", "yes"] {
        let refused = Zone::default().txt(NAME, &rua).txt(place, no);
        assert_eq!(judged(&refused, &[])[0].0, State::Warning, "{no}");
    }
    let redirected = Zone::default().txt(NAME, &rua).txt(place, "v=DMARC1; rua=mailto:b@other.example");
    let said = judged(&redirected, &[]);
    assert!(said[0].0 == State::Warning && said[0].1.contains("sends them on to other.example"), "{said:?}");
}

#[test]
fn ok_reports_within_the_organization() {
    let record = |host: &str| format!("v=DMARC1; p=reject; rua=mailto:a@{host}");
    for host in ["example.org", "in.example.org"] {
        let zone = Zone::default().txt(NAME, &record(host));
        assert_eq!(states_of(&judged(&zone, &[])), [State::Ok], "{host}");
    }
    let sister =
        Zone::default().txt("_dmarc.a.example.org", &record("b.example.org")).txt(NAME, "v=DMARC1; p=none");
    assert_eq!(states_of(&said(&sister, &options_of("a.example.org", &[]), judge)), [State::Ok]);
    let apart = sister.txt("_dmarc.b.example.org", "v=DMARC1; p=none; psd=n");
    assert_eq!(
        states_of(&said(&apart, &options_of("a.example.org", &[]), judge)),
        [State::Warning, State::Ok],
        "another organization below the same name"
    );
}

#[test]
fn reports_to_many_are_looked_at_so_far() {
    let uris: Vec<String> = (0..20).map(|n| format!("mailto:a@h{n}.example.org")).collect();
    let zone = Zone::default().txt(NAME, &format!("v=DMARC1; p=reject; rua={}", uris.join(",")));
    let said = judged(&zone, &[]);
    assert_eq!(states_of(&said), [State::Warning, State::Ok]);
    assert!(
        said[0].1.contains("rua= sends reports to 20 domains, 4 of which were not looked at"),
        "{said:?}"
    );
}

#[test]
fn unknown_no_answer() {
    let unknown = |name: &str| (State::Unknown, format!("cannot look up the TXT record of {name}: SERVFAIL"));
    let fails = |zone: Zone, name: &str| zone.fails(name, Kind::Txt, Outcome::ServFail);
    assert_eq!(judged(&fails(Zone::default(), NAME), &[]), [unknown(NAME)]);
    let above = fails(Zone::default(), "_dmarc.org");
    assert_eq!(judged(&above, &[]), [unknown("_dmarc.org")], "not missing before the top was asked");
    let twice = "v=DMARC1; p=reject; sp=none; rua=mailto:a@in.example.org; ruf=mailto:a@out.example.org";
    let once = judged(&fails(Zone::default().txt(NAME, twice), "_dmarc.org"), &[]);
    assert_eq!(once.iter().filter(|said| **said == unknown("_dmarc.org")).count(), 1, "{once:?}");
    let external = Zone::default().txt(NAME, "v=DMARC1; p=reject; rua=mailto:a@r.example");
    let place = "example.org._report._dmarc.r.example";
    assert_eq!(judged(&fails(external, place), &[])[0], unknown(place));
    let internal = Zone::default().txt(NAME, "v=DMARC1; p=reject; rua=mailto:a@in.example.org");
    assert_eq!(judged(&fails(internal, "_dmarc.org"), &[])[0], unknown("_dmarc.org"));
    let agreed = Zone::default()
        .txt(NAME, "v=DMARC1; p=reject; rua=mailto:a@in.example.org")
        .txt("example.org._report._dmarc.in.example.org", "v=DMARC1");
    assert_eq!(states_of(&judged(&fails(agreed, "_dmarc.org"), &[])), [State::Ok], "consent suffices");
}

#[test]
fn few_rounds_suffice() {
    let zone = Zone::default()
        .txt(NAME, "v=DMARC1; p=reject; rua=mailto:a@r.example,mailto:b@in.example.org")
        .txt("example.org._report._dmarc.r.example", "v=DMARC1");
    let options = options(&[]);
    let ((), rounds) = zone.ask(|answers| judge(&options, answers, &mut Report::new()));
    assert_eq!(rounds, 2);
}

#[test]
fn warning_part_of_the_mail_only() {
    let zone =
        Zone::default().txt("_dmarc.example.org", "v=DMARC1; p=reject; pct=0; rua=mailto:a@example.org");
    assert_eq!(states_of(&said(&zone, &options(&["--dmarc"]), judge)), [State::Ok, State::Ok], "a note");
    let demanded = said(&zone, &options(&["--dmarc", "--dmarc-min", "reject"]), judge);
    assert_eq!(
        demanded[0],
        (
            State::Warning,
            "_dmarc.example.org: pct=0, so older receivers apply p=reject to 0 % of the mail (RFC 7489 section 6.3)"
                .to_owned()
        )
    );
}
