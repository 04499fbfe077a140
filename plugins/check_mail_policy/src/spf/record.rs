//! A record and its terms (RFC 7208 sections 4.5, 4.6.1, 5, 6 and 12). What is read borrows from
//! the text, so that it can be read anew in each round.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::macros::{Letter, MacroString, Place};
use super::syntax::{Flaw, SyntaxError};

/// A record without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpfRecord<'a> {
    /// The mechanisms, in their order.
    pub(super) directives: Vec<Directive<'a>>,
    /// Whose record decides when nothing matched.
    pub(super) redirect: Option<MacroString<'a>>,
    /// Where the text stands that says why.
    pub(super) explanation: Option<MacroString<'a>>,
    /// Modifiers that nobody knows: names and values.
    pub(super) others: Vec<(&'a str, MacroString<'a>)>,
}

/// A mechanism, and what it gives when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directive<'a> {
    pub(super) qualifier: Qualifier,
    pub(super) mechanism: Mechanism<'a>,
}

/// What a match means (RFC 7208 section 4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// What is compared with the client (RFC 7208 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism<'a> {
    All,
    Include(MacroString<'a>),
    A(Option<MacroString<'a>>, Prefixes),
    Mx(Option<MacroString<'a>>, Prefixes),
    Ptr(Option<MacroString<'a>>),
    Ip(Network),
    Exists(MacroString<'a>),
}

/// How much of an address counts, by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

/// Addresses with the same beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) length: u8,
}

const WHOLE: Prefixes = Prefixes { v4: 32, v6: 128 };
const VERSION: &str = "v=spf1";
const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];

/// Whether a text is a record of this version: nothing or a blank behind it (section 4.5).
pub(super) fn is_record(text: &str) -> bool {
    text.split_at_checked(VERSION.len()).is_some_and(|(version, rest)| {
        version.eq_ignore_ascii_case(VERSION) && (rest.is_empty() || rest.starts_with(' '))
    })
}

impl<'a> SpfRecord<'a> {
    /// Reads a text that [`is_record`].
    pub(super) fn parse(text: &'a str) -> Result<Self, SyntaxError<'a>> {
        let mut record =
            Self { directives: Vec::new(), redirect: None, explanation: None, others: Vec::new() };
        let terms = text.get(VERSION.len()..).unwrap_or_default();
        for term in terms.split(' ').filter(|term| !term.is_empty()) {
            record.take(term).map_err(|flaw| SyntaxError { term, flaw })?;
        }
        Ok(record)
    }

    fn take(&mut self, term: &'a str) -> Result<(), Flaw> {
        if !term.is_ascii() || has_lost_byte(term) {
            return Err(Flaw::NotAscii);
        }
        let Some((name, value)) = modifier(term) else {
            self.directives.push(Directive::parse(term)?);
            return Ok(());
        };
        if !is_modifier_name(name) {
            return Err(Flaw::ModifierName);
        }
        let slot = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.explanation,
            _ => {
                self.others.push((name, MacroString::parse(value, Place::Modifier)?));
                return Ok(());
            }
        };
        let value = MacroString::parse(value, Place::Domain)?;
        if slot.replace(value).is_some() { Err(Flaw::Twice) } else { Ok(()) }
    }

    /// The mechanisms that are ever looked at, the first `all` included (section 5.1).
    pub(super) fn reached(&self) -> &[Directive<'a>] {
        let end = self.all_at().map_or(self.directives.len(), |at| at + 1);
        self.directives.get(..end).unwrap_or_default()
    }

    /// The mechanisms behind the first `all`.
    pub(super) fn behind_all(&self) -> &[Directive<'a>] {
        self.directives.get(self.reached().len()..).unwrap_or_default()
    }

    /// The first `all`.
    pub(super) fn all(&self) -> Option<Qualifier> {
        Some(self.directives.get(self.all_at()?)?.qualifier)
    }

    /// The redirect, where it counts (section 6.1).
    pub(super) fn live_redirect(&self) -> Option<MacroString<'a>> {
        self.redirect.filter(|_| self.all_at().is_none())
    }

    /// Modifiers that look like a mechanism with the wrong sign behind it.
    pub(super) fn mistaken_modifiers(&self) -> impl Iterator<Item = &'a str> {
        let is_mechanism = |name: &str| MECHANISMS.iter().any(|known| known.eq_ignore_ascii_case(name));
        self.others.iter().map(|(name, _)| *name).filter(move |name| is_mechanism(name))
    }

    fn all_at(&self) -> Option<usize> {
        self.directives.iter().position(|directive| directive.mechanism == Mechanism::All)
    }
}

impl<'a> Directive<'a> {
    fn parse(term: &'a str) -> Result<Self, Flaw> {
        let (qualifier, rest) = match term.split_at_checked(1) {
            Some(("+", rest)) => (Qualifier::Pass, rest),
            Some(("-", rest)) => (Qualifier::Fail, rest),
            Some(("~", rest)) => (Qualifier::SoftFail, rest),
            Some(("?", rest)) => (Qualifier::Neutral, rest),
            _ => (Qualifier::Pass, term),
        };
        Ok(Self { qualifier, mechanism: Mechanism::parse(rest)? })
    }
}

impl<'a> Mechanism<'a> {
    fn parse(text: &'a str) -> Result<Self, Flaw> {
        let (name, rest) = text.split_at(text.find([':', '/']).unwrap_or(text.len()));
        match name.to_ascii_lowercase().as_str() {
            "all" if rest.is_empty() => Ok(Self::All),
            "all" => Err(Flaw::Argument),
            "include" => Ok(Self::Include(needed_domain(rest)?)),
            "exists" => Ok(Self::Exists(needed_domain(rest)?)),
            "ptr" => Ok(Self::Ptr(domain(rest)?)),
            "a" | "mx" => {
                let (rest, prefixes) = split_prefixes(rest)?;
                let domain = domain(rest)?;
                Ok(if name.eq_ignore_ascii_case("a") {
                    Self::A(domain, prefixes)
                } else {
                    Self::Mx(domain, prefixes)
                })
            }
            "ip4" => Ok(Self::Ip(network(rest, |text| Ok(text.parse::<Ipv4Addr>()?.into()))?)),
            "ip6" => Ok(Self::Ip(network(rest, |text| Ok(text.parse::<Ipv6Addr>()?.into()))?)),
            "redirect" | "exp" => Err(Flaw::Modifier),
            _ => Err(Flaw::Mechanism),
        }
    }

    /// The name it asks for, where one is written.
    pub(super) fn domain(&self) -> Option<MacroString<'a>> {
        match *self {
            Self::Include(domain) | Self::Exists(domain) => Some(domain),
            Self::A(domain, _) | Self::Mx(domain, _) | Self::Ptr(domain) => domain,
            Self::All | Self::Ip(_) => None,
        }
    }

    /// Whether it needs the name of the client's address, which takes long and proves little
    /// (section 5.5).
    pub(super) fn needs_ptr(&self) -> bool {
        matches!(self, Self::Ptr(_)) || self.domain().is_some_and(|domain| domain.has(Letter::Ptr))
    }
}

impl Prefixes {
    /// The addresses that begin as this one does.
    pub(super) const fn network(self, address: IpAddr) -> Network {
        let length = match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        };
        Network { address, length }
    }
}

impl Network {
    /// Whether an address is among them; none is of the other family.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                (ours.to_bits() ^ theirs.to_bits()) & mask == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                (ours.to_bits() ^ theirs.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// Name and value when the first special character is the sign of a modifier (section 4.6.1).
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, rest) = term.split_at(term.find([':', '/', '='])?);
    rest.strip_prefix('=').map(|value| (name, value))
}

fn is_modifier_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Whether a byte of the record was no text: DNS records come with `\xNN` in its place.
fn has_lost_byte(term: &str) -> bool {
    term.match_indices("\\x").any(|(at, mark)| {
        let digits = term.get(at + mark.len()..at + mark.len() + 2);
        digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_some_and(|byte| byte >= 0x80)
    })
}

/// `[ ":" domain-spec ]`
fn domain(rest: &str) -> Result<Option<MacroString<'_>>, Flaw> {
    match rest.strip_prefix(':') {
        Some(spec) => {
            let is_address = spec.parse::<IpAddr>().is_ok();
            let read = MacroString::parse(spec, Place::Domain);
            read.map(Some).map_err(|flaw| if is_address { Flaw::AddressForDomain } else { flaw })
        }
        None if rest.is_empty() => Ok(None),
        None => Err(Flaw::Prefix),
    }
}

fn needed_domain(rest: &str) -> Result<MacroString<'_>, Flaw> {
    domain(rest)?.ok_or(Flaw::NoDomain)
}

/// Takes `[ "/" length ] [ "//" length ]` off the end. No domain ends in a slash and digits.
fn split_prefixes(text: &str) -> Result<(&str, Prefixes), Flaw> {
    let front = text.trim_end_matches(|c: char| c == '/' || c.is_ascii_digit());
    let tail = text.get(front.len()..).unwrap_or_default();
    let Some(at) = tail.find('/').map(|at| front.len() + at) else { return Ok((text, WHOLE)) };
    let (domain, lengths) = text.split_at(at);
    let (v4, v6) = match lengths.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (lengths, None),
    };
    let v4 = match v4.strip_prefix('/') {
        Some(v4) => prefix_length(v4, 32)?,
        None if v4.is_empty() => WHOLE.v4,
        None => return Err(Flaw::Prefix),
    };
    let v6 = v6.map_or(Ok(WHOLE.v6), |v6| prefix_length(v6, 128))?;
    Ok((domain, Prefixes { v4, v6 }))
}

fn network(
    rest: &str,
    parse: impl Fn(&str) -> Result<IpAddr, std::net::AddrParseError>,
) -> Result<Network, Flaw> {
    let text = rest.strip_prefix(':').ok_or(Flaw::Address)?;
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = parse(address).map_err(|_| Flaw::Address)?;
    let whole = if address.is_ipv4() { WHOLE.v4 } else { WHOLE.v6 };
    let length = length.map_or(Ok(whole), |length| prefix_length(length, whole))?;
    Ok(Network { address, length })
}

/// A number without zeros in front.
fn prefix_length(text: &str, most: u8) -> Result<u8, Flaw> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let length = text.parse::<u8>().ok().filter(|length| is_number && *length <= most);
    length.ok_or(Flaw::Prefix)
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "+",
            Self::Fail => "-",
            Self::SoftFail => "~",
            Self::Neutral => "?",
        })
    }
}

impl fmt::Display for Directive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `all` alone reads like all that could be meant; `+all` says it.
        match (self.qualifier, self.mechanism) {
            (Qualifier::Pass, mechanism) if mechanism != Mechanism::All => write!(f, "{mechanism}"),
            (qualifier, mechanism) => write!(f, "{qualifier}{mechanism}"),
        }
    }
}

impl fmt::Display for Mechanism<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, prefixes) = match *self {
            Self::All => ("all", WHOLE),
            Self::Include(_) => ("include", WHOLE),
            Self::Exists(_) => ("exists", WHOLE),
            Self::Ptr(_) => ("ptr", WHOLE),
            Self::A(_, prefixes) => ("a", prefixes),
            Self::Mx(_, prefixes) => ("mx", prefixes),
            Self::Ip(network) => return write!(f, "{network}"),
        };
        f.write_str(name)?;
        if let Some(domain) = self.domain() {
            write!(f, ":{domain}")?;
        }
        if prefixes.v4 < WHOLE.v4 {
            write!(f, "/{}", prefixes.v4)?;
        }
        if prefixes.v6 < WHOLE.v6 { write!(f, "//{}", prefixes.v6) } else { Ok(()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, whole) = if self.address.is_ipv4() { ("ip4", WHOLE.v4) } else { ("ip6", WHOLE.v6) };
        write!(f, "{name}:{}", self.address)?;
        if self.length < whole { write!(f, "/{}", self.length) } else { Ok(()) }
    }
}

impl fmt::Display for SpfRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        for directive in &self.directives {
            write!(f, " {directive}")?;
        }
        let known = [("redirect", self.redirect), ("exp", self.explanation)];
        for (name, value) in known.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            write!(f, " {name}={value}")?;
        }
        self.others.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

#[cfg(test)]
#[path = "tests/record.rs"]
mod tests;
