//! What checks cost an engine of Icinga 2: how many it gets through, and the processor time of the engine with its
//! plugins. That of the servers they ask is left out.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What went on between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Checks that ended.
    pub checks: f64,
    /// Time that passed.
    pub wall: Duration,
    /// Of each engine, in the order they were asked for.
    pub cpu: [Duration; 3],
}

impl Load {
    /// Of these engines (process ids; 0 for none) while so many checks, as `counted` says, ended.
    #[must_use]
    pub fn measure(engines: [u32; 3], window: Duration, counted: impl Fn() -> f64) -> Self {
        let (began, before, cpu) = (Instant::now(), counted(), engines.map(cpu_time));
        sleep(window);
        let after = engines.map(cpu_time);
        let checks = counted() - before;
        let spent = [0, 1, 2].map(|one: usize| after[one].saturating_sub(cpu[one]));
        Self { checks, wall: began.elapsed(), cpu: spent }
    }

    /// Checks that ended in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.checks / self.wall.as_secs_f64()
    }

    /// Milliseconds of processor time for each check, of one engine with its plugins.
    #[must_use]
    pub fn cpu_ms(&self, engine: usize) -> f64 {
        self.cpu[engine].as_secs_f64() * 1000.0 / self.checks
    }
}

/// Processor time that an engine has used, with the plugins that have ended: of all its processes, one of which starts
/// the plugins and waits for them.
fn cpu_time(engine: u32) -> Duration {
    let processes: BTreeMap<u32, Process> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, Process::read(id)?)))
        .collect();
    let is_of = |mut id: u32| {
        while id > 1 && id != engine {
            id = processes.get(&id).map_or(0, |process| process.parent);
        }
        id == engine
    };
    // A plugin that runs is counted when it ends.
    let own = processes.iter().filter(|(id, process)| process.is_engine && is_of(**id));
    Duration::from_millis(own.map(|(_, process)| process.ticks * 10).sum())
}

struct Process {
    is_engine: bool,
    parent: u32,
    /// Hundredths of a second, which is what Linux counts in for programs.
    ticks: u64,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (begin, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        // utime, stime, cutime and cstime of proc(5).
        let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Self { is_engine: begin.ends_with("(icinga2"), parent: fields.get(1)?.parse().ok()?, ticks })
    }
}
