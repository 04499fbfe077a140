//! I/O under one deadline. Every call ends in time, and every failure says what was
//! being done.

mod at_once;
mod deadline;
mod error;
mod phase;
mod secret;

#[cfg(feature = "tcp")]
pub mod poll;
#[cfg(feature = "sasl")]
pub mod random;
#[cfg(feature = "tcp")]
mod resolve;
#[cfg(feature = "tcp")]
mod tcp;

#[cfg(feature = "dns")]
pub mod dns;

#[cfg(feature = "mysql")]
pub mod mysql;

#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "smtp")]
pub mod smtp;

pub use at_once::at_once;
pub use deadline::Deadline;
pub use error::{ProbeError, Trouble, cause};
pub use phase::Phase;
pub use secret::{SecretBytes, read_first_line, read_secret_descriptor, read_secret_file};

#[cfg(feature = "tcp")]
pub use resolve::{Family, resolve};
#[cfg(feature = "tcp")]
pub use tcp::{Attempt, Connected, TimedStream, connect, connect_unix};
