//! A client of TLS 1.0 to 1.2 that proves nothing and trusts nobody: it takes any certificate and any signature, for all it
//! wants is to get to where a fault shows. What it says in between is worth nothing to anybody who reads it.

use std::io::{Read, Write};

use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use ring::rand::SystemRandom;

use common::net::tls::RsaKey;

use super::keys::{Keys, Randoms, Spec};
use super::power::{Modulus, stripped};
use super::rsa::{PREMASTER, Padding, PublicKey};
use crate::scan::connection::{Ending, Outcome};
use crate::suites::{KeyExchange, Suite};
use crate::version::Version;
use crate::wire::bytes::{put8, put16, put24};
use crate::wire::reader::{Event, NotTls, Reader};
use crate::wire::server::{
    CERTIFICATE, SERVER_HELLO, SERVER_HELLO_DONE, SERVER_KEY_EXCHANGE, ServerHello, Share, certificates,
};

// Types of records (RFC 5246 section 6.2.1, RFC 6520 section 3).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
pub(super) const HEARTBEAT: u8 = 24;

// Types of messages (RFC 5246 section 7.4).
pub(super) const HELLO_REQUEST: u8 = 0;
const CERTIFICATE_REQUEST: u8 = 13;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const FINISHED: u8 = 20;

/// Groups in which a key can be agreed on here.
pub(super) const GROUPS: [u16; 3] = [29, 23, 24];

/// A connection and what was read ahead of it.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    reader: Reader,
    /// On the wire.
    version: u16,
}

impl<S: Read + Write> Wire<S> {
    pub(super) fn new(stream: S, version: u16) -> Self {
        Self { stream, reader: Reader::default(), version }
    }

    /// A record in the clear, or already encrypted. Whether the server still listens shows at the next reading, which
    /// may yet bring what it said before it closed.
    pub(super) fn send(&mut self, kind: u8, fragment: &[u8]) {
        let record = self.record_of(kind, fragment);
        let _ = self.stream.write_all(&record);
    }

    /// Several at once.
    pub(super) fn send_all(&mut self, records: &[(u8, Vec<u8>)]) {
        let bytes: Vec<u8> =
            records.iter().flat_map(|(kind, fragment)| self.record_of(*kind, fragment)).collect();
        let _ = self.stream.write_all(&bytes);
    }

    fn record_of(&self, kind: u8, fragment: &[u8]) -> Vec<u8> {
        let mut record = vec![kind];
        record.extend(self.version.to_be_bytes());
        put16(&mut record, fragment);
        record
    }

    /// The next message or alert in the clear.
    fn event(&mut self) -> Result<Event, Outcome> {
        loop {
            if let Some(event) = self.reader.next()? {
                return Ok(event);
            }
            self.fill()?;
        }
    }

    /// The next record, encrypted or not.
    pub(super) fn receive(&mut self) -> Result<(u8, Vec<u8>), Outcome> {
        loop {
            if let Some(record) = self.reader.record()? {
                return Ok(record);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Outcome> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Outcome::Ended(Ending::Closed)),
            Ok(count) => self.reader.push(buffer.get(..count).unwrap_or_default()).map_err(NotTls::into),
            Err(error) => Err(Outcome::from_io(error.kind())),
        }
    }
}

/// What the server said up to ServerHelloDone.
#[derive(Debug)]
pub(super) struct ServerFlight {
    pub(super) hello: ServerHello,
    pub(super) chain: Vec<Vec<u8>>,
    key_exchange: Option<Vec<u8>>,
    pub(super) wants_certificate: bool,
}

/// A handshake up to ServerHelloDone.
#[derive(Debug)]
pub(super) struct Handshake<S> {
    pub(super) wire: Wire<S>,
    pub(super) server: ServerFlight,
    pub(super) randoms: Randoms,
    /// All messages so far.
    transcript: Vec<u8>,
}

impl<S: Read + Write> Handshake<S> {
    /// Reads what a server answers to a hello (the handshake message).
    pub(super) fn begin(mut wire: Wire<S>, hello: &[u8], client: [u8; 32]) -> Result<Self, Outcome> {
        let mut transcript = hello.to_vec();
        let mut shown: Option<ServerFlight> = None;
        loop {
            let (kind, body) = match wire.event()? {
                Event::Alert(alert) if !alert.fatal && alert.description != 0 => continue,
                Event::Alert(alert) => return Err(Outcome::Refused(Some(alert))),
                Event::Other(_) => return Err(Outcome::Violation("a record that belongs to no handshake")),
                Event::Handshake(kind, body) => (kind, body),
            };
            transcript.extend(message(kind, &body));
            match (kind, &mut shown) {
                (SERVER_HELLO, None) => {
                    let hello = ServerHello::read(&body)
                        .ok_or(Outcome::Violation("a ServerHello that cannot be read"))?;
                    shown = Some(ServerFlight {
                        hello,
                        chain: Vec::new(),
                        key_exchange: None,
                        wants_certificate: false,
                    });
                }
                (_, None) => return Err(Outcome::Violation("a message before the ServerHello")),
                (CERTIFICATE, Some(server)) => server.chain = certificates(&body).unwrap_or_default(),
                (SERVER_KEY_EXCHANGE, Some(server)) => server.key_exchange = Some(body),
                (CERTIFICATE_REQUEST, Some(server)) => server.wants_certificate = true,
                (SERVER_HELLO_DONE, Some(_)) => break,
                (_, Some(_)) => {}
            }
        }
        let server = shown.ok_or(Outcome::Violation("a message before the ServerHello"))?;
        let randoms = Randoms { client, server: server.hello.random };
        Ok(Self { wire, server, randoms, transcript })
    }

    /// An empty list of certificates, where the server asks for some.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        self.server.wants_certificate.then(|| message(CERTIFICATE, &[0, 0, 0]))
    }

    /// What the client has to say next: an empty list of certificates if it was asked for some, and its half of the
    /// key exchange; and the premaster secret. `None` for what cannot be calculated here.
    pub(super) fn key_exchange(&self, offered: Version) -> Option<(Vec<Vec<u8>>, Vec<u8>)> {
        let suite = Suite::by_code(self.server.hello.suite)?;
        let (body, premaster) = match suite.kx {
            KeyExchange::Rsa => {
                let key = PublicKey::of(&RsaKey::of(self.server.chain.first()?)?)?;
                let mut premaster = [0; PREMASTER];
                getrandom::fill(&mut premaster).ok()?;
                let [high, low] = offered.code().to_be_bytes();
                (premaster[0], premaster[1]) = (high, low);
                let mut body = Vec::new();
                put16(&mut body, &key.encrypt(Padding::Right, &premaster, &mut random_bytes()?));
                (body, premaster.to_vec())
            }
            kx => agree(Share::read(kx, self.server.key_exchange.as_deref()?)?)?,
        };
        let mut messages: Vec<Vec<u8>> = self.certificate().into_iter().collect();
        messages.push(message(CLIENT_KEY_EXCHANGE, &body));
        Some((messages, premaster))
    }

    /// The Finished of a client with this master secret, after these messages of its own, and what is checked in it.
    pub(super) fn finished(&self, spec: Spec, master: &[u8], messages: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let transcript = [&self.transcript[..], &messages.concat()].concat();
        let verify = spec.hash().prf(master, "client finished", &spec.hash().of(&transcript), VERIFY);
        (message(FINISHED, &verify), verify)
    }

    /// Completes the handshake.
    pub(super) fn complete(mut self, spec: Spec) -> Result<Session<S>, Outcome> {
        const UNUSABLE: Outcome = Outcome::Violation("a key exchange that cannot be completed");
        let (messages, premaster) = self.key_exchange(spec.version).ok_or(UNUSABLE)?;
        let master = self.randoms.master(spec.hash(), &premaster);
        let (mut client, mut server) = spec.keys(&master, &self.randoms).ok_or(UNUSABLE)?;
        let (finished, client_verify) = self.finished(spec, &master, &messages);
        let sealed = client.seal(HANDSHAKE, &finished).ok_or(UNUSABLE)?;
        let mut records: Vec<(u8, Vec<u8>)> =
            messages.iter().map(|message| (HANDSHAKE, message.clone())).collect();
        records.extend([(CHANGE_CIPHER_SPEC, vec![1]), (HANDSHAKE, sealed)]);
        self.wire.send_all(&records);
        self.transcript.extend(messages.concat());
        self.transcript.extend(finished);

        self.await_change()?;
        let (kind, fragment) = self.wire.receive()?;
        let said = server.open(kind, &fragment).ok_or(Outcome::Violation("a Finished under other keys"))?;
        let verify = spec.hash().prf(&master, "server finished", &spec.hash().of(&self.transcript), VERIFY);
        if kind != HANDSHAKE || said != message(FINISHED, &verify) {
            return Err(Outcome::Violation("a Finished of another handshake"));
        }
        Ok(Session { wire: self.wire, client, server, verify: client_verify })
    }

    /// Reads up to the server's ChangeCipherSpec.
    pub(super) fn await_change(&mut self) -> Result<(), Outcome> {
        loop {
            match self.wire.event()? {
                Event::Alert(alert) if !alert.fatal && alert.description != 0 => {}
                Event::Alert(alert) => return Err(Outcome::Refused(Some(alert))),
                Event::Other(CHANGE_CIPHER_SPEC) => return Ok(()),
                Event::Other(_) => return Err(Outcome::Violation("a record that belongs to no handshake")),
                Event::Handshake(kind, body) => self.transcript.extend(message(kind, &body)),
            }
        }
    }
}

/// A connection with keys on both sides.
#[derive(Debug)]
pub(super) struct Session<S> {
    pub(super) wire: Wire<S>,
    client: Keys,
    server: Keys,
    /// What the client's Finished had, which a second handshake refers to (RFC 5746 section 3.5).
    pub(super) verify: Vec<u8>,
}

impl<S: Read + Write> Session<S> {
    /// One whose handshake was somewhere else.
    pub(super) fn new(wire: Wire<S>, client: Keys, server: Keys) -> Self {
        Self { wire, client, server, verify: Vec::new() }
    }

    /// Encrypts and sends.
    pub(super) fn send(&mut self, kind: u8, plain: &[u8]) {
        if let Some(fragment) = self.client.seal(kind, plain) {
            self.wire.send(kind, &fragment);
        }
    }

    /// The next record, decrypted.
    pub(super) fn receive(&mut self) -> Result<(u8, Vec<u8>), Outcome> {
        let (kind, fragment) = self.wire.receive()?;
        let plain = self.server.open(kind, &fragment);
        plain.map(|plain| (kind, plain)).ok_or(Outcome::Violation("a record that cannot be decrypted"))
    }
}

/// Bytes of a Finished (RFC 5246 section 7.4.9).
const VERIFY: usize = 12;

/// A handshake message with its header.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    put24(&mut message, body);
    message
}

/// Body of the ClientKeyExchange, and the secret that follows from both halves.
fn agree(share: Share<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut body = Vec::new();
    match share {
        Share::Ecdhe { group, public } => {
            let algorithm = curve(group)?;
            let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).ok()?;
            put8(&mut body, private.compute_public_key().ok()?.as_ref());
            let peer = UnparsedPublicKey::new(algorithm, public);
            let secret = agree_ephemeral(private, &peer, <[u8]>::to_vec).ok()?;
            Some((body, secret))
        }
        Share::Dhe { prime, generator, public } => {
            if [prime, generator, public].iter().any(|number| number.len() > MAX_PRIME) {
                return None;
            }
            let modulus = Modulus::new(prime)?;
            let mut private = [0; 32];
            getrandom::fill(&mut private).ok()?;
            put16(&mut body, &modulus.power(generator, &private));
            // RFC 5246 section 8.1.2: without the zeros in front.
            Some((body, stripped(&modulus.power(public, &private)).to_vec()))
        }
    }
}

/// A longer prime costs seconds of calculation.
const MAX_PRIME: usize = 8192 / 8;

fn curve(group: u16) -> Option<&'static Algorithm> {
    match group {
        29 => Some(&X25519),
        23 => Some(&ECDH_P256),
        24 => Some(&ECDH_P384),
        _ => None,
    }
}

/// Bytes for a padding.
pub(super) fn random_bytes() -> Option<impl FnMut() -> u8> {
    let mut pool = vec![0; 16_384 / 8];
    getrandom::fill(&mut pool).ok()?;
    let mut bytes = pool.into_iter().cycle();
    Some(move || bytes.next().unwrap_or(1))
}
