//! The rules, on paths that are already resolved.

use std::collections::BTreeSet;

use crate::source::{Facts, Names, Source, absolute};

pub const LAYERS: [&str; 5] = ["report", "cli", "plugin", "net", "proto"];

/// What a layer of `common` may not name outside the crate. A prefix covers everything below it.
const NO_IO: [&str; 18] = [
    "std::net",
    "std::io",
    "std::fs",
    "std::process",
    "std::env",
    "std::thread",
    "std::os::fd",
    "std::os::unix::net",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "clap",
    "libc",
    "socket2",
    "rustls",
    "rustls_native_certs",
    "openssl",
    "tokio",
    "hickory_resolver",
];

/// Plain data that happens to stand in `std::net`.
const ADDRESSES: [&str; 7] =
    ["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6", "AddrParseError"];

/// Printing and ending the process: `common::plugin` only, so that one write and one exit are provable.
const OUTPUT: [&str; 14] = [
    "std::println",
    "std::print",
    "std::eprintln",
    "std::eprint",
    "std::dbg",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::Stdout",
    "std::io::Stderr",
    "std::process::exit",
    "std::process::abort",
    "libc::_exit",
    "libc::exit",
    "libc::abort",
];

pub const OUTPUT_MACROS: [&str; 5] = ["println", "print", "eprintln", "eprint", "dbg"];

#[derive(Clone, Debug, PartialEq)]
pub enum Owner {
    /// A file of `common`, by the first segment of its module path.
    Layer(String),
    /// `common/src/lib.rs`.
    CommonRoot,
    /// A crate of its own that uses `common`: a plugin or an example.
    Plugin(String),
}

impl Owner {
    pub fn layer(name: &str) -> Self {
        Self::Layer(name.to_owned())
    }

    /// The layers of `common` this file may name; `None` for all.
    fn may_use(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::CommonRoot | Self::Plugin(_) => None,
            Self::Layer(name) => match name.as_str() {
                "proto" => Some(&["proto"]),
                "report" => Some(&["report"]),
                "net" => Some(&["net", "proto"]),
                "cli" => Some(&["cli", "report", "net", "proto"]),
                "plugin" => None,
                _ => Some(&[]),
            },
        }
    }

    fn may_print(&self) -> bool {
        *self == Self::layer("plugin")
    }

    fn forbidden(&self) -> &'static [&'static str] {
        match self {
            Self::Layer(name) if name == "proto" || name == "report" => &NO_IO,
            Self::Layer(name) if name == "net" => &["clap"],
            _ => &[],
        }
    }

    /// Why this file may not name `path` (already resolved); `None` when it may.
    pub fn verdict(&self, path: &[String], glob: bool) -> Option<String> {
        let first = path.first().map_or("", String::as_str);
        let own = matches!(self, Self::Plugin(name) if name == first);
        if first.starts_with("check_") && !own {
            return Some("a plugin is used by nobody; what two of them need belongs into common".to_owned());
        }
        if let (false, "common", Some(layers)) = (matches!(self, Self::Plugin(_)), first, self.may_use()) {
            match path.get(1) {
                Some(layer) if layers.contains(&layer.as_str()) => {}
                Some(layer) if LAYERS.contains(&layer.as_str()) => {
                    return Some(format!("this layer may use {layers:?} of common, not {layer}"));
                }
                _ => return Some("reaches the root of common, which belongs to no layer".to_owned()),
            }
        }
        if !self.may_print() && OUTPUT.iter().any(|rule| hits(rule, path, glob)) {
            return Some("only common::plugin prints and exits".to_owned());
        }
        let data = path.len() >= 3 && path[..2] == ["std", "net"] && ADDRESSES.contains(&path[2].as_str());
        let rule = self.forbidden().iter().find(|rule| !data && hits(rule, path, glob))?;
        Some(format!("{rule} is out of bounds for this layer"))
    }
}

/// Whether `path` lies at or below `rule`, or a glob at `path` would bring it in.
fn hits(rule: &str, path: &[String], glob: bool) -> bool {
    let rule: Vec<&str> = rule.split("::").collect();
    let common = rule.iter().zip(path).take_while(|(a, b)| **a == b.as_str()).count();
    common == rule.len() || (glob && common == path.len())
}

pub fn check(sources: &[Source]) -> Vec<String> {
    let parsed: Vec<(&Source, Facts)> = sources.iter().map(|source| (source, Facts::of(source))).collect();
    let mut test_only: BTreeSet<Names> = BTreeSet::new();
    for (source, facts) in &parsed {
        test_only.extend(facts.test_modules.iter().map(|module| absolute(source, module)));
    }
    let mut problems = BTreeSet::new();
    for (source, facts) in &parsed {
        let module = absolute(source, &source.module);
        if !test_only.iter().any(|test| module.starts_with(test)) {
            problems.extend(facts.problems(source));
        }
    }
    problems.into_iter().collect()
}
