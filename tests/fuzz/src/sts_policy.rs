//! Policies of MTA-STS, as any web server may send them: one is read or refused with a reason, means
//! the same when it is printed and read again, and no exchanger fits that it does not name.

use check_mail_policy::fuzz::{Mode, Policy, judge_policy};
use common::report::{Report, State};

const HOSTS: [&str; 3] = ["mail.example.org", "mx1.mail.example.org.", "a.b.example.net"];

/// Bytes that may be added to a file on its way through other line ends.
const LIMIT: usize = 64 * 1024;

/// The target.
pub fn run(data: &[u8]) {
    let parsed = Policy::parse(data);
    let mut report = Report::new();
    judge_policy(&"example.org".parse().expect("a name"), &parsed, &HOSTS, &mut report);
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
    assert!(report.findings().len() < 16);
    match &parsed {
        Err(errors) => {
            assert!(!errors.is_empty());
            assert_eq!(report.state(), State::Critical, "what is no policy protects nobody");
        }
        Ok(policy) => {
            let again = Policy::parse(policy.to_string().as_bytes()).expect("what was read can be read");
            assert_eq!(again, Policy { oddities: Vec::new(), ..policy.clone() });
            let fits = HOSTS.iter().all(|host| policy.matches(host));
            let is_lost = policy.mode == Mode::Enforce && !fits;
            assert_eq!(report.state() == State::Critical, is_lost, "enforced against an exchanger");
            assert!(!policy.matches("") && !policy.matches("*.example.org"));
            assert!(policy.mode == Mode::None || !policy.mx.is_empty());
        }
    }
    if !data.contains(&b'\r') && data.len() < LIMIT / 2 {
        let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
        assert_eq!(Policy::parse(&lines.join(&b"\r\n"[..])), parsed, "either end of a line");
    }
}
