//! Senders and recipients of ours.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A mailbox for MAIL and RCPT (RFC 5321 section 4.1.2); `<>` is the empty sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox(String);

/// Why a mailbox was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// Would end the command, or the path in it.
    #[error("contains blanks, brackets or control characters")]
    Unspeakable,
    /// The empty sender is written `<>`.
    #[error("is empty")]
    Empty,
}

impl Mailbox {
    /// Between angle brackets.
    #[must_use]
    pub fn path(&self) -> String {
        format!("<{}>", self.0)
    }

    /// Whether it takes SMTPUTF8 (RFC 6531) to send it.
    #[must_use]
    pub fn is_international(&self) -> bool {
        !self.0.is_ascii()
    }

    /// What stands before the last `@`; all of it where there is none.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(local, _)| local)
    }

    /// What stands behind the last `@`.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// The address that stands in the place of the domain (RFC 5321 section 4.1.3):
    /// `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        let inside = self.domain()?.strip_prefix('[')?.strip_suffix(']')?;
        match inside.split_at_checked("IPv6:".len()) {
            Some((tag, v6)) if tag.eq_ignore_ascii_case("IPv6:") => {
                v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
            }
            _ => inside.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }
}

/// As the operator writes it: without brackets, but for the empty sender.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<>" } else { &self.0 })
    }
}

impl FromStr for Mailbox {
    type Err = MailboxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
        // Blanks are good between quotes alone.
        let (local, domain) = bare.rsplit_once('@').unwrap_or((bare, ""));
        let has_blank = domain.contains(' ') || local.contains(' ') && !is_quoted(local);
        if has_blank || bare.contains(['<', '>']) || bare.chars().any(char::is_control) {
            return Err(MailboxError::Unspeakable);
        }
        if bare.is_empty() && text != "<>" { Err(MailboxError::Empty) } else { Ok(Self(bare.to_owned())) }
    }
}

/// Whether this is one string between quotes, each inside it behind a backslash (RFC 5321 section
/// 4.1.2).
fn is_quoted(local: &str) -> bool {
    let Some(inside) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        if letter == '"' || letter == '\\' && letters.next().is_none() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mailboxes_cannot_carry_a_command() {
        assert_eq!("a@b.example".parse::<Mailbox>().unwrap().path(), "<a@b.example>");
        assert_eq!("<>".parse::<Mailbox>().unwrap().path(), "<>");
        assert!("jürgen@b.example".parse::<Mailbox>().unwrap().is_international());
        for bad in ["", "a@b\r\nDATA", "a b@c", "a>b@c", "a@b\0", "a\u{85}@b"] {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn blanks_stand_between_quotes() {
        for good in ["\"a b\"@c.example", "<\"a b\"@c.example>", "\"a\\\" b\\\\\"@c.example", "\" \""] {
            assert!(good.parse::<Mailbox>().is_ok(), "{good}");
        }
        for bad in [
            "\"a b@c.example",
            "a b\"@c.example",
            "\"@c.example ",
            "\"a\" b\"@c.example",
            "\"a b\\\"@c.example",
            "\"a b\"@c .example",
            "\"a@b c\"",
            "\"a <b\"@c.example",
        ] {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_are_told_apart_at_the_last_sign() {
        let parts = |text: &str| {
            let mailbox: Mailbox = text.parse().unwrap();
            (mailbox.local_part().to_owned(), mailbox.domain().map(str::to_owned))
        };
        assert_eq!(parts("a@b.example"), ("a".into(), Some("b.example".into())));
        assert_eq!(parts("\"a@x\"@b.example"), ("\"a@x\"".into(), Some("b.example".into())));
        assert_eq!(parts("postmaster"), ("postmaster".into(), None));
        assert_eq!(parts("<>"), (String::new(), None));
    }

    #[test]
    fn addresses_in_the_place_of_a_domain() {
        let literal =
            |text: &str| text.parse::<Mailbox>().unwrap().literal().map(|address| address.to_string());
        assert_eq!(literal("a@[192.0.2.1]").as_deref(), Some("192.0.2.1"));
        assert_eq!(literal("a@[ipv6:2001:db8::1]").as_deref(), Some("2001:db8::1"));
        for other in
            ["a@192.0.2.1", "a@[2001:db8::1]", "a@[IPv6:192.0.2.1]", "a@[192.0.2]", "a@[]", "a@[é", "a"]
        {
            assert_eq!(literal(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_one_path(text in any::<String>()) {
            if let Ok(mailbox) = text.parse::<Mailbox>() {
                let _ = mailbox.literal();
                let path = mailbox.path();
                prop_assert!(path.starts_with('<') && path.ends_with('>'));
                prop_assert!(!path.chars().any(char::is_control));
                prop_assert_eq!(path.matches(['<', '>']).count(), 2);
                prop_assert!(!path.contains(' ') || is_quoted(mailbox.local_part()));
            }
        }
    }
}
