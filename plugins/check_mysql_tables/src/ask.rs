//! The one thing this check wants of a connection: rows for a statement.

use std::time::Duration;

use common::net::ProbeError;
use common::net::mysql::{MysqlError, MysqlTrouble, Row, Session};

/// Why there are no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskError {
    /// The server said no, with a number and words.
    Server { number: u16, text: String, as_probe: ProbeError },
    /// The connection is gone.
    Lost(ProbeError),
    /// The time of the run is over.
    TimedOut(ProbeError),
    /// Anything else.
    Other(ProbeError),
}

impl From<AskError> for ProbeError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Server { as_probe: error, .. }
            | AskError::Lost(error)
            | AskError::TimedOut(error)
            | AskError::Other(error) => error,
        }
    }
}

/// A connection to a server.
pub(crate) trait Ask {
    fn rows(&mut self, sql: &str) -> Result<Vec<Row>, AskError>;

    /// The same, but leaves time for what has to be remembered when the answer does not come.
    fn rows_early(&mut self, sql: &str) -> Result<Vec<Row>, AskError>;
}

/// To write two files down to the disk, on a machine that is busy.
const TIME_TO_REMEMBER: Duration = Duration::from_millis(500);

impl Ask for Session {
    fn rows(&mut self, sql: &str) -> Result<Vec<Row>, AskError> {
        Self::rows(self, sql).map_err(AskError::from)
    }

    fn rows_early(&mut self, sql: &str) -> Result<Vec<Row>, AskError> {
        let deadline = self.deadline();
        let kept = TIME_TO_REMEMBER.min(deadline.limit() / 4);
        let early = deadline.shortened(deadline.limit().saturating_sub(kept));
        self.rows_before(sql, &early).map_err(AskError::from)
    }
}

impl From<MysqlError> for AskError {
    fn from(error: MysqlError) -> Self {
        match (error.trouble, error.code) {
            (_, Some(number)) => {
                Self::Server { number, text: error.words.unwrap_or_default(), as_probe: error.error }
            }
            (MysqlTrouble::Lost | MysqlTrouble::Refused, None) => Self::Lost(error.error),
            (MysqlTrouble::Timeout, None) => Self::TimedOut(error.error),
            (_, None) => Self::Other(error.error),
        }
    }
}

/// The value of a column, empty when it is NULL or missing.
pub(crate) fn text(row: &Row, column: &str) -> String {
    row.get(column).unwrap_or_default().to_owned()
}

/// A whole number, if that is what the column holds.
pub(crate) fn number<T: std::str::FromStr>(row: &Row, column: &str) -> Option<T> {
    row.get(column)?.parse().ok()
}
