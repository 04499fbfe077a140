//! What each fuzz target asserts, without libfuzzer: `tests/tests/fuzz_corpus.rs` includes
//! this file and replays the corpus in every run of the tests.
//!
//! A target takes any bytes and panics when a promise is broken. One module and one
//! folder in `corpus/` for each.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::float_cmp,
    reason = "test code: a broken promise is a panic"
)]

pub mod dns_message;
pub mod ini;
pub mod range;
pub mod rbl_list;
pub mod rbl_verdict;
pub mod render;
pub mod sasl_steps;
pub mod smtp_names;
pub mod smtp_reply;
pub mod sslv2_hello;
pub mod starttls;
pub mod tls_flight;
pub mod tls_session;
pub mod weak_certificate;
pub mod weak_policy;

mod wire;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 15] = [
    ("dns_message", dns_message::run),
    ("ini", ini::run),
    ("range", range::run),
    ("rbl_list", rbl_list::run),
    ("rbl_verdict", rbl_verdict::run),
    ("render", render::run),
    ("sasl_steps", sasl_steps::run),
    ("smtp_names", smtp_names::run),
    ("smtp_reply", smtp_reply::run),
    ("sslv2_hello", sslv2_hello::run),
    ("starttls", starttls::run),
    ("tls_flight", tls_flight::run),
    ("tls_session", tls_session::run),
    ("weak_certificate", weak_certificate::run),
    ("weak_policy", weak_policy::run),
];
