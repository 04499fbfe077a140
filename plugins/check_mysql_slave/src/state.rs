//! What one run remembers of the channels for the next: since when a thread stands, when all
//! was well last, and when something came over the link.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::replica::{Channel, Replica, Status, Thread};

/// Of the form below; a file of another version is put aside.
pub const VERSION: u32 = 1;

/// Everything that is remembered, by the name of the channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    channels: BTreeMap<String, ChannelMemory>,
}

/// Times are Unix seconds by the clock of the monitoring host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ChannelMemory {
    /// Another source is another link.
    source: String,
    good_at: Option<i64>,
    /// When there was no connection.
    lost_at: Option<i64>,
    /// When one was seen for the first time after that.
    back_at: Option<i64>,
    io_stopped_since: Option<i64>,
    sql_stopped_since: Option<i64>,
    link: Option<Link>,
}

/// What was received when, so far as the server counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Link {
    heartbeats: u64,
    position: (Option<String>, Option<u64>, Option<String>),
    /// When it was seen to be so for the first time.
    since: i64,
}

/// Adds to the facts what they are since when, and gives what to remember of this run. A status
/// that was not answered changes nothing.
#[must_use]
pub fn remember(before: Memory, replica: &mut Replica, now: i64) -> Memory {
    if replica.status != Status::Answered {
        return before;
    }
    let mut channels = before.channels;
    let remembered = replica.channels.iter_mut().map(|channel| {
        let source = channel.source();
        let last = channels.remove(&channel.name).filter(|last| last.source == source);
        (channel.name.clone(), remember_channel(last, channel, now))
    });
    Memory { channels: remembered.collect() }
}

fn remember_channel(last: Option<ChannelMemory>, channel: &mut Channel, now: i64) -> ChannelMemory {
    let is_new = last.is_none();
    let last = last.unwrap_or_default();
    // A clock that was set back makes what lies ahead of it worthless.
    let past = |at: Option<i64>| at.filter(|at| *at <= now);
    let since = |is_stopped: bool, before: Option<i64>| is_stopped.then(|| past(before).unwrap_or(now));
    let io_stopped_since = since(channel.io == Some(Thread::Stopped), last.io_stopped_since);
    let sql_stopped_since = since(channel.sql == Some(Thread::Stopped), last.sql_stopped_since);
    let (lost_at, back_at) = match (channel.io == Some(Thread::Running), last.lost_at) {
        (false, _) => (Some(now), None),
        (true, Some(_)) => (None, Some(now)),
        (true, None) => (None, past(last.back_at)),
    };
    let age = |at: Option<i64>| at.map(|at| seconds(now.saturating_sub(at)));
    channel.io_stopped_seconds = age(io_stopped_since);
    channel.sql_stopped_seconds = age(sql_stopped_since);
    let known = last.link.filter(|link| link.since <= now);
    let link = link_of(channel, now);
    let link = match (link, known) {
        (Some(link), Some(known))
            if (link.heartbeats, &link.position) == (known.heartbeats, &known.position) =>
        {
            Some(known)
        }
        (link, _) => link,
    };
    channel.silence_seconds = match (channel.silence_seconds, age(back_at)) {
        // Servers that tell the silence themselves know better, but not when a connection began.
        (Some(silence), Some(connected)) => Some(silence.min(connected)),
        (Some(silence), None) => Some(silence),
        // A first look says nothing of the time before.
        (None, _) => link.as_ref().filter(|_| !is_new).and_then(|link| age(Some(link.since))),
    };
    let is_good = channel.is_running() && !channel.is_silent();
    let good_at = if is_good { Some(now) } else { past(last.good_at) };
    channel.good_seconds_ago = age(good_at);
    ChannelMemory {
        source: channel.source(),
        good_at,
        lost_at,
        back_at,
        io_stopped_since,
        sql_stopped_since,
        link,
    }
}

/// Only of a running thread: a stopped one does not listen, and begins anew.
fn link_of(channel: &Channel, now: i64) -> Option<Link> {
    let is_running = channel.io == Some(Thread::Running);
    let heartbeats = channel.received_heartbeats.filter(|_| is_running)?;
    let position = (channel.read_file.clone(), channel.read_position_bytes, channel.gtid_io_position.clone());
    Some(Link { heartbeats, position, since: now })
}

#[expect(clippy::cast_precision_loss, reason = "Unix seconds are exact as a double")]
fn seconds(whole: i64) -> f64 {
    whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(io: Thread, heartbeats: u64) -> Replica {
        let channel = Channel {
            source_host: Some("db1".to_owned()),
            io: Some(io),
            sql: Some(Thread::Running),
            received_heartbeats: Some(heartbeats),
            ..Channel::default()
        };
        Replica { status: Status::Answered, channels: vec![channel], ..Replica::default() }
    }

    /// Runs one after the other; gives the last one's channel.
    fn after(runs: &[(i64, Thread, u64)]) -> Channel {
        let mut memory = Memory::default();
        let mut last = Channel::default();
        for (now, io, heartbeats) in runs {
            let mut replica = replica(io.clone(), *heartbeats);
            memory = remember(memory, &mut replica, *now);
            let text = serde_json::to_string(&memory).unwrap();
            memory = serde_json::from_str(&text).unwrap();
            last = replica.channels.remove(0);
        }
        last
    }

    #[test]
    fn silence_is_the_time_without_a_change() {
        use Thread::{Running, Stopped};
        assert_eq!(after(&[(1000, Running, 4)]).silence_seconds, None, "one look says nothing");
        assert_eq!(after(&[(1000, Running, 4), (1060, Running, 4)]).silence_seconds, Some(60.0));
        let third = [(1000, Running, 4), (1060, Running, 4), (1120, Running, 4)];
        assert_eq!(after(&third).silence_seconds, Some(120.0));
        assert_eq!(after(&[(1000, Running, 4), (1060, Running, 5)]).silence_seconds, Some(0.0));
        let restarted = [(1000, Running, 4), (1060, Stopped, 4), (1090, Running, 4)];
        assert_eq!(after(&restarted).silence_seconds, Some(0.0), "a new connection");
    }

    #[test]
    fn a_silence_ends_with_a_new_connection() {
        let mut lost = replica(Thread::Connecting, 4);
        let memory = remember(Memory::default(), &mut lost, 1000);
        let mut back = replica(Thread::Running, 4);
        back.channels[0].silence_seconds = Some(82.0);
        let memory = remember(memory, &mut back, 1007);
        assert_eq!(back.channels[0].silence_seconds, Some(0.0));
        let mut silent = replica(Thread::Running, 4);
        silent.channels[0].silence_seconds = Some(142.0);
        let _ = remember(memory, &mut silent, 1067);
        assert_eq!(silent.channels[0].silence_seconds, Some(60.0), "it has been silent since then");
        assert_eq!(after(&[(1000, Thread::Running, 4), (1020, Thread::Connecting, 4)]).silence_seconds, None);
    }

    #[test]
    fn what_the_server_says_of_silence_is_kept() {
        let mut first = replica(Thread::Running, 4);
        let memory = remember(Memory::default(), &mut first, 1000);
        let mut second = replica(Thread::Running, 4);
        second.channels[0].silence_seconds = Some(3.0);
        let _ = remember(memory, &mut second, 1060);
        assert_eq!(second.channels[0].silence_seconds, Some(3.0));
    }

    #[test]
    fn stopped_and_good_times_are_counted() {
        use Thread::{Connecting, Running, Stopped};
        let stopped = after(&[(1000, Running, 4), (1060, Stopped, 4), (1120, Stopped, 4)]);
        assert_eq!((stopped.io_stopped_seconds, stopped.good_seconds_ago), (Some(60.0), Some(120.0)));
        let lost = after(&[(1000, Running, 4), (1020, Connecting, 4)]);
        assert_eq!((lost.io_stopped_seconds, lost.good_seconds_ago), (None, Some(20.0)));
        assert_eq!(after(&[(1000, Connecting, 4)]).good_seconds_ago, None);
    }

    #[test]
    fn a_clock_set_back_and_another_source_begin_anew() {
        use Thread::{Running, Stopped};
        let back = after(&[(5000, Stopped, 4), (1000, Stopped, 4)]);
        assert_eq!(back.io_stopped_seconds, Some(0.0));
        assert_eq!(after(&[(5000, Running, 4), (1000, Running, 4)]).silence_seconds, Some(0.0));
        let mut first = replica(Stopped, 4);
        let memory = remember(Memory::default(), &mut first, 1000);
        let mut other = replica(Stopped, 4);
        other.channels[0].source_host = Some("db2".to_owned());
        let _ = remember(memory, &mut other, 1060);
        assert_eq!(other.channels[0].io_stopped_seconds, Some(0.0));
    }

    #[test]
    fn a_status_that_was_not_answered_forgets_nothing() {
        let mut first = replica(Thread::Stopped, 4);
        let memory = remember(Memory::default(), &mut first, 1000);
        let mut hanging = Replica { status: Status::NotAsked, ..Replica::default() };
        assert_eq!(remember(memory.clone(), &mut hanging, 1060), memory);
    }
}
