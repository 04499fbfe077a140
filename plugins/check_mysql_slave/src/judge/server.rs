//! What concerns the server as a whole: read_only, semi-sync, its place in a cluster.

use common::report::{Finding, State, quote};

use super::wanted::{ReadOnly, Wanted};
use super::words::span;
use crate::advice;
use crate::replica::{Cluster, ClusterKind, LiveProbe, Replica, SemiSync, Server};

pub(super) fn judge_server(replica: &Replica, wanted: &Wanted) -> Vec<Finding> {
    let mut found = Vec::new();
    // What follows is about replicas; a server that is none has a finding of its own.
    if replica.channels.iter().any(|channel| !channel.is_of_group()) {
        found.extend(judge_read_only(&replica.server, wanted.read_only));
        found.extend(judge_updates(&replica.server));
        if wanted.semi_sync {
            found.extend(judge_semi_sync(replica.server.semi_sync));
        }
    }
    found.extend(replica.cluster.as_ref().map(judge_cluster));
    found.extend(replica.probe.as_ref().and_then(judge_probe));
    found
}

fn judge_read_only(server: &Server, wanted: ReadOnly) -> Option<Finding> {
    let (name, is_on, must_be) = match wanted {
        ReadOnly::Ignore => return None,
        ReadOnly::On => ("read_only", server.read_only, true),
        ReadOnly::Super => ("super_read_only", server.super_read_only, true),
        ReadOnly::Off => ("read_only", server.read_only, false),
    };
    match is_on {
        Some(is_on) if is_on == must_be => None,
        Some(is_on) => {
            let text = format!("{name} is {}", if is_on { "on" } else { "off" });
            let finding = Finding::new("read_only", State::Warning, text);
            Some(if must_be { finding.with_hint(advice::READ_ONLY) } else { finding })
        }
        None if wanted == ReadOnly::Super => {
            let text = "the server has no super_read_only, as MariaDB: --read-only on asks for read_only";
            Some(Finding::new("read_only", State::Unknown, text))
        }
        None => Some(Finding::new("read_only", State::Unknown, format!("the server does not tell {name}"))),
    }
}

/// Replicas of this one get nothing of what it applies.
fn judge_updates(server: &Server) -> Option<Finding> {
    let has_replicas = server.replicas.is_some_and(|replicas| replicas > 0);
    (has_replicas && server.log_replica_updates == Some(false)).then(|| {
        let text =
            "replicas read from this server, but log_replica_updates is off: they miss what it applies";
        Finding::new("log_replica_updates", State::Warning, text).with_hint(advice::LOG_UPDATES)
    })
}

fn judge_semi_sync(semi_sync: SemiSync) -> Option<Finding> {
    let found =
        |state: State, text: &str| Some(Finding::new("semi_sync", state, text).with_hint(advice::SEMI_SYNC));
    match semi_sync {
        SemiSync { replica_enabled: None, .. } => {
            found(State::Unknown, "the server does not tell whether semi-sync replication is enabled")
        }
        SemiSync { replica_enabled: Some(false), .. } => {
            found(State::Warning, "semi-sync replication is not enabled")
        }
        SemiSync { replica_status: None, .. } => {
            found(State::Unknown, "the server does not tell whether semi-sync replication is in force")
        }
        SemiSync { replica_status: Some(false), .. } => {
            found(State::Warning, "semi-sync replication is enabled, but the replica is asynchronous")
        }
        SemiSync { source_enabled: Some(true), source_status: Some(false), .. } => found(
            State::Warning,
            "semi-sync replication is enabled, but as a source the server is asynchronous",
        ),
        SemiSync { .. } => None,
    }
}

/// A member of a cluster; OK is worth a word.
pub(super) fn judge_cluster(cluster: &Cluster) -> Finding {
    let state_word = cluster.state.as_deref().unwrap_or("unknown");
    let members = cluster.size.map(|size| format!(" of {size}")).unwrap_or_default();
    let text = format!("cluster member{members} ({}, {})", cluster.kind.name(), quote(state_word));
    let state = match cluster.kind {
        ClusterKind::Galera => galera(cluster),
        ClusterKind::GroupReplication => group(state_word),
    };
    let text = match (&cluster.status, cluster.ready) {
        (Some(status), _) if !status.eq_ignore_ascii_case("primary") => {
            format!("{text}, its part of the cluster is {}", quote(status))
        }
        (_, Some(false)) => format!("{text}, wsrep_ready is off"),
        _ => text,
    };
    let finding = Finding::new("cluster", state, text);
    if state == State::Critical { finding.with_hint(advice::CLUSTER) } else { finding }
}

fn galera(cluster: &Cluster) -> State {
    if cluster.ready == Some(false) {
        return State::Critical;
    }
    match &cluster.status {
        Some(status) if !status.eq_ignore_ascii_case("primary") => return State::Critical,
        None => return State::Unknown,
        Some(_) => {}
    }
    let Some(word) = &cluster.state else { return State::Unknown };
    let word = word.to_ascii_lowercase();
    let is = |start: &str| word.starts_with(start);
    if is("synced") {
        // Nobody said that it takes statements.
        cluster.ready.map_or(State::Unknown, |_| State::Ok)
    } else if is("donor") || is("join") {
        State::Warning
    } else if is("initialized") || is("disconnected") || is("error") {
        State::Critical
    } else {
        State::Unknown
    }
}

fn group(state: &str) -> State {
    match state.to_ascii_uppercase().as_str() {
        "ONLINE" => State::Ok,
        "RECOVERING" => State::Warning,
        "ERROR" | "OFFLINE" | "UNREACHABLE" => State::Critical,
        _ => State::Unknown,
    }
}

fn judge_probe(probe: &LiveProbe) -> Option<Finding> {
    if let Some(problem) = &probe.problem {
        let text = format!("cannot write the live probe on the source: {problem}");
        return Some(Finding::new("probe", State::Unknown, text).with_hint(advice::PROBE));
    }
    if probe.arrived_after_seconds.is_some() {
        return None;
    }
    let text =
        format!("the live probe written on the source did not arrive within {}", span(probe.waited_seconds));
    Some(Finding::new("probe", State::Critical, text))
}
