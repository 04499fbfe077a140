//! Accept loop shared by the scripted peer and the embedded server: one thread for each
//! connection, all of them ended and joined when the owner is dropped.

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Lets connection threads sleep and wait, and tells them when the server stops.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
    /// A second handle of each open socket, by the connection that it serves: shutting it down
    /// wakes a blocked thread.
    open: Mutex<HashMap<usize, Vec<TcpStream>>>,
}

impl Stop {
    /// Sleeps; returns false at once when the server stops meanwhile.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut stopped = self.stopped.lock().unwrap();
        while !*stopped {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return true;
            };
            stopped = self.changed.wait_timeout(stopped, left).unwrap().0;
        }
        false
    }

    /// Has a further socket of a connection shut down with it when the server stops.
    pub(crate) fn watch(&self, number: usize, stream: &TcpStream) {
        if let Ok(second) = stream.try_clone() {
            self.open.lock().unwrap().entry(number).or_default().push(second);
        }
        // set() may have gone through the list just before this socket was in it.
        if self.is_set() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.stopped.lock().unwrap()
    }

    fn set(&self) {
        *self.stopped.lock().unwrap() = true;
        self.changed.notify_all();
        for stream in self.open.lock().unwrap().values().flatten() {
            // The client may have closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A listening socket with its threads.
#[derive(Debug)]
pub(crate) struct Acceptor {
    address: SocketAddr,
    stop: Arc<Stop>,
    /// A second handle of the listening socket, by which it is shut down from every network.
    listening: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Listens on `address` (port 0: any free one) and calls `handler` in a new thread for
    /// each connection, with its number from 0 on. The connection is closed when it returns.
    pub(crate) fn start<H>(address: SocketAddr, handler: H) -> Self
    where
        H: Fn(usize, TcpStream, &Stop) + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(address)
            .unwrap_or_else(|error| panic!("the lab cannot listen on {address}: {error}"));
        Self::serve(listener, handler)
    }

    /// Does the same with a socket that listens already.
    pub(crate) fn serve<H>(listener: TcpListener, handler: H) -> Self
    where
        H: Fn(usize, TcpStream, &Stop) + Send + Sync + 'static,
    {
        let address = listener.local_addr().expect("a bound socket has an address");
        let second = listener.try_clone().expect("a file handle can be doubled");
        let listening = TcpStream::from(OwnedFd::from(second));
        let stop = Arc::new(Stop::default());
        let shared = Arc::clone(&stop);
        let handler = Arc::new(handler);
        let thread = thread::spawn(move || accept_all(&listener, &shared, &handler));
        Self { address, stop, listening, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop.set();
        // Wakes the blocked accept, which then sees the flag.
        let _ = self.listening.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A panic of a connection thread was printed where it happened.
            let _ = thread.join();
        }
    }
}

fn accept_all<H>(listener: &TcpListener, stop: &Arc<Stop>, handler: &Arc<H>)
where
    H: Fn(usize, TcpStream, &Stop) + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    for number in 0.. {
        let accepted = listener.accept();
        if stop.is_set() {
            break;
        }
        let Ok((stream, _)) = accepted else { continue };
        stop.watch(number, &stream);
        let (stop, handler) = (Arc::clone(stop), Arc::clone(handler));
        // One that has ended keeps its stack until then.
        threads.retain(|thread: &JoinHandle<()>| !thread.is_finished());
        threads.push(thread::spawn(move || {
            handler(number, stream, &stop);
            stop.open.lock().unwrap().remove(&number);
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}
