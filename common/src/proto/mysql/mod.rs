//! What MySQL and MariaDB keep in files and say in numbers: option files, login path files,
//! error numbers. No sockets here; the conversation itself is the crate `mysql`'s.

pub mod code;
pub mod greeting;
pub mod login_path;
pub mod option_file;
