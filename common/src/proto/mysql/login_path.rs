//! Login path files (`.mylogin.cnf`) as `mysql_config_editor` writes them: an option file,
//! each line encrypted with AES-128-ECB under a key that stands in front. That hides the
//! passwords from a glance, not from a reader.
//!
//! ```text
//! 4 bytes unused, 20 bytes of key, then for each line: i32 LE length, ciphertext (PKCS#7)
//! ```

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};
use zeroize::Zeroizing;

/// Why a login path file was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginPathError {
    /// Not even its key.
    #[error("it ends before its key does")]
    Short,
    /// A length that no line can have.
    #[error("a line in it has no valid length")]
    Length,
    /// A line that does not decrypt.
    #[error("a line in it does not decrypt")]
    Padding,
    /// What decrypts is not text.
    #[error("a line in it is not UTF-8")]
    Text,
}

const UNUSED: usize = 4;
const KEY: usize = 20;
const BLOCK: usize = 16;
/// `mysql_config_editor` itself allows 4096 bytes.
const LONGEST_LINE: usize = 65_536;

/// The option file inside.
pub fn decrypt(bytes: &[u8]) -> Result<Zeroizing<String>, LoginPathError> {
    let (key, mut rest) =
        bytes.get(UNUSED..).and_then(|rest| rest.split_at_checked(KEY)).ok_or(LoginPathError::Short)?;
    let cipher = Aes128::new(&folded(key).into());
    // Never longer than its ciphertext, so it does not grow and leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(LoginPathError::Length)?;
        let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| LoginPathError::Length)?;
        if length == 0 || length % BLOCK != 0 || length > LONGEST_LINE {
            return Err(LoginPathError::Length);
        }
        let (line, after) = after.split_at_checked(length).ok_or(LoginPathError::Length)?;
        let plain = decrypt_line(&cipher, line)?;
        text.push_str(std::str::from_utf8(&plain).map_err(|_| LoginPathError::Text)?);
        rest = after;
    }
    Ok(text)
}

/// The 20 bytes folded into the 16 that AES takes, as MySQL's my_aes does.
fn folded(key: &[u8]) -> [u8; BLOCK] {
    let mut folded = [0; BLOCK];
    for chunk in key.chunks(BLOCK) {
        for (to, from) in folded.iter_mut().zip(chunk) {
            *to ^= from;
        }
    }
    folded
}

fn decrypt_line(cipher: &Aes128, line: &[u8]) -> Result<Zeroizing<Vec<u8>>, LoginPathError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(line.len()));
    for block in line.chunks_exact(BLOCK) {
        let mut block = Array::try_from(block).map_err(|_| LoginPathError::Length)?;
        cipher.decrypt_block(&mut block);
        plain.extend_from_slice(&block);
    }
    let padding = plain.last().copied().unwrap_or_default();
    let kept = plain.len().checked_sub(usize::from(padding)).ok_or(LoginPathError::Padding)?;
    let filler = plain.get(kept..).unwrap_or_default();
    if !(1..=BLOCK).contains(&usize::from(padding)) || filler.iter().any(|byte| *byte != padding) {
        return Err(LoginPathError::Padding);
    }
    plain.truncate(kept);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::BlockCipherEncrypt;
    use proptest::prelude::*;

    fn encrypted(key: [u8; KEY], lines: &[&str]) -> Vec<u8> {
        let cipher = Aes128::new(&folded(&key).into());
        let mut file = [&[0; UNUSED][..], &key[..]].concat();
        for line in lines {
            let padding = BLOCK - line.len() % BLOCK;
            let padded = [line.as_bytes(), &vec![u8::try_from(padding).unwrap(); padding]].concat();
            file.extend(i32::try_from(padded.len()).unwrap().to_le_bytes());
            for block in padded.chunks_exact(BLOCK) {
                let mut block = Array::try_from(block).unwrap();
                cipher.encrypt_block(&mut block);
                file.extend_from_slice(&block);
            }
        }
        file
    }

    #[test]
    fn broken_files_are_named() {
        assert_eq!(decrypt(b"\0\0\0\0short").unwrap_err(), LoginPathError::Short);
        let good = encrypted([7; KEY], &["[client]\n"]);
        assert_eq!(decrypt(&good[..good.len() - 1]).unwrap_err(), LoginPathError::Length);
        assert_eq!(decrypt(&[&good[..], &[1]].concat()).unwrap_err(), LoginPathError::Length);
        assert_eq!(decrypt(&[&good[..24], &[0xff; 20]].concat()).unwrap_err(), LoginPathError::Length);
        let mut other_key = good.clone();
        other_key[UNUSED] ^= 1;
        assert!(decrypt(&other_key).is_err());
        assert_eq!(decrypt(&good[..24]).unwrap().as_str(), "");
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back(key in any::<[u8; KEY]>(), lines in prop::collection::vec("[ -~]{0,60}\n", 0..6)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let file = encrypted(key, &lines);
            let text = decrypt(&file).unwrap();
            prop_assert_eq!(text.as_str(), lines.concat());
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decrypt(&bytes);
        }
    }
}
