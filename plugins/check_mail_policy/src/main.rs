//! `check_mail_policy`: see the library.

fn main() {
    common::plugin::main::<check_mail_policy::CheckMailPolicy>()
}
