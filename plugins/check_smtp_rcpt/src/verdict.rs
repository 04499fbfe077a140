//! What each host did, taken by itself: from the last words of a conversation to a state and a
//! sentence. What it means beside the others is decided in `judge`.

use std::net::{IpAddr, SocketAddr};

use common::net::smtp::{Step, Stop};
use common::net::{Phase, Trouble};
use common::plugin::{Run, finding_of, judge_stop};
use common::proto::smtp::{RecipientAnswer, Said};
use common::report::{Condition, Finding, State, quote};

use crate::CheckSmtpRcpt;
use crate::options::Expect;
use crate::seen::{End, Gap, Host, Seen, Visit};

/// One host, or one address of it.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The host's name, with the address where it has several.
    pub(crate) place: String,
    pub(crate) level: usize,
    /// None for what is wrong with the host before any connection.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) kind: Kind,
    /// The server's words, quoted, where it had any.
    pub(crate) words: Option<String>,
    pub(crate) finding: Finding,
    /// Whether it takes part in the decision.
    pub(crate) decides: bool,
}

/// What a host did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What it should.
    Right,
    /// It wants us to come back.
    Grey,
    /// It answered, and not as it should.
    Wrong,
    /// The recipient was accepted, and must not be.
    Accepted,
    /// It gave no answer.
    Down,
    /// Nobody knows: we could not look, or its answer proves nothing.
    Open,
}

impl Kind {
    /// Whether a server that sends would have gone no further.
    pub(crate) const fn is_answer(self) -> bool {
        matches!(self, Self::Right | Self::Grey | Self::Wrong | Self::Accepted)
    }
}

/// A verdict on every host and every address, in the order of the hosts.
pub(crate) fn verdicts(options: &CheckSmtpRcpt, seen: &Seen, run: &Run) -> Vec<Verdict> {
    let judge = Judge { options, run };
    let mut verdicts: Vec<Verdict> = Vec::new();
    for host in seen.hosts.iter().filter(|host| host.counts()) {
        for address in &host.addresses {
            if verdicts.iter().any(|known| known.address == Some(*address)) {
                continue;
            }
            verdicts.push(match seen.visit(*address) {
                Some(visit) => judge.visit(host, visit),
                None => judge.unvisited(host, *address),
            });
        }
        verdicts.extend(host.gap.as_ref().map(|gap| judge.gap(host, gap)));
    }
    verdicts
}

/// The name of a host, with the address where that is not plain.
pub(crate) fn place(host: &Host, address: SocketAddr) -> String {
    if host.addresses.len() > 1 { format!("{} [{}]", host.name, address.ip()) } else { host.name.clone() }
}

struct Judge<'a> {
    options: &'a CheckSmtpRcpt,
    run: &'a Run,
}

impl Judge<'_> {
    fn visit(&self, host: &Host, visit: &Visit) -> Verdict {
        let place = place(host, visit.address);
        let (kind, words, finding) = match &visit.end {
            End::Answered(said) => self.answer(&place, said, visit),
            End::NoSmtpUtf8 => self.no_smtputf8(&place),
            End::Stopped(Stop::Refused(Step::MailFrom, said)) => self.sender(&place, said, visit),
            End::Stopped(stop) => self.stopped(&place, stop, visit),
        };
        let address = Some(visit.address);
        Verdict { place, level: host.level, address, kind, words, finding, decides: true }
    }

    /// The answer to RCPT.
    fn answer(&self, place: &str, said: &Said, visit: &Visit) -> (Kind, Option<String>, Finding) {
        let words = quote(&said.words);
        let (kind, id, state, text) = match self.options.expect.expect {
            Expect::Accept => self.wanted(place, said),
            Expect::Reject => self.unwanted(place, said),
        };
        let mut finding = Finding::new(id, state, format!("{text}: {words}"));
        finding.hint = self.hint(said, visit);
        (kind, Some(words), finding)
    }

    /// The answer about somebody who must be accepted.
    fn wanted(&self, place: &str, said: &Said) -> (Kind, &'static str, State, String) {
        let rcpt = self.options.envelope.shown();
        let refused =
            |id, why: &str| (Kind::Wrong, id, State::Critical, format!("{rcpt} refused by {place}{why}"));
        match RecipientAnswer::of(said) {
            RecipientAnswer::Accepted => {
                (Kind::Right, "accepted", State::Ok, format!("{rcpt} accepted by {place}"))
            }
            RecipientAnswer::Forwarded => {
                (Kind::Right, "accepted", State::Ok, format!("{rcpt} accepted by {place}, which forwards it"))
            }
            RecipientAnswer::Unverified => (
                Kind::Right,
                "unverified",
                State::Ok,
                format!("{rcpt} accepted by {place} without being verified"),
            ),
            RecipientAnswer::Greylisted => self.greylisted(place),
            RecipientAnswer::UnknownUser => {
                (Kind::Wrong, "unknown_user", State::Critical, format!("{rcpt} unknown to {place}"))
            }
            RecipientAnswer::MailboxFull => refused("mailbox_full", ", the mailbox is full"),
            RecipientAnswer::RelayDenied => {
                refused("relay_denied", ", which does not take mail for this domain")
            }
            RecipientAnswer::Refused | RecipientAnswer::Unrelated(_) => refused("refused", ""),
            RecipientAnswer::Deferred => (
                Kind::Wrong,
                "deferred",
                self.run.states.state(Condition::Temporary),
                format!("temporary: {rcpt} deferred by {place}"),
            ),
            RecipientAnswer::OutOfPlace => (
                Kind::Wrong,
                "protocol",
                self.run.states.state(Condition::Protocol),
                format!("protocol violation: {place} answered RCPT with"),
            ),
        }
    }

    fn greylisted(&self, place: &str) -> (Kind, &'static str, State, String) {
        let rcpt = self.options.envelope.shown();
        let text = format!("{rcpt} greylisted by {place}, later acceptance is not proved");
        (Kind::Grey, "greylisted", self.options.expect.greylist.state(), text)
    }

    /// The answer about somebody who must be refused.
    fn unwanted(&self, place: &str, said: &Said) -> (Kind, &'static str, State, String) {
        let rcpt = self.options.envelope.shown();
        match RecipientAnswer::of(said) {
            answer if answer.takes_mail() => (
                Kind::Accepted,
                "accepted_wrongly",
                State::Critical,
                format!("{rcpt} accepted by {place}, it must be refused"),
            ),
            RecipientAnswer::UnknownUser | RecipientAnswer::Refused | RecipientAnswer::RelayDenied
                if !is_about_us(said) =>
            {
                (Kind::Right, "refused_rightly", State::Ok, format!("{rcpt} refused by {place}"))
            }
            _ => (
                Kind::Open,
                "reject_not_proved",
                State::Unknown,
                format!("{rcpt} neither accepted nor refused for itself by {place}, nothing is proved"),
            ),
        }
    }

    /// What to do about a refusal.
    fn hint(&self, said: &Said, visit: &Visit) -> Option<String> {
        if said.wants_tls() && visit.opening.tls.is_none() {
            return Some("the host wants TLS first: leave --tls none away".to_owned());
        }
        let is_relay = self.options.expect.expect == Expect::Accept
            && RecipientAnswer::of(said) == RecipientAnswer::RelayDenied;
        is_relay.then(|| "an MX record leads to a host that does not know the domain as its own".to_owned())
    }

    fn no_smtputf8(&self, place: &str) -> (Kind, Option<String>, Finding) {
        let rcpt = self.options.envelope.shown();
        let text = format!("{place} does not offer SMTPUTF8, which a message for {rcpt} needs");
        let (kind, state) = match self.options.expect.expect {
            Expect::Accept => (Kind::Wrong, State::Critical),
            Expect::Reject => (Kind::Open, State::Unknown),
        };
        let finding = Finding::new("no_smtputf8", state, text);
        let local_is_plain =
            self.options.envelope.recipient().is_some_and(|recipient| recipient.local_part().is_ascii());
        let finding = if local_is_plain && !rcpt.is_ascii() {
            finding.with_hint("only the domain needs it: its ASCII form (xn--...) reaches such hosts as well")
        } else {
            finding
        };
        (kind, None, finding)
    }

    /// A refusal of MAIL: the recipient was not asked for.
    fn sender(&self, place: &str, said: &Said, visit: &Visit) -> (Kind, Option<String>, Finding) {
        let sender = &self.options.envelope.mail_from;
        let words = quote(&said.words);
        let is_grey = RecipientAnswer::of(said) == RecipientAnswer::Greylisted;
        let (kind, id, state, text) = match (self.options.expect.expect, said.class()) {
            (Expect::Reject, _) => {
                let text = format!("{place} refuses the sender {sender}, nothing is proved of the recipient");
                (Kind::Open, "reject_not_proved", State::Unknown, text)
            }
            (Expect::Accept, _) if is_grey => self.greylisted(place),
            (Expect::Accept, 4) => (
                // It closes (RFC 5321 section 3.8), and a sender goes on to the next host.
                if said.code == 421 { Kind::Down } else { Kind::Wrong },
                "sender_deferred",
                self.run.states.state(Condition::Temporary),
                format!("temporary: {place} defers the sender {sender}"),
            ),
            (Expect::Accept, 5) => (
                Kind::Wrong,
                "sender_refused",
                State::Critical,
                format!("{place} refuses the sender {sender}"),
            ),
            (Expect::Accept, _) => (
                Kind::Wrong,
                "protocol",
                self.run.states.state(Condition::Protocol),
                format!("protocol violation: {place} answered MAIL with"),
            ),
        };
        let mut finding = Finding::new(id, state, format!("{text}: {words}"));
        finding.hint = self.hint(said, visit);
        (kind, Some(words), finding)
    }

    /// A conversation that did not come to its work.
    fn stopped(&self, place: &str, stop: &Stop, visit: &Visit) -> (Kind, Option<String>, Finding) {
        let mut finding = judge_stop(stop, &visit.opening, self.run);
        // Where the host has no name but its address, that stands there once already.
        let is_connect = matches!(stop, Stop::Failed(error) if error.phase == Phase::Connecting);
        let is_named = is_connect && place.parse::<IpAddr>().is_ok() && finding.text.contains(place);
        if !is_named {
            finding.text = format!("{place}: {}", finding.text);
        }
        // Whoever demands TLS has no use for a host without.
        let is_tls = match stop {
            Stop::StarttlsNotOffered
            | Stop::Untrusted
            | Stop::Injected(_)
            | Stop::Refused(Step::Starttls, _) => true,
            Stop::Failed(error) => error.trouble == Trouble::Tls,
            Stop::Refused(..) => false,
        };
        let is_ours = matches!(stop, Stop::Failed(error) if matches!(error.trouble, Trouble::Local | Trouble::Internal));
        let kind = match self.options.expect.expect {
            _ if is_ours => Kind::Open,
            Expect::Reject => {
                finding.state = State::Unknown;
                Kind::Down
            }
            Expect::Accept if is_tls => Kind::Wrong,
            Expect::Accept => Kind::Down,
        };
        let words = match stop {
            Stop::Refused(_, said) => Some(quote(&said.words)),
            _ => None,
        };
        (kind, words, finding)
    }

    fn unvisited(&self, host: &Host, address: SocketAddr) -> Verdict {
        let text = format!("{} was not asked, there are too many addresses", place(host, address));
        let finding = Finding::new("left_out", self.run.states.state(Condition::Incomplete), text)
            .with_hint("-4, -6 or -H for a part of them, in several services");
        Verdict { address: Some(address), ..open(host, finding) }
    }

    fn gap(&self, host: &Host, gap: &Gap) -> Verdict {
        let name = &host.name;
        let state = |condition| self.run.states.state(condition);
        let dead = |id, text: String| {
            let state = match self.options.expect.expect {
                Expect::Accept => state(Condition::Unreachable),
                Expect::Reject => State::Unknown,
            };
            Verdict { kind: Kind::Down, ..open(host, Finding::new(id, state, text)) }
        };
        match gap {
            Gap::NoAddress => dead("no_address", format!("{name} has no address")),
            Gap::NotAHost(what) => dead("not_a_host", format!("an MX record names {name}: {what}")),
            Gap::Unanswered(why) => {
                let text = format!("cannot look up the addresses of {name}: {why}");
                open(host, Finding::new("unanswered", state(Condition::Unresolved), text))
            }
            Gap::Unresolved(error) if error.trouble == Trouble::Timeout => {
                let text = format!("cannot look up the addresses of {name}: {error}");
                open(host, Finding::new("unanswered", state(Condition::Unresolved), text))
            }
            Gap::Unresolved(error) => open(host, finding_of(error, &self.run.states)),
            Gap::OtherFamily | Gap::LeftOut => {
                let text = format!("not all addresses of {name} were looked up, there are too many");
                open(host, Finding::new("left_out", state(Condition::Incomplete), text))
            }
        }
    }
}

fn open(host: &Host, finding: Finding) -> Verdict {
    let (place, level) = (host.name.clone(), host.level);
    Verdict { place, level, address: None, kind: Kind::Open, words: None, finding, decides: true }
}

/// Whether a refusal speaks of us and not of the recipient. Postfix puts such answers off until
/// RCPT.
fn is_about_us(said: &Said) -> bool {
    said.code == 530 || said.cause().is_some()
}
