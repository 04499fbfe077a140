//! Endpoints that are sound, old, broken or no TLS at all.

use lab::certs::{Authority, LeafOptions};
use lab::output::State;
use lab::plugin::Plugin;
use lab::tls;
use lab::tls_script::{Ending, Foreign, TlsPeer, TlsScript, Version};

use super::{Scene, show_all};

pub(crate) fn play() -> (usize, usize) {
    // ECDHE with AES-GCM first; what comes after it is never seen by a client of today.
    let behind_a_good_one =
        |suites: &[u16]| TlsScript::new().version(Version::Tls12, &[&[0xc02f, 0xc02b], suites].concat());
    let authority = Authority::new("Lab Root CA");
    let leaf = authority.leaf(&LeafOptions::default());
    let folder = tempfile::tempdir().expect("there is room for a temporary folder");
    let ca_file = authority.write_ca(folder.path());
    let good = tls::Service::start(tls::server(&leaf));
    let old = TlsPeer::start(behind_a_good_one(&[0x000a, 0x009c]).version(Version::Tls10, &[0xc013]));
    let bad = TlsPeer::start(TlsScript::weak());
    let deaf = TlsPeer::start(behind_a_good_one(&[0x0005]).longest_hello(255, Ending::Close));
    let limited = TlsPeer::start(TlsScript::good().cut_off(4.., Ending::Reset));
    let ssh = TlsPeer::start(TlsScript::new().not_tls(Foreign::ssh()));
    let at = |port: u16| Plugin::new("check_weak_ciphers").args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let trusting = |check: Plugin| check.arg("--ca-file").arg(&ca_file);
    // The scripted endpoints show certificates that are none.
    let check = |peer: &TlsPeer| at(peer.port()).arg("--no-cert");
    let scenes = [
        Scene::new(
            "A sound server (rustls): nothing weak, proved in eight connections",
            trusting(at(good.port())),
            State::Ok,
        ),
        Scene::new("All that it offers", trusting(at(good.port())).arg("--inventory"), State::Ok),
        Scene::new("TLS 1.0, 3DES and RSA key exchange behind a good suite", check(&old), State::Warning),
        Scene::new(
            "The same, where only RSA key exchange is tolerated and TLS 1.0 is an alarm",
            check(&old).args(["--ignore", "no_forward_secrecy", "--severity", "tls1_0=critical"]),
            State::Critical,
        ),
        Scene::new(
            "Everything that was ever bad: SSLv2, EXPORT, RC4, DH of 512 bit",
            check(&bad),
            State::Critical,
        ),
        Scene::new("RC4 at a server that drops hellos of more than 255 bytes", check(&deaf), State::Critical),
        Scene::new("The server cuts us off: what was not seen is not sound", check(&limited), State::Unknown),
        Scene::new("An SSH server on the port", at(ssh.port()), State::Unknown),
    ];
    show_all("check_weak_ciphers: does this server take anything weak, and was that proved?", &scenes)
}
