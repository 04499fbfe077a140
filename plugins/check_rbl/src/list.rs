//! Lists: what the operator wrote, on top of what the provider publishes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use common::cli::BadValue;
use common::proto::dns::{DomainName, listed_name};
use serde::{Deserialize, Serialize};

use crate::catalogue::{self, KNOWN, Known, RETIRED};
use crate::code::Pattern;

/// What a list can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// IPv4 addresses (RFC 5782 section 2.1).
    Ip4,
    /// IPv6 addresses (RFC 5782 section 2.4).
    Ip6,
    /// Domain names (RFC 5782 section 2.3).
    Domain,
}

/// Whom a list is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    Address(IpAddr),
    Domain(DomainName),
}

impl Subject {
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Address(IpAddr::V4(_)) => Kind::Ip4,
            Self::Address(IpAddr::V6(_)) => Kind::Ip6,
            Self::Domain(_) => Kind::Domain,
        }
    }

    /// The name a list keeps it under; `None` when that would be too long.
    pub(crate) fn name_in(&self, zone: &DomainName) -> Option<DomainName> {
        match self {
            Self::Address(address) => listed_name(*address, zone),
            Self::Domain(domain) => zone.child(domain.as_str()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Domain(domain) => write!(f, "{domain}"),
        }
    }
}

/// A code and what the provider says it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meaning {
    pub(crate) code: Pattern,
    pub(crate) text: String,
}

/// A list that is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) zone: DomainName,
    /// Being on it is good, and missing there counts.
    pub(crate) allow: bool,
    pub(crate) kinds: Vec<Kind>,
    /// What a listing adds to the score.
    pub(crate) weight: f64,
    /// What it adds instead when the code is one of these; the first that matches.
    pub(crate) code_weights: Vec<(Pattern, f64)>,
    pub(crate) meanings: Vec<Meaning>,
    /// Codes that are no listing for us.
    pub(crate) ignore: Vec<Pattern>,
    /// Codes that say we may not ask.
    pub(crate) refuse: Vec<Meaning>,
    /// Codes are bits that add up.
    pub(crate) mask: bool,
    /// Labels in front of the zone that must be listed, if not those of RFC 5782.
    pub(crate) test_in: Option<String>,
    /// Labels that must not be listed.
    pub(crate) test_out: Option<String>,
    /// Whether it has such test points.
    pub(crate) self_test: bool,
    /// The provider's name for it and the page that explains it.
    pub(crate) about: Option<String>,
}

/// Which of the two test points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Must be listed.
    In,
    /// Must not be.
    Out,
}

impl List {
    pub(crate) fn takes(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The name of a test point for a kind of subjects (RFC 5782 section 5).
    pub(crate) fn test_name(&self, kind: Kind, point: Point) -> Option<DomainName> {
        let own = match point {
            Point::In => &self.test_in,
            Point::Out => &self.test_out,
        };
        if let Some(labels) = own {
            return self.zone.child(&labels.to_ascii_lowercase());
        }
        let last = if point == Point::In { 2 } else { 1 };
        match (kind, point) {
            (Kind::Ip4, _) => listed_name(Ipv4Addr::new(127, 0, 0, last).into(), &self.zone),
            (Kind::Ip6, _) => {
                let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, u16::from(last));
                listed_name(mapped.into(), &self.zone)
            }
            (Kind::Domain, Point::In) => self.zone.child("test"),
            (Kind::Domain, Point::Out) => self.zone.child("invalid"),
        }
    }

    /// A list nothing is known of.
    fn unknown(zone: DomainName) -> Self {
        Self {
            zone,
            allow: false,
            kinds: Vec::new(),
            weight: 1.0,
            code_weights: Vec::new(),
            meanings: Vec::new(),
            ignore: Vec::new(),
            refuse: Vec::new(),
            mask: false,
            test_in: None,
            test_out: None,
            self_test: true,
            about: None,
        }
    }

    fn known(zone: DomainName, known: &Known) -> Self {
        let meanings = |table: &[(&str, &str)], mask| -> Vec<Meaning> {
            let read = |code: &str| if mask { Pattern::bit(code) } else { code.parse() };
            // The catalogue's own test proves that every code can be read.
            let one = |(code, text): &(&str, &str)| {
                Some(Meaning { code: read(code).ok()?, text: (*text).to_owned() })
            };
            table.iter().filter_map(one).collect()
        };
        Self {
            allow: known.allow,
            kinds: known.kinds.to_vec(),
            meanings: meanings(known.codes, known.mask),
            refuse: meanings(known.refuse, false),
            mask: known.mask,
            test_in: known.test_in.map(str::to_owned),
            test_out: known.test_out.map(str::to_owned),
            self_test: known.self_test,
            about: Some(format!("{}, {}", known.name, known.source)),
            ..Self::unknown(zone)
        }
    }

    /// The lists asked when none is named.
    pub(crate) fn default_set() -> Vec<Self> {
        let defaults = KNOWN.iter().filter(|known| known.default);
        defaults.filter_map(|known| Some(Self::known(known.zone.parse().ok()?, known))).collect()
    }
}

/// A value of `--list` or `--allow-list`: `ZONE[,key=value]...`, or the default set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ListSpec {
    Default,
    One(Box<List>),
}

impl ListSpec {
    /// Reads one value. What the provider publishes comes first, what is written goes over it.
    pub(crate) fn read(text: &str, allow: bool) -> Result<Self, BadValue> {
        let mut parts = text.split(',').map(str::trim);
        let zone = parts.next().unwrap_or_default();
        if zone.eq_ignore_ascii_case("default") && !allow {
            return match parts.next() {
                None => Ok(Self::Default),
                Some(_) => Err(BadValue::new("'default' takes no settings; name the list itself")),
            };
        }
        let zone: DomainName =
            zone.parse().map_err(|error| BadValue::new(format!("{error}, want the zone of a list")))?;
        if !zone.as_str().contains('.') {
            return Err(BadValue::new(format!("'{zone}' is not the zone of a list")));
        }
        if let Some(retired) = retired(&zone) {
            let (what, advice) = retired.hint.rsplit_once("; ").unwrap_or((retired.hint, "remove it"));
            return Err(BadValue::new(format!("{zone} is no list any more: {what}"))
                .with_hint(format!("{advice} ({})", retired.source)));
        }
        let mut list = match KNOWN.iter().find(|known| known.zone == zone.as_str()) {
            Some(known) if known.allow != allow => return Err(wrong_side(known)),
            Some(known) => List::known(zone, known),
            None => List { allow, ..List::unknown(zone) },
        };
        let settings: Vec<&str> = parts.collect();
        // It decides how codes are read, wherever it stands.
        list.mask |= settings.contains(&"mask");
        let mut kinds = Vec::new();
        for setting in settings {
            set(&mut list, &mut kinds, setting)?;
        }
        if !kinds.is_empty() {
            list.kinds = kinds;
        } else if list.kinds.is_empty() {
            list.kinds = vec![Kind::Ip4];
        }
        Ok(Self::One(Box::new(list)))
    }
}

/// `--list`
impl FromStr for ListSpec {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text, false)
    }
}

fn set(list: &mut List, kinds: &mut Vec<Kind>, setting: &str) -> Result<(), BadValue> {
    let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
    let wrong = |want: &str| BadValue::new(format!("{key}: '{value}' is not {want}"));
    match key {
        "weight" => list.weight = weight(value).ok_or_else(|| wrong("a weight, 0 or more"))?,
        "type" => {
            for one in value.split('+') {
                kinds.push(kind(one).ok_or_else(|| wrong("ip4, ip6 or domain, several with +"))?);
            }
        }
        "ignore" => list.ignore = patterns(value, list.mask)?,
        "refuse" => {
            let given = patterns(value, false)?;
            list.refuse.extend(given.into_iter().map(|code| Meaning { code, text: String::new() }));
        }
        "codes" => {
            for one in value.split('+') {
                let (code, points) =
                    one.split_once(':').ok_or_else(|| wrong("CODE:WEIGHT, several with +"))?;
                let points = weight(points).ok_or_else(|| wrong("CODE:WEIGHT, several with +"))?;
                list.code_weights.push((pattern(code, list.mask)?, points));
            }
        }
        "mask" if value.is_empty() => {}
        "test-in" => list.test_in = Some(labels(value).ok_or_else(|| wrong("a name in front of the zone"))?),
        "test-out" => {
            list.test_out = Some(labels(value).ok_or_else(|| wrong("a name in front of the zone"))?);
        }
        "selftest" => {
            list.self_test = match value {
                "on" => true,
                "off" => false,
                _ => return Err(wrong("on or off")),
            }
        }
        _ => {
            return Err(BadValue::new(format!("'{setting}' is not a setting of a list")).with_hint(
                "ZONE[,weight=N][,type=ip4+ip6+domain][,codes=CODE:WEIGHT+..][,ignore=CODE+..][,refuse=CODE+..][,mask][,test-in=NAME][,test-out=NAME][,selftest=off]",
            ));
        }
    }
    Ok(())
}

fn kind(text: &str) -> Option<Kind> {
    match text {
        "ip4" => Some(Kind::Ip4),
        "ip6" => Some(Kind::Ip6),
        "domain" => Some(Kind::Domain),
        _ => None,
    }
}

/// A plain decimal that is no less than zero; a million is more than any score means.
fn weight(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse::<f64>().ok().filter(|weight| plain && *weight <= 1e6)
}

fn pattern(text: &str, mask: bool) -> Result<Pattern, BadValue> {
    if mask { Pattern::bit(text) } else { text.parse() }
}

fn patterns(text: &str, mask: bool) -> Result<Vec<Pattern>, BadValue> {
    text.split('+').map(|one| pattern(one, mask)).collect()
}

/// Labels that can stand in front of a zone.
fn labels(text: &str) -> Option<String> {
    text.parse::<DomainName>().ok().map(|name| name.to_string())
}

fn retired(zone: &DomainName) -> Option<&'static catalogue::Retired> {
    let below =
        |of: &str| zone.as_str().strip_suffix(of).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    RETIRED.iter().find(|one| below(one.zone))
}

fn wrong_side(known: &Known) -> BadValue {
    let (is, option) =
        if known.allow { ("an allow list", "--allow-list") } else { ("a block list", "--list") };
    BadValue::new(format!("{} is {is}", known.zone)).with_hint(format!("{option} {}", known.zone))
}

/// Puts the lists together: each zone once, the last word on it counts, in the order of
/// their first mention.
pub(crate) fn collect(specs: impl IntoIterator<Item = ListSpec>) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    for spec in specs {
        let given = match spec {
            ListSpec::Default => List::default_set(),
            ListSpec::One(list) => vec![*list],
        };
        for list in given {
            match lists.iter_mut().find(|earlier| earlier.zone == list.zone) {
                Some(earlier) => *earlier = list,
                None => lists.push(list),
            }
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> List {
        match ListSpec::read(text, false).unwrap() {
            ListSpec::One(list) => *list,
            ListSpec::Default => panic!("{text}"),
        }
    }

    fn refused(text: &str) -> BadValue {
        ListSpec::read(text, false).unwrap_err()
    }

    #[test]
    fn a_known_list_brings_what_its_provider_publishes() {
        let zen = list("Zen.Spamhaus.org.");
        assert!(zen.takes(Kind::Ip4) && zen.takes(Kind::Ip6) && !zen.takes(Kind::Domain));
        assert!(zen.meanings.iter().any(|one| one.text.starts_with("PBL")));
        assert!(list("multi.uribl.com").mask);
    }

    #[test]
    fn settings_go_over_it() {
        let zen =
            list("zen.spamhaus.org,weight=2.5,type=ip4,ignore=10+11,codes=4-7:5+127.0.0.9:0,selftest=off");
        assert_eq!((zen.weight, zen.kinds.as_slice(), zen.self_test), (2.5, &[Kind::Ip4][..], false));
        assert_eq!((zen.ignore.len(), zen.code_weights.len()), (2, 2));
        let own = list("bl.example.org,codes=8:3,mask,type=domain,test-in=listed.example,test-out=free");
        assert_eq!(own.code_weights, [(Pattern::Bit(8), 3.0)], "the mask counts wherever it stands");
        assert_eq!(own.test_name(Kind::Domain, Point::In).unwrap().as_str(), "listed.example.bl.example.org");
        assert_eq!(list("bl.example.org").kinds, [Kind::Ip4]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, want) in [
            ("", "empty host name, want the zone of a list"),
            (
                "a b.example",
                "'a b.example' is neither a host name nor an IP address, want the zone of a list",
            ),
            ("zen", "'zen' is not the zone of a list"),
            ("bl.example.org,weight=-1", "weight: '-1' is not a weight, 0 or more"),
            ("bl.example.org,weight=nan", "weight: 'nan' is not a weight, 0 or more"),
            ("bl.example.org,wait=1", "'wait=1' is not a setting of a list"),
            ("bl.example.org,type=ip5", "type: 'ip5' is not ip4, ip6 or domain, several with +"),
            ("bl.example.org,codes=2", "codes: '2' is not CODE:WEIGHT, several with +"),
            ("bl.example.org,selftest=no", "selftest: 'no' is not on or off"),
            ("default,weight=2", "'default' takes no settings; name the list itself"),
            ("list.dnswl.org", "list.dnswl.org is an allow list"),
        ] {
            assert_eq!(refused(text).cause, want, "{text}");
        }
        assert_eq!(refused("list.dnswl.org").hint.unwrap(), "--allow-list list.dnswl.org");
        assert!(ListSpec::read("zen.spamhaus.org", true).is_err());
    }

    #[test]
    fn lists_that_are_gone_are_refused() {
        for zone in [
            "relays.ordb.org",
            "dnsbl.njabl.org",
            "dnsbl.ahbl.org",
            "sbl-xbl.spamhaus.org",
            "spam.dnsbl.sorbs.net",
            "dnsbl.sorbs.net",
        ] {
            let error = refused(zone);
            assert!(error.cause.starts_with(&format!("{zone} is no list any more: ")), "{error}");
            assert!(error.hint.is_some());
        }
        list("notsorbs.net");
    }

    #[test]
    fn a_zone_is_asked_once() {
        let given = ["bl.example.org", "default", "BL.example.org.,weight=3", "zen.spamhaus.org,weight=2"];
        let lists = collect(given.iter().map(|text| text.parse().unwrap()));
        let zones: Vec<&str> = lists.iter().map(|list| list.zone.as_str()).collect();
        assert_eq!(zones.first(), Some(&"bl.example.org"));
        assert_eq!(zones.iter().filter(|zone| **zone == "zen.spamhaus.org").count(), 1);
        assert!(lists.iter().any(|list| list.zone.as_str() == "zen.spamhaus.org" && list.weight > 1.5));
        assert!(lists[0].weight > 2.5);
    }

    #[test]
    fn test_points_are_those_of_rfc_5782() {
        let list = list("bl.example.org,type=ip4+ip6+domain");
        let name = |kind, point| list.test_name(kind, point).unwrap().to_string();
        assert_eq!(name(Kind::Ip4, Point::In), "2.0.0.127.bl.example.org");
        assert_eq!(name(Kind::Ip4, Point::Out), "1.0.0.127.bl.example.org");
        assert_eq!(
            name(Kind::Ip6, Point::In),
            "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.example.org"
        );
        assert_eq!(name(Kind::Domain, Point::In), "test.bl.example.org");
        assert_eq!(name(Kind::Domain, Point::Out), "invalid.bl.example.org");
    }

    #[test]
    fn the_catalogue_can_be_read() {
        for known in KNOWN {
            let zone: DomainName = known.zone.parse().unwrap();
            let list = List::known(zone.clone(), known);
            assert_eq!(list.meanings.len(), known.codes.len(), "{zone}: a code cannot be read");
            assert_eq!(list.refuse.len(), known.refuse.len(), "{zone}");
            assert!(
                !known.kinds.is_empty() && known.source.starts_with("http") && !known.name.is_empty(),
                "{zone}"
            );
            assert!(retired(&zone).is_none(), "{zone} is said to be gone");
            for kind in &list.kinds {
                assert!(list.test_name(*kind, Point::In) != list.test_name(*kind, Point::Out), "{zone}");
            }
        }
        for retired in RETIRED {
            assert!(
                retired.zone.parse::<DomainName>().is_ok() && retired.source.starts_with("http"),
                "{}",
                retired.zone
            );
        }
        let defaults = List::default_set();
        assert!((8..=16).contains(&defaults.len()));
        for kind in [Kind::Ip4, Kind::Ip6, Kind::Domain] {
            assert!(defaults.iter().filter(|list| list.takes(kind)).count() >= 2, "{kind:?}");
        }
    }
}
