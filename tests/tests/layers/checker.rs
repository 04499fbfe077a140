//! The checker itself: a layer test that cannot fail is a defect.

use std::collections::BTreeSet;

use crate::other_plugins;
use crate::rules::check;
use crate::source::Source;

const PROTO: &str = "common/src/proto/smtp.rs";
const REPORT: &str = "common/src/report/render.rs";
const NET: &str = "common/src/net/tcp.rs";
const CLI: &str = "common/src/cli.rs";
const PLUGIN: &str = "common/src/plugin/mod.rs";
const CHECK: &str = "plugins/check_x/src/lib.rs";

fn problems_of(file: &str, text: &str) -> Vec<String> {
    check(&[Source::new(file, text)])
}

#[test]
fn broken_layers_are_found() {
    let bad = [
        (PROTO, "use crate::net::tcp::Stream;"),
        (PROTO, "use super::super::report::State;"),
        (PROTO, "mod deep { use super::super::super::cli::Target; }"),
        (PROTO, "fn f() { use crate::plugin; }"),
        (PROTO, "use crate::*;"),
        (PROTO, "use crate::helper;"),
        (PROTO, "use std::*;"),
        (PROTO, "use std::{fmt, net};"),
        (PROTO, "use std::{fmt, net::{IpAddr, TcpStream}};"),
        (PROTO, "use std::net::*;"),
        (PROTO, "fn f() { let _ = ::std::fs::read(\"x\"); }"),
        (PROTO, "use std as s; fn f() { s::process::id(); }"),
        (PROTO, "use crate as c; fn f() { c::net::g(); }"),
        (PROTO, "type T = core::net::TcpStream;"),
        (PROTO, "#[derive(clap::Args)] struct A;"),
        (PROTO, "#[arg(value_parser = crate::report::parse)] struct A;"),
        (PROTO, "fn f() { assert!(std::env::args().count() > 0); }"),
        (PROTO, "fn f() { let _ = std::time::Instant::now(); }"),
        (PROTO, "use std::time::Instant; fn f() { let _ = Instant::now(); }"),
        (REPORT, "use std::io::Write;"),
        (REPORT, "use crate::proto::smtp;"),
        (REPORT, "use clap::Parser;"),
        (REPORT, "impl std::io::Write for X {}"),
        (REPORT, "fn f() { println!(\"x\"); }"),
        (NET, "use crate::report::State;"),
        (NET, "use clap::ValueEnum;"),
        (NET, "use common::cli;"),
        (CLI, "use crate::plugin::main;"),
        (CLI, "fn f() { std::process::exit(3) }"),
        (CLI, "use std::process; fn f() { process::exit(3) }"),
        (CLI, "use std::process::*;"),
        (CLI, "use libc; fn f() { libc::_exit(3) }"),
        (CLI, "use std::println as say; fn f() { say!(\"x\"); }"),
        (CLI, "macro_rules! m { () => { eprint!(\"x\") } }"),
        (CLI, "fn f() { std::eprintln!(\"x\"); }"),
        (CLI, "fn f() { let _ = vec![dbg!(1)]; }"),
        (CLI, "use std::io; fn f() { io::stdout().flush(); }"),
        (CLI, "use check_x::CheckX;"),
        (CHECK, "use check_y::CheckY;"),
        (CHECK, "extern crate check_y as y;"),
        (CHECK, "fn f() { check_y::run(); }"),
        (CHECK, "fn f() { print!(\"x\"); }"),
        (CHECK, "#[cfg(not(test))] mod m { fn f() { print!(\"x\"); } }"),
        (CHECK, "#[cfg(any(test, unix))] fn f() { print!(\"x\"); }"),
        ("common/examples/check_demo.rs", "fn main() { println!(\"x\"); }"),
        ("common/src/lib.rs", "fn f() { println!(\"x\"); }"),
        ("common/src/util.rs", "pub fn f() {}"),
    ];
    for (file, text) in bad {
        let problems = problems_of(file, text);
        assert_eq!(problems.len(), 1, "{file}: {text}: {problems:?}");
    }
}

#[test]
fn sound_code_passes() {
    let good = [
        (PROTO, "use super::name::Host; use crate::proto::reply; use std::fmt;"),
        (PROTO, "use std::net::{IpAddr, Ipv6Addr}; fn f() { let _ = std::net::Ipv4Addr::LOCALHOST; }"),
        (PROTO, "mod net { pub fn f() {} } fn g() { net::f(); }"),
        (PROTO, "#[cfg(test)] mod tests { use crate::net::x; fn f() { println!(\"x\"); } }"),
        (PROTO, "#[cfg(all(test, unix))] fn f() { std::fs::read(\"x\"); }"),
        (PROTO, "/// Not `std::net::TcpStream`.\nconst A: &str = \"crate::net::x println!\";"),
        (PROTO, "fn f(a: u8, b: u8) { assert!(a != b && (a) != (b)); }"),
        (REPORT, "use super::Range; use std::str::FromStr; use serde::Serialize;"),
        (REPORT, "fn f() { let text = format!(\"{}\", std::mem::size_of::<u8>()); writeln!(text, \"x\"); }"),
        (NET, "use crate::proto::smtp; use std::net::TcpStream; use std::io::Read;"),
        (CLI, "use crate::report::Range; use crate::net::Family; use clap::Args;"),
        (PLUGIN, "use crate::cli; fn f() { println!(\"x\"); std::process::exit(3) }"),
        (CHECK, "use common::plugin::Plugin; use clap::Parser; use check_x::Other; mod check; use check::f;"),
        ("plugins/check_x/src/main.rs", "fn main() { common::plugin::main::<check_x::CheckX>() }"),
        ("common/src/lib.rs", "#[cfg(feature = \"tcp\")] pub mod net; pub mod report;"),
    ];
    for (file, text) in good {
        assert_eq!(problems_of(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_test_module_in_a_file_of_its_own_is_free() {
    let parent = Source::new("common/src/proto/mod.rs", "#[cfg(test)] mod tests;");
    let tests = Source::new("common/src/proto/tests.rs", "use crate::net::x;");
    assert_eq!(check(&[parent, tests]), Vec::<String>::new());
    let parent = Source::new("common/src/proto/mod.rs", "mod tests;");
    let tests = Source::new("common/src/proto/tests.rs", "use crate::net::x;");
    assert_eq!(check(&[parent, tests]).len(), 1);
}

#[test]
fn unsafe_code_needs_the_attribute_of_its_file() {
    let marked = "#![expect(unsafe_code, reason = \"x\")]";
    for code in [
        "fn f() { unsafe { g() } }",
        "unsafe fn f() {}",
        "unsafe impl Send for X {}",
        "fn f() { m!(unsafe { g() }) }",
    ] {
        assert_eq!(problems_of(PLUGIN, code).len(), 1, "{code}");
        assert_eq!(problems_of(PLUGIN, &format!("{marked} {code}")).len(), 0, "{code}");
        assert_eq!(problems_of(CHECK, &format!("{marked} {code}")).len(), 1, "crate root: {code}");
    }
    assert_eq!(problems_of(PLUGIN, "#[path = \"../net/x.rs\"] mod x;").len(), 1);
}

#[test]
fn one_mistake_is_told_once_with_file_and_path() {
    let problems = problems_of(PROTO, "use crate::report::State; fn f() -> State { State::Ok }");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("common/src/proto/smtp.rs: common::report::State: "), "{problems:?}");
}

#[test]
fn dependencies_on_other_plugins_are_found() {
    let own = "[package]\nname = \"check_x\"\n[dependencies]\ncommon.workspace = true # not check_z\n";
    assert_eq!(other_plugins("check_x", own), BTreeSet::new());
    for line in [
        "check_y.workspace = true",
        "y = { path = \"../check_y\" }",
        "y = { package = \"check_y\", version = \"1\" }",
        "[dev-dependencies.check_y]",
        "[target.'cfg(unix)'.dependencies]\ncheck_y = \"1\"",
    ] {
        let found = other_plugins("check_x", &format!("{own}{line}\n"));
        assert_eq!(found, BTreeSet::from(["check_y".to_owned()]), "{line}");
    }
}
