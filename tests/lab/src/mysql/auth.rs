//! What a client proves its password with: `mysql_native_password` and `caching_sha2_password`. Both sides need the
//! same sums, for the lab's server knows the password.

use std::iter::zip;

use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// The plugin of old, and still MariaDB's.
pub(crate) const NATIVE: &str = "mysql_native_password";
/// That of MySQL.
pub(crate) const CACHING_SHA2: &str = "caching_sha2_password";

/// Answer to the server's salt (20 bytes); empty for an empty password. `None` for another plugin.
pub(crate) fn scramble(plugin: &str, password: &str, salt: &[u8]) -> Option<Vec<u8>> {
    if !matches!(plugin, NATIVE | CACHING_SHA2) {
        return None;
    }
    if password.is_empty() {
        return Some(Vec::new());
    }
    let password = password.as_bytes();
    Some(if plugin == NATIVE {
        let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
        let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
        xor(&once, &digest(&SHA1_FOR_LEGACY_USE_ONLY, &[salt, &twice]))
    } else {
        let once = digest(&SHA256, &[password]);
        let twice = digest(&SHA256, &[&once]);
        xor(&once, &digest(&SHA256, &[&twice, salt]))
    })
}

/// Each byte with that of the key, which begins again at its end.
pub(crate) fn xor(bytes: &[u8], key: &[u8]) -> Vec<u8> {
    zip(bytes, key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}
