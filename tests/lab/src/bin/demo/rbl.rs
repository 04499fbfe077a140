//! Block lists that work, list, refuse or are dead, behind one embedded responder.

use std::time::Duration;

use lab::dns::{Behaviour, Dnsbl, Rcode, Responder, Zones};
use lab::output::State;
use lab::plugin::Plugin;

use super::{Scene, show_all};

/// An address of ours that two lists know; addresses for documentation stay private.
const LISTED: &str = "192.0.2.25";
const CLEAN: &str = "192.0.2.10";

pub(crate) fn play() -> (usize, usize) {
    let away = Duration::from_millis(20);
    let dns = Responder::start(
        Zones::new()
            .zone(
                "zen.spamhaus.org",
                Dnsbl::healthy()
                    .text(LISTED, "127.0.0.4", "https://check.spamhaus.org/query/ip/192.0.2.25")
                    .delayed(away),
            )
            .zone("bl.spamcop.net", Dnsbl::listing(LISTED, ["127.0.0.2"]).delayed(away))
            .zone("psbl.surriel.com", Dnsbl::healthy().delayed(away))
            .zone("bl.mailspike.net", Dnsbl::healthy().delayed(away))
            .zone("refusing.lab.test", Dnsbl::refusing("127.255.255.254"))
            .zone("world.lab.test", Dnsbl::world())
            .zone("dead.lab.test", Dnsbl::dead())
            .zone("down.lab.test", Dnsbl::rcode(Rcode::ServFail))
            .zone("silent.lab.test", Dnsbl::silent()),
    );
    let check = |target: &str, lists: &[&str]| {
        let plugin = Plugin::new("check_rbl")
            .args(["--allow-private", "--resolver", &dns.addr().to_string(), "--query-timeout", "0.5"])
            .args(["-H", target]);
        lists.iter().fold(plugin, |plugin, list| plugin.args(["-s", list]))
    };
    let good = ["zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com", "bl.mailspike.net"];
    let scenes = [
        Scene::new("Not listed, and every list proved that it works", check(CLEAN, &good), State::Ok),
        Scene::new("Listed, by whom and why", check(LISTED, &good), State::Critical),
        Scene::new(
            "The policy list does not count, half a point for SpamCop",
            check(LISTED, &["zen.spamhaus.org,ignore=4-7", "bl.spamcop.net,weight=0.5"]),
            State::Warning,
        ),
        Scene::new(
            "The list refuses to answer our resolver: that is no listing, and no clean bill",
            check(CLEAN, &["refusing.lab.test"]),
            State::Unknown,
        ),
        Scene::new(
            "All lists are dead, each in its own way",
            check(CLEAN, &["dead.lab.test", "down.lab.test", "silent.lab.test", "world.lab.test"]),
            State::Unknown,
        ),
        Scene::new(
            "Two of six lists do not work: the verdict holds, and somebody should look",
            check(CLEAN, &[good.as_slice(), &["dead.lab.test", "refusing.lab.test"]].concat()),
            State::Warning,
        ),
        Scene::new("A network in one run, worst first", check("192.0.2.24/30", &good), State::Critical),
        Scene::new("A list that is gone for years", check(CLEAN, &["relays.ordb.org"]), State::Unknown),
    ];
    show_all("check_rbl: is this address on a block list, and can the answer be believed?", &scenes)
}
