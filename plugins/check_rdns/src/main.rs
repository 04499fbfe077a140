//! `check_rdns`: see the library.

fn main() {
    common::plugin::main::<check_rdns::CheckRdns>()
}
