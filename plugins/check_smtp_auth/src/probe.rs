//! Which conversations a run needs: the login, at one address or at all of them, the login
//! that must be rejected, the injection.

use std::net::SocketAddr;

use common::net::random::nonce;
use common::net::tls::Connector;
use common::net::{Deadline, ProbeError, SecretBytes, resolve};
use common::proto::sasl::Credentials;

use crate::CheckSmtpAuth;
use crate::options::AlsoReject;
use crate::seen::Seen;
use crate::session::{Setting, Talk};

/// Looks and takes down what there is. An error means that nothing was sent.
pub(crate) fn probe(options: &CheckSmtpAuth, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let credentials = Credentials {
        user: options.user().to_owned(),
        authzid: options.authzid.clone().unwrap_or_default(),
        password: options.password()?,
        token: options.token()?,
    };
    let connector = if options.encrypts() {
        let tls = options.tls_options.options().map_err(|error| ProbeError::local(error.to_string()))?;
        Some(Connector::new(&tls, &options.target.hostname)?)
    } else {
        None
    };
    let setting = Setting { options, deadline, connector };

    let mut seen = Seen { dns: None, unresolved: None, sessions: Vec::new(), reject: None, injection: None };
    let before = deadline.elapsed();
    let addresses = match look_up(options, deadline) {
        Ok(addresses) => addresses,
        Err(error) => {
            seen.unresolved = Some(error);
            return Ok(seen);
        }
    };
    seen.dns = Some(deadline.elapsed().saturating_sub(before).as_secs_f64()).filter(|_| options.looks_up());
    let groups: Vec<&[SocketAddr]> =
        if options.transport.all_addresses { addresses.chunks(1).collect() } else { vec![&addresses] };
    seen.sessions = groups.iter().map(|group| Talk::hold(&setting, &credentials, group)).collect();
    if let Some(who) = options.expect.also_reject {
        seen.reject = Some(Talk::hold(&setting, &nobody(who, &credentials)?, &addresses));
    }
    if options.expect.probe_injection {
        seen.injection = Some(Talk::inject(&setting, &credentials, &addresses));
    }
    Ok(seen)
}

/// The addresses to go to; none for a unix socket.
fn look_up(options: &CheckSmtpAuth, deadline: &Deadline) -> Result<Vec<SocketAddr>, ProbeError> {
    if options.transport.socket.is_some() {
        return Ok(Vec::new());
    }
    let family = options.transport.smtp.family(options.target.family());
    resolve(&options.target.hostname, options.port(), family, deadline)
}

/// Credentials that no sound server accepts.
fn nobody(who: AlsoReject, real: &Credentials) -> Result<Credentials, ProbeError> {
    let secret = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
    let invented = nonce()?;
    // A secret only for the kind of mechanism that the real login uses.
    let password = match who {
        AlsoReject::User => secret(&real.user),
        AlsoReject::Random => secret(&invented),
    };
    Ok(Credentials {
        user: match who {
            AlsoReject::User => real.user.clone(),
            AlsoReject::Random => invented_user(&real.user, &invented),
        },
        authzid: String::new(),
        password: if real.password.is_empty() { SecretBytes::default() } else { password.clone() },
        token: if real.token.is_empty() { SecretBytes::default() } else { password },
    })
}

/// A name nobody has, in the domain of the real user.
fn invented_user(real: &str, nonce: &str) -> String {
    match real.rsplit_once('@') {
        Some((_, domain)) => format!("{nonce}@{domain}"),
        None => nonce.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_secrets_of_the_right_kind() {
        let real = Credentials {
            user: "probe@example.org".into(),
            password: SecretBytes::new(b"pw".to_vec()),
            ..Credentials::default()
        };
        let random = nobody(AlsoReject::Random, &real).unwrap();
        assert!(random.user.ends_with("@example.org") && random.user != real.user);
        assert!(random.token.is_empty() && random.password.len() == 32);
        let own = nobody(AlsoReject::User, &real).unwrap();
        assert_eq!(
            (own.user.as_bytes(), own.password.as_slice()),
            (&b"probe@example.org"[..], &b"probe@example.org"[..])
        );
    }
}
