//! The four service states and how they merge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A service state. The order is the merge order: an UNKNOWN part hides an OK or
/// WARNING part, a CRITICAL part hides everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Exit code 0.
    Ok,
    /// Exit code 1.
    Warning,
    /// Exit code 3.
    Unknown,
    /// Exit code 2.
    Critical,
}

impl State {
    /// All states, in merge order.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Unknown, Self::Critical];

    /// The exit code engines understand, 0 to 3.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// `OK`, `WARNING`, `CRITICAL` or `UNKNOWN`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The worst of several states; nothing at all is [`State::Unknown`], because the
    /// absence of an answer is never good news.
    pub fn worst(states: impl IntoIterator<Item = Self>) -> Self {
        states.into_iter().max().unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a state (ok, warning, critical, unknown)")]
pub struct ParseStateError;

impl FromStr for State {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(text)).ok_or(ParseStateError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = State> {
        prop::sample::select(State::ALL.to_vec())
    }

    #[test]
    fn worst_of_nothing_is_unknown() {
        assert_eq!(State::worst([]), State::Unknown);
    }

    #[test]
    fn order_is_ok_warning_unknown_critical() {
        assert_eq!(State::worst([State::Unknown, State::Warning]), State::Unknown);
        assert_eq!(State::worst([State::Unknown, State::Critical]), State::Critical);
        assert_eq!(State::worst([State::Ok, State::Warning]), State::Warning);
    }

    proptest! {
        #[test]
        fn merge_is_commutative_associative_idempotent(a in any_state(), b in any_state(), c in any_state()) {
            prop_assert_eq!(State::worst([a, b]), State::worst([b, a]));
            prop_assert_eq!(State::worst([State::worst([a, b]), c]), State::worst([a, State::worst([b, c])]));
            prop_assert_eq!(State::worst([a, a]), a);
            prop_assert_eq!(State::worst([a, State::Ok]), a);
        }

        #[test]
        fn names_round_trip(state in any_state()) {
            prop_assert_eq!(state.name().to_lowercase().parse::<State>(), Ok(state));
        }
    }
}
