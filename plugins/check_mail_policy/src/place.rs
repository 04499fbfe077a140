//! Where reports go and logos lie: the two kinds of URI that mail policies know (RFC 6068,
//! RFC 9110 section 4.2.2).

use std::fmt;

use common::proto::dns::DomainName;
use common::proto::smtp::Mailbox;

/// A place that a URI names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A mailbox at a domain.
    Mailto(DomainName),
    /// A page of a host.
    Https(DomainName),
}

/// Why a URI names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceError {
    /// No `scheme:` in front.
    NoScheme,
    /// Another scheme.
    Scheme,
    /// Characters that must be percent-encoded, or broken percent-encoding.
    Characters,
    /// No mailbox behind `mailto:`.
    Mailbox,
    /// No host behind `https://`.
    Host,
}

impl Place {
    /// Reads a URI.
    pub(crate) fn parse(uri: &str) -> Result<Self, PlaceError> {
        let is_allowed = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}!,;".contains(c);
        let (scheme, rest) = uri.split_once(':').ok_or(PlaceError::NoScheme)?;
        if !uri.chars().all(is_allowed) {
            return Err(PlaceError::Characters);
        }
        if scheme.eq_ignore_ascii_case("mailto") {
            mailbox(rest)
        } else if scheme.eq_ignore_ascii_case("https") {
            host(rest)
        } else {
            Err(PlaceError::Scheme)
        }
    }
}

fn mailbox(rest: &str) -> Result<Place, PlaceError> {
    let address = rest.split('?').next().unwrap_or_default();
    let address = percent_decoded(address).ok_or(PlaceError::Characters)?;
    let mailbox: Mailbox = address.parse().map_err(|_| PlaceError::Mailbox)?;
    let domain = mailbox.domain().filter(|_| !mailbox.local_part().is_empty());
    let domain = domain.and_then(|domain| domain.parse().ok()).ok_or(PlaceError::Mailbox)?;
    Ok(Place::Mailto(domain))
}

fn host(rest: &str) -> Result<Place, PlaceError> {
    let authority = rest.strip_prefix("//").ok_or(PlaceError::Host)?;
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let has_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    let host = host.parse().ok().filter(|_| has_port).ok_or(PlaceError::Host)?;
    Ok(Place::Https(host))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "is no URI: it lacks mailto:",
            Self::Scheme => "has a scheme that receivers do not know",
            Self::Characters => "has characters that must be percent-encoded",
            Self::Mailbox => "has no mailbox",
            Self::Host => "has no host",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_read() {
        let mailto = |host: &str| Ok(Place::Mailto(host.parse().unwrap()));
        let https = |host: &str| Ok(Place::Https(host.parse().unwrap()));
        assert_eq!(Place::parse("mailto:a@Example.ORG"), mailto("example.org"));
        assert_eq!(Place::parse("MAILTO:a%21b%40c@example.org?subject=x"), mailto("example.org"));
        assert_eq!(Place::parse("https://r.example/v1?x=a@b#c"), https("r.example"));
        assert_eq!(Place::parse("https://r.example:8443"), https("r.example"));
        for (uri, error) in [
            ("a@example.org", PlaceError::NoScheme),
            ("http://example.org/", PlaceError::Scheme),
            ("mailto:a b@example.org", PlaceError::Characters),
            ("mailto:a@example.org!10m", PlaceError::Characters),
            ("mailto:a%2@example.org", PlaceError::Characters),
            ("mailto:a%zz@example.org", PlaceError::Characters),
            ("mailto:%ff@example.org", PlaceError::Characters),
            ("mailto:example.org", PlaceError::Mailbox),
            ("mailto:@example.org", PlaceError::Mailbox),
            ("mailto:a%20b@example.org", PlaceError::Mailbox),
            ("mailto:a@[192.0.2.1]", PlaceError::Mailbox),
            ("mailto:", PlaceError::Mailbox),
            ("https:/r.example", PlaceError::Host),
            ("https:///x", PlaceError::Host),
            ("https://r.example:0/", PlaceError::Host),
            ("https://u@r.example/", PlaceError::Host),
        ] {
            assert_eq!(Place::parse(uri), Err(error), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(mailto:|https://)?(\\PC|%[0-9a-f]{2}){0,40}") {
            if let Err(error) = Place::parse(&text) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
