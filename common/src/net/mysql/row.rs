//! Rows by the names of their columns.

use serde::{Deserialize, Serialize};

/// One row of an answer: its columns with their values, in the order of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row(Vec<(String, Option<String>)>);

impl Row {
    /// The value of a column, its name in any case; `None` when it is NULL or there is none.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        self.find(column).and_then(|(_, value)| value.as_deref())
    }

    /// Whether there is such a column, NULL or not.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.find(column).is_some()
    }

    /// Columns with their values, in the order of the server.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    fn find(&self, column: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(column))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, Option<V>)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, Option<V>)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_in_any_case_and_null_is_none() {
        let row: Row = [("Channel_Name", Some("west")), ("Lag", None)].into_iter().collect();
        assert_eq!(row.get("channel_name"), Some("west"));
        assert_eq!((row.get("lag"), row.has("LAG"), row.has("other")), (None, true, false));
        let pairs: Vec<_> = row.columns().collect();
        assert_eq!(pairs, [("Channel_Name", Some("west")), ("Lag", None)]);
    }
}
