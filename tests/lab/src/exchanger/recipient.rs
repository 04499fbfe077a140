//! What a recipient's address means to the server, as Postfix and Sendmail read it: the old
//! ways to name a further host count as recipients elsewhere.

/// A way to write a recipient elsewhere that some servers take for a local one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `<x@elsewhere.test>`.
    Plain,
    /// `<x%elsewhere.test@lab.test>`.
    Percent,
    /// `<elsewhere.test!x@lab.test>`, or without a domain.
    Bang,
    /// `<"x@elsewhere.test"@lab.test>`.
    Quoted,
    /// `<@lab.test:x@elsewhere.test>`, which RFC 5321 4.1.1.3 wants read as if without the route.
    SourceRoute,
    /// [`Form::Plain`] in a message whose sender is empty.
    EmptySender,
}

/// Whom an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A local part of this server, as it is.
    Local(String),
    /// Somebody elsewhere.
    Foreign(Form),
    /// No mailbox.
    Malformed,
}

/// Reads the text between the angle brackets. `is_local` knows the server's domains.
pub(super) fn meaning(path: &str, is_local: impl Fn(&str) -> bool) -> Meaning {
    let (route, mailbox) = match path.strip_prefix('@').map(|route| route.split_once(':')) {
        None => (None, path),
        Some(Some((route, mailbox))) => (Some(route), mailbox),
        Some(None) => return Meaning::Malformed,
    };
    if mailbox.is_empty() || mailbox.contains([' ', '<', '>']) || route == Some("") {
        return Meaning::Malformed;
    }
    let Some((local_part, domain)) = mailbox.rsplit_once('@') else {
        let is_bang = mailbox.contains('!');
        return if is_bang { Meaning::Foreign(Form::Bang) } else { Meaning::Local(mailbox.to_owned()) };
    };
    if local_part.is_empty() || domain.is_empty() {
        return Meaning::Malformed;
    }
    if !is_local(domain) {
        return Meaning::Foreign(if route.is_some() { Form::SourceRoute } else { Form::Plain });
    }
    let quoted = local_part.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    match quoted {
        Some(inner) if inner.contains('@') => Meaning::Foreign(Form::Quoted),
        Some(inner) => Meaning::Local(inner.to_owned()),
        None if local_part.contains('@') => Meaning::Malformed,
        None if local_part.contains('%') => Meaning::Foreign(Form::Percent),
        None if local_part.contains('!') => Meaning::Foreign(Form::Bang),
        None => Meaning::Local(local_part.to_owned()),
    }
}

/// The path of `MAIL FROM:<...>` or `RCPT TO:<...>` without its brackets, and the parameters
/// after it. Blanks after the colon are an error in RFC 5321 3.3 and common all the same.
pub(super) fn path<'a>(arguments: &'a str, keyword: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let start = arguments.get(..keyword.len())?;
    let rest = arguments.get(keyword.len()..)?.trim_start();
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.strip_prefix('<')?;
    // A quoted local part may have brackets and blanks in it.
    let mut is_quoted = false;
    let end = rest.find(|letter| {
        is_quoted ^= letter == '"';
        letter == '>' && !is_quoted
    })?;
    let (path, parameters) = (rest.get(..end)?, rest.get(end + 1..)?);
    let is_apart = parameters.is_empty() || parameters.starts_with(' ');
    is_apart.then(|| (path, parameters.split_ascii_whitespace().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_from_a_local_part() {
        let local = |name: &str| Meaning::Local(name.to_owned());
        for (path, expected) in [
            ("probe@lab.test", local("probe")),
            ("Probe@LAB.test", local("Probe")),
            ("postmaster", local("postmaster")),
            ("\"odd name\"@lab.test", Meaning::Malformed),
            ("\"probe\"@lab.test", local("probe")),
            ("@a.test,@b.test:probe@lab.test", local("probe")),
            ("x@y.test", Meaning::Foreign(Form::Plain)),
            ("x@[127.0.0.1]", Meaning::Foreign(Form::Plain)),
            ("x%y.test@lab.test", Meaning::Foreign(Form::Percent)),
            ("y.test!x@lab.test", Meaning::Foreign(Form::Bang)),
            ("y.test!x", Meaning::Foreign(Form::Bang)),
            ("\"x@y.test\"@lab.test", Meaning::Foreign(Form::Quoted)),
            ("@lab.test:x@y.test", Meaning::Foreign(Form::SourceRoute)),
            ("", Meaning::Malformed),
            ("@lab.test", Meaning::Malformed),
            ("probe@", Meaning::Malformed),
            ("x@y@lab.test", Meaning::Malformed),
        ] {
            let found = meaning(path, |domain| domain.eq_ignore_ascii_case("lab.test"));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn paths_end_at_their_own_bracket() {
        assert_eq!(path("FROM:<>", "FROM:"), Some(("", vec![])));
        assert_eq!(path("from: <a@b> SIZE=1 SMTPUTF8", "FROM:"), Some(("a@b", vec!["SIZE=1", "SMTPUTF8"])));
        assert_eq!(path("TO:<\"a>b\"@c>", "TO:"), Some(("\"a>b\"@c", vec![])));
        for wrong in ["TO:a@b", "TO:<a@b", "TO:<a@b>x", "FROM:<a@b>", "", "TÖ:<a@b>"] {
            assert_eq!(path(wrong, "TO:"), None, "{wrong}");
        }
    }
}
