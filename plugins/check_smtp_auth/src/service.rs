//! What is right or odd about the service beside the login itself, and its values.

use common::net::tls::TlsSeen;
use common::plugin::{describe_opening, judge_opening};
use common::proto::sasl::{FEWEST_ITERATIONS, Mechanism};
use common::report::{Finding, Report, State, format_number, quote};

use crate::judge::offered;
use crate::options::Policy;
use crate::seen::{End, Injection, Seen, Session};
use crate::{
    ADDRESSES, ADDRESSES_FAILED, CheckSmtpAuth, MECHS, TIME_AUTH, TIME_BANNER, TIME_CONNECT, TIME_DNS,
    TIME_EHLO, TIME_TLS,
};

/// What is wrong or odd about the service whatever the login did.
pub(crate) fn judge_service(options: &CheckSmtpAuth, seen: &Session, report: &mut Report) {
    judge_opening(&seen.opening, report);
    if seen.opening.ehlo.as_ref().is_some_and(|ehlo| ehlo.only_equals_form) {
        let text = "mechanisms are offered only in the obsolete form AUTH=, which standard clients ignore";
        report.find("auth_equals_only", State::Warning, text);
    }
    if let Some(iterations) = seen.iterations.filter(|iterations| *iterations < FEWEST_ITERATIONS) {
        let text =
            format!("server stretches passwords by only {iterations} iterations, below {FEWEST_ITERATIONS}");
        report.add(
            Finding::new("few_iterations", State::Warning, text).with_hint(
                "RFC 7677 section 4 asks for at least 4096; whoever sees a login can guess offline",
            ),
        );
    }
    judge_expectations(options, seen, report);
    if let Some(said) = seen.withdrawn.as_ref().filter(|_| seen.end == End::Accepted) {
        report.note("withdrawn", format!("after the login the server said {}", quote(&said.words)));
    }
    if seen.closed_early {
        report.note("closed_early", "server closed the connection before QUIT");
    }
    let clear = seen.opening.tls.is_none() && seen.mechanism.is_some_and(Mechanism::shows_secret);
    if clear {
        report
            .note("password_in_clear", "the password went over the network in the clear (--allow-plaintext)");
    }
}

/// Mechanisms and rules the operator asked for, where the session got that far.
fn judge_expectations(options: &CheckSmtpAuth, seen: &Session, report: &mut Report) {
    let expect = &options.expect;
    if let Some(ehlo) = &seen.opening.ehlo {
        let offered = |name: &String| ehlo.mechanisms.iter().any(|one| one.eq_ignore_ascii_case(name));
        let missing: Vec<&str> =
            expect.require_mech.iter().filter(|name| !offered(name)).map(String::as_str).collect();
        if !missing.is_empty() {
            let text = format!("required mechanism not offered: {}", missing.join(" "));
            report.find("required_mechanism", State::Warning, text);
        }
        let forbidden: Vec<&str> =
            expect.forbid_mech.iter().filter(|name| offered(name)).map(String::as_str).collect();
        if !forbidden.is_empty() {
            let text = format!("forbidden mechanism offered: {}", forbidden.join(" "));
            report.find("forbidden_mechanism", State::Warning, text);
        }
    }
    if expect.has(Policy::NoPlaintextAuth) {
        judge_plaintext_auth(seen, report);
    }
    if let (Some(limit), Some(time)) = (expect.greet_warning, seen.opening.times.banner)
        && time > limit.0.as_secs_f64()
    {
        let text =
            format!("greeting took {time:.1} s, warning above {}", format_number(limit.0.as_secs_f64()));
        report.find("slow_greeting", State::Warning, text);
    }
}

fn judge_plaintext_auth(seen: &Session, report: &mut Report) {
    if let Some(said) = seen.auth_before_tls.as_ref().filter(|said| said.code == 334) {
        let text =
            format!("policy no-plaintext-auth: the server begins AUTH before TLS: {}", quote(&said.words));
        report.add(
            Finding::new("plaintext_auth", State::Critical, text)
                .with_hint("Postfix: smtpd_tls_auth_only = yes; Dovecot: disable_plaintext_auth = yes"),
        );
    }
    let offered =
        seen.opening.ehlo_before_tls.as_ref().map(|ehlo| ehlo.mechanisms.join(" ")).unwrap_or_default();
    if !offered.is_empty() {
        let text = format!("policy no-plaintext-auth: AUTH is offered before TLS: {}", quote(&offered));
        report.find("plaintext_auth_offered", State::Warning, text);
    }
}

/// What became of the command glued behind STARTTLS.
pub(crate) fn judge_injection(injection: &Injection, report: &mut Report) {
    match injection {
        Injection::Discarded => {
            report.note("injection_discarded", "a command glued behind STARTTLS is discarded");
        }
        Injection::Executed(words) => report.add(
            Finding::new(
                "injection_executed",
                State::Critical,
                format!("server executes plaintext injected behind STARTTLS: {}", quote(words)),
            )
            .with_hint("CVE-2011-0411: update the server"),
        ),
        Injection::NotTried(cause) => {
            let text = format!("injection behind STARTTLS could not be tried: {cause}");
            report.find("injection_not_tried", State::Unknown, text);
        }
    }
}

/// Times of a run: those of the slowest session, and unknown if one of them lacks it.
pub(crate) fn record_times(options: &CheckSmtpAuth, seen: &Seen, report: &mut Report) {
    let slowest = |of: fn(&Session) -> Option<f64>| {
        let values: Option<Vec<f64>> = seen.sessions.iter().map(of).collect();
        values?.into_iter().reduce(f64::max)
    };
    if options.looks_up() {
        report.record(&TIME_DNS, seen.dns);
    }
    report.record(&TIME_CONNECT, slowest(|session| session.opening.times.connect));
    if options.encrypts() {
        report.record(&TIME_TLS, slowest(|session| session.opening.times.tls));
    }
    report.record(&TIME_BANNER, slowest(|session| session.opening.times.banner));
    report.record(&TIME_EHLO, slowest(|session| session.opening.times.ehlo));
    report.record(&TIME_AUTH, slowest(|session| session.auth_time));
}

/// Mechanisms and addresses.
pub(crate) fn record_counts(options: &CheckSmtpAuth, seen: &Seen, report: &mut Report) {
    let fewest =
        seen.sessions.iter().map(|session| session.opening.ehlo.as_ref().map(|ehlo| ehlo.mechanisms.len()));
    report.record_count(&MECHS, fewest.min().flatten());
    if options.transport.all_addresses {
        let failed = seen.sessions.iter().filter(|session| session.end != End::Accepted).count();
        let known = seen.unresolved.is_none();
        report.record_count(&ADDRESSES, known.then_some(seen.sessions.len()));
        report.record_count(&ADDRESSES_FAILED, known.then_some(failed));
    }
}

/// The handshake to judge of several: an untrusted one first, then the one that ends first.
pub(crate) fn weakest_tls(seen: &Seen) -> Option<&TlsSeen> {
    let shown = seen.sessions.iter().filter_map(|session| session.opening.tls.as_ref());
    shown.min_by_key(|tls| (tls.trusted(), tls.not_after))
}

/// Background for `-v`, `-vv` and `-vvv`.
pub(crate) fn describe(seen: &Session, report: &mut Report) {
    if seen.opening.ehlo.is_some() {
        report.context(1, format!("mechanisms: {}", offered(seen)));
    }
    describe_opening(&seen.opening, report);
}
