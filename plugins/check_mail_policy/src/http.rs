//! An answer of an HTTP server (RFC 9112) in bounded memory: one request, one answer, and the
//! connection ends.

use common::proto::text::decode;
use httparse::{EMPTY_HEADER, Header, Status, parse_chunk_size};
use serde::{Deserialize, Serialize};

/// An answer that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// The server's words for it.
    pub reason: String,
    /// Media type without its parameters, in lower case.
    pub media_type: Option<String>,
    /// Where a redirection points.
    pub location: Option<String>,
    /// What was asked for.
    pub body: Vec<u8>,
}

/// Why bytes are no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Not HTTP.
    #[error("no HTTP answer: {0}")]
    Malformed(String),
    /// More header than is read.
    #[error("header of more than {MOST_HEAD} bytes")]
    HugeHead,
    /// More body than is read.
    #[error("body of more than {MOST_BODY} bytes")]
    HugeBody,
    /// A coding that was not asked for.
    #[error("body in the coding {0:?}, which was not asked for")]
    Coding(String),
    /// The connection ended before the answer did.
    #[error("connection closed in the middle of the answer")]
    CutShort,
}

/// Bytes of the header that are read.
const MOST_HEAD: usize = 16 * 1024;
/// Bytes of the body that are read (RFC 8461 section 3.3 suggests 64 kilobytes).
pub const MOST_BODY: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;
const MOST_INTERIM: usize = 4;

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The connection is open.
    Open,
    /// The peer has ended it.
    Ended,
}

/// How the end of the body is found (RFC 9112 section 6.3).
enum Framing {
    Chunked,
    Length(usize),
    UntilClosed,
}

impl Response {
    /// Reads what came so far; `None` as long as something is missing.
    pub fn parse(bytes: &[u8], rest: Rest) -> Result<Option<Self>, HttpError> {
        let mut bytes = bytes;
        for _ in 0..=MOST_INTERIM {
            let mut headers = [EMPTY_HEADER; MOST_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let end = match head.parse(bytes) {
                Ok(Status::Complete(end)) if end <= MOST_HEAD => end,
                Ok(Status::Partial) if bytes.len() <= MOST_HEAD => return unfinished(rest),
                Ok(_) => return Err(HttpError::HugeHead),
                Err(error) => return Err(HttpError::Malformed(error.to_string())),
            };
            bytes = bytes.get(end..).unwrap_or_default();
            // An interim answer is followed by the final one (RFC 9110 section 15.2).
            if !head.code.is_some_and(|code| (100..200).contains(&code)) {
                return Self::complete(&head, bytes, rest);
            }
        }
        Err(HttpError::Malformed("nothing but interim answers".to_owned()))
    }

    fn complete(
        head: &httparse::Response<'_, '_>,
        bytes: &[u8],
        rest: Rest,
    ) -> Result<Option<Self>, HttpError> {
        let status = head.code.unwrap_or_default();
        let Some(body) = body(head.headers, status, bytes, rest)? else { return unfinished(rest) };
        let words = |name| header(head.headers, name).map(decode);
        let media_type = words("content-type")
            .map(|given| given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let reason = head.reason.unwrap_or_default().to_owned();
        Ok(Some(Self { status, reason, media_type, location: words("location"), body }))
    }
}

fn unfinished(rest: Rest) -> Result<Option<Response>, HttpError> {
    match rest {
        Rest::Open => Ok(None),
        Rest::Ended => Err(HttpError::CutShort),
    }
}

fn body(headers: &[Header<'_>], status: u16, bytes: &[u8], rest: Rest) -> Result<Option<Vec<u8>>, HttpError> {
    if matches!(status, 204 | 304) {
        return Ok(Some(Vec::new()));
    }
    let coding = header(headers, "content-encoding").map(|value| decode(value).to_ascii_lowercase());
    if let Some(coding) = coding.filter(|coding| coding != "identity") {
        return Err(HttpError::Coding(coding));
    }
    let body = match framing(headers)? {
        Framing::Chunked => chunks(bytes)?,
        Framing::Length(length) if length > MOST_BODY => return Err(HttpError::HugeBody),
        Framing::Length(length) => bytes.get(..length).map(<[u8]>::to_vec),
        Framing::UntilClosed if bytes.len() > MOST_BODY => return Err(HttpError::HugeBody),
        Framing::UntilClosed => (rest == Rest::Ended).then(|| bytes.to_vec()),
    };
    Ok(body)
}

fn framing(headers: &[Header<'_>]) -> Result<Framing, HttpError> {
    if let Some(coding) = header(headers, "transfer-encoding") {
        let coding = decode(coding).to_ascii_lowercase();
        return if coding == "chunked" { Ok(Framing::Chunked) } else { Err(HttpError::Coding(coding)) };
    }
    let mut lengths = all(headers, "content-length");
    let Some(length) = lengths.next() else { return Ok(Framing::UntilClosed) };
    // RFC 9110 section 8.6: digits alone; two that differ leave the end open to interpretation.
    let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    if !is_number || lengths.any(|other| other != length) {
        return Err(HttpError::Malformed("invalid content length".to_owned()));
    }
    decode(length).parse().map(Framing::Length).map_err(|_| HttpError::HugeBody)
}

/// RFC 9112 section 7.1. `None` as long as something is missing; trailers are not read.
fn chunks(bytes: &[u8]) -> Result<Option<Vec<u8>>, HttpError> {
    let mut body = Vec::new();
    let mut rest = bytes;
    loop {
        let (start, size) = match parse_chunk_size(rest) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) if rest.len() <= MOST_CHUNK_LINE => return Ok(None),
            Ok(Status::Partial) => return Err(HttpError::HugeBody),
            Err(_) => return Err(HttpError::Malformed("invalid chunk size".to_owned())),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            return Ok(Some(body));
        }
        if size > MOST_BODY - body.len() {
            return Err(HttpError::HugeBody);
        }
        let Some(chunk) = rest.get(start..start + size) else { return Ok(None) };
        let Some(end) = rest.get(start + size..start + size + 2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(HttpError::Malformed("chunk without its end".to_owned()));
        }
        body.extend_from_slice(chunk);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
}

/// A chunk's size with its extensions.
const MOST_CHUNK_LINE: usize = 1024;

fn header<'a>(headers: &'a [Header<'_>], name: &str) -> Option<&'a [u8]> {
    all(headers, name).next()
}

fn all<'a>(headers: &'a [Header<'_>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |one| one.name.eq_ignore_ascii_case(name)).map(|one| one.value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &str) -> Result<Option<Response>, HttpError> {
        Response::parse(text.as_bytes(), Rest::Ended)
    }

    fn body_of(text: &str) -> String {
        String::from_utf8(whole(text).unwrap().unwrap().body).unwrap()
    }

    #[test]
    fn bodies_by_length_by_chunks_and_to_the_end() {
        assert_eq!(body_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef"), "abc");
        assert_eq!(
            body_of(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
            ),
            "abcde"
        );
        assert_eq!(body_of("HTTP/1.0 200 OK\r\n\r\nabc"), "abc");
        assert_eq!(
            body_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            "x"
        );
        let redirect = whole("HTTP/1.1 301 Moved\r\nlocation: https://x/\r\ncontent-length: 0\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!((redirect.status, redirect.location.as_deref()), (301, Some("https://x/")));
        let typed =
            whole("HTTP/1.1 200\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(typed.unwrap().unwrap().media_type.as_deref(), Some("text/plain"));
    }

    #[test]
    fn what_is_no_answer_says_why() {
        let wrong = |text: &str| whole(text).unwrap_err().to_string();
        assert_eq!(wrong("220 mail ESMTP\r\n\r\n"), "no HTTP answer: invalid HTTP version");
        assert_eq!(wrong("HTTP/1.1 200 OK\r\nContent-Le"), "connection closed in the middle of the answer");
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
            "connection closed in the middle of the answer"
        );
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nabc"),
            "no HTTP answer: invalid content length"
        );
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc"),
            "no HTTP answer: invalid content length"
        );
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"),
            "body of more than 65536 bytes"
        );
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
            "body in the coding \"gzip\", which was not asked for"
        );
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n"),
            "body in the coding \"br\", which was not asked for"
        );
        assert_eq!(
            wrong("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"),
            "no HTTP answer: chunk without its end"
        );
        assert_eq!(
            wrong(&format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000))),
            "header of more than 16384 bytes"
        );
        assert_eq!(
            wrong(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(70_000))),
            "body of more than 65536 bytes"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_bounded_body(bytes in prop::collection::vec(any::<u8>(), 0..2000), chunked: bool) {
            let head: &[u8] = if chunked { b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" } else { b"" };
            let all = [head, &bytes].concat();
            if let Ok(Some(response)) = Response::parse(&all, Rest::Ended) {
                prop_assert!(response.body.len() <= all.len());
            }
            let _ = Response::parse(&all, Rest::Open);
        }

        #[test]
        fn an_answer_in_pieces_is_the_answer(body in "[a-z]{0,40}", cut in 0usize..100) {
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(Response::parse(&text.as_bytes()[..cut], Rest::Open), Ok(None));
            let whole = Response::parse(text.as_bytes(), Rest::Open).unwrap().unwrap();
            prop_assert_eq!(whole.body, body.into_bytes());
        }
    }
}
