//! Starts servers, plays peers, runs plugins.
