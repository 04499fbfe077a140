//! How many connections a listener has had, and the most at a time.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the connections of one listener.
#[derive(Debug, Default)]
pub(crate) struct Census {
    all: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Census {
    /// Counts a connection that was accepted on `port`, until the guard is dropped.
    pub(crate) fn enter(&self, local: SocketAddr) -> Guest<'_> {
        self.all.fetch_add(1, Ordering::SeqCst);
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        // A client that closes and connects again is served by the next thread before the last
        // one has seen the end: the kernel knows which are open, and is asked only for a new record.
        if open > self.most.load(Ordering::SeqCst) {
            self.most.fetch_max(established(local).clamp(1, open), Ordering::SeqCst);
        }
        Guest(self)
    }

    /// Connections accepted so far.
    pub(crate) fn all(&self) -> usize {
        self.all.load(Ordering::SeqCst)
    }

    /// The most connections open at a time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// A connection that counts as open.
pub(crate) struct Guest<'a>(&'a Census);

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Connections of a listening port that neither side has closed (state 01), from the kernel's table.
fn established(local: SocketAddr) -> usize {
    let table = if local.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let table = fs::read_to_string(table).unwrap_or_default();
    let port = format!(":{:04X}", local.port());
    let rows = table.lines().map(|row| row.split_ascii_whitespace().skip(1));
    rows.filter(|row| {
        let mut row = row.clone();
        row.next().is_some_and(|address| address.ends_with(&port)) && row.nth(1) == Some("01")
    })
    .count()
}
