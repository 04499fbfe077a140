//! check_arp_dupes on networks where one address may have several stations, or one station several addresses, in all
//! honesty: what is quiet, what is told, and by which option it becomes quiet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use lab::arp::plan::{gateway, monitor, multi, proxy, routers, server};
use lab::arp::spoofer::Spoofer;
use lab::arp::vrrp::{ADDRESS, Variant, Vrrp};
use lab::arp::{Mac, Plan, left_out};
use lab::output::State;
use tests::arp::Lan;

const VIRTUAL: &str = "00:00:5e:00:01:3c";
const SHORT: [&str; 3] = ["--verify", "--window", "0.5"];

fn with<'a>(words: &[&'a str]) -> Vec<&'a str> {
    SHORT.iter().chain(words).copied().collect()
}

/// Two routers that share an address; the first has it.
fn redundant(variant: Variant) -> (Lan, Vrrp, Vrrp) {
    let lan = Lan::with(routers().into_iter().chain([gateway()]));
    let [mut first, mut second] =
        [("vr1", 200), ("vr2", 100)].map(|(name, priority)| Vrrp::start(lan.host(name), variant, priority));
    first.wait_master();
    second.wait_backup();
    // Else Linux asks for the monitor from the shared address and the card's own MAC.
    let monitor = lan.monitor();
    for name in ["vr1", "vr2"] {
        lan.host(name).pin(monitor.ipv4(), monitor.mac());
    }
    lan.monitor().believe_at_once();
    lan.monitor().meet(ADDRESS);
    (lan, first, second)
}

/// The second router takes over, and the monitor notices.
fn fail_over(lan: &Lan, first: &mut Vrrp, second: &mut Vrrp) {
    first.stop();
    second.wait_master();
    lan.monitor().meet(ADDRESS);
}

#[test]
fn ok_a_virtual_mac_stays_over_a_failover() {
    if left_out() {
        return;
    }
    let (lan, mut first, mut second) = redundant(Variant::VirtualMac);
    let is_the_gateway = ["-4", "--gateway", "10.99.0.60"];
    let named = format!("gateway 10.99.0.60 is {VIRTUAL} (VRRP or CARP)");
    lan.gives(&is_the_gateway, State::Ok, &[&named]);
    lan.gives(&with(&["--no-state", "--pin", "10.99.0.60=vrrp:60"]), State::Ok, &[]);
    fail_over(&lan, &mut first, &mut second);
    let run = lan.gives(&is_the_gateway, State::Ok, &[&named]);
    assert_eq!(run.parsed.value("flips"), Some(0.0));
    lan.gives(&with(&is_the_gateway), State::Ok, &[&named, "by table and wire"]);
    lan.gives(&["--pin", "10.99.0.60=vrrp:60"], State::Ok, &[]);
    // The prefix alone is no proof: another group's router has another number.
    lan.gives(
        &["--pin", "10.99.0.60=vrrp:61"],
        State::Critical,
        &["10.99.0.60 (pinned)", VIRTUAL, "pinned to VRRP group 61", "[pin]"],
    );
}

#[test]
fn critical_a_gateway_with_physical_macs_until_both_are_allowed() {
    if left_out() {
        return;
    }
    let (lan, mut first, mut second) = redundant(Variant::PhysicalMac);
    let is_the_gateway = ["-4", "--gateway", "10.99.0.60", "--allow-shared", "10.99.0.60/32"];
    lan.gives(&is_the_gateway, State::Ok, &["02:00:00:00:00:61"]);
    fail_over(&lan, &mut first, &mut second);
    lan.gives(
        &is_the_gateway,
        State::Critical,
        &["10.99.0.60 (gateway)", "02:00:00:00:00:62", "learned as 02:00:00:00:00:61", "gw_changed"],
    );
    let members =
        ["--allow-pair", "10.99.0.60=02:00:00:00:00:61", "--allow-pair", "10.99.0.60=02:00:00:00:00:62"];
    // A failover of a gateway is still worth a look.
    let allowed = [&is_the_gateway[..], &members].concat();
    lan.gives(&allowed, State::Warning, &["10.99.0.60 (gateway)", "gw_changed"]);
    let pin = ["--pin", "10.99.0.60=02:00:00:00:00:61|02:00:00:00:00:62"];
    lan.gives(&with(&[&is_the_gateway[..], &pin].concat()), State::Ok, &[]);
}

#[test]
fn warning_an_address_that_goes_to_and_fro() {
    if left_out() {
        return;
    }
    let (lan, mut first, mut second) = redundant(Variant::PhysicalMac);
    lan.learn();
    fail_over(&lan, &mut first, &mut second);
    lan.monitor().meet(lan.host("vr2").ipv4());
    // The other router has the address in addition to its own, which looks like theft.
    lan.gives(&[], State::Warning, &["02:00:00:00:00:62", "10.99.0.60", "[shared]"]);
    let members =
        ["--allow-pair", "10.99.0.60=02:00:00:00:00:61", "--allow-pair", "10.99.0.60=02:00:00:00:00:62"];
    lan.gives(&members, State::Ok, &[]);
    lan.gives(&with(&members), State::Ok, &[]);
    let _back = Vrrp::start(lan.host("vr1"), Variant::PhysicalMac, 200);
    lan.monitor().wait_neighbour(ADDRESS, lan.host("vr1").mac());
    let run = lan.gives(&members, State::Ok, &[]);
    assert_eq!(run.parsed.value("flips"), Some(1.0), "{}", run.outcome.report());
    let limited = ["--flips", "1,5/24h"];
    lan.gives(
        &limited,
        State::Warning,
        &["changed to and fro 1 time in 1 d (02:00:00:00:00:61, 02:00:00:00:00:62)", "[flip]"],
    );
    lan.gives(&[&limited[..], &members].concat(), State::Ok, &[]);
    // These cards have made up their addresses themselves, as telephones do.
    lan.gives(&[&limited[..], &["--allow-random"]].concat(), State::Ok, &[]);
}

#[test]
fn warning_a_station_that_gets_more_addresses() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway(), multi()]);
    let monitor = lan.monitor();
    for address in ["10.99.0.1", "10.99.0.70", "10.99.0.71"] {
        monitor.meet(address.parse::<std::net::Ipv4Addr>().unwrap());
    }
    // With nothing learned one address is the limit.
    lan.gives(&["--no-state"], State::Warning, &["02:00:00:00:00:70 has 2 addresses", "[shared]"]);
    lan.gives(&["--no-state", "--max-ips-per-mac", "2"], State::Ok, &[]);
    lan.learn();
    lan.gives(&[], State::Ok, &[]);
    monitor.meet("10.99.0.72".parse::<std::net::Ipv4Addr>().unwrap());
    // It stays so until somebody says that it is in order.
    for _ in 0..2 {
        let run =
            lan.gives(&[], State::Warning, &["02:00:00:00:00:70 has 3 addresses", "10.99.0.72", "[shared]"]);
        assert_eq!(run.parsed.value("shared"), Some(1.0));
        run.long("--allow-shared 02:00:00:00:00:70=3");
    }
    for allowed in [
        "02:00:00:00:00:70=3",
        "02:00:00:00:00:70=10.99.0.70,10.99.0.71,10.99.0.72",
        "10.99.0.64/28",
        "10.99.0.72",
    ] {
        lan.gives(&["--allow-shared", allowed], State::Ok, &[]);
    }
    lan.gives(&["--allow-shared", "02:00:00:00:00:70=2"], State::Warning, &["[shared]"]);
    lan.gives(&["--ignore", "shared:02:00:00:00:00:70"], State::Ok, &[]);
    lan.gives(&["--severity", "shared=crit"], State::Critical, &["[shared]"]);
    lan.gives(&["--learn"], State::Ok, &[]);
    lan.gives(&[], State::Ok, &[]);
}

#[test]
fn critical_a_router_that_answers_for_others() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway(), proxy()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    let sweep = ["-4", "--sweep", "10.99.5.0/24", "--rate", "1000", "--window", "0.5"];
    let own = [&sweep[..], &["--sender", "own"]].concat();
    let run = lan.gives(&own, State::Critical, &["02:00:00:00:00:05 answers for 256 of 256", "[proxy]"]);
    run.long("--allow-proxy 02:00:00:00:00:05=10.99.5.0/24");
    let allowed = [&own[..], &["--allow-proxy", "02:00:00:00:00:05=10.99.5.0/24"]].concat();
    lan.gives(&allowed, State::Ok, &[]);
    // It does not answer nobody, so a sweep from 0.0.0.0 does not find it, and does not say that all is well.
    lan.gives(&sweep, State::Unknown, &["nobody answered"]);
    // An address that nobody has is asked for from both.
    let canary = with(&["-4", "--canary", "10.99.5.77"]);
    lan.gives(
        &canary,
        State::Critical,
        &["10.99.5.77", "02:00:00:00:00:05", "nobody should have", "[proxy]"],
    );
    lan.gives(&with(&["-4", "--canary", "10.99.0.99"]), State::Ok, &[]);
}

#[test]
fn critical_an_attack_on_a_permanent_entry() {
    if left_out() {
        return;
    }
    let lan = Lan::poisonable();
    let [gateway, attacker] = lan.parties();
    lan.monitor().pin(gateway.ipv4(), gateway.mac());
    lan.learn();
    let _spoofer = Spoofer::start(attacker, lan.monitor().ipv4(), gateway.ipv4());
    // The table is right, and says nothing of it; who listens hears the attempt.
    lan.gives(&[], State::Ok, &["10.99.0.1 is 02:00:00:00:00:01"]);
    let run =
        lan.gives(&["--listen", "2.5"], State::Critical, &["10.99.0.1 (gateway)", "wire 02:66:66:66:66:66"]);
    assert_eq!(run.parsed.value("probes"), Some(0.0));
    lan.gives(&["--verify"], State::Critical, &["10.99.0.1 (gateway)", "02:66:66:66:66:66", "conflict"]);
}

#[test]
fn warning_two_cards_of_one_host_unless_they_are_listed() {
    if left_out() {
        return;
    }
    let [first, second] = [0x35, 0x36].map(|last| Mac([2, 0, 0, 0, 0, last]));
    let both = Plan::new("both", first).address("10.99.0.35/16");
    let lan = Lan::with([gateway(), both.second_card(second, &["10.99.0.36/16"])]);
    let sweep = ["-4", "--sweep", "10.99.0.32/29", "--window", "0.5"];
    let run = lan.gives(
        &sweep,
        State::Warning,
        &["10.99.0.3", &first.to_string(), &second.to_string(), "[conflict]"],
    );
    assert_eq!(run.parsed.value("conflicts"), Some(2.0));
    let [one, other] = [first, second].map(|mac| format!("{mac}=10.99.0.35,10.99.0.36"));
    let listed = [&sweep[..], &["--allow-shared", &one, "--allow-shared", &other]].concat();
    lan.gives(&listed, State::Ok, &[]);
}

#[test]
fn ok_two_cards_of_our_own_on_one_link() {
    if left_out() {
        return;
    }
    let ours = monitor().second_card(Mac([2, 0, 0, 0, 0, 0x11]), &["10.98.0.10/16"]);
    let lan = Lan::of([gateway(), ours, server().address("10.98.0.20/16")]);
    lan.monitor().meet(lan.host("gw").ipv4());
    // Each of our cards answers for the other's address, too.
    let words = with(&["-4", "--sweep", "10.98.0.16/28", "--sweep", "10.99.0.16/28"]);
    let run =
        lan.on("eth0,eth1", &words).gives(State::Ok, &["eth0: ", "gateway 10.99.0.1 is 02:00:00:00:00:01"]);
    assert!(run.outcome.text().contains("eth1: 1 address of 1 station"), "{}", run.outcome.report());
    assert_eq!((run.parsed.value("conflicts"), run.parsed.value("ips")), (Some(0.0), Some(3.0)));
    let strange = with(&["-4", "--sweep", "10.97.0.0/28"]);
    lan.on("eth0,eth1", &strange)
        .gives(State::Unknown, &["no interface has an address in 10.97.0.0/28", "-i"]);
}
