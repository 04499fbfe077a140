//! `check_smtp_rcpt`: see the library.

fn main() {
    common::plugin::main::<check_smtp_rcpt::CheckSmtpRcpt>()
}
