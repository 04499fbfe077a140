//! Vendors by the lists that packages install: IEEE's oui.txt, and those of arp-scan and nmap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use crate::mac::Mac;

/// The package ieee-data, then those of the scanners.
const LISTS: [&str; 5] = [
    "/usr/share/ieee-data/oui.txt",
    "/var/lib/ieee-data/oui.txt",
    "/usr/share/arp-scan/ieee-oui.txt",
    "/etc/arp-scan/ieee-oui.txt",
    "/usr/share/nmap/nmap-mac-prefixes",
];
const LONGEST_NAME: usize = 40;

/// The vendors of these, as far as a list has them. Without a list there are no names, and nothing is wrong.
pub(super) fn look_up(list: Option<&Path>, macs: &[Mac]) -> BTreeMap<Mac, String> {
    let wanted: Vec<(Mac, String)> =
        macs.iter().filter(|mac| !mac.is_local()).map(|mac| (*mac, prefix(*mac))).collect();
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return found;
    }
    let lists = list.map_or_else(|| LISTS.map(Path::new).to_vec(), |list| vec![list]);
    let Some(file) = lists.into_iter().find_map(|path| File::open(path).ok()) else { return found };
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        let Some((prefix, name)) = entry(&line) else { continue };
        for (mac, _) in wanted.iter().filter(|(_, wanted)| *wanted == prefix) {
            found.entry(*mac).or_insert_with(|| name.clone());
        }
    }
    found
}

fn prefix(mac: Mac) -> String {
    let [a, b, c, ..] = mac.0;
    format!("{a:02X}{b:02X}{c:02X}")
}

/// Prefix and name of a line: `00-00-5E   (hex)  NAME`, `00005E<TAB>NAME` or `00005E NAME`.
fn entry(line: &[u8]) -> Option<(String, String)> {
    let line = String::from_utf8_lossy(line.get(..line.len().min(200))?).into_owned();
    let (first, rest) = line.trim().split_once(char::is_whitespace)?;
    let digits: String = first.chars().filter(|character| *character != '-').collect();
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let rest = rest.trim();
    let name = rest.strip_prefix("(hex)").unwrap_or(rest).trim();
    // The other form of the IEEE's list repeats the entry.
    let is_repeated = rest.starts_with("(base 16)");
    (!is_repeated && !name.is_empty())
        .then(|| (digits.to_uppercase(), name.chars().take(LONGEST_NAME).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lists() {
        let expected = Some(("00005E".to_owned(), "ICANN, IANA Department".to_owned()));
        assert_eq!(entry(b"00-00-5E   (hex)\t\tICANN, IANA Department\r"), expected);
        assert_eq!(entry(b"00005E\tICANN, IANA Department"), expected);
        assert_eq!(entry(b"00005E ICANN, IANA Department"), expected);
        assert_eq!(entry(b"00005E     (base 16)\t\tICANN, IANA Department"), None);
        for line in [&b""[..], b"# comment", b"0000 x", b"OUI/MA-L  Organization", b"\xff\xff"] {
            assert_eq!(entry(line), None);
        }
    }

    #[test]
    fn a_list_that_is_not_there() {
        let macs = [Mac([0, 0, 0x5e, 0, 1, 1])];
        assert!(look_up(Some(Path::new("/nowhere/oui.txt")), &macs).is_empty());
    }
}
