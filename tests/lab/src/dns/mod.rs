//! DNS for tests: a scripted responder for whatever no real server can be configured to do,
//! and real servers.
//!
//! | type | what a test gets from it |
//! |---|---|
//! | [`Responder`] | answers by UDP and TCP on one port as a [`Behaviour`] says, records the queries |
//! | [`Reaction`] | one answer: its content, its time, and what is wrong with it |
//! | [`Zones`] | a behaviour for each zone |
//! | [`Names`] | a zone made of records |
//! | [`Dnsbl`] | a block list with its test points, or with one of the usual failures |
//! | [`rbldnsd`] | a real server for block lists, UDP alone |
//! | [`nsd`] | a real authoritative server |
//! | [`unbound`] | a real resolver in front of the others |
//! | [`named`] | BIND: both in one |
//! | [`signed`] | zones signed with DNSSEC, and a real resolver that validates them |
//! | [`client`] | a small client for the lab's own tests |
//!
//! ```
//! use std::time::Duration;
//! use lab::dns::{Behaviour, Dnsbl, Rcode, RecordType, Responder, Zones, client};
//!
//! let dns = Responder::start(
//!     Zones::new()
//!         .zone("zen.lab.test", Dnsbl::listing("192.0.2.1", ["127.0.0.4"]).delayed(Duration::from_millis(30)))
//!         .zone("dead.lab.test", Dnsbl::dead())
//!         .zone("down.lab.test", Dnsbl::rcode(Rcode::ServFail)),
//! );
//! let answer = client::ask(dns.addr(), "1.2.0.192.zen.lab.test", RecordType::A).unwrap();
//! assert_eq!(answer.addresses(), ["127.0.0.4"]);
//! assert_eq!(dns.queries()[0].record_type, RecordType::A);
//! ```

mod behaviour;
pub mod client;
mod codec;
mod delivery;
mod dnsbl;
mod malformed;
pub mod named;
pub mod nsd;
mod query;
pub mod rbldnsd;
mod reaction;
mod responder;
mod server;
pub mod signed;
mod types;
pub mod unbound;
mod zone_file;

/// Receive buffer of our sockets: room for a burst of 20,000 messages, each of which the
/// kernel counts with a kilobyte of its own.
const BURST: usize = 32 << 20;

pub use behaviour::{Behaviour, Mapped, Names, Zones};
pub use codec::{Flags, encode_query, encode_query_ad};
pub use dnsbl::{Dnsbl, dnsbl_name};
pub use malformed::Malformed;
pub use query::{Query, Transport};
pub use reaction::{Reaction, Tcp};
pub use responder::{Responder, ResponderOptions, TcpPort};
pub use server::{NameServer, Running};
pub use types::{Rcode, Rdata, Record, RecordType};
pub use zone_file::ZoneFile;
