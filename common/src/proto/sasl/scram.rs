//! SCRAM (RFC 5802, RFC 7677), with channel binding (RFC 5056, RFC 9266).
//!
//! The exchange proves both sides: the server must show that it knows the password's
//! verifier before its success counts.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::saslprep::prepared;
use super::{Credentials, SaslError, SecretBytes};

/// Below this RFC 7677 section 4 calls the stored password too cheap to guess.
pub const FEWEST_ITERATIONS: u32 = 4096;
/// A server that asks for more wants our CPU, not our proof.
const MOST_ITERATIONS: u32 = 2_000_000;

/// What ties the exchange to the TLS connection it runs over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// `tls-exporter` (RFC 9266), for TLS 1.3.
    TlsExporter(Vec<u8>),
    /// `tls-server-end-point` (RFC 5929 section 4), for TLS 1.2.
    TlsServerEndPoint(Vec<u8>),
}

impl ChannelBinding {
    const fn name(&self) -> &'static str {
        match self {
            Self::TlsExporter(_) => "tls-exporter",
            Self::TlsServerEndPoint(_) => "tls-server-end-point",
        }
    }

    fn data(&self) -> &[u8] {
        match self {
            Self::TlsExporter(data) | Self::TlsServerEndPoint(data) => data,
        }
    }
}

/// The digest of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

/// One exchange.
#[derive(Debug)]
pub(super) struct Scram {
    hash: Hash,
    credentials: Credentials,
    binding: Option<ChannelBinding>,
    nonce: String,
    stage: Stage,
    iterations: Option<u32>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing said yet.
    First,
    /// Our first message is out.
    Challenge { client_first: String },
    /// Our proof is out; what the server must answer.
    Verify { server_signature: SecretBytes },
    /// The server has proved itself.
    Verified,
    /// The server has named its refusal; only its reply code may follow.
    Refused,
}

impl Scram {
    pub(super) const fn new(
        hash: Hash,
        credentials: Credentials,
        binding: Option<ChannelBinding>,
        nonce: String,
    ) -> Self {
        Self { hash, credentials, binding, nonce, stage: Stage::First, iterations: None }
    }

    /// Iterations the server asked for.
    pub(super) const fn iterations(&self) -> Option<u32> {
        self.iterations
    }

    /// Whether a success may count: our proof is out and the server's was right.
    pub(super) const fn finished(&self) -> Result<(), SaslError> {
        match self.stage {
            Stage::First | Stage::Challenge { .. } => Err(SaslError::TooEarly),
            Stage::Verify { .. } | Stage::Refused => Err(SaslError::NoServerSignature),
            Stage::Verified => Ok(()),
        }
    }

    /// The client-first-message.
    pub(super) fn initial(&mut self) -> Result<SecretBytes, SaslError> {
        let user = saslname(&prepared(&self.credentials.user)?);
        let client_first = format!("n={user},r={}", self.nonce);
        let message = format!("{}{client_first}", self.gs2_header()?);
        self.stage = Stage::Challenge { client_first };
        Ok(Zeroizing::new(message.into_bytes()))
    }

    /// The answer to a challenge: the proof, then nothing once the server's own proof is
    /// checked.
    pub(super) fn respond(&mut self, challenge: &[u8]) -> Result<SecretBytes, SaslError> {
        let challenge = str::from_utf8(challenge).map_err(|_| SaslError::Malformed("is not UTF-8"))?;
        match std::mem::replace(&mut self.stage, Stage::Refused) {
            // The first message is wanted separately: the challenge is empty.
            Stage::First => self.initial(),
            Stage::Challenge { client_first } => self.prove(&client_first, challenge),
            Stage::Verify { server_signature } => self.verify(&server_signature, challenge),
            Stage::Verified | Stage::Refused => Err(SaslError::TooManyChallenges),
        }
    }

    /// `p=` names the binding; `n` says that we do none. Never `y`: it claims that the
    /// server cannot bind, which is a lie wherever -PLUS is offered.
    fn gs2_header(&self) -> Result<String, SaslError> {
        let binding = match &self.binding {
            Some(binding) => format!("p={}", binding.name()),
            None => "n".to_owned(),
        };
        let authzid = match self.credentials.authzid.as_str() {
            "" => String::new(),
            authzid => format!("a={}", saslname(&prepared(authzid)?)),
        };
        Ok(format!("{binding},{authzid},"))
    }

    fn prove(&mut self, client_first: &str, server_first: &str) -> Result<SecretBytes, SaslError> {
        let Challenge { nonce, salt, iterations } = Challenge::parse(server_first)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(SaslError::Malformed("does not continue our nonce"));
        }
        self.iterations = Some(iterations.get());
        if iterations.get() > MOST_ITERATIONS {
            return Err(SaslError::Malformed("asks for an absurd number of iterations"));
        }
        let mut binding = self.gs2_header()?.into_bytes();
        binding.extend_from_slice(self.binding.as_ref().map(ChannelBinding::data).unwrap_or_default());
        let without_proof = format!("c={},r={nonce}", BASE64.encode(&binding));
        let auth_message = format!("{client_first},{server_first},{without_proof}");

        let salted = self.salted_password(&salt, iterations)?;
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let client_signature = self.hmac(stored_key.as_ref(), auth_message.as_bytes());
        let keys = client_key.as_ref().iter().zip(client_signature.as_ref());
        let proof: SecretBytes = Zeroizing::new(keys.map(|(key, signature)| key ^ signature).collect());
        let server_key = self.hmac(&salted, b"Server Key");
        let server_signature = self.hmac(server_key.as_ref(), auth_message.as_bytes());
        self.stage = Stage::Verify { server_signature: Zeroizing::new(server_signature.as_ref().to_vec()) };
        Ok(Zeroizing::new(format!("{without_proof},p={}", BASE64.encode(proof.as_slice())).into_bytes()))
    }

    fn verify(&mut self, expected: &[u8], server_final: &str) -> Result<SecretBytes, SaslError> {
        match server_final.split(',').next().unwrap_or_default().split_once('=') {
            Some(("v", signature)) => {
                let signature = BASE64.decode(signature).map_err(|_| SaslError::NotBase64)?;
                // No secret of ours depends on how long this takes: both sides know it.
                if signature != expected {
                    return Err(SaslError::WrongServerSignature);
                }
                self.stage = Stage::Verified;
                Ok(SecretBytes::default())
            }
            // RFC 5802 section 7: the server names its refusal; its reply code follows.
            Some(("e", _)) => {
                self.stage = Stage::Refused;
                Ok(SecretBytes::default())
            }
            _ => Err(SaslError::NoServerSignature),
        }
    }

    fn salted_password(&self, salt: &[u8], iterations: NonZeroU32) -> Result<SecretBytes, SaslError> {
        let password = str::from_utf8(&self.credentials.password).map_err(|_| SaslError::Unpreparable)?;
        let password = Zeroizing::new(prepared(password)?);
        let mut salted = Zeroizing::new(vec![0; self.hash.digest().output_len()]);
        pbkdf2::derive(self.hash.pbkdf2(), iterations, salt, password.as_bytes(), &mut salted);
        Ok(salted)
    }

    fn hmac(&self, key: &[u8], message: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hash.hmac(), key), message)
    }
}

impl Hash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        }
    }

    const fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        }
    }

    const fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }
}

/// The server-first-message.
struct Challenge {
    nonce: String,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl Challenge {
    /// `r=NONCE,s=SALT,i=ITERATIONS`, in this order; extensions behind are ignored, a
    /// mandatory one (`m=`) stands in front and is refused with everything else there.
    fn parse(message: &str) -> Result<Self, SaslError> {
        let mut attributes = message.split(',');
        let mut value = |name: &str, missing: &'static str| {
            let attribute = attributes.next().and_then(|attribute| attribute.split_once('='));
            let named = attribute.filter(|(key, _)| *key == name).map(|(_, value)| value);
            named.ok_or(SaslError::Malformed(missing))
        };
        let nonce = value("r", "carries no nonce")?.to_owned();
        let salt = BASE64.decode(value("s", "carries no salt")?).map_err(|_| SaslError::NotBase64)?;
        let iterations = value("i", "carries no iteration count")?;
        let iterations =
            iterations.parse().map_err(|_| SaslError::Malformed("has no number of iterations"))?;
        if salt.is_empty() {
            Err(SaslError::Malformed("has an empty salt"))
        } else {
            Ok(Self { nonce, salt, iterations })
        }
    }
}

/// RFC 5802 section 5.1: `=` and `,` have a meaning of their own.
fn saslname(text: &str) -> String {
    text.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scram(hash: Hash, nonce: &str) -> Scram {
        let password = Zeroizing::new(b"pencil".to_vec());
        let credentials = Credentials { user: "user".into(), password, ..Credentials::default() };
        Scram::new(hash, credentials, None, nonce.into())
    }

    fn text(bytes: Result<SecretBytes, SaslError>) -> String {
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    /// The example of RFC 5802 section 5.
    #[test]
    fn sha_1_is_rfc_5802() {
        let mut scram = scram(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL");
        assert_eq!(text(scram.initial()), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        assert_eq!(
            text(scram.respond(first)),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        assert_eq!(scram.finished(), Err(SaslError::NoServerSignature), "a success now is none");
        assert_eq!(text(scram.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")), "");
        assert_eq!(scram.finished(), Ok(()));
        assert_eq!(scram.iterations(), Some(4096));
        assert_eq!(scram.respond(b""), Err(SaslError::TooManyChallenges));
    }

    /// The example of RFC 7677 section 3.
    #[test]
    fn sha_256_is_rfc_7677() {
        let mut scram = scram(Hash::Sha256, "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.finished(), Err(SaslError::TooEarly));
        let _ = scram.initial();
        let first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            text(scram.respond(first)),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(text(scram.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")), "");
        assert_eq!(scram.finished(), Ok(()));
    }

    #[test]
    fn a_server_that_cannot_prove_itself_is_refused() {
        let mut impostor = scram(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL");
        let _ = impostor.initial();
        let _ = impostor.respond(b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=4096");
        assert_eq!(impostor.respond(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), Err(SaslError::WrongServerSignature));
        assert!(impostor.finished().is_err());
        let mut silent = scram(Hash::Sha1, "abc");
        let _ = silent.initial();
        let _ = silent.respond(b"r=abcd,s=QSXCR+Q6sek8bf92,i=1");
        assert_eq!(silent.respond(b""), Err(SaslError::NoServerSignature));
    }

    #[test]
    fn a_refusal_is_answered_once() {
        let mut scram = scram(Hash::Sha1, "abc");
        let _ = scram.initial();
        let _ = scram.respond(b"r=abcd,s=QSXCR+Q6sek8bf92,i=1");
        assert_eq!(text(scram.respond(b"e=invalid-proof")), "");
        assert_eq!(scram.respond(b"e=invalid-proof"), Err(SaslError::TooManyChallenges));
        assert!(scram.finished().is_err());
    }

    #[test]
    fn broken_challenges_are_named() {
        for challenge in [
            &b"r=other,s=QSXCR+Q6sek8bf92,i=4096"[..],
            b"r=abc,s=QSXCR+Q6sek8bf92,i=4096",
            b"s=QSXC,r=abcd,i=1",
            b"m=x,r=abcd,s=QSXC,i=1",
            b"r=abcd,s=,i=1",
            b"r=abcd,s=QSXC,i=0",
            b"r=abcd,s=QSXC,i=-1",
            b"r=abcd,s=QSXC,i=4294967295",
            b"r=abcd,s=!,i=1",
            b"r=abcd",
            b"",
            b"\xff",
        ] {
            let mut scram = scram(Hash::Sha1, "abc");
            let _ = scram.initial();
            assert!(scram.respond(challenge).is_err(), "{}", String::from_utf8_lossy(challenge));
        }
    }

    #[test]
    fn binding_and_authzid_stand_in_the_header() {
        let credentials = Credentials { user: "u=,".into(), authzid: "a,b".into(), ..Credentials::default() };
        let binding = ChannelBinding::TlsExporter(vec![1, 2, 3]);
        let mut scram = Scram::new(Hash::Sha256, credentials, Some(binding), "abc".into());
        assert_eq!(text(scram.initial()), "p=tls-exporter,a=a=2Cb,n=u=3D=2C,r=abc");
        let proof = text(scram.respond(b"r=abcd,s=QSXC,i=1"));
        let bound = proof.strip_prefix("c=").unwrap().split(',').next().unwrap();
        assert_eq!(BASE64.decode(bound).unwrap(), b"p=tls-exporter,a=a=2Cb,\x01\x02\x03");
    }

    proptest! {
        #[test]
        fn any_challenges_are_answered_or_refused(challenges in prop::collection::vec(any::<Vec<u8>>(), 3)) {
            let mut scram = scram(Hash::Sha256, "abc");
            let _ = scram.initial();
            for challenge in challenges {
                let _ = scram.respond(&challenge);
            }
            prop_assert!(scram.finished().is_err());
        }
    }
}
