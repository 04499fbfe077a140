//! SMTP on the wire: replies (RFC 5321 section 4.2), EHLO keywords (section 4.1.1.1),
//! commands, mailboxes.

mod command;
mod ehlo;
mod mailbox;
mod recipient;
mod reply;
mod said;

pub use command::{Command, CommandError, HeloName, domain_literal};
pub use ehlo::{Ehlo, looks_masked_banner};
pub use mailbox::{Mailbox, MailboxError};
pub use recipient::RecipientAnswer;
pub use reply::{LineEnd, Reply, ReplyError, ReplyLimits, ReplyReader};
pub use said::{Cause, Said};
