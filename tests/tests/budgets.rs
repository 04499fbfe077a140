//! What a plugin may cost. Gates on counts that repeat (instructions by callgrind, system
//! calls by strace, bytes), on the binaries as shipped; times are compared by
//! `tests/bench/run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::path::Path;
use std::time::Duration;

use lab::certs::{Authority, LeafOptions};
use lab::cost::Candidate;
use lab::dns::{Names, Responder};
use lab::exchanger::{Exchanger, ExchangerOptions};
use lab::policy::{DOMAIN, Domain, SELECTORS, Servers};
use lab::smtpd::{BeforeTls, Submission, SubmissionOptions};
use lab::tls::{self, Service};
use tests::budget::{at_most, is_small, starts};
use tests::package::shipped;
use tests::{lists, rcpt, rdns};

struct Login {
    server: Submission,
    password_file: String,
}

impl Login {
    fn new() -> Self {
        let options = SubmissionOptions { before_tls: BeforeTls::Accept, ..SubmissionOptions::default() };
        let server = Submission::start(options);
        let path = server.dir().join("probe.pw");
        std::fs::write(&path, "secret\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self { server, password_file: path.to_string_lossy().into_owned() }
    }

    fn candidate(&self, more: &[&str]) -> Candidate {
        let port = self.server.port().to_string();
        let fixed = ["-H", "127.0.0.1", "-p", &port, "-u", "probe", "--password-file", &self.password_file];
        let candidate = Candidate::new(shipped("check_smtp_auth"), fixed.iter().chain(more));
        assert_eq!(candidate.run().code, Some(0), "the login works");
        candidate
    }

    fn plain(&self) -> Candidate {
        self.candidate(&["--tls", "none", "--allow-plaintext", "--mech", "login"])
    }

    fn starttls(&self) -> Candidate {
        self.candidate(&["--ca-file", &self.server.ca_file().to_string_lossy()])
    }
}

#[test]
fn smtp_auth_start_instructions() {
    starts("check_smtp_auth");
}

#[test]
fn smtp_auth_size() {
    is_small("check_smtp_auth", 2_600_000);
}

#[test]
fn smtp_auth_login_instructions() {
    let login = Login::new();
    at_most("plain login", login.plain().instructions(), 1_100_000);
    at_most("STARTTLS login with --ca-file", login.starttls().instructions(), 4_000_000);
}

#[test]
fn smtp_auth_system_calls() {
    let login = Login::new();
    let plain = login.plain();
    // How its threads meet on a busy machine makes 15 calls more or less.
    let least = (0..5).map(|_| plain.system_calls()).min().unwrap();
    at_most("plain login", least, 120);
}

#[test]
fn smtp_auth_peak_memory() {
    let login = Login::new();
    at_most("plain login, KiB", login.plain().peak_rss_kib(), 5 * 1024);
    at_most("STARTTLS login, KiB", login.starttls().peak_rss_kib(), 8 * 1024);
}

fn relay_check(server: &Exchanger, more: &[&str]) -> Candidate {
    let port = server.port().to_string();
    let fixed = ["-H", "127.0.0.1", "-p", &port, "--local-rcpt", "probe@lab.test"];
    let candidate = Candidate::new(shipped("check_smtp_relay"), fixed.iter().chain(more));
    assert_eq!(candidate.run().code, Some(0), "the server is closed");
    candidate
}

#[test]
fn smtp_relay_costs() {
    starts("check_smtp_relay");
    is_small("check_smtp_relay", 2_400_000);
    let server = Exchanger::start(ExchangerOptions { error_limits: None, ..ExchangerOptions::default() });
    let plain = relay_check(&server, &["--tls", "none"]);
    at_most("six probes in the clear", plain.instructions(), 1_200_000);
    at_most("six probes in the clear, KiB", plain.peak_rss_kib(), 5 * 1024);
    let encrypted = relay_check(&server, &[]);
    at_most("six probes by STARTTLS", encrypted.instructions(), 4_000_000);
    at_most("six probes by STARTTLS, KiB", encrypted.peak_rss_kib(), 6 * 1024);
}

/// One host that DNS names: three questions in two rounds, and a conversation.
fn rcpt_check(domain: &rcpt::Domain, more: &[&str]) -> Candidate {
    let (resolver, port) = (domain.dns.addr().to_string(), domain.port().to_string());
    let fixed = ["--allow-private", "--resolver", &resolver, "-p", &port, rcpt::RECIPIENT];
    let candidate = Candidate::new(shipped("check_smtp_rcpt"), fixed.iter().chain(more));
    assert_eq!(candidate.run().code, Some(0), "the host takes it");
    candidate
}

#[test]
fn smtp_rcpt_costs() {
    starts("check_smtp_rcpt");
    is_small("check_smtp_rcpt", 2_700_000);
    let domain = rcpt::Domain::start(&[(10, &rcpt::good)]);
    let plain = rcpt_check(&domain, &["--tls", "none"]);
    at_most("one host in the clear", plain.instructions(), 1_200_000);
    at_most("one host in the clear, KiB", plain.peak_rss_kib(), 5 * 1024);
    let encrypted = rcpt_check(&domain, &[]);
    at_most("one host by STARTTLS", encrypted.instructions(), 4_000_000);
    at_most("one host by STARTTLS, KiB", encrypted.peak_rss_kib(), 6 * 1024);
    let ten = rcpt::Domain::start(&[(10, &rcpt::good as _); 10]);
    at_most("ten hosts by STARTTLS, KiB", rcpt_check(&ten, &[]).peak_rss_kib(), 8 * 1024);
}

/// Lists that work, on a responder that answers at once.
struct Lists {
    dns: Responder,
    names: Vec<String>,
}

impl Lists {
    fn new() -> Self {
        let names = lists::names(60);
        Self { dns: Responder::start(lists::healthy(&names, Duration::ZERO)), names }
    }

    /// A check of these arguments through the first `count` lists, which sends so many
    /// queries.
    fn candidate(&self, count: usize, queries: usize, more: &[&str]) -> Candidate {
        let resolver = self.dns.addr().to_string();
        let lists = lists::arguments(self.names.get(..count).unwrap());
        let fixed = ["--resolver", &resolver].into_iter().chain(more.iter().copied());
        let candidate = Candidate::new(shipped("check_rbl"), fixed.map(str::to_owned).chain(lists));
        self.dns.clear();
        assert_eq!(candidate.run().code, Some(0), "nothing is listed");
        assert_eq!(self.dns.query_count(), queries);
        candidate
    }

    fn one(&self) -> Candidate {
        self.candidate(1, 1, &["-H", lists::ADDRESS, "--self-test", "off"])
    }

    /// With their test points, and the address of the host.
    fn sixty(&self) -> Candidate {
        self.candidate(60, 181, &["-H", lists::HOST, "-4"])
    }
}

#[test]
fn rbl_start_instructions() {
    starts("check_rbl");
}

#[test]
fn rbl_size() {
    is_small("check_rbl", 2_000_000);
}

#[test]
fn rbl_instructions() {
    let lists = Lists::new();
    at_most("one query", lists.one().instructions(), 900_000);
    at_most("60 lists and their test points", lists.sixty().instructions(), 8_000_000);
}

#[test]
fn rbl_peak_memory() {
    at_most("60 lists and their test points, KiB", Lists::new().sixty().peak_rss_kib(), 6 * 1024);
}

#[test]
fn mx_start_instructions() {
    starts("check_mx");
}

#[test]
fn mx_size() {
    is_small("check_mx", 1_600_000);
}

/// Five hosts by one resolver; then the same by three, and all name servers.
fn exchangers() -> [(tests::mx::Site, Candidate); 2] {
    let site = || tests::mx::Site::new(Duration::ZERO);
    let (one, all) = (site(), site());
    let resolver = one.resolver().to_string();
    let few = Candidate::new(shipped("check_mx"), ["-d", tests::mx::DOMAIN, "--resolver", &resolver]);
    let many = Candidate::new(shipped("check_mx"), all.arguments());
    let both = [(one, few, 11), (all, many, 64)];
    both.map(|(site, candidate, questions)| {
        assert_eq!(candidate.run().code, Some(0), "all is well");
        assert_eq!(site.questions(), questions);
        (site, candidate)
    })
}

#[test]
fn mx_instructions() {
    let [(_one, few), (_all, many)] = exchangers();
    at_most("five hosts by one resolver", few.instructions(), 1_100_000);
    at_most("the same by three, and the delegation", many.instructions(), 3_200_000);
}

#[test]
fn mx_peak_memory() {
    let [_, (_all, many)] = exchangers();
    at_most("five hosts, three resolvers, the delegation, KiB", many.peak_rss_kib(), 4 * 1024);
}

/// An address, its name and back: two questions that wait for each other.
fn confirmed() -> (Responder, Candidate) {
    let dns = Responder::start(Names::new(rdns::pair(rdns::ADDRESS, rdns::NAME)));
    let resolver = dns.addr().to_string();
    let candidate = Candidate::new(shipped("check_rdns"), ["--resolver", &resolver, "-H", rdns::ADDRESS]);
    assert_eq!(candidate.run().code, Some(0), "it leads back");
    assert_eq!(dns.query_count(), 2);
    (dns, candidate)
}

#[test]
fn rdns_start_instructions() {
    starts("check_rdns");
}

#[test]
fn rdns_size() {
    is_small("check_rdns", 2_000_000);
}

#[test]
fn rdns_instructions() {
    at_most("a name that leads back", confirmed().1.instructions(), 900_000);
}

#[test]
fn rdns_peak_memory() {
    at_most("a name that leads back, KiB", confirmed().1.peak_rss_kib(), 6 * 1024);
}

/// A domain in order, with all of its servers.
struct Policies(Servers);

impl Policies {
    fn new() -> Self {
        Self(Domain::healthy().start())
    }

    /// What name servers alone say.
    fn records(&self) -> Candidate {
        let resolver = self.0.resolver().to_string();
        policy_check(&["-d", DOMAIN, "--resolver", &resolver, "--spf", "--dmarc"].map(str::to_owned))
    }

    /// All records, the policy over HTTPS and the certificates of two hosts.
    fn all(&self) -> Candidate {
        let selectors = SELECTORS.map(|selector| format!("--dkim={selector}"));
        let records = ["--spf", "--dmarc", "--mta-sts", "--tlsrpt", "--dane", "--bimi"].map(str::to_owned);
        policy_check(&[&self.0.arguments(), &selectors[..], &records].concat())
    }

    /// The certificates of three servers by those of the system, a file with so many others.
    fn by_the_system(&self, file: &Path, roots: usize) -> Candidate {
        let roots = (0..roots).map(|number| Authority::new(&format!("Root {number}")).ca_pem().to_owned());
        let own = std::fs::read_to_string(self.0.ca_file()).unwrap();
        std::fs::write(file, roots.chain([own]).collect::<String>()).unwrap();
        let [resolver, port, https] =
            [self.0.resolver().to_string(), self.0.smtp_port().to_string(), self.0.https_port().to_string()];
        let fixed =
            ["-d", DOMAIN, "--resolver", &resolver, "--port", &port, "--https-port", &https, "--mta-sts"];
        in_order(Candidate::new(shipped("check_mail_policy"), fixed).env("SSL_CERT_FILE", file))
    }
}

fn policy_check(arguments: &[String]) -> Candidate {
    in_order(Candidate::new(shipped("check_mail_policy"), arguments))
}

fn in_order(candidate: Candidate) -> Candidate {
    assert_eq!(candidate.run().code, Some(0), "all is in order");
    candidate
}

#[test]
fn mail_policy_start_instructions() {
    starts("check_mail_policy");
}

#[test]
fn mail_policy_size() {
    // The 2.6 MB of the others with TLS, and the readers of seven kinds of records.
    is_small("check_mail_policy", 2_900_000);
}

#[test]
fn mail_policy_instructions() {
    let policies = Policies::new();
    at_most("SPF and DMARC", policies.records().instructions(), 1_440_000);
    at_most("all records, the policy, two hosts", policies.all().instructions(), 16_200_000);
}

/// Three servers are judged at the same time, and the system's certificates are read once.
#[test]
fn mail_policy_reads_the_systems_certificates_once() {
    let (policies, folder) = (Policies::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("roots.pem");
    let few = policies.by_the_system(&file, 0).instructions();
    let many = policies.by_the_system(&file, 150).instructions();
    at_most("150 certificates of the system", many - few, 4_800_000);
}

#[test]
fn mail_policy_peak_memory() {
    let policies = Policies::new();
    at_most("SPF and DMARC, KiB", policies.records().peak_rss_kib(), 4200);
    at_most("all records, the policy, two hosts, KiB", policies.all().peak_rss_kib(), 5 * 1024);
}

/// A verdict on a sound server, its certificate included.
struct Verdict {
    service: Service,
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Verdict {
    fn new() -> Self {
        let authority = Authority::new("Lab Root CA");
        let service = Service::start(tls::server(&authority.leaf(&LeafOptions::default())));
        Self { service, folder: tempfile::tempdir().expect("a temporary folder"), authority }
    }

    fn candidate(&self) -> Candidate {
        let port = self.service.port().to_string();
        let ca_file = self.authority.write_ca(self.folder.path());
        let arguments = ["-H", "127.0.0.1", "-p", &port, "--ca-file", &ca_file.to_string_lossy()];
        let candidate = Candidate::new(shipped("check_weak_ciphers"), arguments);
        assert_eq!(candidate.run().code, Some(0), "nothing weak is offered");
        candidate
    }
}

#[test]
fn weak_ciphers_start_instructions() {
    starts("check_weak_ciphers");
}

#[test]
fn weak_ciphers_size() {
    // Beyond the 2.6 MB of the others: the page of --html, the reader of JSON that --baseline needs, the policies with
    // their reader, the advice, and the handshake of --intrusive, with 60 to 130 kB each.
    is_small("check_weak_ciphers", 3_000_000);
}

#[test]
fn weak_ciphers_instructions() {
    at_most("verdict", Verdict::new().candidate().instructions(), 5_500_000);
}

#[test]
fn weak_ciphers_peak_memory() {
    at_most("verdict, KiB", Verdict::new().candidate().peak_rss_kib(), 6 * 1024);
}
