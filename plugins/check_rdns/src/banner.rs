//! The names that mail servers give themselves in their greetings.

use std::net::{IpAddr, SocketAddr};

use common::net::smtp::{Knock, Stop, knock};
use common::net::{Deadline, ProbeError};

use crate::seen::{Banner, SeenAddress};

/// Reads the banner at each address.
pub(crate) fn read_banners(
    addresses: &mut [SeenAddress],
    port: u16,
    source: Option<IpAddr>,
    deadline: &Deadline,
) -> Result<(), ProbeError> {
    let servers: Vec<SocketAddr> = addresses.iter().map(|one| SocketAddr::new(one.address, port)).collect();
    for (one, knock) in addresses.iter_mut().zip(knock(&servers, source, deadline)?) {
        one.banner = Some(Banner::from(knock));
    }
    Ok(())
}

impl From<Knock> for Banner {
    fn from(knock: Knock) -> Self {
        Self {
            server: knock.address,
            greeting: knock.opening.banner,
            failure: match knock.stop {
                Some(Stop::Failed(error)) => Some(error),
                _ => None,
            },
            connect: knock.opening.times.connect,
            wait: knock.opening.times.banner,
            transcript: knock.opening.transcript,
        }
    }
}
