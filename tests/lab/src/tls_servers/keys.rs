//! Keys and certificates for the TLS servers: RSA, ECDSA and DSA below one authority, made by
//! openssl because rcgen knows no DSA and makes no RSA keys.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;

use crate::process::{prepared, program, shared_folder};
use crate::tls_script::Auth;

/// A prime of 1024 bits that nobody else uses, PKCS#3: making one takes seconds, or a minute.
pub(super) const DH_1024: &str = "\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAKbh7Xopwmu1BuaW+/wpgOCaHSJoN7Ks2gn1NaVRgQcg3bRlflOhVMrQ
NHgPIM/tgPsHqN3xopT3ujuC/73XMAkFLyYK0dwEeU/xxH8aU3tb43Nt/B8uEvq3
mcFQ0zp+mAF1+EszOF4AAQHM3bMzdpy3FGMECngdnsa4R9E4nqm/AgEC
-----END DH PARAMETERS-----
";

/// ffdhe2048 of RFC 7919, PKCS#3.
pub(super) const DH_2048: &str = "\
-----BEGIN DH PARAMETERS-----
MIIBDAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAgICAQA=
-----END DH PARAMETERS-----
";

/// Parameters of a DSA key, 2048 and 256 bits.
const DSA_2048: &str = "\
-----BEGIN DSA PARAMETERS-----
MIICLAKCAQEAqsxeCx1wtWZdzEWUzUKYtlMD+M4Sac8qOX/i77vkdfqiPKo9H6Dw
hfTolQeMGyEwIO94XwMKh9M4Wj2bkEIzqig7mSlG1f3TeXTW8h/NfUM7Sl/ASq3k
wBT3pgIRMggg3CLtlTjEFJq4YigQWZuFqET7GVU7ewxpW8AgPSHl4wgloNXdGiYh
hOnG0lbMh+xBk9yCdk6fsQ51lcgfLbIKDmF1K6cDWwRABPpv98viJ8wdbVAhDQZb
aV2h5JxmjPnGbFrHcXxuyt/24MxfylK58kuhjueJ7PnOVPwFmX4V55sz4AuJaVsx
U3dL2/+7eAtanTsieuYsHQxsScm8Umne2wIhAKg50Hhc0yUqq+uvYkbaGkJs2aIC
5nyVW8YtynF3PQLPAoIBABZmyDkAiAW9I5K+GzQqu0H31crC4TxAsZygCA4tZjz2
qLCIaHjrTZCs5VdtWc5OWEY+bBSZnYg/HFimqPaKPWusvQb8kTR0ngtmlGqMEJ9o
L8MMlhFCZnW9hiuS7x5mHrL4SH7kfEtCjaUuhGTqZQ5dVMUInydVWEW228qLrNZ0
vwvS9qGH1nEmM+arhICJua4qcHxKwjZnHktGTwi4MY3Yo0hfQq1xVskS6jYFgzea
18sJXuKC64GmabAXB4Z9eIPwPhH8yM/mhb2oLpbjD9q7icHt7pTE2DdStlZpKkaj
Ubaq6WMWJ3DcR+v77/GqiOOI/payASlrmcjU6qcCSVI=
-----END DSA PARAMETERS-----
";

/// A certificate for one name, signed by the authority of its [`Keys`].
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PKCS#8 PEM.
    pub key: PathBuf,
    /// The certificate, DER.
    pub der: Vec<u8>,
}

/// An authority with identities for `tls.test` and `127.0.0.1`, in a temporary folder.
#[derive(Debug)]
pub struct Keys {
    folder: TempDir,
    /// Where the servers take their files from, when it is not the machine's own root.
    root: Option<PathBuf>,
    ca: PathBuf,
    identities: Vec<(Auth, Identity)>,
}

impl Keys {
    /// An authority (P-256) with identities for RSA (2048 bits), ECDSA (P-256) and DSA (2048 bits).
    #[must_use]
    pub fn new() -> Self {
        Self::within(shared_folder(), None)
    }

    /// The same for servers of a newer Debian, which see nothing outside the root that `tests/run` has unpacked.
    #[must_use]
    pub fn newer() -> Self {
        let root = prepared("newer/root");
        let folder = tempfile::tempdir_in(root.join("lab")).expect("tests/run prepares it");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        Self::within(folder, Some(root))
    }

    fn within(folder: TempDir, root: Option<PathBuf>) -> Self {
        let path = |name: &str| folder.path().join(name);
        let dsa = path("dsa-parameters.pem");
        for (file, text) in
            [(path("dh1024.pem"), DH_1024), (path("dh2048.pem"), DH_2048), (dsa.clone(), DSA_2048)]
        {
            fs::write(file, text).expect("the lab's folder is writable");
        }
        let (ca, ca_key) = (path("ca.pem"), path("ca.key"));
        genpkey(&ca_key, &P256);
        let subject =
            ["-subj", "/CN=Lab Root CA", "-days", "3650", "-addext", "keyUsage=keyCertSign,cRLSign"];
        openssl(args(&["req", "-x509"]).chain(args(&subject)).chain(["-key".as_ref(), ca_key.as_ref()]), &ca);
        let parameters = dsa.to_str().expect("an ASCII path");
        let kinds: [(Auth, &str, &[&str]); 3] = [
            (Auth::Rsa, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
            (Auth::Ecdsa, "ec", &P256),
            (Auth::Dsa, "dsa", &["-paramfile", parameters]),
        ];
        let identities =
            kinds.map(|(auth, name, kind)| (auth, identity(&folder.path().join(name), kind, &[], &ca)));
        Self { ca, identities: identities.into(), folder, root }
    }

    /// The identity with this kind of key.
    #[must_use]
    pub fn identity(&self, auth: Auth) -> &Identity {
        let identity = self.identities.iter().find(|(known, _)| *known == auth);
        &identity.expect("there is one of each kind").1
    }

    /// Another identity: the kind of key as for `openssl genpkey`, wishes for the certificate as for
    /// `openssl req` (`-sha1`).
    #[must_use]
    pub fn issue(&self, name: &str, kind: &[&str], wishes: &[&str]) -> Identity {
        identity(&self.folder.path().join(name), kind, wishes, &self.ca)
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca
    }

    /// Diffie-Hellman parameters with a prime of 1024 bits, PEM.
    #[must_use]
    pub fn dh_1024(&self) -> PathBuf {
        self.folder.path().join("dh1024.pem")
    }

    /// Diffie-Hellman parameters with a prime of 2048 bits (ffdhe2048), PEM.
    #[must_use]
    pub fn dh_2048(&self) -> PathBuf {
        self.folder.path().join("dh2048.pem")
    }

    /// The folder, for what a server keeps besides.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path as the servers see it.
    #[must_use]
    pub fn inner(&self, path: &Path) -> PathBuf {
        match &self.root {
            Some(root) => Path::new("/").join(path.strip_prefix(root).expect("made in it")),
            None => path.to_owned(),
        }
    }

    /// A server's program.
    pub(super) fn command(&self, path: &str, package: &str) -> Command {
        match &self.root {
            Some(root) => {
                let mut command = Command::new(program("chroot", "coreutils"));
                command.arg(root).arg(path);
                command
            }
            None => {
                assert!(
                    Path::new(path).is_file(),
                    "{package} is not installed ({path} is missing): tests/run installs it"
                );
                Command::new(path)
            }
        }
    }

    /// A certificate for this key; see [`Keys::issue`].
    pub fn certify(&self, key: &Path, certificate: &Path, wishes: &[&str]) {
        certify(key, certificate, wishes, &self.ca);
    }

    /// The identity as a PKCS#12 file with the password `secret`.
    #[must_use]
    pub fn pkcs12(&self, auth: Auth) -> PathBuf {
        let identity = self.identity(auth);
        let out = identity.key.with_extension("p12");
        let fixed = args(&["pkcs12", "-export", "-passout", "pass:secret", "-inkey"]);
        let files = [identity.key.as_os_str(), "-in".as_ref(), identity.certificate.as_ref()];
        openssl(fixed.chain(files), &out);
        out
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn identity(base: &Path, kind: &[&str], wishes: &[&str], ca: &Path) -> Identity {
    let (certificate, key) = (base.with_extension("pem"), base.with_extension("key"));
    genpkey(&key, kind);
    certify(&key, &certificate, wishes, ca);
    let der = der(&fs::read_to_string(&certificate).expect("openssl wrote it"));
    Identity { certificate, key, der }
}

fn certify(key: &Path, certificate: &Path, wishes: &[&str], ca: &Path) {
    let subject = [
        "req",
        "-x509",
        "-subj",
        "/CN=tls.test",
        "-days",
        "90",
        "-addext",
        "subjectAltName=DNS:tls.test,IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let ca_key = ca.with_extension("key");
    let files =
        ["-CA".as_ref(), ca.as_os_str(), "-CAkey".as_ref(), ca_key.as_ref(), "-key".as_ref(), key.as_ref()];
    openssl(args(&subject).chain(args(wishes)).chain(files), certificate);
}

fn genpkey(key: &Path, kind: &[&str]) {
    openssl(args(&["genpkey"]).chain(args(kind)), key);
}

/// Runs openssl, which writes to `out`.
fn openssl<'a>(arguments: impl Iterator<Item = &'a OsStr>, out: &Path) {
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(arguments).arg("-out").arg(out);
    let output = command.output().expect("openssl can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn args<'a>(words: &'a [&'a str]) -> impl Iterator<Item = &'a OsStr> {
    words.iter().map(OsStr::new)
}

/// The first PEM block.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let text: String = lines.take_while(|line| !line.starts_with("-----")).collect();
    BASE64.decode(text).expect("PEM is Base64")
}
