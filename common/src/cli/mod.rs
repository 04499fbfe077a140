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
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "smtp")]
mod smtp;
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
pub use dns::{DnsArgs, ResolverArgs};

#[cfg(feature = "mysql")]
pub use mysql::{MysqlArgs, source_login};

#[cfg(feature = "smtp")]
pub use smtp::{DeliveryConnector, DeliveryTls, DeliveryTlsArgs, SmtpArgs};

#[cfg(feature = "tls")]
pub use tls::{CertificateArgs, TlsArgs, TlsMode};
