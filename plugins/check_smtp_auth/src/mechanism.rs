//! Which mechanism to use.

use std::str::FromStr;

use common::proto::sasl::{Mechanism, UnknownMechanism};

use crate::seen::End;

/// The value of `--mech`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MechanismChoice {
    /// The strongest one offered that is fit for the connection.
    Auto,
    /// This one and no other.
    Only(Mechanism),
}

impl FromStr for MechanismChoice {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") { Ok(Self::Auto) } else { text.parse().map(Self::Only) }
    }
}

/// What the connection protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Encrypted: simple mechanisms are the ones every server has.
    Encrypted,
    /// In the clear, and the operator wants the password sent all the same.
    ClearAllowed,
    /// In the clear: nothing that shows the password.
    Clear,
}

impl Privacy {
    /// Mechanisms in order of preference.
    const fn order(self) -> &'static [Mechanism] {
        match self {
            Self::Encrypted => &[Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5],
            Self::ClearAllowed => &[Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login],
            Self::Clear => &[Mechanism::CramMd5],
        }
    }
}

/// Chooses among the mechanisms a server offers.
pub(crate) fn choose(
    choice: MechanismChoice,
    offered: &[String],
    privacy: Privacy,
) -> Result<Mechanism, End> {
    let is_offered = |mechanism: &Mechanism| offered.iter().any(|name| name == mechanism.name());
    if offered.is_empty() {
        return Err(End::AuthNotOffered);
    }
    let chosen = match choice {
        // The order again, so that no mistake elsewhere can show a password.
        MechanismChoice::Only(mechanism) => {
            Some(mechanism).filter(|wanted| is_offered(wanted) && privacy.order().contains(wanted))
        }
        MechanismChoice::Auto => privacy.order().iter().copied().find(is_offered),
    };
    chosen.ok_or_else(|| {
        let would_do =
            Mechanism::ALL.iter().any(|mechanism| mechanism.sends_password() && is_offered(mechanism));
        if privacy == Privacy::Clear && choice == MechanismChoice::Auto && would_do {
            End::OnlyPlaintext
        } else {
            End::MechanismNotOffered
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn auto(names: &[&str], privacy: Privacy) -> Result<Mechanism, End> {
        choose(MechanismChoice::Auto, &offered(names), privacy)
    }

    #[test]
    fn order_depends_on_privacy() {
        let all = ["CRAM-MD5", "LOGIN", "PLAIN", "GSSAPI"];
        assert_eq!(auto(&all, Privacy::Encrypted), Ok(Mechanism::Plain));
        assert_eq!(auto(&all, Privacy::ClearAllowed), Ok(Mechanism::CramMd5));
        assert_eq!(auto(&["LOGIN", "PLAIN"], Privacy::ClearAllowed), Ok(Mechanism::Plain));
        assert_eq!(auto(&["LOGIN"], Privacy::Encrypted), Ok(Mechanism::Login));
    }

    #[test]
    fn nothing_usable_is_told_apart() {
        assert_eq!(auto(&[], Privacy::Encrypted), Err(End::AuthNotOffered));
        assert_eq!(auto(&["GSSAPI"], Privacy::Encrypted), Err(End::MechanismNotOffered));
        assert_eq!(auto(&["PLAIN"], Privacy::Clear), Err(End::OnlyPlaintext));
        assert_eq!(auto(&["GSSAPI"], Privacy::Clear), Err(End::MechanismNotOffered));
        let only = MechanismChoice::Only(Mechanism::CramMd5);
        assert_eq!(choose(only, &offered(&["PLAIN"]), Privacy::Encrypted), Err(End::MechanismNotOffered));
        let plain = MechanismChoice::Only(Mechanism::Plain);
        assert!(choose(plain, &offered(&["PLAIN"]), Privacy::Clear).is_err());
    }
}
