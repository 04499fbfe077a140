use clap::Parser as _;
use common::plugin::{Plugin as _, Run};
use proptest::prelude::*;

use super::*;
use crate::baseline::{Baseline, Offered};
use crate::certificate::tests::chain;
use crate::certificate::{SeenCertificates, SeenTrust};
use crate::seen::{Pick, Scan, SeenPort, SeenTls, SeenVersion, Trouble, TroubleKind};
use crate::version::Version;

const NOW: i64 = 100_000;

/// A port that takes RC4, with this word wherever a server or a file can put one.
fn seen(word: &str) -> Seen {
    let mut certificates = SeenCertificates { chains: vec![chain(None)], incomplete: Some(word.into()) };
    for one in certificates.chains[0].certificates.iter_mut().flatten() {
        for text in [&mut one.seen.subject, &mut one.seen.issuer, &mut one.seen.serial] {
            word.clone_into(text);
        }
        for text in [&mut one.key.name, &mut one.key.sha256, &mut one.sha256, &mut one.signature.algorithm] {
            word.clone_into(text);
        }
        one.seen.names = vec![word.into(), word.into()];
    }
    if let SeenTrust::Judged(trust) = &mut certificates.chains[0].trust {
        trust.name = Some(word.into());
        trust.chain_problem = Some(word.into());
        trust.name_problem = Some(word.into());
    }
    let pick = Pick {
        suite: 0x0005,
        group: Some(0x001d),
        dh_bits: None,
        compression: false,
        renegotiation_info: true,
        extended_master_secret: true,
    };
    let trouble = || Trouble { kind: TroubleKind::Violation, text: word.into() };
    let version = SeenVersion {
        version: Version::Tls12,
        suites: vec![pick],
        preference: None,
        groups: vec![0x001d],
        signatures: Vec::new(),
        incomplete: Some(trouble()),
    };
    let tls = SeenTls {
        ssl2: None,
        ssl2_incomplete: Some(trouble()),
        versions: vec![version],
        intolerant: true,
        ends: true,
        fallback_scsv: Some(false),
        post_quantum: None,
        certificates: Some(certificates),
        intrusive: None,
    };
    let keys = Some([(word.to_owned(), word.to_owned())].into());
    let baseline = Baseline { taken_at: word.into(), offered: Offered { keys, ..Offered::default() } };
    let port = |port, scan| SeenPort {
        port,
        address: None,
        starttls: None,
        connections: 3,
        seconds: 0.5,
        scan,
        baseline: Some(baseline.clone()),
    };
    Seen {
        ports: vec![port(443, Scan::Seen(tls)), port(444, Scan::NoTls(trouble()))],
        auto: None,
        fleet: Vec::new(),
    }
}

fn rendered(seen: &Seen, arguments: &[&str]) -> String {
    let fixed = ["check_weak_ciphers", "-H", "www.example.org", "-p", "443,444"];
    let options = CheckWeakCiphers::try_parse_from(fixed.iter().chain(arguments)).unwrap();
    let run = Run { taken_at: NOW, states: options.states() };
    let report = options.evaluate(seen, &run);
    page(&options, &Ended { seen: Ok(seen), report: &report, state: report.state(), run: &run })
}

/// All tags, in their order.
fn tags(page: &str) -> Vec<&str> {
    let of = |part| -> Option<&str> { Some(str::split_once(part, '>')?.0) };
    page.split('<').skip(1).filter_map(of).collect()
}

#[test]
fn everything_has_its_place() {
    let page = rendered(&seen("word"), &[]);
    for words in [
        "TLS verdict</p>",
        "<strong>CRITICAL</strong>",
        "<b>2 broken</b>",
        "<a href=\"#port-443\">443</a>",
        "<section class=\"port\" id=\"port-444\">",
        "TLS_<wbr>RSA_<wbr>WITH_<wbr>RC4_<wbr>128_<wbr>SHA",
        "<span class=\"badge unknown\">yes, not all seen</span>",
        "<span class=\"badge critical\">not trusted</span>",
        "1970-01-02 03:46:40 UTC",
        "<a href=\"https://www.rfc-editor.org/info/bcp195\" rel=\"noreferrer\">",
    ] {
        assert!(page.contains(words), "no {words:?}\n{page}");
    }
    assert!(!page.contains("Judged with"));
    let adjusted = rendered(&seen("word"), &["--ignore", "rc4", "--require", "fs", "--strict"]);
    assert!(adjusted.contains("--strict, --require fs, --ignore rc4"));
}

#[test]
fn only_the_web_is_linked() {
    let link = |address: &str| {
        let mut html = Html::new("t", "");
        source(&mut html, address);
        html.finish().contains("<a ")
    };
    assert!(link("https://www.example.org/policy"));
    assert!(!link("javascript:alert(1)") && !link(" https://x") && !link("file:///etc/passwd") && !link("x"));
}

#[test]
fn advice_is_paragraphs_with_what_is_to_be_typed() {
    let mut html = Html::new("t", "");
    port::advised(&mut html, "nginx: `ssl_protocols TLSv1.2 <x>;`\n\nthen reload");
    let page = html.finish();
    assert!(
        page.contains("<p>nginx: <code>ssl_protocols TLSv1.2 &lt;x&gt;;</code></p>\n<p>then reload</p>"),
        "{page}"
    );
}

proptest! {
    /// No word of anybody's changes what the page is made of.
    #[test]
    fn words_stay_words(word in "[^_,]{1,60}") {
        let (one, other) = (seen(&word), seen("word"));
        let (one, other) = (rendered(&one, &["--inventory"]), rendered(&other, &["--inventory"]));
        prop_assert_eq!(tags(&one), tags(&other));
    }
}
