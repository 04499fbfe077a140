//! A domain whose mail policies are in order, and the same with one thing wrong at a time: behind embedded
//! name servers, a host of the MTA-STS policy and two mail exchangers.

use lab::output::State;
use lab::plugin::Plugin;
use lab::policy::{DOMAIN, Domain, Servers, fault};

use super::{Scene, show_all};

/// The address of an exchanger, from where the domain sends, and one of nobody.
const OWN: &str = "127.0.0.31";
const FOREIGN: &str = "203.0.113.25";

pub(crate) fn play() -> (usize, usize) {
    let healthy = Domain::healthy().start();
    let with = |change: fault::Fault| Domain::healthy().with(change).start();
    let (all, revoked) = (with(fault::spf_allows_all), with(fault::dkim_revoked));
    let (none, unnamed) = (with(fault::dmarc_none), with(fault::sts_host_missing));
    let (mismatch, failing, silent) =
        (with(fault::dane_wrong), with(fault::spf_include_servfail), with(fault::spf_timeout));
    let sender = |address| by_dns(&healthy).args(["--spf", "--ip", address]);
    let scenes = [
        Scene::new(
            "SPF, a DKIM key, DMARC, MTA-STS, TLS-RPT and DANE, with the certificates that are served",
            meeting(&healthy).args([
                "--spf",
                "--dkim",
                "s2026",
                "--dmarc",
                "--mta-sts",
                "--tlsrpt",
                "--dane",
            ]),
            State::Ok,
        ),
        Scene::new("Our mail exchanger may send", sender(OWN), State::Ok),
        Scene::new("The new mailing service was not entered", sender(FOREIGN), State::Critical),
        Scene::new("A sign too much: everybody may send", by_dns(&all).arg("--spf"), State::Critical),
        Scene::new(
            "A key was revoked that may still be in use",
            by_dns(&revoked).args(["--dkim", "s2026", "--dkim", "ed"]),
            State::Critical,
        ),
        Scene::new("DMARC only watches", by_dns(&none).arg("--dmarc"), State::Ok),
        Scene::new(
            "The same where that is not enough",
            by_dns(&none).args(["--dmarc", "--dmarc-min", "quarantine"]),
            State::Warning,
        ),
        Scene::new(
            "The MTA-STS policy does not name the second mail exchanger",
            meeting(&unnamed).arg("--mta-sts"),
            State::Critical,
        ),
        Scene::new(
            "The certificate was renewed, its TLSA record was not",
            meeting(&mismatch).arg("--dane"),
            State::Critical,
        ),
        Scene::new(
            "A name server fails: that is no missing record",
            by_dns(&failing).args(["--spf", "--dmarc"]),
            State::Unknown,
        ),
        Scene::new(
            "A name server is silent: that is none either",
            by_dns(&silent).args(["--spf", "--dmarc", "--query-timeout", "0.2"]),
            State::Unknown,
        ),
    ];
    show_all("check_mail_policy: what does this domain tell others about its mail, and is it so?", &scenes)
}

/// A check for which name servers are enough.
fn by_dns(servers: &Servers) -> Plugin {
    Plugin::new("check_mail_policy").args(["-d", DOMAIN, "--resolver", &servers.resolver().to_string()])
}

/// One that meets hosts as well, at their ports, and trusts the lab's authority.
fn meeting(servers: &Servers) -> Plugin {
    Plugin::new("check_mail_policy").args(servers.arguments())
}
