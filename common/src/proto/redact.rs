//! Keeps secrets out of everything that is shown, whoever says them.
//!
//! A server may echo our own line in its refusal (`500 unknown command AUTH PLAIN
//! AHByb2Jl...`), so its words are searched for what we sent.

use super::SecretBytes;

/// Shorter ones would be found in innocent text and give themselves away.
const SHORTEST: usize = 4;
/// This much of a longer secret is masked even if the rest is missing.
const SHORTEST_CUT: usize = 8;
const MASK: &[u8] = b"****";

/// The secrets of a run.
#[derive(Default)]
pub struct Redactor {
    secrets: Vec<SecretBytes>,
}

impl Redactor {
    /// Nothing to hide yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { secrets: Vec::new() }
    }

    /// Adds bytes that must not be shown.
    pub fn hide(&mut self, secret: &[u8]) {
        if secret.len() >= SHORTEST && !self.secrets.iter().any(|known| known.as_slice() == secret) {
            self.secrets.push(SecretBytes::new(secret.to_vec()));
            // Longest first: a part of a secret must not cut the whole in two.
            self.secrets.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// The bytes with each secret replaced by `****`.
    #[must_use]
    pub fn mask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, tail)) = rest.split_first() {
            if let Some(behind) = self.hidden(rest).and_then(|length| rest.get(length..)) {
                out.extend_from_slice(MASK);
                rest = behind;
            } else {
                out.push(*first);
                rest = tail;
            }
        }
        out
    }

    /// How many bytes at the start of the text are a secret, or the beginning of one that a
    /// server cut off.
    fn hidden(&self, text: &[u8]) -> Option<usize> {
        // Nearly every byte of a reply begins no secret.
        if !self.secrets.iter().any(|secret| secret.first() == text.first()) {
            return None;
        }
        let common = |secret: &SecretBytes| secret.iter().zip(text).take_while(|(a, b)| a == b).count();
        let lengths = self.secrets.iter().map(|secret| (common(secret), secret.len().min(SHORTEST_CUT)));
        lengths.filter(|(length, enough)| length >= enough).map(|(length, _)| length).max()
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(secrets: &[&[u8]]) -> Redactor {
        let mut redactor = Redactor::default();
        for secret in secrets {
            redactor.hide(secret);
        }
        redactor
    }

    #[test]
    fn every_occurrence_goes_and_the_longest_wins() {
        let redactor = redactor(&[b"hunter2", b"hunter2hunter3", b"abc"]);
        assert_eq!(redactor.mask(b"say hunter2hunter3 or hunter2, abc"), b"say **** or ****, abc");
        assert_eq!(format!("{redactor:?}"), "Redactor(2 secrets)");
    }

    #[test]
    fn a_secret_that_was_cut_off_goes_too() {
        let redactor = redactor(&[b"AHByb2JlAGh1bnRlcjI=", b"short"]);
        assert_eq!(redactor.mask(b"500 AUTH PLAIN AHByb2JlAGh1bnRl..."), b"500 AUTH PLAIN ****...");
        assert_eq!(redactor.mask(b"AHByb2J shor"), b"AHByb2J shor", "too little to tell");
        assert_eq!(redactor.mask(b"shortshort"), b"********");
    }

    proptest! {
        #[test]
        fn no_secret_survives(
            before in prop::collection::vec(any::<u8>(), 0..20),
            secret in prop::collection::vec(b'a'..=b'z', 4..12),
            after in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let text = [before, secret.clone(), after].concat();
            let masked = redactor(&[&secret]).mask(&text);
            prop_assert!(!masked.windows(secret.len()).any(|window| window == secret));
        }
    }
}
