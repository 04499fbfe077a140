//! Reads what earlier runs left, and leaves something for the next one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::net::ProbeError;
use common::plugin::{Plugin as _, Remembered, StateError, StateFile, state_folder};

use super::choice::Chosen;
use crate::CheckArpDupes;
use crate::memory::{Memory, VERSION};
use crate::picture::Picture;
use crate::seen::Seen;

/// The state file, held by this run.
pub(super) struct Recall {
    file: Option<StateFile>,
}

/// For a run that holds the file meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn open(check: &CheckArpDupes, chosen: &[Chosen], seen: &mut Seen) -> Result<Recall, ProbeError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    seen.memory.now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    if check.judge.no_state {
        return Ok(Recall { file: None });
    }
    let mut names: Vec<String> = chosen.iter().map(|chosen| chosen.interface.name.clone()).collect();
    names.extend(check.look.sweep.iter().map(ToString::to_string));
    let opened = state_folder(check.judge.state_dir.as_deref())
        .and_then(|folder| StateFile::open(&folder, CheckArpDupes::NAME, &names.join(","), PATIENCE));
    let remembered = opened.and_then(|file| Ok((file.load::<Memory>(VERSION)?, file)));
    match remembered {
        Ok((remembered, file)) => {
            match remembered {
                Remembered::Nothing => seen.memory.is_first = true,
                Remembered::Content(memory) => seen.memory.before = Some(memory),
                Remembered::Corrupt(path) => {
                    seen.memory.is_first = true;
                    seen.memory.put_aside = Some(path.display().to_string());
                }
            }
            Ok(Recall { file: Some(file) })
        }
        Err(error @ StateError::Newer { .. }) => {
            Err(ProbeError::local(error.to_string())
                .with_hint("a newer check_arp_dupes, or another --state-dir"))
        }
        Err(error) => {
            seen.memory.trouble = Some(error.to_string());
            Ok(Recall { file: None })
        }
    }
}

impl Recall {
    pub(super) fn store(self, check: &CheckArpDupes, seen: &mut Seen, pictures: &[Picture]) {
        let Some(file) = self.file else { return };
        let is_known = seen.memory.before.as_ref().is_some_and(|memory| memory.knows(seen, pictures));
        if is_known && !check.expect.learn {
            return;
        }
        let window = i64::try_from(check.judge.flips.window.as_secs()).unwrap_or(i64::MAX);
        let memory = Memory::after(seen, pictures, check.expect.learn, window);
        if let Err(error) = file.store(VERSION, &memory) {
            seen.memory.trouble = Some(error.to_string());
        }
        if check.expect.learn {
            seen.memory.before = Some(memory);
        }
    }
}
