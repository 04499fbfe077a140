//! `--extra-opts`: options from an INI file, as the Monitoring Plugins read them.
//!
//! The dialect is theirs: `key = value` verbatim to the end of the line, a bare key is a
//! flag, a repeated key is a list, `#` and `;` begin a comment line. INI crates fold
//! repeated keys and unquote values, so it is read here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::usage::UsageError;
use crate::net::{cause, read_secret_file};

/// Where the Monitoring Plugins look when no file is named, in their order.
const SEARCH_PATH: [&str; 11] = [
    "/usr/local/etc/monitoring-plugins/monitoring-plugins.ini",
    "/usr/local/etc/monitoring-plugins.ini",
    "/etc/monitoring-plugins/monitoring-plugins.ini",
    "/etc/monitoring-plugins.ini",
    "/etc/nagios/plugins.ini",
    "/usr/local/nagios/etc/plugins.ini",
    "/usr/local/etc/nagios/plugins.ini",
    "/etc/opt/nagios/plugins.ini",
    "/etc/nagios-plugins.ini",
    "/usr/local/etc/nagios-plugins.ini",
    "/etc/opt/nagios-plugins.ini",
];
const FILE_NAMES: [&str; 3] = ["monitoring-plugins.ini", "plugins.ini", "nagios-plugins.ini"];
const OPTION: &str = "--extra-opts";
const LONGEST_FILE: u64 = 1 << 20;

/// One option of a file: its key and, unless it is a flag, its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Option<Zeroizing<String>>,
}

/// Reads what `[SECTION][@FILE]` names; the section defaults to the program's name.
pub(super) fn read(locator: &str, program: &str) -> Result<Vec<Entry>, UsageError> {
    let (section, file) = match locator.split_once('@') {
        Some((section, file)) => (section, Some(PathBuf::from(file))),
        None => (locator, None),
    };
    let section = if section.is_empty() { program } else { section };
    let path = file
        .or_else(default_file)
        .ok_or_else(|| UsageError::new(OPTION, "no INI file in any of the standard places"))?;
    let text = read_file(&path)?;
    let entries = parse(&text, section)
        .ok_or_else(|| UsageError::new(OPTION, format!("no section [{section}] in {}", path.display())))?;
    if entries.iter().any(|entry| matches!(entry.key.as_str(), "password" | "P")) {
        // A secret in the file makes it a secret file.
        read_secret_file(&path)
            .map_err(|error| UsageError::new(OPTION, error.text).with_optional_hint(error.hint))?;
    }
    Ok(entries)
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, UsageError> {
    let fail = |error: &std::io::Error| {
        UsageError::new(OPTION, format!("cannot read {}: {}", path.display(), cause(error)))
    };
    let metadata = fs::metadata(path).map_err(|error| fail(&error))?;
    if !metadata.is_file() || metadata.size() > LONGEST_FILE {
        return Err(UsageError::new(OPTION, format!("{} is not an INI file", path.display())));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| fail(&error))
}

fn default_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("MP_CONFIG_FILE") {
        return Some(PathBuf::from(file));
    }
    let named = std::env::var("NAGIOS_CONFIG_PATH").unwrap_or_default();
    let named = named.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from);
    named
        .flat_map(|folder| FILE_NAMES.map(|name| folder.join(name)))
        .chain(SEARCH_PATH.map(PathBuf::from))
        .find(|path| path.exists())
}

/// The entries of a section; `None` when the file has no such section.
fn parse(text: &str, section: &str) -> Option<Vec<Entry>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == section;
            if inside {
                found.get_or_insert_with(Vec::new);
            }
            continue;
        }
        if let Some(entries) = found.as_mut().filter(|_| inside) {
            let (key, value) = match line.split_once('=') {
                Some((key, value)) => (key.trim_end(), Some(Zeroizing::new(value.trim_start().to_owned()))),
                None => (line, None),
            };
            entries.push(Entry { key: key.trim_start_matches('-').to_owned(), value });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "# comment\n[check_a]\nhostname = mail.example\n exit-ok\n; no\nmap-state=warning=critical\nmap-state=ok=ok\n\n[ other ]\nuser=x\n[check_a]\nlast = a = b # kept\n";

    #[test]
    fn values_are_verbatim_keys_repeat_sections_join() {
        let entries = parse(SAMPLE, "check_a").unwrap();
        let flat: Vec<(&str, Option<&str>)> =
            entries.iter().map(|e| (e.key.as_str(), e.value.as_ref().map(|v| v.as_str()))).collect();
        assert_eq!(
            flat,
            [
                ("hostname", Some("mail.example")),
                ("exit-ok", None),
                ("map-state", Some("warning=critical")),
                ("map-state", Some("ok=ok")),
                ("last", Some("a = b # kept")),
            ]
        );
        assert_eq!(parse(SAMPLE, "other").unwrap().len(), 1);
        assert!(parse(SAMPLE, "absent").is_none());
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in any::<String>()) {
            let _ = parse(&text, "check_a");
        }
    }
}
