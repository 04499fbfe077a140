//! `check_smtp_relay`: see the library.

fn main() {
    common::plugin::main::<check_smtp_relay::CheckSmtpRelay>()
}
