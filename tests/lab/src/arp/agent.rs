//! The program `lab-arp`: what it is told, and the hand a test holds it by.
//!
//! It is told `MODE key=value ...`, says `ready` as soon as it listens (or has sent its first frame), goes on until
//! its task or its standard input ends, and says what it has counted in a last line `key=value ...`. A watch says what it has seen.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::arp::host::{Host, Rights};
use crate::arp::sender::{self, hexadecimal};
use crate::arp::watcher::{self, Watcher};
use crate::arp::{Answers, Asker, Responder, asker, responder};
use crate::plugin::find_own_binary;

impl Host {
    /// Sends one frame; it has left when this returns.
    pub fn send(&self, frame: impl Into<Vec<u8>>) {
        Agent::start(self, send(&[frame.into()], 1, 0)).finish();
    }

    /// Sends the frames in turn until it is stopped: `rate` turns a second, 0 for as many as the machine manages.
    #[must_use]
    pub fn send_endlessly(&self, frames: &[Vec<u8>], rate: u32) -> Agent {
        Agent::start(self, send(frames, 0, rate))
    }

    /// Answers questions until it is stopped.
    #[must_use]
    pub fn respond(&self, responder: &Responder) -> Agent {
        Agent::start(self, responder.order())
    }

    /// Keeps every frame that comes in or goes out at its interface, until it is stopped.
    #[must_use]
    pub fn watch(&self) -> Watcher {
        Watcher(Agent::start(self, Order::new("watch")))
    }

    /// Asks a whole range who is there.
    #[must_use]
    pub fn ask(&self, asker: &Asker) -> Answers {
        Answers::read(&Agent::start(self, asker.order()).finish())
    }
}

fn send(frames: &[Vec<u8>], count: u64, rate: u32) -> Order {
    let frames: Vec<String> = frames.iter().map(|frame| hexadecimal(frame)).collect();
    Order::new("send").with("frames", &frames.join(",")).with("count", &count).with("rate", &rate)
}

/// `lab-arp` at work inside a host. Dropping it ends it.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Agent {
    /// Returns when it is ready.
    fn start(host: &Host, order: Order) -> Self {
        let mut command = host.command_with(find_own_binary("lab-arp"), Rights::Root);
        command.args(order.with("interface", &"eth0").arguments());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("lab-arp in {}: {error}", host.name()));
        let mut output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        let _ = output.read_line(&mut line);
        let mut agent = Self { child, output };
        assert!(line == "ready\n", "lab-arp in {}: {}", host.name(), agent.complaint());
        agent
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it and returns what it has counted.
    #[must_use]
    pub fn stop(mut self) -> BTreeMap<String, u64> {
        drop(self.child.stdin.take());
        self.finish()
    }

    /// Ends it and returns what it has written.
    pub(crate) fn stop_with_text(mut self) -> String {
        drop(self.child.stdin.take());
        self.last_words()
    }

    /// Waits until its task is done.
    fn finish(mut self) -> BTreeMap<String, u64> {
        let text = self.last_words();
        let pairs = text.split_ascii_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect()
    }

    fn last_words(&mut self) -> String {
        let mut text = String::new();
        let _ = self.output.read_to_string(&mut text);
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "lab-arp: {}", self.complaint());
        text
    }

    fn complaint(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            let _ = errors.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `lab-arp` shall do.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    mode: String,
    values: BTreeMap<String, String>,
}

impl Order {
    pub(crate) fn new(mode: &str) -> Self {
        Self { mode: mode.to_owned(), values: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, key: &str, value: &dyn Display) -> Self {
        self.values.insert(key.to_owned(), value.to_string());
        self
    }

    pub(crate) fn get(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }

    pub(crate) fn number<T: FromStr>(&self, key: &str) -> io::Result<T> {
        self.get(key)
            .parse()
            .map_err(|_| io::Error::other(format!("{key}={}: not understood", self.get(key))))
    }

    fn arguments(&self) -> Vec<String> {
        let values = self.values.iter().map(|(key, value)| format!("{key}={value}"));
        [self.mode.clone()].into_iter().chain(values).collect()
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let order = Self::new(&arguments.next()?);
        arguments.try_fold(order, |order, argument| {
            let (key, value) = argument.split_once('=')?;
            Some(order.with(key, &value))
        })
    }
}

/// Whether the test has closed our standard input, by will or by its death.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(Arc<AtomicBool>);

impl Ending {
    fn of_stdin() -> Self {
        let ending = Self::default();
        let come = ending.clone();
        thread::spawn(move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            come.0.store(true, Ordering::SeqCst);
        });
        ending
    }

    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Tells the test that it may go on.
pub(crate) fn ready() {
    println!("ready");
    let _ = io::stdout().flush();
}

/// The program: does what the arguments say and prints what it has counted.
pub fn run(arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let order =
        Order::parse(arguments).ok_or_else(|| io::Error::other("usage: lab-arp MODE key=value ..."))?;
    let ending = Ending::of_stdin();
    let counted = match order.mode.as_str() {
        "send" => sender::send(&order, &ending),
        "respond" => responder::respond(&order, &ending),
        "ask" => asker::ask(&order, &ending),
        "watch" => watcher::watch(&order, &ending),
        other => Err(io::Error::other(format!("{other}: no such mode"))),
    }?;
    println!("{counted}");
    Ok(())
}
