//! `check_weak_ciphers`: see the library.

fn main() {
    common::plugin::main::<check_weak_ciphers::CheckWeakCiphers>()
}
