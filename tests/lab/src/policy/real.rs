//! The same domain on real servers: a zone that is signed, on NSD or BIND; Unbound, which validates
//! it; nginx with the policy; Postfix as both exchangers.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{DOMAIN, Domain, WEB, arguments, is_in};
use crate::dns::signed::{Origin, SignedZone, Validator};
use crate::dns::{Rdata, Record, ZoneFile};
use crate::https::Opening;
use crate::https::nginx::PolicyHost;
use crate::postfix_mx::{MxHost, PostfixMx, PostfixMxOptions};

/// The real servers of a domain; they stop when dropped. They need root.
#[derive(Debug)]
pub struct RealServers {
    /// Unbound, with the server of the zones behind it.
    pub dns: Validator,
    /// nginx.
    pub web: PolicyHost,
    /// Postfix.
    pub mx: PostfixMx,
    ca_file: PathBuf,
    _folder: TempDir,
}

impl Domain {
    /// Starts real servers, with all that was changed of records, certificates and the policy; the
    /// exchangers listen at all addresses that the records give them. What only embedded servers can
    /// be made to do stops the test.
    #[must_use]
    pub fn start_real(self, origin: Origin) -> RealServers {
        self.start_real_signed(origin, SignedZone::new)
    }

    /// The same with the zone of the domain signed in another way, as `|zone|
    /// SignedZone::new(zone).forged(..)`.
    #[must_use]
    pub fn start_real_signed(
        self,
        origin: Origin,
        sign: impl FnOnce(&ZoneFile) -> SignedZone,
    ) -> RealServers {
        let is_plain = self.web_answer.is_none()
            && self.web_opening == Opening::Tls
            && self.away.is_zero()
            && self.hosts.iter().all(super::Host::is_plain)
            && !self.names.is_changed();
        assert!(is_plain, "real servers cannot be made to do that");
        let of = |host: &super::Host| MxHost {
            name: host.options.host_name.clone(),
            addresses: addresses_of(&self.records, &host.options.host_name),
            leaf: host.options.leaf.clone(),
        };
        let hosts = self.hosts.iter().map(of).collect();
        let mx = PostfixMx::start(&PostfixMxOptions { hosts, ..Default::default() });
        let mut records = self.records;
        records.extend(self.hosts.iter().flat_map(|host| host.tlsa_records(mx.hosts_port())));
        let zone = |name: &str| {
            let own: Vec<_> = records.iter().filter(|record| is_in(record, name)).cloned().collect();
            ZoneFile::of(name, &own)
        };
        let (own, others) = (zone(DOMAIN), ["mailer.test", "reports.test"].map(zone));
        let dns = if self.is_signed {
            Validator::start_with(origin, &[sign(&own)], &others)
        } else {
            Validator::start_with(origin, &[], &[&[own], &others[..]].concat())
        };
        let web = PolicyHost::start(&self.web_leaf, &self.policy, &[WEB]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca_file = self.authority.write_ca(folder.path());
        RealServers { dns, web, mx, ca_file, _folder: folder }
    }
}

fn addresses_of(records: &[Record], name: &str) -> Vec<IpAddr> {
    let own = records.iter().filter(|record| record.name.as_deref() == Some(name));
    let address = |record: &Record| match record.data {
        Rdata::A(address) => Some(address.into()),
        Rdata::Aaaa(address) => Some(address.into()),
        _ => None,
    };
    own.filter_map(address).collect()
}

impl RealServers {
    /// Where the resolver listens.
    #[must_use]
    pub fn resolver(&self) -> SocketAddr {
        self.dns.addr()
    }

    /// PEM file with the root that signs all certificates that are good.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// What a check of this domain has to be told, as [`super::Servers::arguments`].
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        arguments(self.resolver(), self.mx.hosts_port(), self.web.port(), &self.ca_file)
    }
}
