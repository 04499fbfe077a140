//! A tiny HTTP server that says which bearer tokens are good, for Dovecot's oauth2 passdb
//! (RFC 7662): `/tokeninfo?token=TOKEN` answers 200 or 401, `/introspect` (token in the form,
//! the query or the `Authorization` header) says active or not.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::acceptor::Acceptor;
use crate::http::Head;
use crate::wire::{Transcript, Wire};

/// The running responder; stops when dropped.
#[derive(Debug)]
pub struct OAuth {
    acceptor: Acceptor,
    requests: Arc<Mutex<Vec<String>>>,
}

impl OAuth {
    /// Starts it; `tokens` are users by good token, every other token is bad.
    #[must_use]
    pub fn start(tokens: BTreeMap<String, String>) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let acceptor = Acceptor::start((Ipv4Addr::LOCALHOST, 0).into(), move |_, stream, _| {
            // A client that goes away in the middle of its request wants no answer.
            let _ = serve(stream, &tokens, &seen);
        });
        Self { acceptor, requests }
    }

    /// Dovecot's `tokeninfo_url`: the token is appended.
    #[must_use]
    pub fn tokeninfo_url(&self) -> String {
        format!("http://{}/tokeninfo?token=", self.acceptor.address())
    }

    /// Dovecot's `introspection_url`.
    #[must_use]
    pub fn introspection_url(&self) -> String {
        format!("http://{}/introspect", self.acceptor.address())
    }

    /// First line of each request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Requests of one connection, until the client closes it.
fn serve(stream: TcpStream, tokens: &BTreeMap<String, String>, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut wire = Wire::new(stream, Transcript::default());
    while let Some(head) = Head::read(&mut wire)? {
        let length = head.field("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let bearer = head.field("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let body = wire.exact(length)?.unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let (status, answer) = answer(&head.first, &body, bearer.map(str::to_owned), tokens);
        seen.lock().unwrap().push(head.first);
        let text = answer.to_string();
        wire.send(
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            )
            .as_bytes(),
        )?;
    }
    Ok(())
}

fn answer(
    request: &str,
    body: &str,
    bearer: Option<String>,
    tokens: &BTreeMap<String, String>,
) -> (&'static str, serde_json::Value) {
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = form_value(body, "token").or_else(|| form_value(query, "token")).or(bearer);
    let user = asked.as_ref().and_then(|token| tokens.get(token));
    match (path, user) {
        ("/tokeninfo", Some(user)) => ("200 OK", json!({ "username": user, "expires_in": 3600 })),
        ("/tokeninfo", None) => ("401 Unauthorized", json!({ "error": "invalid_token" })),
        ("/introspect", Some(user)) => ("200 OK", json!({ "active": true, "username": user })),
        ("/introspect", None) => ("200 OK", json!({ "active": false })),
        _ => ("404 Not Found", json!({ "error": "invalid_request" })),
    }
}

/// A value of a form, without its percent escapes.
fn form_value(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, more @ ..] = rest {
        let escaped =
            more.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = escaped.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &more[2..];
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = more;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
