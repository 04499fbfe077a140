//! From what the server said to states and sentences.

use std::net::IpAddr;

use common::net::Trouble;
use common::net::smtp::{Step, Stop};
use common::plugin::{Plugin as _, Run, judge_stop};
use common::proto::address::is_public;
use common::proto::smtp::{Cause, RecipientAnswer, Said};
use common::report::{Condition, Finding, Report, State, quote};

use crate::CheckSmtpRelay;
use crate::probes::Form;
use crate::seen::{Asked, Outcome, Seen, Session};

/// What an answer says about relaying.
enum Verdict<'a> {
    Open(&'a Said),
    Closed(&'a Said),
    /// Nothing, and why.
    NotProved(Condition, String, Option<&'static str>),
}

/// The server's answers, the one to the plain address first.
pub(crate) fn judge_probes(options: &CheckSmtpRelay, seen: &Seen, run: &Run, report: &mut Report) {
    if let Some(plain) = seen.asked(Form::Plain) {
        judge_plain(options, seen, plain, run, report);
    }
    if let Some(local) = seen.asked(Form::Local) {
        judge_local(options, local, run, report);
    }
    for asked in seen.probes.iter().filter(|asked| asked.form == Form::EmptySender) {
        judge_empty_sender(asked, run, report);
    }
    judge_control(seen, report);
    let is_closed =
        seen.asked(Form::Plain).is_some_and(|plain| matches!(verdict(plain, seen), Verdict::Closed(_)));
    for asked in seen.probes.iter().filter(|asked| asked.form.is_variant()) {
        judge_variant(asked, seen, is_closed, run, report);
    }
    judge_sessions(seen, run, report);
}

fn judge_plain(options: &CheckSmtpRelay, seen: &Seen, plain: &Asked, run: &Run, report: &mut Report) {
    let target = options.target();
    match verdict(plain, seen) {
        Verdict::Open(said) => {
            report.add(open_relay(plain, said, &target, seen));
            judge_data(seen, report);
        }
        Verdict::Closed(said) => {
            let asked = seen.probes.iter().filter(|asked| is_asked(asked)).count();
            let probes = if asked == 1 { "1 probe".to_owned() } else { format!("{asked} probes") };
            let text = format!(
                "{target} refuses to relay to {}: {} ({probes})",
                bare(&plain.recipient),
                quote(&said.words)
            );
            report.find("closed", State::Ok, text);
        }
        Verdict::NotProved(condition, why, hint) => {
            let text = format!("not proved that {target} refuses to relay: {why}");
            let finding = Finding::new("not_proved", run.states.state(condition), text);
            report.add(match hint {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            });
        }
    }
}

fn open_relay(asked: &Asked, said: &Said, target: &str, seen: &Seen) -> Finding {
    let text = format!(
        "open relay: {target} takes mail from {} for {}: {}",
        bare(&asked.sender),
        bare(&asked.recipient),
        quote(&said.words)
    );
    let finding = Finding::new("open_relay", State::Critical, text);
    if trusted_by_place(seen).is_some() {
        finding.with_hint("the server may trust this host alone: ask from outside before closing it in haste")
    } else {
        finding.with_hint(
            "Postfix: mynetworks, smtpd_relay_restrictions; Exim: +relay_from_hosts in acl_smtp_rcpt; \
             then look at the queue and at block lists",
        )
    }
}

/// What DATA would have done, with `--confirm-data`.
fn judge_data(seen: &Seen, report: &mut Report) {
    match &seen.data {
        Some(Outcome::Answered(said)) if said.code == 354 => {
            report.note(
                "data_accepted",
                format!("DATA accepted as well, and left before the message: {}", quote(&said.words)),
            );
        }
        Some(Outcome::Answered(said)) => {
            report.note("data_refused", format!("DATA refused: {}", quote(&said.words)));
        }
        Some(Outcome::Barred(step, said)) => {
            report.note(
                "data_not_tried",
                format!("DATA not tried, {step} refused the second time: {}", quote(&said.words)),
            );
        }
        Some(Outcome::Lost | Outcome::Skipped) => {
            report.note("data_not_tried", "DATA not answered: the session ended");
        }
        None => {}
    }
}

fn judge_local(options: &CheckSmtpRelay, local: &Asked, run: &Run, report: &mut Report) {
    let name = bare(&local.recipient);
    let said = match &local.outcome {
        Outcome::Answered(said) => said,
        Outcome::Barred(step, said) => {
            let text = format!(
                "not proved that {} takes mail for its own {name}: {step} refused: {}",
                options.target(),
                quote(&said.words)
            );
            let condition = if said.class() == 4 { Condition::Temporary } else { Condition::Incomplete };
            report.find("local_not_proved", run.states.state(condition), text);
            return;
        }
        // The session says why.
        Outcome::Lost | Outcome::Skipped => return,
    };
    let words = quote(&said.words);
    if local.is_taken() {
        report.note("local_accepted", format!("takes mail for {name}: {words}"));
        return;
    }
    let text = format!("{} refuses mail for its own {name}: {words}", options.target());
    report.add(match said.class() {
        4 => Finding::new("local_deferred", run.states.state(Condition::Temporary), text)
            .with_hint("a greylisting server takes it when it is asked again a few minutes later"),
        _ if said.cause().is_some() => {
            Finding::new("local_not_proved", run.states.state(Condition::Incomplete), text)
        }
        _ => Finding::new("local_refused", State::Critical, text),
    });
}

/// Whether the disguised addresses could have fooled the server at all.
fn judge_control(seen: &Seen, report: &mut Report) {
    let Some(control) = seen.asked(Form::Control) else { return };
    let domain = seen.local_domain.as_deref().unwrap_or_default();
    if control.is_taken() {
        let text = format!("takes any recipient in {domain} (catch-all): disguised addresses prove nothing");
        report.note("catch_all", text);
    } else if control.answer().map(RecipientAnswer::of) == Some(RecipientAnswer::RelayDenied) {
        let text = format!(
            "{domain} is not a domain of the server: disguised addresses prove little without --local-rcpt"
        );
        report.note("foreign_control", text);
    }
}

/// Nobody but a relay takes a foreign address, whoever sends; a server that refuses the sender
/// takes nothing.
fn judge_empty_sender(asked: &Asked, run: &Run, report: &mut Report) {
    match verdict_of_answer(asked) {
        Verdict::Open(said) => {
            let text = format!(
                "open relay for the empty sender: {}: {}",
                bare(&asked.recipient),
                quote(&said.words)
            );
            report.find("open_relay_empty_sender", State::Critical, text);
        }
        // A server that never takes the empty sender relays nothing for it.
        Verdict::NotProved(condition, why, _)
            if is_asked(asked)
                && !matches!(&asked.outcome, Outcome::Barred(_, said) if said.class() == 5) =>
        {
            let text = format!("not proved for the empty sender: {why}");
            report.find("empty_sender_not_proved", run.states.state(condition), text);
        }
        Verdict::Closed(_) | Verdict::NotProved(..) => {}
    }
}

/// What is left open here matters only where the plain address is settled.
fn judge_variant(asked: &Asked, seen: &Seen, is_closed: bool, run: &Run, report: &mut Report) {
    let way = asked.form.words();
    match verdict_of_answer(asked) {
        Verdict::Open(said) => {
            let text = format!("possible relay via {way} {}: {}", bare(&asked.recipient), quote(&said.words));
            let refused = |control: &Asked| {
                control.answer().is_some_and(|said| {
                    said.class() == 5 || RecipientAnswer::of(said) == RecipientAnswer::RelayDenied
                })
            };
            let hint = if seen.asked(Form::Control).is_some_and(refused) {
                "the server refuses a random recipient of its own and takes this one: it may pass it on"
            } else {
                "it is not known whether the server takes everything in its domain: the random recipient got no answer that tells"
            };
            report.add(Finding::new("variant_accepted", State::Warning, text).with_hint(hint));
        }
        // Odd addresses are bad syntax to some.
        Verdict::NotProved(Condition::Protocol, ..)
            if asked.answer().is_some_and(|said| said.class() == 5) => {}
        Verdict::NotProved(condition, why, _) if is_closed && is_asked(asked) => {
            report.find(
                "variant_not_proved",
                run.states.state(condition),
                format!("not proved for {way}: {why}"),
            );
        }
        Verdict::Closed(_) | Verdict::NotProved(..) => {}
    }
}

/// Sessions that ended early, and what was left because of that.
fn judge_sessions(seen: &Seen, run: &Run, report: &mut Report) {
    let lost = seen.probes.iter().filter(|asked| asked.outcome == Outcome::Lost).count();
    let nothing = seen.probes.len() == lost;
    let stopped = seen.sessions.iter().rev().find_map(|session| Some((session, session.stopped.as_ref()?)));
    match stopped {
        Some((session, stop)) if nothing => report.add(judge_stop(stop, &session.opening, run)),
        Some((session, stop)) if lost > 0 => {
            let why = judge_stop(stop, &session.opening, run);
            let text = format!("{lost} of {} probes not answered: {}", seen.probes.len(), why.text);
            let state = match stop {
                Stop::Failed(error) if matches!(error.trouble, Trouble::Timeout | Trouble::Protocol) => {
                    why.state
                }
                Stop::Refused(_, said) if said.class() == 4 => why.state,
                _ => run.states.state(Condition::Incomplete),
            };
            report.add(
                Finding::new("incomplete", state, text).with_hint("--max-errors asks less in one session"),
            );
        }
        _ if lost > 0 => {
            let text = format!("{lost} of {} probes not made", seen.probes.len());
            report.find("incomplete", run.states.state(Condition::Incomplete), text);
        }
        _ => {}
    }
    if let Some(place) = trusted_by_place(seen) {
        report.note(
            "trusted_client",
            format!("asked from {place}, which the server may trust: strangers may be treated differently"),
        );
    }
}

/// The verdict on the plain address. A server that refuses its own recipient too may refuse us
/// altogether, and then says nothing about relaying, unless it says so in words.
fn verdict<'a>(plain: &'a Asked, seen: &Seen) -> Verdict<'a> {
    let verdict = verdict_of_answer(plain);
    let local_refused =
        seen.asked(Form::Local).is_some_and(|local| local.answer().is_some_and(|said| said.class() == 5));
    match verdict {
        Verdict::Closed(said)
            if local_refused && RecipientAnswer::of(said) != RecipientAnswer::RelayDenied =>
        {
            let why = format!("it refuses its own recipient as well: {}", quote(&said.words));
            Verdict::NotProved(
                Condition::Incomplete,
                why,
                Some("is --local-rcpt right, and this host welcome there?"),
            )
        }
        other => other,
    }
}

fn verdict_of_answer(asked: &Asked) -> Verdict<'_> {
    let unproved = |why: &str, said: &Said, hint| {
        Verdict::NotProved(Condition::Incomplete, format!("{why}: {}", quote(&said.words)), hint)
    };
    let said = match &asked.outcome {
        Outcome::Answered(said) => said,
        Outcome::Barred(_, said) if said.class() == 4 => {
            let why = format!("the sender is deferred: {}", quote(&said.words));
            return Verdict::NotProved(Condition::Temporary, why, Some(ANOTHER_SENDER));
        }
        // RFC 4954 section 6: mail is taken after a login only.
        Outcome::Barred(_, said) if said.code == 530 && !said.wants_tls() => return Verdict::Closed(said),
        Outcome::Barred(step, said) => {
            return match said.cause() {
                Some(cause @ (Cause::Client | Cause::Server | Cause::Tls)) => unrelated(cause, said),
                _ if *step == Step::Rset => unproved("RSET is refused", said, None),
                Some(Cause::Sender) | None => unproved("the sender is refused", said, Some(ANOTHER_SENDER)),
            };
        }
        Outcome::Lost | Outcome::Skipped => {
            return Verdict::NotProved(Condition::Incomplete, "not answered".to_owned(), None);
        }
    };
    match RecipientAnswer::of(said) {
        RecipientAnswer::Accepted | RecipientAnswer::Forwarded | RecipientAnswer::Unverified => {
            Verdict::Open(said)
        }
        RecipientAnswer::RelayDenied => Verdict::Closed(said),
        RecipientAnswer::Greylisted => {
            let why = format!("greylisted: {}", quote(&said.words));
            Verdict::NotProved(
                Condition::Temporary,
                why,
                Some("ask again in a few minutes, with the same addresses"),
            )
        }
        RecipientAnswer::Deferred => {
            let why = format!("deferred: {}", quote(&said.words));
            Verdict::NotProved(Condition::Temporary, why, None)
        }
        RecipientAnswer::OutOfPlace => Verdict::NotProved(
            Condition::Protocol,
            format!("not an answer to RCPT: {}", quote(&said.words)),
            None,
        ),
        RecipientAnswer::MailboxFull => {
            unproved("the server knows the recipient", said, Some(ANOTHER_RECIPIENT))
        }
        RecipientAnswer::Unrelated(cause) => unrelated(cause, said),
        _ if is_about_domain(said) => {
            unproved("the address is refused, not the relaying", said, Some(ANOTHER_RECIPIENT))
        }
        RecipientAnswer::Refused | RecipientAnswer::UnknownUser
            if matches!(said.code, 501 | 530 | 550 | 551 | 553 | 554) =>
        {
            Verdict::Closed(said)
        }
        RecipientAnswer::Refused | RecipientAnswer::UnknownUser => {
            unproved("it is not told why the recipient is refused", said, Some(ANOTHER_RECIPIENT))
        }
    }
}

/// A refusal for a reason that is not the recipient.
fn unrelated(cause: Cause, said: &Said) -> Verdict<'_> {
    let (why, hint) = match cause {
        Cause::Client => ("the server refuses this client", Some(ANOTHER_PLACE)),
        Cause::Sender => ("the sender is refused", Some(ANOTHER_SENDER)),
        Cause::Tls => ("the server wants TLS first", Some("leave --tls none away")),
        Cause::Server => ("the server has troubles of its own", None),
    };
    Verdict::NotProved(Condition::Incomplete, format!("{why}: {}", quote(&said.words)), hint)
}

const ANOTHER_SENDER: &str = "--mail-from with an address of yours in a domain that takes mail";
const ANOTHER_RECIPIENT: &str =
    "--rcpt-to with an address of yours elsewhere, in a domain that exists and takes mail";
const ANOTHER_PLACE: &str =
    "ask from an address that is on no block list and has a good reverse name, or give --helo";

/// The server looked at the domains of the addresses and went no further: no such domain
/// (5.1.2), one that takes no mail (5.1.10; RFC 7505), one that does not know the user.
fn is_about_domain(said: &Said) -> bool {
    let words = said.words.to_ascii_lowercase();
    matches!(said.enhanced(), Some((_, 1, 2 | 10)))
        || ["domain not found", "nullmx", "null mx", "unresolvable", "undeliverable", "unverified address"]
            .iter()
            .any(|phrase| words.contains(phrase))
}

/// Our address, where a server is likely to trust it: its own, or one of a private network.
fn trusted_by_place(seen: &Seen) -> Option<IpAddr> {
    let session: &Session = seen.sessions.first()?;
    let (ours, theirs) = (session.ours?.ip(), session.opening.address?.ip());
    let inside = ours == theirs || !is_public(ours) && !is_public(theirs);
    inside.then_some(ours)
}

/// Whether the server said something to a probe.
pub(crate) const fn is_asked(asked: &Asked) -> bool {
    matches!(asked.outcome, Outcome::Answered(_) | Outcome::Barred(..))
}

/// A path without its brackets, as operators write it; the empty one keeps them.
pub(crate) fn bare(path: &str) -> &str {
    let inside = path.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inside.filter(|inside| !inside.is_empty()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use common::net::smtp::Opening;
    use common::net::{Phase, ProbeError};
    use common::proto::smtp::LineEnd;
    use common::report::StateTable;

    const CLOSED: &str = "454 4.7.1 <x@y.example>: Relay access denied";
    const TAKEN: &str = "250 2.1.5 Ok";
    const UNKNOWN: &str = "550 5.1.1 User unknown";

    fn said(words: &str) -> Said {
        let code = words[..3].parse().unwrap();
        Said { code, words: words.to_owned(), masked: false, line_end: LineEnd::CrLf }
    }

    fn probe(form: Form, outcome: Outcome) -> Asked {
        Asked { form, sender: "<a@out.example>".into(), recipient: "<x@y.example>".into(), outcome }
    }

    fn seen(answers: &[(Form, &str)]) -> Seen {
        let probes = answers.iter().map(|(form, words)| probe(*form, Outcome::Answered(said(words))));
        Seen { local_domain: Some("lab.test".into()), probes: probes.collect(), ..Seen::nothing() }
    }

    fn judged(seen: &Seen) -> (State, String) {
        let options = CheckSmtpRelay::try_parse_from(["check_smtp_relay", "-H", "mail.example"]).unwrap();
        let states = StateTable::new(CheckSmtpRelay::CONDITIONS);
        let report = options.evaluate(seen, &Run { taken_at: 0, states });
        let first = report.findings().first().map(|finding| finding.text.clone()).unwrap_or_default();
        (report.state(), first)
    }

    fn plain(words: &str) -> (State, String) {
        judged(&seen(&[(Form::Plain, words)]))
    }

    #[test]
    fn unknown_nothing_seen() {
        assert_eq!(judged(&Seen::nothing()).0, State::Unknown);
    }

    #[test]
    fn ok_refused_because_it_is_foreign() {
        for words in [
            CLOSED,
            "550 relay not permitted",
            "554 5.7.1 Relay access denied",
            "530 5.7.0 Authentication required",
        ] {
            let (state, text) = plain(words);
            assert_eq!(state, State::Ok, "{words}");
            assert_eq!(
                text,
                format!("mail.example:25 refuses to relay to x@y.example: \"{words}\" (1 probe)")
            );
        }
    }

    #[test]
    fn critical_taken() {
        for words in [TAKEN, "251 will forward", "252 cannot verify"] {
            assert_eq!(plain(words).0, State::Critical, "{words}");
        }
        let empty = seen(&[(Form::Plain, CLOSED), (Form::EmptySender, TAKEN)]);
        assert_eq!(judged(&empty).0, State::Critical);
    }

    #[test]
    fn unknown_refused_for_another_reason() {
        for words in [
            "450 4.2.0 Greylisted",
            "451 4.3.0 lookup failure",
            "552 5.2.2 Mailbox is full",
            "530 5.7.0 Must issue a STARTTLS command first",
            "550 5.1.2 no such domain",
            "550 5.7.1 Client host blocked using zen.example",
            "554 5.7.1 Client host [192.0.2.1] blocked using dnsbl.example; open relay",
            "451 relay2.example: temporary lookup failure",
            "450 4.2.0 <x@y.example>: Greylisted by relay03",
            "550 Sender verify failed",
            "554 5.7.1 <a@out.example>: Sender address rejected: Access denied",
            "554 5.3.0 internal error",
            "550 5.7.10 Encryption required",
            "550 5.7.1 rate limit",
            "571 no",
        ] {
            assert_eq!(plain(words).0, State::Unknown, "{words}");
        }
    }

    #[test]
    fn warning_variant_taken_and_control_refused() {
        let answers = [(Form::Control, UNKNOWN), (Form::Plain, CLOSED), (Form::Bang, TAKEN)];
        assert_eq!(judged(&seen(&answers)).0, State::Warning);
    }

    #[test]
    fn ok_variants_of_a_catch_all_are_not_asked() {
        let mut all = seen(&[(Form::Control, TAKEN), (Form::Plain, CLOSED)]);
        all.probes.push(probe(Form::Percent, Outcome::Skipped));
        assert_eq!(judged(&all).0, State::Ok);
    }

    #[test]
    fn unknown_variant_put_off() {
        let answers = [(Form::Plain, CLOSED), (Form::Percent, "451 4.7.1 Greylisted")];
        assert_eq!(judged(&seen(&answers)).0, State::Unknown);
    }

    #[test]
    fn critical_own_recipient_refused() {
        let (state, text) = judged(&seen(&[(Form::Local, UNKNOWN), (Form::Plain, CLOSED)]));
        assert_eq!((state, text.contains("refuses mail for its own")), (State::Critical, true));
    }

    #[test]
    fn unknown_sender_refused_or_deferred() {
        for words in ["550 5.1.8 no such domain", "450 4.1.8 no such domain", "554 blocked"] {
            let mut barred = seen(&[]);
            barred.probes.push(probe(Form::Plain, Outcome::Barred(Step::MailFrom, said(words))));
            assert_eq!(judged(&barred).0, State::Unknown, "{words}");
        }
    }

    #[test]
    fn unknown_or_worse_probes_left() {
        let mut left = seen(&[(Form::Plain, CLOSED)]);
        left.probes.push(probe(Form::Percent, Outcome::Lost));
        assert_eq!(judged(&left), (State::Unknown, "1 of 2 probes not made".into()));
        let error = ProbeError::new(Trouble::Unreachable, Phase::Querying, "connection reset");
        let stopped = Some(Stop::Failed(error));
        left.sessions.push(Session { opening: Opening::default(), ours: None, stopped });
        assert_eq!(judged(&left), (State::Unknown, "1 of 2 probes not answered: connection reset".into()));
        left.probes = vec![probe(Form::Plain, Outcome::Lost)];
        assert_eq!(judged(&left).0, State::Critical, "there was no answer at all");
    }
}
