//! How a session ended: from its last reply to a state and a sentence.

use common::net::Trouble;
use common::net::smtp::{Step, Stop};
use common::plugin::{Plugin as _, Run, judge_stop};
use common::proto::sasl::Mechanism;
use common::proto::smtp::Said;
use common::report::{Condition, Finding, Report, State, quote};

use crate::options::Expect;
use crate::seen::{End, Session};
use crate::{CheckSmtpAuth, MechanismChoice};

/// How the logins ended: one, or one at each address.
pub(crate) fn judge_sessions(options: &CheckSmtpAuth, sessions: &[Session], run: &Run, report: &mut Report) {
    let all_in = sessions.len() > 1 && sessions.iter().all(|session| session.end == End::Accepted);
    match sessions.first() {
        Some(first) if all_in && options.expect.expect == Expect::Success => {
            let text = format!("{} at all {} addresses", accepted(options, first), sessions.len());
            report.find("accepted", State::Ok, text);
        }
        _ => sessions.iter().for_each(|session| report.add(judge_session(options, session, run))),
    }
}

fn judge_session(options: &CheckSmtpAuth, seen: &Session, run: &Run) -> Finding {
    let finding = match options.expect.expect {
        Expect::Success => judge_end(options, seen, run),
        Expect::Reject => rejection(who(options), seen).unwrap_or_else(|| judge_end(options, seen, run)),
    };
    located(finding, options, seen)
}

/// The login that must be rejected, tried beside the real one.
pub(crate) fn judge_reject(user: &str, seen: &Session, report: &mut Report) {
    report.add(rejection(user, seen).unwrap_or_else(|| {
        let text = format!("login of {user} that must be rejected proved nothing: {}", short_end(seen));
        Finding::new("reject_not_proved", State::Unknown, text)
    }));
}

/// Whether a login was rejected as it must be; `None` when the session ended elsewhere.
fn rejection(user: &str, seen: &Session) -> Option<Finding> {
    match &seen.end {
        End::Accepted | End::NoSmtpUtf8 | End::Stopped(Stop::Refused(Step::MailFrom | Step::RcptTo, _)) => {
            Some(
                Finding::new(
                    "accepted_wrongly",
                    State::Critical,
                    format!("login of {user} accepted, it must be rejected"),
                )
                .with_hint("the server may accept any password"),
            )
        }
        End::Stopped(Stop::Refused(Step::Auth, said)) => {
            let words = quote(&said.words);
            // 525: account disabled, 534: too weak, 535: credentials invalid (RFC 4954, 5248).
            Some(if matches!(said.code, 525 | 534 | 535) {
                Finding::new(
                    "rejected_rightly",
                    State::Ok,
                    format!("login of {user} rejected as it must be: {words}"),
                )
            } else {
                let text =
                    format!("login of {user} neither accepted nor rejected, nothing is proved: {words}");
                Finding::new("reject_not_proved", State::Unknown, text)
            })
        }
        _ => None,
    }
}

/// A few words on an end that is not the subject.
fn short_end(seen: &Session) -> String {
    match &seen.end {
        End::Stopped(Stop::Refused(_, said)) | End::BadChallenge(_, said) => quote(&said.words),
        End::Stopped(stop @ (Stop::Failed(_) | Stop::Untrusted)) => stop.to_string(),
        _ => "no login could be tried".to_owned(),
    }
}

fn judge_end(options: &CheckSmtpAuth, seen: &Session, run: &Run) -> Finding {
    let state = |condition| run.states.state(condition);
    match &seen.end {
        End::Accepted => Finding::new("accepted", State::Ok, accepted(options, seen)),
        End::Stopped(Stop::Refused(Step::Auth, said)) => login_refused(options, seen, said, run),
        End::Stopped(Stop::Refused(step @ (Step::MailFrom | Step::RcptTo), said)) => {
            envelope_refused(*step, said, run)
        }
        End::Stopped(stop) => judge_stop(stop, &seen.opening, run),
        End::NoSmtpUtf8 => Finding::new(
            "no_smtputf8",
            state(Condition::Protocol),
            "logged in, but SMTPUTF8 is not offered, which the mailbox needs",
        ),
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
    }
}

/// Names the place, unless the sentence does already.
fn located(mut finding: Finding, options: &CheckSmtpAuth, seen: &Session) -> Finding {
    let target = options.target();
    let address = seen.opening.address.map(|address| address.to_string()).unwrap_or_default();
    let named = |place: &str| !place.is_empty() && finding.text.contains(place);
    let tried = matches!(&seen.end, End::Stopped(Stop::Failed(error)) if error.trouble == Trouble::Local);
    // Of several addresses the sentence must say which.
    let target_is_enough = named(&target) && !options.transport.all_addresses;
    if !target_is_enough && !named(&address) && !tried {
        let place = match seen.opening.address {
            Some(address) if target != address.to_string() => format!("{target} at {}", address.ip()),
            _ => target,
        };
        finding.text.push_str(&format!(" ({place})"));
    }
    finding
}

fn accepted(options: &CheckSmtpAuth, seen: &Session) -> String {
    let way = match &seen.opening.tls {
        Some(tls) => format!("over {}", tls.version),
        None => "without TLS".to_owned(),
    };
    format!("{} logged in to {} by {} {way}", who(options), options.target(), mechanism(seen))
}

/// A refusal after the login was accepted.
fn envelope_refused(step: Step, said: &Said, run: &Run) -> Finding {
    let what = if step == Step::MailFrom { "sender" } else { "recipient" };
    let words = quote(&said.words);
    match said.code / 100 {
        4 => Finding::new(
            "envelope_refused",
            run.states.state(Condition::Temporary),
            format!("temporary: logged in, but the {what} is refused for now: {words}"),
        ),
        _ => Finding::new(
            "envelope_refused",
            run.states.state(Condition::Credential),
            format!("logged in, but the {what} is refused: {words}"),
        ),
    }
}

/// The reply codes of AUTH: RFC 4954 sections 4 and 6, RFC 5248.
fn login_refused(options: &CheckSmtpAuth, seen: &Session, said: &Said, run: &Run) -> Finding {
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
fn rejected(options: &CheckSmtpAuth, seen: &Session, words: &str, run: &Run) -> Finding {
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

fn auth_missing(options: &CheckSmtpAuth, seen: &Session, run: &Run) -> Finding {
    let finding =
        Finding::new("auth_missing", run.states.state(Condition::Credential), "AUTH is not offered");
    let needs_tls =
        !options.encrypts() && seen.opening.ehlo.as_ref().is_some_and(|ehlo| ehlo.has("STARTTLS"));
    if needs_tls {
        finding.with_hint("the server offers STARTTLS and may offer AUTH after it: --tls starttls")
    } else {
        finding.with_hint("is this the submission port, and is the SASL back-end of the server running?")
    }
}

fn mechanism_missing(options: &CheckSmtpAuth, seen: &Session, run: &Run) -> Finding {
    let wanted = match options.mech {
        MechanismChoice::Only(mechanism) => format!("{mechanism} is not offered"),
        MechanismChoice::Auto => "none of those offered can be used with what was given".to_owned(),
    };
    let text = format!("mechanism refused: {wanted}; offered: {}", offered(seen));
    Finding::new("mechanism_missing", run.states.state(Condition::Credential), text)
}

fn mechanism_wanted(options: &CheckSmtpAuth) -> &'static str {
    match options.mech {
        MechanismChoice::Only(mechanism) => mechanism.name(),
        MechanismChoice::Auto => "the mechanism",
    }
}

fn mechanism(seen: &Session) -> &'static str {
    seen.mechanism.map_or("?", Mechanism::name)
}

pub(crate) fn offered(seen: &Session) -> String {
    let list = seen.opening.ehlo.as_ref().map(|ehlo| ehlo.mechanisms.join(" ")).unwrap_or_default();
    quote(if list.is_empty() { "none" } else { &list })
}
