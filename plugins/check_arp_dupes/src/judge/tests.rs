use std::collections::BTreeMap;

use clap::Parser as _;
use common::plugin::{Plugin as _, Run};
use common::report::{Condition, StateTable};
use proptest::prelude::*;

use super::*;
use crate::frame::{Advertisement, Kind, Preference};
use crate::memory::Memory;
use crate::netlink::State as Entered;
use crate::seen::{
    Advertised, Announcer, Claimed, Entry, Gateway, Heard, Network, Recalled, TableUse, Unusable,
};

const GATEWAY: &str = "10.99.0.1";
const TRUE_MAC: &str = "02:00:00:00:00:01";
const LIAR: &str = "02:66:66:66:66:66";
const NOW: i64 = 1_790_000_000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

fn entry(address: &str, holder: &str) -> Entry {
    Entry { ip: ip(address), mac: Some(mac(holder)), state: Entered::Stale }
}

fn claim(address: &str, holder: &str) -> Claimed {
    let mut claim = Claimed::new(ip(address), mac(holder));
    claim.count(Kind::Reply);
    claim
}

/// A monitor at 10.99.0.10 that knows its gateway and one more host.
fn seen() -> Seen {
    let interface = Interface {
        name: "eth0".to_owned(),
        index: 2,
        mac: Some(mac("02:00:00:00:00:10")),
        own: vec![ip("10.99.0.10")],
        own_macs: vec![mac("02:00:00:00:00:10")],
        gateways: vec![Gateway { ip: ip(GATEWAY), is_default: true, is_advertised: false }],
        before: vec![entry(GATEWAY, TRUE_MAC), entry("10.99.0.20", "02:00:00:00:00:20")],
        ..Interface::default()
    };
    let memory = Recalled { now: NOW, ..Recalled::default() };
    Seen { interfaces: vec![interface], memory, ..Seen::default() }
}

fn heard(mut seen: Seen, claims: &[Claimed]) -> Seen {
    let mut claims = claims.to_vec();
    claims.sort_unstable_by_key(|claim| (claim.ip, claim.mac));
    let asked = vec![ip(GATEWAY), ip("10.99.0.10")];
    seen.interfaces[0].wire =
        Some(Heard { asked, claims, probes: 5, frames: 9, seconds: 3.9, ..Heard::default() });
    seen
}

fn wire(seen: &mut Seen) -> &mut Heard {
    seen.interfaces[0].wire.as_mut().unwrap()
}

/// What a run that saw this remembers.
fn remembered(seen: &Seen, learns: bool) -> Memory {
    Memory::after(seen, &Picture::all(seen), learns, 86_400)
}

/// With the memory of a run that saw this.
fn after(before: &Seen, mut now: Seen) -> Seen {
    now.memory.before = Some(remembered(before, false));
    now
}

fn report(arguments: &[&str], seen: &Seen) -> Report {
    let words = ["check_arp_dupes"].iter().chain(arguments);
    let check = CheckArpDupes::try_parse_from(words).unwrap();
    check.check_options().unwrap();
    let states = StateTable::new(CheckArpDupes::CONDITIONS);
    assert_eq!(states.state(Condition::Usage), State::Unknown);
    let mut seen = seen.clone();
    seen.sort();
    check.evaluate(&seen, &Run { taken_at: NOW, states })
}

/// State and the sentence of the gravest finding.
fn says(arguments: &[&str], seen: &Seen) -> (State, String) {
    let report = report(arguments, seen);
    (report.state(), report.findings()[0].text.clone())
}

/// What to do about the gravest finding.
fn hint(arguments: &[&str], seen: &Seen) -> String {
    report(arguments, seen).findings()[0].hint.clone().unwrap_or_default()
}

fn is_ok(arguments: &[&str], seen: &Seen) {
    let (state, text) = says(arguments, seen);
    assert_eq!(state, State::Ok, "{text}");
}

fn gives(arguments: &[&str], seen: &Seen, expected: State, words: &[&str]) {
    let (state, text) = says(arguments, seen);
    assert_eq!(state, expected, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text:?}");
    }
}

#[test]
fn ok_one_station_for_each_address() {
    is_ok(&[], &seen());
    is_ok(&["--no-state"], &seen());
    let claims = [claim(GATEWAY, TRUE_MAC), claim("10.99.0.20", "02:00:00:00:00:20")];
    let (state, text) = says(&["--verify"], &heard(seen(), &claims));
    assert_eq!(state, State::Ok);
    assert_eq!(
        text,
        "eth0: 2 addresses of 2 stations, gateway 10.99.0.1 is 02:00:00:00:00:01 by table and wire, listened for 3.9 s"
    );
    let silent = report(&["--verify"], &heard(seen(), &claims[1..]));
    assert_eq!(silent.findings()[0].id, "gw_down");
    assert!(silent.findings().iter().all(|finding| !finding.text.contains("by table and wire")));
}

#[test]
fn unknown_an_empty_table() {
    let mut empty = seen();
    empty.interfaces[0].before.clear();
    gives(&[], &empty, State::Unknown, &["the neighbour table is empty"]);
}

#[test]
fn critical_split_between_table_and_wire() {
    let mut poisoned = heard(seen(), &[claim(GATEWAY, TRUE_MAC)]);
    poisoned.interfaces[0].before = vec![entry(GATEWAY, LIAR), entry("10.99.0.66", LIAR)];
    let (state, text) = says(&["--verify"], &poisoned);
    assert_eq!(state, State::Critical);
    let expected = "10.99.0.1 (gateway) table 02:66:66:66:66:66 (also 10.99.0.66), wire 02:00:00:00:00:01 [split, shared_gw]";
    assert_eq!(text, expected);
    assert_eq!(
        hint(&["--verify"], &poisoned),
        "two stations have 10.99.0.1: find the switch port of 02:66:66:66:66:66 before anything is learned"
    );
    // By the table alone it may be a router with two addresses.
    poisoned.interfaces[0].wire = None;
    assert_eq!(
        hint(&["--no-state"], &poisoned),
        "it may have been poisoned: find the switch port of 02:66:66:66:66:66 first; \
         if 02:66:66:66:66:66 is a router with several addresses: \
         --allow-shared 02:66:66:66:66:66=10.99.0.66,10.99.0.1"
    );
}

#[test]
fn warning_a_conflict_of_others_and_critical_of_a_pinned_one() {
    let two = [
        claim("10.99.0.50", "02:00:00:00:00:50"),
        claim("10.99.0.50", "02:00:00:00:00:51"),
        claim(GATEWAY, TRUE_MAC),
    ];
    let both = heard(seen(), &two);
    gives(
        &["--verify"],
        &both,
        State::Warning,
        &["10.99.0.50 wire 02:00:00:00:00:50 and 02:00:00:00:00:51 [conflict]"],
    );
    is_ok(&["--verify", "--allow-pair", "10.99.0.50=02:00:00:00:00:51"], &both);
    is_ok(&["--verify", "--pin", "10.99.0.50=02:00:00:00:00:50|02:00:00:00:00:51"], &both);
    gives(
        &["--verify", "--pin", "10.99.0.50=02:00:00:00:00:50"],
        &both,
        State::Critical,
        &["(pinned)", "[pin, conflict]"],
    );
    gives(&["--verify", "--severity", "conflict=critical"], &both, State::Critical, &[]);
    is_ok(&["--verify", "--ignore", "conflict:10.99.0.0/24"], &both);
    is_ok(&["--verify", "--ignore", "conflict:02:00:00:00:00:51"], &both);
    is_ok(&["--verify", "--severity", "conflict=ok"], &both);
}

#[test]
fn critical_a_gateway_that_changed_until_it_is_learned() {
    let mut changed = seen();
    changed.interfaces[0].before[0] = entry(GATEWAY, "02:00:00:00:00:02");
    let changed = after(&seen(), changed);
    gives(&[], &changed, State::Critical, &["(gateway)", "learned as 02:00:00:00:00:01", "[gw_changed]"]);
    assert_eq!(
        hint(&[], &changed),
        "it may have been poisoned: find the switch port of 02:00:00:00:00:02 first; \
         if 10.99.0.1 was replaced on purpose, run once with --learn, or pin it"
    );
    // The next run finds the same: nothing was learned of it.
    let again = after(&changed, changed.clone());
    gives(&[], &again, State::Critical, &["[gw_changed]"]);
    let mut learned = changed.clone();
    learned.memory.before = Some(remembered(&changed, true));
    is_ok(&[], &learned);
    is_ok(&["--pin", "10.99.0.1=02:00:00:00:00:02"], &changed);
    let members =
        ["--allow-pair", "10.99.0.1=02:00:00:00:00:01", "--allow-pair", "10.99.0.1=02:00:00:00:00:02"];
    gives(&members, &changed, State::Warning, &["[gw_changed]"]);
}

#[test]
fn critical_pins_by_table_and_group() {
    gives(
        &["--pin", "10.99.0.1=02:00:00:00:00:09"],
        &seen(),
        State::Critical,
        &["pinned to 02:00:00:00:00:09", "[pin]"],
    );
    is_ok(&["--pin", "10.99.0.1=02:00:00:00:00:01"], &seen());
    let mut virtual_router = seen();
    virtual_router.interfaces[0].before[0] = entry(GATEWAY, "00:00:5e:00:01:3c");
    is_ok(&["--pin", "10.99.0.1=vrrp:60"], &virtual_router);
    gives(&["--pin", "10.99.0.1=vrrp:61"], &virtual_router, State::Critical, &["VRRP group 61"]);
    let (_, text) = says(&[], &virtual_router);
    assert!(text.contains("00:00:5e:00:01:3c (VRRP or CARP)"), "{text}");
}

#[test]
fn critical_our_own_address_claimed_and_echoes_are_nobody() {
    let claims = [claim(GATEWAY, TRUE_MAC), claim("10.99.0.10", LIAR)];
    let claimed = heard(seen(), &claims);
    gives(&["--verify"], &claimed, State::Critical, &["10.99.0.10 (ours)", LIAR, "[own]"]);
    let echo = heard(seen(), &[claim(GATEWAY, TRUE_MAC), claim("10.99.0.10", "02:00:00:00:00:10")]);
    is_ok(&["--verify"], &echo);
}

/// A station with several addresses.
fn with_several(number: u8) -> Seen {
    let mut several = seen();
    let more = (70..70 + number).map(|last| entry(&format!("10.99.0.{last}"), "02:00:00:00:00:70"));
    several.interfaces[0].before.extend(more);
    several
}

#[test]
fn warning_more_addresses_than_learned_or_allowed() {
    let five = with_several(5);
    gives(&["--no-state"], &five, State::Warning, &["02:00:00:00:00:70 has 5 addresses", "[shared]"]);
    gives(&["--max-ips-per-mac", "4"], &five, State::Warning, &["[shared]"]);
    is_ok(&["--max-ips-per-mac", "5"], &five);
    for allowed in [
        "02:00:00:00:00:70=5",
        "10.99.0.64/28",
        "02:00:00:00:00:70=10.99.0.70,10.99.0.71,10.99.0.72,10.99.0.73",
    ] {
        is_ok(&["--no-state", "--allow-shared", allowed], &five);
    }
    gives(&["--no-state", "--allow-shared", "02:00:00:00:00:70=4"], &five, State::Warning, &["[shared]"]);
    let mut first = with_several(5);
    first.memory.is_first = true;
    is_ok(&[], &first);
    is_ok(&[], &after(&with_several(5), with_several(5)));
    is_ok(&[], &after(&with_several(5), with_several(3)));
    gives(&[], &after(&with_several(4), with_several(5)), State::Warning, &["[shared]"]);
}

#[test]
fn critical_a_gateway_with_other_addresses() {
    let mut shared = seen();
    shared.interfaces[0].before.push(entry("10.99.0.2", TRUE_MAC));
    gives(&[], &shared, State::Critical, &["(gateway)", "(also 10.99.0.2)", "[shared_gw]"]);
    // What the first run found by itself is nobody's word that it is right.
    gives(&[], &after(&shared, shared.clone()), State::Critical, &["[shared_gw]"]);
    is_ok(&["--allow-shared", "02:00:00:00:00:01=2"], &shared);
    is_ok(&["--allow-shared", "02:00:00:00:00:01=10.99.0.2"], &shared);
    let mut accepted = shared.clone();
    accepted.memory.before = Some(remembered(&shared, true));
    is_ok(&[], &accepted);
}

#[test]
fn warning_and_critical_flips() {
    let mut memory = seen();
    let other = {
        let mut other = seen();
        other.interfaces[0].before[1] = entry("10.99.0.20", "02:00:00:00:00:21");
        other
    };
    for round in 0..10 {
        let now = if round % 2 == 0 { &other } else { &seen() };
        let mut now = after(&memory, now.clone());
        now.memory.now = NOW + round;
        memory = now;
    }
    gives(&[], &memory, State::Critical, &["10.99.0.20", "changed to and fro", "in 1 d", "[flip]"]);
    gives(&["--flips", "3,100/2h"], &memory, State::Warning, &["in 2 h"]);
    is_ok(&["--flips", "90,100/24h"], &memory);
    is_ok(&["--allow-random"], &memory);
    let mut later = memory.clone();
    later.memory.now = NOW + 90_000;
    is_ok(&[], &later);
}

#[test]
fn critical_somebody_answers_for_all() {
    let all: Vec<Claimed> = (0..255).map(|last| claim(&format!("10.99.0.{last}"), LIAR)).collect();
    let mut proxied = heard(seen(), &all);
    wire(&mut proxied).swept = vec![Network { network: "10.99.0.0/24".to_owned(), addresses: 256 }];
    let report = report(&["--sweep", "10.99.0.0/24"], &proxied);
    let texts: Vec<&str> = report.findings().iter().map(|finding| finding.text.as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("answers for 255 of 256 addresses")), "{texts:#?}");
    assert!(texts.len() < 8, "{texts:#?}");
    let mut canary = heard(seen(), &[claim("10.99.0.99", LIAR), claim(GATEWAY, TRUE_MAC)]);
    wire(&mut canary).canaries = vec![ip("10.99.0.99")];
    gives(&["--verify"], &canary, State::Critical, &["nobody should have", "[proxy]"]);
    is_ok(&["--verify", "--allow-proxy", "02:66:66:66:66:66=10.99.0.96/28"], &canary);
}

#[test]
fn mismatches_and_unusable_senders() {
    let mut forged = heard(seen(), &[claim(GATEWAY, TRUE_MAC)]);
    wire(&mut forged).claims[0].source = Some(mac(LIAR));
    gives(&["--verify"], &forged, State::Critical, &["in a frame from 02:66:66:66:66:66", "[mismatch]"]);
    let mut other = heard(seen(), &[claim("10.99.0.20", "02:00:00:00:00:20"), claim(GATEWAY, TRUE_MAC)]);
    wire(&mut other).claims[1].source = Some(mac(LIAR));
    gives(&["--verify"], &other, State::Warning, &["[mismatch]"]);
    is_ok(&["--verify", "--pin", "10.99.0.20=02:00:00:00:00:20", "--pin", "10.99.0.20=nlb"], &other);
    let mut bad = heard(seen(), &[claim(GATEWAY, TRUE_MAC)]);
    let unusable = |holder: &str| Unusable { ip: ip("10.99.0.30"), mac: mac(holder), source: mac(LIAR) };
    wire(&mut bad).unusable = vec![unusable("00:00:00:00:00:00")];
    gives(&["--verify"], &bad, State::Warning, &["which no station can have", "[badmac]"]);
    wire(&mut bad).unusable = vec![unusable("03:bf:0a:63:00:1e")];
    is_ok(&["--verify", "--pin", "10.99.0.30=nlb"], &bad);
}

#[test]
fn storms_by_their_rate() {
    let storm = |most_in_a_second| {
        let mut storm = heard(seen(), &[claim(GATEWAY, TRUE_MAC)]);
        wire(&mut storm).announcers = vec![Announcer { mac: mac(LIAR), most_in_a_second }];
        storm
    };
    is_ok(&["--listen", "2"], &storm(4));
    gives(&["--listen", "2"], &storm(5), State::Warning, &["5 times in a second", "[storm]"]);
    gives(&["--listen", "2"], &storm(50), State::Critical, &["[storm]"]);
    is_ok(&["--listen", "2", "--garp-rate", "60,70"], &storm(50));
}

fn advertised(router: &str, holder: &str, preference: Preference) -> Advertised {
    let prefixes = vec![("2001:db8:99::".parse().unwrap(), 64)];
    let said = Advertisement {
        router: router.parse().unwrap(),
        mac: mac(holder),
        lifetime_seconds: 1800,
        preference,
        prefixes,
    };
    Advertised { source: said.mac, said }
}

#[test]
fn routers_by_list_and_by_memory() {
    let with = |advertisements: &[Advertised]| {
        let mut seen = heard(seen(), &[claim(GATEWAY, TRUE_MAC)]);
        wire(&mut seen).advertisements = advertisements.to_vec();
        seen
    };
    let known = advertised("fe80::1", TRUE_MAC, Preference::Medium);
    let rogue = advertised("fe80::66", LIAR, Preference::High);
    let both = with(&[known.clone(), rogue]);
    is_ok(&["--verify"], &both);
    gives(
        &["--verify"],
        &after(&with(std::slice::from_ref(&known)), both.clone()),
        State::Critical,
        &["fe80::66", "[ra]"],
    );
    gives(&["--verify", "--router", "fe80::1"], &both, State::Critical, &["not in the list of --router"]);
    is_ok(&["--verify", "--router", "fe80::1", "--router", "fe80::66=02:66:66:66:66:66"], &both);
    gives(
        &["--verify", "--router", "fe80::1=02:00:00:00:00:09", "--router", "fe80::66"],
        &both,
        State::Critical,
        &["should be 02:00:00:00:00:09"],
    );
    let raised = with(&[advertised("fe80::1", TRUE_MAC, Preference::High)]);
    gives(
        &["--verify"],
        &after(&with(std::slice::from_ref(&known)), raised),
        State::Warning,
        &["preference is high, learned as medium"],
    );
    gives(
        &["--verify", "--prefix", "2001:db8:1::/64"],
        &with(&[known]),
        State::Warning,
        &["2001:db8:99::/64"],
    );
}

#[test]
fn health_of_gateway_table_and_run() {
    let mut down = seen();
    down.interfaces[0].before[0].state = Entered::Failed;
    gives(&[], &down, State::Warning, &["10.99.0.1 (gateway) did not answer the kernel [gw_down]"]);
    gives(
        &["--verify"],
        &heard(seen(), &[claim("10.99.0.20", "02:00:00:00:00:20")]),
        State::Warning,
        &["did not answer [gw_down]"],
    );
    let full = |entries| {
        let mut full = seen();
        full.tables = vec![TableUse { is_ipv4: true, entries, limit: Some(1000) }];
        full
    };
    is_ok(&[], &full(799));
    gives(&[], &full(800), State::Warning, &["800 of 1000 entries"]);
    gives(&[], &full(950), State::Critical, &[]);
    let broken = |change: &dyn Fn(&mut Heard)| {
        let mut seen = heard(seen(), &[claim(GATEWAY, TRUE_MAC)]);
        change(wire(&mut seen));
        seen
    };
    gives(
        &["--verify"],
        &broken(&|wire| wire.dropped = 1),
        State::Warning,
        &["incomplete: the kernel had no room for 1 frame"],
    );
    gives(
        &["--verify"],
        &broken(&|wire| wire.unsent = 2),
        State::Warning,
        &["2 questions could not be sent"],
    );
    gives(
        &["--verify"],
        &broken(&|wire| (wire.unsent, wire.probes) = (5, 0)),
        State::Unknown,
        &["none of the 5 questions"],
    );
    gives(
        &["--verify"],
        &broken(&|wire| wire.trouble = Some("network is down".into())),
        State::Warning,
        &["network is down"],
    );
    gives(&["--verify"], &broken(&|wire| wire.unkept = 9), State::Warning, &["9 more claims"]);
    let silent = {
        let mut silent = heard(seen(), &[]);
        wire(&mut silent).swept = vec![Network { network: "10.99.0.0/24".to_owned(), addresses: 256 }];
        silent
    };
    gives(&["--sweep", "10.99.0.0/24"], &silent, State::Unknown, &["nobody answered"]);
    gives(
        &["--expect", "10.99.0.0/24=3:9"],
        &seen(),
        State::Warning,
        &["2 addresses of 10.99.0.0/24 in use", "[expect]"],
    );
    is_ok(&["--expect", "10.99.0.0/24=2:9"], &seen());
    let mut corrupt = seen();
    corrupt.memory.put_aside = Some("x.corrupt".into());
    gives(&[], &corrupt, State::Warning, &["x.corrupt"]);
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u8..4).prop_map(|last| IpAddr::from([10, 99, 0, last])),
        Just(ip("fe80::1")),
        Just(ip("2001:db8::1"))
    ]
}

fn any_mac() -> impl Strategy<Value = Mac> {
    prop_oneof![
        (0u8..4).prop_map(|last| Mac([2, 0, 0, 0, 0, last])),
        Just(Mac::ZERO),
        Just(Mac::BROADCAST),
        any::<[u8; 6]>().prop_map(Mac)
    ]
}

proptest! {
    /// Whatever is seen, two usable stations that claim an address which is not allowed to have two are never OK.
    #[test]
    fn never_ok_with_two_claimants(claims in proptest::collection::vec((any_ip(), any_mac()), 0..12)) {
        let claims: BTreeMap<(IpAddr, Mac), Claimed> = claims
            .into_iter()
            .filter(|(_, mac)| mac.is_usable())
            .map(|(ip, mac)| ((ip, mac), Claimed::new(ip, mac)))
            .collect();
        let mut per_address: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (ip, mac) in claims.keys() {
            *per_address.entry(*ip).or_default() += usize::from(*mac != Mac([2, 0, 0, 0, 0, 0x10]));
        }
        let claims: Vec<Claimed> = claims.into_values().collect();
        let (state, text) = says(&["--listen", "2", "--no-state"], &heard(seen(), &claims));
        if per_address.values().any(|number| *number > 1) {
            prop_assert!(state > State::Ok, "{}", text);
        }
        prop_assert!(!text.contains('\n'));
    }
}
