//! Rows as servers give them: text by column name, in either vocabulary.

/// One row of an answer.
pub trait Columns {
    /// The text of a column, found whatever its case. `None`: NULL, or no such column.
    fn get(&self, column: &str) -> Option<&str>;
}

impl<T: AsRef<str>> Columns for [(T, Option<T>)] {
    fn get(&self, column: &str) -> Option<&str> {
        let found = self.iter().find(|(name, _)| name.as_ref().eq_ignore_ascii_case(column));
        found.and_then(|(_, value)| value.as_ref().map(AsRef::as_ref))
    }
}

impl<T: AsRef<str>> Columns for Vec<(T, Option<T>)> {
    fn get(&self, column: &str) -> Option<&str> {
        Columns::get(self.as_slice(), column)
    }
}

impl Columns for common::net::mysql::Row {
    fn get(&self, column: &str) -> Option<&str> {
        Self::get(self, column)
    }
}

impl<R: Columns + ?Sized> Columns for &R {
    fn get(&self, column: &str) -> Option<&str> {
        Columns::get(*self, column)
    }
}

/// A row whose columns are asked for by the new words (Replica, Source) and found by the old
/// ones (Slave, Master) as well.
pub(super) struct Vocabulary<'a, R: ?Sized>(pub(super) &'a R);

impl<R: Columns + ?Sized> Vocabulary<'_, R> {
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        self.0.get(column).or_else(|| {
            let old = column.replace("Replica", "Slave").replace("Source", "Master");
            self.0.get(&old)
        })
    }

    /// Text that says something.
    pub(super) fn words(&self, column: &str) -> Option<String> {
        self.text(column).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A number, of seconds for instance.
    pub(super) fn number(&self, column: &str) -> Option<f64> {
        let number: f64 = self.text(column)?.trim().parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// A number that cannot be negative.
    pub(super) fn amount(&self, column: &str) -> Option<f64> {
        self.number(column).filter(|number| *number >= 0.0)
    }

    pub(super) fn whole(&self, column: &str) -> Option<u64> {
        self.text(column)?.trim().parse().ok()
    }

    /// A switch. Servers write them as a number or a word, newer ones with shades of ON.
    pub(super) fn switch(&self, column: &str) -> Option<bool> {
        match self.text(column)?.trim().to_ascii_uppercase().as_str() {
            "1" | "ON" | "YES" | "TRUE" | "NO_LOCK" | "NO_LOCK_NO_ADMIN" => Some(true),
            "0" | "OFF" | "NO" | "FALSE" => Some(false),
            _ => None,
        }
    }
}
