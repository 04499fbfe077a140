//! A real Postfix as mail exchanger of `lab.test`, with one listener for each policy. No SASL:
//! whoever comes is a stranger (127.0.0.1 and ::1).
//!
//! It takes mail for `probe` and `postmaster`; the mailboxes `soft` and `hard` are full.
//! Whatever it takes it throws away.
//!
//! Observed with Postfix 3.7: an error slows the answers after its own, so with a soft limit of ten
//! the eleventh refusal is the first that takes a second; the 421 at the hard limit follows the
//! last refusal by another second, without waiting for a command.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certs::{Authority, Leaf, LeafOptions};
use crate::postfix::{HELPERS, basic_parameters, hosts, lines, spawn, write_files, write_queue};
use crate::postgrey::Postgrey;
use crate::process::{Daemon, free_port, program, require_root, shared_folder};

/// How long Postfix may take to deliver and to write its log.
const PATIENCE: Duration = Duration::from_secs(10);

/// The policies of one Postfix, each on its own port of 127.0.0.1 (and ::1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// As Postfix comes: no relaying; after ten errors each answer takes a second, after twenty
    /// the session ends.
    Stock,
    /// Relays for every client of loopback.
    OpenRelay,
    /// Behind postscreen, which sends the first line of a greeting and waits for a second.
    Postscreen,
    /// The fourth connection of a client within a minute is refused.
    RateLimited,
    /// [`Policy::Stock`] with less patience: slow after three errors, 421 after five.
    ShortTempered,
    /// Errors cost nothing.
    Unlimited,
    /// Three recipients for each message.
    FewRecipients,
    /// Does not know the users of `lab.test`: relays to the primary host, takes everybody.
    Backup,
    /// Wants STARTTLS first.
    Encrypted,
    /// [`Policy::Stock`] that asks postgrey; only with [`PostfixMxOptions::postgrey`].
    Greylisting,
}

impl Policy {
    const ALWAYS: [Self; 9] = [
        Self::Stock,
        Self::OpenRelay,
        Self::Postscreen,
        Self::RateLimited,
        Self::ShortTempered,
        Self::Unlimited,
        Self::FewRecipients,
        Self::Backup,
        Self::Encrypted,
    ];

    /// Service of `master.cf` behind its address.
    fn service(self, postgrey: Option<&Postgrey>) -> String {
        let overrides = match self {
            Self::Stock => "",
            // No map of those who passed: they would not be made to wait again.
            Self::Postscreen => {
                return "1 postscreen -o postscreen_greet_wait=1s -o postscreen_cache_map=".into();
            }
            Self::OpenRelay => " -o mynetworks=127.0.0.0/8,[::1]/128",
            Self::RateLimited => " -o smtpd_client_connection_rate_limit=3",
            Self::ShortTempered => " -o smtpd_soft_error_limit=3 -o smtpd_hard_error_limit=5",
            Self::Unlimited => {
                " -o smtpd_soft_error_limit=1000000 -o smtpd_hard_error_limit=1000000 -o smtpd_error_sleep_time=0"
            }
            Self::FewRecipients => " -o smtpd_recipient_limit=3",
            Self::Backup => {
                " -o mydestination= -o relay_domains=lab.test -o rewrite_service_name=rewrite-backup"
            }
            Self::Encrypted => " -o smtpd_tls_security_level=encrypt",
            Self::Greylisting => {
                let address = postgrey.expect("only with postgrey").addr();
                return format!(
                    "- smtpd -o {{ smtpd_recipient_restrictions = check_policy_service inet:{address} }}"
                );
            }
        };
        format!("- smtpd{overrides}")
    }
}

/// One of several mail exchangers, as [`Policy::Stock`], with a name, addresses and a certificate of its
/// own.
#[derive(Clone, Debug)]
pub struct MxHost {
    /// What it calls itself.
    pub name: String,
    /// Where it listens: addresses of loopback that no other host has.
    pub addresses: Vec<IpAddr>,
    /// Its certificate with chain and key; `None`: STARTTLS is not offered.
    pub leaf: Option<Leaf>,
}

impl MxHost {
    fn listen(&self, port: u16) -> impl Iterator<Item = (&Self, SocketAddr)> {
        self.addresses.iter().map(move |address| (self, SocketAddr::new(*address, port)))
    }

    /// Service of `master.cf` behind an address. Its files are already in the folder.
    fn service(&self, base: &Path) -> String {
        let files = base.join(&self.name).display().to_string();
        let tls = match self.leaf {
            Some(_) => format!("-o smtpd_tls_chain_files={files}.key,{files}.pem"),
            None => "-o smtpd_tls_security_level=none".to_owned(),
        };
        format!("- smtpd -o myhostname={} {tls}", self.name)
    }
}

/// Wishes for a [`PostfixMx`].
#[derive(Clone, Debug, Default)]
pub struct PostfixMxOptions {
    /// Starts postgrey (a third of a second) for [`Policy::Greylisting`]: the time after which it
    /// takes a second attempt, in whole seconds.
    pub postgrey: Option<Duration>,
    /// Further hosts, all on one port of their own ([`PostfixMx::hosts_port`]).
    pub hosts: Vec<MxHost>,
    /// Further lines of `main.cf`, by parameter; they replace the lab's own.
    pub main_cf: BTreeMap<String, String>,
}

/// A running Postfix; stops when dropped.
#[derive(Debug)]
pub struct PostfixMx {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    postgrey: Option<Postgrey>,
    folder: TempDir,
    ports: BTreeMap<Policy, u16>,
    hosts_port: u16,
    authority: Authority,
    ca_file: PathBuf,
}

impl PostfixMx {
    /// Starts Postfix, and postgrey if wished, and waits until the ports answer.
    #[must_use]
    pub fn start(options: &PostfixMxOptions) -> Self {
        require_root("Postfix");
        // Named by its package before anything is written.
        let _ = program("postconf", "postfix");
        let folder = shared_folder();
        let base = folder.path();
        let authority = Authority::new("Lab Root CA");
        let ca_file = authority.write_ca(base);
        let _ = authority.leaf(&LeafOptions::default()).write(base, "mail");
        let postgrey = options.postgrey.map(Postgrey::start);
        let greylisting = postgrey.as_ref().map(|_| Policy::Greylisting);
        let policies = Policy::ALWAYS.into_iter().chain(greylisting);
        let ports: BTreeMap<_, _> = policies.map(|policy| (policy, free_port())).collect();
        let hosts_port = free_port();
        for host in &options.hosts {
            let _ = host.leaf.as_ref().map(|leaf| leaf.write(base, &host.name));
        }
        write_queue(base);
        let mut parameters = basic_parameters(base);
        parameters.extend(own_parameters(base));
        parameters.extend(options.main_cf.clone());
        let mut services = master_cf(&ports, postgrey.as_ref());
        for (host, address) in options.hosts.iter().flat_map(|host| host.listen(hosts_port)) {
            let _ = writeln!(services, "{address} inet n - n - {}", host.service(base));
        }
        write_files(base, &lines(&parameters), &services);
        let mut daemon = spawn(base, ports.values());
        for (_, address) in options.hosts.iter().flat_map(|host| host.listen(hosts_port)) {
            daemon.wait_port(address);
        }
        Self { daemon, postgrey, folder, ports, hosts_port, authority, ca_file }
    }

    /// Port of a policy.
    #[must_use]
    pub fn port(&self, policy: Policy) -> u16 {
        *self.ports.get(&policy).unwrap_or_else(|| panic!("{policy:?} was not wished for"))
    }

    /// IPv4 address of a policy.
    #[must_use]
    pub fn addr(&self, policy: Policy) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(policy)).into()
    }

    /// IPv6 address of a policy; answers when [`crate::process::has_ipv6`].
    #[must_use]
    pub fn addr_v6(&self, policy: Policy) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port(policy)).into()
    }

    /// Port of all [`PostfixMxOptions::hosts`].
    #[must_use]
    pub fn hosts_port(&self) -> u16 {
        self.hosts_port
    }

    /// PEM file with the root that signed the certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The root itself.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The temporary folder: `conf`, `queue`, `log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Freezes all of Postfix: connections are accepted by the kernel and never greeted.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// Lets a frozen Postfix go on.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Messages taken so far, by a log that is complete: it waits until each of them is delivered,
    /// and until what was said of them is written.
    #[must_use]
    pub fn messages(&self) -> usize {
        let queue = self.dir().join("queue");
        // A message lies here before it is answered for, and is logged before it goes.
        self.wait_until("delivery", || ["incoming", "active"].iter().all(|name| is_empty(&queue.join(name))));
        // All of Postfix tells this socket what it has to log, so this comes behind everything.
        let mark = format!("lab: up to here {}", self.log().matches("lab: up to here").count());
        let socket = UnixDatagram::unbound().expect("Linux has them");
        socket.send_to(mark.as_bytes(), queue.join("public/postlog")).expect("Postfix runs");
        self.wait_until("the log", || self.log().contains(&mark));
        self.log().matches("(queue active)").count()
    }

    fn wait_until(&self, what: &str, ready: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !ready() {
            assert!(Instant::now() < until, "Postfix: {what} takes too long:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The logs so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text() + &self.postgrey.as_ref().map(Postgrey::log).unwrap_or_default()
    }

    /// Stops Postfix before its handle goes, e.g. to see a closed port.
    pub fn stop(&mut self) {
        self.daemon.stop_within(Duration::from_secs(2));
    }
}

/// Whether there is no file below a folder.
fn is_empty(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).all(|path| path.is_dir() && is_empty(&path))
}

fn own_parameters(base: &Path) -> BTreeMap<String, String> {
    let files = base.join("mail").display().to_string();
    let users = ["probe", "postmaster", "soft", "hard"].map(|user| format!("{{{user}=x}}")).join(" ");
    let quota = "{soft@lab.test = 452 4.2.2 Mailbox is full} {hard@lab.test = 552 5.2.2 Mailbox is full}";
    [
        ("local_recipient_maps", format!("inline:{{ {users} }}")),
        ("smtpd_tls_chain_files", format!("{files}.key,{files}.pem")),
        ("smtpd_tls_security_level", "may".to_owned()),
        ("smtpd_recipient_restrictions", format!("check_recipient_access inline:{{ {quota} }}")),
        ("relay_transport", "discard:".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn master_cf(ports: &BTreeMap<Policy, u16>, postgrey: Option<&Postgrey>) -> String {
    let mut services = String::new();
    for (policy, port) in ports {
        let service = policy.service(postgrey);
        for host in hosts() {
            let _ = writeln!(services, "{host}:{port} inet n - n - {service}");
        }
    }
    // To which postscreen hands clients that have waited.
    services.push_str("smtpd pass - - n - - smtpd\n");
    // Tells the class of a domain; the stock one knows only what main.cf says.
    services.push_str(
        "rewrite-backup unix - - n - - trivial-rewrite -o mydestination= -o relay_domains=lab.test\n",
    );
    services.push_str(HELPERS);
    services
}
