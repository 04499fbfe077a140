//! The small registries: groups, alerts.

use std::collections::BTreeSet;
use std::path::Path;

use crate::csv::{self, Row};

/// The text of `groups.rs`, and all names a policy may use.
pub(crate) fn groups(file: &Path) -> Result<(String, BTreeSet<String>), String> {
    let mut entries = Vec::new();
    let mut names = BTreeSet::new();
    for row in rising(csv::read(file, "Code,Name,Kind,Size,Strength,Versions")?)? {
        let kind = match row.field(2)? {
            "ecdhe" => "Ecdhe",
            "ffdhe" => "Ffdhe",
            "mlkem" => "MlKem",
            "hybrid" => "Hybrid",
            "hybrid-draft" => "HybridDraft",
            "explicit" => "Explicit",
            other => return Err(row.error(&format!("unknown kind {other}"))),
        };
        let versions = match row.field(5)? {
            "1.0-1.2" => "UpToTls12",
            "1.0-1.3" => "Any",
            "1.3" => "Tls13",
            other => return Err(row.error(&format!("unknown versions {other}"))),
        };
        names.insert(row.field(1)?.to_owned());
        entries.push(format!(
            "    Group {{ code: {:#06X}, name: {:?}, kind: GroupKind::{kind}, size: {}, strength: {}, \
             versions: GroupUse::{versions} }},\n",
            row.short(0)?,
            row.field(1)?,
            row.short(3)?,
            row.short(4)?,
        ));
    }
    Ok((array("/// All groups, by code.\npub(crate)", "GROUPS", "Group", &entries), names))
}

/// The text of `alerts.rs`.
pub(crate) fn alerts(file: &Path) -> Result<String, String> {
    let mut entries = Vec::new();
    for row in rising(csv::read(file, "Code,Name")?)? {
        let code = u8::try_from(row.short(0)?).map_err(|_| row.error("an alert is one byte"))?;
        entries.push(format!("    ({code}, {:?}),\n", row.field(1)?));
    }
    Ok(array("/// All alerts, by code.\n", "ALERTS", "(u8, &str)", &entries))
}

/// The same rows, when their codes rise.
fn rising(rows: Vec<Row>) -> Result<Vec<Row>, String> {
    let mut last = None;
    for row in &rows {
        let code = Some(row.short(0)?);
        if code <= last {
            return Err(row.error("its code does not follow the one before"));
        }
        last = code;
    }
    Ok(rows)
}

fn array(before: &str, name: &str, kind: &str, entries: &[String]) -> String {
    format!("{before} static {name}: [{kind}; {}] = [\n{}];\n", entries.len(), entries.concat())
}
