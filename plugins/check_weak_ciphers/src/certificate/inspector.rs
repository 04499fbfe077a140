//! Gets hold of a port's chains.

use std::thread;
use std::time::Duration;

use common::net::tls::{ChainJudge, fetch_chain};
use common::net::{ProbeError, Trouble, connect};
use common::proto::names::Host;

use super::{SeenCertificates, SeenChain};
use crate::scan::Survey;
use crate::scan::connection::{Ending, Endpoint, Flight, Outcome};
use crate::scan::gate::{Gate, Shut};
use crate::suites::Suite;
use crate::version::Version;

/// Takes chains down; one for all ports of a run, because the CA certificates are read once.
#[derive(Debug)]
pub(crate) struct Inspector {
    judge: ChainJudge,
    /// Whom to ask for in a handshake.
    host: Host,
}

/// What an inspection brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inspected {
    pub(crate) chains: Vec<SeenChain>,
    /// What kept us from seeing them all.
    pub(crate) stopped: Option<Stopped>,
    /// Connections it took.
    pub(crate) connections: u32,
}

/// Why chains are missing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stopped {
    /// The handshake that was to show one came to nothing.
    Outcome(Outcome),
    /// The server has a certificate and did not show it.
    NotShown,
    /// The server shows ever new ones.
    TooMany,
}

/// Chains of one port. A server has one for each kind of key.
const MAX_CHAINS: usize = 8;
/// How often a handshake is tried that the server ends without a word.
const TRIES: u32 = 3;
/// Before the second try; then twice as long.
const PAUSE: Duration = Duration::from_millis(100);

impl Inspector {
    /// For a host, or for another name that it is asked for.
    pub(crate) fn new(judge: &ChainJudge, sni: Option<&Host>, host: &Host) -> Result<Self, ProbeError> {
        // Monitoring engines hand over addresses, for which hardly any certificate is made.
        let name = match (sni, host) {
            (Some(name), _) | (None, name @ Host::Name(_)) => Some(name),
            (None, Host::Address(_) | Host::Scoped(_)) => None,
        };
        Ok(Self { judge: judge.for_name(name)?, host: sni.unwrap_or(host).clone() })
    }

    /// Takes down the chains of a server, and fetches one where TLS 1.3 hides them all. `None` where
    /// nothing speaks TLS.
    pub(crate) fn inspect(&self, survey: &Survey, endpoint: &Endpoint, gate: &Gate) -> Option<Inspected> {
        let Survey::Seen { chains: shown, versions, .. } = survey else { return None };
        let picks = || versions.iter().flat_map(|found| &found.picks);
        if shown.is_empty() && picks().any(|pick| pick.hello.version == Version::Tls13.code()) {
            return Some(self.inspect_hidden(endpoint, gate));
        }
        let has_some = |pick: &Flight| Suite::by_code(pick.hello.suite).is_none_or(Suite::has_certificate);
        let stopped = if shown.is_empty() && picks().any(has_some) {
            Some(Stopped::NotShown)
        } else {
            (shown.len() > MAX_CHAINS).then_some(Stopped::TooMany)
        };
        let chains = shown.iter().take(MAX_CHAINS).map(|chain| SeenChain::new(chain, &self.judge)).collect();
        Some(Inspected { chains, stopped, connections: 0 })
    }

    fn inspect_hidden(&self, endpoint: &Endpoint, gate: &Gate) -> Inspected {
        let mut pause = PAUSE;
        let mut connections = 0;
        let stopped = loop {
            let pass = match gate.enter(&endpoint.deadline) {
                Ok(pass) => pass,
                Err(Shut::Late) => break Outcome::Silent,
                Err(Shut::Spent) => break Outcome::Spent,
            };
            connections += 1;
            let fetched = fetch_tls13(endpoint, &self.host);
            drop(pass);
            match fetched {
                Ok(chain) => {
                    let chains = vec![SeenChain::new(&chain, &self.judge)];
                    return Inspected { chains, stopped: None, connections };
                }
                Err(outcome) if connections == TRIES || !is_passing(&outcome) => break outcome,
                Err(outcome) if endpoint.deadline.left() <= pause => break outcome,
                Err(_) => {
                    gate.back_off();
                    thread::sleep(pause);
                    pause *= 2;
                }
            }
        };
        Inspected { chains: Vec::new(), stopped: Some(Stopped::Outcome(stopped)), connections }
    }
}

impl Inspected {
    /// What is kept of it; `words` puts an outcome into words.
    pub(crate) fn taken_down(self, words: impl FnOnce(&Outcome) -> String) -> SeenCertificates {
        let incomplete = self.stopped.map(|stopped| match stopped {
            Stopped::Outcome(outcome) => words(&outcome),
            Stopped::NotShown => "the server does not show it".to_owned(),
            Stopped::TooMany => format!("the server shows more than {MAX_CHAINS} chains"),
        });
        SeenCertificates { chains: self.chains, incomplete }
    }
}

/// Fetches the chain of a server that speaks TLS 1.3, DER, its own certificate first.
fn fetch_tls13(endpoint: &Endpoint, host: &Host) -> Result<Vec<Vec<u8>>, Outcome> {
    let deadline = endpoint.deadline.shortened(endpoint.deadline.elapsed() + endpoint.patience);
    let addresses = endpoint.address.get().map_or(endpoint.addresses.as_slice(), std::slice::from_ref);
    let mut stream = connect(addresses, None, &deadline).map_err(Outcome::Unreachable)?.stream;
    if let Some(protocol) = endpoint.starttls {
        protocol.begin(&mut stream, &endpoint.name)?;
    }
    fetch_chain(stream, host).map_err(|error| match error.trouble {
        Trouble::Timeout => Outcome::Silent,
        _ => Outcome::Unreachable(error),
    })
}

/// Whether another try may end differently.
fn is_passing(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Ended(Ending::Closed | Ending::Reset) | Outcome::Busy(_) => true,
        Outcome::Unreachable(error) => error.trouble == Trouble::Unreachable,
        _ => false,
    }
}
