//! `check_rbl`: see the library.

fn main() {
    common::plugin::main::<check_rbl::CheckRbl>()
}
