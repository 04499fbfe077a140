//! Zabbix in the foreground from private folders: its agent, and its server with PostgreSQL
//! and the part of the front-end that answers JSON-RPC.

mod agent;
mod api;
mod server;

pub use agent::Agent;
pub use api::Api;
pub use server::{Release, Server};
