//! What an answer to RCPT means.
//!
//! Reply codes: RFC 5321 section 4.2.3; enhanced status codes: RFC 3463 and IANA's registry.
//! Where a server gives no enhanced code, its words decide: that is all there is.

use serde::{Deserialize, Serialize};

use super::{Cause, Said};

/// What a server makes of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecipientAnswer {
    /// 250.
    Accepted,
    /// 251: it will forward.
    Forwarded,
    /// 252: it does not know whether there is one, and takes the message.
    Unverified,
    /// It does not carry mail there for us, now or ever: Postfix says so with 454 by default.
    RelayDenied,
    /// It wants to see whether we come back.
    Greylisted,
    /// There is one, and it has no room.
    MailboxFull,
    /// There is none.
    UnknownUser,
    /// Not now: any other 4xx, 421 above all.
    Deferred,
    /// No: any other 5xx.
    Refused,
    /// No, for a reason that is not the recipient.
    Unrelated(Cause),
    /// Not an answer to RCPT at all, 503 and what else says that the dialogue is broken among
    /// them.
    OutOfPlace,
}

impl RecipientAnswer {
    /// Reads an answer.
    #[must_use]
    pub fn of(said: &Said) -> Self {
        match said.code {
            250 => Self::Accepted,
            251 => Self::Forwarded,
            252 => Self::Unverified,
            400..=499 => temporary(said),
            500 | 502..=504 if said.cause().is_none_or(|cause| cause == Cause::Server) => Self::OutOfPlace,
            500..=599 => permanent(said),
            _ => Self::OutOfPlace,
        }
    }

    /// Whether the server takes a message for it.
    #[must_use]
    pub const fn takes_mail(self) -> bool {
        matches!(self, Self::Accepted | Self::Forwarded | Self::Unverified)
    }
}

fn temporary(said: &Said) -> RecipientAnswer {
    let (words, enhanced) = (said.own_words(), said.enhanced());
    let cause = said.cause_in(&words);
    // RFC 6647 section 5 proposes 450 or 451 and leaves the enhanced code open; these are the
    // ones in use, by servers in trouble as well.
    let may_grey = matches!(said.code, 450 | 451) && cause.is_none();
    if may_grey && speaks_of_greylisting(&words) {
        return RecipientAnswer::Greylisted;
    }
    let relay = speaks_of_relaying(&words);
    let postfix = said.code == 454 && enhanced == Some((4, 7, 1)) && cause.is_none();
    if postfix || (relay && (said.code == 454 || enhanced == Some((4, 7, 1)))) {
        return RecipientAnswer::RelayDenied;
    }
    match (said.code, enhanced) {
        (450 | 451, Some((4, 2, 0) | (4, 7, 1))) if may_grey => RecipientAnswer::Greylisted,
        (_, Some((4, 2, 2))) => RecipientAnswer::MailboxFull,
        (452, None) if speaks_of_room(&words) => RecipientAnswer::MailboxFull,
        _ => RecipientAnswer::Deferred,
    }
}

fn permanent(said: &Said) -> RecipientAnswer {
    let (words, enhanced) = (said.own_words(), said.enhanced());
    if speaks_of_relaying(&words) {
        return RecipientAnswer::RelayDenied;
    }
    if let Some(cause) = said.cause_in(&words) {
        return RecipientAnswer::Unrelated(cause);
    }
    match enhanced {
        Some((5, 2, 2)) => return RecipientAnswer::MailboxFull,
        // Bad mailbox, bad system, moved; 5.1.10 is a null MX (RFC 7505).
        Some((5, 1, 1 | 2 | 6 | 10)) => return RecipientAnswer::UnknownUser,
        None if said.code == 552 => return RecipientAnswer::MailboxFull,
        _ => {}
    }
    let unknown = enhanced.is_none_or(|(_, subject, _)| subject <= 1)
        && matches!(said.code, 550 | 551 | 553)
        && speaks_of_nobody(&words);
    if unknown { RecipientAnswer::UnknownUser } else { RecipientAnswer::Refused }
}

fn has_any(words: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| words.contains(phrase))
}

/// The word alone is not enough: hosts are called so, and block lists say "open relay".
fn speaks_of_relaying(words: &str) -> bool {
    if has_any(words, &["not a local domain", "not our customer", "rcpthosts"]) {
        return true;
    }
    let words = words.replace("open relay", "");
    let mut tokens = words.split(|letter: char| !letter.is_ascii_alphanumeric());
    tokens.any(|token| matches!(token, "relay" | "relaying" | "relayed" | "relays"))
        && has_any(
            &words,
            &[
                "denied", "not ", "n't", "no ", "unable", "cannot", "prohibit", "refuse", "reject", "forbid",
                "disabled",
            ],
        )
}

fn speaks_of_greylisting(words: &str) -> bool {
    has_any(
        words,
        &[
            "greylist",
            "graylist",
            "grey list",
            "gray list",
            "grey-list",
            "postgrey",
            "try again",
            "retry later",
        ],
    )
}

fn speaks_of_room(words: &str) -> bool {
    has_any(words, &["quota", "full", "storage", "space"])
}

fn speaks_of_nobody(words: &str) -> bool {
    has_any(
        words,
        &[
            "unknown",
            "no such",
            "not found",
            "does not exist",
            "doesn't exist",
            "no mailbox",
            "invalid recipient",
            "unrouteable",
            "not exist",
            "no user",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::smtp::LineEnd;
    use proptest::prelude::*;

    fn answer(words: &str) -> RecipientAnswer {
        let code = words[..3].parse().unwrap();
        RecipientAnswer::of(&Said { code, words: words.to_owned(), masked: false, line_end: LineEnd::CrLf })
    }

    #[test]
    fn answers_of_real_servers() {
        use RecipientAnswer::*;
        for (words, want) in [
            // Postfix
            ("250 2.1.5 Ok", Accepted),
            ("454 4.7.1 <x@other.example>: Relay access denied", RelayDenied),
            ("554 5.7.1 <x@other.example>: Relay access denied", RelayDenied),
            (
                "550 5.1.1 <x@lab.test>: Recipient address rejected: User unknown in local recipient table",
                UnknownUser,
            ),
            (
                "450 4.2.0 <x@lab.test>: Recipient address rejected: Greylisted, see http://postgrey.example/",
                Greylisted,
            ),
            ("450 4.1.1 <x@lab.test>: Recipient address rejected: unverified address", Deferred),
            ("450 4.7.1 <x>: Recipient address rejected: come back", Greylisted),
            ("452 4.2.2 Mailbox full", MailboxFull),
            ("552 5.2.2 Mailbox full", MailboxFull),
            ("452 4.5.3 Error: too many recipients", Deferred),
            ("421 4.7.0 mail.lab.test Error: too many errors", Deferred),
            ("451 4.3.0 <x>: Temporary lookup failure", Deferred),
            ("530 5.7.0 Must issue a STARTTLS command first", Unrelated(Cause::Tls)),
            ("530 5.7.0 Authentication required", Refused),
            ("554 5.7.1 <a[192.0.2.1]>: Client host rejected: blocked using zen", Unrelated(Cause::Client)),
            (
                "554 5.7.1 Client host [192.0.2.1] blocked using dnsbl.example; open relay",
                Unrelated(Cause::Client),
            ),
            ("451 relay2.provider.example: temporary lookup failure", Deferred),
            ("450 4.2.0 <x@y.example>: Greylisted by relay03", Greylisted),
            ("451 relay2.provider.example: Greylisted", Greylisted),
            ("451 4.7.1 Service unavailable - try again later", Deferred),
            ("451 4.3.0 queue file write error, try again later", Deferred),
            ("450 4.7.1 <a>: Helo command rejected: Host not found", Deferred),
            ("550 5.7.1 <x@y.example>... Relaying denied", RelayDenied),
            ("551 we do not relay", RelayDenied),
            ("503 need MAIL", OutOfPlace),
            ("500 command unrecognized", OutOfPlace),
            ("554 5.3.2 going down", Unrelated(Cause::Server)),
            ("550 Sender verify failed", Unrelated(Cause::Sender)),
            ("554 5.7.1 <a@b.example>: Sender address rejected: Access denied", Unrelated(Cause::Sender)),
            // Exim
            ("550 relay not permitted", RelayDenied),
            ("550 Unrouteable address", UnknownUser),
            ("501 <x@[127.0.0.1]>: domain literals not allowed", Refused),
            ("451 Temporary local problem - please try later", Deferred),
            // OpenSMTPD, qmail, Exchange, others
            ("550 Invalid recipient: <x@lab.test>", UnknownUser),
            ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", RelayDenied),
            ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", RelayDenied),
            ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", UnknownUser),
            ("552 5.3.4 Message too big", Unrelated(Cause::Server)),
            ("552 Requested mail action aborted: exceeded storage allocation", MailboxFull),
            ("454 no relaying for you", RelayDenied),
            ("454 TLS not available", Deferred),
            ("252 2.5.2 Cannot verify, but will accept", Unverified),
            ("251 2.1.5 will forward", Forwarded),
            ("354 go on", OutOfPlace),
            ("221 bye", OutOfPlace),
        ] {
            assert_eq!(answer(words), want, "{words}");
        }
    }

    proptest! {
        #[test]
        fn only_success_takes_mail(code in 200u16..600, words in "\\PC{0,60}") {
            let text = format!("{code} {words}");
            prop_assert_eq!(answer(&text).takes_mail(), matches!(code, 250..=252));
        }
    }
}
