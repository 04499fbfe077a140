//! Codecs and state machines without I/O: they know no sockets, no options, no states.

pub mod text;

#[cfg(feature = "tcp")]
pub mod names;

#[cfg(feature = "sasl")]
pub mod sasl;

#[cfg(feature = "smtp")]
pub mod smtp;
