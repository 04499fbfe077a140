//! Who logs in. A secret comes from a file, a variable or a descriptor, never from the
//! command line: argv stands in the process list and in the engine's API.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::usage::UsageError;
use crate::net::{ProbeError, SecretBytes, read_first_line, read_secret_descriptor, read_secret_file};

/// User and password.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Login")]
pub struct CredentialArgs {
    /// User name to log in with
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
}

impl CredentialArgs {
    /// A login needs a user that fits on one line.
    pub fn check_user(&self) -> Result<(), UsageError> {
        match self.user.as_deref() {
            None | Some("") => Err(UsageError::new("--user", "required")),
            Some(user) if unspeakable(user) => Err(UsageError::new("--user", "contains a line break or NUL")),
            Some(_) => Ok(()),
        }
    }

    /// It also needs a password from somewhere.
    pub fn check_password(&self) -> Result<(), UsageError> {
        if self.password.given() {
            Ok(())
        } else {
            Err(UsageError::new("--password-file", "required, or --password-env or --password-fd"))
        }
    }
}

/// Whether a text would end the line it is sent on, and so begin a command of its own.
#[must_use]
pub fn unspeakable(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

/// Where the password comes from.
#[derive(Args, Clone)]
pub struct PasswordArgs {
    /// File with the password in its first line, readable by owner and group only
    #[arg(long, value_name = "FILE", group = "password_source")]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password
    #[arg(long, value_name = "NAME", group = "password_source")]
    pub password_env: Option<String>,
    /// Open file descriptor to read the password from
    #[arg(long, value_name = "N", group = "password_source")]
    pub password_fd: Option<u16>,
    /// Refused on the command line; for INI files only
    // Outside the group, so that the refusal is never hidden by a conflict.
    #[arg(id = PASSWORD_ID, short = 'P', long = "password", value_name = "VALUE", hide = true)]
    inline: Option<String>,
}

/// Identifier of the option whose value must not stand in argv.
pub(super) const PASSWORD_ID: &str = "inline_password";

impl std::fmt::Debug for PasswordArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordArgs").field("password_file", &self.password_file).finish_non_exhaustive()
    }
}

impl PasswordArgs {
    /// Whether any source was given.
    #[must_use]
    pub const fn given(&self) -> bool {
        self.password_file.is_some()
            || self.password_env.is_some()
            || self.password_fd.is_some()
            || self.inline.is_some()
    }

    /// Reads the password: the first line of its source.
    pub fn read(&self) -> Result<SecretBytes, ProbeError> {
        if let Some(path) = &self.password_file {
            return read_first_line(&read_secret_file(path)?, &path.display().to_string());
        }
        if let Some(name) = &self.password_env {
            let value = std::env::var_os(name)
                .ok_or_else(|| ProbeError::local(format!("environment variable {name} is not set")))?;
            return read_first_line(
                &Zeroizing::new(value.into_vec()),
                &format!("environment variable {name}"),
            );
        }
        if let Some(number) = self.password_fd {
            return read_first_line(&read_secret_descriptor(number)?, &format!("file descriptor {number}"));
        }
        if let Some(value) = &self.inline {
            return read_first_line(value.as_bytes(), "password of the INI file");
        }
        Err(ProbeError::local("no password given")
            .with_hint("--password-file FILE, --password-env NAME or --password-fd N"))
    }
}
