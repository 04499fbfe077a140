//! Text that means nothing to anybody: new each time, or one and the same for a domain.

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::error::ProbeError;

/// 128 bits nobody can guess, as 32 hex digits: a nonce, an unlikely user name.
pub fn nonce() -> Result<String, ProbeError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ProbeError::local("cannot get random numbers from the system"))?;
    Ok(hex(&bytes))
}

/// The local part of somebody whom a domain does not have, as 32 hex digits: in each run the same,
/// so that a server with greylisting (RFC 6647) gets to know it, and for each domain another.
#[must_use]
pub fn nobody_at(domain: &str) -> String {
    let named = format!("Vedette: nobody at {}", domain.to_lowercase());
    let bytes = digest(&SHA256, named.as_bytes());
    hex(bytes.as_ref().get(..16).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_the_same_each_time_and_another_elsewhere() {
        // Servers remember it: this figure must stay.
        assert_eq!(nobody_at("lab.test"), "f3b4ddd3190a724a06591e696e269820");
        assert_eq!(nobody_at("LAB.test"), nobody_at("lab.test"));
        assert_ne!(nobody_at("lab.test"), nobody_at("mail.lab.test"));
        assert_ne!(nonce().unwrap(), nonce().unwrap());
        assert_eq!([nonce().unwrap().len(), nobody_at("").len()], [32, 32]);
    }
}
