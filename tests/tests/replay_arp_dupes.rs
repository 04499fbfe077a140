//! What check_arp_dupes says of observations that were recorded in the lab's Ethernet: those of the demo. They also hold
//! the form of `--dump-observation`, which people keep. Where no namespace shows a thing, a recording is changed: the
//! limit of the neighbour table is one for the whole machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};

use lab::output::State;
use serde_json::{Value, json};
use tests::{Check, Run};

fn recorded(name: &str) -> Check {
    replay(&recording(name))
}

fn recording(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/observations/arp_dupes");
    folder.join(format!("{name}.json"))
}

fn replay(file: &Path) -> Check {
    Check::new("check_arp_dupes").arg("--replay").arg(file)
}

/// The clean network with so many entries in the tables of IPv4 and IPv6, of 1024 and 4096.
fn filled(ipv4: u32, ipv6: u32, words: &[&str], state: State) -> Run {
    let mut observation: Value = serde_json::from_slice(&fs::read(recording("clean")).unwrap()).unwrap();
    observation["data"]["tables"] = json!([
        { "is_ipv4": true, "entries": ipv4, "limit": 1024 },
        { "is_ipv4": false, "entries": ipv6, "limit": 4096 },
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filled.json");
    fs::write(&file, observation.to_string()).unwrap();
    replay(&file).args(words).gives(state, &[])
}

fn says(run: &Run, summary: &str, table_used: f64) {
    assert_eq!(run.parsed.summary, summary, "{}", run.outcome.report());
    let used = run.parsed.value("table_used").unwrap();
    assert!((used - table_used).abs() < 0.01, "{used}: {}", run.outcome.report());
}

#[test]
fn recordings_are_judged_as_they_were() {
    recorded("clean").gives(State::Ok, &["5 addresses of 4 stations"]);
    let words = ["10.99.0.1 (gateway) table 02:66:66:66:66:66 (also 10.99.0.66)", "[gw_changed, shared_gw]"];
    recorded("poisoned_table").gives(State::Critical, &words).silent_about("wire ");
    let words = ["then 02:00:00:00:00:01, wire 02:00:00:00:00:01", "[gw_changed, split, shared_gw]"];
    recorded("poisoned_wire").gives(State::Critical, &words);
    let words = ["wire 02:00:00:00:50:0a and 02:00:00:00:50:0b [conflict]"];
    let run = recorded("duplicate").gives(State::Warning, &words);
    assert_eq!(run.parsed.value("conflicts"), Some(1.0));
    recorded("all_claimed").gives(State::Critical, &["02:66:66:66:66:66 answers for 16 of 16", "[proxy]"]);
}

#[test]
fn they_are_judged_by_the_options_of_today() {
    recorded("duplicate").args(["--allow-pair", "10.99.0.50=02:00:00:00:50:0b"]).gives(State::Ok, &[]);
    recorded("duplicate").args(["--severity", "conflict=critical"]).gives(State::Critical, &["[conflict]"]);
    let pin = ["--pin", "10.99.0.1=02:00:00:00:00:01"];
    recorded("clean").args(pin).gives(State::Ok, &[]);
    recorded("poisoned_wire")
        .args(pin)
        .gives(State::Critical, &["(gateway)", "pinned to", "[pin, split, shared_gw]"]);
}

#[test]
fn a_table_that_fills_up() {
    let run = filled(819, 3276, &[], State::Ok);
    assert!((run.parsed.value("table_used").unwrap() - 79.98).abs() < 0.01, "{}", run.outcome.report());
    run.silent_about("table has");
    let run = filled(820, 4, &[], State::Warning);
    says(&run, "the IPv4 neighbour table has 820 of 1024 entries [table_full]", 80.08);
    // The last entry before 95 % and the first after.
    says(
        &filled(972, 4, &[], State::Warning),
        "the IPv4 neighbour table has 972 of 1024 entries [table_full]",
        94.92,
    );
    let run = filled(973, 4, &[], State::Critical);
    says(&run, "the IPv4 neighbour table has 973 of 1024 entries [table_full]", 95.02);
    run.long("hint: a sweep or a scan fills it; net.ipv4.neigh.default.gc_thresh3");
    let run = filled(12, 4096, &[], State::Critical);
    says(&run, "the IPv6 neighbour table has 4096 of 4096 entries [table_full]", 100.0);
}

#[test]
fn a_full_table_by_the_options_of_today() {
    let run = filled(1024, 4, &[], State::Critical);
    says(&run, "the IPv4 neighbour table has 1024 of 1024 entries [table_full]", 100.0);
    let run = filled(1024, 4, &["--severity", "table_full=warning"], State::Warning);
    says(&run, "the IPv4 neighbour table has 1024 of 1024 entries [table_full]", 100.0);
    let run = filled(1024, 4, &["--ignore", "table_full:*"], State::Ok);
    run.silent_about("table has");
    assert_eq!(run.parsed.value("table_used"), Some(100.0));
}
