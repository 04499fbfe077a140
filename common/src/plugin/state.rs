//! What a check remembers from one run to the next.
//!
//! The folder belongs to the user of the check and to nobody else, a file in it is never
//! reached through a link, one run at a time holds it, and it is written whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::write_atomically;
use super::sys::effective_user;
use crate::net::cause;

/// Why nothing could be remembered.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No folder could be had.
    #[error("cannot use state folder {}: {cause}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file in it could not be read or written.
    #[error("cannot {verb} state file {}: {cause}", path.display())]
    File {
        /// Open, read, write.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A newer program left it. It is left as it is.
    #[error("state file {} has version {version}, and this program knows version {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Of its content.
        version: u32,
        /// What we can read.
        known: u32,
    },
    /// Another run holds it.
    #[error("state file {} is in use by another run", .0.display())]
    Busy(PathBuf),
}

/// What was found of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered<T> {
    /// There was no earlier run.
    Nothing,
    /// What it left.
    Content(T),
    /// It cannot be read. The file was put aside under this name.
    Corrupt(PathBuf),
}

/// A file that is held by this run until it is dropped.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    // Beside the file and not the file itself, which is replaced by each write.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    data: T,
}

/// The same whatever the data.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Far more than any check remembers.
const LARGEST: u64 = 16 << 20;
const LONGEST_NAME: usize = 180;
const PACKAGED: &str = "/var/lib/vedette";

/// The folder to remember in: `--state-dir`, else `$STATE_DIRECTORY`, else that of the packages,
/// else that of the user. It is made if it is missing.
pub fn state_folder(option: Option<&Path>) -> Result<PathBuf, StateError> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = option {
        return usable(folder);
    }
    if let Some(folders) = named("STATE_DIRECTORY") {
        // systemd joins several with colons.
        let first = std::env::split_paths(&folders).next().unwrap_or_default();
        return usable(&first);
    }
    let packaged = Path::new(PACKAGED);
    if packaged.is_dir()
        && let Ok(folder) = usable(&packaged.join(effective_user().to_string()))
    {
        return Ok(folder);
    }
    let home = named("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| named("HOME").map(|home| Path::new(&home).join(".local/state")));
    match home {
        Some(home) => usable(&home.join("vedette")),
        None => Err(StateError::Folder {
            path: packaged.to_owned(),
            cause: "it does not exist, and there is no home; --state-dir names another".to_owned(),
        }),
    }
}

/// The folder, if nobody else can put files into it or exchange those in it.
fn usable(folder: &Path) -> Result<PathBuf, StateError> {
    let failed = |cause: String| StateError::Folder { path: folder.to_owned(), cause };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(cause(&error)))?;
    let found = fs::symlink_metadata(folder).map_err(|error| failed(cause(&error)))?;
    if !found.is_dir() {
        return Err(failed("it is not a folder but a link".to_owned()));
    }
    if found.uid() != effective_user() {
        return Err(failed(format!("it belongs to user {}", found.uid())));
    }
    if found.mode() & 0o022 != 0 {
        return Err(failed(format!("others may write to it (mode {:04o})", found.mode() & 0o7777)));
    }
    Ok(folder.to_owned())
}

impl StateFile {
    /// Opens the memory of a plugin about a target, once no other run holds it.
    pub fn open(folder: &Path, plugin: &str, target: &str, wait: Duration) -> Result<Self, StateError> {
        let path = folder.join(file_name(plugin, target));
        let beside = path.with_extension("lock");
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(&beside)
            .and_then(own)
            .map_err(|error| failed("open", &beside, &error))?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(TryLockError::Error(error)) => return Err(failed("open", &beside, &error)),
                Err(TryLockError::WouldBlock) if started.elapsed() >= wait => {
                    return Err(StateError::Busy(path));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Reads what an earlier run of the same version left. What cannot be read is put aside.
    pub fn load<T: DeserializeOwned>(&self, version: u32) -> Result<Remembered<T>, StateError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(&self.path);
        let file = match opened.and_then(own) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Remembered::Nothing),
            Err(error) => return Err(failed("read", &self.path, &error)),
        };
        let mut bytes = Vec::new();
        let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed("read", &self.path, &error))?;
        match serde_json::from_slice::<Envelope<T>>(&bytes) {
            Ok(found) if found.version == version => Ok(Remembered::Content(found.data)),
            _ if let Ok(Version { version: newer }) = serde_json::from_slice(&bytes)
                && newer > version =>
            {
                Err(StateError::Newer { path: self.path.clone(), version: newer, known: version })
            }
            _ => {
                let aside = self.path.with_extension("corrupt");
                let moved = fs::rename(&self.path, &aside);
                moved.map_err(|error| failed("put aside", &self.path, &error))?;
                Ok(Remembered::Corrupt(aside))
            }
        }
    }

    /// Leaves something for the next run. After a power cut it finds this or what was there before.
    pub fn store<T: Serialize>(&self, version: u32, data: &T) -> Result<(), StateError> {
        let bytes = serde_json::to_vec(&Envelope { version, data }).map_err(io::Error::from);
        let written = bytes.and_then(|bytes| write_atomically(&self.path, &bytes, 0o600));
        written.map_err(|error| failed("write", &self.path, &error))
    }

    /// The same, and after a power cut the next run finds this.
    pub fn store_durably<T: Serialize>(&self, version: u32, data: &T) -> Result<(), StateError> {
        self.store(version, data)?;
        let synced = self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all());
        synced.map_err(|error| failed("write", &self.path, &error))
    }
}

/// The file, if it is a plain one of ours that only we can change.
fn own(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if found.uid() != effective_user() {
        return Err(io::Error::other(format!("it belongs to user {}", found.uid())));
    }
    if found.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("others may write to it (mode {:04o})", found.mode() & 0o7777)));
    }
    Ok(file)
}

fn failed(verb: &'static str, path: &Path, error: &io::Error) -> StateError {
    let cause = match error.raw_os_error() {
        Some(libc::ELOOP) => "it is a symbolic link".to_owned(),
        _ => cause(error),
    };
    StateError::File { verb, path: path.to_owned(), cause }
}

/// A name that tells targets apart, whatever they are called.
fn file_name(plugin: &str, target: &str) -> String {
    let mut name = format!("{plugin}-");
    for byte in target.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    if name.len() > LONGEST_NAME {
        let hash = target.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        name.truncate(LONGEST_NAME);
        name.push_str(&format!("-{hash:016x}"));
    }
    debug_assert_eq!(Path::new(&name).file_name(), Some(OsStr::new(&name)));
    name.push_str(".json");
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder of its own for each test, gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static FOLDERS: AtomicU32 = AtomicU32::new(0);
            let name =
                format!("vedette-state-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
            let folder = std::env::temp_dir().join(name);
            Self(usable(&folder).unwrap())
        }

        fn file(&self) -> StateFile {
            StateFile::open(&self.0, "check_demo", "host:3306", Duration::ZERO).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_stored_is_found_again() {
        let folder = Folder::new();
        assert_eq!(folder.file().load::<String>(1).unwrap(), Remembered::Nothing);
        folder.file().store(1, &"first").unwrap();
        folder.file().store(1, &"second").unwrap();
        assert_eq!(folder.file().load(1).unwrap(), Remembered::Content("second".to_owned()));
        let mode = fs::metadata(&folder.file().path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(fs::metadata(&folder.0).unwrap().permissions().mode() & 0o7777, 0o700);
        let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
    }

    #[test]
    fn what_a_newer_program_left_is_left_alone() {
        let folder = Folder::new();
        let file = folder.file();
        let content = "{\"version\":2,\"data\":[\"x\"]}";
        fs::write(&file.path, content).unwrap();
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(file.load::<String>(1), Err(StateError::Newer { version: 2, known: 1, .. })));
        assert_eq!(fs::read_to_string(&file.path).unwrap(), content);
    }

    #[test]
    fn a_corrupt_file_and_one_of_an_older_version_are_put_aside() {
        let folder = Folder::new();
        let file = folder.file();
        for content in ["", "{", "{\"version\":0,\"data\":\"x\"}", "{\"version\":1,\"data\":7}", "\u{0}"] {
            fs::write(&file.path, content).unwrap();
            fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).unwrap();
            let Remembered::Corrupt(aside) = file.load::<String>(1).unwrap() else {
                panic!("{content:?} was believed")
            };
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
            assert_eq!(file.load::<String>(1).unwrap(), Remembered::Nothing);
        }
    }

    #[test]
    fn one_run_at_a_time() {
        let folder = Folder::new();
        let held = folder.file();
        let second = || StateFile::open(&folder.0, "check_demo", "host:3306", Duration::from_millis(30));
        assert!(matches!(second(), Err(StateError::Busy(_))));
        assert!(StateFile::open(&folder.0, "check_demo", "host:3307", Duration::ZERO).is_ok());
        drop(held);
        assert!(second().is_ok());
    }

    #[test]
    fn links_and_files_open_to_others_are_refused() {
        let folder = Folder::new();
        let file = folder.file();
        let victim = folder.0.join("victim");
        fs::write(&victim, "{\"version\":1,\"data\":\"x\"}").unwrap();
        symlink(&victim, &file.path).unwrap();
        let text = file.load::<String>(1).unwrap_err().to_string();
        assert!(text.ends_with("it is a symbolic link"), "{text}");
        file.store(1, &"own").unwrap();
        assert!(
            fs::read_to_string(&victim).unwrap().contains("\"x\""),
            "the link was replaced, not followed"
        );
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(file.load::<String>(1).unwrap_err().to_string().contains("others may write"), "mode 0666");
        drop(file);
        let lock = folder.0.join("check_demo-host%3a3306.lock");
        fs::remove_file(&lock).unwrap();
        symlink(&victim, &lock).unwrap();
        let opened = StateFile::open(&folder.0, "check_demo", "host:3306", Duration::ZERO);
        assert!(opened.unwrap_err().to_string().ends_with("it is a symbolic link"));
    }

    #[test]
    fn a_folder_open_to_others_or_behind_a_link_is_refused() {
        let folder = Folder::new();
        let open = folder.0.join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(state_folder(Some(&open)).unwrap_err().to_string().contains("mode 1777"));
        let link = folder.0.join("link");
        symlink(&folder.0, &link).unwrap();
        assert!(state_folder(Some(&link)).unwrap_err().to_string().contains("link"));
        let new = folder.0.join("a/b");
        assert_eq!(state_folder(Some(&new)).unwrap(), new);
    }

    #[test]
    fn what_the_system_refuses_is_told_in_its_words() {
        let refused = state_folder(Some(Path::new("/dev/null/below"))).unwrap_err().to_string();
        assert_eq!(refused, "cannot use state folder /dev/null/below: Not a directory");
        let missing = Path::new("/dev/null/below");
        let refused = StateFile::open(missing, "check_demo", "x", Duration::ZERO).unwrap_err().to_string();
        assert_eq!(refused, "cannot open state file /dev/null/below/check_demo-x.lock: Not a directory");
    }

    #[test]
    fn names_of_targets_stay_in_the_folder_and_apart() {
        assert_eq!(file_name("check_x", "a.b:1/../c"), "check_x-a%2eb%3a1%2f%2e%2e%2fc.json");
        let long = "x".repeat(400);
        let (one, other) = (file_name("check_x", &long), file_name("check_x", &format!("{long}y")));
        assert!(one.len() < 255 && one != other);
    }
}
