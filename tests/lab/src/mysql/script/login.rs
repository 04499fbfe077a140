//! The login of a scripted server, with both plugins, and by every way through `caching_sha2_password`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Conversation;
use super::answer::{self, OK};
use crate::mysql::auth::{self, CACHING_SHA2, NATIVE};
use crate::mysql::packet::{self, Reader};
use crate::process::{program, shared_folder};

/// How the server wants to be shown the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// `mysql_native_password`.
    #[default]
    Native,
    /// `caching_sha2_password`, by a server that has seen the password lately.
    Fast,
    /// `caching_sha2_password`, by one that has not: it wants the password itself, over TLS or under its RSA key.
    Full,
}

impl Login {
    pub(crate) fn plugin(self) -> &'static str {
        if self == Self::Native { NATIVE } else { CACHING_SHA2 }
    }
}

/// The pair of keys for a password that comes without TLS.
#[derive(Debug)]
pub struct RsaKey {
    folder: TempDir,
}

impl RsaKey {
    /// Makes one.
    #[must_use]
    pub fn new() -> Self {
        let key = Self { folder: shared_folder() };
        openssl(&["genrsa", "-out", &key.path("private.pem"), "2048"]);
        openssl(&["rsa", "-in", &key.path("private.pem"), "-pubout", "-out", &key.path("public.pem")]);
        key
    }

    /// The public key, PEM.
    #[must_use]
    pub fn public_file(&self) -> PathBuf {
        self.path("public.pem").into()
    }

    fn decrypted(&self, secret: &[u8]) -> Vec<u8> {
        let files = ["secret", "plain"].map(|name| self.path(name));
        fs::write(&files[0], secret).expect("the lab's folder is writable");
        let key = self.path("private.pem");
        openssl(&[
            "pkeyutl",
            "-decrypt",
            "-pkeyopt",
            "rsa_padding_mode:oaep",
            "-inkey",
            &key,
            "-in",
            &files[0],
            "-out",
            &files[1],
        ]);
        fs::read(&files[1]).expect("openssl wrote it")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Default for RsaKey {
    fn default() -> Self {
        Self::new()
    }
}

fn openssl(arguments: &[&str]) {
    let output = Command::new(program("openssl", "openssl")).args(arguments).output();
    let output = output.expect("openssl can be started");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The client's first packet after the greeting.
struct Response {
    user: String,
    proof: Vec<u8>,
    plugin: String,
}

const CLIENT_CONNECT_WITH_DB: u64 = 8;
pub(crate) const CLIENT_SSL: u64 = 0x800;

impl Response {
    fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let capabilities = reader.fixed(4)?;
        reader.take(28)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let user = text(reader.until_zero());
        let proof = reader.string()?.to_vec();
        if capabilities & CLIENT_CONNECT_WITH_DB != 0 {
            reader.until_zero();
        }
        let plugin = text(reader.until_zero());
        Some(Self { user, proof, plugin })
    }
}

/// Greets and lets the client in, or not: `Ok(false)` when it has been told to go.
pub(crate) fn admit(talk: &mut Conversation<'_>) -> io::Result<bool> {
    let script = talk.script;
    let greeting = greeting(talk);
    talk.packet(&greeting)?;
    let mut payload = talk.read()?;
    if let Some(config) = script.tls.as_ref().filter(|_| asks_for_tls(&payload)) {
        talk.start_tls(config)?;
        payload = talk.read()?;
    }
    let Some(mut response) = Response::parse(&payload) else {
        return refuse(talk, 1043, "Bad handshake");
    };
    talk.note_login(&response.user);
    if let Some(answer) = &script.instead_of_login {
        talk.answer(answer)?;
        return Ok(false);
    }
    let plugin = script.login.plugin();
    if response.plugin != plugin {
        let request = [&[0xfe], plugin.as_bytes(), &[0], &talk.salt[..], &[0]].concat();
        talk.packet(&request)?;
        response.proof = talk.read()?;
    }
    let accounts = &script.accounts;
    let password = accounts.iter().find(|(user, _)| *user == response.user).map(|(_, password)| password);
    let expected = password.and_then(|password| auth::scramble(plugin, password, &talk.salt));
    let mut is_good = expected.is_some_and(|expected| expected == response.proof);
    match script.login {
        Login::Fast if is_good && !response.proof.is_empty() => talk.packet(&[1, 3])?,
        Login::Native | Login::Fast => {}
        Login::Full => {
            talk.packet(&[1, 4])?;
            let shown = shown_password(talk)?;
            is_good = password.is_some_and(|password| *password == shown);
        }
    }
    if is_good {
        talk.packet(&OK)?;
        return Ok(true);
    }
    let text = format!("Access denied for user '{}'@'localhost' (using password: YES)", response.user);
    refuse(talk, 1045, &text)
}

fn refuse(talk: &mut Conversation<'_>, number: u16, text: &str) -> io::Result<bool> {
    talk.packet(&answer::error(number, text))?;
    Ok(false)
}

/// The password itself, which a client shows over TLS, or encrypted when it has the key.
fn shown_password(talk: &mut Conversation<'_>) -> io::Result<String> {
    let mut shown = talk.read()?;
    if shown == [2] {
        talk.note_key_request();
        let file = talk.script.key.as_ref().map(|key| key.public_file());
        let key = file.map(fs::read).transpose()?.unwrap_or_default();
        talk.packet(&[&[1], &key[..]].concat())?;
        shown = talk.read()?;
    }
    let is_encrypted = !talk.is_tls() && shown.len() == 256;
    if let Some(key) = talk.script.key.as_ref().filter(|_| is_encrypted) {
        shown = auth::xor(&key.decrypted(&shown), &talk.salt);
    }
    let shown = shown.strip_suffix(&[0]).unwrap_or(&shown);
    Ok(String::from_utf8_lossy(shown).into_owned())
}

/// The first packet of TLS has the capabilities and nothing else.
fn asks_for_tls(payload: &[u8]) -> bool {
    payload.len() == 32 && Reader::new(payload).fixed(4).is_some_and(|flags| flags & CLIENT_SSL != 0)
}

/// Protocol 10.
fn greeting(talk: &Conversation<'_>) -> Vec<u8> {
    // LONG_PASSWORD, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
    let mut capabilities = 0x1 | 0x4 | CLIENT_CONNECT_WITH_DB | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
    if talk.script.tls.is_some() {
        capabilities |= CLIENT_SSL;
    }
    let flags = capabilities.to_le_bytes();
    let mut payload = vec![10];
    payload.extend_from_slice(talk.script.version.as_bytes());
    payload.push(0);
    payload.extend(u32::try_from(talk.number).unwrap_or(u32::MAX).to_le_bytes());
    payload.extend_from_slice(&talk.salt[..8]);
    payload.extend([0, flags[0], flags[1], 45, 2, 0, flags[2], flags[3], 21]);
    payload.extend([0; 10]);
    payload.extend_from_slice(&talk.salt[8..]);
    payload.push(0);
    payload.extend_from_slice(talk.script.greeted_plugin.unwrap_or(talk.script.login.plugin()).as_bytes());
    payload.push(0);
    payload
}

/// What [`greeting`] is framed as, for hostile variations of it.
pub(crate) fn plain_greeting() -> Vec<u8> {
    let mut payload = b"\x0a8.0.46\0\x07\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\xc7\x15".to_vec();
    payload.extend([0; 10]);
    payload.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    packet::framed(0, &payload)
}
