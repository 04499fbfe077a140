//! A mistake of whoever wrote the command line.

/// A mistake on the command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {cause}")]
pub struct UsageError {
    /// The option, as the operator should write it.
    pub option: String,
    /// What is wrong with it.
    pub cause: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl UsageError {
    /// A mistake in an option.
    pub fn new(option: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { option: option.into(), cause: cause.into(), hint: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        self.with_optional_hint(Some(hint.into()))
    }

    /// The same with advice if there is some.
    #[must_use]
    pub fn with_optional_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// Why the value of an option was refused, for value parsers that have advice to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct BadValue {
    /// What is wrong with it.
    pub cause: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl BadValue {
    /// A refusal without advice.
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), hint: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
