//! A domain whose mail is in order in every way that it publishes, with all of its servers, and
//! the ways in which one thing of it goes wrong. For the demo, the tests and the bench of a check of
//! mail policies.
//!
//! `example.test` has, in a zone that its resolver vouches for (AD):
//!
//! | name | what |
//! |---|---|
//! | (itself) | MX `mx1` and `mx2`; SPF with two includes, one elsewhere: 4 lookups, no void one |
//! | `s2026._domainkey` | DKIM, RSA 2048 bits |
//! | `ed._domainkey` | DKIM, Ed25519 |
//! | `alias._domainkey` | an alias to a key of `mailer.test`, which nobody vouches for |
//! | `_dmarc` | reject; reports to itself and to `reports.test`, which agrees |
//! | `_mta-sts`, `mta-sts` | MTA-STS, mode enforce, both hosts, for a week; HTTPS at 127.0.0.30 |
//! | `_smtp._tls` | TLS-RPT |
//! | `default._bimi` | BIMI |
//! | `mx1` | 127.0.0.31, a certificate of the authority itself, TLSA 3 1 1 |
//! | `mx2` | 127.0.0.32, one of an authority below it, the whole chain, TLSA 2 0 1 of the root |
//!
//! The servers are embedded ones, or real ones ([`real`]), which can be wrong in fewer ways.
//!
//! TLSA records are found for port 25 as well as for the port of the hosts.
//!
//! ```
//! use lab::policy::{Domain, fault};
//! let good = Domain::healthy().start();
//! let bad = Domain::healthy().with(fault::spf_missing).with(fault::dane_unsigned).start();
//! assert_ne!(good.resolver(), bad.resolver());
//! ```

pub mod fault;
pub mod real;
mod records;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::certs::{Authority, Leaf, LeafOptions};
use crate::dane::tlsa;
use crate::dns::{
    Behaviour as _, Names, Rcode, Reaction, Record, RecordType, Responder, ResponderOptions, TcpPort, Zones,
};
use crate::exchanger::{Exchanger, ExchangerOptions, StartTls};
use crate::https::{Https, HttpsOptions, Opening, Site, answer};
use crate::peer::Script;

pub use records::POLICY;

/// The domain.
pub const DOMAIN: &str = "example.test";

/// Name of the host with the policy.
pub const POLICY_HOST: &str = "mta-sts.example.test";

/// Selectors of its DKIM keys: RSA, Ed25519, and one of somebody else.
pub const SELECTORS: [&str; 3] = ["s2026", "ed", "alias"];

const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 30));
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));

/// Where the servers listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ports {
    #[default]
    Free,
    Registered,
}

/// A domain that can be changed before it is started.
#[derive(Debug)]
pub struct Domain {
    authority: Arc<Authority>,
    records: Vec<Record>,
    names: Names,
    is_signed: bool,
    hosts: Vec<Host>,
    web_leaf: Leaf,
    policy: String,
    /// Instead of the policy.
    web_answer: Option<Script>,
    web_opening: Opening,
    away: Duration,
    ports: Ports,
}

/// An exchanger and its TLSA records.
#[derive(Debug)]
struct Host {
    options: ExchangerOptions,
    tlsa: Vec<Record>,
    /// Said instead of them.
    tlsa_rcode: Option<Rcode>,
}

impl Domain {
    /// All is well.
    #[must_use]
    pub fn healthy() -> Self {
        let authority = Arc::new(Authority::new("Lab Root CA"));
        let first = authority.leaf(&LeafOptions::server_named(&name("mx1")));
        let below = authority.intermediate("Lab Intermediate CA", 90);
        let second = below.leaf(&LeafOptions::server_named(&name("mx2"))).followed_by(&authority);
        let (ee, ta) = (tlsa(3, 1, 1, &first.cert_der), tlsa(2, 0, 1, authority.ca_der()));
        let hosts = vec![Host::new(1, first, ee), Host::new(2, second, ta)];
        Self {
            records: records::healthy(),
            names: Names::default(),
            is_signed: true,
            hosts,
            web_leaf: authority.leaf(&LeafOptions::server_named(POLICY_HOST)),
            policy: POLICY.to_owned(),
            web_answer: None,
            web_opening: Opening::Tls,
            away: Duration::ZERO,
            ports: Ports::Free,
            authority,
        }
    }

    /// Changed by one of these, see [`fault`].
    #[must_use]
    pub fn with(self, change: impl FnOnce(Self) -> Self) -> Self {
        change(self)
    }

    /// With this record more; its owner is a whole name.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.records.push(record);
        self
    }

    /// Without the records of this type at a name (`_dmarc`, empty for the domain itself).
    #[must_use]
    pub fn without(mut self, front: &str, record_type: RecordType) -> Self {
        let name = name(front);
        let is_meant = |record: &Record| {
            record.name.as_deref() == Some(&*name) && record.data.record_type() == record_type
        };
        let before = self.records.len();
        self.records.retain(|record| !is_meant(record));
        assert!(self.records.len() < before, "{name} has no {record_type:?}");
        self
    }

    /// With this text in the place of those at a name.
    #[must_use]
    pub fn text(self, front: &str, text: &str) -> Self {
        self.without(front, RecordType::Txt).second_text(front, text)
    }

    /// With one text more at a name.
    #[must_use]
    pub fn second_text(self, front: &str, text: &str) -> Self {
        self.record(Record::txt(text).owned_by(&name(front)))
    }

    /// With what the resolver says about a name changed; see [`Names::at`].
    #[must_use]
    pub fn at(
        mut self,
        front: &str,
        record_type: RecordType,
        change: impl Fn(Reaction) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        self.names = self.names.at(&name(front), record_type, change);
        self
    }

    /// In a zone that the resolver does not vouch for.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.is_signed = false;
        self
    }

    /// With this policy.
    #[must_use]
    pub fn policy(mut self, policy: &str) -> Self {
        policy.clone_into(&mut self.policy);
        self
    }

    /// With another answer from the host of the policy; see [`answer`].
    #[must_use]
    pub fn web_answer(mut self, answer: Script) -> Self {
        self.web_answer = Some(answer);
        self
    }

    /// With another certificate there, made by the authority that is trusted or by nobody.
    #[must_use]
    pub fn web_leaf(mut self, leaf: impl FnOnce(&Authority) -> Leaf) -> Self {
        self.web_leaf = leaf(&self.authority);
        self
    }

    /// With another beginning of connections there.
    #[must_use]
    pub fn web_opening(mut self, opening: Opening) -> Self {
        self.web_opening = opening;
        self
    }

    /// With an exchanger changed, the first or the second (1, 2).
    #[must_use]
    pub fn host(mut self, number: usize, change: impl FnOnce(&mut ExchangerOptions)) -> Self {
        change(&mut self.hosts[number - 1].options);
        self
    }

    /// With another certificate at an exchanger, and the TLSA record 3 1 1 that belongs to it.
    #[must_use]
    pub fn host_leaf(mut self, number: usize, leaf: impl FnOnce(&Authority) -> Leaf) -> Self {
        let leaf = leaf(&self.authority);
        let host = &mut self.hosts[number - 1];
        host.tlsa = vec![tlsa(3, 1, 1, &leaf.cert_der)];
        host.options.leaf = Some(leaf);
        self
    }

    /// With these TLSA records of an exchanger, whose owners are set.
    #[must_use]
    pub fn tlsa(mut self, number: usize, records: impl IntoIterator<Item = Record>) -> Self {
        self.hosts[number - 1].tlsa = records.into_iter().collect();
        self
    }

    /// With this instead of the TLSA records of an exchanger.
    #[must_use]
    pub fn tlsa_rcode(mut self, number: usize, rcode: Rcode) -> Self {
        self.hosts[number - 1].tlsa_rcode = Some(rcode);
        self
    }

    /// With every answer of the resolver later by this time.
    #[must_use]
    pub fn away(mut self, time: Duration) -> Self {
        self.away = time;
        self
    }

    /// At the registered ports: 53 of 127.0.0.53, 443 and 25. Only in a network of its own, see
    /// [`crate::namespace`].
    #[must_use]
    pub fn at_registered_ports(mut self) -> Self {
        self.ports = Ports::Registered;
        self
    }

    /// Starts all servers.
    #[must_use]
    pub fn start(self) -> Servers {
        let (smtp, https, dns) = match self.ports {
            Ports::Free => (0, 0, (Ipv4Addr::LOCALHOST.into(), 0)),
            Ports::Registered => (25, 443, (RESOLVER, 53)),
        };
        let at_port = |host: &Host| {
            let listen = SocketAddr::new(host.options.listen.ip(), smtp);
            ExchangerOptions { listen, ..host.options.clone() }
        };
        let options: Vec<_> = self.hosts.iter().map(at_port).collect();
        let hosts = Exchanger::start_all_of(&options, &self.authority);
        let port = hosts[0].port();
        let mut names = self.names;
        for (host, owner) in
            self.hosts.iter().flat_map(|host| host.tlsa_owners(port).map(move |owner| (host, owner)))
        {
            if let Some(rcode) = host.tlsa_rcode {
                names = names.at(&owner, RecordType::Tlsa, move |_| Reaction::rcode(rcode));
            }
        }
        let mut records = self.records;
        records.extend(self.hosts.iter().flat_map(|host| host.tlsa_records(port)));
        let logo = self.authority.leaf(&LeafOptions::server_named(&name("www")));
        let logo = Site::new(&name("www"), &logo, answer::typed("image/svg+xml", records::LOGO));
        let web_answer = self.web_answer.unwrap_or_else(|| answer::ok(&self.policy));
        let policy = Site::new(POLICY_HOST, &self.web_leaf, web_answer);
        let web = HttpsOptions::of([policy, logo]).opening(self.web_opening);
        let web = Https::start(web.at(&[(WEB, https).into()]));
        let zones = zones(records, names, self.is_signed).delayed(self.away);
        let listen = ResponderOptions { address: dns.into(), tcp: TcpPort::Open };
        let dns = Responder::start_with(listen, zones);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca_file = self.authority.write_ca(folder.path());
        Servers { dns, web, hosts, authority: self.authority, ca_file, _folder: folder }
    }
}

impl Host {
    fn new(number: u8, leaf: Leaf, tlsa: Record) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 30 + number], 0));
        let options = ExchangerOptions {
            leaf: Some(leaf),
            local_domains: vec![DOMAIN.to_owned()],
            ..ExchangerOptions::named(&name(&format!("mx{number}")), listen)
        };
        Self { options, tlsa: vec![tlsa], tlsa_rcode: None }
    }

    /// Whether a real server can be like that.
    fn is_plain(&self) -> bool {
        let options = &self.options;
        self.tlsa_rcode.is_none()
            && options.starttls == StartTls::Works
            && options.refused_connections.is_empty()
    }

    /// Where its TLSA records are.
    fn tlsa_owners(&self, port: u16) -> impl Iterator<Item = String> {
        let ports = BTreeSet::from([25, port]);
        ports.into_iter().map(|port| format!("_{port}._tcp.{}", self.options.host_name))
    }

    /// Its TLSA records in all of these places.
    fn tlsa_records(&self, port: u16) -> impl Iterator<Item = Record> {
        self.tlsa_owners(port)
            .flat_map(|owner| self.tlsa.iter().map(move |record| record.clone().owned_by(&owner)))
    }
}

/// The servers of a domain; they stop when dropped.
#[derive(Debug)]
pub struct Servers {
    /// The resolver.
    pub dns: Responder,
    /// The host of the policy.
    pub web: Https,
    /// The exchangers in the order of their preference.
    pub hosts: Vec<Exchanger>,
    /// Whom a client has to trust.
    pub authority: Arc<Authority>,
    ca_file: PathBuf,
    _folder: TempDir,
}

impl Servers {
    /// Where the resolver listens.
    #[must_use]
    pub fn resolver(&self) -> SocketAddr {
        self.dns.addr()
    }

    /// Port of both exchangers.
    #[must_use]
    pub fn smtp_port(&self) -> u16 {
        self.hosts[0].port()
    }

    /// Port of the host of the policy.
    #[must_use]
    pub fn https_port(&self) -> u16 {
        self.web.port()
    }

    /// PEM file with the root that signs all certificates that are good.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// What a check of this domain has to be told: `-d`, `--resolver`, `--port`, `--https-port` and
    /// `--ca-file`.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        arguments(self.resolver(), self.smtp_port(), self.https_port(), &self.ca_file)
    }
}

fn arguments(resolver: SocketAddr, smtp: u16, https: u16, ca_file: &Path) -> Vec<String> {
    let words = [
        ("-d", DOMAIN.to_owned()),
        ("--resolver", resolver.to_string()),
        ("--port", smtp.to_string()),
        ("--https-port", https.to_string()),
        ("--ca-file", ca_file.display().to_string()),
    ];
    words.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
}

/// A resolver's view: the domain, two others that it leads to, and nothing else in the world.
fn zones(records: Vec<Record>, names: Names, is_signed: bool) -> Zones {
    let (own, others): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| is_in(record, DOMAIN));
    let own = own.into_iter().fold(names, Names::record);
    let zones = Zones::new().following_aliases().otherwise(Names::new(others));
    if is_signed { zones.zone(DOMAIN, own.authentic()) } else { zones.zone(DOMAIN, own) }
}

/// Whether a record is of a zone.
fn is_in(record: &Record, zone: &str) -> bool {
    let front = record.name.as_deref().and_then(|name| name.strip_suffix(zone));
    front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// A name in the domain; the domain itself is empty.
fn name(front: &str) -> String {
    if front.is_empty() { DOMAIN.to_owned() } else { format!("{front}.{DOMAIN}") }
}
