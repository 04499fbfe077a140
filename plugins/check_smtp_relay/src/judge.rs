//! From what the server said to states and sentences.

use std::net::IpAddr;

use common::net::smtp::Stop;
use common::net::{Phase, Trouble};
use common::plugin::{Run, judge_opening, judge_opening_of, judge_stop};
use common::proto::address::is_public;
use common::proto::smtp::{RecipientAnswer, Said};
use common::report::{Condition, Finding, Report, State, quote};

use crate::CheckSmtpRelay;
use crate::probes::Form;
use crate::seen::{Asked, Outcome, Seen, Server, Session};
use crate::verdict::{Doubt, Verdict};

/// Addresses whose words stand in the line that sums up.
const MOST_QUOTED: usize = 3;

/// What each address of the host showed.
pub(crate) fn judge_servers(options: &CheckSmtpRelay, seen: &Seen, run: &Run, report: &mut Report) {
    let asked: Vec<IpAddr> =
        seen.servers.iter().filter(|one| one.unreached().is_none()).map(|one| one.address.ip()).collect();
    // Of equals the first one found stands in the first line.
    let (open, others): (Vec<&Server>, Vec<&Server>) = seen.servers.iter().partition(|one| one.is_open());
    let mut closed = Vec::new();
    for server in open.into_iter().chain(others) {
        let judge = Judge { run, server, place: Place::of(options, seen, server) };
        match server.unreached() {
            Some((session, stop)) if !asked.is_empty() => {
                report.add(judge.unreached(session, stop, &asked));
            }
            _ => closed.extend(judge.probes(report)),
        }
    }
    add_closed(options, seen, &closed, report);
    if seen.left_out > 0 {
        let text = format!(
            "{} further addresses of {} were not asked, there are too many",
            seen.left_out, options.target.hostname
        );
        let finding = Finding::new("left_out", run.states.state(Condition::Incomplete), text);
        report.add(finding.with_hint("-4, -6 or single addresses as -H, in several services"));
    }
}

/// What is odd about the servers, whatever they say of recipients.
pub(crate) fn judge_openings(options: &CheckSmtpRelay, seen: &Seen, report: &mut Report) {
    for server in &seen.servers {
        let Some(session) = server.sessions.first() else { continue };
        match Place::of(options, seen, server) {
            Place::Host(_) => judge_opening(&session.opening, report),
            Place::Address(place) => judge_opening_of(&place, &session.opening, report),
        }
    }
}

/// Where something was asked, for sentences.
pub(crate) enum Place {
    /// The host, which has one address only.
    Host(String),
    /// The host with one of its addresses.
    Address(String),
}

impl Place {
    /// The place of a server among those of a run.
    pub(crate) fn of(options: &CheckSmtpRelay, seen: &Seen, server: &Server) -> Self {
        let target = options.target.shown(options.port());
        if seen.servers.len() > 1 {
            Self::Address(format!("{target} [{}]", server.address.ip()))
        } else {
            Self::Host(target)
        }
    }

    /// Its name in a sentence.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Host(name) | Self::Address(name) => name,
        }
    }

    /// A sentence that does not name the host, with the address where there are several.
    pub(crate) fn says(&self, text: String) -> String {
        match self {
            Self::Host(_) => text,
            Self::Address(name) => format!("{name}: {text}"),
        }
    }
}

/// An address that refuses to relay.
struct Closed<'a> {
    server: &'a Server,
    place: Place,
    recipient: &'a str,
    said: &'a Said,
}

/// The sentence about all addresses that refuse to relay.
fn add_closed(options: &CheckSmtpRelay, seen: &Seen, closed: &[Closed<'_>], report: &mut Report) {
    let Some(first) = closed.first() else { return };
    let asked = closed.iter().flat_map(|one| &one.server.probes).filter(|asked| asked.is_asked()).count();
    let probes = if asked == 1 { "1 probe".to_owned() } else { format!("{asked} probes") };
    let recipient = bare(first.recipient);
    let text = match closed {
        [one] => {
            let (name, words) = (one.place.name(), quote(&one.said.words));
            format!("{name} refuses to relay to {recipient}: {words} ({probes})")
        }
        several => {
            let quoted = |one: &Closed<'_>| format!("{} {}", one.server.address.ip(), quote(&one.said.words));
            let places = if several.len() > MOST_QUOTED {
                format!("{} of {} addresses", several.len(), seen.servers.len())
            } else {
                several.iter().map(quoted).collect::<Vec<_>>().join(", ")
            };
            let target = options.target.shown(options.port());
            format!("{target} refuses to relay to {recipient} at {places} ({probes})")
        }
    };
    report.find("closed", State::Ok, text);
}

struct Judge<'a> {
    run: &'a Run,
    server: &'a Server,
    place: Place,
}

impl<'a> Judge<'a> {
    /// The server's answers, the one to the plain address first.
    fn probes(self, report: &mut Report) -> Option<Closed<'a>> {
        let plain = self.server.asked(Form::Plain);
        let verdict = plain.map(|plain| (plain, self.plain_verdict(plain)));
        let is_closed = matches!(&verdict, Some((_, verdict)) if verdict.is_closed());
        let closed = verdict.and_then(|(plain, verdict)| self.plain(plain, verdict, report));
        if let Some(local) = self.server.asked(Form::Local) {
            self.local(local, report);
        }
        for asked in self.server.probes.iter().filter(|asked| asked.form == Form::EmptySender) {
            self.empty_sender(asked, report);
        }
        self.control(report);
        for asked in self.server.probes.iter().filter(|asked| asked.form.is_variant()) {
            self.variant(asked, is_closed, report);
        }
        self.sessions(report);
        let Self { server, place, .. } = self;
        closed.map(|(recipient, said)| Closed { server, place, recipient, said })
    }

    /// The verdict on the plain address. A server that refuses its own recipient too may refuse us
    /// altogether, and then says nothing about relaying, unless it says so in words.
    fn plain_verdict(&self, plain: &'a Asked) -> Verdict<'a> {
        let local = self.server.asked(Form::Local);
        let local_refused = local.is_some_and(|local| local.answer().is_some_and(|said| said.class() == 5));
        match Verdict::of(plain) {
            Verdict::Refused(said) if local_refused => Verdict::NotProved(Doubt {
                condition: Condition::Incomplete,
                why: format!("it refuses its own recipient as well: {}", quote(&said.words)),
                hint: Some("is --local-rcpt right, and this host welcome there?"),
            }),
            other => other,
        }
    }

    /// The recipient and the answer, where that one is refused as it should be.
    fn plain(
        &self,
        plain: &'a Asked,
        verdict: Verdict<'a>,
        report: &mut Report,
    ) -> Option<(&'a str, &'a Said)> {
        match verdict {
            Verdict::Denied(said) | Verdict::Refused(said) => return Some((&plain.recipient, said)),
            Verdict::Open(said) => {
                report.add(self.open_relay(plain, said));
                self.data(report);
            }
            Verdict::NotProved(Doubt { condition, why, hint }) => {
                let text = format!("not proved that {} refuses to relay: {why}", self.place.name());
                let finding = Finding::new("not_proved", self.run.states.state(condition), text);
                report.add(match hint {
                    Some(hint) => finding.with_hint(hint),
                    None => finding,
                });
            }
        }
        None
    }

    fn open_relay(&self, asked: &Asked, said: &Said) -> Finding {
        let text = format!(
            "open relay: {} takes mail from {} for {}: {}",
            self.place.name(),
            bare(&asked.sender),
            bare(&asked.recipient),
            quote(&said.words)
        );
        Finding::new("open_relay", State::Critical, text).with_hint(if self.trusted_by_place().is_some() {
            "the server may trust this host alone: ask from outside before closing it in haste"
        } else {
            "Postfix: mynetworks, smtpd_relay_restrictions; Exim: +relay_from_hosts in acl_smtp_rcpt; \
             then look at the queue and at block lists"
        })
    }

    /// What DATA would have done, with `--confirm-data`.
    fn data(&self, report: &mut Report) {
        let (id, text) = match &self.server.data {
            Some(Outcome::Answered(said)) if said.code == 354 => (
                "data_accepted",
                format!("DATA accepted as well, and left before the message: {}", quote(&said.words)),
            ),
            Some(Outcome::Answered(said)) => {
                ("data_refused", format!("DATA refused: {}", quote(&said.words)))
            }
            Some(Outcome::Barred(step, said)) => (
                "data_not_tried",
                format!("DATA not tried, {step} refused the second time: {}", quote(&said.words)),
            ),
            Some(Outcome::Lost | Outcome::Skipped) => {
                ("data_not_tried", "DATA not answered: the session ended".to_owned())
            }
            None => return,
        };
        report.note(id, self.place.says(text));
    }

    fn local(&self, local: &Asked, report: &mut Report) {
        let (name, host) = (bare(&local.recipient), self.place.name());
        let said = match &local.outcome {
            Outcome::Answered(said) => said,
            Outcome::Barred(step, said) => {
                let text = format!(
                    "not proved that {host} takes mail for its own {name}: {step} refused: {}",
                    quote(&said.words)
                );
                let condition = if said.class() == 4 { Condition::Temporary } else { Condition::Incomplete };
                report.find("local_not_proved", self.run.states.state(condition), text);
                return;
            }
            // The session says why.
            Outcome::Lost | Outcome::Skipped => return,
        };
        let words = quote(&said.words);
        if local.is_taken() {
            report.note("local_accepted", self.place.says(format!("takes mail for {name}: {words}")));
            return;
        }
        let text = format!("{host} refuses mail for its own {name}: {words}");
        report.add(match said.class() {
            4 => Finding::new("local_deferred", self.run.states.state(Condition::Temporary), text)
                .with_hint("a greylisting server takes it when it is asked again a few minutes later"),
            _ if said.cause().is_some() => {
                Finding::new("local_not_proved", self.run.states.state(Condition::Incomplete), text)
            }
            _ => Finding::new("local_refused", State::Critical, text),
        });
    }

    /// Whether the disguised addresses could have fooled the server at all.
    fn control(&self, report: &mut Report) {
        let Some(control) = self.server.asked(Form::Control) else { return };
        let domain = self.server.local_domain.as_deref().unwrap_or_default();
        let (id, text) = if control.is_taken() {
            (
                "catch_all",
                format!("takes any recipient in {domain} (catch-all): disguised addresses prove nothing"),
            )
        } else if control.answer().map(RecipientAnswer::of) == Some(RecipientAnswer::RelayDenied) {
            (
                "foreign_control",
                format!(
                    "{domain} is not a domain of the server: disguised addresses prove little without --local-rcpt"
                ),
            )
        } else {
            return;
        };
        report.note(id, self.place.says(text));
    }

    /// Nobody but a relay takes a foreign address, whoever sends; a server that refuses the sender
    /// takes nothing.
    fn empty_sender(&self, asked: &Asked, report: &mut Report) {
        match Verdict::of(asked) {
            Verdict::Open(said) => {
                let text = format!(
                    "open relay for the empty sender: {}: {}",
                    bare(&asked.recipient),
                    quote(&said.words)
                );
                report.find("open_relay_empty_sender", State::Critical, self.place.says(text));
            }
            // A server that never takes the empty sender relays nothing for it.
            Verdict::NotProved(Doubt { condition, why, .. })
                if asked.is_asked()
                    && !matches!(&asked.outcome, Outcome::Barred(_, said) if said.class() == 5) =>
            {
                let text = self.place.says(format!("not proved for the empty sender: {why}"));
                report.find("empty_sender_not_proved", self.run.states.state(condition), text);
            }
            Verdict::Denied(_) | Verdict::Refused(_) | Verdict::NotProved(_) => {}
        }
    }

    /// What is left open here matters only where the plain address is settled.
    fn variant(&self, asked: &Asked, is_closed: bool, report: &mut Report) {
        let way = asked.form.words();
        match Verdict::of(asked) {
            Verdict::Open(said) => report.add(self.variant_taken(asked, said)),
            // Odd addresses are bad syntax to some.
            Verdict::NotProved(Doubt { condition: Condition::Protocol, .. })
                if asked.answer().is_some_and(|said| said.class() == 5) => {}
            Verdict::NotProved(Doubt { condition, why, .. }) if is_closed && asked.is_asked() => {
                let text = self.place.says(format!("not proved for {way}: {why}"));
                report.find("variant_not_proved", self.run.states.state(condition), text);
            }
            Verdict::Denied(_) | Verdict::Refused(_) | Verdict::NotProved(_) => {}
        }
    }

    /// A server that takes one disguised address, and what that means beside its answer to the
    /// random recipient: whoever takes that takes everything in its domain.
    fn variant_taken(&self, asked: &Asked, said: &Said) -> Finding {
        let (way, recipient, words) = (asked.form.words(), bare(&asked.recipient), quote(&said.words));
        let control = self.server.asked(Form::Control).map(|control| &control.outcome);
        let is_refused =
            |said: &Said| said.class() == 5 || RecipientAnswer::of(said) == RecipientAnswer::RelayDenied;
        let hint = match control {
            // It ends in a foreign domain: no catch-all of the server's own takes it.
            _ if !asked.form.ends_at_server() => {
                "the server reads the route and takes mail for a domain that is not its own"
            }
            Some(Outcome::Answered(said)) if is_refused(said) => {
                "the server refuses a random recipient of its own and takes this one: it may pass it on"
            }
            other => {
                let (condition, why) = match other {
                    Some(Outcome::Answered(said) | Outcome::Barred(_, said)) => {
                        let condition =
                            if said.class() == 4 { Condition::Temporary } else { Condition::Incomplete };
                        (condition, quote(&said.words))
                    }
                    _ => (Condition::Incomplete, "no answer".to_owned()),
                };
                let text = format!(
                    "not proved for {way}: {recipient} is taken, {words}, and so may be any local recipient: {why}"
                );
                let state = self.run.states.state(condition);
                return Finding::new("variant_not_proved", state, self.place.says(text))
                    .with_hint("the random recipient stays the same: a greylisting server answers it later");
            }
        };
        let text = self.place.says(format!("possible relay via {way} {recipient}: {words}"));
        Finding::new("variant_accepted", State::Warning, text).with_hint(hint)
    }

    /// Sessions that ended early, and what was left because of that.
    fn sessions(&self, report: &mut Report) {
        let (server, run) = (self.server, self.run);
        let lost = server.probes.iter().filter(|asked| asked.outcome == Outcome::Lost).count();
        let nothing = server.probes.len() == lost;
        let stopped =
            server.sessions.iter().rev().find_map(|session| Some((session, session.stopped.as_ref()?)));
        match stopped {
            Some((session, stop)) if nothing => report.add(self.stopped(session, stop)),
            Some((session, stop)) if lost > 0 => {
                let why = judge_stop(stop, &session.opening, run);
                let text = format!("{lost} of {} probes not answered: {}", server.probes.len(), why.text);
                let state = match stop {
                    Stop::Failed(error) if matches!(error.trouble, Trouble::Timeout | Trouble::Protocol) => {
                        why.state
                    }
                    Stop::Refused(_, said) if said.class() == 4 => why.state,
                    _ => run.states.state(Condition::Incomplete),
                };
                report.add(
                    Finding::new("incomplete", state, self.place.says(text))
                        .with_hint("--max-errors asks less in one session"),
                );
            }
            _ if lost > 0 || server.probes.is_empty() => {
                let text = self.place.says(format!("{lost} of {} probes not made", server.probes.len()));
                report.find("incomplete", run.states.state(Condition::Incomplete), text);
            }
            _ => {}
        }
        if let Some(ours) = self.trusted_by_place() {
            let text = format!(
                "asked from {ours}, which the server may trust: strangers may be treated differently"
            );
            report.note("trusted_client", self.place.says(text));
        }
    }

    /// Why nothing was asked.
    fn stopped(&self, session: &Session, stop: &Stop) -> Finding {
        let finding = judge_stop(stop, &session.opening, self.run);
        // Which address it was stands there already.
        let is_named = matches!(stop, Stop::Failed(error)
            if error.phase == Phase::Connecting && error.trouble == Trouble::Unreachable);
        if is_named {
            return finding;
        }
        Finding { text: self.place.says(finding.text), ..finding }
    }

    /// An address that cannot be reached, while these were asked.
    fn unreached(&self, session: &Session, stop: &Stop, asked: &[IpAddr]) -> Finding {
        let why = self.stopped(session, stop);
        let others = match asked {
            [one] => format!("only {one} was asked"),
            several => format!("{} other addresses were asked", several.len()),
        };
        let state = why.state.min(State::Warning);
        let finding = Finding::new("unreached", state, format!("{} ({others})", why.text));
        let is_v6 = self.server.address.is_ipv6();
        finding.with_hint(match is_v6 {
            _ if asked.iter().any(|other| other.is_ipv6() == is_v6) => {
                "an address that nobody answers at does not belong into DNS"
            }
            true => "-4 leaves IPv6 out, where this host has none",
            false => "-6 leaves IPv4 out, where this host has none",
        })
    }

    /// Our address, where a server is likely to trust it: its own, or one of a private network.
    fn trusted_by_place(&self) -> Option<IpAddr> {
        let session = self.server.sessions.first()?;
        let (ours, theirs) = (session.ours?.ip(), session.opening.address?.ip());
        let inside = ours == theirs || !is_public(ours) && !is_public(theirs);
        inside.then_some(ours)
    }
}

/// A path without its brackets, as operators write it; the empty one keeps them.
pub(crate) fn bare(path: &str) -> &str {
    let inside = path.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inside.filter(|inside| !inside.is_empty()).unwrap_or(path)
}
