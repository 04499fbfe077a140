//! TLS messages as far as a scan needs them: a hello with any suites goes out, and what comes
//! back is read up to where the server has shown what it can do. No keys, no secrets, no
//! cryptography: a connection ends before any would be needed. What goes on from there, with
//! `--intrusive` alone, is in [`crate::intrusive`].
//!
//! Sources: RFC 8446 (TLS 1.3), RFC 5246 (1.2), RFC 4346 (1.1), RFC 2246 (1.0), RFC 6101
//! (SSLv3); SSLv2 as in the draft that RFC 6176 forbids.

pub(crate) mod bytes;
pub(crate) mod hello;
pub(crate) mod reader;
pub(crate) mod server;
pub(crate) mod sslv2;
