//! The dialogue: all I/O of the check, no judgement.

use std::net::SocketAddr;
use std::time::Duration;

use common::cli::TlsMode;
use common::net::SecretBytes;
use common::net::random::nonce;
use common::net::smtp::{Farewell, SmtpClient, StarttlsFailure};
use common::net::tls::Connector;
use common::net::{Deadline, Phase, ProbeError, Trouble, connect, connect_unix};
use common::proto::proxy::{Endpoints, version_1, version_2};
use common::proto::sasl::{self, Credentials, Exchange, Mechanism, SaslError, Setup};
use common::proto::smtp::{Command, Ehlo, HeloName, Reply, ReplyLimits, domain_literal};

use crate::CheckSmtpAuth;
use crate::mechanism::{Means, Privacy, choose};
use crate::options::{Mailbox, Policy, Proxy, ProxyVersion};
use crate::seen::{End, Injection, Said, Session, Step, Times};

/// An initial response rides on the AUTH line only while the line is this short
/// (RFC 5321 section 4.5.3.1.4); some servers cut or refuse a longer one.
const SHORT_LINE: usize = 512;

/// What all sessions of a run share.
pub(crate) struct Setting<'a> {
    pub(crate) options: &'a CheckSmtpAuth,
    pub(crate) deadline: &'a Deadline,
    pub(crate) connector: Option<Connector>,
}

/// One conversation, from connect to QUIT.
pub(crate) struct Talk<'a> {
    setting: &'a Setting<'a>,
    credentials: &'a Credentials,
    seen: Session,
}

impl<'a> Talk<'a> {
    /// Holds a conversation with the first of these addresses that answers.
    pub(crate) fn hold(
        setting: &'a Setting<'a>,
        credentials: &'a Credentials,
        addresses: &[SocketAddr],
    ) -> Session {
        let mut talk = Self { setting, credentials, seen: Session::nothing() };
        talk.run(addresses);
        talk.seen
    }

    /// Tries in a conversation of its own what becomes of a command behind STARTTLS.
    pub(crate) fn inject(
        setting: &'a Setting<'a>,
        credentials: &'a Credentials,
        addresses: &[SocketAddr],
    ) -> Injection {
        let mut talk = Self { setting, credentials, seen: Session::nothing() };
        let Some(connector) = &setting.connector else {
            return Injection::NotTried("there is no TLS".to_owned());
        };
        let tried = talk.connect(addresses).map_err(End::Failed).and_then(|mut client| {
            talk.greet(&mut client)?;
            talk.ehlo(&mut client)?;
            Ok(client.inject_behind_starttls(connector))
        });
        match tried {
            Ok(Ok(None)) => Injection::Discarded,
            Ok(Ok(Some(reply))) => Injection::Executed(reply.words()),
            Ok(Err(failure)) => Injection::NotTried(failure.to_string()),
            Err(End::Failed(error)) => Injection::NotTried(error.text),
            Err(End::Refused(_, said)) => Injection::NotTried(said.words),
            Err(_) => Injection::NotTried("the session ended before STARTTLS".to_owned()),
        }
    }

    fn run(&mut self, addresses: &[SocketAddr]) {
        let mut client = match self.connect(addresses) {
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
            match client.quit() {
                Farewell::Answered(reply) if reply.code != 221 => {
                    self.seen.withdrawn = Some(Said::from(&reply));
                }
                Farewell::Closed => self.seen.closed_early = self.seen.end == End::Accepted,
                Farewell::Answered(_) | Farewell::Silent => {}
            }
        }
        self.seen.transcript = client.transcript().to_vec();
    }

    fn converse(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        let mode = self.setting.options.tls_mode();
        if mode == TlsMode::Implicit {
            self.negotiate(client, false)?;
        }
        self.greet(client)?;
        let ehlo = self.ehlo(client)?;
        if mode == TlsMode::Starttls {
            self.seen.ehlo_before_tls = Some(ehlo);
            self.try_auth_before_tls(client)?;
            self.negotiate(client, true)?;
            // RFC 3207 section 4.2: what was said before TLS is void.
            let ehlo = self.ehlo(client)?;
            self.seen.ehlo = Some(ehlo);
        } else {
            self.seen.ehlo = Some(ehlo);
        }
        self.log_in(client)?;
        self.try_envelope(client)
    }

    /// Begins AUTH before TLS, without any secret: `no-plaintext-auth` wants it refused.
    fn try_auth_before_tls(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        if !self.setting.options.expect.has(Policy::NoPlaintextAuth) {
            return Ok(());
        }
        let reply = client.command(&plain("AUTH LOGIN")?, Phase::Greeting)?;
        self.seen.auth_before_tls = Some(Said::from(&reply));
        if reply.code == 334 {
            client.command(&plain("*")?, Phase::Greeting)?;
        }
        Ok(())
    }

    /// MAIL and RCPT after the login, taken back by RSET: nothing is sent.
    fn try_envelope(&self, client: &mut SmtpClient) -> Result<(), End> {
        let expect = &self.setting.options.expect;
        let Some(sender) = &expect.mail_from else { return Ok(()) };
        let international = expect.smtputf8
            || sender.is_international()
            || expect.rcpt_to.as_ref().is_some_and(Mailbox::is_international);
        if international && !self.seen.ehlo.as_ref().is_some_and(|ehlo| ehlo.has("SMTPUTF8")) {
            return Err(End::NoSmtpUtf8);
        }
        let parameter = if international { " SMTPUTF8" } else { "" };
        let mail =
            client.command(&plain(&format!("MAIL FROM:{}{parameter}", sender.path()))?, Phase::Querying)?;
        if mail.code != 250 {
            return Err(End::Refused(Step::MailFrom, Said::from(&mail)));
        }
        if let Some(recipient) = &expect.rcpt_to {
            let rcpt = client.command(&plain(&format!("RCPT TO:{}", recipient.path()))?, Phase::Querying)?;
            // RFC 5321 section 4.3.2: all three mean that the server takes it.
            if !matches!(rcpt.code, 250..=252) {
                return Err(End::Refused(Step::RcptTo, Said::from(&rcpt)));
            }
        }
        client.command(&plain("RSET")?, Phase::Querying)?;
        Ok(())
    }

    fn connect(&mut self, addresses: &[SocketAddr]) -> Result<SmtpClient, ProbeError> {
        let (options, deadline) = (self.setting.options, self.setting.deadline);
        let before = deadline.elapsed();
        let stream = match &options.smtp.socket {
            Some(path) => connect_unix(path, deadline)?,
            None => {
                let connected = connect(addresses, options.smtp.source_ip, deadline)?;
                self.seen.address = Some(connected.address);
                self.seen.failed_addresses = connected.failed;
                connected.stream
            }
        };
        self.seen.times.connect = Some(deadline.elapsed().saturating_sub(before).as_secs_f64());
        let header = options.smtp.proxy.map(|proxy| proxy_header(proxy, stream.addresses()));
        let limits = ReplyLimits { reply: options.smtp.max_reply, ..ReplyLimits::default() };
        let mut client = SmtpClient::new(stream, limits);
        if let Some(header) = header {
            client.preface(&header)?;
        }
        Ok(client)
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
        let command = plain(&format!("{} {}", self.setting.options.hello(), self.helo_name(client)))?;
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
        self.setting.options.smtp.helo.clone().unwrap_or_else(own)
    }

    /// TLS, by STARTTLS or at once; ends the session when the peer is not to be trusted.
    fn negotiate(&mut self, client: &mut SmtpClient, starttls: bool) -> Result<(), End> {
        let Some(connector) = &self.setting.connector else {
            let text = "TLS is wanted and was not prepared";
            return Err(End::Failed(ProbeError::new(Trouble::Internal, Phase::NegotiatingTls, text)));
        };
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
                let trusted = tls.trusted() || self.setting.options.tls_options.insecure;
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
        let privacy = match (self.setting.options.encrypts(), self.setting.options.allow_plaintext) {
            (true, _) => Privacy::Encrypted,
            (false, true) => Privacy::ClearAllowed,
            (false, false) => Privacy::Clear,
        };
        let offered = self.seen.ehlo.as_ref().map(|ehlo| ehlo.mechanisms.as_slice()).unwrap_or_default();
        // Looked for only where a mechanism asks for it.
        let binding =
            if offered.iter().any(|name| name.ends_with("-PLUS")) { client.channel_binding() } else { None };
        let means = Means {
            privacy,
            password: !self.credentials.password.is_empty(),
            token: !self.credentials.token.is_empty(),
            authzid: !self.credentials.authzid.is_empty(),
            binding: binding.as_ref().into(),
        };
        let mechanism = choose(self.setting.options.mech, offered, means)?;
        self.seen.mechanism = Some(mechanism);
        let setup = Setup {
            service: "smtp",
            host: self.setting.options.target.hostname.to_string(),
            port: self.setting.options.port(),
            binding,
            nonce: if mechanism.takes_nonce() { nonce()? } else { String::new() },
        };
        let mut exchange = Exchange::new(mechanism, self.credentials.clone(), setup);
        let before = self.setting.deadline.elapsed();
        let reply = authenticate(client, mechanism, &mut exchange, &mut self.seen.token_status);
        self.seen.iterations = exchange.iterations();
        let reply = reply?;
        self.seen.times.auth = Some(self.setting.deadline.elapsed().saturating_sub(before).as_secs_f64());
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
        let before = self.setting.deadline.elapsed();
        let result = step();
        (result, self.setting.deadline.elapsed().saturating_sub(before).as_secs_f64())
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

fn proxy_header(proxy: Proxy, own: Option<Endpoints>) -> Vec<u8> {
    let endpoints = proxy.endpoints.or(own);
    match proxy.version {
        ProxyVersion::V1 => version_1(endpoints),
        ProxyVersion::V2 => version_2(endpoints),
    }
}

fn plain(line: &str) -> Result<Command, End> {
    Command::plain(line).map_err(|error| End::Failed(ProbeError::local(format!("our command {error}"))))
}

fn secret(verb: &str, message: &[u8]) -> Result<Command, End> {
    Command::secret(verb, message)
        .map_err(|error| End::Failed(ProbeError::local(format!("our command {error}"))))
}

impl Session {
    /// A session before anything happened.
    fn nothing() -> Self {
        Self {
            address: None,
            failed_addresses: Vec::new(),
            times: Times::default(),
            banner: None,
            ehlo_before_tls: None,
            auth_before_tls: None,
            tls: None,
            ehlo: None,
            mechanism: None,
            iterations: None,
            token_status: None,
            end: End::Failed(ProbeError::timeout(Phase::Starting, Duration::ZERO)),
            withdrawn: None,
            closed_early: false,
            transcript: Vec::new(),
        }
    }
}
