//! SPF (RFC 7208): who may send for the domain, whether receivers can find out within their
//! limits, and whether given clients pass.
//!
//! [`walk`] looks at all that can be said without a client, [`check_host`] at one client as a
//! receiver does, [`judge`] turns both into findings.

mod check_host;
mod clients;
mod judge;
mod macros;
mod published;
mod record;
mod syntax;
mod walk;
mod world;

pub(crate) use judge::{SPF_LOOKUPS, SPF_VOIDS};

#[cfg(test)]
mod tests;
