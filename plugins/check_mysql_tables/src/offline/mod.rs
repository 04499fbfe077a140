//! The files of a server that is down: marks in the heads of index files, lengths, files that miss
//! their counterpart, the pages of InnoDB, and the room that is left.
//!
//! Nothing is locked or written. While a server runs, its files say something else than it
//! does, so a data directory in use is refused.

mod definition;
pub mod header;
pub mod pages;
mod tablespace;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::net::{Deadline, Phase, ProbeError, cause};
use common::plugin::{is_locked_by_another, room};
use serde::{Deserialize, Serialize};

use crate::tables::{TableName, Wanted};
use definition::{Needs, decoded, needs};
use header::{HEAD, IndexEngine, parse_head};
use pages::{PageFault, Unjudged};
use tablespace::{Reading, Tablespace};

/// What a data directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFiles {
    /// The directory.
    pub folder: String,
    /// Tables with files there.
    pub tables: usize,
    /// Heads of index files that were read.
    pub heads: usize,
    /// InnoDB files of which every page was read.
    pub tablespaces: usize,
    /// InnoDB files that there was no time for.
    pub left: usize,
    /// InnoDB files with pages that cannot be judged.
    pub unjudged: Vec<SeenUnjudged>,
    /// What is wrong.
    pub faults: Vec<SeenFault>,
    /// What could not be read, with the reason.
    pub unread: Vec<String>,
    /// Free bytes and all bytes of the file system.
    pub room: Option<(u64, u64)>,
}

/// A file with pages that cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenUnjudged {
    /// The file, below the directory.
    pub file: String,
    /// How many there are.
    pub pages: u32,
    /// Why the first of them is not.
    pub why: Unjudged,
}

/// A fault of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFault {
    /// The table.
    pub table: TableName,
    /// The file, below the directory.
    pub file: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with the files of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A server marked it as damaged.
    Crashed {
        /// And a repair failed.
        repair_failed: bool,
    },
    /// A server had it open and never closed it.
    NotClosed(u16),
    /// It is shorter than the index says.
    Short {
        /// Bytes it has.
        found: u64,
        /// Bytes it should have.
        expected: u64,
    },
    /// It is longer than the index says.
    Long {
        /// Bytes it has.
        found: u64,
        /// Bytes it should have.
        expected: u64,
    },
    /// Pages of InnoDB are damaged.
    Pages {
        /// The number of the first.
        first: u32,
        /// What is wrong with that one.
        fault: PageFault,
        /// How many there are.
        count: u32,
    },
    /// It is no index file, or no tablespace.
    NoHead(String),
    /// The data has no index.
    NoIndex,
    /// The index has no data.
    NoData,
    /// The files have no definition.
    NoDefinition,
    /// The definition has no files.
    NoFiles,
    /// A change of a table that never ended left it.
    Leftover,
}

/// Files a server keeps locked as long as it runs: those of InnoDB and Aria.
const LOCKED: [&str; 2] = ["ibdata1", "aria_log_control"];
/// The part of the time of the run after which no page is read any more.
const SHARE: f64 = 0.9;
/// What readers that map a packed file into memory want behind its end.
const MARGIN: u64 = 7;

/// Reads the files in a data directory.
pub(crate) fn probe_files(
    folder: &Path,
    wanted: Wanted<'_>,
    budget: Duration,
    deadline: &Deadline,
) -> Result<SeenFiles, ProbeError> {
    let until = Instant::now() + budget.min(deadline.left().mul_f64(SHARE));
    deadline.enter(Phase::Querying);
    let unreadable = |error: io::Error| {
        let text = format!("--offline: cannot read {}: {}", folder.display(), cause(&error));
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                ProbeError::local(text).with_hint("run it as the user of the server, or as root")
            }
            _ => ProbeError::local(text),
        }
    };
    let place = File::open(folder).map_err(unreadable)?;
    refuse_in_use(folder)?;
    let mut walk = Walk {
        wanted,
        has_dictionary: folder.join("mysql.ibd").exists(),
        seen: SeenFiles { folder: folder.display().to_string(), ..SeenFiles::default() },
        tablespaces: Vec::new(),
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        deadline.remaining()?;
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with(['.', '#']) && name != "lost+found" {
            walk.database(&path, &name, deadline)?;
        } else if let Some(stem) = name.strip_suffix(".ibd") {
            walk.beside_databases(path.clone(), stem);
        }
    }
    walk.read_tablespaces(until);
    // One that was started meanwhile has changed what was read.
    refuse_in_use(folder)?;
    let mut seen = walk.seen;
    seen.faults.sort_by(|one, other| (&one.table, &one.file).cmp(&(&other.table, &other.file)));
    seen.room = room(&place).ok().map(|room| (room.free, room.total));
    Ok(seen)
}

/// Ends the run unless it is certain that no server uses the directory.
fn refuse_in_use(folder: &Path) -> Result<(), ProbeError> {
    let shown = folder.display();
    let mut known = false;
    for name in LOCKED {
        match File::open(folder.join(name)) {
            Ok(file) => {
                known = true;
                let locked = is_locked_by_another(&file).map_err(|error| {
                    let text = format!("--offline: cannot see whether {name} is locked: {}", cause(&error));
                    ProbeError::local(text)
                })?;
                if locked {
                    let text = format!("--offline: a server is using {shown}: it holds the lock on {name}");
                    return Err(ProbeError::local(text).with_hint("ask the server itself, without --offline"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let text = format!("--offline: cannot read {shown}/{name}: {}", cause(&error));
                return Err(ProbeError::local(text).with_hint("run it as the user of the server, or as root"));
            }
        }
    }
    if known {
        return Ok(());
    }
    let text = format!("--offline: {shown} is no data directory: neither ibdata1 nor aria_log_control");
    Err(ProbeError::local(text))
}

struct Walk<'a> {
    wanted: Wanted<'a>,
    /// Definitions are in the server's dictionary (MySQL 8 and later), not in files of their own.
    has_dictionary: bool,
    seen: SeenFiles,
    /// Files of InnoDB, to be read in the end.
    tablespaces: Vec<Tablespace>,
}

/// The length of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(u64),
    NoFile,
    Unknown,
}

/// Endings of the files of one table, and its definition.
#[derive(Default)]
struct Files {
    /// Stem and ending of each; a partition has a stem of its own.
    parts: BTreeSet<(String, String)>,
    definition: Option<PathBuf>,
}

impl Walk<'_> {
    fn database(&mut self, folder: &Path, schema: &str, deadline: &Deadline) -> Result<(), ProbeError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.unread(folder, &error);
                return Ok(());
            }
        };
        let mut tables: BTreeMap<String, Files> = BTreeMap::new();
        for entry in entries {
            deadline.remaining()?;
            match entry {
                Ok(entry) => sort_in(&mut tables, &entry.path()),
                Err(error) => self.unread(folder, &error),
            }
        }
        for (stem, files) in tables {
            deadline.remaining()?;
            let table = TableName { schema: decoded(schema), name: decoded(&stem) };
            if self.wanted.includes_file(&table) {
                self.seen.tables += 1;
                self.table(folder, schema, &table, &stem, &files);
            }
        }
        Ok(())
    }

    fn table(&mut self, folder: &Path, schema: &str, table: &TableName, stem: &str, files: &Files) {
        let mut add = |file: String, fault: Fault| {
            let file = format!("{schema}/{file}");
            self.seen.faults.push(SeenFault { table: table.clone(), file, fault });
        };
        if stem.starts_with("#sql") {
            add(stem.to_owned(), Fault::Leftover);
            return;
        }
        match &files.definition {
            None if self.has_dictionary && !files.has(&["MYD", "MYI"]) => {}
            None => {
                if let Some((part, ending)) = files.parts.iter().find(|(part, _)| !part.starts_with("FTS_")) {
                    add(format!("{part}.{ending}"), Fault::NoDefinition);
                }
            }
            Some(path) => match needs(path) {
                Ok(needs) => {
                    if !files.satisfy(needs) {
                        add(format!("{stem}.frm"), Fault::NoFiles);
                    }
                }
                Err(error) => self.seen.unread.push(format!("{}: {}", path.display(), cause(&error))),
            },
        }
        for (part, _) in files.parts.iter().filter(|(_, ending)| ending == "ibd") {
            self.tablespace(table, folder.join(format!("{part}.ibd")), format!("{schema}/{part}.ibd"));
        }
        for (index, data) in [("MYI", "MYD"), ("MAI", "MAD")] {
            let stems: BTreeSet<&String> = files
                .parts
                .iter()
                .filter(|(_, ending)| ending == index || ending == data)
                .map(|(stem, _)| stem)
                .collect();
            for stem in stems {
                self.pair(folder, schema, table, [&format!("{stem}.{index}"), &format!("{stem}.{data}")]);
            }
        }
    }

    /// What belongs to no database: the dictionary of MySQL, and tablespaces that were made for several tables.
    fn beside_databases(&mut self, path: PathBuf, stem: &str) {
        let table = TableName { schema: String::new(), name: decoded(stem) };
        if self.wanted.includes_file(&table) {
            self.tablespace(&table, path, format!("{stem}.ibd"));
        }
    }

    fn tablespace(&mut self, table: &TableName, path: PathBuf, file: String) {
        if let Length::Known(length) = self.length(&path) {
            self.tablespaces.push(Tablespace { table: table.clone(), path, file, length });
        }
    }

    /// The small ones first, so that one large file does not keep all others from their turn.
    fn read_tablespaces(&mut self, until: Instant) {
        let mut files = std::mem::take(&mut self.tablespaces);
        files.sort_by(|one, other| (one.length, &one.file).cmp(&(other.length, &other.file)));
        for tablespace in files {
            let found = match tablespace.read(until) {
                Reading::Unfinished => {
                    self.seen.left += 1;
                    continue;
                }
                Reading::Failed(error) => {
                    self.unread(&tablespace.path, &error);
                    continue;
                }
                Reading::Finished(found) => found,
            };
            let Tablespace { table, file, .. } = tablespace;
            self.seen.tablespaces += 1;
            if let Some((pages, why)) = found.unjudged {
                self.seen.unjudged.push(SeenUnjudged { file: file.clone(), pages, why });
            }
            let faults = found.faults.into_iter();
            self.seen.faults.extend(faults.map(|fault| SeenFault {
                table: table.clone(),
                file: file.clone(),
                fault,
            }));
        }
    }

    /// An index file with its data file.
    fn pair(&mut self, folder: &Path, schema: &str, table: &TableName, [index, data]: [&str; 2]) {
        let (index_path, data_path) = (folder.join(index), folder.join(data));
        let data_length = self.length(&data_path);
        let head = read_start(&index_path);
        let mut faults: Vec<(&str, Fault)> = Vec::new();
        if data_length == Length::NoFile {
            faults.push((data, Fault::NoData));
        }
        match head {
            Err(error) if error.kind() == io::ErrorKind::NotFound => faults.push((index, Fault::NoIndex)),
            Err(error) => self.unread(&index_path, &error),
            Ok((start, index_length)) => {
                self.seen.heads += 1;
                match parse_head(&start) {
                    Err(error) => faults.push((index, Fault::NoHead(error.to_string()))),
                    Ok(head) => {
                        if head.is_crashed {
                            faults.push((index, Fault::Crashed { repair_failed: head.is_repair_failed }));
                        } else if head.open_count > 0 {
                            faults.push((index, Fault::NotClosed(head.open_count)));
                        }
                        // Lengths in a head that was never closed are those of an earlier day.
                        let closed = head.open_count == 0;
                        if index_length < head.index_length && !head.is_packed {
                            let (found, expected) = (index_length, head.index_length);
                            faults.push((index, Fault::Short { found, expected }));
                        }
                        if let Length::Known(found) = data_length {
                            let expected = head.data_length;
                            let allowed = expected.saturating_add(MARGIN);
                            if found < expected && (closed || head.engine == IndexEngine::MyIsam) {
                                faults.push((data, Fault::Short { found, expected }));
                            } else if found > allowed && closed && head.engine == IndexEngine::MyIsam {
                                faults.push((data, Fault::Long { found, expected }));
                            }
                        }
                    }
                }
            }
        }
        self.seen.faults.extend(faults.into_iter().map(|(file, fault)| SeenFault {
            table: table.clone(),
            file: format!("{schema}/{file}"),
            fault,
        }));
    }

    /// The length of a file.
    fn length(&mut self, path: &Path) -> Length {
        match fs::metadata(path) {
            Ok(found) => Length::Known(found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Length::NoFile,
            Err(error) => {
                self.unread(path, &error);
                Length::Unknown
            }
        }
    }

    fn unread(&mut self, path: &Path, error: &io::Error) {
        self.seen.unread.push(format!("{}: {}", path.display(), cause(error)));
    }
}

/// Endings that tables have, besides those of definitions.
const ENDINGS: [&str; 7] = ["MYI", "MYD", "MAI", "MAD", "CSV", "ARZ", "ibd"];

fn sort_in(tables: &mut BTreeMap<String, Files>, path: &Path) {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    let Some((stem, ending)) = name.rsplit_once('.') else { return };
    // A partition is called `table#P#partition`.
    let table = stem.split_once("#P#").or_else(|| stem.split_once("#p#")).map_or(stem, |(table, _)| table);
    if ending == "frm" {
        tables.entry(stem.to_owned()).or_default().definition = Some(path.to_owned());
    } else if ending == "sdi" {
        // MySQL 8: `table_123.sdi`.
        let table = stem.rsplit_once('_').map_or(stem, |(table, _)| table);
        tables.entry(table.to_owned()).or_default().definition = Some(path.to_owned());
    } else if ENDINGS.contains(&ending) {
        tables.entry(table.to_owned()).or_default().parts.insert((stem.to_owned(), ending.to_owned()));
    }
}

impl Files {
    fn has(&self, endings: &[&str]) -> bool {
        self.parts.iter().any(|(_, ending)| endings.contains(&ending.as_str()))
    }

    fn satisfy(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => true,
            Needs::OneOf(endings) => self.has(endings),
            Needs::Any => !self.parts.is_empty(),
        }
    }
}

/// The beginning of a file and its length.
fn read_start(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut start)?;
    Ok((start, length))
}
