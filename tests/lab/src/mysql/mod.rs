//! Servers of MariaDB and MySQL: real ones with replication between them, everything that breaks it and what breaks
//! tables, and a scripted one for the releases that no archive has any more and for what no real server says.
//!
//! | module | what a test gets from it |
//! |---|---|
//! | [`server`] | a real server on a port of its own |
//! | [`replication`] | pairs, chains and replicas of several sources, and what they say about themselves |
//! | [`faults`] | everything that breaks a pair |
//! | [`link`] | the line between two servers, which can go silent |
//! | [`damage`] | everything that breaks a table |
//! | [`files`] | a data folder that no server uses |
//! | [`script`] | a server that plays a script: other releases, errors, silence and nonsense |
//! | [`client`] | a session, to make a scenario and to look whether it is there |

pub mod client;
pub mod damage;
pub mod faults;
pub mod files;
pub mod link;
pub mod replication;
pub mod script;
pub mod server;

mod account;
mod auth;
mod general_log;
mod packet;
mod release;

pub use account::Account;
pub use release::Release;
