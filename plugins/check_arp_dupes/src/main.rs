//! `check_arp_dupes`: see the library.

fn main() {
    common::plugin::main::<check_arp_dupes::CheckArpDupes>()
}
