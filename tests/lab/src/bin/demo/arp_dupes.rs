//! The neighbours of this machine by its table alone, and what was seen on networks of the lab: recorded there with
//! `--dump-observation`, judged now. Not a frame is sent.

use std::path::Path;

use lab::output::State;
use lab::plugin::Plugin;

use super::{Scene, show_all};

pub(crate) fn play() -> (usize, usize) {
    let check = || Plugin::new("check_arp_dupes");
    let recorded = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("observations/arp_dupes");
        check().arg("--replay").arg(folder.join(format!("{name}.json")))
    };
    let scenes = [
        Scene::of_this_machine("The neighbours of this machine", check().args(["--table", "--no-state"])),
        Scene::new("A clean network, by table and wire", recorded("clean"), State::Ok),
        Scene::new(
            "The gateway was poisoned: what the table tells",
            recorded("poisoned_table"),
            State::Critical,
        ),
        Scene::new("The same compared with who answers", recorded("poisoned_wire"), State::Critical),
        Scene::new(
            "The same where the administrator knows the gateway",
            recorded("poisoned_wire").args(["--pin", "10.99.0.1=02:00:00:00:00:01"]),
            State::Critical,
        ),
        Scene::new(
            "Two hosts with one address, which the table cannot show",
            recorded("duplicate"),
            State::Warning,
        ),
        Scene::new(
            "They are a cluster, and may",
            recorded("duplicate").args(["--allow-pair", "10.99.0.50=02:00:00:00:50:0b"]),
            State::Ok,
        ),
        Scene::new("One who answers for all", recorded("all_claimed"), State::Critical),
    ];
    show_all("check_arp_dupes: has somebody here an address that is not his?", &scenes)
}
