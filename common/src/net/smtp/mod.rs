//! SMTP (RFC 5321) as a client speaks it: the dialogue, and the way into it.

mod client;
mod knock;
mod opening;

pub use client::{Farewell, SmtpClient, StarttlsFailure};
pub use knock::{Knock, knock};
pub use opening::{Encryption, Hello, Manner, Opening, OpeningTimes, Peer, Step, Stop, Way};
