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

pub mod arp_frame;
pub mod arp_netlink;
pub mod choices;
pub mod dns_message;
pub mod http_response;
pub mod ini;
pub mod mail_hosts_verdict;
pub mod mail_records;
pub mod mx_verdict;
pub mod mysql_check_rows;
pub mod mysql_greeting;
pub mod mysql_index_head;
pub mod mysql_login_path;
pub mod mysql_option_file;
pub mod mysql_pages;
pub mod mysql_rows;
pub mod range;
pub mod rbl_list;
pub mod rbl_verdict;
pub mod rdns_verdict;
pub mod render;
pub mod sasl_steps;
pub mod smtp_names;
pub mod smtp_rcpt_verdict;
pub mod smtp_relay_verdict;
pub mod smtp_reply;
pub mod spf_record;
pub mod sslv2_hello;
pub mod starttls;
pub mod sts_policy;
pub mod tls_flight;
pub mod tls_session;
pub mod weak_certificate;
pub mod weak_policy;

mod wire;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("arp_frame", arp_frame::run),
    ("arp_netlink", arp_netlink::run),
    ("dns_message", dns_message::run),
    ("http_response", http_response::run),
    ("ini", ini::run),
    ("mail_hosts_verdict", mail_hosts_verdict::run),
    ("mail_records", mail_records::run),
    ("mx_verdict", mx_verdict::run),
    ("mysql_check_rows", mysql_check_rows::run),
    ("mysql_greeting", mysql_greeting::run),
    ("mysql_index_head", mysql_index_head::run),
    ("mysql_login_path", mysql_login_path::run),
    ("mysql_option_file", mysql_option_file::run),
    ("mysql_pages", mysql_pages::run),
    ("mysql_rows", mysql_rows::run),
    ("range", range::run),
    ("rbl_list", rbl_list::run),
    ("rbl_verdict", rbl_verdict::run),
    ("rdns_verdict", rdns_verdict::run),
    ("render", render::run),
    ("sasl_steps", sasl_steps::run),
    ("smtp_names", smtp_names::run),
    ("smtp_rcpt_verdict", smtp_rcpt_verdict::run),
    ("smtp_relay_verdict", smtp_relay_verdict::run),
    ("smtp_reply", smtp_reply::run),
    ("spf_record", spf_record::run),
    ("sslv2_hello", sslv2_hello::run),
    ("starttls", starttls::run),
    ("sts_policy", sts_policy::run),
    ("tls_flight", tls_flight::run),
    ("tls_session", tls_session::run),
    ("weak_certificate", weak_certificate::run),
    ("weak_policy", weak_policy::run),
];
