//! Support for tests and the demo: real servers and scripted peers on loopback,
//! the runner of the built plugins and the strict parser of what they print.
//!
//! | module | what a test gets from it |
//! |---|---|
//! | [`plugin`] | runs a built plugin with a clean environment, measures it |
//! | [`output`] | parses plugin output and refuses whatever the contract forbids |
//! | [`certs`] | a certificate authority and leaves for servers and clients |
//! | [`tls`] | rustls configurations for the lab's servers and test clients, a plain TLS service |
//! | [`peer`] | a TCP server that plays a script, for odd and hostile behaviour |
//! | [`smtpd`] | an embedded, correct submission server |
//! | [`exchanger`] | an embedded mail exchanger: a good one, an open relay, a greylister and so on |
//! | [`client`] | a small SMTP client for the lab's own tests |
//! | [`policy`] | a domain whose mail policies are in order, with its servers, and what breaks them |
//! | [`dane`] | TLSA data of a certificate |
//! | [`https`] | web servers of MTA-STS policies: an embedded one that can be bad, and nginx |
//! | [`dns`] | a scripted DNS responder and real name servers |
//! | [`tls_script`] | a scripted TLS endpoint: any version, suite, limit and fault, without cryptography |
//! | [`tls_servers`] | real TLS servers with the truth about their suites, some behind STARTTLS |
//! | [`tls_probe`] | a ClientHello and what a server makes of it; lists the suites of a server |
//! | [`browser`] | Chromium without a window: what a page looks like at a width, and what is in it |
//! | [`relay`] | a TCP relay that makes loopback as slow as a network |
//! | [`mysql`] | real servers of MariaDB and MySQL, their replication and its faults, and a scripted one |
//! | [`meddler`] | a relay that lets a TLS handshake through and meddles with what comes behind it |
//! | [`process`] | daemons as children: start, pause, resume, stop |
//! | [`arp`] | an Ethernet of namespaces with liars on it: ARP, neighbour discovery, VRRP |
//! | [`namespace`] | a network of its own, with port 53 and its own resolv.conf |
//! | [`dovecot`] | a real Dovecot as SASL server |
//! | [`oauth`] | a tiny HTTP server that tells Dovecot which tokens are good |
//! | [`submission`] | Dovecot's own submission service: client certificates, channel binding |
//! | [`lmtp`] | Dovecot's LMTP service on TCP and on a unix socket |
//! | [`exim`] | a real Exim: AUTH only after TLS, or a catch-all |
//! | [`opensmtpd`] | a real OpenSMTPD as mail exchanger |
//! | [`s_server`] | `openssl s_server` as a submission service: old versions, suites and keys |
//! | [`postfix`] | a real Postfix with one listener for each flavour of service |
//! | [`postfix_mx`] | a real Postfix as mail exchanger: closed, open, behind postscreen, greylisting and so on |
//! | [`postgrey`] | a real greylister for it |
//!
//! Everything binds to loopback, lives in its own temporary directory and is stopped by
//! process id when its handle is dropped, also while a test panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "test support: a broken lab must stop the test loudly"
)]

pub mod arp;
pub mod browser;
pub mod certs;
pub mod client;
pub mod cost;
pub mod dane;
pub mod dns;
pub mod dovecot;
pub mod exchanger;
pub mod exim;
pub mod https;
pub mod lmtp;
pub mod meddler;
pub mod mysql;
pub mod namespace;
pub mod oauth;
pub mod opensmtpd;
pub mod output;
pub mod peer;
pub mod plugin;
pub mod policy;
pub mod postfix;
pub mod postfix_mx;
pub mod postgrey;
pub mod process;
pub mod relay;
pub mod s_server;
pub mod smtpd;
pub mod submission;
pub mod tls;
pub mod tls_probe;
pub mod tls_script;
pub mod tls_servers;

mod acceptor;
mod census;
mod host;
mod http;
mod sys;
mod wire;

pub use sys::Signal;
