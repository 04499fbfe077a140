//! Randomness from the system, as text.

use ring::rand::{SecureRandom as _, SystemRandom};

use super::error::ProbeError;

/// 128 bits nobody can guess, as 32 hex digits: a nonce, an unlikely user name.
pub fn nonce() -> Result<String, ProbeError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ProbeError::local("cannot get random numbers from the system"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
