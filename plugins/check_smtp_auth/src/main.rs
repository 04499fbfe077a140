//! check_smtp_auth
fn main() {}
