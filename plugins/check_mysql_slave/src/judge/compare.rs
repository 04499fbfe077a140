//! The replica beside its source: what is missing, what is errant, who is who.

use common::report::{Finding, State, format_number, quote};

use super::wanted::{Errant, ReadOnly, Wanted};
use super::words::{count, span};
use crate::advice;
use crate::replica::{Channel, MariadbGtids, MysqlGtids, Replica, Server, Source, Thread};

/// What the source had and the replica had not yet, when it was asked afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Transactions that are not applied; `None` without GTIDs.
    pub(super) missing: Option<u64>,
    /// Whether something was not even received.
    pub(super) is_source_ahead: Option<bool>,
}

impl Comparison {
    pub(super) fn new(channel: &Channel, server: &Server, source: &Source) -> Self {
        mysql(channel, source)
            .or_else(|| mariadb(channel, server, source))
            .unwrap_or_else(|| Self { missing: None, is_source_ahead: by_position(channel, source) })
    }
}

fn mysql(channel: &Channel, source: &Source) -> Option<Comparison> {
    let theirs = MysqlGtids::parse(source.gtid_executed.as_deref()?)?;
    let applied = MysqlGtids::parse(channel.executed_gtids.as_deref()?)?;
    if theirs.is_empty() {
        return None;
    }
    let missing = theirs.minus(&applied);
    let received = MysqlGtids::parse(channel.retrieved_gtids.as_deref().unwrap_or_default())?;
    let is_source_ahead = Some(!received.contains(&missing));
    Some(Comparison { missing: Some(missing.count()), is_source_ahead })
}

fn mariadb(channel: &Channel, server: &Server, source: &Source) -> Option<Comparison> {
    let theirs = MariadbGtids::parse(source.gtid_binlog_position.as_deref()?)?;
    let applied = channel.gtid_slave_position.as_deref().or(server.gtid_slave_position.as_deref())?;
    let applied = MariadbGtids::parse(applied)?;
    if theirs.is_empty() || applied.is_empty() {
        return None;
    }
    let received = channel.gtid_io_position.as_deref().and_then(MariadbGtids::parse);
    let missing = applied.behind(&theirs);
    let is_source_ahead = match received {
        _ if missing == 0 => Some(false),
        // Where the thread has received nothing since it started, its position is the older one.
        Some(received) => Some(received.behind(&theirs).min(missing) > 0),
        None => by_position(channel, source),
    };
    Some(Comparison { missing: Some(missing), is_source_ahead })
}

fn by_position(channel: &Channel, source: &Source) -> Option<bool> {
    let theirs = (file_number(source.log_file.as_deref()?)?, source.log_position_bytes?);
    // The files of an origin further up are others than those of the channel.
    if source.is_origin == Some(true) {
        return None;
    }
    let ours = (file_number(channel.read_file.as_deref()?)?, channel.read_position_bytes?);
    Some(theirs > ours)
}

/// `binlog.000002`: 2.
fn file_number(name: &str) -> Option<u64> {
    name.rsplit_once('.')?.1.parse().ok()
}

/// Findings on the channel that `--source` is the source of.
pub(super) fn judge_link(channel: &Channel, replica: &Replica, comparison: &Comparison) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(source) = &replica.source else { return found };
    let same_uuid = matches!(
        (&source.server_uuid, &replica.server.server_uuid),
        (Some(one), Some(other)) if one.eq_ignore_ascii_case(other)
    );
    if same_uuid {
        let text = format!("source {} and replica have the same server UUID", source.name);
        found.push(Finding::new("same_id", State::Critical, text).with_hint(advice::SAME_UUID));
    }
    if source.server_id.is_some() && source.server_id == replica.server.server_id {
        let id = source.server_id.unwrap_or_default();
        let text = format!("source {} and replica have the same server id {id}", source.name);
        found.push(Finding::new("same_id", State::Critical, text).with_hint(advice::SAME_ID));
    }
    if channel.io != Some(Thread::Running) {
        return found;
    }
    let what = match comparison.missing {
        Some(missing) if missing > 0 => count_of(missing),
        _ => "transactions".to_owned(),
    };
    match (comparison.is_source_ahead, source.has_moved) {
        (Some(true), Some(false)) if source.is_origin == Some(true) => {
            let text = format!(
                "origin {} has {what} that do not arrive: held up at {} or further up",
                source.name,
                channel.source()
            );
            found.push(Finding::new("chain_stalled", State::Critical, text).with_hint(advice::CHAIN));
        }
        (Some(true), Some(false)) => {
            let text = format!(
                "source {} has {what} that do not arrive, while the link claims to be fine",
                source.name
            );
            found.push(Finding::new("link_stalled", State::Critical, text).with_hint(advice::SILENT));
        }
        (Some(true), None) => {
            let text = format!("source {} has {what} that have not arrived", source.name);
            found.push(Finding::new("link_behind", State::Warning, text));
        }
        (None, _) => {
            let text =
                format!("source {} and replica cannot be compared: no GTIDs and no positions", source.name);
            found.push(Finding::new("source", State::Unknown, text));
        }
        (Some(true), Some(true)) | (Some(false), _) => {}
    }
    found
}

/// Findings on the source itself.
pub(super) fn judge_source(replica: &Replica, wanted: &Wanted) -> Vec<Finding> {
    let Some(source) = &replica.source else { return Vec::new() };
    let unknown = |text: String| Finding::new("source", State::Unknown, text);
    if let Some(problem) = &source.problem {
        return vec![unknown(format!("cannot ask the source {}: {problem}", source.name))];
    }
    let mut found = Vec::new();
    let (direct, any) = (replica.channel_of_source(), replica.channel_from_source());
    if !replica.channels.is_empty() && any.is_none() {
        found.push(unknown(format!("{} is not the source of any channel (server id or UUID)", source.name)));
    } else if any.is_some() && direct.is_none() {
        let text = format!("{} is no direct source: compared as the origin of what arrives", source.name);
        found.push(Finding { is_note: true, ..Finding::new("origin", State::Ok, text) });
    }
    match source.skew_seconds {
        Some(skew) if skew.abs() > wanted.max_skew_seconds => {
            let side = if skew > 0.0 { "ahead of" } else { "behind" };
            let text = format!(
                "clock of source {} is {} {side} that of the replica, at most {} s are allowed",
                source.name,
                span(skew.abs()),
                format_number(wanted.max_skew_seconds)
            );
            found.push(Finding::new("clock_skew", State::Warning, text).with_hint(advice::SKEW));
        }
        Some(_) => {}
        None => found.push(unknown(format!("the clock of source {} is not known", source.name))),
    }
    found
}

/// Transactions that only the replica has.
pub(super) fn judge_errant(replica: &Replica, wanted: &Wanted) -> Option<Finding> {
    // A member of a cluster and one of two sources of each other write on their own.
    let writes = replica.cluster.is_some() || wanted.read_only == ReadOnly::Off;
    match wanted.errant {
        Errant::Off => None,
        Errant::Local if writes || replica.channels.is_empty() => None,
        Errant::Local => local(&replica.server, replica.channels.first()?),
        Errant::Exact => exact(replica),
    }
}

fn local(server: &Server, channel: &Channel) -> Option<Finding> {
    let executed = server.gtid_executed.as_deref().or(channel.executed_gtids.as_deref());
    let own = if let (Some(executed), Some(uuid)) = (executed, &server.server_uuid) {
        let Some(executed) = MysqlGtids::parse(executed) else { return Some(unreadable(executed)) };
        let own = executed.of_server(uuid);
        (!own.is_empty()).then(|| format!("{} ({})", count_of(own.count()), quote(&own.to_string())))
    } else if let (Some(state), Some(id)) = (&server.gtid_binlog_state, server.server_id) {
        let position = server
            .gtid_slave_position
            .as_deref()
            .or(channel.gtid_slave_position.as_deref())
            .unwrap_or_default();
        let (Some(state), Some(position)) = (MariadbGtids::parse(state), MariadbGtids::parse(position))
        else {
            return Some(unreadable(state));
        };
        let own = state.of_server_beyond(u32::try_from(id).ok()?, &position);
        (!own.is_empty()).then(|| format!("transactions up to {}", quote(&own.to_string())))
    } else {
        None
    };
    let text = format!("the replica has {} of its own", own?);
    Some(Finding::new("errant", State::Warning, text).with_hint(advice::ERRANT_LOCAL))
}

fn exact(replica: &Replica) -> Option<Finding> {
    let unknown = |text: &str| {
        Some(Finding::new("errant", State::Unknown, format!("errant transactions not looked for: {text}")))
    };
    let Some(source) = replica.source.as_ref().filter(|source| source.problem.is_none()) else {
        return unknown("the source was not asked (--source)");
    };
    let server = &replica.server;
    let found = if let (Some(ours), Some(theirs)) = (&server.gtid_executed, &source.gtid_executed) {
        let (Some(ours), Some(theirs)) = (MysqlGtids::parse(ours), MysqlGtids::parse(theirs)) else {
            return Some(unreadable(ours));
        };
        let mut errant = ours.minus(&theirs);
        for other in replica.channels.iter().filter(|other| !is_channel_of(other, source)) {
            let received = other.retrieved_gtids.as_deref().and_then(MysqlGtids::parse).unwrap_or_default();
            errant = errant.without_servers_of(&received);
            if let Some(uuid) = &other.source_uuid {
                errant = errant.minus(&errant.of_server(uuid));
            }
        }
        (!errant.is_empty()).then(|| format!("{} ({})", count_of(errant.count()), quote(&errant.to_string())))
    } else if let (Some(ours), Some(theirs), Some(id)) =
        (&server.gtid_binlog_state, &source.gtid_binlog_state, server.server_id)
    {
        let (Some(ours), Some(theirs)) = (MariadbGtids::parse(ours), MariadbGtids::parse(theirs)) else {
            return Some(unreadable(ours));
        };
        let errant = ours.of_server_unknown_to(u32::try_from(id).ok()?, &theirs);
        (!errant.is_empty()).then(|| format!("transactions up to {}", quote(&errant.to_string())))
    } else {
        return unknown("no GTIDs on one of the two servers");
    };
    let text = format!("the replica has {} that source {} has not", found?, source.name);
    Some(Finding::new("errant", State::Critical, text).with_hint(advice::ERRANT))
}

fn is_channel_of(channel: &Channel, source: &Source) -> bool {
    match (&channel.source_uuid, &source.server_uuid) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => channel.source_server_id.is_some() && channel.source_server_id == source.server_id,
    }
}

fn unreadable(text: &str) -> Finding {
    let text = format!("cannot look for errant transactions: {} is no set of GTIDs", quote(text));
    Finding::new("errant", State::Unknown, text)
}

pub(super) fn count_of(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "transaction")
}
