//! The EHLO reply (RFC 5321 section 4.1.1.1) and what firewalls make of it.

use serde::{Deserialize, Serialize};

use super::reply::Reply;
use crate::proto::text::decode;

/// What a server says it can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ehlo {
    /// The first line: the server's name and greeting.
    pub greeting: String,
    /// Keyword (upper case) and parameters of each further line.
    pub keywords: Vec<(String, String)>,
    /// SASL mechanisms of `AUTH` and of the obsolete `AUTH=`, upper case, without
    /// duplicates, in the server's order.
    pub mechanisms: Vec<String>,
    /// Mechanisms came only in the form `AUTH=PLAIN`, which RFC 4954 does not know.
    pub only_equals_form: bool,
}

impl Ehlo {
    /// Reads the lines of a 250 reply to EHLO.
    #[must_use]
    pub fn parse(reply: &Reply) -> Self {
        let mut ehlo = Self::default();
        let mut lines = reply.lines.iter().map(|line| decode(line));
        ehlo.greeting = lines.next().unwrap_or_default();
        let mut proper_auth = false;
        for line in lines {
            let (keyword, parameters) = line.split_once(' ').unwrap_or((&line, ""));
            let keyword = keyword.to_ascii_uppercase();
            let listed = match keyword.strip_prefix("AUTH=") {
                Some(first) => Some(format!("{first} {parameters}")),
                None if keyword == "AUTH" => {
                    proper_auth = true;
                    Some(parameters.to_owned())
                }
                None => None,
            };
            for mechanism in listed.iter().flat_map(|list| list.split_ascii_whitespace()) {
                let mechanism = mechanism.to_ascii_uppercase();
                if !ehlo.mechanisms.contains(&mechanism) {
                    ehlo.mechanisms.push(mechanism);
                }
            }
            ehlo.keywords.push((keyword, parameters.trim().to_owned()));
        }
        ehlo.only_equals_form = !ehlo.mechanisms.is_empty() && !proper_auth;
        ehlo
    }

    /// Whether a keyword was listed, in any case.
    #[must_use]
    pub fn has(&self, keyword: &str) -> bool {
        self.keywords.iter().any(|(listed, _)| listed.eq_ignore_ascii_case(keyword))
    }

    /// A keyword that a middlebox overwrote, such as `XXXXXXXA` where `STARTTLS` stood:
    /// at least four characters, `X` but for at most the last one.
    #[must_use]
    pub fn masked_keyword(&self) -> Option<&str> {
        self.keywords.iter().map(|(keyword, _)| keyword.as_str()).find(|keyword| {
            let xs = keyword.bytes().take_while(|byte| *byte == b'X').count();
            keyword.len() >= 4 && xs + 1 >= keyword.len()
        })
    }
}

/// Whether a firewall starred out the banner (`220 ****2***0*`): at least half of its
/// characters are `*`.
#[must_use]
pub fn looks_masked_banner(banner: &Reply) -> bool {
    let text = banner.lines.iter().flatten().filter(|byte| **byte != b' ');
    let (stars, all) =
        text.fold((0usize, 0usize), |(stars, all), byte| (stars + usize::from(*byte == b'*'), all + 1));
    all >= 4 && stars * 2 >= all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::smtp::LineEnd;

    fn reply(lines: &[&str]) -> Reply {
        Reply {
            code: 250,
            lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
            line_end: LineEnd::CrLf,
        }
    }

    #[test]
    fn keywords_in_any_case_and_both_auth_forms() {
        let ehlo = Ehlo::parse(&reply(&["mail.example", "starttls", "AUTH PLAIN login", "AUTH=LOGIN NTLM"]));
        assert!(ehlo.has("STARTTLS"));
        assert_eq!(ehlo.mechanisms, ["PLAIN", "LOGIN", "NTLM"]);
        assert!(!ehlo.only_equals_form);
    }

    #[test]
    fn only_the_equals_form_is_marked() {
        let ehlo = Ehlo::parse(&reply(&["m", "AUTH=PLAIN LOGIN"]));
        assert_eq!(ehlo.mechanisms, ["PLAIN", "LOGIN"]);
        assert!(ehlo.only_equals_form);
        assert!(!Ehlo::parse(&reply(&["m", "SIZE 1"])).only_equals_form);
    }

    #[test]
    fn masking_is_seen() {
        assert_eq!(Ehlo::parse(&reply(&["m", "XXXXXXXA"])).masked_keyword(), Some("XXXXXXXA"));
        assert_eq!(Ehlo::parse(&reply(&["m", "XXXX"])).masked_keyword(), Some("XXXX"));
        assert_eq!(Ehlo::parse(&reply(&["m", "XCLIENT NAME", "X-EXPS", "XXX"])).masked_keyword(), None);
        assert!(looks_masked_banner(&reply(&["*****2*****0*2*0"])));
        assert!(!looks_masked_banner(&reply(&["mail.example ESMTP ***"])));
        assert!(!looks_masked_banner(&reply(&["*"])));
    }
}
