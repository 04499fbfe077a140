//! Foreign bytes as text, without losing what they were.

/// Decodes bytes as UTF-8; each byte that is not part of a valid sequence becomes `\xNN`.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_stay_visible() {
        assert_eq!(decode(b"ol\xe9 \xc3\xa9"), "ol\\xe9 é");
        assert_eq!(decode(b"\xff\xfe"), "\\xff\\xfe");
        assert_eq!(decode(b"a\0b"), "a\0b");
    }
}
