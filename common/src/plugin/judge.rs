//! Judgements that several plugins share.

use super::Run;
use crate::cli::CertificateArgs;
use crate::net::tls::TlsSeen;
use crate::report::{Condition, Finding, Report, State};

const DAY: i64 = 86_400;

/// Judges a server's certificate: chain, name, dates, days left. Returns the days left of
/// the certificate that ends first, rounded down.
///
/// A certificate that was not judged (`--insecure`) still warns about its days.
pub fn judge_certificate(
    report: &mut Report,
    tls: &TlsSeen,
    limits: &CertificateArgs,
    run: &Run,
) -> Option<f64> {
    let state = run.states.state(Condition::Certificate);
    if let Some(problem) = &tls.chain_problem {
        let issuer = tls.chain.first().map(|leaf| leaf.issuer.as_str()).unwrap_or_default();
        let text = format!("{problem} (issuer {})", crate::report::quote(issuer));
        report.add(
            Finding::new("certificate_chain", state, text)
                .with_hint("--ca-file FILE trusts a CA of your own; an incomplete chain is mended on the server"),
        );
    }
    if let Some(problem) = &tls.name_problem {
        report.add(
            Finding::new("certificate_name", state, problem.clone())
                .with_hint("--sni NAME checks against another name than the host's"),
        );
    }
    let end = tls.not_after?;
    let days = (end - run.taken_at).div_euclid(DAY);
    if tls.not_before.is_some_and(|begin| begin > run.taken_at) {
        report.add(Finding::new("certificate_dates", state, "certificate is not valid yet"));
    }
    let text = match days {
        ..0 => format!("certificate expired {}", count(-days, "day") + " ago"),
        _ => format!("certificate expires in {}", count(days, "day")),
    };
    if days < 0 {
        report.find("certificate_dates", state, text);
    } else if days <= i64::from(limits.cert_critical) {
        report.find("certificate_days", State::Critical, format!("{text}, limit {}", limits.cert_critical));
    } else if days <= i64::from(limits.cert_warning) {
        report.find("certificate_days", State::Warning, format!("{text}, limit {}", limits.cert_warning));
    }
    for (index, one) in tls.chain.iter().enumerate() {
        let days = (one.not_after - run.taken_at).div_euclid(DAY);
        report.context(
            1,
            format!("certificate {index}: {} issued by {}, {days} days left", one.subject, one.issuer),
        );
    }
    // i32 days reach further than certificates do, and are exact as a double.
    Some(f64::from(i32::try_from(days).unwrap_or(i32::MAX)))
}

fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::StateTable;

    const NOW: i64 = 1_800_000_000;
    const LIMITS: CertificateArgs = CertificateArgs { cert_warning: 21, cert_critical: 7 };

    fn seen(days: i64) -> TlsSeen {
        TlsSeen {
            version: "TLSv1.3".into(),
            suite: "TLS13_AES_256_GCM_SHA384".into(),
            server_name: "mail.example".into(),
            chain: Vec::new(),
            judged: true,
            chain_problem: None,
            name_problem: None,
            not_after: Some(NOW + days * DAY + 60),
            not_before: Some(NOW - DAY),
            dates_valid: days >= 0,
        }
    }

    fn judged(tls: &TlsSeen) -> (Report, Option<f64>) {
        let mut report = Report::new();
        let run = Run { taken_at: NOW, states: StateTable::default() };
        let days = judge_certificate(&mut report, tls, &LIMITS, &run);
        (report, days)
    }

    fn only(tls: &TlsSeen) -> (State, String) {
        let (report, _) = judged(tls);
        let finding = report.findings()[0];
        (finding.state, finding.text.clone())
    }

    #[test]
    fn ok_days_left() {
        let (report, days) = judged(&seen(22));
        assert!(report.findings().is_empty());
        assert_eq!(days, Some(22.0));
    }

    #[test]
    fn warning_and_critical_at_the_limits() {
        assert_eq!(only(&seen(21)), (State::Warning, "certificate expires in 21 days, limit 21".into()));
        assert_eq!(only(&seen(7)), (State::Critical, "certificate expires in 7 days, limit 7".into()));
        assert_eq!(only(&seen(-1)), (State::Critical, "certificate expired 1 day ago".into()));
    }

    #[test]
    fn critical_not_yet_valid() {
        let mut early = seen(90);
        early.not_before = Some(NOW + 1);
        assert_eq!(only(&early).1, "certificate is not valid yet");
    }

    #[test]
    fn critical_name_and_chain_are_told_apart() {
        let mut bad = seen(90);
        bad.chain_problem = Some("certificate chain does not lead to x".into());
        bad.name_problem = Some("certificate is not for a but for b".into());
        let (report, _) = judged(&bad);
        let ids: Vec<&str> = report.findings().iter().map(|f| f.id.as_ref()).collect();
        assert_eq!(ids, ["certificate_chain", "certificate_name"]);
        assert_eq!(report.state(), State::Critical);
    }
}
