//! An answer of an HTTP server: bounded, and what is whole stays so when more bytes come.

use check_mail_policy::fuzz::{MOST_BODY, Response, Rest};

/// The target.
pub fn run(data: &[u8]) {
    let whole = Response::parse(data, Rest::Ended);
    assert!(!matches!(whole, Ok(None)), "the end is the end");
    let open = Response::parse(data, Rest::Open);
    if let Ok(Some(response)) = &open {
        assert!(response.body.len() <= MOST_BODY);
        assert_eq!(open, whole, "the end changes nothing of what was whole");
        let more = [data, b"HTTP/1.1 500 No"].concat();
        assert_eq!(Response::parse(&more, Rest::Open), open, "nor do bytes behind it");
    }
    if let Ok(Some(response)) = Response::parse(data.get(..data.len() / 2).unwrap_or_default(), Rest::Open) {
        assert_eq!(open, Ok(Some(response)));
    }
}
