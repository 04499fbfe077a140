//! SASL client steps without I/O: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login),
//! CRAM-MD5 (RFC 2195).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SecretBytes;

/// A mechanism we can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mechanism {
    /// User and password in one message.
    Plain,
    /// User and password in two messages.
    Login,
    /// The password keys a digest of the server's challenge.
    CramMd5,
}

impl Mechanism {
    /// All mechanisms.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Login, Self::CramMd5];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }

    /// Whether whoever reads the wire learns the password.
    #[must_use]
    pub const fn sends_password(self) -> bool {
        matches!(self, Self::Plain | Self::Login)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no mechanism of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mechanism of this check (PLAIN, LOGIN, CRAM-MD5)")]
pub struct UnknownMechanism;

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(text)).ok_or(UnknownMechanism)
    }
}

/// Who logs in.
#[derive(Clone)]
pub struct Credentials {
    /// The identity whose password it is.
    pub user: String,
    /// The identity to act as; empty for the same.
    pub authzid: String,
    /// The password.
    pub password: SecretBytes,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How a server broke the exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// A challenge is not base64 (RFC 4954 section 4).
    #[error("challenge is not base64")]
    NotBase64,
    /// The server asks for more than the mechanism has.
    #[error("server asks for more than {0} has to say")]
    TooManyChallenges(Mechanism),
    /// CRAM-MD5 without anything to digest proves nothing and gives an attacker a
    /// digest of his choice.
    #[error("challenge is empty")]
    EmptyChallenge,
    /// Success although nothing was proved yet: such a server lets everybody in.
    #[error("server accepts before {0} has proved anything")]
    TooEarly(Mechanism),
}

/// One exchange of a mechanism.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    credentials: Credentials,
    /// Responses given so far.
    step: u8,
}

impl Exchange {
    /// Starts an exchange.
    #[must_use]
    pub const fn new(mechanism: Mechanism, credentials: Credentials) -> Self {
        Self { mechanism, credentials, step: 0 }
    }

    /// The initial response, raw, for mechanisms in which the client speaks first. LOGIN
    /// has none: some servers reject it.
    pub fn initial(&mut self) -> Option<SecretBytes> {
        if self.mechanism != Mechanism::Plain {
            return None;
        }
        self.step += 1;
        Some(self.plain())
    }

    /// The answer to a challenge, both raw.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<SecretBytes, SaslError> {
        let step = self.step;
        self.step = step.saturating_add(1);
        match (self.mechanism, step) {
            (Mechanism::Plain, 0) => Ok(self.plain()),
            (Mechanism::Login, 0) => Ok(Zeroizing::new(self.credentials.user.clone().into_bytes())),
            (Mechanism::Login, 1) => Ok(self.credentials.password.clone()),
            (Mechanism::CramMd5, 0) if challenge.is_empty() => Err(SaslError::EmptyChallenge),
            (Mechanism::CramMd5, 0) => Ok(self.cram_md5(challenge)),
            (mechanism, _) => Err(SaslError::TooManyChallenges(mechanism)),
        }
    }

    /// Fails while the password, or the proof of knowing it, has not been sent: a success
    /// at this point says nothing about the login.
    pub const fn finished(&self) -> Result<(), SaslError> {
        let messages = match self.mechanism {
            Mechanism::Plain | Mechanism::CramMd5 => 1,
            Mechanism::Login => 2,
        };
        if self.step < messages { Err(SaslError::TooEarly(self.mechanism)) } else { Ok(()) }
    }

    /// RFC 4616: authzid NUL authcid NUL password.
    fn plain(&self) -> SecretBytes {
        let Credentials { user, authzid, password } = &self.credentials;
        let parts = [authzid.as_bytes(), user.as_bytes(), password];
        // The capacity is exact so that no copy of the password is left behind by growth.
        let mut message = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum()));
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                message.push(0);
            }
            message.extend_from_slice(part);
        }
        message
    }

    /// RFC 2195: user, blank, HMAC-MD5 of the challenge in lower case hex.
    fn cram_md5(&self, challenge: &[u8]) -> SecretBytes {
        let mut response = format!("{} ", self.credentials.user);
        // HMAC takes keys of any length; the branch is there because the type says so.
        if let Ok(mut mac) = <Hmac<Md5>>::new_from_slice(&self.credentials.password) {
            mac.update(challenge);
            for byte in mac.finalize().into_bytes() {
                response.push_str(&format!("{byte:02x}"));
            }
        }
        Zeroizing::new(response.into_bytes())
    }
}

/// Encodes a message for the wire.
#[must_use]
pub fn encode(message: &[u8]) -> SecretBytes {
    Zeroizing::new(BASE64.encode(message).into_bytes())
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
        Exchange::new(mechanism, Credentials { user: user.into(), authzid: String::new(), password })
    }

    #[test]
    fn plain_is_rfc_4616() {
        let mut plain = exchange(Mechanism::Plain, "tim", "tanstaaftanstaaf");
        assert_eq!(plain.initial().unwrap().as_slice(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(plain.respond(b""), Err(SaslError::TooManyChallenges(Mechanism::Plain)));
        let mut late = exchange(Mechanism::Plain, "tim", "pw");
        assert_eq!(late.respond(b"").unwrap().as_slice(), b"\0tim\0pw", "after an empty 334");
    }

    #[test]
    fn login_answers_two_prompts_whatever_they_say() {
        let mut login = exchange(Mechanism::Login, "tim", "pw");
        assert!(login.initial().is_none());
        assert_eq!(login.respond(b"User Name\0").unwrap().as_slice(), b"tim");
        assert_eq!(login.respond(b"Password:").unwrap().as_slice(), b"pw");
        assert!(login.respond(b"And your PIN:").is_err());
    }

    #[test]
    fn a_success_counts_only_behind_the_proof() {
        let mut login = exchange(Mechanism::Login, "tim", "pw");
        for _ in 0..2 {
            assert_eq!(login.finished(), Err(SaslError::TooEarly(Mechanism::Login)));
            login.respond(b"").unwrap();
        }
        assert_eq!(login.finished(), Ok(()));
        let mut plain = exchange(Mechanism::Plain, "tim", "pw");
        assert!(plain.finished().is_err() && plain.initial().is_some() && plain.finished().is_ok());
    }

    /// The example of RFC 2195 section 2.
    #[test]
    fn cram_md5_is_rfc_2195() {
        let mut cram = exchange(Mechanism::CramMd5, "tim", "tanstaaftanstaaf");
        assert!(cram.initial().is_none());
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
                prop_assert!(answered <= 2);
            }
        }

        #[test]
        fn base64_round_trip(message in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&encode(&message)).unwrap(), message);
        }
    }
}
