//! What can happen to any check, and which state it gives: the one table.

use super::state::State;

/// A way for a check to end that does not depend on what it checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Wrong options, unreadable or too open secret file, missing privilege.
    Usage,
    /// The target's name does not resolve.
    Unresolved,
    /// Connection refused, unreachable, reset, closed early.
    Unreachable,
    /// The deadline passed.
    Timeout,
    /// The peer's certificate does not verify, or the TLS handshake failed.
    Certificate,
    /// The peer broke its protocol.
    Protocol,
    /// A temporary refusal: 421, 4xx, too many connections.
    Temporary,
    /// Our credential was refused.
    Credential,
    /// The check could not look at everything it had to.
    Incomplete,
    /// An error of our own, SIGTERM included.
    Internal,
}

impl Condition {
    /// All conditions with the state they give by default and what they cover.
    pub const TABLE: [(Self, State, &'static str); 10] = [
        (Self::Usage, State::Unknown, "wrong options, unreadable or too open secret file, missing privilege"),
        (Self::Unresolved, State::Unknown, "the name of the target does not resolve"),
        (Self::Unreachable, State::Critical, "connection refused, unreachable, reset or closed early"),
        (Self::Timeout, State::Critical, "the deadline passed (--timeout-state changes it)"),
        (
            Self::Certificate,
            State::Critical,
            "the peer's TLS handshake fails or its certificate does not verify",
        ),
        (Self::Protocol, State::Critical, "the peer breaks its protocol"),
        (Self::Temporary, State::Critical, "temporary refusal (--temporary-state changes it)"),
        (Self::Credential, State::Unknown, "our credential is refused"),
        (Self::Incomplete, State::Unknown, "the check could not be completed"),
        (Self::Internal, State::Unknown, "internal error, or stopped by SIGTERM"),
    ];

    /// The state this condition gives unless a plugin or an option says otherwise.
    #[must_use]
    pub fn default_state(self) -> State {
        Self::TABLE.iter().find(|(condition, _, _)| *condition == self).map_or(State::Unknown, |row| row.1)
    }
}

/// The states of all conditions for one run: the defaults, changed by the plugin's own
/// rows and then by the options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateTable {
    changes: Vec<(Condition, State)>,
}

impl StateTable {
    /// The defaults with a plugin's own rows on top.
    #[must_use]
    pub fn new(rows: &[(Condition, State)]) -> Self {
        Self { changes: rows.to_vec() }
    }

    /// Changes one row; the last change wins.
    pub fn set(&mut self, condition: Condition, state: State) {
        self.changes.push((condition, state));
    }

    /// The state a condition gives in this run.
    #[must_use]
    pub fn state(&self, condition: Condition) -> State {
        self.changes
            .iter()
            .rev()
            .find(|(changed, _)| *changed == condition)
            .map_or_else(|| condition.default_state(), |(_, state)| *state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_condition_is_ok_by_default() {
        for (condition, state, _) in Condition::TABLE {
            assert_ne!(state, State::Ok, "{condition:?}");
            assert_eq!(condition.default_state(), state);
        }
    }

    #[test]
    fn option_beats_plugin_beats_default() {
        let mut table = StateTable::new(&[(Condition::Timeout, State::Unknown)]);
        assert_eq!(table.state(Condition::Timeout), State::Unknown);
        assert_eq!(table.state(Condition::Protocol), State::Critical);
        table.set(Condition::Timeout, State::Warning);
        assert_eq!(table.state(Condition::Timeout), State::Warning);
    }
}
