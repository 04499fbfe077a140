//! Names with `*` and `?`, as a policy writes them. The build uses it too, to refuse a pattern that fits nothing.

/// Whether all of `name` fits `pattern`: `*` stands for any text, `?` for one character, letters match in either case.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.as_bytes(), name.as_bytes());
    // What to go back to when the text after the last star does not fit: pattern after it, name from it on.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, name) {
            ([b'*', rest @ ..], _) => {
                pattern = rest;
                retry = Some((rest, name));
                continue;
            }
            ([], []) => return true,
            ([wanted, p @ ..], [found, n @ ..]) if *wanted == b'?' || wanted.eq_ignore_ascii_case(found) => {
                (pattern, name) = (p, n);
                continue;
            }
            _ => {}
        }
        let Some((after, [_, shorter @ ..])) = retry else { return false };
        (pattern, name) = (after, shorter);
        retry = Some((after, shorter));
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "A", false),
            ("*", "", true),
            ("*", "TLS", true),
            ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", true),
            ("tls_aes_128_gcm_sha256", "TLS_AES_128_GCM_SHA256", true),
            ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA25", false),
            ("*_RC4_*", "TLS_RSA_WITH_RC4_128_SHA", true),
            ("*_RC4_*", "TLS_RSA_WITH_RC2_CBC_40_MD5", false),
            ("TLS_ECDHE_*_GCM_SHA???", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true),
            ("*SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", true),
            ("*SHA", "TLS_RSA_WITH_AES_128_CBC_SHA256", false),
            ("*A*A*", "ABA", true),
            ("*A*A*A*", "ABA", false),
            ("**", "x", true),
            ("?", "", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
