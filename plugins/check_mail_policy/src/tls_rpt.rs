//! TLS-RPT, `_smtp._tls.DOMAIN`: where senders report TLS that failed (RFC 8460 section 3).

use common::proto::dns::DomainName;
use common::report::{Report, State, quote, some};

use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::fields::{Fields, starts_with_version};
use crate::lookup::Texts;
use crate::options::Wish;
use crate::place::Place;

const VERSION: &str = "v=TLSRPTv1";

/// URIs that one sentence shows.
const SHOWN: usize = 3;

/// The record.
pub(crate) fn judge(options: &CheckMailPolicy, answers: &Answers, report: &mut Report) {
    let wish = options.records.wish_if_there(options.records.tlsrpt);
    let Some(name) = options.domain.child("_smtp._tls").filter(|_| wish != Wish::No) else { return };
    let texts = match Texts::read(answers, &name, |text| starts_with_version(text, VERSION)) {
        Ok(texts) => texts,
        Err(unanswered) => return unanswered.report("tlsrpt_unknown", options, report),
    };
    texts.show(&name, 1, report);
    let miss = texts.near_miss("v=tlsrptv");
    match texts.records.as_slice() {
        [] if !miss.is_empty() => {
            let text = format!(
                "{name}: no TLS-RPT record{miss}: it must begin with \"{VERSION};\" (RFC 8460 section 3)"
            );
            report.find("tlsrpt_syntax", State::Critical, text);
        }
        // Mail goes on as before, only nobody says when TLS fails.
        [] if wish == Wish::Demanded => {
            report.find(
                "tlsrpt_missing",
                State::Warning,
                format!("{name}: no TLS-RPT record (RFC 8460 section 3)"),
            );
        }
        [] => report.context(1, format!("{name}: no TLS-RPT record")),
        [text] => judge_record(&name, text, report),
        several => {
            let text = format!(
                "{name}: {} TLS-RPT records, so senders take none (RFC 8460 section 3)",
                several.len()
            );
            report.find("tlsrpt_several", State::Critical, text);
        }
    }
}

fn judge_record(name: &DomainName, text: &str, report: &mut Report) {
    let mut broken = |what: String| {
        report.find("tlsrpt_syntax", State::Critical, format!("{name}: {what} (RFC 8460 section 3)"));
    };
    let fields = match Fields::parse(text, VERSION, "rua") {
        Ok(fields) => fields,
        Err(error) => return broken(format!("has {error}")),
    };
    let lists = fields.all("rua");
    let [uris] = lists.as_slice() else {
        return broken(if lists.is_empty() {
            "has no rua=".to_owned()
        } else {
            "has rua= more than once".to_owned()
        });
    };
    let places = uris.split(',').map(|uri| uri.trim_matches([' ', '\t'])).map(|uri| (uri, Place::parse(uri)));
    let (good, bad): (Vec<_>, Vec<_>) = places.partition(|(_, place)| place.is_ok());
    let bad: Vec<String> =
        bad.into_iter().filter_map(|(uri, place)| Some(format!("{} {}", quote(uri), place.err()?))).collect();
    if !bad.is_empty() {
        broken(format!("rua={}", some(&bad, SHOWN)));
    }
    let good = good.len();
    if good > 0 {
        let uris = if uris.contains(',') { format!("{good} places") } else { quote(uris) };
        report.find("tlsrpt", State::Ok, format!("TLS-RPT to {uris}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::testing::Zone;
    use crate::testing::{options, said, states_of};
    use common::proto::dns::{Kind, Outcome};

    const NAME: &str = "_smtp._tls.example.org";

    fn judged(zone: &Zone, arguments: &[&str]) -> Vec<(State, String)> {
        said(zone, &options(arguments), judge)
    }

    fn record(text: &str) -> Vec<(State, String)> {
        judged(&Zone::default().txt(NAME, text), &["--tlsrpt"])
    }

    #[test]
    fn ok_record() {
        let uri = "TLS-RPT to \"mailto:tls@example.org\"";
        for text in
            ["v=TLSRPTv1; rua=mailto:tls@example.org", "v=TLSRPTv1;rua=mailto:tls@example.org; x.y=z ;"]
        {
            assert_eq!(record(text), [(State::Ok, uri.to_owned())], "{text}");
        }
        let two = record("v=TLSRPTv1; rua=mailto:tls@example.org , https://r.example/x?a=b");
        assert_eq!(two, [(State::Ok, "TLS-RPT to 2 places".to_owned())]);
        let beside = Zone::default().txt(NAME, "unrelated").txt(NAME, "v=TLSRPTv1; rua=mailto:a@b.example");
        assert_eq!(states_of(&judged(&beside, &["--tlsrpt"])), [State::Ok]);
    }

    #[test]
    fn warning_missing() {
        let expected = [(State::Warning, format!("{NAME}: no TLS-RPT record (RFC 8460 section 3)"))];
        assert_eq!(judged(&Zone::default(), &["--tlsrpt"]), expected);
        assert_eq!(judged(&Zone::default().txt(NAME, "x"), &["--tlsrpt"]), expected);
        assert_eq!(judged(&Zone::default(), &[]), [], "not demanded where nothing is named");
        assert_eq!(judged(&Zone::default().txt(NAME, "v=TLSRPTv1; x"), &["--dmarc"]), [], "not looked at");
    }

    #[test]
    fn critical_several() {
        let zone = Zone::default()
            .txt(NAME, "v=TLSRPTv1; rua=mailto:a@b.c")
            .txt(NAME, "v=TLSRPTv1; rua=mailto:a@b.d");
        assert_eq!(
            judged(&zone, &[]),
            [(
                State::Critical,
                format!("{NAME}: 2 TLS-RPT records, so senders take none (RFC 8460 section 3)")
            )]
        );
    }

    #[test]
    fn critical_malformed() {
        for (text, words) in [
            ("v=TLSRPTv1;", "has nothing behind the version"),
            ("v=TLSRPTv1; x=1", "has no rua="),
            ("v=TLSRPTv1; rua=", "rua=\"\" is no URI: it lacks mailto:"),
            ("v=TLSRPTv1; rua=tls@example.org", "rua=\"tls@example.org\" is no URI: it lacks mailto:"),
            (
                "v=TLSRPTv1; rua=http://r.example/",
                "rua=\"http://r.example/\" has a scheme that receivers do not know",
            ),
            (
                "v=TLSRPTv1; rua=mailto:a@b.c!5m",
                "rua=\"mailto:a@b.c!5m\" has characters that must be percent-encoded",
            ),
            ("v=TLSRPTv1; rua=mailto:a@b.c; rua=mailto:a@b.c", "has rua= more than once"),
            ("v=TLSRPTv1; rua =mailto:a@b.c", "has a blank between \"rua\" and \"=\""),
        ] {
            let expected = [(State::Critical, format!("{NAME}: {words} (RFC 8460 section 3)"))];
            assert_eq!(record(text), expected, "{text}");
        }
        let half = record("v=TLSRPTv1; rua=mailto:a@b.c, nobody");
        assert_eq!(states_of(&half), [State::Critical, State::Ok]);
        let miss = record("v=TLSRPTv1 rua=mailto:a@b.c");
        assert!(
            miss[0].0 == State::Critical && miss[0].1.contains("\"v=TLSRPTv1 rua=mailto:a@b.c\" is none"),
            "{miss:?}"
        );
    }

    #[test]
    fn unknown_no_answer() {
        let zone = Zone::default().fails(NAME, Kind::Txt, Outcome::ServFail);
        assert_eq!(
            judged(&zone, &[]),
            [(State::Unknown, format!("cannot look up the TXT record of {NAME}: SERVFAIL"))]
        );
    }
}
