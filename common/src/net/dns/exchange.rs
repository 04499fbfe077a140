//! The loop: send what may be sent, wait, take what came, try again what did not.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::tcp::{Connection, Progress};
use super::udp::Channel;
use super::{Ask, Reply, Settings, Upstream};
use crate::net::error::cause;
use crate::net::poll::{self, Interest};
use crate::net::{Deadline, Phase, ProbeError, Trouble};
use crate::proto::dns::{Answer, Heard, Outcome, Packet};

/// A round of questions.
pub(super) struct Exchange<'a> {
    asks: &'a [Ask],
    upstreams: &'a [Upstream],
    settings: &'a Settings,
    deadline: &'a Deadline,
    replies: Vec<Option<Reply>>,
    /// What is known of each question that was sent and is not settled.
    flights: Vec<Option<Flight>>,
    to_send: VecDeque<usize>,
    /// All tries take the same time, so the oldest ends first.
    expiries: VecDeque<(Instant, usize, u32)>,
    channels: Vec<Channel>,
    to_connect: VecDeque<usize>,
    connections: Vec<Connection>,
    unsettled: usize,
    /// Sent and not yet answered, failed or expired.
    on_the_way: usize,
    pace: Pace,
    ids: Ids,
}

struct Flight {
    packet: Packet,
    server: SocketAddr,
    /// Tries begun.
    tries: u32,
    first_sent: Instant,
    /// The channel the present try waits on; none while it goes over TCP.
    channel: Option<usize>,
    /// What an earlier try met, if that says more than silence.
    problem: Option<Outcome>,
}

/// TCP connections at a time.
const MAX_CONNECTIONS: usize = 32;
/// Without EDNS an answer is at most 512 bytes (RFC 1035 section 4.2.1); there is room for
/// servers that do not care.
const DATAGRAM: usize = 4096;
/// Datagrams taken from one socket before the clock is looked at again, so that a flood
/// cannot stop it.
const PER_TURN: usize = 1024;

impl<'a> Exchange<'a> {
    pub(super) fn new(
        asks: &'a [Ask],
        upstreams: &'a [Upstream],
        settings: &'a Settings,
        deadline: &'a Deadline,
    ) -> Result<Self, ProbeError> {
        Ok(Self {
            asks,
            upstreams,
            settings,
            deadline,
            replies: asks.iter().map(|_| None).collect(),
            flights: asks.iter().map(|_| None).collect(),
            to_send: (0..asks.len()).collect(),
            expiries: VecDeque::new(),
            channels: Vec::new(),
            to_connect: VecDeque::new(),
            connections: Vec::new(),
            unsettled: asks.len(),
            on_the_way: 0,
            pace: Pace::new(settings),
            ids: Ids::new(asks.len())?,
        })
    }

    pub(super) fn run(mut self) -> Result<Vec<Reply>, ProbeError> {
        self.deadline.enter(Phase::Querying);
        while self.unsettled > 0 && !self.deadline.left().is_zero() {
            let now = Instant::now();
            self.expire(now);
            self.send(now)?;
            self.connect(now);
            if self.unsettled > 0 {
                self.wait(now)?;
            }
        }
        let flights = self.flights.into_iter();
        Ok(self
            .replies
            .into_iter()
            .zip(flights)
            .map(|(reply, flight)| reply.unwrap_or_else(|| unfinished(flight)))
            .collect())
    }

    /// Sends until the window is full, the pace is reached or nothing is left.
    fn send(&mut self, now: Instant) -> Result<(), ProbeError> {
        while self.on_the_way < self.settings.window.max(1) && self.pace.allows(now) {
            let Some(index) = self.to_send.pop_front() else { break };
            if !self.send_one(index, now)? {
                self.to_send.push_front(index);
                break;
            }
        }
        Ok(())
    }

    /// False when the socket has no room now.
    fn send_one(&mut self, index: usize, now: Instant) -> Result<bool, ProbeError> {
        let Some(server) = self.next_server(index) else { return Ok(true) };
        let channel = match self.channel_to(server) {
            Ok(channel) => channel,
            Err(error) => {
                self.begin_try(index, server, None, now)?;
                self.fail(index, Outcome::Unreachable(cause(&error)));
                return Ok(true);
            }
        };
        self.begin_try(index, server, Some(channel), now)?;
        let (Some(flight), Some(socket)) =
            (self.flights.get(index).and_then(Option::as_ref), self.channels.get_mut(channel))
        else {
            return Ok(true);
        };
        match socket.send(flight.packet.bytes(), flight.packet.id(), index) {
            Ok(()) => {
                self.pace.sent += 1;
                self.expiries.push_back((now + self.settings.query_timeout, index, flight.tries));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.take_back(index);
                Ok(false)
            }
            Err(error) => {
                self.give_up_channel(channel, &error);
                self.fail(index, Outcome::Unreachable(cause(&error)));
                Ok(true)
            }
        }
    }

    /// The server whose turn it is; `None` settles the question.
    fn next_server(&mut self, index: usize) -> Option<SocketAddr> {
        let upstream = self.asks.get(index).and_then(|ask| self.upstreams.get(ask.upstream));
        let servers = upstream.map_or(&[][..], |upstream| upstream.servers.as_slice());
        let tries = self.flights.get(index).and_then(Option::as_ref).map_or(0, |flight| flight.tries);
        let turn = usize::try_from(tries).unwrap_or_default() % servers.len().max(1);
        let server = servers.get(turn).copied();
        if server.is_none() {
            self.settle(index, Reply::without_answer(Outcome::NotAsked, None));
        }
        server
    }

    fn channel_to(&mut self, server: SocketAddr) -> io::Result<usize> {
        let has_room = |channel: &Channel| channel.server == server && channel.has_room();
        if let Some(found) = self.channels.iter().position(has_room) {
            return Ok(found);
        }
        self.channels.push(Channel::open(server, self.settings.source)?);
        Ok(self.channels.len() - 1)
    }

    /// Counts a try and makes its packet, with an id that is free on the channel.
    fn begin_try(
        &mut self,
        index: usize,
        server: SocketAddr,
        channel: Option<usize>,
        now: Instant,
    ) -> Result<(), ProbeError> {
        let (Some(ask), Some(slot)) = (self.asks.get(index), self.flights.get_mut(index)) else {
            return Ok(());
        };
        let taken =
            |id| channel.and_then(|at| self.channels.get(at)).is_some_and(|channel| channel.has_id(id));
        let id = self.ids.free(taken)?;
        let packet = Packet::new(&ask.question, id, ask.recurse).map_err(|error| {
            let text = format!("cannot ask for {}: {error}", ask.question.name);
            ProbeError::new(Trouble::Internal, Phase::Querying, text)
        })?;
        let earlier = slot.take();
        let (tries, first_sent, problem) = match earlier {
            Some(flight) => (flight.tries, flight.first_sent, flight.problem),
            None => (0, now, None),
        };
        *slot = Some(Flight { packet, server, tries: tries + 1, first_sent, channel, problem });
        self.on_the_way += 1;
        Ok(())
    }

    /// A try that could not be sent does not count.
    fn take_back(&mut self, index: usize) {
        self.on_the_way -= 1;
        if let Some(Some(flight)) = self.flights.get_mut(index) {
            flight.tries -= 1;
            flight.channel = None;
        }
    }

    /// Ends the tries whose time is over.
    fn expire(&mut self, now: Instant) {
        while let Some(&(expires, index, tries)) = self.expiries.front() {
            if expires > now {
                break;
            }
            self.expiries.pop_front();
            let waits = |flight: &Flight| flight.channel.is_some() && flight.tries == tries;
            if self.flights.get(index).and_then(Option::as_ref).is_some_and(waits) {
                self.fail(index, Outcome::Timeout);
            }
        }
        let overdue: Vec<usize> =
            self.connections.iter().filter(|one| one.expires <= now).map(|one| one.ask).collect();
        self.connections.retain(|one| one.expires > now);
        for index in overdue {
            self.fail(index, Outcome::Unreachable("truncated, and no answer over TCP".to_owned()));
        }
    }

    /// A try came to nothing: the next one, or the end.
    fn fail(&mut self, index: usize, outcome: Outcome) {
        self.release(index);
        let servers = self.server_count(index);
        let Some(Some(flight)) = self.flights.get_mut(index) else { return };
        // Silence says less than what an earlier try heard.
        let outcome = match (outcome, flight.problem.take()) {
            (Outcome::Timeout, Some(problem)) => problem,
            (outcome, _) => outcome,
        };
        if flight.tries < self.settings.tries.max(servers) {
            flight.problem = Some(outcome).filter(|outcome| *outcome != Outcome::Timeout);
            self.to_send.push_back(index);
        } else {
            let reply = Reply::without_answer(outcome, Some(flight.server));
            self.settle(index, reply);
        }
    }

    /// A message came. One that answers nothing is worth asking the next server, and a
    /// garbled one is worth another try.
    fn answered(&mut self, index: usize, answer: Answer) {
        let garbled = matches!(answer.outcome, Outcome::Malformed(_));
        let others = self.server_count(index) > 1;
        if garbled || (others && !answer.outcome.is_answer()) {
            self.fail(index, answer.outcome);
            return;
        }
        self.release(index);
        let Some(Some(flight)) = self.flights.get(index) else { return };
        let mut reply =
            Reply { answer, server: Some(flight.server), time: Some(flight.first_sent.elapsed()) };
        reply.answer.shorten(self.settings.most_records);
        self.settle(index, reply);
    }

    /// The present try is over: its id is free again.
    fn release(&mut self, index: usize) {
        self.on_the_way -= 1;
        if let Some(Some(flight)) = self.flights.get_mut(index)
            && let Some(channel) = flight.channel.take()
            && let Some(channel) = self.channels.get_mut(channel)
        {
            channel.forget(flight.packet.id());
        }
    }

    fn settle(&mut self, index: usize, reply: Reply) {
        if let (Some(slot), Some(flight)) = (self.replies.get_mut(index), self.flights.get_mut(index)) {
            *slot = Some(reply);
            *flight = None;
            self.unsettled -= 1;
        }
    }

    fn server_count(&self, index: usize) -> u32 {
        let upstream = self.asks.get(index).and_then(|ask| self.upstreams.get(ask.upstream));
        upstream.map_or(1, |upstream| u32::try_from(upstream.servers.len()).unwrap_or(u32::MAX))
    }

    /// The kernel says that the server cannot be reached: that holds for all who wait there.
    fn give_up_channel(&mut self, channel: usize, error: &io::Error) {
        let waiting = self.channels.get_mut(channel).map(Channel::forget_all).unwrap_or_default();
        for index in waiting {
            self.fail(index, Outcome::Unreachable(cause(error)));
        }
    }

    /// Begins TCP connections for what was truncated.
    fn connect(&mut self, now: Instant) {
        while self.connections.len() < MAX_CONNECTIONS {
            let Some(index) = self.to_connect.pop_front() else { break };
            let Some(Some(flight)) = self.flights.get(index) else { continue };
            let expires = now + self.settings.query_timeout;
            match Connection::open(flight.server, self.settings.source, flight.packet.bytes(), index, expires)
            {
                Ok(connection) => self.connections.push(connection),
                Err(error) => self.fail(index, over_tcp(&error)),
            }
        }
    }

    /// Waits for the next thing to happen and takes what came.
    fn wait(&mut self, now: Instant) -> Result<(), ProbeError> {
        let busy: Vec<usize> = (0..self.channels.len())
            .filter(|&at| self.channels.get(at).is_some_and(|channel| !channel.is_idle()))
            .collect();
        let datagrams = busy
            .iter()
            .filter_map(|&at| self.channels.get(at))
            .map(|channel| (channel.descriptor(), Interest::Read));
        let streams = self.connections.iter().map(|one| (one.descriptor(), one.interest()));
        let sockets: Vec<_> = datagrams.chain(streams).collect();
        let ready = poll::wait(&sockets, self.patience(now)).map_err(|error| {
            let text = format!("cannot wait for answers: {}", cause(&error));
            ProbeError::new(Trouble::Internal, Phase::Querying, text)
        })?;
        let (datagrams, streams) = ready.split_at_checked(busy.len()).unwrap_or_default();
        for (&channel, _) in busy.iter().zip(datagrams).filter(|(_, ready)| **ready) {
            self.take_datagrams(channel);
        }
        self.take_messages(streams);
        Ok(())
    }

    /// Time until something has to be done even if nothing comes.
    fn patience(&self, now: Instant) -> Duration {
        let oldest = self.expiries.front().map(|(expires, ..)| *expires);
        let connection = self.connections.iter().map(|one| one.expires).min();
        let may_send = !self.to_send.is_empty() && self.on_the_way < self.settings.window.max(1);
        let next_send = may_send.then(|| self.pace.next(now));
        [oldest, connection, next_send]
            .into_iter()
            .flatten()
            .map(|when| when.saturating_duration_since(now))
            .fold(self.deadline.left(), Duration::min)
    }

    fn take_datagrams(&mut self, channel: usize) {
        let mut buffer = [0; DATAGRAM];
        for _ in 0..PER_TURN {
            let Some(socket) = self.channels.get(channel) else { return };
            match socket.receive(&mut buffer) {
                Ok(length) => self.take_datagram(channel, buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.give_up_channel(channel, &error),
            }
        }
    }

    fn take_datagram(&mut self, channel: usize, bytes: &[u8]) {
        let Some(id) = bytes.first_chunk().map(|id| u16::from_be_bytes(*id)) else { return };
        let Some(index) = self.channels.get(channel).and_then(|channel| channel.waiting_for(id)) else {
            return;
        };
        let Some(Some(flight)) = self.flights.get(index) else { return };
        match flight.packet.read(bytes) {
            Heard::Stray => {}
            Heard::Answer(answer) => self.answered(index, answer),
            Heard::Truncated => {
                self.release(index);
                self.on_the_way += 1;
                self.to_connect.push_back(index);
            }
        }
    }

    fn take_messages(&mut self, ready: &[bool]) {
        let mut still_open = Vec::new();
        let all = std::mem::take(&mut self.connections);
        for (mut connection, ready) in all.into_iter().zip(ready) {
            let index = connection.ask;
            match if *ready { connection.advance() } else { Ok(Progress::Waiting) } {
                Ok(Progress::Waiting) => still_open.push(connection),
                Ok(Progress::Message(bytes)) => self.take_message(index, &bytes),
                Err(error) => self.fail(index, over_tcp(&error)),
            }
        }
        self.connections = still_open;
    }

    fn take_message(&mut self, index: usize, bytes: &[u8]) {
        let Some(Some(flight)) = self.flights.get(index) else { return };
        match flight.packet.read(bytes) {
            Heard::Answer(answer) => self.answered(index, answer),
            Heard::Stray => {
                self.fail(index, Outcome::Malformed("another question's answer over TCP".to_owned()));
            }
            Heard::Truncated => self.fail(index, Outcome::Malformed("truncated even over TCP".to_owned())),
        }
    }
}

fn over_tcp(error: &io::Error) -> Outcome {
    let cause = match error.kind() {
        io::ErrorKind::UnexpectedEof => "connection closed".to_owned(),
        _ => cause(error),
    };
    Outcome::Unreachable(format!("truncated, and over TCP: {cause}"))
}

/// What is left when the deadline passed.
fn unfinished(flight: Option<Flight>) -> Reply {
    match flight {
        None => Reply::without_answer(Outcome::NotAsked, None),
        Some(flight) => {
            Reply::without_answer(flight.problem.unwrap_or(Outcome::Timeout), Some(flight.server))
        }
    }
}

/// Holds the rate: a first burst, then so many a second.
struct Pace {
    rate: Option<f64>,
    burst: f64,
    started: Instant,
    sent: u32,
}

impl Pace {
    fn new(settings: &Settings) -> Self {
        let burst = u32::try_from(settings.window.max(1)).unwrap_or(u32::MAX);
        Self { rate: settings.rate.map(f64::from), burst: f64::from(burst), started: Instant::now(), sent: 0 }
    }

    fn allows(&self, now: Instant) -> bool {
        self.next(now) <= now
    }

    /// When the next question may go.
    fn next(&self, now: Instant) -> Instant {
        match self.rate {
            None => now,
            Some(rate) => {
                let owed = (f64::from(self.sent) + 1.0 - self.burst).max(0.0) / rate.max(1.0);
                self.started + Duration::from_secs_f64(owed)
            }
        }
    }
}

/// Random ids, drawn from the system in one go.
struct Ids {
    bytes: Vec<u8>,
}

impl Ids {
    fn new(count: usize) -> Result<Self, ProbeError> {
        let mut ids = Self { bytes: Vec::new() };
        ids.draw(count.clamp(1, 4096))?;
        Ok(ids)
    }

    fn draw(&mut self, count: usize) -> Result<(), ProbeError> {
        self.bytes.resize(2 * count, 0);
        getrandom::fill(&mut self.bytes)
            .map_err(|_| ProbeError::local("cannot get random numbers from the system"))
    }

    /// An id that is not taken. A channel holds few of the 65,536, so this ends soon.
    fn free(&mut self, taken: impl Fn(u16) -> bool) -> Result<u16, ProbeError> {
        loop {
            let (Some(low), Some(high)) = (self.bytes.pop(), self.bytes.pop()) else {
                self.draw(256)?;
                continue;
            };
            let id = u16::from_be_bytes([high, low]);
            if !taken(id) {
                return Ok(id);
            }
        }
    }
}
