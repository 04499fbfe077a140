//! Names that operators type and that go onto the wire: what is accepted is printable, says
//! the same when it is read again, and smuggles no second command in.

use common::proto::names::Host;
use common::proto::smtp::{Command, HeloName, Mailbox, domain_literal};

/// The target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(host) = text.parse::<Host>() {
        let shown = host.to_string();
        assert!(!shown.is_empty() && shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?}");
        assert_eq!(shown.parse::<Host>().as_ref(), Ok(&host), "{shown:?} says the same");
        assert_eq!(host.lookup_name(), shown);
        if let Some(address) = host.address() {
            let literal = domain_literal(address);
            assert_eq!(literal.to_string().parse::<HeloName>(), Ok(literal));
        }
        if let Host::Name(name) = &host {
            assert!(name.len() <= 254 && !name.contains([':', '%', '[', '/']), "{name:?}");
        }
    }
    if let Ok(name) = text.parse::<HeloName>() {
        assert_eq!(name.to_string(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(Command::plain(&format!("EHLO {name}")).is_ok());
    }
    if let Ok(mailbox) = text.parse::<Mailbox>() {
        let path = mailbox.path();
        assert!(Command::plain(&format!("RCPT TO:{path}")).is_ok() || path.len() > 12_000);
        assert_eq!(path.matches(['<', '>', ' ']).count(), 2, "{path:?}");
        assert_eq!(mailbox.to_string().parse::<Mailbox>(), Ok(mailbox));
    }
    for command in [Command::plain(text), Command::secret("", data), Command::secret("AUTH PLAIN", data)] {
        let Ok(command) = command else { continue };
        let line = command.wire().strip_suffix(b"\r\n").expect("a line");
        assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        assert!(command.wire().len() <= 12_288);
    }
    if let Ok(secret) = Command::secret("AUTH PLAIN", data) {
        assert_eq!(secret.to_string(), "AUTH PLAIN ****");
    }
}
