//! check_smtp_rcpt against a domain with three exchangers, on good days and on bad ones.

use std::collections::BTreeMap;

use lab::dns::{Names, Record, Responder, Zones};
use lab::exchanger::{ACCEPTED, Exchanger, ExchangerOptions, Greylisting, QUOTA_452};
use lab::output::State;
use lab::plugin::Plugin;

use crate::{Scene, show_all};

/// Number of the host, and what is done to the options of a good one.
type Wish = fn(&mut ExchangerOptions);

pub(crate) fn play() -> (usize, usize) {
    let full = |options: &mut ExchangerOptions| {
        options.answers = BTreeMap::from([("full@lab.test".into(), QUOTA_452.into())]);
    };
    // Everybody listens on one port: the address tells the hosts apart.
    let wishes: [Wish; 5] = [
        full,
        full,
        |options| options.greylisting = Some(Greylisting::default()),
        |options| options.unknown = ACCEPTED.into(),
        |options| (options.refused_connections, options.refusal) = (0..usize::MAX, "554 5.3.2 closed".into()),
    ];
    let hosts: Vec<ExchangerOptions> = wishes
        .iter()
        .zip(1u8..)
        .map(|(wish, number)| {
            let mut options = ExchangerOptions::named(&name(number), ([127, 0, 0, 20 + number], 0).into());
            options.local_domains = ["lab", "grey", "loose", "half"].map(|one| format!("{one}.test")).into();
            wish(&mut options);
            options
        })
        .collect();
    let hosts = Exchanger::start_all(&hosts);
    let dns = Responder::start(
        Zones::new()
            .zone("lab.test", Names::new(records(&[(10, 1), (20, 2)])))
            .zone("grey.test", Names::new(records(&[(10, 3)])))
            .zone("loose.test", Names::new(records(&[(10, 1), (20, 4)])))
            .zone("half.test", Names::new(records(&[(10, 5), (20, 1)])))
            .zone("null.test", Names::new([Record::mx(0, "")]))
            .zone(
                "hosts.test",
                Names::new((1..=5).map(|number| {
                    Record::address(&format!("127.0.0.{}", 20 + number)).owned_by(&name(number))
                })),
            ),
    );
    let port = hosts.first().map(Exchanger::port).unwrap_or_default().to_string();
    let ask = |recipient: &str| {
        Plugin::new("check_smtp_rcpt").args(["--resolver", &dns.addr().to_string(), "-p", &port]).args([
            "--allow-private",
            "--rcpt-to",
            recipient,
        ])
    };
    show_all(
        "check_smtp_rcpt: would a mail for this address be taken, by every host that should?",
        &[
            Scene::new(
                "Taken by both exchangers, unknown users by none",
                ask("probe@lab.test").arg("--also-unknown"),
                State::Ok,
            ),
            Scene::new("The same with what was said (-v)", ask("probe@lab.test").arg("-v"), State::Ok),
            Scene::new("Nobody there", ask("nobody@lab.test"), State::Critical),
            Scene::new(
                "As it should be for an account that is closed",
                ask("nobody@lab.test").args(["--expect", "reject"]),
                State::Ok,
            ),
            Scene::new("No room left", ask("full@lab.test"), State::Critical),
            Scene::new(
                "Greylisting proves nothing, and is no reason to alarm",
                ask("probe@grey.test"),
                State::Ok,
            ),
            Scene::new(
                "The backup takes mail for everybody",
                ask("probe@loose.test").arg("--also-unknown"),
                State::Warning,
            ),
            Scene::new("The primary is down: mail arrives, for now", ask("probe@half.test"), State::Warning),
            Scene::new("A domain that takes no mail", ask("probe@null.test"), State::Unknown),
        ],
    )
}

fn name(number: u8) -> String {
    format!("mx{number}.hosts.test")
}

/// MX records: preference and number of the host.
fn records(list: &[(u16, u8)]) -> Vec<Record> {
    list.iter().map(|(preference, number)| Record::mx(*preference, &name(*number))).collect()
}
