//! The guide: every link in the repository's pages leads somewhere, every page is in the book, and the book is whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use lab::process::prepared;
use packaging_gen::plugins;
use tests::package::workspace;

/// Files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found
}

/// What stands between two texts, each time.
fn all_between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| Some(rest.split_once(after)?.0))
}

fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

/// How the usual forges name a heading: lower case, spaces as dashes, no punctuation.
fn anchor(heading: &str) -> String {
    let plain = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = plain.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// A page without its blocks of code, in which a bracket is no link.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let workspace = workspace();
    let mut pages = files(&workspace.join("docs"), "md");
    for folder in ["plugins", "common", "packaging"] {
        pages.extend(files(&workspace.join(folder), "md"));
    }
    let top = fs::read_dir(&workspace).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(top.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for page in &pages {
        let text = prose(&fs::read_to_string(page).unwrap());
        for link in all_between(&text, "](", ")").filter(|link| !is_elsewhere(link)) {
            looked_at += 1;
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let is_there = file.exists();
            let has_heading = || {
                let text = prose(&fs::read_to_string(&file).unwrap());
                text.lines().any(|line| line.starts_with('#') && anchor(line) == fragment)
            };
            if !is_there || (!fragment.is_empty() && !has_heading()) {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(looked_at > 60, "only {looked_at} links were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_page_is_in_the_book() {
    let guide = workspace().join("docs/guide");
    let summary = fs::read_to_string(guide.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> = all_between(&summary, "](", ")").map(|link| guide.join(link)).collect();
    let mut wanted: BTreeSet<PathBuf> = files(&guide, "md").into_iter().collect();
    wanted.remove(&guide.join("SUMMARY.md"));
    wanted.extend(
        plugins().iter().map(|plugin| guide.join(format!("../../plugins/{}/README.md", plugin.name))),
    );
    assert_eq!(listed, wanted);
}

/// The rows of a table below a heading: cells without their blanks.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let lines = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Options in a cell: `-H`, `--hostname`, `--ignore certificate_expired` without the value.
fn options(cell: &str) -> Vec<String> {
    let words = cell.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
    assert_eq!(cell.split('`').count() % 2, 1, "{cell} has an open quote");
    words.filter(|word| word.starts_with('-')).map(str::to_owned).collect()
}

/// Headings, peers, and what takes their place.
const MOVES: [(&str, &str, &str); 4] = [
    ("check_smtp to check_smtp_auth", "check_smtp", "check_smtp_auth"),
    ("check_rbl", "check_rbl", "check_rbl"),
    ("check_mysql -S to check_mysql_slave", "check_mysql", "check_mysql_slave"),
    ("check_ssl_cert to check_weak_ciphers", "check_ssl_cert", "check_weak_ciphers"),
];

#[test]
fn who_moves_over_finds_options_that_there_are() {
    let text = fs::read_to_string(workspace().join("docs/guide/moving-over.md")).unwrap();
    for (heading, _, ours) in MOVES {
        let plugin = plugins().into_iter().find(|plugin| plugin.name == ours).unwrap();
        let is_known = |word: &str| {
            let word = word.split('=').next().unwrap();
            plugin.options.iter().any(|option| {
                let letters = option.short.is_some_and(|letter| {
                    word.strip_prefix('-').is_some_and(|rest| rest.chars().all(|each| each == letter))
                });
                letters || option.long.as_ref().is_some_and(|long| word == format!("--{long}"))
            })
        };
        let rows = rows(&text, heading);
        assert!(rows.len() > 8, "{heading}: {rows:?}");
        for row in rows {
            assert_eq!(row.len(), 3, "{row:?}");
            for option in options(row[1]).into_iter().filter(|option| option != "--host") {
                assert!(is_known(&option), "{heading}: {option} in {row:?}");
            }
        }
    }
}

/// Against the help of the peers where they are installed (`tests/run --bench`).
#[test]
fn who_moves_over_finds_each_of_his_options() {
    let text = fs::read_to_string(workspace().join("docs/guide/moving-over.md")).unwrap();
    // The last one is far more than ours; what has no row is summed up below the table.
    for (heading, theirs, _) in &MOVES[..3] {
        let program = Path::new("/usr/lib/nagios/plugins").join(theirs);
        if !program.is_file() {
            eprintln!(
                "{theirs} is not installed: its options are not compared (tests/run --bench installs it)"
            );
            continue;
        }
        let listed: BTreeSet<String> = rows(&text, heading).iter().flat_map(|row| options(row[0])).collect();
        let help = Command::new(&program).arg("--help").output().unwrap().stdout;
        let help = String::from_utf8_lossy(&help).into_owned();
        let lines = help.lines().filter(|line| line.starts_with(" -"));
        let mut compared = 0;
        for word in lines.flat_map(|line| line.split([' ', ',', '=', '['])) {
            let is_common = matches!(word, "--help" | "--version" | "--usage");
            if word.starts_with("--") && !is_common {
                compared += 1;
                assert!(listed.contains(word), "{heading}: {word} has no row");
            }
        }
        assert!(compared > 10, "{theirs}: {help}");
    }
}

/// Commands and macros that a page tells to use are in the generated files.
#[test]
fn what_the_pages_name_is_there() {
    let generated: String =
        packaging_gen::files(&plugins(), "2000-01-01").into_iter().map(|(_, text)| text).collect();
    let workspace = workspace();
    let mut pages = files(&workspace.join("docs/guide"), "md");
    pages.push(workspace.join("README.md"));
    pages
        .extend(plugins().iter().map(|plugin| workspace.join("plugins").join(plugin.name).join("README.md")));
    let (mut macros, mut commands) = (0, 0);
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        let is_whole = |name: &str| {
            let mut letters = name.chars();
            letters.all(|letter| {
                letter.is_ascii_uppercase() || letter.is_ascii_digit() || matches!(letter, '.' | '_')
            })
        };
        for name in all_between(&text, "{$VEDETTE.", "}").filter(|name| is_whole(name)) {
            macros += 1;
            assert!(generated.contains(&format!("{{$VEDETTE.{name}}}")), "{}: {name}", page.display());
        }
        for line in text.lines().filter(|line| line.contains("check_command")) {
            let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            for name in words.filter(|word| word.starts_with("vedette_")) {
                commands += 1;
                assert!(generated.contains(name), "{}: {name}", page.display());
            }
        }
    }
    assert!(macros > 10 && commands > 12, "{macros} macros, {commands} commands");
}

/// Debian's package of mdBook does not have these of its own files.
const LACKING: [&str; 2] = ["book.js", "fonts/fonts.css"];

#[test]
fn the_book_is_built_and_its_links_hold() {
    if env::var_os("VEDETTE_WITHOUT_BOOK").is_some() {
        eprintln!("!! LEFT OUT: the guide as a book: mdBook could not be unpacked");
        return;
    }
    let root = prepared("mdbook").join("root/usr");
    let mdbook = format!(
        "{} --library-path {} {}",
        root.join("lib64/ld-linux-x86-64.so.2").display(),
        root.join("lib/x86_64-linux-gnu").display(),
        root.join("bin/mdbook").display()
    );
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(workspace().join("docs/build"));
    let (book, generated) = (folder.path().join("book"), folder.path().join("generated"));
    packaging_gen::write_all(&generated, "2000-01-01").unwrap();
    command.arg("--output").arg(&book).arg("--generated").arg(&generated).env("MDBOOK", mdbook);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let html = book.join("html");
    let pages = files(&html, "html");
    assert!(pages.len() > 20, "{pages:?}");
    let mut wrong = BTreeSet::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        let links = all_between(&text, "href=\"", "\"").chain(all_between(&text, "src=\"", "\""));
        for link in links.filter(|link| !is_elsewhere(link)) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let is_lacking = LACKING.iter().any(|name| path.ends_with(name));
            let has_anchor = || fs::read_to_string(&file).unwrap().contains(&format!("id=\"{fragment}\""));
            if !is_lacking && (!file.exists() || (!fragment.is_empty() && !has_anchor())) {
                wrong.insert(format!("{}: {link}", page.strip_prefix(&html).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for plugin in plugins() {
        assert!(html.join(format!("plugins/{}/index.html", plugin.name)).is_file());
        assert!(html.join(format!("options/{}.html", plugin.name)).is_file());
    }
}
