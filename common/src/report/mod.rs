//! What a check found, and how it is said: states, ranges, perfdata, findings, rendering.
//!
//! Pure: no I/O, no clock, no environment. Sources: the Monitoring Plugins
//! Development Guidelines for ranges, perfdata and exit codes.

mod clean;
mod condition;
mod finding;
mod number;
mod perfdata;
mod range;
mod render;
mod state;
mod units;

pub use clean::{clean, quote, some, truncate};
pub use condition::{Condition, StateTable};
pub use finding::{Context, Finding, Report};
pub use number::format_number;
pub use perfdata::{Metric, Perfdata, Uom};
pub use range::{Range, RangeError, Thresholds};
pub use render::{Document, Format, render};
pub use state::{ParseStateError, State};
pub use units::{Seconds, TimeRange, UnitError, parse_bytes, parse_size, parse_span};
