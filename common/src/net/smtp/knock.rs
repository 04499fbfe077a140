//! Who answers at a door: connections that end with the greeting. For checks that are not about
//! the service itself.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::opening::{Hello, Manner, Opening, Stop};
use crate::net::at_once;
use crate::net::deadline::Deadline;
use crate::net::error::ProbeError;
use crate::proto::smtp::ReplyLimits;

/// Connections at a time; a server that is silent holds up no other.
const AT_ONCE: usize = 64;

/// A connection that ended with the greeting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knock {
    /// Where.
    pub address: SocketAddr,
    /// As far as it went.
    pub opening: Opening,
    /// Why there is no good greeting.
    pub stop: Option<Stop>,
}

impl Knock {
    /// Whether the greeting was 220.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.stop.is_none()
    }

    /// Seconds until the greeting, if it was good.
    #[must_use]
    pub fn time(&self) -> Option<f64> {
        let times = &self.opening.times;
        times.connect.zip(times.banner).map(|(connect, banner)| connect + banner).filter(|_| self.is_good())
    }
}

/// Reads the greetings of these servers at the same time, and says QUIT. An address of ours is
/// used where it is of the server's family.
pub fn knock(
    servers: &[SocketAddr],
    source: Option<IpAddr>,
    deadline: &Deadline,
) -> Result<Vec<Knock>, ProbeError> {
    at_once(servers, AT_ONCE, |_, address| {
        let deadline = &deadline.apart();
        let source = source.filter(|source| source.is_ipv4() == address.is_ipv4());
        let limits = ReplyLimits::default();
        greeting_of(*address, &Manner { deadline, source, hello: Hello::Ehlo, helo: None, limits })
    })
}

fn greeting_of(address: SocketAddr, manner: &Manner<'_>) -> Knock {
    let mut opening = Opening::default();
    let stop = match opening.connect(manner, &[address]) {
        Err(error) => Some(Stop::Failed(error)),
        Ok(mut client) => {
            let stop = opening.greet(&mut client, manner).err();
            opening.close(client, stop.as_ref().is_none_or(Stop::leaves_dialogue_intact));
            stop
        }
    };
    Knock { address, opening, stop }
}
