//! What stands on the disk while a check runs: which table it is, and all that was learnt before.
//!
//! A damaged table can stop a server that reads it (InnoDB on MySQL does). The name is written
//! before each check, so that the next run knows and does not do it again.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::plugin::{Remembered, StateError, StateFile, state_folder};

use crate::CheckMysqlTables;
use crate::memory::{Memory, Pending, ServerMark, Unfinished, VERSION};
use crate::seen::{SeenServer, SeenUnfinished};
use crate::tables::TableName;

/// How long another run on the same server may keep us waiting.
const WAIT: Duration = Duration::from_secs(1);
/// What is remembered is written this often besides at the end.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// What a run remembers and what guards its checks: both held until its end.
pub(crate) struct Guard {
    memory_file: StateFile,
    pending_file: StateFile,
    pub(crate) memory: Memory,
    server: ServerMark,
    saved: Instant,
}

impl Guard {
    /// Reads what earlier runs left.
    pub(crate) fn open(
        options: &CheckMysqlTables,
        place: &str,
        server: ServerMark,
        seen: &mut SeenServer,
    ) -> Result<Self, StateError> {
        let folder = state_folder(options.pace.state_dir.as_deref())?;
        let name = "check_mysql_tables";
        let memory_file = StateFile::open(&folder, name, place, WAIT)?;
        let pending_file = StateFile::open(&folder, name, &format!("{place} pending"), WAIT)?;
        let mut memory = match memory_file.load(VERSION)? {
            Remembered::Nothing => Memory::default(),
            Remembered::Content(memory) => memory,
            Remembered::Corrupt(path) => {
                seen.put_aside = Some(path.display().to_string());
                Memory::default()
            }
        };
        if options.pace.clear_suspect {
            memory.suspects.clear();
        }
        match pending_file.load::<Option<Pending>>(VERSION)? {
            Remembered::Content(Some(pending)) => {
                let meaning = pending.meaning(&server);
                let (table, since) = (pending.table.clone(), pending.since);
                if meaning == Unfinished::ServerRestarted {
                    memory.suspect(pending);
                }
                seen.unfinished = Some(SeenUnfinished { table, since, meaning });
            }
            Remembered::Content(None) | Remembered::Nothing => {}
            Remembered::Corrupt(path) => seen.put_aside = Some(path.display().to_string()),
        }
        let guard = Self { memory_file, pending_file, memory, server, saved: Instant::now() };
        // The suspect is on the disk before the note that made it one is overwritten.
        guard.save()?;
        Ok(guard)
    }

    pub(crate) fn save(&self) -> Result<(), StateError> {
        self.memory_file.store_durably(VERSION, &self.memory)
    }

    pub(crate) fn save_now_and_then(&mut self) -> Result<(), StateError> {
        if self.saved.elapsed() < SAVE_EVERY {
            return Ok(());
        }
        self.saved = Instant::now();
        self.save()
    }

    /// Leaves word of a check before it begins.
    pub(crate) fn announce(&self, table: &TableName) -> Result<(), StateError> {
        let pending = Pending { table: table.clone(), since: unix_time(), server: self.server.clone() };
        self.pending_file.store_durably(VERSION, &Some(pending))
    }

    pub(crate) fn all_ended(&self) -> Result<(), StateError> {
        self.pending_file.store_durably(VERSION, &None::<Pending>)
    }
}

/// Seconds since 1970 by our clock.
pub(crate) fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
