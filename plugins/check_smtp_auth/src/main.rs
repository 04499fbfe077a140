//! `check_smtp_auth`: see the library.

fn main() {
    common::plugin::main::<check_smtp_auth::CheckSmtpAuth>()
}
