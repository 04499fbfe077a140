//! What is kept of a reply.

use serde::{Deserialize, Serialize};

use super::{LineEnd, Reply, looks_masked_banner};

/// A reply of a server, short enough to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Reply code.
    pub code: u16,
    /// Code and text of all lines, at most 1024 bytes.
    pub words: String,
    /// Mostly asterisks: a firewall's work.
    pub masked: bool,
    /// How its lines ended.
    pub line_end: LineEnd,
}

const MOST_WORDS: usize = 1024;

impl From<&Reply> for Said {
    fn from(reply: &Reply) -> Self {
        let mut words = reply.words();
        words.truncate(words.floor_char_boundary(MOST_WORDS));
        Self { code: reply.code, words, masked: looks_masked_banner(reply), line_end: reply.line_end }
    }
}

impl Said {
    /// 2 for success, 3 for more wanted, 4 for a temporary and 5 for a permanent refusal.
    #[must_use]
    pub const fn class(&self) -> u16 {
        self.code / 100
    }

    /// The enhanced status code (RFC 2034, RFC 3463) behind the reply code: `4.7.1`. It must be
    /// of the reply's own class.
    #[must_use]
    pub fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let word = self.words.split(' ').nth(1)?;
        let mut numbers = word.split('.').map(|part| {
            let plain = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|_| plain)
        });
        let code = (numbers.next()??, numbers.next()??, numbers.next()??);
        (numbers.next().is_none() && code.0 == self.class()).then_some(code)
    }

    /// The name a greeting or an answer to EHLO begins with (RFC 5321 section 4.2): the first
    /// word behind the code.
    #[must_use]
    pub fn host_name(&self) -> Option<&str> {
        self.words.split(' ').nth(1).filter(|word| !word.is_empty())
    }

    /// What a refusal is about, if that is not what was asked.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause_in(&self.own_words())
    }

    /// The same by [`Said::own_words`], for who has them already.
    pub(super) fn cause_in(&self, words: &str) -> Option<Cause> {
        if self.may_want_tls() && speaks_of_tls(words) {
            return Some(Cause::Tls);
        }
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
        match self.enhanced() {
            // Bad syntax is 5.5.2 and 5.5.4, and may be the address's.
            Some((_, 3, _) | (_, 5, 0 | 1 | 3 | 5..)) => return Some(Cause::Server),
            Some((_, 7, 23 | 25 | 26)) => return Some(Cause::Client),
            Some((_, 1, 7 | 8) | (_, 7, 27)) => return Some(Cause::Sender),
            _ => {}
        }
        if has(ABOUT_SENDERS) {
            Some(Cause::Sender)
        } else if has(ABOUT_CLIENTS) {
            Some(Cause::Client)
        } else if has(ABOUT_SERVERS) {
            Some(Cause::Server)
        } else {
            None
        }
    }

    /// Whether it is a refusal until TLS is up (RFC 3207 section 4; 5.7.10 of RFC 7672's registry).
    #[must_use]
    pub fn wants_tls(&self) -> bool {
        self.may_want_tls() && speaks_of_tls(&self.own_words())
    }

    fn may_want_tls(&self) -> bool {
        self.code == 530 || matches!(self.enhanced(), Some((_, 7, 10)))
    }

    /// Whether a server says so when it takes a recipient (RFC 5321 section 4.3.2).
    #[must_use]
    pub const fn takes_recipient(&self) -> bool {
        matches!(self.code, 250..=252)
    }

    /// The words in lower case without the addresses between angle brackets and without host
    /// names: those are not the server's, and prove nothing.
    #[must_use]
    pub fn own_words(&self) -> String {
        let mut text = String::with_capacity(self.words.len());
        for (at, part) in self.words.split('<').enumerate() {
            let behind = part.split_once('>').filter(|_| at > 0).map_or(part, |(_, rest)| rest);
            text.push_str(behind);
        }
        let is_host = |word: &str| {
            let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
            word.contains('.') && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        };
        let mut words = String::with_capacity(text.len());
        for word in text.split(' ').filter(|word| !is_host(word)) {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        words.make_ascii_lowercase();
        words
    }
}

fn speaks_of_tls(words: &str) -> bool {
    ["tls", "encrypt"].iter().any(|phrase| words.contains(phrase))
}

/// What else a refusal may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Who asks: block lists, policies on names and addresses, rates.
    Client,
    /// The sender that was named.
    Sender,
    /// TLS is wanted first.
    Tls,
    /// The server's own troubles, or its reading of the dialogue.
    Server,
}

/// Words with which servers refuse a client: Postfix's, and those of block lists and policies.
const ABOUT_CLIENTS: &[&str] = &[
    "client host",
    "blocked",
    "blacklist",
    "blocklist",
    "block list",
    "denylist",
    "deny list",
    "dnsbl",
    "spamhaus",
    "reputation",
    "helo",
    "ehlo",
    "reverse dns",
    "reverse hostname",
    "ptr record",
    "no ptr",
    "hostname rejected",
    "spf",
    "rate limit",
    "too many",
    "too much",
];

/// Words with which servers refuse a sender: Postfix's, Exim's.
const ABOUT_SENDERS: &[&str] = &[
    "sender address rejected",
    "sender verify",
    "sender verification",
    "verification failed",
    "no smtp service",
    "null sender",
    "sender rejected",
    "sender refused",
    "invalid sender",
];

const ABOUT_SERVERS: &[&str] =
    &["service unavailable", "internal error", "local error", "write error", "configuration error"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::smtp::{ReplyLimits, ReplyReader};
    use proptest::prelude::*;

    fn said(line: &str) -> Said {
        let wire = format!("{line}\r\n");
        let (_, reply) = ReplyReader::new(ReplyLimits::default()).feed(wire.as_bytes()).unwrap();
        Said::from(&reply.unwrap())
    }

    #[test]
    fn enhanced_codes_are_of_the_same_class() {
        assert_eq!(said("454 4.7.1 <a@b>: Relay access denied").enhanced(), Some((4, 7, 1)));
        assert_eq!(said("550 5.1.1 no such user").enhanced(), Some((5, 1, 1)));
        for other in
            ["550 4.7.1 x", "550 no", "550", "550 5.1 x", "550 5.1.1.1 x", "550 5.+1.1", "550 5.1.1111"]
        {
            assert_eq!(said(other).enhanced(), None, "{other}");
        }
    }

    #[test]
    fn the_first_word_is_the_name() {
        assert_eq!(said("220 mail.example ESMTP").host_name(), Some("mail.example"));
        assert_eq!(said("220").host_name(), None);
        assert_eq!(said("220  two blanks").host_name(), None);
    }

    #[test]
    fn refusals_are_told_from_those_of_the_recipient() {
        for (line, want) in [
            ("554 5.7.1 <a[192.0.2.1]>: Client host rejected: Access denied", Some(Cause::Client)),
            ("550 5.7.1 Service unavailable; blocked using zen.example", Some(Cause::Client)),
            ("504 5.5.2 <a>: Helo command rejected: need fully-qualified hostname", Some(Cause::Client)),
            ("550 5.7.23 <a@b>: fail", Some(Cause::Client)),
            ("550 5.7.25 [192.0.2.1] nameless", Some(Cause::Client)),
            ("550 5.7.1 rate limit", Some(Cause::Client)),
            ("550 < blocked", Some(Cause::Client)),
            ("550 Verification failed for <a@b> Sender verify failed", Some(Cause::Sender)),
            ("554 5.7.1 <a@b>: Sender address rejected: Access denied", Some(Cause::Sender)),
            ("550 an MX or SRV record indicated no SMTP service", Some(Cause::Sender)),
            ("554 5.3.0 oops", Some(Cause::Server)),
            ("550 5.5.3 recipients", Some(Cause::Server)),
            ("451 4.7.1 Service unavailable - try again later", Some(Cause::Server)),
            ("530 5.7.0 Must issue a STARTTLS command first", Some(Cause::Tls)),
            ("550 5.7.10 Encryption required", Some(Cause::Tls)),
            ("550 5.1.1 <spf@b>: User unknown", None),
            ("554 5.7.1 <helo@b>: Recipient address rejected", None),
            ("501 5.5.4 bad address", None),
            ("530 5.7.0 Authentication required", None),
            ("550 spf.example.org: no such user", None),
            ("550 <a", None),
        ] {
            assert_eq!(said(line).cause(), want, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read(code in 200u16..600, words in "[^\r\n]{0,60}") {
            let said = said(&format!("{code} {words}"));
            prop_assert_eq!(said.class(), code / 100);
            let _ = (said.enhanced(), said.host_name(), said.cause());
        }
    }
}
