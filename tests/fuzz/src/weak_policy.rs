//! Policies of check_weak_ciphers in files of the user: whatever is wrong is told with a line of the file.
//!
//! Input: the file.

use check_weak_ciphers::fuzz::policy;

/// The target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = policy(text);
    assert_eq!(read, policy(text));
    match &read {
        Ok(line) => {
            // A comment at the end changes nothing, and neither do the line breaks of another system.
            assert_eq!(policy(&format!("{text}\n# end")).as_ref(), Ok(line));
            if !text.contains('\r') {
                assert_eq!(policy(&text.replace('\n', "\r\n")).as_ref(), Ok(line));
            }
            // What is there once cannot be there twice.
            if text.contains("dh_min") {
                assert!(policy(&format!("dh_min = 2048\n{text}\ndh_min = 2048\n")).is_err());
            }
        }
        Err(message) => {
            let (line, what) = message.split_once(": ").expect("a line and a message");
            let line: usize = line.parse().expect("the number of a line");
            assert!((1..=text.matches('\n').count() + 1).contains(&line), "{message}");
            assert!(!what.is_empty());
        }
    }
}
