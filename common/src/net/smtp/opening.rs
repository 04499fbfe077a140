//! The way into a conversation: connect, greeting, EHLO, TLS, EHLO again. Each step takes
//! down what it saw, so that a conversation that ends early still says how far it came.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::{Farewell, SmtpClient, StarttlsFailure};
use crate::net::deadline::Deadline;
use crate::net::error::{ProbeError, Trouble};
use crate::net::phase::Phase;
use crate::net::tcp::{Attempt, connect};
use crate::net::tls::{Connector, TlsSeen};
use crate::proto::smtp::{Ehlo, HeloName, ReplyLimits, Said, domain_literal};
use crate::proto::text::decode;

/// How we behave towards a server.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// The end of everything.
    pub deadline: &'a Deadline,
    /// Our address, if it matters.
    pub source: Option<IpAddr>,
    /// How we introduce ourselves.
    pub hello: Hello,
    /// The name we give; our address as a literal when there is none.
    pub helo: Option<&'a HeloName>,
    /// The longest replies we read.
    pub limits: ReplyLimits,
}

/// The verb of the introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// RFC 5321.
    Ehlo,
    /// EHLO, and HELO for a server that does not know it (RFC 5321 section 3.2).
    EhloOrHelo,
    /// RFC 2033.
    Lhlo,
}

/// Whether a conversation is encrypted.
#[derive(Clone, Copy, Debug)]
pub enum Encryption<'a> {
    /// Not at all.
    Never,
    /// By STARTTLS where the server offers it, whoever answers, and in the clear where that
    /// fails: so do servers that send mail (RFC 7435).
    Offered(&'a Connector),
    /// In this way, or there is no conversation.
    Demanded(&'a Connector, Way, Peer),
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Asked for in plaintext (RFC 3207).
    Starttls,
    /// With the first byte (RFC 8314).
    Implicit,
}

/// What a peer's certificate has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Who it is.
    Trusted,
    /// Nothing.
    Anyone,
}

/// What a server showed before the work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// The address that answered.
    pub address: Option<SocketAddr>,
    /// Addresses of the host that did not, before it.
    pub failed_addresses: Vec<Attempt>,
    /// Seconds of each step that was finished.
    pub times: OpeningTimes,
    /// The greeting.
    pub banner: Option<Said>,
    /// What was offered before TLS.
    pub ehlo_before_tls: Option<Ehlo>,
    /// The handshake and the certificate.
    pub tls: Option<TlsSeen>,
    /// Why a TLS that was offered was given up, where we went on without it.
    pub tls_given_up: Option<String>,
    /// What is offered where the work happens.
    pub ehlo: Option<Ehlo>,
    /// The refusal of EHLO, where HELO was accepted.
    pub ehlo_refused: Option<Said>,
    /// The whole dialogue, secrets masked, once it is over.
    pub transcript: Vec<String>,
}

/// Seconds of each step; `None` when it was not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpeningTimes {
    /// TCP connect.
    pub connect: Option<f64>,
    /// STARTTLS and handshake.
    pub tls: Option<f64>,
    /// Waiting for the greeting.
    pub banner: Option<f64>,
    /// EHLO before and after TLS.
    pub ehlo: Option<f64>,
}

/// A step a server can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The greeting itself.
    Banner,
    /// EHLO.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// AUTH, up to its last reply.
    Auth,
    /// MAIL.
    MailFrom,
    /// RCPT.
    RcptTo,
    /// RSET.
    Rset,
}

/// Why a conversation did not get to its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// The connection, TLS or the protocol failed.
    Failed(ProbeError),
    /// The server said no.
    Refused(Step, Said),
    /// TLS is wanted and STARTTLS was not offered.
    StarttlsNotOffered,
    /// Plaintext between the 220 to STARTTLS and the handshake.
    Injected(String),
    /// The certificate does not verify; nothing was said after the handshake.
    Untrusted,
}

impl From<ProbeError> for Stop {
    fn from(error: ProbeError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Refused(step, said) => write!(f, "{step} refused: {}", said.words),
            Self::StarttlsNotOffered => f.write_str("STARTTLS is required and not offered"),
            Self::Injected(words) => write!(f, "plaintext behind the 220 to STARTTLS: {words}"),
            Self::Untrusted => f.write_str("the certificate does not verify"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Banner => "greeting",
            Self::Ehlo => "EHLO",
            Self::Starttls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL",
            Self::RcptTo => "RCPT",
            Self::Rset => "RSET",
        })
    }
}

impl Stop {
    /// Whether TLS failed, and not the service around it.
    fn is_tls(&self) -> bool {
        match self {
            Self::Failed(error) => error.phase == Phase::NegotiatingTls && error.trouble != Trouble::Timeout,
            Self::Refused(step, said) => *step == Step::Starttls && said.code != 421,
            Self::Injected(_) => true,
            Self::StarttlsNotOffered | Self::Untrusted => false,
        }
    }

    /// Whether the dialogue is in order, so that QUIT makes sense: not after a broken one, nor
    /// after 421, which announces that the server closes.
    #[must_use]
    pub const fn leaves_dialogue_intact(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Injected(_) => false,
            Self::Refused(_, said) => said.code != 421,
            Self::StarttlsNotOffered | Self::Untrusted => true,
        }
    }
}

impl Opening {
    /// The whole way, to the first of these addresses that answers. A conversation that is
    /// stopped on the way is ended here; else [`Opening::close`] ends it.
    pub fn open(
        &mut self,
        manner: &Manner<'_>,
        encryption: Encryption<'_>,
        addresses: &[SocketAddr],
    ) -> Result<SmtpClient, Stop> {
        let mut client = self.connect(manner, addresses)?;
        match self.converse(manner, encryption, &mut client) {
            Ok(()) => Ok(client),
            Err(stop) if matches!(encryption, Encryption::Offered(_)) && stop.is_tls() => {
                let given_up = stop.to_string();
                *self = Self { tls_given_up: Some(given_up), ..Self::default() };
                self.open(manner, Encryption::Never, addresses)
            }
            Err(stop) => {
                self.close(client, stop.leaves_dialogue_intact());
                Err(stop)
            }
        }
    }

    /// Greeting, EHLO, and TLS as far as wanted.
    fn converse(
        &mut self,
        manner: &Manner<'_>,
        encryption: Encryption<'_>,
        client: &mut SmtpClient,
    ) -> Result<(), Stop> {
        if let Encryption::Demanded(connector, Way::Implicit, peer) = encryption {
            self.handshake(client, manner, connector)?;
            self.trust(peer)?;
        }
        self.greet(client, manner)?;
        let ehlo = self.hello(client, manner)?;
        let (connector, peer) = match encryption {
            Encryption::Demanded(connector, Way::Starttls, peer) => (connector, peer),
            Encryption::Offered(connector) if ehlo.has("STARTTLS") => (connector, Peer::Anyone),
            _ => {
                self.ehlo = Some(ehlo);
                return Ok(());
            }
        };
        self.ehlo_before_tls = Some(ehlo);
        self.starttls(client, manner, connector)?;
        self.trust(peer)?;
        // RFC 3207 section 4.2: what was said before TLS is void.
        self.ehlo = Some(self.hello(client, manner)?);
        Ok(())
    }

    /// Connects to the first of these addresses that answers.
    pub fn connect(
        &mut self,
        manner: &Manner<'_>,
        addresses: &[SocketAddr],
    ) -> Result<SmtpClient, ProbeError> {
        let before = manner.deadline.elapsed();
        let connected = connect(addresses, manner.source, manner.deadline)?;
        self.address = Some(connected.address);
        self.failed_addresses = connected.failed;
        self.times.connect = Some(since(before, manner));
        Ok(SmtpClient::new(connected.stream, manner.limits))
    }

    /// Reads the greeting, which has to be 220.
    pub fn greet(&mut self, client: &mut SmtpClient, manner: &Manner<'_>) -> Result<(), Stop> {
        let before = manner.deadline.elapsed();
        let banner = Said::from(&client.greeting()?);
        self.times.banner = Some(since(before, manner));
        self.banner = Some(banner.clone());
        if banner.code == 220 { Ok(()) } else { Err(Stop::Refused(Step::Banner, banner)) }
    }

    /// Introduces us.
    pub fn hello(&mut self, client: &mut SmtpClient, manner: &Manner<'_>) -> Result<Ehlo, Stop> {
        let verb = if manner.hello == Hello::Lhlo { "LHLO" } else { "EHLO" };
        let name = manner.helo.cloned().unwrap_or_else(|| own_name(client));
        // Both of them or none: half of it would look like a fast server.
        let spent = self.times.ehlo.take().unwrap_or_default();
        let before = manner.deadline.elapsed();
        let mut reply = client.say(&format!("{verb} {name}"), Phase::Greeting)?;
        if manner.hello == Hello::EhloOrHelo && reply.class() == 5 {
            let refused = Said::from(&reply);
            reply = client.say(&format!("HELO {name}"), Phase::Greeting)?;
            if reply.code == 250 {
                reply.lines.truncate(1);
                self.ehlo_refused = Some(refused);
            }
        }
        self.times.ehlo = Some(spent + since(before, manner));
        if reply.code == 250 {
            Ok(Ehlo::parse(&reply))
        } else {
            Err(Stop::Refused(Step::Ehlo, Said::from(&reply)))
        }
    }

    /// TLS by STARTTLS, if EHLO offered it.
    pub fn starttls(
        &mut self,
        client: &mut SmtpClient,
        manner: &Manner<'_>,
        connector: &Connector,
    ) -> Result<(), Stop> {
        if !self.ehlo_before_tls.as_ref().is_some_and(|ehlo| ehlo.has("STARTTLS")) {
            return Err(Stop::StarttlsNotOffered);
        }
        let before = manner.deadline.elapsed();
        match client.starttls(connector) {
            Ok(tls) => self.encrypted(tls, since(before, manner)),
            Err(StarttlsFailure::Probe(error)) => return Err(Stop::Failed(error)),
            Err(StarttlsFailure::Refused(reply)) => {
                return Err(Stop::Refused(Step::Starttls, Said::from(&reply)));
            }
            Err(StarttlsFailure::Injected(bytes)) => {
                let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
                return Err(Stop::Injected(decode(first)));
            }
            Err(StarttlsFailure::Handshake(failure)) => {
                self.tls = failure.seen;
                return Err(Stop::Failed(failure.error));
            }
        }
        Ok(())
    }

    /// TLS from the first byte.
    pub fn handshake(
        &mut self,
        client: &mut SmtpClient,
        manner: &Manner<'_>,
        connector: &Connector,
    ) -> Result<(), Stop> {
        let before = manner.deadline.elapsed();
        match client.handshake(connector) {
            Ok(tls) => self.encrypted(tls, since(before, manner)),
            Err(failure) => {
                self.tls = failure.seen;
                let greeted = failure.plaintext.is_some_and(|text| text.starts_with(b"220"));
                return Err(Stop::Failed(if greeted {
                    failure.error.with_hint("this port begins in plaintext: --tls starttls")
                } else {
                    failure.error
                }));
            }
        }
        Ok(())
    }

    fn encrypted(&mut self, tls: TlsSeen, time: f64) {
        self.times.tls = Some(time);
        self.tls = Some(tls);
    }

    /// Stops before anything is said to a peer that did not prove who it is.
    pub fn trust(&self, peer: Peer) -> Result<(), Stop> {
        let trusted = self.tls.as_ref().is_some_and(TlsSeen::trusted);
        if trusted || peer == Peer::Anyone { Ok(()) } else { Err(Stop::Untrusted) }
    }

    /// Ends the conversation, with QUIT where the dialogue is in order, and keeps what was said.
    pub fn close(&mut self, mut client: SmtpClient, intact: bool) -> Option<Farewell> {
        let farewell = intact.then(|| client.quit());
        self.transcript = client.transcript().to_vec();
        farewell
    }
}

fn since(before: Duration, manner: &Manner<'_>) -> f64 {
    manner.deadline.elapsed().saturating_sub(before).as_secs_f64()
}

/// RFC 5321 section 4.1.4: a client without a name gives its address.
fn own_name(client: &SmtpClient) -> HeloName {
    let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    domain_literal(client.local_address().map_or(unspecified, |address| address.ip()))
}
