//! Who asks: no more threads than the distance of the server is worth, and far from it connections that are opened ahead.
//!
//! A hello costs two round trips, one of them to connect. From far away, who has nothing to ask yet connects for those who
//! soon will, so that what is asked one after the other takes one round trip each. Such connections are never more than
//! will be of use, count as any other, and are given up where they do harm: a server that serves one after the other may
//! wait for the hello of an idle one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use common::net::TimedStream;

use super::board::Board;
use super::gate::Pass;
use super::{Asked, Scanner, Survey};

/// A connection up to TLS.
#[derive(Debug)]
pub(super) struct Spare<'a> {
    pub(super) pass: Pass<'a>,
    pub(super) stream: TimedStream,
}

/// Threads that share a board.
#[derive(Debug)]
pub(super) struct Crew<'a> {
    scanner: &'a Scanner<'a>,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<'a> {
    board: Board,
    /// Threads beside the first one.
    hired: usize,
    /// Of all threads, those that wait.
    idle: usize,
    /// The oldest in front.
    spares: VecDeque<Spare<'a>>,
    /// Spares that are being opened.
    opening: usize,
    /// The server is far, and spares did no harm so far.
    opens_ahead: bool,
    answers: usize,
}

impl State<'_> {
    /// Spares that would be of use beside those there are.
    fn wanted(&self) -> usize {
        let follow_ups = if self.opens_ahead { self.board.follow_ups() } else { 0 };
        follow_ups.saturating_sub(self.spares.len() + self.opening)
    }
}

/// What takes less is done sooner by one thread than by several.
const NEAR: Duration = Duration::from_millis(5);
/// A connection and an answer to a hello from where round trips are what a scan waits for.
const FAR: Duration = Duration::from_millis(30);

impl<'a> Crew<'a> {
    pub(super) fn new(scanner: &'a Scanner<'a>, asked: &Asked<'_>) -> Self {
        let state = State {
            board: Board::new(asked, scanner.server_name.map_or(0, str::len)),
            hired: 0,
            idle: 0,
            spares: VecDeque::new(),
            opening: 0,
            opens_ahead: false,
            answers: 0,
        };
        Self { scanner, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Asks until nothing is left to ask.
    pub(super) fn survey(self) -> Survey {
        thread::scope(|scope| self.work(scope));
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.board.survey(self.scanner.wavers())
    }

    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut state = self.lock();
        while !state.board.is_done() {
            state = if let Some((turn, question)) = state.board.next() {
                let spare = state.spares.pop_front();
                drop(state);
                let begun = Instant::now();
                let reply = self.scanner.reply(&question, spare);
                let took = begun.elapsed();
                let mut state = self.lock();
                state.board.note(turn, reply);
                state.answers += 1;
                state.opens_ahead &= !self.scanner.gate.is_narrowed();
                self.hire(&mut state, took, scope);
                self.scanner.show(state.board.found());
                self.wake(&state);
                state
            } else if state.wanted() > 0
                && let Some(pass) = self.scanner.gate.enter_at_once()
            {
                self.open_ahead(state, pass)
            } else {
                self.wait(state)
            };
        }
        // What was not used must not delay the others' end.
        state.spares.clear();
        self.changed.notify_all();
    }

    /// Gets as many hands as are allowed once answers are worth waiting for at the same time.
    fn hire<'scope>(&'scope self, state: &mut State<'a>, took: Duration, scope: &'scope Scope<'scope, '_>) {
        if state.hired > 0 || took < NEAR || !state.board.has_opened() || state.board.is_done() {
            return;
        }
        let more = self.scanner.gate.most() - 1;
        state.opens_ahead = took >= FAR;
        // One thread less is only slower: this one takes steps as well.
        let spawn = || thread::Builder::new().name("probe".into()).stack_size(256 * 1024);
        let begun = (0..more).filter(|_| spawn().spawn_scoped(scope, || self.work(scope)).is_ok());
        state.hired = begun.count();
        state.board.employ(1 + state.hired);
    }

    fn open_ahead<'b>(
        &'b self,
        mut state: MutexGuard<'b, State<'a>>,
        pass: Pass<'a>,
    ) -> MutexGuard<'b, State<'a>> {
        state.opening += 1;
        drop(state);
        let spare = self.scanner.open_ahead(pass);
        let mut state = self.lock();
        state.opening -= 1;
        state.opens_ahead &= spare.is_some();
        state.spares.extend(spare);
        state
    }

    /// Until something was answered. If nothing is while there are spares, it is due to them.
    fn wait<'b>(&'b self, mut state: MutexGuard<'b, State<'a>>) -> MutexGuard<'b, State<'a>> {
        state.idle += 1;
        if state.spares.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        } else {
            let (answers, begun, patience) = (state.answers, Instant::now(), self.scanner.gate.patience());
            let waited = self.changed.wait_timeout(state, patience);
            state = waited.map_or_else(|error| error.into_inner().0, |woken| woken.0);
            if state.answers == answers && begun.elapsed() >= patience {
                state.opens_ahead = false;
                state.spares.clear();
            }
        }
        state.idle -= 1;
        state
    }

    /// Wakes as many as there is something to do for.
    fn wake(&self, state: &State<'_>) {
        if state.board.is_done() {
            return self.changed.notify_all();
        }
        for _ in 0..state.idle.min(state.board.waiting() + state.wanted()) {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
