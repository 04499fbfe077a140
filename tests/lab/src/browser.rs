//! Chromium without a window, for the pages that a plugin writes: what a reader would see at a width, measured by a
//! script in a page of ours around it. It talks to nobody.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::program;

/// Whether the reader likes it bright or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on a bright page.
    Light,
    /// Bright text on a dark page.
    Dark,
}

/// What a page looks like at a width.
#[derive(Clone, Debug)]
pub struct Look {
    /// All that can be read, without empty lines.
    pub text: String,
    /// Cells of each table, row by row, with the head in front.
    pub tables: Vec<Vec<Vec<String>>>,
    /// Names of all elements inside the body, each once, sorted.
    pub elements: Vec<String>,
    /// Names of all attributes of theirs.
    pub attributes: Vec<String>,
    /// Whether anything in the page has run.
    pub has_run: bool,
    /// How wide the window is, and what is in it.
    pub widths: (u64, u64),
    /// What sticks out of the window, or out of what it stands in.
    pub sticks_out: Vec<String>,
    /// The least contrast of text with its background (WCAG 2.2, 1.4.3), and whose it is.
    pub contrast: (f64, String),
    /// What the page wanted to load, by the browser's list of resources.
    pub loaded: Vec<String>,
}

/// A page in a frame of so many pixels.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Its HTML.
    pub page: &'a str,
    /// Pixels, without a scroll bar.
    pub width: u32,
    /// What the page is told that its reader likes.
    pub scheme: Scheme,
}

/// Shows pages, all in one run of the browser.
#[must_use]
pub fn look(windows: &[Window<'_>]) -> Vec<Look> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The frames have the origin of the page around them, so that this can look inside.
    let mut around = "<!DOCTYPE html><meta charset=utf-8>".to_owned();
    for Window { page, width, scheme } in windows {
        let scheme = if *scheme == Scheme::Dark { "dark" } else { "light" };
        let page = page.replace('&', "&amp;").replace('"', "&quot;");
        let _ = write!(
            around,
            "<iframe style=\"border:0;width:{width}px;height:2000px;color-scheme:{scheme}\" srcdoc=\"{page}\">\
             </iframe>"
        );
    }
    let _ = write!(around, "<script>{SCRIPT}</script>");
    let file = folder.path().join("around.html");
    fs::write(&file, around).expect("the lab's folder is writable");
    let mut command = chromium(folder.path());
    let output = run(command.arg("--dump-dom").arg(format!("file://{}", file.display())));
    let found = output.rsplit_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (seen, _) = found.unwrap_or_else(|| panic!("the script has not run:\n{output}"));
    let seen =
        seen.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let seen: Value = serde_json::from_str(&seen).expect("the script writes JSON");
    list(&seen, read)
}

fn read(seen: &Value) -> Look {
    let width = |at: usize| seen["widths"][at].as_u64().expect("a width");
    Look {
        text: text(&seen["text"]).lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"),
        tables: list(&seen["tables"], |table| list(table, |row| list(row, text))),
        elements: list(&seen["elements"], text),
        attributes: list(&seen["attributes"], text),
        has_run: seen["ran"] == true,
        widths: (width(0), width(1)),
        sticks_out: list(&seen["out"], text),
        contrast: (seen["contrast"].as_f64().expect("a contrast"), text(&seen["pale"])),
        loaded: list(&seen["loaded"], text),
    }
}

/// Prints a page, and gives the text of each sheet of paper, laid out as it is there.
#[must_use]
pub fn print(page: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, printed) = (folder.path().join("page.html"), folder.path().join("page.pdf"));
    fs::write(&file, page).expect("the lab's folder is writable");
    let mut command = chromium(folder.path());
    command.arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", printed.display()));
    run(command.arg(format!("file://{}", file.display())));
    let mut command = Command::new(program("pdftotext", "poppler-utils"));
    let text = run(command.arg("-layout").arg(printed).arg("-"));
    let sheets = text.split('\u{c}').map(str::to_owned);
    sheets.filter(|sheet| !sheet.trim().is_empty()).collect()
}

fn chromium(folder: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program("chromium", "chromium"));
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-breakpad",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]);
    let profile = folder.join("profile");
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.env("HOME", folder).env_remove("DBUS_SESSION_BUS_ADDRESS");
    command
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("coreutils are installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{complaints}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list")).iter().map(item).collect()
}

const SCRIPT: &str = include_str!("browser.js");
