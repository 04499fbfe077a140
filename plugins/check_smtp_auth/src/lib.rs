//! Logs in to an SMTP submission service (RFC 6409, RFC 4954) the way a mail client does,
//! and judges every step on the way: name, connection, banner, TLS, certificate,
//! mechanisms, login.
//!
//! Nothing secret is sent to a peer whose certificate does not verify, and nothing at all
//! that could send mail.

mod judge;
mod mechanism;
mod options;
mod probe;
mod seen;
mod service;
mod session;

use std::path::PathBuf;

use clap::Parser;
use clap::builder::ArgPredicate;
use common::cli::{
    CertificateArgs, CredentialArgs, RunArgs, TargetArgs, TemporaryArgs, TimeThresholdArgs, TlsArgs, TlsMode,
    UsageError,
};
use common::net::smtp::Hello;
use common::net::{Deadline, ProbeError, SecretBytes, read_first_line, read_secret_file};
use common::plugin::{CERT_DAYS, Plugin, Run, finding_of, judge_certificate};
use common::proto::sasl::Mechanism;
use common::report::{Condition, Metric, Report, State, Thresholds};

use options::{ExpectArgs, TransportArgs};

pub use mechanism::MechanismChoice;
pub use seen::Seen;

/// Logs in to an SMTP submission service and says whether it really works
#[derive(Parser, Debug)]
#[command(name = "check_smtp_auth", version)]
// With a unix socket the host is only the name in the certificate.
#[command(mut_arg("hostname", |host| host
    .required(false)
    .required_unless_present("socket")
    .default_value_if("socket", ArgPredicate::IsPresent, "localhost")))]
pub struct CheckSmtpAuth {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    login: CredentialArgs,
    /// File with a bearer token in its first line, for OAUTHBEARER and XOAUTH2
    #[arg(long, value_name = "FILE", help_heading = "Login")]
    token_file: Option<PathBuf>,
    /// SASL mechanism: auto (the strongest offered), SCRAM-SHA-256-PLUS, SCRAM-SHA-256,
    /// SCRAM-SHA-1-PLUS, SCRAM-SHA-1, OAUTHBEARER, XOAUTH2, PLAIN, LOGIN, CRAM-MD5, DIGEST-MD5,
    /// EXTERNAL
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = "Login")]
    mech: MechanismChoice,
    /// Identity to act as, if not the user's own (PLAIN, SCRAM, DIGEST-MD5, EXTERNAL)
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    authzid: Option<String>,
    /// Send the password or token even when the connection is not encrypted
    #[arg(long, help_heading = "Login")]
    allow_plaintext: bool,
    /// When TLS begins; auto: implicit on port 465, else STARTTLS
    #[arg(long, value_name = "MODE", value_enum, default_value_t, help_heading = "TLS")]
    tls: TlsMode,
    #[command(flatten)]
    tls_options: TlsArgs,
    #[command(flatten, next_help_heading = "TLS")]
    certificate: CertificateArgs,
    #[command(flatten)]
    transport: TransportArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    thresholds: TimeThresholdArgs,
    #[command(flatten)]
    temporary: TemporaryArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// Submission (RFC 6409) and submission over implicit TLS (RFC 8314).
const PORT_STARTTLS: u16 = 587;
const PORT_IMPLICIT: u16 = 465;
/// LMTP (RFC 2033 leaves the port open; 24 is what servers and IANA's "any private mail
/// system" have settled on).
const PORT_LMTP: u16 = 24;

const TIME_DNS: Metric = Metric::seconds("time_dns", "name look-up");
const TIME_CONNECT: Metric = Metric::seconds("time_connect", "TCP connect");
const TIME_TLS: Metric = Metric::seconds("time_tls", "STARTTLS and handshake");
const TIME_BANNER: Metric = Metric::seconds("time_banner", "waiting for the server's greeting");
const TIME_EHLO: Metric = Metric::seconds("time_ehlo", "EHLO, both before and after TLS");
const TIME_AUTH: Metric = Metric::seconds("time_auth", "SASL exchange");
const MECHS: Metric = Metric::count("mechs", "mechanisms offered where the login happens");
const ADDRESSES: Metric = Metric::count("addresses", "addresses of the host, with --all-addresses");
const ADDRESSES_FAILED: Metric = Metric::count("addresses_failed", "those where the login failed");

impl Plugin for CheckSmtpAuth {
    const NAME: &'static str = "check_smtp_auth";
    const METRICS: &'static [Metric] = &[
        TIME_DNS,
        TIME_CONNECT,
        TIME_TLS,
        TIME_BANNER,
        TIME_EHLO,
        TIME_AUTH,
        CERT_DAYS,
        MECHS,
        ADDRESSES,
        ADDRESSES_FAILED,
    ];
    const CONDITIONS: &'static [(Condition, State)] = &[(Condition::Credential, State::Critical)];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "the login was accepted (235) and the certificate is good"),
        (State::Warning, "the certificate ends soon, a firewall masks the banner, only AUTH= is offered, -w"),
        (
            State::Critical,
            "credentials rejected, no or broken TLS, bad certificate, plaintext injected after STARTTLS",
        ),
        (
            State::Critical,
            "AUTH or the mechanism not offered, refused or broken; any temporary refusal (--temporary-state)",
        ),
        (
            State::Critical,
            "refused, reset, no banner, not SMTP, protocol violation; timeout (--timeout-state); -c",
        ),
        (State::Unknown, "wrong options, secret file unreadable or too open, name does not resolve"),
        (State::Unknown, "no encryption and nothing but PLAIN or LOGIN without --allow-plaintext"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        (
            "check_smtp_auth -H mail.example.org -u probe@example.org --password-file /etc/vedette/probe.pw",
            "Log in by STARTTLS on port 587",
        ),
        (
            "check_smtp_auth -H mail.example.org --tls implicit -u probe --password-env PROBE_PW -w 2 -c 5",
            "The same on port 465, with limits on the time",
        ),
        (
            "check_smtp_auth -H 192.0.2.25 --sni mail.lan --ca-file /etc/ssl/lan-ca.pem -u probe --password-file F",
            "A server behind an address, with a CA of your own",
        ),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        match &self.transport.socket {
            Some(path) => path.display().to_string(),
            None => self.target.shown(self.port()),
        }
    }

    fn time_thresholds(&self) -> Thresholds {
        self.thresholds.thresholds()
    }

    fn temporary_state(&self) -> Option<State> {
        self.temporary.temporary_state
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.check_login()?;
        self.certificate.check()?;
        self.tls_options.options()?;
        if self.authzid.as_deref().is_some_and(common::cli::unspeakable) {
            return Err(UsageError::new("--authzid", "contains a line break or NUL"));
        }
        self.expect.check(self.tls_mode() == TlsMode::Starttls)?;
        self.transport.smtp.check(self.target.family())?;
        self.check_mechanism()
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        if let Some(error) = &seen.unresolved {
            report.add(finding_of(error, &run.states));
        }
        service::record_times(self, seen, &mut report);
        if self.encrypts() {
            judge_certificate(&mut report, service::weakest_tls(seen), &self.certificate, run);
        }
        service::record_counts(self, seen, &mut report);
        judge::judge_sessions(self, &seen.sessions, run, &mut report);
        if let Some(session) = &seen.reject {
            judge::judge_reject(self.expect.rejected_user(self.user()), session, &mut report);
        }
        if let Some(injection) = &seen.injection {
            service::judge_injection(injection, &mut report);
        }
        for session in &seen.sessions {
            service::judge_service(self, session, &mut report);
            service::describe(session, &mut report);
        }
        report
    }
}

impl CheckSmtpAuth {
    /// The TLS mode after `auto` is settled.
    fn tls_mode(&self) -> TlsMode {
        match (self.tls, self.target.port) {
            (TlsMode::Auto, Some(PORT_IMPLICIT)) => TlsMode::Implicit,
            (TlsMode::Auto, _) => TlsMode::Starttls,
            (given, _) => given,
        }
    }

    fn check_mechanism(&self) -> Result<(), UsageError> {
        let MechanismChoice::Only(mechanism) = self.mech else { return Ok(()) };
        if self.authzid.is_some() && !mechanism.takes_authzid() {
            return Err(UsageError::new("--authzid", format!("{mechanism} cannot act as somebody else")));
        }
        if mechanism.shows_secret() && !self.encrypts() && !self.allow_plaintext {
            let cause = format!("{mechanism} without TLS sends the {} in the clear", mechanism.secret_name());
            return Err(
                UsageError::new("--mech", cause).with_hint("--allow-plaintext, if that is what you want")
            );
        }
        Ok(())
    }

    fn encrypts(&self) -> bool {
        self.tls_mode() != TlsMode::None
    }

    fn port(&self) -> u16 {
        let default = match self.tls {
            _ if self.transport.lmtp => PORT_LMTP,
            TlsMode::Implicit => PORT_IMPLICIT,
            _ => PORT_STARTTLS,
        };
        self.target.port.unwrap_or(default)
    }

    /// How the client introduces itself: RFC 5321, RFC 2033.
    const fn hello(&self) -> Hello {
        if self.transport.lmtp { Hello::Lhlo } else { Hello::Ehlo }
    }

    /// Whether a name has to be looked up.
    fn looks_up(&self) -> bool {
        self.transport.socket.is_none() && self.target.hostname.address().is_none()
    }

    /// A login needs a user and what its mechanism proves it with.
    fn check_login(&self) -> Result<(), UsageError> {
        let only =
            |accepts: fn(Mechanism) -> bool| matches!(self.mech, MechanismChoice::Only(one) if accepts(one));
        if only(|mechanism| mechanism == Mechanism::External) {
            return match &self.tls_options.cert_file {
                Some(_) => Ok(()),
                None => Err(UsageError::new("--cert-file", "required by --mech EXTERNAL, with --key-file")),
            };
        }
        self.login.check_user()?;
        if only(Mechanism::takes_token) && self.token_file.is_none() {
            return Err(UsageError::new("--token-file", "required by the mechanism"));
        }
        if only(Mechanism::takes_password) || self.token_file.is_none() {
            self.login.check_password()?;
        }
        Ok(())
    }

    /// The password; empty when none was given.
    fn password(&self) -> Result<SecretBytes, ProbeError> {
        if self.login.password.given() { self.login.password.read() } else { Ok(SecretBytes::default()) }
    }

    /// The bearer token; empty when none was given.
    fn token(&self) -> Result<SecretBytes, ProbeError> {
        match &self.token_file {
            Some(path) => read_first_line(&read_secret_file(path)?, &path.display().to_string()),
            None => Ok(SecretBytes::default()),
        }
    }

    fn user(&self) -> &str {
        self.login.user.as_deref().unwrap_or_default()
    }
}
