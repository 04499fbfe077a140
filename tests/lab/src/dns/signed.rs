//! Zones signed with DNSSEC (RFC 4034), by BIND's own tools and with keys made at run time, and a
//! real resolver that validates them, because it trusts these keys and no others.
//!
//! ```no_run
//! use lab::dns::client::ask_validated;
//! use lab::dns::signed::{SignedZone, Validator};
//! use lab::dns::{RecordType, ZoneFile};
//!
//! let secure = SignedZone::new(&ZoneFile::new("secure.test", "@ MX 10 mx\nmx A 127.0.0.31"));
//! let broken = SignedZone::new(&ZoneFile::new("broken.test", "@ MX 10 mx")).forged("broken.test", "MX");
//! let resolver = Validator::start(&[secure, broken], &[ZoneFile::new("plain.test", "@ MX 10 mx")]);
//! assert!(ask_validated(resolver.addr(), "secure.test", RecordType::Mx).unwrap().flags.authentic_data);
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::named::{Named, NamedOptions};
use super::nsd::Nsd;
use super::server::NameServer;
use super::unbound::{Unbound, UnboundOptions};
use super::zone_file::ZoneFile;
use crate::process::program;

/// Signatures that ended years ago.
pub const EXPIRED: [&str; 4] = ["-s", "20200101000000", "-e", "20200201000000"];

/// Names that do not exist are denied by their hashes (RFC 5155).
pub const NSEC3: [&str; 2] = ["-3", "-"];

/// A zone with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedZone {
    file: ZoneFile,
    anchor: String,
}

impl SignedZone {
    /// Signs a zone with one new key (ECDSA P-256), for thirty days from an hour ago.
    #[must_use]
    pub fn new(zone: &ZoneFile) -> Self {
        Self::with(zone, &[])
    }

    /// The same with further arguments of dnssec-signzone, as [`EXPIRED`] or [`NSEC3`].
    #[must_use]
    pub fn with(zone: &ZoneFile, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        fs::write(path.join("zone"), &zone.text).expect("the lab's folder is writable");
        run(path, "dnssec-keygen", &["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", &zone.name]);
        let fixed = ["-q", "-S", "-z", "-P", "-O", "full", "-o", &zone.name, "-f", "signed"];
        run(path, "dnssec-signzone", &[&fixed[..], arguments, &["zone"]].concat());
        let read = |name: &str| fs::read_to_string(path.join(name)).expect("dnssec-signzone wrote it");
        let anchor = read(&format!("dsset-{}.", zone.name)).lines().next().map(one_line).unwrap_or_default();
        Self { file: ZoneFile { name: zone.name.clone(), text: read("signed") }, anchor }
    }

    /// The same with a wrong signature over the records of this type (`MX`) at a name.
    #[must_use]
    pub fn forged(mut self, owner: &str, record_type: &str) -> Self {
        let signature = ["IN".to_owned(), "RRSIG".to_owned(), record_type.to_owned()];
        let owner = format!("{owner}.");
        let is_meant = |line: &str| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            words.first() == Some(&owner.as_str()) && words.get(2..5).is_some_and(|part| part == signature)
        };
        let (mut lines, mut forged) = (Vec::new(), 0);
        for line in self.file.text.lines() {
            if is_meant(line) {
                lines.push(other_ending(line));
                forged += 1;
            } else {
                lines.push(line.to_owned());
            }
        }
        assert_eq!(forged, 1, "{owner} has no {record_type}");
        self.file.text = lines.join("\n") + "\n";
        self
    }

    /// The key of this zone, and the text of the other: one that was signed by somebody else.
    #[must_use]
    pub fn serving(mut self, other: &Self) -> Self {
        self.file = other.file.clone();
        self
    }

    /// The zone as a server takes it.
    #[must_use]
    pub fn file(&self) -> &ZoneFile {
        &self.file
    }

    /// DS record of its key, which a resolver can be told to trust.
    #[must_use]
    pub fn anchor(&self) -> &str {
        &self.anchor
    }
}

/// Who serves the zones behind a [`Validator`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// NSD.
    #[default]
    Nsd,
    /// BIND.
    Named,
}

/// A real Unbound that validates, with a real server of the zones behind it; stops when dropped.
#[derive(Debug)]
pub struct Validator {
    resolver: Unbound,
    origin: Box<dyn NameServer + Send + Sync>,
}

impl Validator {
    /// A resolver of these zones and of the empty ones above them (`test`), which are not signed.
    #[must_use]
    pub fn start(signed: &[SignedZone], unsigned: &[ZoneFile]) -> Self {
        Self::start_with(Origin::default(), signed, unsigned)
    }

    /// The same with a choice of the server behind it.
    #[must_use]
    pub fn start_with(origin: Origin, signed: &[SignedZone], unsigned: &[ZoneFile]) -> Self {
        Self::start_on(UnboundOptions::default(), origin, signed, unsigned)
    }

    /// The same with further wishes for the resolver, as where it listens.
    #[must_use]
    pub fn start_on(
        wishes: UnboundOptions,
        origin: Origin,
        signed: &[SignedZone],
        unsigned: &[ZoneFile],
    ) -> Self {
        let given: Vec<&ZoneFile> = signed.iter().map(SignedZone::file).chain(unsigned).collect();
        let names: BTreeSet<&str> = given.iter().map(|zone| zone.name.as_str()).collect();
        let above: BTreeSet<&str> = names.iter().filter_map(|name| name.rsplit('.').next()).collect();
        let above = above.difference(&names).map(|name| ZoneFile::new(name, ""));
        let zones: Vec<ZoneFile> = given.into_iter().cloned().chain(above).collect();
        let origin: Box<dyn NameServer + Send + Sync> = match origin {
            Origin::Nsd => Box::new(Nsd::start(&zones)),
            Origin::Named => Box::new(Named::start(
                &zones.iter().fold(NamedOptions::default(), |options, zone| options.primary(zone.clone())),
            )),
        };
        let address = origin.addr();
        let mut options = wishes.server_line("  module-config: \"validator iterator\"");
        for zone in &zones {
            options = options.stub(&zone.name, address);
        }
        for zone in signed {
            options = options.server_line(&format!("  trust-anchor: \"{}\"", zone.anchor));
        }
        Self { resolver: Unbound::start(&options), origin }
    }

    /// The resolver.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.resolver.addr()
    }

    /// The server of the zones.
    #[must_use]
    pub fn origin(&self) -> SocketAddr {
        self.origin.addr()
    }

    /// The resolver itself, to freeze it.
    #[must_use]
    pub fn resolver(&self) -> &Unbound {
        &self.resolver
    }
}

fn run(folder: &Path, tool: &str, arguments: &[&str]) {
    // bind9-utils comes with it.
    let mut command = Command::new(program(tool, "bind9"));
    let output = command.current_dir(folder).args(arguments).output().expect("the tool can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn one_line(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The end of a signature changed. Of 64 bytes the last one makes two letters and two signs of
/// padding, and the second letter has bits that do not count.
fn other_ending(line: &str) -> String {
    let at = line.len() - 4;
    let other = if line[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &line[..at], &line[at + 1..])
}
