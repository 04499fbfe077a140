//! Records of fields behind a version, `v=STSv1; id=1`, as MTA-STS (RFC 8461 section 3.1) and
//! TLS-RPT (RFC 8460 section 3) have them. Stricter than the lists of DKIM: no blanks around `=`.

use std::fmt;

use common::report::quote;

/// The fields behind the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields<'a>(Vec<(&'a str, &'a str)>);

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldError<'a> {
    /// Another version, or none.
    Version,
    /// Nothing behind the version.
    None,
    /// Nothing between two semicolons.
    Empty,
    /// Words without `=`.
    NoValue(&'a str),
    /// A blank before `=`.
    Blank(&'a str),
    /// A name that none can have.
    Name(&'a str),
    /// A field whose value has characters that none can have.
    Value(&'a str),
}

const WSP: [char; 2] = [' ', '\t'];

/// Longest name of a field.
const MAX_NAME: usize = 32;

impl<'a> Fields<'a> {
    /// Reads a record. The value of the field `own` follows a grammar of its own and is not looked at.
    pub(crate) fn parse(text: &'a str, version: &str, own: &str) -> Result<Self, FieldError<'a>> {
        let rest = text.strip_prefix(version).ok_or(FieldError::Version)?;
        let mut pieces = rest.split(';').map(|piece| piece.trim_matches(WSP)).peekable();
        if pieces.next() != Some("") {
            return Err(FieldError::Version);
        }
        let mut fields = Vec::new();
        while let Some(piece) = pieces.next() {
            if piece.is_empty() && pieces.peek().is_none() {
                break;
            }
            fields.push(field(piece, own)?);
        }
        if fields.is_empty() { Err(FieldError::None) } else { Ok(Self(fields)) }
    }

    /// The values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect()
    }
}

/// Whether a text counts as a record at all: others at the name are left out before one is read.
pub(crate) fn starts_with_version(text: &str, version: &str) -> bool {
    text.strip_prefix(version).is_some_and(|rest| rest.starts_with(';'))
}

fn field<'a>(piece: &'a str, own: &str) -> Result<(&'a str, &'a str), FieldError<'a>> {
    if piece.is_empty() {
        return Err(FieldError::Empty);
    }
    let (name, value) = piece.split_once('=').ok_or(FieldError::NoValue(piece))?;
    if let Some(bare) = name.strip_suffix(WSP) {
        return Err(FieldError::Blank(bare.trim_end_matches(WSP)));
    }
    if !is_field_name(name) {
        return Err(FieldError::Name(name));
    }
    let is_value = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '=');
    if name == own || is_value { Ok((name, value)) } else { Err(FieldError::Value(name)) }
}

/// Whether a field may have this name (`sts-ext-name`, `tlsrpt-ext-name`).
pub(crate) fn is_field_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}={value}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Display for FieldError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("no version in front"),
            Self::None => f.write_str("nothing behind the version"),
            Self::Empty => f.write_str("an empty field"),
            Self::NoValue(words) => write!(f, "{} without \"=\"", quote(words)),
            Self::Blank(name) => write!(f, "a blank between {} and \"=\"", quote(name)),
            Self::Name(name) => write!(f, "{}, which is no name of a field", quote(name)),
            Self::Value(name) => write!(f, "a value of {name}= that no field has"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<String, String> {
        Fields::parse(text, "v=STSv1", "id")
            .map(|fields| fields.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_read() {
        for good in ["v=STSv1; id=1; a.b-c_9=x", "v=STSv1 ;\tid=1;a.b-c_9=x ; "] {
            assert_eq!(parse(good).as_deref(), Ok("id=1; a.b-c_9=x"), "{good:?}");
        }
        let fields = Fields::parse("v=STSv1;id=1;id=2;", "v=STSv1", "id").unwrap();
        assert_eq!((fields.all("id"), fields.all("x")), (vec!["1", "2"], vec![]));
    }

    #[test]
    fn errors_are_named() {
        for (text, error) in [
            ("v=STSv2; id=1", "no version in front"),
            ("v=STSv1x; id=1", "no version in front"),
            ("v=STSv1", "nothing behind the version"),
            ("v=STSv1;", "nothing behind the version"),
            ("v=STSv1;;id=1", "an empty field"),
            ("v=STSv1; id", "\"id\" without \"=\""),
            ("v=STSv1; id =1", "a blank between \"id\" and \"=\""),
            ("v=STSv1; -x=1", "\"-x\", which is no name of a field"),
            ("v=STSv1; id=1; x=a=b", "a value of x= that no field has"),
            ("v=STSv1; id=1; x=", "a value of x= that no field has"),
            ("v=STSv1; id=1; x=a b", "a value of x= that no field has"),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()), "{text:?}");
        }
        assert!(parse(&format!("v=STSv1; {}=1", "x".repeat(33))).is_err());
        assert!(parse(&format!("v=STSv1; {}=1", "x".repeat(32))).is_ok());
    }

    #[test]
    fn only_texts_of_the_version_count() {
        assert!(starts_with_version("v=STSv1;", "v=STSv1"));
        for other in ["v=STSv1", "v=STSv1 ;", "v=STSv10;", " v=STSv1;", "V=STSv1;"] {
            assert!(!starts_with_version(other, "v=STSv1"), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(v=STSv1)?(\\PC|[;= \\t]){0,60}") {
            if let Ok(fields) = Fields::parse(&text, "v=STSv1", "id") {
                let printed = format!("v=STSv1; {fields}");
                prop_assert_eq!(Fields::parse(&printed, "v=STSv1", "id"), Ok(fields.clone()));
            }
        }
    }
}
