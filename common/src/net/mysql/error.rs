//! What went wrong with a server, in words for the operator and with a kind for the state.

use std::io;

use serde::{Deserialize, Serialize};

use crate::net::{Phase, ProbeError, Trouble};
use crate::proto::mysql::code::{self, CodeClass};

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MysqlTrouble {
    /// Something of ours: a file, an option.
    Local,
    /// The host's name does not resolve.
    Unresolved,
    /// Nothing could be reached.
    Refused,
    /// User, password, host or kind of login are not accepted.
    Denied,
    /// Logged in, but a privilege is missing.
    Privilege,
    /// No room for us now: too many connections, shutting down, host blocked.
    Busy,
    /// TLS is missing where it must be, or fails.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The server went away.
    Lost,
    /// The server answers with an error of another kind.
    Server,
    /// Something speaks there, but not MySQL.
    NotMysql,
    /// MySQL, but against its protocol.
    Protocol,
    /// An error of this program.
    Internal,
}

/// A failure with the server's number and words, where it has said something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct MysqlError {
    /// Its kind.
    pub trouble: MysqlTrouble,
    /// The server's error number.
    pub code: Option<u16>,
    /// The server's own words.
    pub words: Option<String>,
    /// Sentence, hint and phase.
    pub error: ProbeError,
}

/// The server's words in a sentence: longer ones tell nothing more.
const LONGEST_WORDS: usize = 128;

impl MysqlError {
    /// A failure of a kind.
    pub fn new(trouble: MysqlTrouble, phase: Phase, text: impl Into<String>) -> Self {
        let error = ProbeError::new(trouble.general(), phase, text);
        Self { trouble, code: None, words: None, error }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    /// Whether the server does not know the statement.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.code == Some(code::SYNTAX)
    }

    /// An error packet of the server. `object` is what was wanted: `log in to a:3306 as mon`.
    pub(super) fn from_server(number: u16, words: &str, phase: Phase, object: &str) -> Self {
        let trouble = match code::class(number) {
            CodeClass::Denied => MysqlTrouble::Denied,
            CodeClass::Privilege => MysqlTrouble::Privilege,
            CodeClass::Busy => MysqlTrouble::Busy,
            CodeClass::WantsTls => MysqlTrouble::Tls,
            CodeClass::Syntax | CodeClass::Other => MysqlTrouble::Server,
        };
        let text = format!("cannot {object}: {} (error {number})", quoted(words));
        let error =
            Self { code: Some(number), words: Some(words.to_owned()), ..Self::new(trouble, phase, text) };
        match hint(number) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl MysqlTrouble {
    /// The kind as every plugin knows it, and so its state.
    #[must_use]
    pub const fn general(self) -> Trouble {
        match self {
            Self::Local | Self::Privilege => Trouble::Local,
            Self::Unresolved => Trouble::Unresolved,
            Self::Refused | Self::Lost => Trouble::Unreachable,
            Self::Denied => Trouble::Denied,
            Self::Busy => Trouble::Temporary,
            Self::Tls => Trouble::Tls,
            Self::Timeout => Trouble::Timeout,
            Self::Server => Trouble::Incomplete,
            Self::NotMysql | Self::Protocol => Trouble::Protocol,
            Self::Internal => Trouble::Internal,
        }
    }

    const fn of(general: Trouble) -> Self {
        match general {
            Trouble::Local => Self::Local,
            Trouble::Unresolved => Self::Unresolved,
            Trouble::Unreachable => Self::Refused,
            Trouble::Timeout => Self::Timeout,
            Trouble::Tls => Self::Tls,
            Trouble::Protocol => Self::Protocol,
            Trouble::Temporary => Self::Busy,
            Trouble::Denied => Self::Denied,
            Trouble::Incomplete => Self::Server,
            Trouble::Internal => Self::Internal,
        }
    }
}

impl From<ProbeError> for MysqlError {
    fn from(error: ProbeError) -> Self {
        Self { trouble: MysqlTrouble::of(error.trouble), code: None, words: None, error }
    }
}

impl From<MysqlError> for ProbeError {
    fn from(error: MysqlError) -> Self {
        error.error
    }
}

/// What the numbers of a login mean to the operator.
const fn hint(number: u16) -> Option<&'static str> {
    Some(match number {
        code::ACCESS_DENIED => {
            "check user and password; an account with REQUIRE SSL also answers so without --ssl-mode required"
        }
        1698 => "this account logs in by another plugin, such as unix_socket, or needs a password",
        1820 | 1862 => "the password has expired: ALTER USER ... IDENTIFIED BY ...",
        3118 | 4151 => "the account is locked: ALTER USER ... ACCOUNT UNLOCK",
        code::TOO_MANY_CONNECTIONS => "SHOW PROCESSLIST tells who holds them; max_connections sets the limit",
        code::HOST_BLOCKED => {
            "FLUSH HOSTS or TRUNCATE TABLE performance_schema.host_cache on the server unblocks this host"
        }
        code::HOST_NOT_ALLOWED => "CREATE USER with the name or address this host comes from",
        code::SECURE_TRANSPORT_REQUIRED => "--ssl-mode required",
        _ => return None,
    })
}

/// The server's words in quotes, not too many.
pub(super) fn quoted(words: &str) -> String {
    match words.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("\"{}...\"", words.get(..end).unwrap_or_default()),
        None => format!("\"{words}\""),
    }
}

/// Whether a socket's time was over.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use MysqlTrouble::{Busy, Denied, Privilege, Server, Tls};

    #[test]
    fn numbers_have_their_kind() {
        for (number, want) in [
            (1045, Denied),
            (1044, Denied),
            (1130, Denied),
            (1227, Privilege),
            (1142, Privilege),
            (1040, Busy),
            (1129, Busy),
            (1053, Busy),
            (3159, Tls),
            (1064, Server),
            (1146, Server),
        ] {
            let error = MysqlError::from_server(number, "no", Phase::Querying, "ask");
            assert_eq!(error.trouble, want, "{number}");
            assert_eq!(error.to_string(), format!("cannot ask: \"no\" (error {number})"));
        }
    }

    #[test]
    fn kinds_give_the_states_of_every_plugin() {
        // Denied and missing privileges are UNKNOWN, a full server is CRITICAL.
        assert_eq!(Denied.general(), Trouble::Denied);
        assert_eq!(Privilege.general(), Trouble::Local);
        assert_eq!(Busy.general(), Trouble::Temporary);
        let there_and_back: ProbeError = MysqlError::from(ProbeError::closed(Phase::Querying)).into();
        assert_eq!(there_and_back, ProbeError::closed(Phase::Querying));
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(quoted(&"é".repeat(200)).chars().count(), LONGEST_WORDS + 5);
        assert_eq!(quoted("short"), "\"short\"");
    }
}
