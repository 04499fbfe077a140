//! The part of HTTP/1.1 that the embedded web servers share: the head of a request (RFC 9112).

use std::io;

use crate::wire::Wire;

/// Request line and header fields.
#[derive(Debug)]
pub(crate) struct Head {
    /// `GET /path HTTP/1.1`.
    pub(crate) first: String,
    /// Names in lower case, values without blanks around them.
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    /// Reads the next request; `None` when the client closed before it was whole.
    pub(crate) fn read(wire: &mut Wire) -> io::Result<Option<Self>> {
        let Some(first) = text_line(wire)? else { return Ok(None) };
        let mut fields = Vec::new();
        while let Some(line) = text_line(wire)? {
            if line.is_empty() {
                return Ok(Some(Self { first, fields }));
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(None)
    }

    /// The value of a field, named in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn text_line(wire: &mut Wire) -> io::Result<Option<String>> {
    let line = wire.line()?;
    Ok(line.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()))
}
