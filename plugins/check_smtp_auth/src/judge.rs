//! From the observation to states and sentences.

use common::net::{Phase, ProbeError, Trouble};
use common::plugin::{Plugin as _, Run, finding_of};
use common::proto::sasl::{FEWEST_ITERATIONS, Mechanism};
use common::proto::smtp::LineEnd;
use common::report::{Condition, Finding, Report, State, quote};

use crate::seen::{End, Said, Seen, Step};
use crate::{
    CheckSmtpAuth, MechanismChoice, TIME_AUTH, TIME_BANNER, TIME_CONNECT, TIME_DNS, TIME_EHLO, TIME_TLS,
};

/// How the session ended.
pub(crate) fn judge_end(options: &CheckSmtpAuth, seen: &Seen, run: &Run, report: &mut Report) {
    let state = |condition| run.states.state(condition);
    let finding = match &seen.end {
        End::Accepted => Finding::new("accepted", State::Ok, accepted(options, seen)),
        End::Failed(error) => failed(error, seen, run),
        End::Refused(Step::Auth, said) => login_refused(options, seen, said, run),
        End::Refused(step, said) => step_refused(*step, said, run),
        // The certificate's own findings say why.
        End::Untrusted => {
            Finding::new("untrusted", State::Ok, "login not tried: the certificate does not verify")
        }
        End::Injected(words) => Finding::new(
            "starttls_injection",
            state(Condition::Protocol),
            format!("plaintext injection: {} came unencrypted after the 220 to STARTTLS", quote(words)),
        )
        .with_hint(
            "somebody on the way, or a broken server, speaks into the TLS handshake; no password was sent",
        ),
        End::StarttlsNotOffered => starttls_missing(seen, run),
        End::AuthNotOffered => auth_missing(options, seen, run),
        End::MechanismNotOffered => mechanism_missing(options, seen, run),
        End::OnlyPlaintext => Finding::new(
            "only_plaintext",
            state(Condition::Usage),
            format!("no usable mechanism: without TLS {} would show the password", offered(seen)),
        )
        .with_hint("--tls starttls, or --allow-plaintext if the password may be seen"),
        End::NoBinding => Finding::new(
            "no_binding",
            state(Condition::Credential),
            format!("mechanism refused: {} cannot be tied to this TLS connection", mechanism_wanted(options)),
        )
        .with_hint("the server's certificate is signed in a way without a digest for tls-server-end-point"),
        End::BadChallenge(problem, said) => Finding::new(
            "bad_challenge",
            state(Condition::Protocol),
            format!("protocol violation in AUTH {}: {problem}: {}", mechanism(seen), quote(&said.words)),
        ),
    };
    report.add(located(finding, options, seen));
}

/// Names the place, unless the sentence does already.
fn located(mut finding: Finding, options: &CheckSmtpAuth, seen: &Seen) -> Finding {
    let target = options.target();
    let address = seen.address.map(|address| address.to_string()).unwrap_or_default();
    let named = |place: &str| !place.is_empty() && finding.text.contains(place);
    let tried = matches!(&seen.end, End::Failed(error) if error.trouble == Trouble::Local);
    if !named(&target) && !named(&address) && !tried {
        let place = match seen.address {
            Some(address) if target != address.to_string() => format!("{target} at {}", address.ip()),
            _ => target,
        };
        finding.text.push_str(&format!(" ({place})"));
    }
    finding
}

fn accepted(options: &CheckSmtpAuth, seen: &Seen) -> String {
    let way = match &seen.tls {
        Some(tls) => format!("over {}", tls.version),
        None => "without TLS".to_owned(),
    };
    format!("{} logged in to {} by {} {way}", who(options), options.target(), mechanism(seen))
}

fn failed(error: &ProbeError, seen: &Seen, run: &Run) -> Finding {
    let mut finding = finding_of(error, &run.states);
    // A hint is there already when bytes came, only too few.
    let silent =
        error.trouble == Trouble::Timeout && error.phase == Phase::WaitingForBanner && error.hint.is_none();
    if let (true, Some(address), Some(connect)) = (silent, seen.address, seen.times.connect) {
        finding.text.push_str(&format!(" ({address} accepted the connection in {:.1} ms)", connect * 1000.0));
        finding = finding.with_hint(
            "the port is open but nobody serves it: SASL back-end down, process limit reached, or TLS expected first",
        );
    }
    let tls_on_plain = error.trouble == Trouble::Protocol && error.phase == Phase::WaitingForBanner;
    if tls_on_plain && finding.hint.is_none() {
        finding = finding.with_hint("is this the port of the submission service?");
    }
    finding
}

/// A refusal before the login.
fn step_refused(step: Step, said: &Said, run: &Run) -> Finding {
    let words = quote(&said.words);
    let state =
        run.states.state(if said.code / 100 == 4 { Condition::Temporary } else { Condition::Protocol });
    let (id, text) = match (step, said.code / 100) {
        (Step::Banner, 4) => ("banner_refused", format!("temporary: server refuses to serve now: {words}")),
        (Step::Banner, 5) => ("banner_refused", format!("server refuses connections: {words}")),
        (Step::Banner, _) => ("banner_refused", format!("not an SMTP greeting: {words}")),
        (Step::Ehlo, 4) => ("ehlo_refused", format!("temporary: EHLO refused: {words}")),
        (Step::Ehlo, 5) => ("ehlo_refused", format!("EHLO refused, so there is no AUTH: {words}")),
        (Step::Ehlo, _) => ("ehlo_refused", format!("not an answer to EHLO: {words}")),
        (Step::Starttls, 4) => ("starttls_refused", format!("temporary: STARTTLS refused: {words}")),
        (Step::Starttls, _) => ("starttls_refused", format!("STARTTLS offered but refused: {words}")),
        (Step::Auth, _) => ("auth_refused", format!("AUTH refused: {words}")),
    };
    Finding::new(id, state, text)
}

/// The reply codes of AUTH: RFC 4954 sections 4 and 6, RFC 5248.
fn login_refused(options: &CheckSmtpAuth, seen: &Seen, said: &Said, run: &Run) -> Finding {
    let words = quote(&said.words);
    let mechanism = mechanism(seen);
    let of = |id: &'static str, condition: Condition, text: String| {
        Finding::new(id, run.states.state(condition), text)
    };
    match said.code {
        535 => rejected(options, seen, &words, run),
        534 => of("auth_too_weak", Condition::Credential, format!("login of {} refused by {}: {words}", who(options), options.target()))
            .with_hint("534 means a mechanism too weak for the account, or, at some providers, that an application password is needed"),
        504 | 538 => {
            of("mechanism_refused", Condition::Credential, format!("mechanism refused: AUTH {mechanism}: {words}"))
        }
        530 => of("tls_first", Condition::Credential, format!("server wants TLS first: {words}"))
            .with_hint("--tls starttls"),
        432 => of("password_transition", Condition::Temporary, format!("temporary: password transition needed: {words}"))
            .with_hint("log in once by PLAIN so that the server can store the password in its new form"),
        454 => of("auth_temporary", Condition::Temporary, format!("temporary: authentication failed for now: {words}"))
            .with_hint("454 comes from the server's authentication back-end, not from the password"),
        421 => of("closing", Condition::Temporary, format!("temporary: server closes during AUTH: {words}")),
        400..=499 => of("auth_temporary", Condition::Temporary, format!("temporary: AUTH {mechanism} refused: {words}")),
        500..=599 => of(
            "auth_refused",
            Condition::Credential,
            format!("AUTH {mechanism} failed with {}: {words}", said.code),
        ),
        // RFC 4954 section 4: success is 235 and nothing else.
        _ => of("protocol", Condition::Protocol, format!("protocol violation: AUTH {mechanism} answered {words}")),
    }
}

/// 535: the credentials themselves.
fn rejected(options: &CheckSmtpAuth, seen: &Seen, words: &str, run: &Run) -> Finding {
    let status = seen.token_status.as_ref().map(|status| format!(", token status {}", quote(status)));
    let status = status.unwrap_or_default();
    let text = format!("credentials of {} rejected by {}{status}: {words}", who(options), options.target());
    let finding = Finding::new("credentials_rejected", run.states.state(Condition::Credential), text);
    let chosen_scram =
        options.mech == MechanismChoice::Auto && seen.mechanism.is_some_and(Mechanism::is_scram);
    if chosen_scram {
        finding.with_hint(format!(
            "{} was chosen by itself; the account may lack SCRAM data, which --mech plain would tell",
            mechanism(seen)
        ))
    } else {
        finding
    }
}

/// The identity for a sentence; a certificate speaks for itself.
fn who(options: &CheckSmtpAuth) -> &str {
    if options.user().is_empty() { "the client certificate" } else { options.user() }
}

fn starttls_missing(seen: &Seen, run: &Run) -> Finding {
    let state = run.states.state(Condition::Certificate);
    let masked = seen.ehlo_before_tls.as_ref().and_then(|ehlo| ehlo.masked_keyword());
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

fn auth_missing(options: &CheckSmtpAuth, seen: &Seen, run: &Run) -> Finding {
    let finding =
        Finding::new("auth_missing", run.states.state(Condition::Credential), "AUTH is not offered");
    let needs_tls = !options.encrypts() && seen.ehlo.as_ref().is_some_and(|ehlo| ehlo.has("STARTTLS"));
    if needs_tls {
        finding.with_hint("the server offers STARTTLS and may offer AUTH after it: --tls starttls")
    } else {
        finding.with_hint("is this the submission port, and is the SASL back-end of the server running?")
    }
}

fn mechanism_missing(options: &CheckSmtpAuth, seen: &Seen, run: &Run) -> Finding {
    let wanted = match options.mech {
        MechanismChoice::Only(mechanism) => format!("{mechanism} is not offered"),
        MechanismChoice::Auto => "none of those offered can be used with what was given".to_owned(),
    };
    let text = format!("mechanism refused: {wanted}; offered: {}", offered(seen));
    Finding::new("mechanism_missing", run.states.state(Condition::Credential), text)
}

/// What is wrong or odd about the service whatever the login did.
pub(crate) fn judge_service(seen: &Seen, report: &mut Report) {
    if let Some(banner) = &seen.banner {
        if banner.masked {
            let text = format!("banner masked by a firewall: {}", quote(&banner.words));
            report.add(
                Finding::new("masked_banner", State::Warning, text)
                    .with_hint("SMTP inspection on the way strips STARTTLS and AUTH sooner or later"),
            );
        }
        if banner.line_end == LineEnd::BareLf {
            report.find(
                "bare_lf",
                State::Ok,
                "server ends lines with LF alone (RFC 5321 section 2.3.8 wants CR LF)",
            );
        }
    }
    if seen.ehlo.as_ref().is_some_and(|ehlo| ehlo.only_equals_form) {
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
    for attempt in &seen.failed_addresses {
        report.find(
            "address_failed",
            State::Ok,
            format!("{} failed first: {}", attempt.address, attempt.cause),
        );
    }
    if seen.closed_early {
        report.find("closed_early", State::Ok, "server closed the connection before QUIT");
    }
    let clear = seen.tls.is_none() && seen.mechanism.is_some_and(Mechanism::shows_secret);
    if clear {
        report.find(
            "password_in_clear",
            State::Ok,
            "the password went over the network in the clear (--allow-plaintext)",
        );
    }
}

/// Step times that apply to these options; those of steps not finished are unknown.
pub(crate) fn record_times(options: &CheckSmtpAuth, seen: &Seen, report: &mut Report) {
    let times = &seen.times;
    if options.target.hostname.address().is_none() {
        report.record(&TIME_DNS, times.dns);
    }
    report.record(&TIME_CONNECT, times.connect);
    if options.encrypts() {
        report.record(&TIME_TLS, times.tls);
    }
    report.record(&TIME_BANNER, times.banner);
    report.record(&TIME_EHLO, times.ehlo);
    report.record(&TIME_AUTH, times.auth);
}

/// Background for `-v`, `-vv` and `-vvv`.
pub(crate) fn describe(seen: &Seen, report: &mut Report) {
    if let Some(address) = seen.address {
        report.context(1, format!("address: {address}"));
    }
    if let Some(banner) = &seen.banner {
        report.context(1, format!("banner: {}", quote(&banner.words)));
    }
    if let Some(tls) = &seen.tls {
        report.context(1, format!("TLS: {} {} as {}", tls.version, tls.suite, tls.server_name));
    }
    if seen.ehlo.is_some() {
        report.context(1, format!("mechanisms: {}", offered(seen)));
    }
    for (when, ehlo) in [("before TLS", &seen.ehlo_before_tls), ("at login", &seen.ehlo)] {
        for (keyword, parameters) in ehlo.iter().flat_map(|ehlo| &ehlo.keywords) {
            report.context(2, format!("EHLO {when}: {keyword} {parameters}").trim_end());
        }
    }
    for line in &seen.transcript {
        report.context(3, line.clone());
    }
}

/// A number of things as a perfdata value.
pub(crate) fn count<T>(things: &[T]) -> f64 {
    // A reply has at most 512 lines, so the number is small.
    f64::from(u32::try_from(things.len()).unwrap_or(u32::MAX))
}

fn mechanism_wanted(options: &CheckSmtpAuth) -> &'static str {
    match options.mech {
        MechanismChoice::Only(mechanism) => mechanism.name(),
        MechanismChoice::Auto => "the mechanism",
    }
}

fn mechanism(seen: &Seen) -> &'static str {
    seen.mechanism.map_or("?", Mechanism::name)
}

fn offered(seen: &Seen) -> String {
    let list = seen.ehlo.as_ref().map(|ehlo| ehlo.mechanisms.join(" ")).unwrap_or_default();
    quote(if list.is_empty() { "none" } else { &list })
}
