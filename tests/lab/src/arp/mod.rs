//! A small Ethernet with honest hosts and liars, for checks that look at ARP and neighbour discovery.
//!
//! | module | what a test gets from it |
//! |---|---|
//! | [`network`] | namespaces on a bridge, nothing of the machine's own network touched, no root needed |
//! | [`plan`] | the hosts: gateway, monitor, attacker, duplicate address, proxy ARP, VRRP routers |
//! | [`host`] | commands inside a host, with or without the right to raw sockets |
//! | [`frame`], [`ndp`] | ARP frames (RFC 826, 5227) and neighbour discovery messages (RFC 4861), true and forged |
//! | [`agent`] | sends them, answers with them, asks with them, watches them: the program `lab-arp` inside a host |
//! | [`peers`] | what arp-scan, nmap, arping and ndisc6 see |
//! | [`spoofer`] | dsniff's arpspoof, which poisons without end |
//! | [`vrrp`] | keepalived, with the virtual MAC of VRRP (RFC 5798) and without |

pub mod agent;
pub mod frame;
pub mod host;
pub mod ndp;
pub mod network;
pub mod peers;
pub mod plan;
pub mod spoofer;
pub mod vrrp;

mod asker;
mod mac;
mod packet;
mod responder;
mod sender;
mod watcher;

pub use agent::run;
pub use asker::{Answers, Asker, Sender};
pub use frame::Arp;
pub use host::{Granted, Host, Neighbour, Rights};
pub use mac::Mac;
pub use network::{Network, left_out};
pub use plan::Plan;
pub use responder::{Claim, Responder};
pub use watcher::{Frame, Watcher};
