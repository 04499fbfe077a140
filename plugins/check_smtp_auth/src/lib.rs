//! check_smtp_auth
