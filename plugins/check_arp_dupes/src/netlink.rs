//! What the kernel tells of links, addresses, routes and neighbours (rtnetlink(7)): reading its messages, and asking
//! for them. No privilege is needed for that.

mod attributes;
mod dump;
mod message;

#[cfg(test)]
mod tests;

pub(crate) use dump::Netlink;
#[cfg(test)]
use message::Message;
pub use message::parse_messages;
pub(crate) use message::{Address, Link, Neighbour, Route, State};
