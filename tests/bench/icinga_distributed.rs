//! The guide's master with two satellites and thousands of services: what a check costs the master and the satellite,
//! by `command_endpoint` and in a zone, and what an operator sees, and when, of a satellite that dies. Run by
//! `tests/bench/run`; it takes a quarter of an hour.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for people"
)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::namespace::with_resolvers;
use serde_json::Value;
use tests::bench::is_wanted;
use tests::cluster::{Cluster, SATELLITES, Site, Way};
use tests::load::Load;
use tests::package::package;

/// Hosts with two services each.
const HOSTS: usize = 1500;
const INTERVAL: u32 = 20;
const WINDOW: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_mins(5);
/// So long after its own start a master says nothing of missing endpoints.
const GRACE: Duration = Duration::from_secs(305);
/// Hosts of each way where nothing is measured but time.
const FEW: usize = 20;

fn main() -> ExitCode {
    let package = package().expect("packaging/build has made one");
    for way in Way::BOTH {
        if is_wanted(name(way)) {
            with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || measure(&package, way));
        }
    }
    if is_wanted("a satellite dies") {
        with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || die(&package));
    }
    ExitCode::SUCCESS
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Command => "command_endpoint: the master asks sat1",
        Way::Zone => "zone: sat2 has the objects",
    }
}

/// Half of the services log in, half look at the ciphers.
fn measure(package: &Path, way: Way) {
    let more = [(way.file(), way.hosts(HOSTS))];
    let site = Site { intervals: [INTERVAL, 15], more: &more };
    let mut cluster = Cluster::prepare(package, "thousands of services", site).expect("root runs it");
    cluster.start();
    cluster.wait(PATIENCE, "good results", |services, _| {
        services.len() > 2 * HOSTS && services.values().all(is_good)
    });
    let [first, second] = &cluster.satellites;
    let engines = [cluster.master.pid(), first.pid(), second.pid()];
    let load = Load::measure(engines, WINDOW, || cluster.statistic("active_service_checks_15min"));
    let late = late(&cluster.services());
    println!("\n{}; {} services every {INTERVAL} s, {late} of them late", name(way), 2 * HOSTS);
    println!("  {:<26}{:>10.0}", "checks in a second", load.rate());
    for (engine, who) in ["master"].into_iter().chain(SATELLITES).enumerate() {
        println!("  {:<26}{:>10.2}", format!("CPU of {who} for each, ms"), load.cpu_ms(engine));
    }
    stop(cluster);
}

/// Longer without a check than two intervals.
fn late(services: &BTreeMap<String, Value>) -> usize {
    let checks = || services.values().filter_map(|one| one["last_check"].as_f64());
    let newest = checks().fold(0.0, f64::max);
    checks().filter(|last| newest - last > 2.0 * f64::from(INTERVAL)).count()
}

/// Both satellites are killed, once the master is old enough to say what it has to say.
fn die(package: &Path) {
    let more = Way::BOTH.map(|way| (way.file(), way.hosts(FEW)));
    let site = Site { intervals: [INTERVAL, 15], more: &more };
    let mut cluster = Cluster::prepare(package, "a satellite dies", site).expect("root runs it");
    let born = Instant::now();
    cluster.start();
    cluster.wait(PATIENCE, "good results", |services, _| services.values().all(is_good));
    sleep(GRACE.saturating_sub(born.elapsed()));
    println!(
        "\na satellite dies; services every {INTERVAL} s, the zones looked at every 15 s; seconds since"
    );
    for satellite in &mut cluster.satellites {
        satellite.kill();
    }
    let died = Instant::now();
    let told = |what: &str| println!("  {:>6.0}  {what}", died.elapsed().as_secs_f64());
    cluster.wait(PATIENCE, "down", |_, hosts| {
        SATELLITES.iter().all(|name| hosts[&format!("{name}.example.org")]["state"] == 1.0)
    });
    told("both satellites are DOWN");
    let is_lost = |one: &Value| one["state"] == 3.0 && one["last_reachable"] == false;
    let asked = |services: &BTreeMap<String, Value>, lost: usize| {
        services.values().filter(|one| one["zone"] == "master" && is_lost(one)).count() >= lost
    };
    for (lost, what) in
        [(1, "the first service by command_endpoint is"), (2 * FEW, "all but those on their way are")]
    {
        cluster.wait(PATIENCE, what, |services, _| asked(services, lost));
        told(&format!("{what} UNKNOWN and unreachable"));
    }
    cluster.wait(PATIENCE, "all", |services, _| asked(services, 2 * FEW + 2));
    told("all of them are");
    let services = cluster.services();
    let one = &services["mail1.example.org!login"];
    println!("          {}", one["last_check_result"]["output"]);
    let two = &services["mail2.example.org!login"];
    println!(
        "          a service of the zone: state {}, {}",
        two["state"], two["last_check_result"]["output"]
    );
    for satellite in &mut cluster.satellites {
        satellite.start();
    }
    let back = died.elapsed().as_secs_f64();
    told("both are started again");
    cluster.wait(PATIENCE, "up", |_, hosts| {
        SATELLITES.iter().all(|name| hosts[&format!("{name}.example.org")]["state"] == 0.0)
    });
    told("both are UP");
    let alive = cluster.services().values().filter_map(|one| one["last_check"].as_f64()).fold(0.0, f64::max);
    cluster.wait(PATIENCE, "good results again", |services, _| {
        services.values().all(|one| is_good(one) && one["last_check"].as_f64() >= Some(alive - 1.0))
    });
    told(&format!("all services are OK and new; the satellites were away for {back:.0} s"));
    stop(cluster);
}

fn is_good(service: &Value) -> bool {
    service["state"] == 0.0 && service["last_check_result"].is_object()
}

fn stop(mut cluster: Cluster) {
    for node in cluster.satellites.iter_mut().chain([&mut cluster.master]) {
        node.stop();
    }
}
