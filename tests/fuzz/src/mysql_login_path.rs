//! Login path files: any bytes give the text inside or one reason, and never more text than
//! there were bytes; whole lines in front of a broken one are not given out.

use common::proto::mysql::login_path::decrypt;

/// The target.
pub fn run(data: &[u8]) {
    match decrypt(data) {
        Ok(text) => {
            assert!(text.len() <= data.len().saturating_sub(24));
            // What follows whole lines makes the file a broken one.
            assert!(decrypt(&[data, &[1]].concat()).is_err());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
