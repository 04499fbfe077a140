//! `-p auto`: which of the ports where TLS is usual speak it at all. Every port gets one look, side by side and with little
//! patience, so that those that say nothing take no time from the others; they get a second one at the end.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use common::net::Trouble as Failure;
use common::plugin::Run;
use common::report::{Condition, Report};
use serde::{Deserialize, Serialize};

use crate::CheckWeakCiphers;
use crate::probe::trouble;
use crate::scan::Scanner;
use crate::scan::connection::{Endpoint, Outcome};
use crate::scan::gate::Gate;
use crate::scan::starttls::Protocol;
use crate::seen::{Scan, Seen, SeenPort, Trouble, TroubleKind};
use common::plugin::Progress;

/// Where TLS begins at once, and where [`Protocol::of_port`] knows what is spoken before it.
pub(crate) const PORTS: [u16; 33] = [
    21, 23, 25, 110, 119, 143, 389, 443, 465, 563, 587, 636, 853, 990, 992, 993, 995, 3268, 3269, 3306, 3389,
    4190, 5061, 5222, 5223, 5269, 5432, 5671, 6443, 6667, 6697, 8443, 8883,
];

/// For the first look: enough for one SYN that is lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of the ports that are no part of the result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Auto {
    /// Nothing listens there.
    pub(crate) closed: Vec<u16>,
    /// Not even a refusal came back.
    pub(crate) filtered: Vec<u16>,
    /// Something else than TLS is spoken.
    pub(crate) others: Vec<Other>,
    /// Connections that it took to find out.
    pub(crate) connections: u32,
}

/// A port without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) port: u16,
    /// How that is known.
    pub(crate) text: String,
}

/// What every look at a port needs.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// Those of the host.
    pub(crate) addresses: &'a [SocketAddr],
    /// For the addresses of a port.
    pub(crate) endpoint: &'a (dyn Fn(u16, Vec<SocketAddr>) -> Endpoint + Sync),
    pub(crate) server_name: Option<&'a str>,
    pub(crate) gate: &'a Gate,
    pub(crate) seed: [u8; 32],
}

/// What a look came to.
struct Looked {
    port: u16,
    starttls: Option<Protocol>,
    outcome: Outcome,
    connections: u32,
}

/// How a port is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Quickly,
    /// Not by what the port is known for, but with TLS at once.
    AtOnce,
    Patiently,
}

impl Look<'_> {
    /// Looks at the ports and scans those that speak TLS, or may.
    pub(crate) fn probe(&self, scan: &dyn Fn(u16, Endpoint) -> SeenPort) -> Seen {
        let mut found = Findings { auto: Auto::default(), ports: Vec::new() };
        let (mut silent, mut foreign) = (Vec::new(), Vec::new());
        for looked in self.look(&PORTS, Way::Quickly) {
            found.auto.connections += looked.connections;
            match &looked.outcome {
                Outcome::Silent => silent.push(looked),
                Outcome::Foreign(_) | Outcome::Ended(_) if looked.starttls.is_some() => foreign.push(looked),
                _ => found.settle(&looked, &|| scan(looked.port, self.endpoint(looked.port, Way::Quickly))),
            }
        }
        // Nobody keeps a server from speaking TLS at once where another way is usual.
        let doubtful: Vec<u16> =
            silent.iter().chain(&foreign).filter(|one| one.starttls.is_some()).map(|one| one.port).collect();
        for looked in self.look(&doubtful, Way::AtOnce) {
            found.auto.connections += looked.connections;
            if matches!(looked.outcome, Outcome::Accepted(_) | Outcome::Refused(Some(_))) {
                for others in [&mut silent, &mut foreign] {
                    others.retain(|one| one.port != looked.port);
                }
                found.settle(&looked, &|| scan(looked.port, self.endpoint(looked.port, Way::AtOnce)));
            }
        }
        for looked in foreign {
            found.settle(&looked, &|| scan(looked.port, self.endpoint(looked.port, Way::Quickly)));
        }
        let silent: Vec<u16> = silent.iter().map(|one| one.port).collect();
        for looked in self.look(&silent, Way::Patiently) {
            found.auto.connections += looked.connections;
            found.settle(&looked, &|| scan(looked.port, self.endpoint(looked.port, Way::Patiently)));
        }
        found.seen()
    }

    fn endpoint(&self, port: u16, way: Way) -> Endpoint {
        let mut addresses = self.addresses.to_vec();
        for address in &mut addresses {
            address.set_port(port);
        }
        let mut endpoint = (self.endpoint)(port, addresses);
        if way == Way::AtOnce {
            endpoint.starttls = None;
        }
        endpoint
    }

    /// Sends one hello to each port, as many at a time as is allowed.
    fn look(&self, ports: &[u16], way: Way) -> Vec<Looked> {
        let waiting = Mutex::new(ports.iter().copied().collect::<VecDeque<u16>>());
        let looked = Mutex::new(Vec::new());
        let work = || {
            while let Some(port) = next(&waiting) {
                let one = self.look_at(port, way);
                looked.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.gate.most().min(ports.len()) {
                // One thread less is only slower.
                let _ = thread::Builder::new()
                    .name("look".into())
                    .stack_size(256 * 1024)
                    .spawn_scoped(scope, work);
            }
            work();
        });
        let mut looked = looked.into_inner().unwrap_or_else(PoisonError::into_inner);
        looked.sort_by_key(|one| one.port);
        looked
    }

    fn look_at(&self, port: u16, way: Way) -> Looked {
        let mut endpoint = self.endpoint(port, way);
        if way != Way::Patiently {
            endpoint.patience = endpoint.patience.min(PATIENCE);
        }
        let unseen = Progress::new(String::new(), false);
        let scanner = Scanner::new(&endpoint, self.server_name, self.gate, self.seed, &unseen);
        let outcome = match scanner.first_look() {
            // Without the time that it should have had, nobody was asked.
            Outcome::Unreachable(error) if !error.refused && endpoint.deadline.left().is_zero() => {
                Outcome::Silent
            }
            other => other,
        };
        Looked { port, starttls: endpoint.starttls, outcome, connections: scanner.connections() }
    }
}

fn next(waiting: &Mutex<VecDeque<u16>>) -> Option<u16> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

struct Findings {
    auto: Auto,
    ports: Vec<SeenPort>,
}

impl Findings {
    /// Takes down a port for what it is, after a scan where there may be TLS.
    fn settle(&mut self, looked: &Looked, scan: &dyn Fn() -> SeenPort) {
        match &looked.outcome {
            Outcome::Unreachable(error) if error.refused => self.auto.closed.push(looked.port),
            Outcome::Unreachable(error) if error.trouble != Failure::Local => {
                self.auto.filtered.push(looked.port);
            }
            Outcome::Silent | Outcome::Spent | Outcome::Elsewhere(_) | Outcome::Unreachable(_) => {
                self.ports.push(looked.unfinished());
            }
            Outcome::NoStarttls(_) => self.pass_over(looked.port, looked.trouble().text),
            Outcome::Foreign(greeting) if !looked.goes_on(greeting) => {
                self.pass_over(looked.port, looked.trouble().text);
            }
            _ => {
                let port = scan();
                match &port.scan {
                    Scan::NoTls(Trouble { kind: TroubleKind::NotTls | TroubleKind::NoStarttls, text }) => {
                        self.auto.connections += port.connections;
                        self.pass_over(port.port, text.clone());
                    }
                    _ => self.ports.push(port),
                }
            }
        }
    }

    fn pass_over(&mut self, port: u16, text: String) {
        self.auto.others.push(Other { port, text });
    }

    fn seen(mut self) -> Seen {
        self.ports.sort_by_key(|port| port.port);
        self.auto.others.sort_by_key(|other| other.port);
        self.auto.filtered.sort_unstable();
        self.auto.closed.sort_unstable();
        Seen { ports: self.ports, auto: Some(self.auto), fleet: Vec::new() }
    }
}

impl Looked {
    /// Whether a greeting says that TLS may come after all.
    fn goes_on(&self, greeting: &[u8]) -> bool {
        self.starttls.is_none() && Protocol::of_greeting(greeting).is_some()
    }

    fn trouble(&self) -> Trouble {
        trouble(&self.outcome, self.starttls)
    }

    /// What could not be found out.
    fn unfinished(&self) -> SeenPort {
        SeenPort {
            port: self.port,
            address: None,
            starttls: self.starttls,
            connections: 0,
            seconds: 0.0,
            scan: Scan::NoTls(self.trouble()),
            baseline: None,
        }
    }
}

/// Says which ports were passed over, and that none is left where that is so.
pub(crate) fn report(options: &CheckWeakCiphers, seen: &Seen, run: &Run, report: &mut Report) {
    let Some(auto) = &seen.auto else { return };
    let host = options.aim();
    if seen.ports.is_empty() {
        let count = PORTS.len();
        let (condition, text) = if auto.others.is_empty() {
            (Condition::Unreachable, format!("{host}: none of the {count} ports where TLS is usual is open"))
        } else {
            (
                Condition::Incomplete,
                format!("{host}: no open port of the {count} where TLS is usual speaks it"),
            )
        };
        report.find("no_tls", run.states.state(condition), text);
    }
    for other in &auto.others {
        report.note("other_service", format!("{}: {}", options.place(other.port), other.text));
    }
    if !auto.filtered.is_empty() {
        report.note("filtered", format!("{host}: filtered: {}", list(&auto.filtered)));
    }
    if !auto.closed.is_empty() {
        report.context(1, format!("{host}: closed: {}", list(&auto.closed)));
    }
}

fn list(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use common::net::{Phase, ProbeError};

    use super::*;
    use crate::scan::connection::Ending;

    fn scanned(kind: TroubleKind) -> SeenPort {
        let looked = Looked { port: 443, starttls: None, outcome: Outcome::Silent, connections: 0 };
        let scan = Scan::NoTls(Trouble { kind, text: "as scanned".to_owned() });
        SeenPort { scan, connections: 3, ..looked.unfinished() }
    }

    /// A port that was seen so, and what a scan would come to.
    fn settled(starttls: Option<Protocol>, outcome: Outcome, kind: TroubleKind) -> Seen {
        let mut found = Findings { auto: Auto::default(), ports: Vec::new() };
        found.settle(&Looked { port: 443, starttls, outcome, connections: 1 }, &|| scanned(kind));
        found.seen()
    }

    fn unreachable(refused: bool, trouble: Failure) -> Outcome {
        Outcome::Unreachable(ProbeError { refused, ..ProbeError::new(trouble, Phase::Connecting, "no") })
    }

    #[test]
    fn only_what_is_known_is_passed_over() {
        let banner = |text: &str| Outcome::Foreign(text.as_bytes().to_vec());
        let no_starttls = Outcome::NoStarttls("no".to_owned());
        for (outcome, passed) in [
            (unreachable(true, Failure::Unreachable), (1, 0, 0)),
            (unreachable(false, Failure::Unreachable), (0, 1, 0)),
            (unreachable(false, Failure::Timeout), (0, 1, 0)),
            (no_starttls, (0, 0, 1)),
            (banner("SSH-2.0-x"), (0, 0, 1)),
            (unreachable(false, Failure::Local), (0, 0, 0)),
            (Outcome::Silent, (0, 0, 0)),
            (Outcome::Spent, (0, 0, 0)),
            (Outcome::Elsewhere("host-unknown".to_owned()), (0, 0, 0)),
            (Outcome::Busy("421".to_owned()), (0, 0, 0)),
            (Outcome::Ended(Ending::Reset), (0, 0, 0)),
            (Outcome::Refused(None), (0, 0, 0)),
            (Outcome::Violation("odd"), (0, 0, 0)),
            // A greeting says that there may be TLS behind it.
            (banner("220 mail ESMTP"), (0, 0, 0)),
        ] {
            let seen = settled(None, outcome.clone(), TroubleKind::Timeout);
            let auto = seen.auto.unwrap();
            assert_eq!((auto.closed.len(), auto.filtered.len(), auto.others.len()), passed, "{outcome:?}");
            assert_eq!(seen.ports.len(), usize::from(passed == (0, 0, 0)), "{outcome:?}");
        }
    }

    #[test]
    fn a_scan_that_shows_another_service_is_passed_over() {
        for (kind, passed) in [
            (TroubleKind::NotTls, true),
            (TroubleKind::NoStarttls, true),
            (TroubleKind::Unreachable, false),
            (TroubleKind::Timeout, false),
            (TroubleKind::Busy, false),
            (TroubleKind::Protocol, false),
            (TroubleKind::Violation, false),
            (TroubleKind::NeedsName, false),
            (TroubleKind::Spent, false),
        ] {
            let seen = settled(Some(Protocol::Imap), Outcome::Busy("BYE".to_owned()), kind);
            assert_eq!(seen.ports.is_empty(), passed, "{kind:?}");
            assert_eq!(seen.connections(), 3, "{kind:?}");
        }
        // By a protocol of its own a port speaks no other one.
        let seen =
            settled(Some(Protocol::Imap), Outcome::Foreign(b"220 x SMTP".to_vec()), TroubleKind::Timeout);
        assert_eq!(seen.auto.unwrap().others.len(), 1);
    }

    #[test]
    fn every_port_is_listed_once() {
        assert!(PORTS.is_sorted_by(|one, other| one < other));
        for port in [25, 110, 119, 143, 389, 587, 3268, 3306, 3389, 4190, 5222, 5269, 5432, 6667, 21, 23] {
            assert!(PORTS.contains(&port) && Protocol::of_port(port).is_some(), "{port}");
        }
    }
}
