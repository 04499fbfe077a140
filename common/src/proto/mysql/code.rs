//! Error numbers of MySQL and MariaDB, which are the same where both have one
//! (mysqld_error.h of either).

/// What an error number of the server means to a client that only asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeClass {
    /// User, password or host are not accepted.
    Denied,
    /// Logged in, but a privilege is missing.
    Privilege,
    /// The server has no room for us now, goes away, or has blocked our host after errors.
    Busy,
    /// The server wants an encrypted connection.
    WantsTls,
    /// The statement is not known to this server.
    Syntax,
    /// Anything else.
    Other,
}

/// ER_CON_COUNT_ERROR
pub const TOO_MANY_CONNECTIONS: u16 = 1040;
/// ER_DBACCESS_DENIED_ERROR
pub const DATABASE_DENIED: u16 = 1044;
/// ER_ACCESS_DENIED_ERROR
pub const ACCESS_DENIED: u16 = 1045;
/// ER_SERVER_SHUTDOWN
pub const SHUTDOWN: u16 = 1053;
/// ER_PARSE_ERROR
pub const SYNTAX: u16 = 1064;
/// ER_HOST_IS_BLOCKED
pub const HOST_BLOCKED: u16 = 1129;
/// ER_HOST_NOT_PRIVILEGED
pub const HOST_NOT_ALLOWED: u16 = 1130;
/// ER_TABLEACCESS_DENIED_ERROR
pub const TABLE_DENIED: u16 = 1142;
/// ER_SPECIFIC_ACCESS_DENIED_ERROR
pub const PRIVILEGE_MISSING: u16 = 1227;
/// ER_SECURE_TRANSPORT_REQUIRED
pub const SECURE_TRANSPORT_REQUIRED: u16 = 3159;

/// Sorts an error number.
#[must_use]
pub const fn class(code: u16) -> CodeClass {
    match code {
        // 1698: refused without a password, 1862/1820: password expired, 3118/4151: locked.
        ACCESS_DENIED | DATABASE_DENIED | HOST_NOT_ALLOWED | 1251 | 1275 | 1698 | 1820 | 1862 | 3118
        | 3955 | 4151 => CodeClass::Denied,
        TABLE_DENIED | PRIVILEGE_MISSING | 1143 | 1370 => CodeClass::Privilege,
        // 1041: out of memory, 1135: cannot create a thread, 1203/1226: limits of the user.
        TOO_MANY_CONNECTIONS | SHUTDOWN | HOST_BLOCKED | 1041 | 1135 | 1203 | 1226 | 3032 => CodeClass::Busy,
        SECURE_TRANSPORT_REQUIRED => CodeClass::WantsTls,
        SYNTAX => CodeClass::Syntax,
        _ => CodeClass::Other,
    }
}
