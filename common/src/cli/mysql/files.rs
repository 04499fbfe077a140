//! Option files and login paths: which are read, in which order, and what is taken from them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::net::mysql::SslMode;
use crate::net::{ProbeError, cause, read_secret_file};
use crate::proto::mysql::login_path;
use crate::proto::mysql::option_file::{Line, parse};

/// What to read.
pub(super) struct Sources<'a> {
    /// This file and no other.
    pub(super) only: Option<&'a Path>,
    /// This one between the global files and the user's own.
    pub(super) extra: Option<&'a Path>,
    /// A group of the login path file besides `client`.
    pub(super) login_path: Option<&'a str>,
    /// Groups of the option files.
    pub(super) groups: &'a [&'a str],
}

/// What the files say; of several the last one counts.
#[derive(Default)]
pub(super) struct Found {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) socket: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) ssl_mode: Option<SslMode>,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) server_key: Option<PathBuf>,
}

/// Where the clients of Debian, Red Hat and of both vendors look.
const GLOBAL: [&str; 2] = ["/etc/my.cnf", "/etc/mysql/my.cnf"];
const LONGEST_FILE: u64 = 1 << 20;
/// Files that include each other in a ring end here.
const DEEPEST: u8 = 10;
const MOST_FILES: u16 = 500;

/// Reads all files in the clients' order: global, extra, the user's own, login path.
pub(super) fn read(sources: &Sources<'_>) -> Result<Found, ProbeError> {
    let mut reader = Reader { groups: sources.groups, found: Found::default(), files_left: MOST_FILES };
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    if let Some(only) = sources.only {
        reader.file(only, Presence::Required, 0)?;
    } else {
        for path in GLOBAL {
            reader.file(Path::new(path), Presence::Optional, 0)?;
        }
        if let Some(extra) = sources.extra {
            reader.file(extra, Presence::Required, 0)?;
        }
        if let Some(home) = &home {
            reader.file(&home.join(".my.cnf"), Presence::Optional, 0)?;
        }
    }
    // Which --defaults-file does not turn off, as with the clients, when it is asked for.
    if sources.only.is_none() || sources.login_path.is_some() {
        let path = std::env::var_os("MYSQL_TEST_LOGIN_FILE")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".mylogin.cnf")));
        reader.login_path(path.as_deref(), sources.login_path)?;
    }
    Ok(reader.found)
}

/// Whether a file has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It was named.
    Required,
    /// It is one of those that are always looked for.
    Optional,
}

struct Reader<'a> {
    groups: &'a [&'a str],
    found: Found,
    files_left: u16,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, presence: Presence, depth: u8) -> Result<(), ProbeError> {
        let shown = path.display();
        if depth > DEEPEST || self.files_left == 0 {
            return Err(ProbeError::local(format!(
                "cannot read {shown}: option files include too many others"
            )));
        }
        self.files_left -= 1;
        let Some(text) = read_option_file(path, presence)? else { return Ok(()) };
        let mut is_ours = false;
        let mut has_secret = false;
        for line in parse(&text) {
            match line {
                Line::Group(name) => is_ours = self.groups.contains(&name.as_str()),
                Line::Option(name, value) if is_ours => {
                    has_secret |= name == "password" && value.as_ref().is_some_and(|value| !value.is_empty());
                    self.found
                        .take(&name, value)
                        .map_err(|cause| ProbeError::local(format!("{name} in {shown}: {cause}")))?;
                }
                Line::Option(..) => {}
                Line::Include(other) => self.file(&other, presence, depth + 1)?,
                Line::IncludeFolder(folder) => self.folder(&folder, presence, depth + 1)?,
            }
        }
        if has_secret {
            // A secret in the file makes it a secret file.
            read_secret_file(path)?;
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, presence: Presence, depth: u8) -> Result<(), ProbeError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if may_be_missing(&error, presence) => return Ok(()),
            Err(error) => {
                return Err(ProbeError::local(format!(
                    "cannot read {}: {}",
                    folder.display(),
                    cause(&error)
                )));
            }
        };
        let mut paths: Vec<PathBuf> = entries
            .take(usize::from(MOST_FILES))
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "cnf"))
            .collect();
        paths.sort();
        paths.iter().try_for_each(|path| self.file(path, presence, depth))
    }

    fn login_path(&mut self, path: Option<&Path>, group: Option<&str>) -> Result<(), ProbeError> {
        let Some(path) = path else {
            return match group {
                Some(_) => {
                    Err(ProbeError::local("--login-path: there is no HOME to look for .mylogin.cnf in"))
                }
                None => Ok(()),
            };
        };
        if group.is_none() && !path.exists() {
            return Ok(());
        }
        let shown = path.display();
        let text = login_path::decrypt(&read_secret_file(path)?)
            .map_err(|error| ProbeError::local(format!("cannot read {shown}: {error}")))?;
        let mut is_ours = false;
        let mut is_known = group.is_none();
        for line in parse(&text) {
            match line {
                Line::Group(name) => {
                    let is_asked = group == Some(name.as_str());
                    is_ours = is_asked || name == "client";
                    is_known |= is_asked;
                }
                Line::Option(name, value) if is_ours => self
                    .found
                    .take(&name, value)
                    .map_err(|cause| ProbeError::local(format!("{name} in {shown}: {cause}")))?,
                _ => {}
            }
        }
        match group {
            Some(group) if !is_known => {
                Err(ProbeError::local(format!("--login-path: no path {group} in {shown}")))
            }
            _ => Ok(()),
        }
    }
}

/// The text of an option file; `None` when it is one that need not be there.
fn read_option_file(path: &Path, presence: Presence) -> Result<Option<Zeroizing<String>>, ProbeError> {
    let fail = |text: &str| ProbeError::local(format!("cannot read {}: {text}", path.display()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if may_be_missing(&error, presence) => return Ok(None),
        Err(error) => return Err(fail(&cause(&error))),
    };
    let metadata = file.metadata().map_err(|error| fail(&cause(&error)))?;
    if metadata.is_dir() {
        return Err(fail("it is a directory"));
    }
    // Whoever can write it decides where the password goes.
    if metadata.is_file() && metadata.mode() & 0o002 != 0 {
        return Err(fail("anybody may write to it"));
    }
    let room = usize::try_from(metadata.len().min(LONGEST_FILE)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 64));
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| fail(&cause(&error)))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(fail("it is too long for an option file"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| fail("it is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// A file nobody named that is not there, or not for us.
fn may_be_missing(error: &std::io::Error, presence: Presence) -> bool {
    presence == Presence::Optional
        && matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory
        )
}

impl Found {
    /// Takes what concerns a connection; everything else is for other programs.
    fn take(&mut self, name: &str, value: Option<Zeroizing<String>>) -> Result<(), String> {
        let Some(value) = value else {
            match name {
                "ssl" => self.ssl_mode = self.ssl_mode.max_with(SslMode::Required),
                "skip-ssl" | "disable-ssl" => self.ssl_mode = Some(SslMode::Disabled),
                "ssl-verify-server-cert" => self.ssl_mode = Some(SslMode::VerifyIdentity),
                _ => {}
            }
            return Ok(());
        };
        let path = || Some(PathBuf::from(value.as_str()));
        match name {
            "host" => self.host = Some(value.to_string()),
            "port" => self.port = Some(value.parse().ok().filter(|port| *port > 0).ok_or("not a port")?),
            "socket" => self.socket = path(),
            "user" => self.user = Some(value.to_string()),
            "password" => self.password = Some(value),
            "ssl-ca" => self.ca = path(),
            "ssl-cert" => self.cert = path(),
            "ssl-key" => self.key = path(),
            "server-public-key-path" | "server-public-key" => self.server_key = path(),
            "ssl-mode" => self.ssl_mode = Some(value.parse()?),
            "ssl" if is_on(&value) => self.ssl_mode = self.ssl_mode.max_with(SslMode::Required),
            "ssl" => self.ssl_mode = Some(SslMode::Disabled),
            "ssl-verify-server-cert" if is_on(&value) => self.ssl_mode = Some(SslMode::VerifyIdentity),
            _ => {}
        }
        Ok(())
    }
}

fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "true" | "yes")
}

trait Stricter {
    /// The stricter of both: `ssl` does not weaken what another line asks for.
    fn max_with(self, mode: SslMode) -> Self;
}

impl Stricter for Option<SslMode> {
    fn max_with(self, mode: SslMode) -> Self {
        Some(self.filter(|present| present.verifies()).unwrap_or(mode))
    }
}
