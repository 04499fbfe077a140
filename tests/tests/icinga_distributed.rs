//! The distributed set-up of the guide, as it stands there: both ways give results, and what an operator sees when a
//! satellite dies and comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use lab::namespace::with_resolvers;
use serde_json::Value;
use tests::cluster::{Cluster, SECRET, Site, Way};
use tests::icinga::FIRST_CHECKS;
use tests::package::package;

/// Hosts of each way beside the one of the example, with two services each.
const MORE: usize = 9;
/// Services of each way.
const SERVICES: usize = 2 * (MORE + 1);
const SATELLITE_HOSTS: [&str; 2] = ["sat1.example.org", "sat2.example.org"];

type Objects = BTreeMap<String, Value>;

#[test]
fn a_master_shows_what_its_satellites_check_and_which_of_them_is_gone() {
    let Some(package) = package() else { return };
    if lab::process::left_out_without_root("a master of Icinga 2 with two satellites") {
        return;
    }
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || live_and_die(&package));
}

fn live_and_die(package: &Path) {
    let more = Way::BOTH.map(|way| (way.file(), way.hosts(MORE)));
    let site = Site { intervals: [2, 1], more: &more };
    let mut cluster = Cluster::prepare(package, "a distributed Icinga 2", site).unwrap();
    cluster.start();
    // A satellite starts anew once it has its configuration, and what it was asked meanwhile is lost.
    cluster.wait(FIRST_CHECKS, "good results of both ways", |services, hosts| {
        let good = services.values().filter(|one| one["state"] == 0.0 && !is_on_its_way(one)).count();
        let lost = services.values().filter(|one| is_on_its_way(one)).count();
        services.len() == 2 * SERVICES
            && good + lost == 2 * SERVICES
            && lost < SERVICES / 2
            && SATELLITE_HOSTS.iter().all(|name| hosts[*name]["last_check"].as_f64() > Some(0.0))
    });
    let services = cluster.services();
    for (zone, satellite, endpoint) in
        [("master", "sat1.example.org", "sat1.example.org"), ("sat2", "sat2.example.org", "")]
    {
        let of_zone: Vec<&Value> = services.values().filter(|one| one["zone"] == zone).collect();
        assert_eq!(of_zone.len(), SERVICES);
        for one in of_zone.into_iter().filter(|one| !is_on_its_way(one)) {
            let result = &one["last_check_result"];
            assert_eq!(result["check_source"], satellite, "{one}");
            assert_eq!(one["command_endpoint"], endpoint, "{one}");
            let said = result["output"].as_str().unwrap();
            let is_known = ["SMTP_AUTH OK: probe logged in to ", "WEAK_CIPHERS OK: "];
            assert!(is_known.iter().any(|begin| said.starts_with(begin)), "{one}");
            let perfdata = result["performance_data"].as_array().unwrap();
            assert!(perfdata.iter().any(|item| item.as_str().unwrap().starts_with("time=")), "{one}");
        }
    }

    for satellite in &mut cluster.satellites {
        satellite.kill();
    }
    let patience = Duration::from_secs(20);
    cluster.wait(patience, "both satellites down, and what is behind them unreachable", |services, hosts| {
        let mut asked = services.values().filter(|one| one["zone"] == "master" && !is_on_its_way(one));
        SATELLITE_HOSTS.iter().all(|name| is_lost(&hosts[*name]))
            && asked.all(|one| one["last_reachable"] == false)
    });
    let before = cluster.services();
    let on_their_way = before.values().filter(|one| is_on_its_way(one)).count();
    assert!(on_their_way < SERVICES / 2, "{on_their_way}");
    sleep(Duration::from_millis(2500));
    let after = cluster.services();
    for (name, one) in before {
        // Nobody has looked, and the last state stands. The guide says what tells it from a fresh one.
        assert_eq!(
            (&one["state"], &one["last_check"]),
            (&after[&name]["state"], &after[&name]["last_check"])
        );
    }

    let died = newest(&cluster.services());
    for satellite in &mut cluster.satellites {
        satellite.start();
    }
    cluster.wait(FIRST_CHECKS, "both satellites back", |services, hosts| {
        SATELLITE_HOSTS.iter().all(|name| hosts[*name]["state"] == 0.0)
            && services.values().filter(|one| !is_on_its_way(one)).all(|one| {
                one["last_check"].as_f64() > Some(died)
                    && one["state"] == 0.0
                    && one["last_reachable"] == true
            })
    });
    let shown = format!("{:?}{:?}{}", cluster.services(), cluster.hosts(), cluster.logs());
    assert!(!shown.contains(SECRET), "{shown}");
    for node in cluster.satellites.iter_mut().chain([&mut cluster.master]) {
        node.stop();
    }
}

/// Down by the words of Icinga's own check of a zone.
fn is_lost(host: &Value) -> bool {
    let output = host["last_check_result"]["output"].as_str().unwrap_or_default();
    host["state"] == 1.0 && output.contains("is not connected")
}

/// Sent to a satellite that died over it: the master waits its check_timeout and 30 s before it asks again.
fn is_on_its_way(service: &Value) -> bool {
    let [next, last] = ["next_check", "last_check"].map(|name| service[name].as_f64().unwrap());
    service["zone"] == "master" && next - last > 60.0
}

fn newest(services: &Objects) -> f64 {
    services.values().filter_map(|one| one["last_check"].as_f64()).fold(0.0, f64::max)
}
