//! What one answer says about relaying.

use common::net::smtp::Step;
use common::proto::smtp::{Cause, RecipientAnswer, Said};
use common::report::{Condition, quote};

use crate::seen::{Asked, Outcome};

/// What an answer says about relaying.
pub(crate) enum Verdict<'a> {
    /// The server takes the recipient.
    Open(&'a Said),
    /// It refuses the recipient because it is elsewhere, and says so.
    Denied(&'a Said),
    /// It refuses the recipient, and names no other reason.
    Refused(&'a Said),
    /// Nothing, and why.
    NotProved(Doubt),
}

/// Why an answer proves nothing.
pub(crate) struct Doubt {
    pub(crate) condition: Condition,
    pub(crate) why: String,
    pub(crate) hint: Option<&'static str>,
}

impl<'a> Verdict<'a> {
    /// Reads the outcome of a probe.
    pub(crate) fn of(asked: &'a Asked) -> Self {
        match &asked.outcome {
            Outcome::Answered(said) => Self::of_answer(said),
            Outcome::Barred(_, said) if said.class() == 4 => {
                let why = format!("the sender is deferred: {}", quote(&said.words));
                Self::not_proved(Condition::Temporary, why, Some(ANOTHER_SENDER))
            }
            // RFC 4954 section 6: mail is taken after a login only.
            Outcome::Barred(_, said) if said.code == 530 && !said.wants_tls() => Self::Refused(said),
            Outcome::Barred(step, said) => match said.cause() {
                Some(cause @ (Cause::Client | Cause::Server | Cause::Tls)) => Self::unrelated(cause, said),
                _ if *step == Step::Rset => Self::incomplete("RSET is refused", said, None),
                Some(Cause::Sender) | None => {
                    Self::incomplete("the sender is refused", said, Some(ANOTHER_SENDER))
                }
            },
            Outcome::Lost | Outcome::Skipped => {
                Self::not_proved(Condition::Incomplete, "not answered".to_owned(), None)
            }
        }
    }

    /// Whether the server refuses to relay.
    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Refused(_))
    }

    fn of_answer(said: &'a Said) -> Self {
        let temporary = |why, hint| {
            Self::not_proved(Condition::Temporary, format!("{why}: {}", quote(&said.words)), hint)
        };
        match RecipientAnswer::of(said) {
            RecipientAnswer::Accepted | RecipientAnswer::Forwarded | RecipientAnswer::Unverified => {
                Self::Open(said)
            }
            RecipientAnswer::RelayDenied => Self::Denied(said),
            RecipientAnswer::Greylisted => {
                temporary("greylisted", Some("ask again in a few minutes, with the same addresses"))
            }
            RecipientAnswer::Deferred => temporary("deferred", None),
            RecipientAnswer::OutOfPlace => Self::not_proved(
                Condition::Protocol,
                format!("not an answer to RCPT: {}", quote(&said.words)),
                None,
            ),
            RecipientAnswer::MailboxFull => {
                Self::incomplete("the server knows the recipient", said, Some(ANOTHER_RECIPIENT))
            }
            RecipientAnswer::Unrelated(cause) => Self::unrelated(cause, said),
            _ if is_about_domain(said) => {
                Self::incomplete("the address is refused, not the relaying", said, Some(ANOTHER_RECIPIENT))
            }
            RecipientAnswer::Refused | RecipientAnswer::UnknownUser
                if matches!(said.code, 501 | 530 | 550 | 551 | 553 | 554) =>
            {
                Self::Refused(said)
            }
            RecipientAnswer::Refused | RecipientAnswer::UnknownUser => {
                Self::incomplete("it is not told why the recipient is refused", said, Some(ANOTHER_RECIPIENT))
            }
        }
    }

    /// A refusal for a reason that is not the recipient.
    fn unrelated(cause: Cause, said: &Said) -> Self {
        let (why, hint) = match cause {
            Cause::Client => ("the server refuses this client", Some(ANOTHER_PLACE)),
            Cause::Sender => ("the sender is refused", Some(ANOTHER_SENDER)),
            Cause::Tls => ("the server wants TLS first", Some("leave --tls none away")),
            Cause::Server => ("the server has troubles of its own", None),
        };
        Self::incomplete(why, said, hint)
    }

    fn incomplete(why: &str, said: &Said, hint: Option<&'static str>) -> Self {
        Self::not_proved(Condition::Incomplete, format!("{why}: {}", quote(&said.words)), hint)
    }

    const fn not_proved(condition: Condition, why: String, hint: Option<&'static str>) -> Self {
        Self::NotProved(Doubt { condition, why, hint })
    }
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
