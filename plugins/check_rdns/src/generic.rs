//! Names that look generated from an address, or say that a customer's line is behind them.
//! Receivers refuse mail from such hosts, whoever they are.
//!
//! Words count as whole tokens only, or where a token is made of nothing else, so that `dsl`
//! is none in `landsliding`; digits count only when they are those of the address itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::report::quote;

/// What made a name look generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Word(String),
    /// As the name writes it.
    Address(String),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "the word {}", quote(word)),
            Self::Address(text) => write!(f, "its own address as {}", quote(text)),
        }
    }
}

/// An address that is given out anew from time to time.
const CHANGING: [&str; 14] = [
    "dial",
    "dialin",
    "dialup",
    "dhcp",
    "dyn",
    "dynamic",
    "dynamicip",
    "dynip",
    "pool",
    "pools",
    "ppp",
    "pppoe",
    "unassigned",
    "unused",
];
/// A customer's line, unless the name says that its address is static.
const CONSUMER: [&str; 22] = [
    "adsl",
    "broadband",
    "cable",
    "cablemodem",
    "catv",
    "client",
    "clients",
    "cpe",
    "cust",
    "customer",
    "customers",
    "dsl",
    "ftth",
    "fttx",
    "gprs",
    "hfc",
    "modem",
    "residential",
    "umts",
    "vdsl",
    "wimax",
    "xdsl",
];

/// What stands beside those words in one token: `dynhost`. Alone it says nothing.
const FILLING: [&str; 4] = ["host", "ip", "line", "user"];

/// The first sign of a generated name; `None` for one that somebody chose.
pub(crate) fn sign(name: &str, address: IpAddr) -> Option<Sign> {
    let name = name.to_ascii_lowercase();
    let digits = match address {
        IpAddr::V4(v4) => octets_in(&name, v4),
        IpAddr::V6(v6) => nibbles_in(&name, v6),
    };
    digits.map(Sign::Address).or_else(|| word_in(&name).map(Sign::Word))
}

fn word_in(name: &str) -> Option<String> {
    let host = host_part(name);
    let tokens: Vec<&str> =
        host.split(|c: char| !c.is_ascii_alphabetic()).filter(|token| !token.is_empty()).collect();
    let is_static = tokens.contains(&"static");
    let speaks = |token: &&&str| {
        let parts = parts(token);
        let speaks = |part: &&str| CHANGING.contains(part) || CONSUMER.contains(part);
        let is_line = parts.first().is_some_and(speaks) || parts.last().is_some_and(speaks);
        is_line && (!is_static || parts.iter().any(|part| CHANGING.contains(part)))
    };
    tokens.iter().find(speaks).map(|token| (*token).to_owned())
}

/// The known words that a token is made of; none when anything else is in it.
fn parts(token: &str) -> Vec<&'static str> {
    // The words up to each place that words alone lead to.
    let mut known: Vec<Option<Vec<&'static str>>> = vec![None; token.len() + 1];
    if let Some(start) = known.first_mut() {
        *start = Some(Vec::new());
    }
    for at in 0..token.len() {
        let Some(so_far) = known.get_mut(at).and_then(Option::take) else { continue };
        let rest = token.get(at..).unwrap_or_default();
        for word in CHANGING.iter().chain(&CONSUMER).chain(&FILLING).filter(|word| rest.starts_with(**word)) {
            if let Some(place @ None) = known.get_mut(at + word.len()) {
                *place = Some(so_far.iter().copied().chain([*word]).collect());
            }
        }
    }
    known.pop().flatten().unwrap_or_default()
}

/// Labels under which countries keep domains for everybody.
const SECOND_LEVEL: [&str; 12] =
    ["ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ne", "net", "or", "org"];
/// More of them in one country; elsewhere they are somebody's.
const SECOND_LEVEL_UK: [&str; 3] = ["ltd", "me", "plc"];

/// The name without the domain of its owner, who may well be called after cables.
fn host_part(name: &str) -> &str {
    let mut ends = name.rmatch_indices('.').map(|(at, _)| at);
    let (top, second, third) = (ends.next(), ends.next(), ends.next());
    let label = |from: Option<usize>, to: Option<usize>| {
        name.get(from.map_or(0, |at| at + 1)..to.unwrap_or(name.len())).unwrap_or_default()
    };
    let (country, kept) = (label(top, None), label(second, top));
    let shared = country.len() == 2
        && (SECOND_LEVEL.contains(&kept) || (country == "uk" && SECOND_LEVEL_UK.contains(&kept)));
    let end = if shared { third } else { second };
    end.and_then(|end| name.get(..end)).unwrap_or_default()
}

/// A run of digits: its number, if it can be an octet, and where it stands.
struct Run {
    octet: Option<u8>,
    start: usize,
    end: usize,
}

fn runs(name: &str) -> Vec<Run> {
    let is_digit = |at: usize| name.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let starts = (0..name.len()).filter(|&at| is_digit(at) && (at == 0 || !is_digit(at - 1)));
    let run = |start: usize| {
        let end = (start..name.len()).find(|&at| !is_digit(at)).unwrap_or(name.len());
        let digits = name.get(start..end).unwrap_or_default();
        Run { octet: digits.parse().ok().filter(|_| digits.len() <= 3), start, end }
    };
    starts.map(run).collect()
}

/// The longest text that stands between octets: `192dash0dash2dash25`.
const LONGEST_GAP: usize = 4;

/// Whether octets stand so close that they are one thing: one character between them, or
/// between all four the same few.
fn are_neighbours(name: &str, runs: &[Run]) -> bool {
    let gap = |pair: &[Run]| match pair {
        [one, next] => name.get(one.end..next.start),
        _ => None,
    };
    let first = gap(runs.get(..2).unwrap_or_default());
    let same =
        first.is_some_and(|text| text.len() <= LONGEST_GAP) && runs.windows(2).all(|pair| gap(pair) == first);
    runs.windows(2).all(|pair| gap(pair).is_some_and(|text| text.len() == 1)) || (runs.len() == 4 && same)
}

/// Three neighbouring octets at least, forwards or backwards; or all of them in one piece.
fn octets_in(name: &str, address: Ipv4Addr) -> Option<String> {
    let [a, b, c, d] = address.octets();
    let runs = runs(name);
    let wanted: [&[u8]; 6] = [&[a, b, c, d], &[d, c, b, a], &[a, b, c], &[c, b, a], &[b, c, d], &[d, c, b]];
    // `1-1-1` is a number that somebody gave.
    let is_telling =
        |octets: &&[u8]| octets.len() == 4 || octets.iter().any(|octet| Some(octet) != octets.first());
    for octets in wanted.into_iter().filter(is_telling) {
        let found = runs.windows(octets.len()).find(|runs| {
            let same = runs.iter().zip(octets).all(|(run, octet)| run.octet == Some(*octet));
            same && are_neighbours(name, runs)
        });
        if let Some([first, .., last]) = found {
            return name.get(first.start..last.end).map(str::to_owned);
        }
    }
    let padded =
        [[a, b, c, d], [d, c, b, a]].map(|octets| octets.map(|octet| format!("{octet:03}")).concat());
    let plain = [a, b, c, d].map(|octet| octet.to_string()).concat();
    let number = address.to_bits().to_string();
    let written = |run: &&Run| {
        let digits = name.get(run.start..run.end).unwrap_or_default();
        padded.iter().any(|padded| padded == digits)
            || (digits.len() >= 7 && (digits == plain || digits == number))
    };
    if let Some(run) = runs.iter().find(written) {
        return name.get(run.start..run.end).map(str::to_owned);
    }
    let hex = |octets: [u8; 4]| octets.map(|octet| format!("{octet:02x}")).concat();
    written_in(name, &[hex([a, b, c, d]), hex([d, c, b, a])])
}

/// The nibbles of the address or of its last half, forwards or backwards, with and without
/// separators; or its groups with hyphens for colons.
fn nibbles_in(name: &str, address: Ipv6Addr) -> Option<String> {
    let whole = format!("{:032x}", address.to_bits());
    let half = whole.get(16..).unwrap_or_default().to_owned();
    let back = |text: &str| text.chars().rev().collect::<String>();
    if let Some(found) = written_in(name, &[whole.clone(), back(&whole), half.clone(), back(&half)]) {
        return Some(found);
    }
    let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:x}")).collect();
    let halves = groups.chunks(4).map(|half| half.join("-"));
    // `2001-db8--25`; as short as `--1` or `0-0-0-1` it would be in half of all names.
    let compressed = address.to_string().replace(':', "-");
    let mut written = std::iter::once(compressed).chain(halves).filter(|text| text.len() >= 8);
    written.find(|text| has_token(name, text))
}

/// Whether a text stands in a name with no letter or digit on either side.
fn has_token(name: &str, text: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    name.match_indices(text).any(|(at, _)| {
        !is_part(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !is_part(bytes.get(at + text.len()))
    })
}

/// Hexadecimal digits, each eight at least, wherever they stand: nobody has those of his own
/// address in a name by chance.
fn written_in(name: &str, wanted: &[String]) -> Option<String> {
    let places: Vec<(usize, char)> =
        name.char_indices().filter(|(_, c)| !matches!(c, '.' | '-' | '_')).collect();
    let bare: String = places.iter().map(|(_, c)| c).collect();
    wanted.iter().find_map(|digits| {
        // Both are ASCII, or the digits would not be found: bytes and characters are one.
        let at = bare.find(digits.as_str()).filter(|_| bare.is_ascii())?;
        let (first, _) = places.get(at)?;
        let (last, _) = places.get(at + digits.len() - 1)?;
        name.get(*first..=*last).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V4: &str = "192.0.2.25";
    const V6: &str = "2001:db8:1:2::ab:25";

    fn found(name: &str, address: &str) -> Option<String> {
        sign(name, address.parse().unwrap()).map(|sign| match sign {
            Sign::Word(text) | Sign::Address(text) => text,
        })
    }

    #[test]
    fn words_are_tokens() {
        for (name, word) in [
            ("host.dyn.example.net", "dyn"),
            ("dsl.example.net", "dsl"),
            ("pool.example.org", "pool"),
            ("pool-7.example.org", "pool"),
            ("ppp17.example.net", "ppp"),
            ("x7.cust.example.co.uk", "cust"),
            ("a-dial-up.example.net", "dial"),
            ("cable_7.example.net", "cable"),
            ("DHCP.Example.NET", "dhcp"),
            ("static.pool.example.net", "pool"),
            ("dynamicpool7.example.net", "dynamicpool"),
            ("user-dslpool3.example.net", "dslpool"),
            ("dslcustomer.example.net", "dslcustomer"),
            ("dynhost.example.net", "dynhost"),
            ("static.dslpool.example.net", "dslpool"),
        ] {
            assert_eq!(found(name, V4).as_deref(), Some(word), "{name}");
        }
        for good in [
            "landsliding.example.org",
            "carpool.example.org",
            "clientele.example.org",
            "mail.pool.example",
            "mail.cable.co.uk",
            "mail.dsl.net",
            "dsl.net",
            "pool",
            "static.dsl.example.net",
            "static.dslcustomer.example.net",
            "mail.cable.me.uk",
            "mail.cable.ltd.uk",
            "hostuser.example.org",
            "userhostline.example.org",
            "dynhosts.example.org",
            "poolside.example.org",
            "whirlpool.example.org",
            "mail.example.org",
            "mx25.example.org",
            "mail-2-25.example.org",
            "dynamo.example.org",
            "",
            ".",
            "...",
        ] {
            assert_eq!(found(good, V4), None, "{good}");
        }
    }

    #[test]
    fn octets_in_every_form() {
        for (name, text) in [
            ("192-0-2-25.example.net", "192-0-2-25"),
            ("host.192.0.2.25.example.net", "192.0.2.25"),
            ("25.2.0.192.example.net", "25.2.0.192"),
            ("ip192x0x2x25.example.net", "192x0x2x25"),
            ("h-192-000-002-025.example.net", "192-000-002-025"),
            ("192000002025.example.net", "192000002025"),
            ("025002000192.example.net", "025002000192"),
            ("host1920225.example.net", "1920225"),
            ("n3221226009.example.net", "3221226009"),
            ("c0000219.example.net", "c0000219"),
            ("pC0000219.Example.net", "c0000219"),
            ("190200c0.example.net", "190200c0"),
            ("c0-00-02-19.example.net", "c0-00-02-19"),
            ("host-0-2-25.example.net", "0-2-25"),
            ("h25-2-0.example.net", "25-2-0"),
            ("h25.net192-0-2.example.net", "192-0-2"),
            ("x-192--0--2--25.example.net", "192--0--2--25"),
            ("192dash0dash2dash25.example.net", "192dash0dash2dash25"),
        ] {
            assert_eq!(found(name, V4).as_deref(), Some(text), "{name}");
        }
        for good in [
            "192-0-3-25.example.net",
            "mx2-25.example.net",
            "25.example.net",
            "192--0--2.example.net",
            "192--0-2--25.example.net",
            "192apart0apart2apart25.example.net",
        ] {
            assert_eq!(found(good, V4), None, "{good}");
        }
        for name in ["x-8--8--1--25.e.net", "8dash8dash1dash25.e.net", "25--1--8--8.e.net"] {
            assert!(found(name, "8.8.1.25").is_some(), "{name}");
        }
        assert_eq!(found("mail-1-1-1.example.org", "1.1.1.5"), None);
        assert_eq!(found("mail-1-1-1-1.example.org", "1.1.1.1").as_deref(), Some("1-1-1-1"));
        assert_eq!(found("mail-1-1-5.example.org", "1.1.1.5").as_deref(), Some("1-1-5"));
    }

    #[test]
    fn nibbles_in_every_form() {
        let nibbles = "20010db8000100020000000000ab0025";
        let dotted: Vec<String> = nibbles.chars().rev().map(String::from).collect();
        let dotted = dotted.join(".");
        let dashed = "2001-0db8-0001-0002-0000-0000-00ab-0025";
        for (name, text) in [
            (nibbles, nibbles),
            (dotted.as_str(), dotted.as_str()),
            (dashed, dashed),
            ("h-2001-db8-1-2--ab-25", "2001-db8-1-2--ab-25"),
            ("h-2001-db8-1-2-0-0-ab-25", "2001-db8-1-2"),
            ("h-0-0-ab-25", "0-0-ab-25"),
            ("x0000000000ab0025", "0000000000ab0025"),
        ] {
            assert_eq!(found(&format!("{name}.example.net"), V6).as_deref(), Some(text), "{name}");
        }
        for good in ["ab-25.example.net", "mail.example.net", "2001-db8-1-2b.example.net", "a--1.example.net"]
        {
            assert_eq!(found(good, V6), None, "{good}");
        }
        assert_eq!(found("a--1.example.net", "::1"), None);
        assert_eq!(found("mail-0-0-0-1.example.org", "2a00::1"), None);
        assert_eq!(found("mail-0-0-0-12.example.org", "2a00::12").as_deref(), Some("0-0-0-12"));
    }

    proptest! {
        #[test]
        fn any_name_is_read(name in "\\PC{0,60}|[a-f0-9.-]{0,80}", address in any::<IpAddr>()) {
            if let Some(sign) = sign(&name, address) {
                let (Sign::Word(text) | Sign::Address(text)) = sign;
                prop_assert!(name.to_ascii_lowercase().contains(&text) && !text.is_empty());
            }
        }

        /// One letter more, of which no word is made, and it is somebody's own word.
        #[test]
        fn tokens_are_known_words_throughout(
            words in prop::collection::vec(prop::sample::select([&CHANGING[..], &CONSUMER, &FILLING].concat()), 1..5),
            at in 0_usize..4,
        ) {
            let speaks = |word: Option<&&str>| word.is_some_and(|word| !FILLING.contains(word));
            let token = words.concat();
            let told = word_in(&format!("{token}.example.org"));
            if speaks(words.first()) && speaks(words.last()) {
                prop_assert_eq!(told, Some(token));
            }
            let mut other = words;
            other.insert(at.min(other.len()), "q");
            prop_assert_eq!(word_in(&format!("{}.example.org", other.concat())), None);
        }

        #[test]
        fn a_name_made_of_the_address_is_found(address in any::<IpAddr>(), back in any::<bool>()) {
            let mut parts: Vec<String> = match address {
                IpAddr::V4(v4) => v4.octets().map(|octet| octet.to_string()).to_vec(),
                IpAddr::V6(v6) => format!("{:032x}", v6.to_bits()).chars().map(String::from).collect(),
            };
            if back {
                parts.reverse();
            }
            let name = format!("h-{}.example.net", parts.join("-"));
            prop_assert!(matches!(sign(&name, address), Some(Sign::Address(_))), "{name}");
        }
    }
}
