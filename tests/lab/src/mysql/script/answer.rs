//! What a scripted server answers to a statement, and the bytes of it.

use crate::mysql::packet;

/// Columns and rows of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// These columns and no rows.
    #[must_use]
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// One row of columns with their values.
    #[must_use]
    pub fn of<'a>(row: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let (columns, row) =
            row.into_iter().map(|(name, value)| (name.into(), value.map(str::to_owned))).unzip();
        Self { columns, rows: vec![row] }
    }

    /// With one more row, in the order of the columns.
    #[must_use]
    pub fn row(mut self, values: &[Option<&str>]) -> Self {
        assert_eq!(values.len(), self.columns.len(), "one value for each column");
        self.rows.push(values.iter().map(|value| value.map(str::to_owned)).collect());
        self
    }

    /// With the rows of another table of the same columns.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        assert_eq!(self.columns, other.columns, "the same columns");
        self.rows.extend(other.rows);
        self
    }

    /// With another value in this column of every row.
    #[must_use]
    pub fn set(self, column: &str, value: &str) -> Self {
        self.put(column, Some(value))
    }

    /// With NULL in this column of every row.
    #[must_use]
    pub fn null(self, column: &str) -> Self {
        self.put(column, None)
    }

    /// Without this column, as older servers are.
    #[must_use]
    pub fn without(mut self, column: &str) -> Self {
        let at = self.position(column);
        self.columns.remove(at);
        for row in &mut self.rows {
            row.remove(at);
        }
        self
    }

    /// Without its rows.
    #[must_use]
    pub fn empty(mut self) -> Self {
        self.rows.clear();
        self
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn renamed(&self, new: impl Fn(&str) -> String) -> Self {
        Self { columns: self.columns.iter().map(|name| new(name)).collect(), rows: self.rows.clone() }
    }

    fn put(mut self, column: &str, value: Option<&str>) -> Self {
        let at = self.position(column);
        for row in &mut self.rows {
            row[at] = value.map(str::to_owned);
        }
        self
    }

    fn position(&self, column: &str) -> usize {
        let at = self.columns.iter().position(|name| name == column);
        at.unwrap_or_else(|| panic!("no column {column}: {:?}", self.columns))
    }

    /// The payloads of a whole result set.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        let mut count = Vec::new();
        packet::put_integer(&mut count, self.columns.len() as u64);
        let mut payloads = vec![count];
        payloads.extend(self.columns.iter().map(|name| definition(name)));
        payloads.push(EOF.to_vec());
        for row in &self.rows {
            let mut payload = Vec::new();
            for value in row {
                match value {
                    None => payload.push(0xfb),
                    Some(value) => packet::put_string(&mut payload, value.as_bytes()),
                }
            }
            payloads.push(payload);
        }
        payloads.push(EOF.to_vec());
        payloads
    }
}

/// What happens instead of an answer, or as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A result set.
    Rows(Table),
    /// Done, without rows.
    Done,
    /// An error packet.
    Error(u16, String),
    /// Nothing, and the connection stays open.
    Hang,
    /// The first packets of the result set, then nothing.
    HangAfter(usize, Table),
    /// The end of the connection.
    Close,
    /// Its end by RST.
    Reset,
    /// These payloads, each as a packet with the right number.
    Payloads(Vec<Vec<u8>>),
    /// These bytes, framed or not; then the end of the connection.
    Bytes(Vec<u8>),
    /// Rows of one column that never end.
    Endless,
}

impl Answer {
    /// An error packet.
    #[must_use]
    pub fn error(number: u16, text: &str) -> Self {
        Self::Error(number, text.to_owned())
    }
}

impl From<Table> for Answer {
    fn from(table: Table) -> Self {
        Self::Rows(table)
    }
}

/// Neither warnings nor anything to follow; autocommit.
pub(crate) const EOF: [u8; 5] = [0xfe, 0, 0, 2, 0];
/// No rows touched, no number given; autocommit.
pub(crate) const OK: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];

/// An error packet; its SQLSTATE is the general one, save where clients look at it.
pub(crate) fn error(number: u16, text: &str) -> Vec<u8> {
    let state = match number {
        1044 | 1064 | 1142 | 1227 => "42000",
        1045 => "28000",
        1040 => "08004",
        _ => "HY000",
    };
    let mut payload = vec![0xff];
    payload.extend(number.to_le_bytes());
    payload.push(b'#');
    payload.extend_from_slice(state.as_bytes());
    payload.extend_from_slice(text.as_bytes());
    payload
}

fn definition(name: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    for text in ["def", "", "", "", name, name] {
        packet::put_string(&mut payload, text.as_bytes());
    }
    // Length of what follows; utf8mb4, its longest value, VARCHAR, no flags, no decimals.
    payload.extend([0x0c, 45, 0, 0, 4, 0, 0, 0xfd, 0, 0, 0, 0, 0]);
    payload
}
