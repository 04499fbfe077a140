//! One connection with the endpoint, from accept to close.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::RangeBounds;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::answer::{Answer, answer};
use super::fault::{Ending, FLOOD, Foreign, Malformed};
use super::starttls::{Front, Protocol, Split, Stream, Upgrade};
use super::{Shared, hello, messages};
use crate::acceptor::Stop;

/// How long the endpoint waits for a client that was told to go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose turn it is when connections are served one at a time.
#[derive(Debug, Default)]
pub(super) struct Turns {
    next: Mutex<usize>,
    changed: Condvar,
}

impl Turns {
    /// Waits until every connection before this one is over.
    fn wait(&self, number: usize) -> Turn<'_> {
        let next = self.next.lock().unwrap();
        drop(self.changed.wait_while(next, |next| *next < number).unwrap());
        Turn(self)
    }
}

/// Hands on the turn when dropped.
struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Ok(mut next) = self.0.next.lock() {
            *next += 1;
        }
        self.0.changed.notify_all();
    }
}

/// Serves a connection.
pub(super) fn serve(shared: &Shared, number: usize, stream: TcpStream, stop: &Stop) {
    let Ok(local) = stream.local_addr() else { return };
    let _guest = shared.census.enter(local);
    // Small writes shall leave at once; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let _turn = shared.script.serial.map(|service| {
        let turn = shared.turns.wait(number);
        stop.sleep(service);
        turn
    });
    // An error of the socket means that the client is gone.
    let _ = Session { shared, number, stream, stop }.run();
}

struct Session<'a> {
    shared: &'a Shared,
    number: usize,
    stream: TcpStream,
    stop: &'a Stop,
}

impl Session<'_> {
    fn run(&mut self) -> io::Result<()> {
        if let Some(ending) = self.turned_away() {
            return self.turn_away(ending);
        }
        if let Some(foreign) = &self.shared.script.foreign {
            return self.speak(foreign);
        }
        if let Some((protocol, upgrade)) = self.shared.script.front
            && !self.talk(protocol, upgrade)?
        {
            return self.end(Ending::Close, 0x0301);
        }
        let mut first = true;
        while let Some(hello) = self.read_hello()? {
            let version = hello.version.clamp(0x0300, 0x0303);
            match answer(&self.shared.script, &hello, first) {
                Answer::Retry(bytes) => self.stream.write_all(&bytes)?,
                Answer::Whole(bytes) => {
                    self.stream.write_all(&bytes)?;
                    return self.drain();
                }
                Answer::Then(bytes, ending) => {
                    self.stream.write_all(&bytes)?;
                    return self.end(ending, version);
                }
                Answer::End(ending) => return self.end(ending, version),
                Answer::Malformed(malformed) => return self.flood(&malformed),
            }
            first = false;
        }
        Ok(())
    }

    /// Whether a limit on connections is reached.
    fn turned_away(&self) -> Option<Ending> {
        let script = &self.shared.script;
        let cut_off = script.cut_off.filter(|(start, end, _)| (*start, *end).contains(&self.number));
        if let Some((_, _, ending)) = cut_off {
            return Some(ending);
        }
        let (limit, ending) = script.rate?;
        let mut recent = self.shared.recent.lock().unwrap();
        let now = Instant::now();
        while recent.front().is_some_and(|time| now.duration_since(*time) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        if recent.len() >= limit {
            return Some(ending);
        }
        recent.push_back(now);
        None
    }

    fn turn_away(&mut self, ending: Ending) -> io::Result<()> {
        match (ending, self.shared.script.front) {
            (Ending::Busy, Some((protocol, _))) => {
                self.talk(protocol, Upgrade::Busy)?;
                self.end(Ending::Close, 0x0301)
            }
            (Ending::Alert(_), _) => match self.read_hello()? {
                Some(hello) => self.end(ending, hello.version.clamp(0x0300, 0x0303)),
                None => Ok(()),
            },
            _ => self.end(ending, 0x0301),
        }
    }

    /// Holds the dialogue before TLS; true when TLS begins.
    fn talk(&mut self, protocol: Protocol, upgrade: Upgrade) -> io::Result<bool> {
        let (shared, number) = (self.shared, self.number);
        let mut said = |line| shared.said.lock().unwrap().push((number, line));
        let mut split = Split(&self.stream);
        let stream: &mut dyn Stream = if shared.script.front_split { &mut split } else { &mut self.stream };
        Front { protocol, upgrade, stream, said: &mut said }.talk()
    }

    fn speak(&mut self, foreign: &Foreign) -> io::Result<()> {
        match foreign {
            Foreign::Banner(banner) => self.stream.write_all(banner)?,
            Foreign::Answer(answer) => {
                if self.stream.read(&mut [0; 4096])? > 0 {
                    self.stream.write_all(answer)?;
                }
                return self.end(Ending::Close, 0x0301);
            }
            Foreign::Silence => {}
        }
        self.drain()
    }

    fn read_hello(&mut self) -> io::Result<Option<hello::Hello>> {
        let Some(mut hello) = hello::read(&mut self.stream, self.number)? else {
            return Ok(None);
        };
        hello.at = self.shared.started.elapsed();
        self.shared.hellos.lock().unwrap().push(hello.clone());
        Ok(Some(hello))
    }

    fn end(&mut self, ending: Ending, version: u16) -> io::Result<()> {
        match ending {
            Ending::Reset => return SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)),
            Ending::Hang => return self.drain(),
            Ending::Alert(number) => self.stream.write_all(&messages::alert(version, true, number))?,
            Ending::Close | Ending::Busy => {}
        }
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.drain()
    }

    fn flood(&mut self, malformed: &Malformed) -> io::Result<()> {
        self.stream.write_all(&malformed.start)?;
        if malformed.again.is_empty() {
            return self.drain();
        }
        // Sent in blocks: a system call for each short record would make the endpoint the slow part.
        let block = malformed.again.repeat((1 << 16) / malformed.again.len());
        let mut sent = 0;
        while sent < FLOOD && !self.stop.is_set() {
            self.stream.write_all(&block)?;
            sent += block.len();
        }
        self.end(Ending::Close, 0x0301)
    }

    /// Reads until the client closes, so that it never sees a reset instead of the answer.
    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer)? > 0 {}
        Ok(())
    }
}
