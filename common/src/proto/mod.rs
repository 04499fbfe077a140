//! Codecs and state machines without I/O: they know no sockets, no options, no states.

pub mod glob;
pub mod redact;
pub mod text;

#[cfg(feature = "dns")]
pub mod dns;

#[cfg(feature = "tcp")]
pub mod address;
#[cfg(feature = "tcp")]
pub mod names;
#[cfg(feature = "tcp")]
pub mod proxy;

#[cfg(feature = "mysql")]
pub mod mysql;

#[cfg(feature = "sasl")]
pub mod sasl;

#[cfg(feature = "smtp")]
pub mod smtp;

/// Bytes that may carry a secret and are wiped after use.
pub type SecretBytes = zeroize::Zeroizing<Vec<u8>>;
