//! Option groups.
