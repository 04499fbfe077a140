//! The fixture of a check of mail exchangers: a zone in which all is well, for tests to break,
//! and the calls that ask for it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use lab::dns::{Behaviour as _, Flags, Names, Record, Responder, ResponderOptions, Zones};
use lab::output::State;

use crate::{Check, Run};

/// The domain of all scenarios.
pub const DOMAIN: &str = "shop.lab.test";

/// Two mail exchangers with public addresses.
#[must_use]
pub fn healthy() -> Vec<Record> {
    vec![
        mx(10, "mx1.lab.test"),
        mx(20, "mx2.lab.test"),
        address("mx1.lab.test", "8.8.8.1"),
        address("mx1.lab.test", "2a00:1450::1"),
        address("mx2.lab.test", "8.8.8.2"),
    ]
}

/// An MX record of the domain.
#[must_use]
pub fn mx(preference: u16, host: &str) -> Record {
    Record::mx(preference, host).owned_by(DOMAIN)
}

/// An address of a host.
#[must_use]
pub fn address(host: &str, address: &str) -> Record {
    Record::address(address).owned_by(host)
}

/// A resolver that knows these names and no others.
#[must_use]
pub fn resolver(records: impl IntoIterator<Item = Record>) -> Responder {
    Responder::start(Zones::new().zone("lab.test", Names::new(records)))
}

/// A check of the domain through these resolvers. Nothing of theirs is far away.
#[must_use]
pub fn check(resolvers: &[SocketAddr]) -> Check {
    let check = Check::new("check_mx").args(["-d", DOMAIN, "--query-timeout", "0.4", "--tries", "1"]);
    resolvers.iter().fold(check, |check, server| check.args(["--resolver", &server.to_string()]))
}

/// Checks a domain with these records and asserts state and words.
pub fn given(records: impl IntoIterator<Item = Record>, state: State, words: &[&str]) -> Run {
    check(&[resolver(records).addr()]).gives(state, words)
}

/// The figures of the perfdata, `U` as `None`: mx, addresses, resolvers_ok, ttl_min.
#[must_use]
pub fn figures(run: &Run) -> [Option<f64>; 4] {
    ["mx", "addresses", "resolvers_ok", "ttl_min"].map(|label| run.parsed.value(label))
}

/// A domain with five mail exchangers and four name servers, known to three resolvers; every
/// answer comes after a time. For budgets and benches.
#[derive(Debug)]
pub struct Site {
    resolvers: Vec<Responder>,
    servers: Vec<Responder>,
    port: u16,
}

impl Site {
    /// Starts all of them.
    #[must_use]
    pub fn new(away: Duration) -> Self {
        let port = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        let resolver = || Responder::start(Zones::new().zone("lab.test", Names::new(large()).delayed(away)));
        let server = |number: u8| {
            let options = ResponderOptions {
                address: (Ipv4Addr::new(127, 0, 2, number), port).into(),
                ..ResponderOptions::default()
            };
            let own = Names::new(large()).map(|reaction| reaction.flags(Flags::AUTHORITATIVE));
            Responder::start_with(options, Zones::new().zone("lab.test", own.delayed(away)))
        };
        // The last one is that of the zone above, which serves the domain as well.
        Self { resolvers: (0..3).map(|_| resolver()).collect(), servers: (1..=5).map(server).collect(), port }
    }

    /// The options of a check of all of it.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let resolvers = self.resolvers.iter().flat_map(|one| ["--resolver".into(), one.addr().to_string()]);
        let port = self.port.to_string();
        ["-d", DOMAIN, "--authoritative", "--dns-port", &port]
            .map(str::to_owned)
            .into_iter()
            .chain(resolvers)
            .collect()
    }

    /// One of the resolvers.
    #[must_use]
    pub fn resolver(&self) -> SocketAddr {
        self.resolvers[0].addr()
    }

    /// Questions so far.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.resolvers.iter().chain(&self.servers).map(Responder::query_count).sum()
    }
}

fn large() -> Vec<Record> {
    let hosts = (1..=5u8).flat_map(|number| {
        let host = format!("mx{number}.lab.test");
        [
            mx(u16::from(number), &host),
            address(&host, &format!("8.8.8.{number}")),
            address(&host, &format!("2a00:1450::{number}")),
        ]
    });
    let servers = (1..=4u8).flat_map(|number| {
        let server = format!("ns{number}.lab.test");
        [Record::ns(&server).owned_by(DOMAIN), address(&server, &format!("127.0.2.{number}"))]
    });
    let above = [
        Record::ns("up.lab.test").owned_by("lab.test"),
        address("up.lab.test", "127.0.2.5"),
        Record::soa(DOMAIN),
    ];
    hosts.chain(servers).chain(above).collect()
}
