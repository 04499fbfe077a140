//! Files that hold a secret: read once, and refused when others can read them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::{ProbeError, cause};
pub use crate::proto::SecretBytes;

/// More than any password, token or key; a file this long is the wrong file.
const LONGEST: usize = 65_536;

/// Reads a secret file whole.
///
/// Refused: others may read or write it, or its group may write it (mode & 0027 but for
/// group read). `0640 root:nagios` is what packages and operators use.
pub fn read_secret_file(path: &Path) -> Result<SecretBytes, ProbeError> {
    let shown = path.display();
    let fail = |error: &std::io::Error| ProbeError::local(format!("cannot read {shown}: {}", cause(error)));
    // A named pipe may keep us waiting for its writer; the watchdog bounds that.
    let file = File::open(path).map_err(|error| fail(&error))?;
    let metadata = file.metadata().map_err(|error| fail(&error))?;
    if metadata.is_dir() {
        return Err(ProbeError::local(format!("cannot read {shown}: it is a directory")));
    }
    let mode = metadata.mode() & 0o777;
    if metadata.is_file() && mode & 0o027 != 0 {
        let text = format!("{shown} is too open (mode {mode:04o}): others could read or change the secret");
        return Err(ProbeError::local(text).with_hint(format!("chmod g-w,o= {shown}")));
    }
    // A regular file says how long it is; a pipe does not.
    let expected =
        if metadata.is_file() { usize::try_from(metadata.len()).unwrap_or(LONGEST) } else { LONGEST };
    read_all(file, expected, &shown.to_string())
}

/// The first line of a secret, without its end; an empty one is an error, because a
/// login with no password proves nothing.
pub fn read_first_line(bytes: &[u8], source: &str) -> Result<SecretBytes, ProbeError> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(ProbeError::local(format!("{source} holds no password: its first line is empty")));
    }
    if line.contains(&0) {
        return Err(ProbeError::local(format!("{source} holds a NUL byte, which no mechanism can send")));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

/// Reads at most one byte more than the limit, into a buffer that does not grow (unless
/// the file does meanwhile) and so leaves no copy behind.
fn read_all(file: File, expected: usize, shown: &str) -> Result<SecretBytes, ProbeError> {
    // Room to see the end without growing: std asks for 32 bytes more.
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(LONGEST) + 64));
    file.take(LONGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| ProbeError::local(format!("cannot read {shown}: {}", cause(&error))))?;
    if bytes.len() > LONGEST {
        return Err(ProbeError::local(format!("cannot read {shown}: longer than {LONGEST} bytes")));
    }
    Ok(bytes)
}

/// Reads a secret from a descriptor that the caller opened and inherited to us.
pub fn read_secret_descriptor(number: u16) -> Result<SecretBytes, ProbeError> {
    let shown = format!("file descriptor {number}");
    // Opened by name, so that no descriptor number has to be trusted.
    let file = File::open(format!("/dev/fd/{number}"))
        .map_err(|_| ProbeError::local(format!("{shown} is not open")))?;
    read_all(file, LONGEST, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    struct Temporary(std::path::PathBuf);

    impl Temporary {
        fn new(name: &str, content: &[u8], mode: u32) -> Self {
            let path = std::env::temp_dir().join(format!("vedette-secret-{}-{name}", std::process::id()));
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn open_files_are_refused_with_the_mending_command() {
        for (mode, good) in [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o440, true),
            (0o644, false),
            (0o660, false),
            (0o604, false),
            (0o602, false),
            (0o601, false),
        ] {
            let file = Temporary::new(&format!("{mode:o}"), b"secret\n", mode);
            match read_secret_file(&file.0) {
                Ok(bytes) => assert!(good && bytes.as_slice() == b"secret\n", "{mode:o}"),
                Err(error) => {
                    assert!(!good, "{mode:o}: {error}");
                    assert!(error.hint.unwrap().starts_with("chmod "));
                    assert!(!error.text.contains("secret\n"));
                }
            }
        }
    }

    #[test]
    fn missing_directory_and_endless_files_are_errors() {
        assert!(read_secret_file(Path::new("/nonexistent/file")).unwrap_err().text.contains("No such file"));
        assert!(read_secret_file(&std::env::temp_dir()).unwrap_err().text.contains("directory"));
        assert!(read_secret_file(Path::new("/dev/zero")).unwrap_err().text.contains("longer than"));
    }

    #[test]
    fn the_first_line_counts() {
        assert_eq!(read_first_line(b"a b\r\nsecond", "x").unwrap().as_slice(), b"a b");
        assert_eq!(read_first_line(b"last", "x").unwrap().as_slice(), b"last");
        assert!(read_first_line(b"\nsecond", "x").is_err());
        assert!(read_first_line(b"", "x").is_err());
        assert!(read_first_line(b"a\0b", "x").is_err());
    }
}
