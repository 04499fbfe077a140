//! The fixture of a recipient check: the exchangers of one domain, on one port of different
//! addresses, and the responder that names them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lab::dns::{Names, Record, Responder, Zones};
use lab::exchanger::{Exchanger, ExchangerOptions};
use lab::peer::Script;

use crate::Check;

/// Whom the hosts of a domain know unless a scenario says otherwise.
pub const RECIPIENT: &str = "probe@lab.test";

/// A host of a scenario: its preference, and what is done to the options of a good one.
pub type Wish<'a> = (u16, &'a dyn Fn(&mut ExchangerOptions));

/// The exchangers of `lab.test`: `mx1.lab.test` at 127.0.0.11, `mx2.lab.test` at 127.0.0.12 ...
#[derive(Debug)]
pub struct Domain {
    /// In the order in which they were given.
    pub hosts: Vec<Exchanger>,
    /// Answers for the domain.
    pub dns: Responder,
}

impl Domain {
    /// Starts a host for each of these.
    #[must_use]
    pub fn start(hosts: &[Wish<'_>]) -> Self {
        let options: Vec<ExchangerOptions> = hosts
            .iter()
            .enumerate()
            .map(|(at, (_, change))| {
                let mut options = ExchangerOptions::named(&name(at + 1), (address(at + 1), 0).into());
                change(&mut options);
                options
            })
            .collect();
        let records = hosts.iter().enumerate().map(|(at, (preference, _))| (*preference, at + 1));
        let dns = zone(&records.collect::<Vec<_>>());
        Self { hosts: Exchanger::start_all(&options), dns }
    }

    /// The check of [`RECIPIENT`].
    #[must_use]
    pub fn check(&self) -> Check {
        self.ask(RECIPIENT)
    }

    /// The check of any recipient.
    #[must_use]
    pub fn ask(&self, recipient: &str) -> Check {
        through(&self.dns).args(["-p", &self.port().to_string(), recipient])
    }

    /// The port of all hosts.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.hosts[0].port()
    }

    /// What every host was told, one list of lines for each connection.
    #[must_use]
    pub fn sessions(&self) -> Vec<Vec<Vec<String>>> {
        self.hosts.iter().map(Exchanger::sessions).collect()
    }

    /// Asserts that nobody was connected to twice and nobody was sent a message.
    pub fn assert_polite(&self) {
        for host in &self.hosts {
            assert!(host.connections() <= 1, "{:?}", host.sessions());
            assert_eq!((host.data_commands(), host.messages()), (0, 0));
        }
    }
}

/// Does nothing to the options of a host.
pub const fn good(_: &mut ExchangerOptions) {}

/// A check that asks this responder, and nothing else yet.
#[must_use]
pub fn through(dns: &Responder) -> Check {
    Check::new("check_smtp_rcpt")
        .args(["--resolver", &dns.addr().to_string(), "--query-timeout", "0.5"])
        .arg("--allow-private")
}

/// The check of [`RECIPIENT`] at one host, without DNS.
#[must_use]
pub fn at(address: SocketAddr) -> Check {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Check::new("check_smtp_rcpt").args(["-H", &host, "-p", &port, RECIPIENT]).timeout(1.0)
}

/// A responder for `lab.test` with these MX records: preference and number of the host.
#[must_use]
pub fn zone(records: &[(u16, usize)]) -> Responder {
    let mx = records.iter().map(|(preference, number)| Record::mx(*preference, &name(*number)));
    let hosts = records
        .iter()
        .map(|(_, number)| Record::address(&address(*number).to_string()).owned_by(&name(*number)));
    serving(mx.chain(hosts))
}

/// A responder for `lab.test` with these records.
#[must_use]
pub fn serving(records: impl IntoIterator<Item = Record>) -> Responder {
    Responder::start(Zones::new().zone("lab.test", Names::new(records)))
}

/// The name of the n-th host, counted from 1.
#[must_use]
pub fn name(number: usize) -> String {
    format!("mx{number}.lab.test")
}

/// Its address.
#[must_use]
pub fn address(number: usize) -> IpAddr {
    let last = u8::try_from(number + 10).expect("a handful of hosts");
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Script of a good server in the clear up to the answer to RCPT, which is this one.
#[must_use]
pub fn answering(answer: impl AsRef<[u8]>) -> Script {
    to_rcpt().send(answer)
}

/// The same before that answer.
#[must_use]
pub fn to_rcpt() -> Script {
    Script::new()
        .banner()
        .ehlo(&["SIZE 1"])
        .expect("MAIL FROM:<>")
        .send("250 2.1.0 Ok\r\n")
        .expect("RCPT TO:<")
}

/// How a conversation ends where nothing goes wrong.
#[must_use]
pub fn goodbye(script: Script) -> Script {
    script.expect("RSET").send("250 2.0.0 Ok\r\n").quit()
}
