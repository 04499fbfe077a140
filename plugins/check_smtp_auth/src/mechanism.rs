//! Which mechanism to use.

use std::str::FromStr;

use common::proto::sasl::{ChannelBinding, Mechanism, UnknownMechanism};

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
    /// Encrypted: simple mechanisms are safe too.
    Encrypted,
    /// In the clear, and the operator wants the secret sent all the same.
    ClearAllowed,
    /// In the clear: nothing that shows the secret.
    Clear,
}

/// What of a TLS connection a login can be tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Its keys: RFC 9266, TLS 1.3.
    Exporter,
    /// The server's certificate: RFC 5929, TLS 1.2. Only used when a mechanism is asked for
    /// by name: Dovecot 2.4 offers -PLUS over TLS 1.2, and a login process of it dies of
    /// this binding.
    Certificate,
    /// Nothing: no TLS, or a certificate without a digest.
    Nothing,
}

impl From<Option<&ChannelBinding>> for Binding {
    fn from(binding: Option<&ChannelBinding>) -> Self {
        match binding {
            Some(ChannelBinding::TlsExporter(_)) => Self::Exporter,
            Some(ChannelBinding::TlsServerEndPoint(_)) => Self::Certificate,
            None => Self::Nothing,
        }
    }
}

/// What a login can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Means {
    /// What the connection protects.
    pub(crate) privacy: Privacy,
    /// There is a password.
    pub(crate) password: bool,
    /// There is a token.
    pub(crate) token: bool,
    /// The login is to act as somebody else.
    pub(crate) authzid: bool,
    /// What of the TLS connection the login can be tied to.
    pub(crate) binding: Binding,
}

/// Strongest first. EXTERNAL is never chosen by itself: a certificate that happens to be
/// configured says nothing about the password.
const BY_STRENGTH: [Mechanism; 10] = [
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha1,
    Mechanism::OauthBearer,
    Mechanism::Xoauth2,
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::CramMd5,
    Mechanism::DigestMd5,
];

impl Means {
    /// Mechanisms that could be used, in order of preference.
    fn order(self) -> Vec<Mechanism> {
        let able = |mechanism: &Mechanism| {
            (self.password && mechanism.takes_password() || self.token && mechanism.takes_token())
                && (self.binding == Binding::Exporter || !mechanism.binds())
                && (!self.authzid || mechanism.takes_authzid())
        };
        let mut order: Vec<Mechanism> = BY_STRENGTH.into_iter().filter(able).collect();
        if self.privacy != Privacy::Encrypted {
            // In the clear what shows the secret comes last, or not at all.
            order.sort_by_key(|mechanism| mechanism.shows_secret());
        }
        if self.privacy == Privacy::Clear {
            order.retain(|mechanism| !mechanism.shows_secret() && *mechanism != Mechanism::DigestMd5);
        }
        order
    }
}

/// Chooses among the mechanisms a server offers.
pub(crate) fn choose(choice: MechanismChoice, offered: &[String], means: Means) -> Result<Mechanism, End> {
    let is_offered = |mechanism: &Mechanism| offered.iter().any(|name| name == mechanism.name());
    if offered.is_empty() {
        return Err(End::AuthNotOffered);
    }
    match choice {
        MechanismChoice::Only(mechanism) if !is_offered(&mechanism) => Err(End::MechanismNotOffered),
        MechanismChoice::Only(mechanism) if mechanism.binds() && means.binding == Binding::Nothing => {
            Err(End::NoBinding)
        }
        // Again, so that no mistake elsewhere can show a secret.
        MechanismChoice::Only(mechanism) if mechanism.shows_secret() && means.privacy == Privacy::Clear => {
            Err(End::OnlyPlaintext)
        }
        MechanismChoice::Only(mechanism) => Ok(mechanism),
        MechanismChoice::Auto => means.order().into_iter().find(is_offered).ok_or_else(|| {
            let shown = Means { privacy: Privacy::ClearAllowed, ..means }.order().iter().any(is_offered);
            if shown && means.privacy == Privacy::Clear {
                End::OnlyPlaintext
            } else {
                End::MechanismNotOffered
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEANS: Means = Means {
        privacy: Privacy::Encrypted,
        password: true,
        token: false,
        authzid: false,
        binding: Binding::Exporter,
    };

    fn offered(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn auto(names: &[&str], means: Means) -> Result<Mechanism, End> {
        choose(MechanismChoice::Auto, &offered(names), means)
    }

    fn with(privacy: Privacy) -> Means {
        Means { privacy, ..MEANS }
    }

    #[test]
    fn the_strongest_wins() {
        let all = Mechanism::ALL.map(Mechanism::name);
        assert_eq!(auto(&all, MEANS), Ok(Mechanism::ScramSha256Plus));
        assert_eq!(auto(&all, Means { binding: Binding::Certificate, ..MEANS }), Ok(Mechanism::ScramSha256));
        assert_eq!(auto(&["CRAM-MD5", "LOGIN", "PLAIN", "GSSAPI"], MEANS), Ok(Mechanism::Plain));
        assert_eq!(auto(&["LOGIN", "DIGEST-MD5"], MEANS), Ok(Mechanism::Login));
        assert_eq!(auto(&["PLAIN", "SCRAM-SHA-1"], MEANS), Ok(Mechanism::ScramSha1));
        let acting = Means { authzid: true, ..MEANS };
        assert_eq!(auto(&["LOGIN", "CRAM-MD5", "DIGEST-MD5"], acting), Ok(Mechanism::DigestMd5));
    }

    #[test]
    fn tokens_and_passwords_go_to_their_own_mechanisms() {
        let token = Means { password: false, token: true, ..MEANS };
        assert_eq!(auto(&["PLAIN", "XOAUTH2", "OAUTHBEARER"], token), Ok(Mechanism::OauthBearer));
        assert_eq!(auto(&["PLAIN", "XOAUTH2"], token), Ok(Mechanism::Xoauth2));
        assert_eq!(auto(&["PLAIN"], token), Err(End::MechanismNotOffered));
        assert_eq!(auto(&["XOAUTH2"], MEANS), Err(End::MechanismNotOffered));
        assert_eq!(auto(&["PLAIN", "XOAUTH2"], Means { token: true, ..MEANS }), Ok(Mechanism::Xoauth2));
    }

    #[test]
    fn order_depends_on_privacy() {
        let simple = ["CRAM-MD5", "LOGIN", "PLAIN"];
        assert_eq!(auto(&simple, with(Privacy::ClearAllowed)), Ok(Mechanism::CramMd5));
        assert_eq!(auto(&["LOGIN", "PLAIN"], with(Privacy::ClearAllowed)), Ok(Mechanism::Plain));
        assert_eq!(auto(&simple, with(Privacy::Clear)), Ok(Mechanism::CramMd5));
        assert_eq!(auto(&["SCRAM-SHA-1", "PLAIN"], with(Privacy::Clear)), Ok(Mechanism::ScramSha1));
    }

    #[test]
    fn nothing_usable_is_told_apart() {
        assert_eq!(auto(&[], MEANS), Err(End::AuthNotOffered));
        assert_eq!(auto(&["GSSAPI"], MEANS), Err(End::MechanismNotOffered));
        assert_eq!(auto(&["PLAIN"], with(Privacy::Clear)), Err(End::OnlyPlaintext));
        assert_eq!(auto(&["GSSAPI"], with(Privacy::Clear)), Err(End::MechanismNotOffered));
        let only = |mechanism| MechanismChoice::Only(mechanism);
        assert_eq!(
            choose(only(Mechanism::CramMd5), &offered(&["PLAIN"]), MEANS),
            Err(End::MechanismNotOffered)
        );
        let unbound = Means { binding: Binding::Nothing, ..MEANS };
        let clear = with(Privacy::Clear);
        assert_eq!(choose(only(Mechanism::Plain), &offered(&["PLAIN"]), clear), Err(End::OnlyPlaintext));
        let plus = offered(&["SCRAM-SHA-1-PLUS"]);
        assert_eq!(choose(only(Mechanism::ScramSha1Plus), &plus, unbound), Err(End::NoBinding));
    }
}
