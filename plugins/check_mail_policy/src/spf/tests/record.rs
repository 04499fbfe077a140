//! Terms as the grammar has them.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<SpfRecord<'_>, SyntaxError<'_>> {
    SpfRecord::parse(text)
}

fn flaw(term: &str) -> Option<Flaw> {
    let text = format!("v=spf1 {term} -all");
    SpfRecord::parse(&text).err().map(|error| error.flaw)
}

#[test]
fn a_record_begins_with_its_version_and_nothing_else() {
    for text in ["v=spf1", "V=SPF1 mx", "v=spf1  "] {
        assert!(is_record(text), "{text}");
    }
    for text in ["", "v=spf", "v=spf10", " v=spf1", "v=spf1\tmx", "v=spf1,mx", "v=spé1", "spf2.0/pra"] {
        assert!(!is_record(text), "{text}");
    }
}

#[test]
fn terms_are_what_they_say() {
    let record = parse("v=spf1 +MX ~a:b.example/24//64 ip6:2001:db8::/32  ?exists:%{i}.c.example Redirect=d.example exp=e.example. x-1._y=%{r} ").unwrap();
    assert_eq!(record.directives.len(), 4);
    let network = Network { address: "2001:db8::".parse().unwrap(), length: 32 };
    assert_eq!(record.directives[2].mechanism, Mechanism::Ip(network));
    assert!(matches!(record.directives[1].mechanism, Mechanism::A(Some(_), Prefixes { v4: 24, v6: 64 })));
    assert_eq!(
        record.to_string(),
        "v=spf1 mx ~a:b.example/24//64 ip6:2001:db8::/32 ?exists:%{i}.c.example redirect=d.example exp=e.example. x-1._y=%{r}"
    );
    assert_eq!(parse("v=spf1 all").unwrap().to_string(), "v=spf1 +all");
}

#[test]
fn what_is_no_term_is_said_to_be_so() {
    let cases = [
        ("ip:192.0.2.1", Flaw::Mechanism),
        ("-", Flaw::Mechanism),
        ("++mx", Flaw::Mechanism),
        ("v=spf1", Flaw::Domain),
        ("all/0", Flaw::Argument),
        ("include", Flaw::NoDomain),
        ("include:", Flaw::NoDomain),
        ("include/24", Flaw::Prefix),
        ("include:a.example/24", Flaw::Domain),
        ("exists", Flaw::NoDomain),
        ("ptr/24", Flaw::Prefix),
        ("a:", Flaw::NoDomain),
        ("a:/24", Flaw::NoDomain),
        ("a:localhost", Flaw::Domain),
        ("a:2001:db8::1", Flaw::AddressForDomain),
        ("a/", Flaw::Prefix),
        ("a/24/64", Flaw::Prefix),
        ("a//", Flaw::Prefix),
        ("a///64", Flaw::Prefix),
        ("a//129", Flaw::Prefix),
        ("a/033", Flaw::Prefix),
        ("a/256", Flaw::Prefix),
        ("mx//64/24", Flaw::Prefix),
        ("ip4", Flaw::Address),
        ("ip4:", Flaw::Address),
        ("ip4:192.0.2.01", Flaw::Address),
        ("ip4:2001:db8::1", Flaw::Address),
        ("ip4:192.0.2.1//24", Flaw::Prefix),
        ("ip4:192.0.2.1/", Flaw::Prefix),
        ("ip4:192.0.2.1/+8", Flaw::Prefix),
        ("ip6:192.0.2.1", Flaw::Address),
        ("ip6:fe80::1%eth0", Flaw::Address),
        ("exp:a.example", Flaw::Modifier),
        ("=x", Flaw::ModifierName),
        ("1x=y", Flaw::ModifierName),
        ("-x=y", Flaw::ModifierName),
        ("redirect=", Flaw::NoDomain),
        ("redirect=a", Flaw::Domain),
        ("x=%", Flaw::Macro),
        ("x=a\tb", Flaw::Character),
        ("mx\tall", Flaw::Mechanism),
        ("exp=%{c}.a.example", Flaw::ExplanationLetter),
        ("é", Flaw::NotAscii),
        ("x=\\xff", Flaw::NotAscii),
    ];
    for (term, right) in cases {
        assert_eq!(flaw(term), if term == "v=spf1" { None } else { Some(right) }, "{term}");
    }
    for term in
        ["a:1.b-2", "a:a.b.", "a:%{d}", "a:x%%", "ptr:%{h2r./}", "x=", "x=%{t}", "x=\\x20", "mx:a/b.c/0//0"]
    {
        assert_eq!(flaw(term), None, "{term}");
    }
}

#[test]
fn nothing_behind_all_is_reached() {
    let record = parse("v=spf1 mx ?all -all a redirect=b.example").unwrap();
    assert_eq!((record.reached().len(), record.behind_all().len()), (2, 2));
    assert_eq!((record.all(), record.live_redirect()), (Some(Qualifier::Neutral), None));
}

#[test]
fn networks_hold_what_begins_alike() {
    let holds = |network: &str, length: u8, address: &str| {
        let network = Network { address: network.parse().unwrap(), length };
        network.contains(address.parse().unwrap())
    };
    assert!(holds("192.0.2.1", 24, "192.0.2.255") && !holds("192.0.2.1", 25, "192.0.2.128"));
    assert!(holds("192.0.2.1", 0, "1.1.1.1") && !holds("192.0.2.1", 0, "::1"));
    assert!(holds("192.0.2.1", 32, "192.0.2.1") && !holds("192.0.2.1", 32, "192.0.2.0"));
    assert!(holds("2001:db8::", 33, "2001:db8:7fff::") && !holds("2001:db8::", 33, "2001:db8:8000::"));
    assert!(holds("::", 0, "ff::1") && holds("::1", 128, "::1") && !holds("::1", 128, "::"));
    assert!(!holds("::ffff:192.0.2.1", 128, "192.0.2.1"));
}

/// Terms, right and nearly right.
fn any_term() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+~?]?(all|a|mx|ptr|include|exists|ip4|ip6)([:/=][a-z0-9.%{}/:_-]{0,12})?",
        "(a|mx)(:(%[{][a-zA-Z][0-9]?r?[.+,-]?[}]|[a-z]{1,3}[.]){1,3}[a-z]{1,2})?(/[0-9]{1,2})?(//[0-9]{1,3})?",
        "ip4:[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}(/[0-9]{1,2})?",
        "ip6:([0-9a-f]{1,4}:){1,3}:[0-9a-f]{0,4}(/[0-9]{1,3})?",
        "(redirect|exp|[a-z][a-z0-9._-]{0,4})=[a-z%{}.]{0,9}[.][a-z]{2}",
        "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_a_record_or_has_a_fault_in_it(text in any::<String>()) {
        let text = format!("v=spf1 {text}");
        if let Err(error) = parse(&text) {
            prop_assert!(text.contains(error.term));
            prop_assert!(error.to_string().contains("RFC 7208 section"));
        }
    }

    #[test]
    fn what_is_printed_is_the_same_record(terms in prop::collection::vec(any_term(), 0..6)) {
        let text = format!("v=spf1 {}", terms.join(" "));
        if let Ok(record) = parse(&text) {
            let printed = record.to_string();
            prop_assert_eq!(parse(&printed).unwrap(), record.clone());
            prop_assert!(record.reached().len() + record.behind_all().len() == record.directives.len());
        }
    }
}
