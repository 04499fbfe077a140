//! SASL client exchanges without I/O (RFC 4422): one [`Exchange`] for all mechanisms.
//!
//! Randomness and what is known of the connection come in through [`Setup`].

mod digest_md5;
mod saslprep;
mod scram;
mod simple;
mod token;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::digest_md5::DigestMd5;
use self::scram::{Hash, Scram};
use super::SecretBytes;

pub use self::scram::{ChannelBinding, FEWEST_ITERATIONS};

/// A mechanism we can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Mechanism {
    /// User and password in one message.
    Plain,
    /// User and password in two messages.
    Login,
    /// The password keys a digest of the server's challenge.
    CramMd5,
    /// The same with more ceremony, obsolete.
    DigestMd5,
    /// Both sides prove that they know the password.
    ScramSha1,
    /// The same, tied to the TLS connection.
    ScramSha1Plus,
    /// As SCRAM-SHA-1, with a stronger digest.
    ScramSha256,
    /// The same, tied to the TLS connection.
    ScramSha256Plus,
    /// A bearer token.
    OauthBearer,
    /// A bearer token, the older form.
    Xoauth2,
    /// The TLS client certificate.
    External,
}

impl Mechanism {
    /// All mechanisms.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Login,
        Self::CramMd5,
        Self::DigestMd5,
        Self::ScramSha1,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha256Plus,
        Self::OauthBearer,
        Self::Xoauth2,
        Self::External,
    ];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::DigestMd5 => "DIGEST-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::External => "EXTERNAL",
        }
    }

    /// Whether whoever reads the wire learns the password or the token.
    #[must_use]
    pub const fn shows_secret(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::OauthBearer | Self::Xoauth2)
    }

    /// Whether it sends a bearer token.
    #[must_use]
    pub const fn takes_token(self) -> bool {
        matches!(self, Self::OauthBearer | Self::Xoauth2)
    }

    /// What it proves the identity with, for sentences.
    #[must_use]
    pub const fn secret_name(self) -> &'static str {
        match self {
            Self::OauthBearer | Self::Xoauth2 => "token",
            Self::External => "certificate",
            _ => "password",
        }
    }

    /// Whether it needs a password.
    #[must_use]
    pub const fn takes_password(self) -> bool {
        !self.takes_token() && !matches!(self, Self::External)
    }

    /// Whether it can act as somebody else than the user.
    #[must_use]
    pub const fn takes_authzid(self) -> bool {
        !matches!(self, Self::Login | Self::CramMd5 | Self::Xoauth2)
    }

    /// Whether it needs a nonce of ours.
    #[must_use]
    pub const fn takes_nonce(self) -> bool {
        self.is_scram() || matches!(self, Self::DigestMd5)
    }

    /// Whether it is tied to the TLS connection.
    #[must_use]
    pub const fn binds(self) -> bool {
        matches!(self, Self::ScramSha1Plus | Self::ScramSha256Plus)
    }

    /// Whether the server needs data stored for this mechanism alone, so that an account
    /// may know its password and fail here all the same.
    #[must_use]
    pub const fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha1 | Self::ScramSha1Plus | Self::ScramSha256 | Self::ScramSha256Plus)
    }
}

impl From<Mechanism> for &'static str {
    fn from(mechanism: Mechanism) -> Self {
        mechanism.name()
    }
}

impl TryFrom<String> for Mechanism {
    type Error = UnknownMechanism;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no mechanism of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mechanism of this check ({})", known_names())]
pub struct UnknownMechanism;

fn known_names() -> String {
    Mechanism::ALL.map(Mechanism::name).join(", ")
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(text)).ok_or(UnknownMechanism)
    }
}

/// Who logs in.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The identity whose password or token it is.
    pub user: String,
    /// The identity to act as; empty for the same.
    pub authzid: String,
    /// The password.
    pub password: SecretBytes,
    /// The bearer token.
    pub token: SecretBytes,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What an exchange must know of the connection, and the random part of it.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Service name of GSSAPI style names: `smtp`, `imap`.
    pub service: &'static str,
    /// The server's name as the operator gave it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What ties the exchange to TLS, if there is such a thing.
    pub binding: Option<ChannelBinding>,
    /// Printable, without comma, never used before.
    pub nonce: String,
}

/// How an exchange broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// A challenge is not base64 (RFC 4954 section 4).
    #[error("challenge is not base64")]
    NotBase64,
    /// The server asks for more than the mechanism has.
    #[error("server asks for more than the mechanism has to say")]
    TooManyChallenges,
    /// CRAM-MD5 without anything to digest proves nothing and gives an attacker a
    /// digest of his choice.
    #[error("challenge is empty")]
    EmptyChallenge,
    /// A challenge that breaks the mechanism's grammar or rules.
    #[error("challenge {0}")]
    Malformed(&'static str),
    /// Success although nothing was proved yet: such a server lets everybody in.
    #[error("server accepts before anything was proved")]
    TooEarly,
    /// The server did not prove that it knows the password.
    #[error("server accepts without a server signature")]
    NoServerSignature,
    /// The server's proof is wrong: it does not know the password.
    #[error("server signature is wrong")]
    WrongServerSignature,
    /// Our user name or password cannot be put into the form the mechanism wants.
    #[error("user name or password has characters this mechanism cannot send")]
    Unpreparable,
}

/// One exchange of a mechanism.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Messages that depend on nothing the server said but perhaps one challenge; the
    /// number is that of the messages sent.
    Simple(Credentials, Setup, u8),
    Digest(DigestMd5),
    Scram(Scram),
}

impl Exchange {
    /// Starts an exchange.
    #[must_use]
    pub fn new(mechanism: Mechanism, credentials: Credentials, setup: Setup) -> Self {
        let Setup { service, host, binding, nonce, .. } = setup.clone();
        let scram =
            |hash, binding| State::Scram(Scram::new(hash, credentials.clone(), binding, nonce.clone()));
        let state = match mechanism {
            Mechanism::ScramSha1 => scram(Hash::Sha1, None),
            Mechanism::ScramSha1Plus => scram(Hash::Sha1, binding),
            Mechanism::ScramSha256 => scram(Hash::Sha256, None),
            Mechanism::ScramSha256Plus => scram(Hash::Sha256, binding),
            Mechanism::DigestMd5 => {
                State::Digest(DigestMd5::new(credentials, format!("{service}/{host}"), nonce))
            }
            _ => State::Simple(credentials, setup, 0),
        };
        Self { mechanism, state }
    }

    /// The initial response, raw, for mechanisms in which the client speaks first. LOGIN
    /// has none: some servers reject it.
    pub fn initial(&mut self) -> Result<Option<SecretBytes>, SaslError> {
        match (self.mechanism, &mut self.state) {
            (Mechanism::Login | Mechanism::CramMd5 | Mechanism::DigestMd5, _) => Ok(None),
            (_, State::Scram(scram)) => scram.initial().map(Some),
            _ => self.respond(b"").map(Some),
        }
    }

    /// The answer to a challenge, both raw.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<SecretBytes, SaslError> {
        let (credentials, setup, sent) = match &mut self.state {
            State::Scram(scram) => return scram.respond(challenge),
            State::Digest(digest) => return digest.respond(challenge),
            State::Simple(credentials, setup, sent) => (credentials, setup, sent),
        };
        let step = *sent;
        *sent = step.saturating_add(1);
        match (self.mechanism, step) {
            (Mechanism::Plain, 0) => Ok(simple::plain(credentials)),
            (Mechanism::External, 0) => Ok(Zeroizing::new(credentials.authzid.clone().into_bytes())),
            (Mechanism::Login, 0) => Ok(Zeroizing::new(credentials.user.clone().into_bytes())),
            (Mechanism::Login, 1) => Ok(credentials.password.clone()),
            (Mechanism::CramMd5, 0) if challenge.is_empty() => Err(SaslError::EmptyChallenge),
            (Mechanism::CramMd5, 0) => Ok(simple::cram_md5(credentials, challenge)),
            (Mechanism::OauthBearer, 0) => Ok(token::oauthbearer(credentials, &setup.host, setup.port)),
            (Mechanism::Xoauth2, 0) => Ok(token::xoauth2(credentials)),
            // The challenge is an error in JSON; these answers fetch the reply code.
            (Mechanism::OauthBearer, 1) => Ok(Zeroizing::new(vec![1])),
            (Mechanism::Xoauth2, 1) => Ok(SecretBytes::default()),
            _ => Err(SaslError::TooManyChallenges),
        }
    }

    /// Fails while the secret, or the proof of knowing it, has not been sent, or while the
    /// server owes its own proof: a success at this point says nothing about the login.
    pub const fn finished(&self) -> Result<(), SaslError> {
        match &self.state {
            State::Scram(scram) => scram.finished(),
            State::Digest(digest) => digest.finished(),
            State::Simple(_, _, sent) => {
                let messages = if matches!(self.mechanism, Mechanism::Login) { 2 } else { 1 };
                if *sent < messages { Err(SaslError::TooEarly) } else { Ok(()) }
            }
        }
    }

    /// Iterations a SCRAM server asked for.
    #[must_use]
    pub const fn iterations(&self) -> Option<u32> {
        match &self.state {
            State::Scram(scram) => scram.iterations(),
            _ => None,
        }
    }

    /// The `status` of the error a token server sent as its challenge.
    #[must_use]
    pub fn token_error(&self, challenge: &[u8]) -> Option<String> {
        if self.mechanism.takes_token() { token::error_status(challenge) } else { None }
    }
}

/// Encodes a message for the wire.
#[must_use]
pub fn encode(message: &[u8]) -> SecretBytes {
    Zeroizing::new(BASE64.encode(message).into_bytes())
}

/// Lower case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes a challenge from the wire; blanks at the end are forgiven.
pub fn decode(challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
    BASE64.decode(challenge.trim_ascii_end()).map_err(|_| SaslError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exchange(mechanism: Mechanism, user: &str, password: &str) -> Exchange {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let credentials = Credentials { user: user.into(), password, ..Credentials::default() };
        Exchange::new(mechanism, credentials, Setup { nonce: "nonce".into(), ..Setup::default() })
    }

    #[test]
    fn plain_is_rfc_4616() {
        let mut plain = exchange(Mechanism::Plain, "tim", "tanstaaftanstaaf");
        assert_eq!(plain.initial().unwrap().unwrap().as_slice(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(plain.respond(b""), Err(SaslError::TooManyChallenges));
        let mut late = exchange(Mechanism::Plain, "tim", "pw");
        assert_eq!(late.respond(b"").unwrap().as_slice(), b"\0tim\0pw", "after an empty 334");
    }

    #[test]
    fn login_answers_two_prompts_whatever_they_say() {
        let mut login = exchange(Mechanism::Login, "tim", "pw");
        assert!(login.initial().unwrap().is_none());
        assert_eq!(login.respond(b"User Name\0").unwrap().as_slice(), b"tim");
        assert_eq!(login.respond(b"Password:").unwrap().as_slice(), b"pw");
        assert!(login.respond(b"And your PIN:").is_err());
    }

    #[test]
    fn a_success_counts_only_behind_the_proof() {
        let mut login = exchange(Mechanism::Login, "tim", "pw");
        for _ in 0..2 {
            assert_eq!(login.finished(), Err(SaslError::TooEarly));
            login.respond(b"").unwrap();
        }
        assert_eq!(login.finished(), Ok(()));
        let mut plain = exchange(Mechanism::Plain, "tim", "pw");
        assert!(plain.finished().is_err() && plain.initial().unwrap().is_some() && plain.finished().is_ok());
    }

    /// The example of RFC 2195 section 2.
    #[test]
    fn cram_md5_is_rfc_2195() {
        let mut cram = exchange(Mechanism::CramMd5, "tim", "tanstaaftanstaaf");
        assert!(cram.initial().unwrap().is_none());
        let answer = cram.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer.as_slice(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(exchange(Mechanism::CramMd5, "t", "p").respond(b""), Err(SaslError::EmptyChallenge));
    }

    #[test]
    fn challenges_are_base64_or_refused() {
        assert_eq!(decode(b"VXNlcm5hbWU6 ").unwrap(), b"Username:");
        assert_eq!(decode(b"").unwrap(), b"");
        assert_eq!(decode(b"Go on"), Err(SaslError::NotBase64));
        assert_eq!(decode(b"VXNlcm5hbWU"), Err(SaslError::NotBase64), "padding is required");
    }

    #[test]
    fn mechanisms_are_read_in_any_case() {
        assert_eq!("cram-md5".parse(), Ok(Mechanism::CramMd5));
        assert!("GSSAPI".parse::<Mechanism>().is_err());
        assert!(!format!("{:?}", exchange(Mechanism::Plain, "u", "hunter2")).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_challenges_end_the_exchange(challenges in prop::collection::vec(any::<Vec<u8>>(), 4)) {
            for mechanism in Mechanism::ALL {
                let mut exchange = exchange(mechanism, "u", "p");
                let answered = challenges.iter().filter(|c| exchange.respond(c).is_ok()).count();
                prop_assert!(answered <= 3);
            }
        }

        #[test]
        fn base64_round_trip(message in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&encode(&message)).unwrap(), message);
        }
    }
}
