//! Who is on the network: the hosts the scenarios are made of, and a builder for others.

use crate::arp::Mac;

/// What a host will be; nothing runs before [`Network::start`](crate::arp::Network::start).
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) name: String,
    pub(crate) mac: Mac,
    pub(crate) addresses: Vec<String>,
    pub(crate) routes: Vec<String>,
    pub(crate) sysctls: Vec<(String, String)>,
    pub(crate) behind: Option<Behind>,
    pub(crate) second: Option<Second>,
}

/// Another card on the same link, `eth1`.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) mac: Mac,
    pub(crate) addresses: Vec<String>,
}

/// A network behind a host, which only this host reaches.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    pub(crate) name: String,
    pub(crate) network: String,
    pub(crate) addresses: Vec<String>,
}

impl Plan {
    /// A host with nothing but a name of its own and a MAC.
    #[must_use]
    pub fn new(name: &str, mac: Mac) -> Self {
        let (addresses, routes, sysctls) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.to_owned(), mac, addresses, routes, sysctls, behind: None, second: None }
    }

    /// Adds an address with its prefix length, `10.99.0.9/16` or `2001:db8:99::9/64`.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        self.addresses.push(address.to_owned());
        self
    }

    /// Gives it another card on the same link, `eth1`, with these addresses. Both cards answer for all addresses of the
    /// host, as Linux does.
    #[must_use]
    pub fn second_card(self, mac: Mac, addresses: &[&str]) -> Self {
        assert!(self.behind.is_none(), "its eth1 is in use");
        let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        Self { second: Some(Second { mac, addresses }), ..self }
    }

    /// Adds a route, in the words of `ip route add`.
    #[must_use]
    pub fn route(mut self, route: &str) -> Self {
        self.routes.push(route.to_owned());
        self
    }

    /// Sets a switch below `/proc/sys/net` before the interface goes up, e.g. `ipv6/conf/eth0/accept_ra`.
    #[must_use]
    pub fn sysctl(mut self, path: &str, value: &str) -> Self {
        self.sysctls.push((path.to_owned(), value.to_owned()));
        self
    }

    /// Lets it forward IPv4 without telling anybody of a shorter way.
    #[must_use]
    pub fn forwards(self) -> Self {
        self.sysctl("ipv4/ip_forward", "1")
            .sysctl("ipv4/conf/all/send_redirects", "0")
            .sysctl("ipv4/conf/eth0/send_redirects", "0")
    }

    /// Lets it believe router advertisements, even if it forwards.
    #[must_use]
    pub fn accepts_routers(self) -> Self {
        self.sysctl("ipv6/conf/eth0/accept_ra", "2").sysctl("ipv6/conf/eth0/accept_ra_rtr_pref", "1")
    }

    fn default_routes(self) -> Self {
        self.route("default via 10.99.0.1").route("default via 2001:db8:99::1")
    }
}

/// `gw`: the router, 10.99.0.1 and 2001:db8:99::1.
#[must_use]
pub fn gateway() -> Plan {
    let plan = Plan::new("gw", Mac([2, 0, 0, 0, 0, 0x01])).forwards().sysctl("ipv6/conf/all/forwarding", "1");
    plan.address("10.99.0.1/16").address("2001:db8:99::1/64")
}

/// `mon`: where the check runs, 10.99.0.10 and 2001:db8:99::10, with the gateway as its default route.
#[must_use]
pub fn monitor() -> Plan {
    let plan = Plan::new("mon", Mac([2, 0, 0, 0, 0, 0x10])).default_routes();
    plan.address("10.99.0.10/16").address("2001:db8:99::10/64")
}

/// `srv`: a server, 10.99.0.20 and 2001:db8:99::20.
#[must_use]
pub fn server() -> Plan {
    let plan = Plan::new("srv", Mac([2, 0, 0, 0, 0, 0x20])).default_routes();
    plan.address("10.99.0.20/16").address("2001:db8:99::20/64")
}

/// `h1` to `h4`: ordinary hosts, 10.99.0.31 and 2001:db8:99::31 onwards.
#[must_use]
pub fn ordinary(number: u8) -> Plan {
    assert!((1..=4).contains(&number), "there are four ordinary hosts");
    let plan = Plan::new(&format!("h{number}"), Mac([2, 0, 0, 0, 0, 0x30 + number])).default_routes();
    plan.address(&format!("10.99.0.3{number}/16")).address(&format!("2001:db8:99::3{number}/64"))
}

/// `att`: the attacker, 10.99.0.66 and 2001:db8:99::66, who forwards what he attracts.
#[must_use]
pub fn attacker() -> Plan {
    let plan = Plan::new("att", Mac([2, 0x66, 0x66, 0x66, 0x66, 0x66])).forwards().default_routes();
    plan.address("10.99.0.66/16").address("2001:db8:99::66/64")
}

/// `dupa` and `dupb`: two hosts that were given the same address, 10.99.0.50.
#[must_use]
pub fn duplicates() -> [Plan; 2] {
    [("dupa", 0x0a), ("dupb", 0x0b)]
        .map(|(name, last)| Plan::new(name, Mac([2, 0, 0, 0, 0x50, last])).address("10.99.0.50/16"))
}

/// `multi`: one card with five addresses, 10.99.0.70 to .74.
#[must_use]
pub fn multi() -> Plan {
    let plan = Plan::new("multi", Mac([2, 0, 0, 0, 0, 0x70]));
    (70..=74).fold(plan, |plan, last| plan.address(&format!("10.99.0.{last}/16")))
}

/// `prx`: 10.99.0.5, answers for 10.99.5.0/24, which is behind it in the host `prb` (10.99.5.1).
#[must_use]
pub fn proxy() -> Plan {
    let behind = Behind {
        name: "prb".to_owned(),
        network: "10.99.5.0/24".to_owned(),
        addresses: vec!["10.99.5.1/32".to_owned()],
    };
    let plan =
        Plan::new("prx", Mac([2, 0, 0, 0, 0, 0x05])).forwards().sysctl("ipv4/conf/eth0/proxy_arp", "1");
    Plan { behind: Some(behind), ..plan.address("10.99.0.5/16") }
}

/// `vr1` and `vr2`, 10.99.0.61 and .62: where [`Vrrp`](crate::arp::vrrp::Vrrp) runs for 10.99.0.60.
#[must_use]
pub fn routers() -> [Plan; 2] {
    [1, 2].map(|number| {
        let plan = Plan::new(&format!("vr{number}"), Mac([2, 0, 0, 0, 0, 0x60 + number]));
        plan.address(&format!("10.99.0.6{number}/16"))
    })
}
