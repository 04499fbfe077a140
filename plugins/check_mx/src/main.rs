//! `check_mx`: see the library.

fn main() {
    common::plugin::main::<check_mx::CheckMx>()
}
