//! What a policy says, and whether the mail exchangers fit it.

use common::proto::dns::DomainName;
use common::report::{Metric, Report, State, some};

use super::policy::{Mode, Policy, PolicyError};

/// `sts_max_age`.
pub const STS_MAX_AGE: Metric =
    Metric::seconds("sts_max_age", "max_age of the MTA-STS policy: how long senders keep it");

/// The shortest time senders should keep a policy by our lights, and the longest there is
/// (RFC 8461 section 3.2), seconds.
const SHORT_AGE: u64 = 86_400;
const LONGEST_AGE: u64 = 31_557_600;

/// Hosts or errors that one sentence shows.
const SHOWN: usize = 5;

/// Judges the policy of a domain, as it was fetched, against the names of its mail exchangers.
/// With none of those nothing is said about them.
pub fn judge_policy(
    domain: &DomainName,
    policy: &Result<Policy, Vec<PolicyError>>,
    hosts: &[&str],
    report: &mut Report,
) {
    let subject = format!("mta-sts.{domain}");
    let policy = match policy {
        Ok(policy) => policy,
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let text = format!(
                "{subject}: no valid policy, so senders act as if there were none: {} (RFC 8461 section 3.2)",
                some(&errors, SHOWN)
            );
            report.find("sts_policy", State::Critical, text);
            report.record(&STS_MAX_AGE, None);
            return;
        }
    };
    // Ten digits are exact as a double.
    #[expect(clippy::cast_precision_loss, reason = "at most ten digits")]
    report.record(&STS_MAX_AGE, Some(policy.max_age as f64));
    report.find("sts", State::Ok, format!("MTA-STS {} for {} s", policy.mode, policy.max_age));
    for oddity in &policy.oddities {
        report.find(
            "sts_syntax",
            State::Warning,
            format!("{subject}: the policy {oddity} (RFC 8461 section 3.2)"),
        );
    }
    if policy.mode == Mode::None {
        let text =
            format!("{subject}: mode none, so senders act as if there were no policy (RFC 8461 section 5)");
        report.note("sts_mode", text);
        return;
    }
    if policy.mode == Mode::Testing {
        let text =
            format!("{subject}: mode testing, so senders report but deliver anyway (RFC 8461 section 5)");
        report.note("sts_mode", text);
    }
    judge_age(&subject, policy.max_age, report);
    judge_hosts(&subject, policy, hosts, report);
}

fn judge_age(subject: &str, max_age: u64, report: &mut Report) {
    if max_age < SHORT_AGE {
        let text = format!(
            "{subject}: max_age {max_age} s is less than a day, so that who blocks the policy for a while \
             switches it off (RFC 8461 section 10.2)"
        );
        report.find("sts_max_age", State::Warning, text);
    } else if max_age > LONGEST_AGE {
        let text =
            format!("{subject}: max_age {max_age} s is more than {LONGEST_AGE} (RFC 8461 section 3.2)");
        report.find("sts_max_age", State::Warning, text);
    }
}

fn judge_hosts(subject: &str, policy: &Policy, hosts: &[&str], report: &mut Report) {
    let missing: Vec<String> =
        hosts.iter().filter(|host| !policy.matches(host)).map(ToString::to_string).collect();
    if missing.is_empty() {
        return;
    }
    let (state, so) = match policy.mode {
        Mode::Enforce => (State::Critical, "senders do not deliver to"),
        Mode::Testing | Mode::None => (State::Warning, "with mode enforce senders would not deliver to"),
    };
    let text = format!(
        "{subject}: the policy does not name {}, {so} {} (RFC 8461 section 4.1)",
        some(&missing, SHOWN),
        if missing.len() == 1 { "it" } else { "them" }
    );
    report.find("sts_mx", state, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 2] = ["mx1.example.org", "mx2.example.org."];

    fn judged(file: &str, hosts: &[&str]) -> Report {
        let mut report = Report::new();
        judge_policy(&"example.org".parse().unwrap(), &Policy::parse(file.as_bytes()), hosts, &mut report);
        report
    }

    fn file(mode: &str, max_age: u64, mx: &str) -> String {
        format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {max_age}\n")
    }

    fn said(report: &Report) -> Vec<(State, &str)> {
        report.findings().into_iter().map(|finding| (finding.state, finding.text.as_str())).collect()
    }

    #[test]
    fn ok_enforced() {
        let report = judged(&file("enforce", 604_800, "*.example.org"), &HOSTS);
        assert_eq!(said(&report), [(State::Ok, "MTA-STS enforce for 604800 s")]);
        let [metric] = report.metrics() else { panic!("one metric") };
        assert_eq!((metric.label.as_str(), metric.value), ("sts_max_age", Some(604_800.0)));
    }

    #[test]
    fn ok_testing_and_none_are_notes() {
        let testing = judged(&file("testing", 86_400, "*.example.org"), &HOSTS);
        assert_eq!(said(&testing)[0], (State::Ok, "MTA-STS testing for 86400 s"));
        assert!(said(&testing)[1].1.contains("mode testing, so senders report but deliver anyway"));
        let none = judged(&file("none", 60, "other.example"), &HOSTS);
        assert_eq!(none.state(), State::Ok);
        assert!(said(&none)[1].1.contains("mode none, so senders act as if there were no policy"));
    }

    #[test]
    fn critical_exchanger_not_named() {
        let enforced = judged(&file("enforce", 604_800, "mx1.example.org"), &HOSTS);
        assert_eq!(
            said(&enforced)[0],
            (
                State::Critical,
                "mta-sts.example.org: the policy does not name mx2.example.org., senders do not deliver to it \
                 (RFC 8461 section 4.1)"
            )
        );
        let nobody = judged(&file("enforce", 604_800, "*.mx.example.org"), &HOSTS);
        assert!(
            said(&nobody)[0].1.contains("mx1.example.org, mx2.example.org., senders do not deliver to them")
        );
        assert_eq!(judged(&file("enforce", 604_800, "x.example"), &[]).state(), State::Ok);
    }

    #[test]
    fn warning_exchanger_not_named_while_testing() {
        let report = judged(&file("testing", 604_800, "mx1.example.org"), &HOSTS);
        assert_eq!(report.state(), State::Warning);
        assert!(said(&report)[0].1.contains("with mode enforce senders would not deliver to it"));
    }

    #[test]
    fn warning_max_age() {
        for (age, words) in [
            (86_399, "max_age 86399 s is less than a day"),
            (31_557_601, "max_age 31557601 s is more than 31557600"),
        ] {
            let report = judged(&file("enforce", age, "*.example.org"), &HOSTS);
            let [(State::Warning, said), (State::Ok, _)] = said(&report)[..] else { panic!("{report:?}") };
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(judged(&file("enforce", 31_557_600, "*.example.org"), &HOSTS).state(), State::Ok);
    }

    #[test]
    fn warning_odd_file() {
        let report = judged(&format!("{}\n", file("enforce", 604_800, "*.example.org")), &HOSTS);
        let odd = "mta-sts.example.org: the policy has empty lines, which the grammar does not know (RFC 8461 section 3.2)";
        assert_eq!(said(&report)[0], (State::Warning, odd));
    }

    #[test]
    fn critical_no_policy() {
        let report = judged("<html>\n", &HOSTS);
        assert_eq!(
            said(&report),
            [(
                State::Critical,
                "mta-sts.example.org: no valid policy, so senders act as if there were none: \"<html>\" is no field, \
                 has no version, has no mode, has no max_age (RFC 8461 section 3.2)"
            )]
        );
        assert_eq!(report.metrics()[0].value, None);
    }
}
