//! What every Vedette plugin shares.
//!
//! Layers, from the top: [`plugin`] runs a check from argv to exit code and is
//! the only place that prints or exits; [`report`] holds states, ranges,
//! perfdata and rendering, without I/O; [`cli`] has the option groups with the
//! same names everywhere; [`net`] does I/O under one deadline; [`proto`] has
//! codecs and state machines that know no sockets.
//!
//! Heavy parts sit behind features (`tcp`, `tls`, `sasl`, `smtp`), so that a plugin
//! links only what it uses; the default set is empty.

pub mod cli;
pub mod net;
pub mod plugin;
pub mod proto;
pub mod report;
