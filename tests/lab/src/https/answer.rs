//! What a web server says to a request, well or badly (RFC 9112).

use std::time::Duration;

use crate::peer::Script;

/// 200 with a text, its length, and the end of the connection.
#[must_use]
pub fn ok(body: &str) -> Script {
    typed("text/plain", body)
}

/// 200 with a body of this type.
#[must_use]
pub fn typed(content_type: &str, body: &str) -> Script {
    Script::new().send(bytes("200 OK", content_type, body.as_bytes())).close()
}

/// Another status, as `404 Not Found`, with a page that says so.
#[must_use]
pub fn status(status: &str) -> Script {
    let page = format!("<html><h1>{status}</h1></html>");
    Script::new().send(bytes(status, "text/html", page.as_bytes())).close()
}

/// 301 to another place.
#[must_use]
pub fn redirect(location: &str) -> Script {
    let head = format!(
        "HTTP/1.1 301 Moved Permanently\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    Script::new().send(head).close()
}

/// [`ok`], of which a byte comes every now and then.
#[must_use]
pub fn drip(body: &str, every: Duration) -> Script {
    Script::new().drip(bytes("200 OK", "text/plain", body.as_bytes()), every).close()
}

/// A body that has no length and no end.
#[must_use]
pub fn endless() -> Script {
    Script::new().send(head("HTTP/1.1", &[])).repeat_forever("mx: mx.example.test\r\n")
}

/// A head without an end.
#[must_use]
pub fn endless_head() -> Script {
    Script::new().send("HTTP/1.1 200 OK\r\n").repeat_forever("X-Filler: mx.example.test\r\n")
}

/// A head of this many bytes and more, in lines of a kilobyte, before a body that is right.
#[must_use]
pub fn huge_head(size: usize, body: &str) -> Script {
    let field = format!("X-Filler: {}\r\n", "x".repeat(1024));
    let filler = field.repeat(size.div_ceil(field.len()));
    let length = body.len();
    let rest =
        format!("Content-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    Script::new().send(format!("HTTP/1.1 200 OK\r\n{filler}{rest}")).close()
}

/// The body in pieces of this size (RFC 9112 section 7.1), with an extension and a trailer.
#[must_use]
pub fn chunked(body: &str, size: usize) -> Script {
    let pieces = body.as_bytes().chunks(size).map(|piece| {
        let mut chunk = format!("{:x};piece=1\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        chunk
    });
    let mut script = Script::new().send(head("HTTP/1.1", &["Transfer-Encoding: chunked"]));
    for chunk in pieces {
        script = script.send(chunk);
    }
    script.send("0\r\nX-Trailer: yes\r\n\r\n").close()
}

/// Compressed, whether the client takes that or not.
#[must_use]
pub fn gzip(body: &str) -> Script {
    let packed = gzipped(body.as_bytes());
    let length = format!("Content-Length: {}", packed.len());
    Script::new().send(head("HTTP/1.1", &["Content-Encoding: gzip", &length])).send(packed).close()
}

/// The end of the connection after half of the body.
#[must_use]
pub fn cut_short(body: &str) -> Script {
    let length = format!("Content-Length: {}", body.len());
    let half = body.get(..body.len() / 2).unwrap_or_default();
    Script::new().send(head("HTTP/1.1", &[&length])).send(half).cut()
}

/// The end of the connection instead of an answer.
#[must_use]
pub fn nothing() -> Script {
    Script::new().cut()
}

/// Never any answer.
#[must_use]
pub fn silence() -> Script {
    Script::new().hold()
}

/// HTTP/1.0, where the end of the connection is the end of the body.
#[must_use]
pub fn http10(body: &str) -> Script {
    Script::new().send(head("HTTP/1.0", &[])).send(body).close()
}

/// The end of the connection is the end of the body, but TLS is not ended: anybody may have cut it.
#[must_use]
pub fn http10_cut(body: &str) -> Script {
    Script::new().send(head("HTTP/1.0", &[])).send(body).cut()
}

/// A whole answer.
pub(super) fn bytes(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: lab\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// 200 with a text, whose length these fields tell, or nothing does.
fn head(version: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("{version} 200 OK\r\nContent-Type: text/plain\r\n{fields}Connection: close\r\n\r\n")
}

/// In the format of RFC 1952, in one block that is not compressed (RFC 1951 section 3.2.4).
fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("the lab's texts are short");
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    packed.extend_from_slice(&length.to_le_bytes());
    packed.extend_from_slice(&(!length).to_le_bytes());
    packed.extend_from_slice(bytes);
    packed.extend_from_slice(&crc32(bytes).to_le_bytes());
    packed.extend_from_slice(&u32::from(length).to_le_bytes());
    packed
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0xedb8_8320 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
