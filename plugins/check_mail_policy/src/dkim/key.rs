//! One key record as verifiers read it (RFC 6376 section 3.6.1, RFC 8301, RFC 8463).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use common::net::tls::{KeyKind, KeySeen, bare_rsa_bits};
use common::report::{State, quote};

use crate::lookup::Fault;
use crate::tags::{BLANKS, Flaw, Tags, colon_list};

/// A key record, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    /// The key; `None` where it cannot be read, or was revoked.
    pub(crate) key: Option<Key>,
    pub(crate) faults: Vec<Fault>,
    /// What is odd but harms nobody.
    pub(crate) notes: Vec<String>,
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Bits of the modulus.
    Rsa(u32),
    Ed25519,
}

/// Bits that verifiers demand, that signers should have, and that every verifier can handle
/// (RFC 8301 section 3.2).
const LEAST_BITS: u32 = 1024;
const GOOD_BITS: u32 = 2048;
const MOST_BITS: u32 = 4096;

/// Bytes of an Ed25519 key (RFC 8463 section 4.2).
const ED25519: usize = 32;

const KNOWN: [&str; 8] = ["v", "h", "k", "n", "p", "s", "t", "g"];

impl KeyRecord {
    /// Reads a record.
    pub(crate) fn parse(text: &str) -> Self {
        let mut record = Self::default();
        let tags = Tags::parse(text);
        if !record.judge_version(&tags) {
            return record;
        }
        record.judge_flaws(&tags);
        record.judge_limits(&tags);
        record.judge_flags(&tags);
        record.read_key(&tags);
        if let Some(names) = tags.unknown(&KNOWN) {
            record.notes.push(format!("verifiers ignore {names} (RFC 6376 section 3.2)"));
        }
        if tags.get("g").is_some_and(|value| value != "*") {
            let text = "g= is obsolete (RFC 6376 appendix E), but old verifiers still limit the key by it";
            record.notes.push(text.to_owned());
        }
        record
    }

    fn fault(&mut self, id: &'static str, state: State, text: impl Into<String>) {
        self.faults.push(Fault { id, state, text: text.into() });
    }

    fn broken(&mut self, text: impl Into<String>) {
        self.fault("dkim_syntax", State::Critical, text);
    }

    fn judge_flaws(&mut self, tags: &Tags<'_>) {
        for flaw in tags.flaws() {
            // Many verifiers jump over nothing at all.
            let state = if *flaw == Flaw::Empty { State::Warning } else { State::Critical };
            self.fault("dkim_syntax", state, format!("has {flaw} (RFC 6376 section 3.2)"));
        }
    }

    /// Whether it is a key record at all.
    fn judge_version(&mut self, tags: &Tags<'_>) -> bool {
        match tags.get("v") {
            Some("DKIM1") | None => {
                if tags.get("v").is_some() && tags.first().is_some_and(|first| first.name != "v") {
                    self.broken("v= is not the first tag (RFC 6376 section 3.6.1)");
                }
                true
            }
            Some(other) => {
                self.broken(format!(
                    "v={} is not DKIM1, so verifiers discard it (RFC 6376 section 3.6.1)",
                    quote(other)
                ));
                false
            }
        }
    }

    /// What the key may be used for.
    fn judge_limits(&mut self, tags: &Tags<'_>) {
        if let Some(hashes) = tags.get("h")
            && !colon_list(hashes).any(|hash| hash == "sha256")
        {
            let text = format!(
                "h={} leaves out sha256, the only hash that counts (RFC 8301 section 3.1)",
                quote(hashes)
            );
            self.fault("dkim_hash", State::Critical, text);
        }
        if let Some(services) = tags.get("s")
            && !colon_list(services).any(|service| service == "*" || service == "email")
        {
            let text = format!("s={} leaves out email (RFC 6376 section 3.6.1)", quote(services));
            self.fault("dkim_service", State::Critical, text);
        }
    }

    fn judge_flags(&mut self, tags: &Tags<'_>) {
        if tags.get("t").is_some_and(|flags| colon_list(flags).any(|flag| flag == "y")) {
            let text = "t=y says that the domain only tests DKIM, so verifiers treat its mail as unsigned \
                        (RFC 6376 section 3.6.1)";
            self.fault("dkim_testing", State::Warning, text);
        }
    }

    fn read_key(&mut self, tags: &Tags<'_>) {
        let kind = tags.get("k").unwrap_or("rsa");
        let Some(words) = tags.get("p") else {
            self.broken("has no p=, so no key (RFC 6376 section 3.6.1)");
            return;
        };
        if words.is_empty() {
            self.fault(
                "dkim_revoked",
                State::Critical,
                "p= is empty: the key was revoked (RFC 6376 section 3.6.1)",
            );
            return;
        }
        let Some(bytes) = self.decode(words) else { return };
        match kind {
            "rsa" => self.read_rsa(&bytes),
            "ed25519" if bytes.len() == ED25519 => self.key = Some(Key::Ed25519),
            "ed25519" => {
                self.broken(format!(
                    "p= has {} bytes, an Ed25519 key has 32 (RFC 8463 section 4.2)",
                    bytes.len()
                ));
            }
            other => {
                let text = format!(
                    "k={} is a kind of key that verifiers ignore (RFC 6376 section 3.6.1)",
                    quote(other)
                );
                self.fault("dkim_kind", State::Critical, text);
            }
        }
    }

    fn decode(&mut self, words: &str) -> Option<Vec<u8>> {
        let whole: String = words.chars().filter(|c| !BLANKS.contains(c)).collect();
        let strict = GeneralPurposeConfig::new();
        if let Ok(bytes) = GeneralPurpose::new(&STANDARD, strict).decode(&whole) {
            return Some(bytes);
        }
        let lenient = strict
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        match GeneralPurpose::new(&STANDARD, lenient).decode(&whole) {
            Ok(bytes) => {
                let text = "p= ends in base64 that strict verifiers refuse (RFC 4648 sections 3.2 and 3.5)";
                self.fault("dkim_syntax", State::Warning, text);
                Some(bytes)
            }
            Err(error) => {
                self.broken(format!("p= is no base64: {error} (RFC 6376 section 3.6.1)"));
                None
            }
        }
    }

    fn read_rsa(&mut self, der: &[u8]) {
        let bits = match KeySeen::from_spki(der) {
            Some(key) if key.kind == KeyKind::Rsa && key.name == "RSA" => key.bits,
            Some(key) => {
                self.broken(format!(
                    "p= has a key for {}, not for RSA as k= says (RFC 6376 section 3.6.1)",
                    key.name
                ));
                return;
            }
            None => {
                let bits = bare_rsa_bits(der);
                if bits.is_some() {
                    let text = "p= has an RSAPublicKey, not the SubjectPublicKeyInfo that everybody publishes: \
                                some verifiers cannot read it (RFC 6376 erratum 3017)";
                    self.fault("dkim_form", State::Warning, text);
                }
                bits
            }
        };
        let Some(bits) = bits else {
            self.broken("p= has no RSA key in DER (RFC 6376 section 3.6.1)");
            return;
        };
        self.key = Some(Key::Rsa(bits));
        let size = format!("RSA key of {bits} bits");
        if bits < LEAST_BITS {
            let text = format!("{size}, verifiers want at least {LEAST_BITS} (RFC 8301 section 3.2)");
            self.fault("dkim_short", State::Critical, text);
        } else if bits < GOOD_BITS {
            let text = format!("{size}, it should have at least {GOOD_BITS} (RFC 8301 section 3.2)");
            self.fault("dkim_short", State::Warning, text);
        } else if bits > MOST_BITS {
            let text =
                format!("{size}, verifiers need not handle more than {MOST_BITS} (RFC 8301 section 3.2)");
            self.fault("dkim_long", State::Warning, text);
        }
    }
}
