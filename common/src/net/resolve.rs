//! Target names through the system's resolver: /etc/hosts and NSS count, as they do for
//! every other program of the machine.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;

use super::deadline::Deadline;
use super::error::{ProbeError, Trouble};
use super::phase::Phase;
use crate::proto::names::Host;

/// Which address families may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Both, in the system's order.
    #[default]
    Any,
    /// `-4`
    V4,
    /// `-6`
    V6,
}

impl Family {
    /// Whether an address is of this family.
    #[must_use]
    pub const fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }

    /// Its name in a sentence: `IP` for both.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "IP",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The addresses of a host, never an empty list. A literal needs no look-up.
///
/// The look-up runs in a thread of its own, because getaddrinfo knows no deadline; a
/// thread that hangs is left behind and ends with the process.
pub fn resolve(
    host: &Host,
    port: u16,
    family: Family,
    deadline: &Deadline,
) -> Result<Vec<SocketAddr>, ProbeError> {
    let found = match host.address() {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => look_up(&host.lookup_name(), port, deadline)?,
    };
    let mut usable: Vec<SocketAddr> = Vec::with_capacity(found.len());
    for address in found {
        if family.allows(address.ip()) && !usable.contains(&address) {
            usable.push(address);
        }
    }
    if usable.is_empty() {
        let text = format!("cannot resolve {host}: it has no {} address", family.name());
        return Err(ProbeError::new(Trouble::Unresolved, Phase::Resolving, text));
    }
    Ok(usable)
}

fn look_up(name: &str, port: u16, deadline: &Deadline) -> Result<Vec<SocketAddr>, ProbeError> {
    deadline.enter(Phase::Resolving);
    let remaining = deadline.remaining()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    let asked = name.to_owned();
    thread::Builder::new()
        .name("resolver".into())
        .stack_size(256 * 1024)
        .spawn(move || {
            let answer = (asked.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // The receiver is gone when the deadline passed; nobody wants the answer then.
            let _ = sender.send(answer);
        })
        .map_err(|error| {
            ProbeError::local(format!("cannot start a thread: {}", super::error::cause(&error)))
        })?;
    match receiver.recv_timeout(remaining) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => {
            let text = super::error::cause(&error);
            let cause = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            let text = format!("cannot resolve {name}: {cause}");
            Err(ProbeError::new(Trouble::Unresolved, Phase::Resolving, text))
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err(deadline.timeout()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(ProbeError::new(
            Trouble::Internal,
            Phase::Resolving,
            format!("cannot resolve {name}: the resolver thread ended without an answer"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn deadline() -> Deadline {
        Deadline::new(Instant::now(), Duration::from_secs(5))
    }

    #[test]
    fn literals_need_no_resolver_and_no_brackets() {
        let found = resolve(&"[::1]".parse().unwrap(), 25, Family::Any, &deadline()).unwrap();
        assert_eq!(found, ["[::1]:25".parse().unwrap()]);
    }

    #[test]
    fn the_family_is_obeyed() {
        let error = resolve(&"127.0.0.1".parse().unwrap(), 25, Family::V6, &deadline()).unwrap_err();
        assert_eq!(error.trouble, Trouble::Unresolved);
        assert_eq!(error.text, "cannot resolve 127.0.0.1: it has no IPv6 address");
        let found = resolve(&"localhost".parse().unwrap(), 25, Family::V4, &deadline()).unwrap();
        assert_eq!(found, ["127.0.0.1:25".parse().unwrap()]);
    }

    #[test]
    fn a_passed_deadline_beats_the_resolver() {
        let passed = Deadline::new(Instant::now(), Duration::ZERO);
        let error = resolve(&"localhost".parse().unwrap(), 25, Family::Any, &passed).unwrap_err();
        assert_eq!(error.trouble, Trouble::Timeout);
    }
}
