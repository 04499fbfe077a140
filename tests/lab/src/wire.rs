//! Server side of one connection: lines in, bytes out, TLS from any point on, and a record
//! of everything the client sent.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, Stream};

/// Stands in a transcript where the client's bytes come out of TLS from there on.
pub const TLS_MARK: &[u8] = b"[TLS]\r\n";

/// Bytes got from one client, shared with the test.
pub(crate) type Transcript = Arc<Mutex<Vec<u8>>>;

/// What was got from every client of a server.
#[derive(Debug, Default)]
pub(crate) struct Transcripts(Mutex<Vec<Transcript>>);

impl Transcripts {
    /// The one of this connection, counted from 0.
    pub(crate) fn of(&self, number: usize) -> Transcript {
        let mut transcripts = self.0.lock().unwrap();
        // Threads of two connections may come here in either order.
        while transcripts.len() <= number {
            transcripts.push(Transcript::default());
        }
        Arc::clone(&transcripts[number])
    }

    /// Number of connections so far.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// What each connection brought so far.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        let transcripts = self.0.lock().unwrap();
        transcripts.iter().map(|transcript| transcript.lock().unwrap().clone()).collect()
    }
}

/// A longer line ends the reading: no client of the lab has a reason to send it.
const LONGEST_LINE: usize = 4 << 20;

pub(crate) struct Wire {
    raw: Raw,
    tls: Option<Box<ServerConnection>>,
    /// Decoded bytes not consumed yet.
    input: Vec<u8>,
    transcript: Transcript,
    server_name: Option<String>,
}

/// The socket, preceded by what was read beyond the command that started TLS.
struct Raw {
    early: Vec<u8>,
    stream: TcpStream,
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            return self.stream.read(buffer);
        }
        let length = self.early.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.early[..length]);
        self.early.drain(..length);
        Ok(length)
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, transcript: Transcript) -> Self {
        // Small writes shall leave at once; a failure only costs time.
        let _ = stream.set_nodelay(true);
        let raw = Raw { early: Vec::new(), stream };
        Self { raw, tls: None, input: Vec::new(), transcript, server_name: None }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.raw.stream
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.raw.write_all(bytes),
            Some(tls) => {
                let mut stream = Stream::new(tls.as_mut(), &mut self.raw);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// One line with its line end; `None` when the client closed before a full line.
    pub(crate) fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.input[searched..].iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.input.drain(..=searched + at).collect()));
            }
            searched = self.input.len();
            if searched > LONGEST_LINE {
                return Err(io::Error::other("endless line from the client"));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// Exactly `length` bytes; `None` when the client closed before.
    pub(crate) fn exact(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        while self.input.len() < length {
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.input.drain(..length).collect()))
    }

    /// Whatever is there, at least one byte; empty when the client closed.
    pub(crate) fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.input.is_empty() {
            self.fill()?;
        }
        Ok(std::mem::take(&mut self.input))
    }

    /// Continues as a TLS server and completes the handshake.
    pub(crate) fn start_tls(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        self.record(TLS_MARK);
        self.raw.early = std::mem::take(&mut self.input);
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let mut completed = Ok(());
        while completed.is_ok() && tls.is_handshaking() {
            // complete_io sends the alert before it returns an error.
            completed = tls.complete_io(&mut self.raw).map(|_| ());
        }
        self.server_name = tls.server_name().map(str::to_owned);
        completed?;
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// The name that the client began TLS with (RFC 6066 section 3), also in vain.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Closes politely: close_notify if TLS is on, then FIN, then reads until the client has
    /// closed as well, because a close with unread input would turn into a reset.
    pub(crate) fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // The client may be gone; there is nobody to tell.
            let _ = tls.complete_io(&mut self.raw);
        }
        self.cut();
    }

    /// Like [`Wire::finish`] without close_notify.
    pub(crate) fn cut(&mut self) {
        let _ = self.raw.stream.shutdown(Shutdown::Write);
        let _ = self.raw.stream.set_read_timeout(Some(Duration::from_millis(200)));
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            match self.fill() {
                Ok(0) => break,
                Ok(_) => self.input.clear(),
                Err(error) if is_timeout(&error) => {}
                Err(_) => break,
            }
        }
    }

    /// Reads and records until the client closes.
    pub(crate) fn drain(&mut self) {
        while matches!(self.fill(), Ok(1..)) {
            self.input.clear();
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16384];
        let result = match &mut self.tls {
            None => self.raw.read(&mut buffer),
            Some(tls) => Stream::new(tls.as_mut(), &mut self.raw).read(&mut buffer),
        };
        let length = match result {
            // A client that closes without close_notify has closed all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        self.record(&buffer[..length]);
        self.input.extend_from_slice(&buffer[..length]);
        Ok(length)
    }

    fn record(&self, bytes: &[u8]) {
        self.transcript.lock().unwrap().extend_from_slice(bytes);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
