//! What plugins that speak SMTP say of a server before their own question.

use super::{Run, finding_of};
use crate::net::smtp::{Opening, Step, Stop};
use crate::net::tls::TlsSeen;
use crate::net::{Phase, ProbeError, Trouble};
use crate::proto::smtp::{LineEnd, Said};
use crate::report::{Condition, Finding, Report, State, quote};

/// Why a conversation did not get to its work.
#[must_use]
pub fn judge_stop(stop: &Stop, opening: &Opening, run: &Run) -> Finding {
    let state = |condition| run.states.state(condition);
    match stop {
        Stop::Failed(error) => failed(error, opening, run),
        Stop::Refused(refused_step, said) => refused(*refused_step, said, run),
        Stop::StarttlsNotOffered => starttls_missing(opening, run),
        Stop::Injected(words) => Finding::new(
            "starttls_injection",
            state(Condition::Protocol),
            format!("plaintext injection: {} came unencrypted after the 220 to STARTTLS", quote(words)),
        )
        .with_hint(
            "somebody on the way, or a broken server, speaks into the TLS handshake; no password was sent",
        ),
        Stop::Untrusted => {
            let why = opening.tls.as_ref().and_then(TlsSeen::distrust).unwrap_or("it cannot be judged");
            let text = format!("nothing tried: the certificate does not verify: {why}");
            Finding::new("untrusted", state(Condition::Certificate), text)
        }
    }
}

fn failed(error: &ProbeError, opening: &Opening, run: &Run) -> Finding {
    let mut finding = finding_of(error, &run.states);
    // A hint is there already when bytes came, only too few.
    let silent =
        error.trouble == Trouble::Timeout && error.phase == Phase::WaitingForBanner && error.hint.is_none();
    if let (true, Some(address), Some(connect)) = (silent, opening.address, opening.times.connect) {
        finding.text.push_str(&format!(" ({address} accepted the connection in {:.1} ms)", connect * 1000.0));
        finding = finding.with_hint(
            "the port is open but nobody serves it: SASL back-end down, process limit reached, or TLS expected first",
        );
    }
    let other_protocol = error.trouble == Trouble::Protocol && error.phase == Phase::WaitingForBanner;
    if other_protocol && finding.hint.is_none() {
        finding = finding.with_hint("is this the port of the mail service?");
    }
    finding
}

/// The server said no before the work.
fn refused(step: Step, said: &Said, run: &Run) -> Finding {
    let words = quote(&said.words);
    let state = run.states.state(if said.class() == 4 { Condition::Temporary } else { Condition::Protocol });
    let (id, text) = match (step, said.class()) {
        (Step::Banner, 4) => ("banner_refused", format!("temporary: server refuses to serve now: {words}")),
        (Step::Banner, 5) => ("banner_refused", format!("server refuses connections: {words}")),
        (Step::Banner, _) => ("banner_refused", format!("not an SMTP greeting: {words}")),
        (Step::Ehlo, 4) => ("ehlo_refused", format!("temporary: EHLO refused: {words}")),
        (Step::Ehlo, 5) => ("ehlo_refused", format!("EHLO refused: {words}")),
        (Step::Ehlo, _) => ("ehlo_refused", format!("not an answer to EHLO: {words}")),
        (Step::Starttls, 4) => ("starttls_refused", format!("temporary: STARTTLS refused: {words}")),
        (Step::Starttls, _) => ("starttls_refused", format!("STARTTLS offered but refused: {words}")),
        (Step::Auth | Step::MailFrom | Step::RcptTo | Step::Rset, 4) => {
            ("refused", format!("temporary: {step} refused: {words}"))
        }
        (Step::Auth | Step::MailFrom | Step::RcptTo | Step::Rset, _) => {
            ("refused", format!("{step} refused: {words}"))
        }
    };
    Finding::new(id, state, text)
}

fn starttls_missing(opening: &Opening, run: &Run) -> Finding {
    let state = run.states.state(Condition::Certificate);
    let masked = opening.ehlo_before_tls.as_ref().and_then(|ehlo| ehlo.masked_keyword());
    match masked {
        Some(keyword) => Finding::new(
            "starttls_filtered",
            state,
            format!("STARTTLS filtered by a middlebox: the server's EHLO shows {}", quote(keyword)),
        )
        .with_hint("switch off SMTP inspection (fixup, ESMTP inspect) on the firewall"),
        None => Finding::new("starttls_missing", state, "STARTTLS is required and not offered")
            .with_hint("--tls implicit for a port that speaks TLS from the start"),
    }
}

/// What is wrong or odd about a server before anything was asked of it.
pub fn judge_opening(opening: &Opening, report: &mut Report) {
    if let Some(banner) = &opening.banner {
        if banner.masked {
            let text = format!("banner masked by a firewall: {}", quote(&banner.words));
            report.add(
                Finding::new("masked_banner", State::Warning, text)
                    .with_hint("SMTP inspection on the way strips STARTTLS and AUTH sooner or later"),
            );
        }
        if banner.line_end == LineEnd::BareLf {
            report.note("bare_lf", "server ends lines with LF alone (RFC 5321 section 2.3.8 wants CR LF)");
        }
    }
    if let Some(cause) = &opening.tls_given_up {
        report.add(
            Finding::new(
                "starttls_broken",
                State::Warning,
                format!("STARTTLS is offered and fails: {cause}"),
            )
            .with_hint("senders that insist on TLS cannot deliver here; the rest was asked in the clear"),
        );
    }
    if let Some(said) = &opening.ehlo_refused {
        report.note("helo_only", format!("EHLO refused, HELO accepted: {}", quote(&said.words)));
    }
    for attempt in &opening.failed_addresses {
        report.note("address_failed", format!("{} failed first: {}", attempt.address, attempt.cause));
    }
}

/// The same for one of several servers, whose name stands in front.
pub fn judge_opening_of(place: &str, opening: &Opening, report: &mut Report) {
    let mut own = Report::new();
    judge_opening(opening, &mut own);
    for finding in own.findings() {
        report.add(Finding { text: format!("{place}: {}", finding.text), ..finding.clone() });
    }
}

/// Background for `-v` and `-vv`.
pub fn describe_opening(opening: &Opening, report: &mut Report) {
    if let Some(address) = opening.address {
        report.context(1, format!("address: {address}"));
    }
    if let Some(banner) = &opening.banner {
        report.context(1, format!("banner: {}", quote(&banner.words)));
    }
    if let Some(tls) = &opening.tls {
        report.context(1, format!("TLS: {} {} as {}", tls.version, tls.suite, tls.server_name));
    }
    for (when, ehlo) in [("before TLS", &opening.ehlo_before_tls), ("at work", &opening.ehlo)] {
        for (keyword, parameters) in ehlo.iter().flat_map(|ehlo| &ehlo.keywords) {
            report.context(2, format!("EHLO {when}: {keyword} {parameters}").trim_end());
        }
    }
    for line in &opening.transcript {
        report.context(3, line.clone());
    }
}
