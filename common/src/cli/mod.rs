//! Option groups with the same names, letters and help text in every plugin, and the way
//! from argv to a plugin's options.

mod credentials;
mod extra_opts;
mod parse;
mod run;
mod target;
mod thresholds;
mod usage;

#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "tls")]
mod tls;

pub use credentials::{CredentialArgs, PasswordArgs, unspeakable};
pub use parse::{Parsed, parse};
pub use run::{OutputFormat, RunArgs, StateMap, TemporaryArgs};
pub use thresholds::TimeThresholdArgs;
pub use usage::{BadValue, UsageError};

#[cfg(feature = "tcp")]
pub use target::{FamilyArgs, TargetArgs};

#[cfg(feature = "dns")]
pub use dns::DnsArgs;

#[cfg(feature = "tls")]
pub use tls::{CertificateArgs, TlsArgs, TlsMode};
