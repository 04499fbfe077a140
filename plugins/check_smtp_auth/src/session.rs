//! The dialogue: all I/O of the check, no judgement.

use std::net::SocketAddr;
use std::time::Duration;

use common::cli::TlsMode;
use common::net::SecretBytes;
use common::net::random::nonce;
use common::net::smtp::{Farewell, Manner, Opening, Peer, SmtpClient, Step, Stop};
use common::net::tls::Connector;
use common::net::{Deadline, Phase, ProbeError, Trouble, connect_unix};
use common::proto::proxy::{Endpoints, version_1, version_2};
use common::proto::sasl::{self, Credentials, Exchange, Mechanism, SaslError, Setup};
use common::proto::smtp::{Command, Mailbox, Reply, Said};

use crate::CheckSmtpAuth;
use crate::mechanism::{Means, Privacy, choose};
use crate::options::{Policy, Proxy, ProxyVersion};
use crate::seen::{End, Injection, Session};

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
        let manner = talk.manner();
        let tried = talk.connect(addresses).map_err(Stop::Failed).and_then(|mut client| {
            talk.seen.opening.greet(&mut client, &manner)?;
            talk.seen.opening.hello(&mut client, &manner)?;
            Ok(client.inject_behind_starttls(connector))
        });
        match tried {
            Ok(Ok(None)) => Injection::Discarded,
            Ok(Ok(Some(reply))) => Injection::Executed(reply.words()),
            Ok(Err(failure)) => Injection::NotTried(failure.to_string()),
            Err(Stop::Refused(_, said)) => Injection::NotTried(said.words),
            Err(stop) => Injection::NotTried(stop.to_string()),
        }
    }

    fn run(&mut self, addresses: &[SocketAddr]) {
        let mut client = match self.connect(addresses) {
            Ok(client) => client,
            Err(error) => {
                self.seen.end = End::from(error);
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
        let intact = match &self.seen.end {
            End::Stopped(stop) => stop.leaves_dialogue_intact(),
            _ => true,
        };
        match self.seen.opening.close(client, intact) {
            Some(Farewell::Answered(reply)) if reply.code != 221 => {
                self.seen.withdrawn = Some(Said::from(&reply));
            }
            Some(Farewell::Closed) => self.seen.closed_early = self.seen.end == End::Accepted,
            _ => {}
        }
    }

    fn converse(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        let (mode, manner) = (self.setting.options.tls_mode(), self.manner());
        if mode == TlsMode::Implicit {
            self.seen.opening.handshake(client, &manner, self.connector()?)?;
            self.seen.opening.trust(self.peer())?;
        }
        self.seen.opening.greet(client, &manner)?;
        let ehlo = self.seen.opening.hello(client, &manner)?;
        if mode == TlsMode::Starttls {
            self.seen.opening.ehlo_before_tls = Some(ehlo);
            self.try_auth_before_tls(client)?;
            self.seen.opening.starttls(client, &manner, self.connector()?)?;
            self.seen.opening.trust(self.peer())?;
            // RFC 3207 section 4.2: what was said before TLS is void.
            self.seen.opening.ehlo = Some(self.seen.opening.hello(client, &manner)?);
        } else {
            self.seen.opening.ehlo = Some(ehlo);
        }
        self.log_in(client)?;
        self.try_envelope(client)
    }

    /// Begins AUTH before TLS, without any secret: `no-plaintext-auth` wants it refused.
    fn try_auth_before_tls(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        if !self.setting.options.expect.has(Policy::NoPlaintextAuth) {
            return Ok(());
        }
        let reply = client.say("AUTH LOGIN", Phase::Greeting)?;
        self.seen.auth_before_tls = Some(Said::from(&reply));
        if reply.code == 334 {
            client.say("*", Phase::Greeting)?;
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
        if international && !self.seen.opening.ehlo.as_ref().is_some_and(|ehlo| ehlo.has("SMTPUTF8")) {
            return Err(End::NoSmtpUtf8);
        }
        let parameter = if international { " SMTPUTF8" } else { "" };
        let mail = client.say(&format!("MAIL FROM:{}{parameter}", sender.path()), Phase::Querying)?;
        if mail.code != 250 {
            return Err(End::refused(Step::MailFrom, &mail));
        }
        if let Some(recipient) = &expect.rcpt_to {
            let rcpt = client.say(&format!("RCPT TO:{}", recipient.path()), Phase::Querying)?;
            // RFC 5321 section 4.3.2: all three mean that the server takes it.
            if !matches!(rcpt.code, 250..=252) {
                return Err(End::refused(Step::RcptTo, &rcpt));
            }
        }
        client.say("RSET", Phase::Querying)?;
        Ok(())
    }

    fn connect(&mut self, addresses: &[SocketAddr]) -> Result<SmtpClient, ProbeError> {
        let (options, deadline) = (self.setting.options, self.setting.deadline);
        let manner = self.manner();
        let mut client = match &options.transport.socket {
            Some(path) => {
                let (stream, time) = self.timed(|| connect_unix(path, deadline));
                let client = SmtpClient::new(stream?, manner.limits);
                self.seen.opening.times.connect = Some(time);
                client
            }
            None => self.seen.opening.connect(&manner, addresses)?,
        };
        if let Some(proxy) = options.transport.proxy {
            client.preface(&proxy_header(proxy, client.addresses()))?;
        }
        Ok(client)
    }

    fn manner(&self) -> Manner<'a> {
        let options = self.setting.options;
        options.transport.smtp.manner(options.hello(), self.setting.deadline)
    }

    fn connector(&self) -> Result<&'a Connector, Stop> {
        let text = "TLS is wanted and was not prepared";
        let unprepared = || ProbeError::new(Trouble::Internal, Phase::NegotiatingTls, text).into();
        self.setting.connector.as_ref().ok_or_else(unprepared)
    }

    fn peer(&self) -> Peer {
        if self.setting.options.tls_options.insecure { Peer::Anyone } else { Peer::Trusted }
    }

    fn log_in(&mut self, client: &mut SmtpClient) -> Result<(), End> {
        let privacy = match (self.setting.options.encrypts(), self.setting.options.allow_plaintext) {
            (true, _) => Privacy::Encrypted,
            (false, true) => Privacy::ClearAllowed,
            (false, false) => Privacy::Clear,
        };
        let offered =
            self.seen.opening.ehlo.as_ref().map(|ehlo| ehlo.mechanisms.as_slice()).unwrap_or_default();
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
        self.seen.auth_time = Some(self.setting.deadline.elapsed().saturating_sub(before).as_secs_f64());
        if reply.code == 235 { Ok(()) } else { Err(End::refused(Step::Auth, &reply)) }
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
        None => client.say(&verb, Phase::Authenticating)?,
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
                let _ = client.say("*", Phase::Authenticating);
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
    End::from(ProbeError::local(error.to_string()))
}

fn proxy_header(proxy: Proxy, own: Option<Endpoints>) -> Vec<u8> {
    let endpoints = proxy.endpoints.or(own);
    match proxy.version {
        ProxyVersion::V1 => version_1(endpoints),
        ProxyVersion::V2 => version_2(endpoints),
    }
}

fn secret(verb: &str, message: &[u8]) -> Result<Command, End> {
    Command::secret(verb, message)
        .map_err(|error| End::from(ProbeError::local(format!("our command {error}"))))
}

impl Session {
    /// A session before anything happened.
    fn nothing() -> Self {
        Self {
            opening: Opening::default(),
            auth_before_tls: None,
            mechanism: None,
            iterations: None,
            token_status: None,
            auth_time: None,
            end: End::from(ProbeError::timeout(Phase::Starting, Duration::ZERO)),
            withdrawn: None,
            closed_early: false,
        }
    }
}
