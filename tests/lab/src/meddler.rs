//! A relay in front of a TLS server that lets a handshake through and meddles with what the server says after it: with
//! what a peer may get to read when keys are agreed on, and no script can say without them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::acceptor::Acceptor;

/// What becomes of the server's words after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meddling {
    /// Nothing more comes.
    Silence,
    /// FIN.
    Close,
    /// RST.
    Reset,
    /// These bytes instead.
    Bytes(Vec<u8>),
    /// A bit of each record is another one, so that nothing of it is under the keys.
    WrongMac,
    /// The first record comes twice.
    Twice,
}

/// A running relay; stops when dropped.
#[derive(Debug)]
pub struct Meddler {
    acceptor: Acceptor,
}

const CHANGE_CIPHER_SPEC: u8 = 20;

impl Meddler {
    /// Starts it in front of a server that speaks TLS at once.
    #[must_use]
    pub fn start(target: SocketAddr, meddling: Meddling) -> Self {
        assert!(target.ip().is_loopback(), "the lab stays on loopback");
        let acceptor = Acceptor::start((Ipv4Addr::LOCALHOST, 0).into(), move |number, client, stop| {
            // An error of a socket means that one side is gone.
            if let Ok(server) = TcpStream::connect(target) {
                stop.watch(number, &server);
                let _ = relay(&client, &server, &meddling);
            }
        });
        Self { acceptor }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.acceptor.address().port()
    }
}

fn relay(mut client: &TcpStream, mut server: &TcpStream, meddling: &Meddling) -> io::Result<()> {
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    thread::scope(|scope| {
        let from_client = scope.spawn(move || {
            let _ = io::copy(&mut client, &mut server);
            let _ = server.shutdown(Shutdown::Write);
            // A server that is gone hears no more; the client may still wait.
            let _ = io::copy(&mut client, &mut io::sink());
        });
        let ended = pass_on(server, client, meddling);
        match meddling {
            Meddling::Silence => drop(from_client.join()),
            Meddling::Reset => {
                SockRef::from(client).set_linger(Some(Duration::ZERO))?;
                client.shutdown(Shutdown::Read)?;
            }
            _ => client.shutdown(Shutdown::Both)?,
        }
        let _ = server.shutdown(Shutdown::Both);
        ended
    })
}

/// Passes on whole records, and meddles with those behind the server's Finished.
fn pass_on(mut server: &TcpStream, mut client: &TcpStream, meddling: &Meddling) -> io::Result<()> {
    let mut has_changed = false;
    let mut is_done = false;
    loop {
        let mut record = vec![0; 5];
        server.read_exact(&mut record)?;
        let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
        record.resize(5 + length, 0);
        server.read_exact(&mut record[5..])?;
        if !is_done {
            client.write_all(&record)?;
            is_done = has_changed;
            has_changed |= record[0] == CHANGE_CIPHER_SPEC;
            continue;
        }
        match meddling {
            Meddling::Silence | Meddling::Close | Meddling::Reset => return Ok(()),
            Meddling::Bytes(bytes) => return client.write_all(bytes),
            Meddling::WrongMac => {
                *record.last_mut().expect("a header at least") ^= 1;
                client.write_all(&record)?;
            }
            Meddling::Twice => {
                client.write_all(&record)?;
                client.write_all(&record)?;
            }
        }
    }
}
