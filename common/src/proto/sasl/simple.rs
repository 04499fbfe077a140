//! Messages of PLAIN (RFC 4616) and CRAM-MD5 (RFC 2195).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use zeroize::Zeroizing;

use super::{Credentials, SecretBytes};

/// RFC 4616: authzid NUL authcid NUL password.
pub(super) fn plain(credentials: &Credentials) -> SecretBytes {
    let parts = [credentials.authzid.as_bytes(), credentials.user.as_bytes(), &credentials.password];
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
pub(super) fn cram_md5(credentials: &Credentials, challenge: &[u8]) -> SecretBytes {
    let mut response = format!("{} ", credentials.user);
    // HMAC takes keys of any length; the branch is there because the type says so.
    if let Ok(mut mac) = <Hmac<Md5>>::new_from_slice(&credentials.password) {
        mac.update(challenge);
        response.push_str(&super::hex(&mac.finalize().into_bytes()));
    }
    Zeroizing::new(response.into_bytes())
}
