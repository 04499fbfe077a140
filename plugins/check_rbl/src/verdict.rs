//! From what a list said to what that means: the heart of this check.
//!
//! | answer | meaning |
//! |---|---|
//! | NXDOMAIN, NODATA | not listed |
//! | a code of the list, or another one in 127/8 | listed |
//! | 127.255.255.x, or what the list has for it | the list refuses to answer us |
//! | 127.0.0.1, 0.0.0.0, anything outside 127/8 | the list or the resolver is broken |
//! | anything else | no answer |

use std::net::Ipv4Addr;

use crate::catalogue::REFUSALS;
use crate::list::List;
use crate::seen::{Said, Test};

/// What one answer of a list is worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Vote {
    Listed(Listing),
    NotListed,
    /// Nothing can be told from it.
    Unhealthy(Why),
}

/// A listing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listing {
    /// What it adds to the score.
    pub(crate) weight: f64,
    /// Code and meaning of what it is listed for: `127.0.0.2 SBL: spam source`.
    pub(crate) codes: Vec<String>,
}

/// Why a list's answer counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It said that it does not answer us.
    Refused(String),
    /// It answered with what no list may answer.
    Invalid(String),
    /// Its test point is not listed: it is empty, or dead.
    Dead,
    /// It lists what must never be listed.
    ListsTheWorld,
    /// Nothing came, or no answer.
    NoAnswer(String),
    /// The resolvers do not agree.
    Disagreement(String),
}

impl Why {
    /// For a sentence: `<this>: list, list`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Refused(meaning) => format!("refused to answer us ({meaning})"),
            Self::Invalid(codes) => format!("answered {codes}, which is no return code"),
            Self::Dead => "does not list its own test point: dead or empty".to_owned(),
            Self::ListsTheWorld => "lists the whole world".to_owned(),
            Self::NoAnswer(why) => format!("gave no answer ({why})"),
            Self::Disagreement(how) => format!("resolvers disagree ({how})"),
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused(_) => {
                Some("ask through a resolver of your own (--resolver), not a public or forwarding one")
            }
            Self::Invalid(_) => Some("a resolver that rewrites NXDOMAIN, or a list whose domain lapsed"),
            Self::ListsTheWorld => Some("the list was shut down, or its domain lapsed: take it out"),
            Self::Dead => {
                Some("selftest=off for a list without the test points of RFC 5782; else take it out")
            }
            Self::NoAnswer(_) | Self::Disagreement(_) => None,
        }
    }

    pub(crate) const fn id(&self) -> &'static str {
        match self {
            Self::Refused(_) => "list_refused",
            Self::Invalid(_) => "list_invalid",
            Self::Dead => "list_dead",
            Self::ListsTheWorld => "list_of_the_world",
            Self::NoAnswer(_) => "list_silent",
            Self::Disagreement(_) => "list_disputed",
        }
    }
}

/// What one code of a list means.
#[derive(Clone, Debug, PartialEq)]
enum Code {
    Listed { weight: f64, text: String },
    Ignored,
    Refused(String),
    Invalid,
}

/// Judges one answer.
pub(crate) fn vote(list: &List, said: &Said) -> Vote {
    let codes = match said {
        Said::NxDomain | Said::NoData => return Vote::NotListed,
        Said::Nothing(why) => return Vote::Unhealthy(Why::NoAnswer(why.clone())),
        Said::NotAsked => return Vote::Unhealthy(Why::NoAnswer("not asked".to_owned())),
        Said::Codes(codes) => codes,
    };
    let mut listing: Option<Listing> = None;
    let mut refusal = None;
    let mut invalid = Vec::new();
    for &code in codes {
        match read(list, code) {
            Code::Ignored => {}
            Code::Refused(meaning) => refusal = Some(meaning),
            Code::Invalid => invalid.push(code),
            Code::Listed { weight, text } => match &mut listing {
                None => listing = Some(Listing { weight, codes: vec![text] }),
                Some(listing) => {
                    listing.weight = listing.weight.max(weight);
                    listing.codes.push(text);
                }
            },
        }
    }
    // A listing beside an error code is one: several zones may answer together.
    match (listing, refusal, invalid.first()) {
        (Some(listing), ..) => Vote::Listed(listing),
        (None, Some(meaning), _) => Vote::Unhealthy(Why::Refused(meaning)),
        (None, None, Some(first)) if invalid.len() == 1 => Vote::Unhealthy(Why::Invalid(first.to_string())),
        (None, None, Some(first)) => {
            Vote::Unhealthy(Why::Invalid(format!("{first} and {} more", invalid.len() - 1)))
        }
        (None, None, None) if codes.is_empty() => Vote::Unhealthy(Why::NoAnswer("no code in it".to_owned())),
        (None, None, None) => Vote::NotListed,
    }
}

fn read(list: &List, code: Ipv4Addr) -> Code {
    if let Some(refused) = list.refuse.iter().find(|one| one.code.matches(code)) {
        return Code::Refused(described(code, &refused.text));
    }
    let is_error_range = code.octets().starts_with(&[127, 255, 255]);
    if is_error_range {
        let meaning = REFUSALS.iter().find(|(known, _)| code.to_string() == *known);
        return Code::Refused(described(code, meaning.map_or("error of the list", |(_, text)| *text)));
    }
    if list.mask { read_bits(list, code) } else { read_code(list, code) }
}

fn described(code: Ipv4Addr, meaning: &str) -> String {
    if meaning.is_empty() { code.to_string() } else { format!("{code} {meaning}") }
}

fn read_code(list: &List, code: Ipv4Addr) -> Code {
    if list.ignore.iter().any(|one| one.matches(code)) {
        return Code::Ignored;
    }
    let meaning = list.meanings.iter().find(|one| one.code.matches(code));
    let own_weight = list.code_weights.iter().find(|(pattern, _)| pattern.matches(code));
    // What the list or the operator names is a listing, wherever it lies.
    if meaning.is_none() && own_weight.is_none() && !is_listing(code) {
        return Code::Invalid;
    }
    Code::Listed {
        weight: own_weight.map_or(list.weight, |(_, weight)| *weight),
        text: described(code, meaning.map_or("", |one| one.text.as_str())),
    }
}

/// The bits of a code, each with its own meaning and weight; the best one counts.
fn read_bits(list: &List, code: Ipv4Addr) -> Code {
    let [a, b, c, bits] = code.octets();
    let named = |bit: u8| {
        let one = Ipv4Addr::new(a, b, c, bit);
        list.meanings.iter().any(|meaning| meaning.code.matches(one))
            || list.code_weights.iter().any(|(pattern, _)| pattern.matches(one))
    };
    let set: Vec<u8> = (0..8).map(|place| 1 << place).filter(|bit| bits & bit != 0).collect();
    if !is_listing(code) && !set.iter().any(|bit| named(*bit)) {
        return Code::Invalid;
    }
    let mut weight = None;
    let mut words = Vec::new();
    for bit in set {
        let one = Ipv4Addr::new(a, b, c, bit);
        if list.ignore.iter().any(|pattern| pattern.matches(one)) {
            continue;
        }
        let own = list.code_weights.iter().find(|(pattern, _)| pattern.matches(one));
        let points = own.map_or(list.weight, |(_, weight)| *weight);
        weight = Some(weight.map_or(points, |best: f64| best.max(points)));
        let meaning = list.meanings.iter().find(|meaning| meaning.code.matches(one));
        words.push(meaning.map_or_else(|| format!("bit {bit}"), |one| one.text.clone()));
    }
    match weight {
        Some(weight) => Code::Listed { weight, text: described(code, &words.join(" + ")) },
        None => Code::Ignored,
    }
}

/// Whether an address can be a return code at all (RFC 5782 section 2.1): in 127/8, but not
/// the address of the machine itself.
fn is_listing(code: Ipv4Addr) -> bool {
    code.is_loopback() && code != Ipv4Addr::LOCALHOST && code != Ipv4Addr::new(127, 0, 0, 0)
}

/// Whether a list proved that it works; `None` when it did.
pub(crate) fn judge_test(list: &List, test: &Test) -> Option<Why> {
    let outside = vote(list, &test.outside);
    let inside = vote(list, &test.inside);
    match (inside, outside) {
        (Vote::Unhealthy(why), _) | (_, Vote::Unhealthy(why)) => Some(why),
        (_, Vote::Listed(_)) => Some(Why::ListsTheWorld),
        // A code that we ignore shows as well that the list lives.
        (Vote::NotListed, Vote::NotListed) if !matches!(test.inside, Said::Codes(_)) => Some(Why::Dead),
        (Vote::Listed(_) | Vote::NotListed, Vote::NotListed) => None,
    }
}

/// What the resolvers say together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) vote: Vote,
    /// Resolvers that saw a listing although it does not count.
    pub(crate) overruled: usize,
}

/// Brings the votes of all resolvers together: enough for a listing, else enough for none,
/// else nobody knows.
pub(crate) fn agree(votes: Vec<Vote>, quorum: usize) -> Verdict {
    let total = votes.len();
    let listed = votes.iter().filter(|vote| matches!(vote, Vote::Listed(_))).count();
    let clean = votes.iter().filter(|vote| **vote == Vote::NotListed).count();
    let vote = if listed >= quorum {
        let best = votes.into_iter().reduce(heavier);
        best.unwrap_or(Vote::Unhealthy(Why::NoAnswer("not asked".to_owned())))
    } else if clean >= quorum {
        return Verdict { vote: Vote::NotListed, overruled: listed };
    } else if listed + clean == 0 {
        let why = votes.into_iter().find_map(|vote| match vote {
            Vote::Unhealthy(why) => Some(why),
            _ => None,
        });
        Vote::Unhealthy(why.unwrap_or_else(|| Why::NoAnswer("not asked".to_owned())))
    } else {
        let silent = total - listed - clean;
        Vote::Unhealthy(Why::Disagreement(format!(
            "{listed} listed, {clean} not listed, {silent} without an answer"
        )))
    };
    Verdict { vote, overruled: 0 }
}

fn heavier(one: Vote, other: Vote) -> Vote {
    match (&one, &other) {
        (Vote::Listed(a), Vote::Listed(b)) if b.weight > a.weight => other,
        (Vote::Listed(_), _) => one,
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{Kind, ListSpec};

    fn list(text: &str) -> List {
        match text.parse().unwrap() {
            ListSpec::One(list) => *list,
            ListSpec::Default => panic!("{text}"),
        }
    }

    fn codes(codes: &[&str]) -> Said {
        Said::Codes(codes.iter().map(|code| code.parse().unwrap()).collect())
    }

    fn voted(spec: &str, said: &[&str]) -> Vote {
        vote(&list(spec), &codes(said))
    }

    fn listed(weight: f64, codes: &[&str]) -> Vote {
        Vote::Listed(Listing { weight, codes: codes.iter().map(|&code| code.to_owned()).collect() })
    }

    #[test]
    fn not_listed_is_said_by_nxdomain_and_nodata_alone() {
        let plain = list("bl.example.org");
        assert_eq!(vote(&plain, &Said::NxDomain), Vote::NotListed);
        assert_eq!(vote(&plain, &Said::NoData), Vote::NotListed);
        for nothing in [Said::Nothing("SERVFAIL".into()), Said::NotAsked, Said::Codes(Vec::new())] {
            assert!(matches!(vote(&plain, &nothing), Vote::Unhealthy(Why::NoAnswer(_))), "{nothing:?}");
        }
    }

    #[test]
    fn listed_by_any_code_but_an_error() {
        assert_eq!(voted("bl.example.org", &["127.0.0.2"]), listed(1.0, &["127.0.0.2"]));
        assert_eq!(voted("bl.example.org", &["127.1.2.3"]), listed(1.0, &["127.1.2.3"]));
        assert_eq!(
            voted("zen.spamhaus.org,codes=10:0.5", &["127.0.0.10", "127.0.0.4"]),
            listed(
                1.0,
                &[
                    "127.0.0.10 PBL: no direct mail, says the provider",
                    "127.0.0.4 XBL: infected or exploited host"
                ]
            ),
            "the best code counts"
        );
        assert_eq!(
            voted("bl.example.org", &["127.255.255.254", "127.0.0.2"]),
            listed(1.0, &["127.0.0.2"]),
            "an error beside a listing is dropped"
        );
    }

    #[test]
    fn refused_by_the_provider() {
        for code in ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.1"] {
            let Vote::Unhealthy(Why::Refused(meaning)) = voted("bl.example.org", &[code]) else {
                panic!("{code}")
            };
            assert!(meaning.starts_with(code) && meaning.len() > code.len() + 5, "{meaning}");
        }
        assert!(matches!(voted("multi.uribl.com", &["127.0.0.1"]), Vote::Unhealthy(Why::Refused(_))));
        assert!(matches!(
            voted("bl.example.org,refuse=127.0.0.9", &["127.0.0.9"]),
            Vote::Unhealthy(Why::Refused(_))
        ));
    }

    #[test]
    fn an_answer_no_list_gives_is_invalid() {
        for code in ["127.0.0.1", "127.0.0.0", "0.0.0.0", "203.0.113.7", "10.0.0.1"] {
            assert_eq!(voted("bl.example.org", &[code]), Vote::Unhealthy(Why::Invalid(code.into())));
        }
        let many: Vec<String> = (1..=200).map(|n| format!("203.0.113.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            voted("bl.example.org", &many),
            Vote::Unhealthy(Why::Invalid("203.0.113.1 and 199 more".into())),
            "a flood stays one line"
        );
        assert_eq!(
            voted("bl.score.senderscore.com", &["127.0.0.1"]),
            listed(1.0, &["127.0.0.1 botnet"]),
            "its own code"
        );
    }

    #[test]
    fn ignored_codes_are_no_listing() {
        let spec = "zen.spamhaus.org,ignore=10+11";
        assert_eq!(voted(spec, &["127.0.0.10", "127.0.0.11"]), Vote::NotListed);
        assert!(matches!(voted(spec, &["127.0.0.10", "127.0.0.2"]), Vote::Listed(_)));
    }

    #[test]
    fn bits_add_up() {
        let spec = "bl.example.org,mask,codes=2:1+8:5,ignore=4";
        assert_eq!(voted(spec, &["127.0.0.10"]), listed(5.0, &["127.0.0.10 bit 2 + bit 8"]));
        assert_eq!(voted(spec, &["127.0.0.4"]), Vote::NotListed);
        assert_eq!(voted(spec, &["127.0.0.6"]), listed(1.0, &["127.0.0.6 bit 2"]));
        assert_eq!(voted(spec, &["203.0.113.2"]), Vote::Unhealthy(Why::Invalid("203.0.113.2".into())));
    }

    #[test]
    fn a_list_must_prove_itself() {
        let plain = list("bl.example.org,ignore=127.0.0.3");
        let tested = |inside: Said, outside: Said| {
            judge_test(&plain, &Test { list: 0, kind: Kind::Ip4, resolver: 0, inside, outside })
        };
        assert_eq!(tested(codes(&["127.0.0.2"]), Said::NxDomain), None);
        assert_eq!(tested(codes(&["127.0.0.3"]), Said::NoData), None, "an ignored code proves it, too");
        assert_eq!(tested(Said::NxDomain, Said::NxDomain), Some(Why::Dead));
        assert_eq!(tested(codes(&["127.0.0.2"]), codes(&["127.0.0.2"])), Some(Why::ListsTheWorld));
        assert!(matches!(
            tested(codes(&["127.255.255.254"]), codes(&["127.255.255.254"])),
            Some(Why::Refused(_))
        ));
        assert!(matches!(
            tested(codes(&["127.0.0.2"]), Said::Nothing("SERVFAIL".into())),
            Some(Why::NoAnswer(_))
        ));
        assert!(matches!(tested(codes(&["203.0.113.7"]), codes(&["203.0.113.7"])), Some(Why::Invalid(_))));
    }

    #[test]
    fn resolvers_must_agree() {
        let unhealthy = || Vote::Unhealthy(Why::NoAnswer("no answer".into()));
        let yes = || listed(1.0, &["127.0.0.2"]);
        let agreed = |votes: Vec<Vote>, quorum| agree(votes, quorum).vote;
        assert_eq!(agreed(vec![yes(), yes(), Vote::NotListed], 2), yes());
        assert_eq!(
            agree(vec![yes(), Vote::NotListed, Vote::NotListed], 2),
            Verdict { vote: Vote::NotListed, overruled: 1 }
        );
        assert!(matches!(
            agreed(vec![yes(), Vote::NotListed, unhealthy()], 2),
            Vote::Unhealthy(Why::Disagreement(_))
        ));
        assert_eq!(agreed(vec![unhealthy(), unhealthy()], 2), unhealthy());
        assert_eq!(
            agreed(vec![yes(), Vote::NotListed, Vote::NotListed], 1),
            yes(),
            "one is enough when one is wanted"
        );
        assert!(matches!(agreed(Vec::new(), 1), Vote::Unhealthy(_)), "nobody was asked");
    }
}
