//! Sends messages when their time has come: one thread with a heap for all that wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::codec::framed;

/// How many messages may wait; what goes beyond is not sent.
const PENDING: usize = 100_000;

/// Where a message goes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Udp { socket: Arc<UdpSocket>, peer: SocketAddr },
    Tcp { stream: Arc<Mutex<TcpStream>>, cut_short: bool },
}

impl Target {
    /// Sends at once. A client that has gone needs no answer.
    fn send(&self, bytes: &[u8]) {
        match self {
            Self::Udp { socket, peer } => {
                let _ = socket.send_to(bytes, peer);
            }
            Self::Tcp { stream, cut_short } => {
                let mut framed = framed(bytes);
                if *cut_short {
                    framed.truncate(2 + bytes.len() / 2);
                }
                let mut stream = stream.lock().unwrap();
                let _ = stream.write_all(&framed);
                if *cut_short {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
        }
    }
}

/// The thread with its heap; what still waits when it is dropped is not sent.
#[derive(Debug)]
pub(crate) struct Delivery {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Delivery {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || for_thread.run());
        Self { shared, thread: Some(thread) }
    }

    /// Sends after this time, counted from now; at once when it is zero.
    pub(crate) fn send(&self, after: Duration, target: Target, bytes: Vec<u8>) {
        if after.is_zero() {
            target.send(&bytes);
        } else {
            self.shared.push(Instant::now() + after, target, bytes);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.shared.queue.lock().unwrap().stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Time, and a number that keeps the order of equal times.
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    waiting: HashMap<u64, (Target, Vec<u8>)>,
    next: u64,
    stopped: bool,
}

impl Shared {
    fn push(&self, due: Instant, target: Target, bytes: Vec<u8>) {
        let mut queue = self.queue.lock().unwrap();
        if queue.waiting.len() >= PENDING {
            return;
        }
        let number = queue.next;
        queue.next += 1;
        let earliest = queue.heap.peek().is_none_or(|Reverse((first, _))| due < *first);
        queue.heap.push(Reverse((due, number)));
        queue.waiting.insert(number, (target, bytes));
        drop(queue);
        if earliest {
            self.changed.notify_one();
        }
    }

    fn run(&self) {
        let mut queue = self.queue.lock().unwrap();
        while !queue.stopped {
            let now = Instant::now();
            match queue.heap.peek() {
                None => queue = self.changed.wait(queue).unwrap(),
                Some(Reverse((due, _))) if *due > now => {
                    let left = *due - now;
                    queue = self.changed.wait_timeout(queue, left).unwrap().0;
                }
                Some(Reverse((_, number))) => {
                    let number = *number;
                    queue.heap.pop();
                    let entry = queue.waiting.remove(&number);
                    // Sending must not hold up those who want to add to the heap.
                    drop(queue);
                    if let Some((target, bytes)) = entry {
                        target.send(&bytes);
                    }
                    queue = self.queue.lock().unwrap();
                }
            }
        }
    }
}
