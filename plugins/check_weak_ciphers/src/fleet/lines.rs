//! The file with the hosts of a fleet: a line for each.
//!
//! ```text
//! # a comment
//! www.example.org
//! mail.example.org 25,465,993
//! 192.0.2.7 443 sni=shop.example.org
//! relay.example.org 26 starttls=smtp
//! ```

use std::fmt;

use common::proto::names::Host;

use crate::options::{Ports, Starttls};

/// One host; what is not said is as the command line has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) host: Host,
    pub(crate) ports: Option<Ports>,
    pub(crate) starttls: Option<Starttls>,
    pub(crate) sni: Option<Host>,
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.host)?;
        if let Some(ports) = &self.ports {
            write!(out, " {ports}")?;
        }
        if let Some(starttls) = self.starttls {
            write!(out, " starttls={starttls}")?;
        }
        match &self.sni {
            Some(name) => write!(out, " sni={name}"),
            None => Ok(()),
        }
    }
}

/// A line that says something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// From 1 on.
    number: usize,
    why: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.number, self.why)
    }
}

/// Hosts of one run.
const MAX_HOSTS: usize = 10_000;

/// Reads all lines; empty ones and what follows `#` count for nothing.
pub(crate) fn read(text: &str) -> Result<Vec<Line>, BadLine> {
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let bad = |why: String| BadLine { number: at + 1, why };
        let said = line.split_once('#').map_or(line, |(said, _)| said);
        let mut words = said.split_whitespace();
        let Some(host) = words.next() else { continue };
        if lines.len() == MAX_HOSTS {
            return Err(bad(format!("more than {MAX_HOSTS} hosts")));
        }
        lines.push(read_words(host, words).map_err(bad)?);
    }
    if lines.is_empty() {
        return Err(BadLine { number: text.lines().count().max(1), why: "no host in the file".to_owned() });
    }
    Ok(lines)
}

fn read_words<'a>(host: &str, words: impl Iterator<Item = &'a str>) -> Result<Line, String> {
    let host_of = |text: &str| text.parse::<Host>().map_err(|error| format!("'{text}': {error}"));
    let mut line = Line { host: host_of(host)?, ports: None, starttls: None, sni: None };
    for word in words {
        let is_new = match word.split_once('=') {
            None => line.ports.replace(word.parse().map_err(|error| format!("{error}"))?).is_none(),
            Some(("starttls", value)) => {
                let value = value.parse().map_err(|error| format!("{error}"))?;
                line.starttls.replace(value).is_none()
            }
            Some(("sni", value)) => line.sni.replace(host_of(value)?).is_none(),
            Some((key, _)) => return Err(format!("'{key}' is not one of starttls, sni")),
        };
        if !is_new {
            return Err(format!("'{word}': said twice"));
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_name_host_ports_and_the_rest() {
        let text = "# fleet\n\nwww.example.org\n mail.example.org\t25,993 # two\n\
                    192.0.2.7 443 sni=shop.example.org starttls=none\n2001:db8::1\n";
        let lines = read(text).unwrap();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0].host.to_string(), "www.example.org");
        assert_eq!((&lines[0].ports, lines[0].starttls), (&None, None));
        assert_eq!(lines[1].ports, Some(Ports(vec![25, 993])));
        assert_eq!(lines[2].starttls, Some(Starttls::None));
        assert_eq!(lines[2].sni.as_ref().map(ToString::to_string).as_deref(), Some("shop.example.org"));
        assert_eq!(lines[3].host.to_string(), "2001:db8::1");
        for line in lines {
            assert_eq!(read(&line.to_string()), Ok(vec![line]));
        }
    }

    #[test]
    fn other_lines_are_named_by_their_number() {
        for (text, number, word) in [
            ("", 1, "no host"),
            ("# nothing\n\n", 2, "no host"),
            ("a.example\n\nb.example 443x", 3, "443x"),
            ("a.example 0", 1, "'0' is not a port"),
            ("a.example 443 25", 1, "twice"),
            ("a.example starttls=gopher", 1, "gopher"),
            ("a.example sni=a sni=b", 1, "twice"),
            ("a.example colour=red", 1, "'colour' is not one of"),
            ("b.example\n-H x", 2, "-H"),
        ] {
            let bad = read(text).unwrap_err();
            assert_eq!(bad.number, number, "{text:?}: {bad}");
            assert!(bad.to_string().contains(word), "{text:?}: {bad}");
        }
        assert!(read(&"a.example\n".repeat(MAX_HOSTS + 1)).unwrap_err().to_string().contains("10000"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "\\PC{0,200}(\n\\PC{0,80}){0,4}") {
            if let Ok(lines) = read(&text) {
                prop_assert!(!lines.is_empty() && lines.len() <= text.lines().count());
                for line in lines {
                    prop_assert_eq!(read(&line.to_string()), Ok(vec![line]));
                }
            }
        }
    }
}
