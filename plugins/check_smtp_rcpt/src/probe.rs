//! Finds the hosts and asks them all at once.

use std::net::SocketAddr;
use std::time::Duration;

use common::net::{Deadline, Phase, ProbeError, at_once};
use common::proto::names;

use crate::CheckSmtpRcpt;
use crate::route::find_hosts;
use crate::seen::{Host, Seen};
use crate::session::Setting;

/// Conversations at a time.
const AT_ONCE: usize = 16;
/// Addresses that are asked in one run.
const MOST_VISITS: usize = 64;

/// Looks and takes down what there is. An error means that nobody was asked.
pub(crate) fn probe(options: &CheckSmtpRcpt, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let recipient = options.envelope.recipient().ok_or_else(|| ProbeError::local("there is no recipient"))?;
    let stranger = options.expect.also_unknown.then(|| options.envelope.stranger()).flatten();
    let (source, hosts) = find_hosts(options, deadline)?;
    let setting = Setting { options, recipient, stranger };

    let places = places(&hosts)?;
    deadline.enter(Phase::Querying);
    let visits = at_once(&places, AT_ONCE, |at, (host, address)| {
        let own = deadline.apart().shortened(limit(deadline, places.len() - at));
        // One for each: what a handshake shows is kept in it.
        Ok(setting.visit(*address, &options.tls.connector(host)?, &own))
    })?;
    Ok(Seen { source, hosts, visits: visits.into_iter().collect::<Result<_, ProbeError>>()? })
}

/// Each address once, however many hosts have it, with the host it is asked for.
fn places(hosts: &[Host]) -> Result<Vec<(names::Host, SocketAddr)>, ProbeError> {
    let mut places: Vec<(names::Host, SocketAddr)> = Vec::new();
    for host in hosts.iter().filter(|host| !host.addresses.is_empty()) {
        let wrong = |error| ProbeError::local(format!("cannot ask {}: {error}", host.name));
        let name: names::Host = host.name.parse().map_err(wrong)?;
        for address in &host.addresses {
            if places.len() < MOST_VISITS && places.iter().all(|(_, known)| known != address) {
                places.push((name.clone(), *address));
            }
        }
    }
    Ok(places)
}

/// When a conversation has to be over: those behind it need their time as well.
fn limit(deadline: &Deadline, to_come: usize) -> Duration {
    let rounds = u32::try_from(to_come.div_ceil(AT_ONCE)).unwrap_or(u32::MAX).max(1);
    deadline.elapsed() + deadline.left() / rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn nobody_gets_two_connections_and_their_number_is_bounded() {
        let host = |name: &str, addresses: Vec<SocketAddr>| Host {
            name: name.into(),
            level: 0,
            addresses,
            gap: None,
        };
        let name = |name: &str| names::Host::Name(name.into());
        let address = |n: usize| SocketAddr::new(format!("192.0.2.{n}").parse().unwrap(), 25);
        let hosts = [
            host("a", vec![address(1), address(2)]),
            host("b", vec![address(2), address(3)]),
            host("c", (4..100).map(address).collect()),
        ];
        let places = places(&hosts).unwrap();
        assert_eq!(places[..3], [(name("a"), address(1)), (name("a"), address(2)), (name("b"), address(3))]);
        assert_eq!(places.len(), MOST_VISITS);
    }

    #[test]
    fn shares_leave_room_for_those_who_wait() {
        let deadline = Deadline::new(Instant::now(), Duration::from_secs(8));
        let tenths = |to_come| (limit(&deadline, to_come).as_millis() + 50) / 100;
        assert_eq!([1, 16, 17, 64].map(tenths), [80, 80, 40, 20]);
    }
}
