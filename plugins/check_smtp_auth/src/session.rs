//! The dialogue: all I/O of the check, no judgement.

use std::time::Duration;

use common::cli::TlsMode;
use common::net::SecretBytes;
use common::net::random::nonce;
use common::net::smtp::{Farewell, SmtpClient, StarttlsFailure};
use common::net::tls::Connector;
use common::net::{Deadline, Phase, ProbeError, connect, resolve};
use common::proto::sasl::{self, Credentials, Exchange, Mechanism, SaslError, Setup};
use common::proto::smtp::{Command, Ehlo, HeloName, Reply, ReplyLimits, domain_literal};

use crate::CheckSmtpAuth;
use crate::mechanism::{Means, Privacy, choose};
use crate::seen::{End, Said, Seen, Step, Times};

/// An initial response rides on the AUTH line only while the line is this short
/// (RFC 5321 section 4.5.3.1.4); some servers cut or refuse a longer one.
const SHORT_LINE: usize = 512;

/// Logs in and takes down what happens. An error means that nothing was sent.
pub(crate) fn probe_login(options: &CheckSmtpAuth, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let credentials = Credentials {
        user: options.user().to_owned(),
        authzid: options.authzid.clone().unwrap_or_default(),
        password: options.password()?,
        token: options.token()?,
    };
    let connector = if options.encrypts() {
        let tls = options.tls_options.options().map_err(|error| ProbeError::local(error.to_string()))?;
        Some(Connector::new(&tls, &options.target.hostname)?)
    } else {
        None
    };
    let mut session = Session { options, deadline, connector, credentials, seen: Seen::nothing() };
    session.run();
    Ok(session.seen)
}

struct Session<'a> {
    options: &'a CheckSmtpAuth,
    deadline: &'a Deadline,
    connector: Option<Connector>,
    credentials: Credentials,
    seen: Seen,
}

impl Session<'_> {
    fn run(&mut self) {
        let mut client = match self.connect() {
            Ok(client) => client,
            Err(error) => {
                self.seen.end = End::Failed(error);
                return;
            }
        };
        for secret in [&self.credentials.password, &self.credentials.token] {
            client.hide(secret);
            client.hide(&sasl::encode(secret));
        }
        self.seen.end = match self.converse(&mut client) {
            Ok(()) => End::Accepted,
            Err(end) => end,
        };
        if self.dialogue_is_intact() {
            let farewell = client.quit();
            self.seen.closed_early = self.seen.end == End::Accepted && farewell == Farewell::Closed;
        }
        self.seen.transcript = client.transcript().to_vec();
    }

    fn converse(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        let mode = self.options.tls_mode();
        if mode == TlsMode::Implicit {
            self.negotiate(client, false)?;
        }
        self.greet(client)?;
        let ehlo = self.ehlo(client)?;
        if mode == TlsMode::Starttls {
            self.seen.ehlo_before_tls = Some(ehlo);
            self.negotiate(client, true)?;
            // RFC 3207 section 4.2: what was said before TLS is void.
            let ehlo = self.ehlo(client)?;
            self.seen.ehlo = Some(ehlo);
        } else {
            self.seen.ehlo = Some(ehlo);
        }
        self.log_in(client)
    }

    fn connect(&mut self) -> Result<SmtpClient, ProbeError> {
        let target = &self.options.target;
        let (addresses, dns) =
            self.timed(|| resolve(&target.hostname, self.options.port(), target.family(), self.deadline));
        let addresses = addresses?;
        self.seen.times.dns = Some(dns);
        let (connected, time) = self.timed(|| connect(&addresses, self.deadline));
        let connected = connected?;
        self.seen.times.connect = Some(time);
        self.seen.address = Some(connected.address);
        self.seen.failed_addresses = connected.failed;
        let limits = ReplyLimits { reply: self.options.max_reply, ..ReplyLimits::default() };
        Ok(SmtpClient::new(connected.stream, limits))
    }

    fn greet(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        let (banner, time) = self.timed(|| client.greeting());
        let banner = banner?;
        self.seen.times.banner = Some(time);
        let said = Said::from(&banner);
        self.seen.banner = Some(said.clone());
        if banner.code == 220 { Ok(()) } else { Err(End::Refused(Step::Banner, said)) }
    }

    fn ehlo(&mut self, client: &mut SmtpClient) -> Result<Ehlo, End> {
        let command = plain(&format!("EHLO {}", self.helo_name(client)))?;
        let (reply, time) = self.timed(|| client.command(&command, Phase::Greeting));
        // Both together or not at all: half of it would look like a fast server.
        let before = self.seen.times.ehlo.take().unwrap_or_default();
        let reply = reply?;
        self.seen.times.ehlo = Some(before + time);
        if reply.code == 250 {
            Ok(Ehlo::parse(&reply))
        } else {
            Err(End::Refused(Step::Ehlo, Said::from(&reply)))
        }
    }

    fn helo_name(&self, client: &SmtpClient) -> HeloName {
        let unspecified = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let own = || domain_literal(client.local_address().map_or(unspecified, |address| address.ip()));
        self.options.helo.clone().unwrap_or_else(own)
    }

    /// TLS, by STARTTLS or at once; ends the session when the peer is not to be trusted.
    fn negotiate(&mut self, client: &mut SmtpClient, starttls: bool) -> Result<(), End> {
        let Some(connector) = &self.connector else { return Ok(()) };
        if starttls && !self.seen.ehlo_before_tls.as_ref().is_some_and(|ehlo| ehlo.has("STARTTLS")) {
            return Err(End::StarttlsNotOffered);
        }
        let (result, time) = self.timed(|| {
            if starttls {
                client.starttls(connector)
            } else {
                client.handshake(connector).map_err(StarttlsFailure::Handshake)
            }
        });
        match result {
            Ok(tls) => {
                self.seen.times.tls = Some(time);
                let trusted = tls.trusted() || self.options.tls_options.insecure;
                self.seen.tls = Some(tls);
                if trusted { Ok(()) } else { Err(End::Untrusted) }
            }
            Err(StarttlsFailure::Probe(error)) => Err(End::Failed(error)),
            Err(StarttlsFailure::Refused(reply)) => Err(End::Refused(Step::Starttls, Said::from(&reply))),
            Err(StarttlsFailure::Injected(bytes)) => {
                let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
                Err(End::Injected(common::proto::text::decode(first)))
            }
            Err(StarttlsFailure::Handshake(failure)) => {
                self.seen.tls = failure.seen;
                let greeted = failure.plaintext.is_some_and(|text| text.starts_with(b"220"));
                Err(End::Failed(if greeted && !starttls {
                    failure.error.with_hint("this port begins in plaintext: --tls starttls")
                } else {
                    failure.error
                }))
            }
        }
    }

    fn log_in(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        let privacy = match (self.options.encrypts(), self.options.allow_plaintext) {
            (true, _) => Privacy::Encrypted,
            (false, true) => Privacy::ClearAllowed,
            (false, false) => Privacy::Clear,
        };
        let offered = self.seen.ehlo.as_ref().map(|ehlo| ehlo.mechanisms.as_slice()).unwrap_or_default();
        let means = Means {
            privacy,
            password: !self.credentials.password.is_empty(),
            token: !self.credentials.token.is_empty(),
            authzid: !self.credentials.authzid.is_empty(),
            binding: client.channel_binding().is_some(),
        };
        let mechanism = choose(self.options.mech, offered, means)?;
        self.seen.mechanism = Some(mechanism);
        let setup = Setup {
            service: "smtp",
            host: self.options.target.hostname.to_string(),
            port: self.options.port(),
            binding: client.channel_binding().cloned(),
            nonce: nonce()?,
        };
        let mut exchange = Exchange::new(mechanism, self.credentials.clone(), setup);
        let before = self.deadline.elapsed();
        let reply = authenticate(client, mechanism, &mut exchange, &mut self.seen.token_status);
        self.seen.iterations = exchange.iterations();
        let reply = reply?;
        self.seen.times.auth = Some(self.deadline.elapsed().saturating_sub(before).as_secs_f64());
        if reply.code == 235 { Ok(()) } else { Err(End::Refused(Step::Auth, Said::from(&reply))) }
    }

    /// Whether QUIT still makes sense: not after a broken dialogue, nor after 421, which
    /// announces that the server closes.
    fn dialogue_is_intact(&self) -> bool {
        match &self.seen.end {
            End::Failed(_) | End::Injected(_) => false,
            End::Refused(_, said) => said.code != 421,
            _ => true,
        }
    }

    /// Runs one step; its result and its seconds.
    fn timed<T>(&self, step: impl FnOnce() -> T) -> (T, f64) {
        let before = self.deadline.elapsed();
        let result = step();
        (result, self.deadline.elapsed().saturating_sub(before).as_secs_f64())
    }
}

/// One AUTH exchange (RFC 4954 section 4) up to the reply that ends it.
fn authenticate(
    client: &mut SmtpClient,
    mechanism: Mechanism,
    exchange: &mut Exchange,
    token_status: &mut Option<String>,
) -> Result<Reply, End> {
    let verb = format!("AUTH {mechanism}");
    // An empty initial response is a lone equals sign (RFC 4954 section 4).
    let initial = exchange.initial().map_err(|error| unsendable(&error))?.map(|message| {
        if message.is_empty() { SecretBytes::new(b"=".to_vec()) } else { sasl::encode(&message) }
    });
    if let Some(message) = &initial {
        client.hide(message);
    }
    let short = initial.as_ref().filter(|message| verb.len() + 1 + message.len() + 2 <= SHORT_LINE);
    // A long one waits for an empty challenge.
    let mut waiting = initial.clone().filter(|_| short.is_none());
    let mut reply = match short {
        Some(message) => client.command(&secret(&verb, message)?, Phase::Authenticating)?,
        None => client.command(&plain(&verb)?, Phase::Authenticating)?,
    };
    while reply.code == 334 {
        let text = reply.lines.first().map(Vec::as_slice).unwrap_or_default();
        let answer = match waiting.take() {
            Some(message) => Ok(message),
            None => sasl::decode(text).and_then(|challenge| {
                *token_status = token_status.take().or_else(|| exchange.token_error(&challenge));
                exchange.respond(&challenge).map(|answer| sasl::encode(&answer))
            }),
        };
        match answer {
            Ok(message) => {
                client.hide(&message);
                reply = client.command(&secret("", &message)?, Phase::Authenticating)?;
            }
            Err(SaslError::Unpreparable) => return Err(unsendable(&SaslError::Unpreparable)),
            Err(error) => {
                // RFC 4954: a lone asterisk cancels; what comes back changes nothing.
                let _ = client.command(&plain("*")?, Phase::Authenticating);
                return Err(End::BadChallenge(error.to_string(), Said::from(&reply)));
            }
        }
    }
    match exchange.finished() {
        Err(error) if reply.code == 235 => Err(End::BadChallenge(error.to_string(), Said::from(&reply))),
        _ => Ok(reply),
    }
}

fn unsendable(error: &SaslError) -> End {
    End::Failed(ProbeError::local(error.to_string()))
}

fn plain(line: &str) -> Result<Command, End> {
    Command::plain(line).map_err(|error| End::Failed(ProbeError::local(format!("our command {error}"))))
}

fn secret(verb: &str, message: &[u8]) -> Result<Command, End> {
    Command::secret(verb, message)
        .map_err(|error| End::Failed(ProbeError::local(format!("our command {error}"))))
}

impl Seen {
    /// The observation before anything happened.
    fn nothing() -> Self {
        Self {
            address: None,
            failed_addresses: Vec::new(),
            times: Times::default(),
            banner: None,
            ehlo_before_tls: None,
            tls: None,
            ehlo: None,
            mechanism: None,
            iterations: None,
            token_status: None,
            end: End::Failed(ProbeError::timeout(Phase::Starting, Duration::ZERO)),
            closed_early: false,
            transcript: Vec::new(),
        }
    }
}
