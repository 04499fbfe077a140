//! DIGEST-MD5 (RFC 2831, obsoleted by RFC 6331): still met on old servers.

use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::{Credentials, SaslError, SecretBytes, hex};

/// One exchange.
#[derive(Debug)]
pub(super) struct DigestMd5 {
    credentials: Credentials,
    /// `smtp/host`, what the server believes to serve.
    digest_uri: String,
    client_nonce: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    First,
    /// Our digest is out; what the server must answer.
    Verify {
        expected: String,
    },
    Verified,
}

impl DigestMd5 {
    pub(super) const fn new(credentials: Credentials, digest_uri: String, client_nonce: String) -> Self {
        Self { credentials, digest_uri, client_nonce, stage: Stage::First }
    }

    /// Whether a success may count: our digest is out and the server's was right.
    pub(super) const fn finished(&self) -> Result<(), SaslError> {
        match self.stage {
            Stage::First => Err(SaslError::TooEarly),
            Stage::Verify { .. } => Err(SaslError::NoServerSignature),
            Stage::Verified => Ok(()),
        }
    }

    pub(super) fn respond(&mut self, challenge: &[u8]) -> Result<SecretBytes, SaslError> {
        let challenge = str::from_utf8(challenge).map_err(|_| SaslError::Malformed("is not UTF-8"))?;
        match &self.stage {
            Stage::First => self.prove(challenge),
            Stage::Verify { expected } => {
                let fields = fields(challenge)?;
                match fields.iter().find(|(name, _)| name == "rspauth") {
                    Some((_, shown)) if shown == expected => {
                        self.stage = Stage::Verified;
                        Ok(SecretBytes::default())
                    }
                    Some(_) => Err(SaslError::WrongServerSignature),
                    None => Err(SaslError::NoServerSignature),
                }
            }
            Stage::Verified => Err(SaslError::TooManyChallenges),
        }
    }

    fn prove(&mut self, challenge: &str) -> Result<SecretBytes, SaslError> {
        let fields = fields(challenge)?;
        let field =
            |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let nonce = field("nonce").ok_or(SaslError::Malformed("carries no nonce"))?;
        if field("algorithm") != Some("md5-sess") {
            return Err(SaslError::Malformed("asks for another algorithm than md5-sess"));
        }
        let offered = field("qop").unwrap_or("auth");
        if !offered.split(',').any(|qop| qop.trim() == "auth") {
            return Err(SaslError::Malformed("offers no quality of protection we have"));
        }
        let quotable = |text: &str| !text.contains(['"', '\\']);
        // RFC 2831 section 2.1.2: the first realm, as nobody is there to choose.
        let realm = field("realm").unwrap_or_default();
        let Credentials { user, authzid, .. } = &self.credentials;
        if ![user.as_str(), authzid, realm, nonce].into_iter().all(quotable) {
            return Err(SaslError::Unpreparable);
        }
        let secret = self.session_key(realm, nonce);
        let digest = |prefix: &str| {
            let request = md5_hex(format!("{prefix}:{}", self.digest_uri).as_bytes());
            let text = format!("{nonce}:00000001:{}:auth:{request}", self.client_nonce);
            md5_hex(format!("{}:{text}", secret.as_str()).as_bytes())
        };
        let charset = if field("charset") == Some("utf-8") { "charset=utf-8," } else { "" };
        let realm = if realm.is_empty() { String::new() } else { format!("realm=\"{realm}\",") };
        let authzid = match self.credentials.authzid.as_str() {
            "" => String::new(),
            authzid => format!(",authzid=\"{authzid}\""),
        };
        let message = format!(
            "{charset}username=\"{}\",{realm}nonce=\"{nonce}\",nc=00000001,cnonce=\"{}\",digest-uri=\"{}\",\
             response={},qop=auth{authzid}",
            self.credentials.user,
            self.client_nonce,
            self.digest_uri,
            digest("AUTHENTICATE"),
        );
        let expected = digest("");
        self.stage = Stage::Verify { expected };
        Ok(Zeroizing::new(message.into_bytes()))
    }

    /// RFC 2831 section 2.1.2.1: HEX(H(A1)).
    fn session_key(&self, realm: &str, nonce: &str) -> Zeroizing<String> {
        let Credentials { user, authzid, password, .. } = &self.credentials;
        let mut inner = Md5::new();
        inner.update(format!("{user}:{realm}:").as_bytes());
        inner.update(password.as_slice());
        let mut outer = Md5::new();
        outer.update(inner.finalize());
        outer.update(format!(":{nonce}:{}", self.client_nonce).as_bytes());
        if !authzid.is_empty() {
            outer.update(format!(":{authzid}").as_bytes());
        }
        Zeroizing::new(hex(&outer.finalize()))
    }
}

fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// `name=value` or `name="quoted"`, separated by commas. At most 64 of them.
fn fields(text: &str) -> Result<Vec<(String, String)>, SaslError> {
    let broken = || SaslError::Malformed("is not a list of name=value");
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && found.len() < 64 {
        let (name, behind) = rest.split_once('=').ok_or_else(broken)?;
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted).ok_or_else(broken)?,
            None => {
                let end = behind.find(',').unwrap_or(behind.len());
                let (value, behind) = behind.split_at(end);
                (value.trim().to_owned(), behind)
            }
        };
        found.push((name.trim().to_ascii_lowercase(), value));
        rest = behind.trim_start().trim_start_matches([',', ' ']);
    }
    Ok(found)
}

/// The text up to the closing quote, backslashes undone, and what is behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest() -> DigestMd5 {
        let password = Zeroizing::new(b"secret".to_vec());
        let credentials = Credentials { user: "chris".into(), password, ..Credentials::default() };
        DigestMd5::new(credentials, "imap/elwood.innosoft.com".into(), "OA6MHXh6VqTrRk".into())
    }

    const CHALLENGE: &[u8] =
        br#"realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8"#;

    /// The example of RFC 2831 section 4.
    #[test]
    fn digest_md5_is_rfc_2831() {
        let mut digest = digest();
        let message = String::from_utf8(digest.respond(CHALLENGE).unwrap().to_vec()).unwrap();
        assert_eq!(
            message,
            "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,\
             cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",\
             response=d388dad90d4bbd760a152321f2143af7,qop=auth"
        );
        assert_eq!(digest.finished(), Err(SaslError::NoServerSignature));
        assert!(digest.respond(b"rspauth=ea40f60335c427b5527b84dbabcdfffd").unwrap().is_empty());
        assert_eq!(digest.finished(), Ok(()));
    }

    #[test]
    fn an_impostor_and_broken_challenges_are_refused() {
        let mut impostor = digest();
        let _ = impostor.respond(CHALLENGE);
        let wrong = impostor.respond(b"rspauth=00000000000000000000000000000000");
        assert_eq!(wrong, Err(SaslError::WrongServerSignature));
        for challenge in [
            &b"nonce"[..],
            b"realm=\"x",
            b"qop=\"auth\",algorithm=md5-sess",
            b"nonce=\"a\",algorithm=sha-1",
            b"nonce=\"a\",algorithm=md5-sess,qop=\"auth-conf\"",
            b"\xff",
            b"",
        ] {
            assert!(digest().respond(challenge).is_err(), "{}", String::from_utf8_lossy(challenge));
        }
    }

    #[test]
    fn quoting_is_undone() {
        let read = fields(r#"a="x\"y\\z" , b=1,,c="," "#).unwrap();
        let flat: Vec<(&str, &str)> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(flat, [("a", r#"x"y\z"#), ("b", "1"), ("c", ",")]);
    }

    proptest! {
        #[test]
        fn any_challenge_ends(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            let _ = digest().respond(&bytes);
            let _ = digest().respond(text.as_bytes());
        }
    }
}
