//! Judgements that several plugins share.

use super::Run;
use crate::cli::CertificateArgs;
use crate::net::tls::TlsSeen;
use crate::report::{Condition, Finding, Metric, Perfdata, Report, quote};

const DAY: i64 = 86_400;

/// Days left of the certificate that ends first.
pub const CERT_DAYS: Metric = Metric::number("cert_days", "days left of the certificate that ends first");

/// Judges a server's certificate (chain, name, dates, days left) and measures its days,
/// rounded down. `None`: the handshake was never reached.
///
/// A certificate that was not judged (`--insecure`) still warns about its days.
pub fn judge_certificate(report: &mut Report, tls: Option<&TlsSeen>, limits: &CertificateArgs, run: &Run) {
    let days_left = |end: i64| (end - run.taken_at).div_euclid(DAY);
    let days = tls.and_then(|tls| tls.not_after).map(days_left);
    // i32 days reach further than certificates do, and are exact as a double.
    let value = days.map(|days| f64::from(i32::try_from(days).unwrap_or(i32::MAX)));
    let thresholds = limits.thresholds();
    report.push(Perfdata::new(&CERT_DAYS, value, thresholds));

    let Some(tls) = tls else { return };
    judge_trust(report, tls, run);
    if let (Some(days), Some(value)) = (days, value) {
        let text = match days {
            ..0 => format!("certificate expired {} ago", count(-days, "day")),
            _ => format!("certificate expires in {}", count(days, "day")),
        };
        if days < 0 {
            report.find("certificate_dates", run.states.state(Condition::Certificate), text);
        } else if let Some(range) = thresholds.deciding(value) {
            let state = thresholds.judge(value);
            let limit =
                format!("{} below {}", state.name().to_lowercase(), range.to_string().trim_end_matches(':'));
            report.find("certificate_days", state, format!("{text}, {limit}"));
        }
    }
    for (index, one) in tls.chain.iter().enumerate() {
        let days = days_left(one.not_after);
        let line = format!("certificate {index}: {} issued by {}, {days} days left", one.subject, one.issuer);
        report.context(1, line);
    }
}

/// Chain, name and begin of validity.
fn judge_trust(report: &mut Report, tls: &TlsSeen, run: &Run) {
    let state = run.states.state(Condition::Certificate);
    if let Some(problem) = &tls.chain_problem {
        let issuer = tls.chain.first().map(|leaf| leaf.issuer.as_str()).unwrap_or_default();
        let text = format!("{problem} (issuer {})", quote(issuer));
        let finding = Finding::new("certificate_chain", state, text);
        // Some problems name their own way out.
        report.add(if problem.contains(" --") {
            finding
        } else {
            finding.with_hint(
                "--ca-file FILE trusts a CA of your own; an incomplete chain is mended on the server",
            )
        });
    }
    if let Some(problem) = &tls.name_problem {
        report.add(
            Finding::new("certificate_name", state, problem.clone())
                .with_hint("--sni NAME checks against another name than the host's"),
        );
    }
    if tls.not_before.is_some_and(|begin| begin > run.taken_at) {
        report.find("certificate_dates", state, "certificate is not valid yet");
    }
    if matches!(tls.version.as_str(), "TLSv1.0" | "TLSv1.1") {
        report.note("tls_version_old", format!("{} is deprecated (RFC 8996)", tls.version));
    }
    if !tls.judged {
        report.note("certificate_unverified", "certificate not verified (--insecure)");
    }
}

fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{State, StateTable};

    const NOW: i64 = 1_800_000_000;
    const LIMITS: CertificateArgs = CertificateArgs { cert_warning: None, cert_critical: None };

    fn seen(days: i64) -> TlsSeen {
        TlsSeen {
            version: "TLSv1.3".into(),
            suite: "TLS_AES_256_GCM_SHA384".into(),
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

    fn judged(tls: &TlsSeen) -> Report {
        let mut report = Report::new();
        let run = Run { taken_at: NOW, states: StateTable::default() };
        judge_certificate(&mut report, Some(tls), &LIMITS, &run);
        report
    }

    fn only(tls: &TlsSeen) -> (State, String) {
        let report = judged(tls);
        let finding = report.findings()[0];
        (finding.state, finding.text.clone())
    }

    #[test]
    fn ok_days_left() {
        let report = judged(&seen(21));
        assert!(report.findings().is_empty());
        assert_eq!(report.metrics()[0].render("cert_days"), "cert_days=21;21:;7:");
    }

    #[test]
    fn warning_and_critical_at_the_limits() {
        assert_eq!(
            only(&seen(20)),
            (State::Warning, "certificate expires in 20 days, warning below 21".into())
        );
        assert_eq!(
            only(&seen(6)),
            (State::Critical, "certificate expires in 6 days, critical below 7".into())
        );
        assert_eq!(only(&seen(-1)), (State::Critical, "certificate expired 1 day ago".into()));
    }

    #[test]
    fn unknown_days_without_a_handshake() {
        let mut report = Report::new();
        judge_certificate(&mut report, None, &LIMITS, &Run { taken_at: NOW, states: StateTable::default() });
        assert_eq!(report.metrics()[0].render("cert_days"), "cert_days=U;21:;7:");
        assert!(report.findings().is_empty());
    }

    #[test]
    fn critical_not_yet_valid() {
        let mut early = seen(90);
        early.not_before = Some(NOW + 1);
        assert_eq!(only(&early).1, "certificate is not valid yet");
    }

    #[test]
    fn note_old_version() {
        let old = TlsSeen { version: "TLSv1.0".into(), ..seen(90) };
        assert_eq!(only(&old), (State::Ok, "TLSv1.0 is deprecated (RFC 8996)".into()));
    }

    #[test]
    fn critical_name_and_chain_are_told_apart() {
        let mut bad = seen(90);
        bad.chain_problem = Some("certificate chain does not lead to x".into());
        bad.name_problem = Some("certificate is not for a but for b".into());
        let report = judged(&bad);
        let ids: Vec<&str> = report.findings().iter().map(|f| f.id.as_ref()).collect();
        assert_eq!(ids, ["certificate_chain", "certificate_name"]);
        assert_eq!(report.state(), State::Critical);
    }
}
