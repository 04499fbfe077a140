//! Bearer tokens: OAUTHBEARER (RFC 7628) and its older sister XOAUTH2.

use zeroize::Zeroizing;

use super::{Credentials, SecretBytes};

/// RFC 7628 section 3.1: GS2 header, then key-value pairs between 0x01 bytes.
pub(super) fn oauthbearer(credentials: &Credentials, host: &str, port: u16) -> SecretBytes {
    let identity = if credentials.authzid.is_empty() { &credentials.user } else { &credentials.authzid };
    let identity = identity.replace('=', "=3D").replace(',', "=2C");
    let head = format!("n,a={identity},\x01host={host}\x01port={port}\x01auth=Bearer ");
    joined(head.as_bytes(), &credentials.token)
}

/// `user=` and `auth=Bearer`, as Google published it in 2012.
pub(super) fn xoauth2(credentials: &Credentials) -> SecretBytes {
    joined(format!("user={}\x01auth=Bearer ", credentials.user).as_bytes(), &credentials.token)
}

fn joined(head: &[u8], token: &[u8]) -> SecretBytes {
    let mut message = Zeroizing::new(Vec::with_capacity(head.len() + token.len() + 2));
    message.extend_from_slice(head);
    message.extend_from_slice(token);
    message.extend_from_slice(b"\x01\x01");
    message
}

/// The `status` of the JSON error a server sends as its challenge (RFC 7628 section 3.2.2),
/// if it can be read.
#[must_use]
pub(super) fn error_status(challenge: &[u8]) -> Option<String> {
    let error: serde_json::Value = serde_json::from_slice(challenge).ok()?;
    match error.get("status")? {
        serde_json::Value::String(status) => Some(status.clone()),
        serde_json::Value::Number(status) => Some(status.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credentials() -> Credentials {
        let token = Zeroizing::new(b"vF9dft4qmT".to_vec());
        Credentials { user: "user@example.com".into(), token, ..Credentials::default() }
    }

    /// The example of RFC 7628 section 4.1.
    #[test]
    fn oauthbearer_is_rfc_7628() {
        assert_eq!(
            oauthbearer(&credentials(), "server.example.com", 143).as_slice(),
            b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmT\x01\x01"
        );
    }

    #[test]
    fn xoauth2_is_as_published() {
        assert_eq!(
            xoauth2(&credentials()).as_slice(),
            b"user=user@example.com\x01auth=Bearer vF9dft4qmT\x01\x01"
        );
    }

    #[test]
    fn the_status_is_found_or_not() {
        assert_eq!(
            error_status(br#"{"status":"invalid_token","scope":"x"}"#).as_deref(),
            Some("invalid_token")
        );
        assert_eq!(error_status(br#"{"status":400}"#).as_deref(), Some("400"));
        assert_eq!(error_status(b"{}"), None);
        assert_eq!(error_status(b"no"), None);
    }

    proptest! {
        #[test]
        fn any_error_is_read(bytes in any::<Vec<u8>>()) {
            let _ = error_status(&bytes);
        }
    }
}
