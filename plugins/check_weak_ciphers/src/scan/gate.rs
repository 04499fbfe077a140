//! How many connections there are at a time: never more than allowed, fewer where the server
//! answers one after the other or turns connections away.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::net::Deadline;

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Connections at a time.
    pub(crate) at_once: usize,
    /// Between the starts of two of them; zero for none.
    pub(crate) interval: Duration,
    /// Of the whole run; `None` for any number.
    pub(crate) total: Option<u32>,
}

/// Every connection of a run passes here, whatever its port: a limit is the host's.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    state: Mutex<Traffic>,
    left: Condvar,
}

#[derive(Debug)]
struct Traffic {
    /// Connections at a time by what the server showed so far.
    at_once: usize,
    open: usize,
    /// Who waits for room: nobody is woken without need.
    waiting: usize,
    total: u32,
    /// When the next one may start.
    next: Instant,
    /// The quickest answer there was.
    quickest: Option<Duration>,
    /// Answers in a row that took longer because of others beside them.
    slow: u8,
}

/// Why a connection may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The run has no time left.
    Late,
    /// `--max-total` connections were made.
    Spent,
}

/// Leave to connect, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    since: Instant,
    /// Time that went by before a pause.
    before: Duration,
    beside: usize,
}

/// An answer that takes so much longer than the quickest waited for the others: a server that
/// takes one connection after the other, for which more at a time are only a burden.
const SLOWER: u32 = 3;
/// What is due to chance.
const JITTER: Duration = Duration::from_millis(10);
/// Slow answers in a row that make a server a serial one.
const ENOUGH: u8 = 3;

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        let traffic = Traffic {
            at_once: limits.at_once.max(1),
            open: 0,
            waiting: 0,
            total: 0,
            next: Instant::now(),
            quickest: None,
            slow: 0,
        };
        Self { limits, state: Mutex::new(traffic), left: Condvar::new() }
    }

    /// Connections at a time at most.
    pub(crate) const fn most(&self) -> usize {
        self.limits.at_once
    }

    /// Waits until there is room.
    pub(crate) fn enter(&self, deadline: &Deadline) -> Result<Pass<'_>, Shut> {
        let mut state = self.lock();
        loop {
            let time = deadline.left();
            if time.is_zero() {
                return Err(Shut::Late);
            }
            if self.limits.total.is_some_and(|total| state.total >= total) {
                return Err(Shut::Spent);
            }
            let early = state.next.saturating_duration_since(Instant::now());
            let wait = match (state.open < state.at_once, early.is_zero()) {
                (true, true) => break,
                (true, false) => early.min(time),
                (false, _) => time,
            };
            state.waiting += 1;
            state = self
                .left
                .wait_timeout(state, wait)
                .map_or_else(|error| error.into_inner().0, |woken| woken.0);
            state.waiting -= 1;
        }
        Ok(self.admit(&mut state))
    }

    /// Does not wait: `None` while there is no room, and where the server or the operator wants few connections.
    pub(crate) fn enter_at_once(&self) -> Option<Pass<'_>> {
        let mut state = self.lock();
        let is_free = self.limits.total.is_none() && self.limits.interval.is_zero();
        let has_room = state.open < state.at_once && !self.is_narrowed_to(&state);
        (is_free && has_room).then(|| self.admit(&mut state))
    }

    fn admit(&self, state: &mut Traffic) -> Pass<'_> {
        state.total += 1;
        state.open += 1;
        state.next = Instant::now() + self.limits.interval;
        Pass { gate: self, since: Instant::now(), before: Duration::ZERO, beside: state.open }
    }

    /// Whether there are fewer connections at a time than the operator allows.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.is_narrowed_to(&self.lock())
    }

    const fn is_narrowed_to(&self, state: &Traffic) -> bool {
        state.at_once < self.limits.at_once
    }

    /// An answer that takes longer waited for other connections.
    pub(crate) fn patience(&self) -> Duration {
        self.lock().patience().unwrap_or_default()
    }

    /// The server turns connections away: half as many from now on.
    pub(crate) fn back_off(&self) {
        let mut state = self.lock();
        state.at_once = (state.at_once / 2).max(1);
    }

    /// Connections at a time by now.
    #[cfg(test)]
    fn at_once(&self) -> usize {
        self.lock().at_once
    }

    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    fn patience(&self) -> Option<Duration> {
        self.quickest.map(|quickest| quickest * SLOWER + JITTER)
    }
}

impl Pass<'_> {
    /// The connection is there, and not used for a while.
    pub(crate) fn pause(&mut self) {
        self.before = self.since.elapsed();
    }

    pub(crate) fn resume(&mut self) {
        self.since = Instant::now();
    }

    /// Takes down how long an answer took.
    pub(crate) fn answered(&self) {
        let took = self.before + self.since.elapsed();
        let mut state = self.gate.lock();
        state.quickest = Some(state.quickest.map_or(took, |before| before.min(took)));
        let is_slow = self.beside > 1 && state.patience().is_some_and(|patience| took > patience);
        state.slow = if is_slow { state.slow + 1 } else { 0 };
        if state.slow >= ENOUGH {
            state.slow = 0;
            state.at_once = (state.at_once / 2).max(1);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.open -= 1;
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.gate.left.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(at_once: usize, interval: u64, total: Option<u32>) -> Gate {
        Gate::new(Limits { at_once, interval: Duration::from_millis(interval), total })
    }

    fn deadline(millis: u64) -> Deadline {
        Deadline::new(Instant::now(), Duration::from_millis(millis))
    }

    #[test]
    fn no_more_than_allowed_at_a_time() {
        let gate = gate(2, 0, None);
        let (one, _two) = (gate.enter(&deadline(50)).unwrap(), gate.enter(&deadline(50)).unwrap());
        assert_eq!(gate.enter(&deadline(20)).unwrap_err(), Shut::Late);
        drop(one);
        gate.enter(&deadline(50)).unwrap();
    }

    #[test]
    fn no_more_than_allowed_in_all() {
        let gate = gate(2, 0, Some(3));
        for _ in 0..3 {
            gate.enter(&deadline(50)).unwrap();
        }
        assert_eq!(gate.enter(&deadline(50)).unwrap_err(), Shut::Spent);
    }

    #[test]
    fn starts_keep_their_distance() {
        let gate = gate(9, 20, None);
        let before = Instant::now();
        for _ in 0..4 {
            gate.enter(&deadline(1000)).unwrap();
        }
        assert!(before.elapsed() >= Duration::from_millis(60));
    }

    #[test]
    fn serial_and_strict_servers_get_fewer() {
        let gate = gate(8, 0, None);
        gate.enter(&deadline(1000)).unwrap().answered();
        let beside = gate.enter(&deadline(1000)).unwrap();
        for _ in 0..ENOUGH {
            let pass = gate.enter(&deadline(1000)).unwrap();
            std::thread::sleep(JITTER + Duration::from_millis(10));
            pass.answered();
        }
        drop(beside);
        assert_eq!(gate.at_once(), 4);
        for half in [2, 1, 1] {
            gate.back_off();
            assert_eq!(gate.at_once(), half);
        }
    }
}
