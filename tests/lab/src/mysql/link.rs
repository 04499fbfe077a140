//! The line between a replica and its source: a relay that can stop passing anything on, as a firewall that has
//! forgotten a connection does. Both ends keep theirs and hear nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::acceptor::{Acceptor, Stop};
use crate::process::free_port;

/// A running relay; stops when dropped.
#[derive(Debug)]
pub struct Link {
    frozen: Arc<AtomicBool>,
    target: SocketAddr,
    port: u16,
    acceptor: Option<Acceptor>,
}

impl Link {
    /// Starts it in front of a server on a free port of 127.0.0.1.
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
        assert!(target.ip().is_loopback(), "the lab stays on loopback");
        let mut link = Self { frozen: Arc::default(), target, port: free_port(), acceptor: None };
        link.open();
        link
    }

    /// Listens again.
    pub fn open(&mut self) {
        let (gate, target) = (Arc::clone(&self.frozen), self.target);
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        self.acceptor = Some(Acceptor::start(address, move |number, client, stop| {
            let line = Line { frozen: &gate, stop };
            line.wait_while_frozen();
            // Where nobody listens the client's connection ends, too.
            if let Ok(server) = TcpStream::connect(target) {
                stop.watch(number, &server);
                thread::scope(|scope| {
                    scope.spawn(|| line.pass(&client, &server));
                    line.pass(&server, &client);
                });
            }
        }));
    }

    /// Ends all connections and refuses new ones, as the host of a server that is gone does.
    pub fn close(&mut self) {
        self.acceptor = None;
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing passes, not even the end of a connection.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    /// Passes on what was held back, and everything later.
    pub fn thaw(&self) {
        self.frozen.store(false, Ordering::SeqCst);
    }
}

struct Line<'a> {
    frozen: &'a AtomicBool,
    stop: &'a Stop,
}

impl Line<'_> {
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            // An error means that this side is gone.
            let length = from.read(&mut buffer).unwrap_or_default();
            self.wait_while_frozen();
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    fn wait_while_frozen(&self) {
        while self.frozen.load(Ordering::SeqCst) && self.stop.sleep(Duration::from_millis(5)) {}
    }
}
