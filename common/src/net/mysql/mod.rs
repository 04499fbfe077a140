//! A MySQL or MariaDB server as something to ask: log in, send a statement, get rows.
//!
//! The conversation is the crate `mysql`'s. Around it stands what that crate leaves open:
//! one deadline over everything (its own time limits start anew with each read), bounded
//! answers, the choice between TLS and none, and words for what went wrong.

mod error;
mod explain;
mod login;
mod row;
mod session;
mod worker;

pub use error::{MysqlError, MysqlTrouble};
pub use login::{Login, Place, SslMode, Tls};
pub use row::Row;
pub use session::{Server, Session};
