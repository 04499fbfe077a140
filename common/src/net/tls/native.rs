//! The native back-end: the system's OpenSSL, with the system's policy and certificates
//! (docs/adr/0012).
//!
//! OpenSSL is the judge here: its verdict on chain, name and dates is taken down in the verify
//! callback, and the handshake goes on, so that a bad certificate is data as with rustls. What
//! `openssl.cnf` demands (security level, suites, lowest version) stays; only `--tls-min 1.0`
//! and `1.1` go below it.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    self, Ssl, SslCipherRef, SslContext, SslContextBuilder, SslMethod, SslOptions, SslRef, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::stack::StackRef;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509, X509VerifyResult};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::builtin::alert_name;
use super::certificate::CertificateSeen;
use super::recorder::FirstBytes;
use super::verify::{self, Anchors};
use super::{
    HandshakeFailure, Library, MinimumVersion, TlsOptions, TlsSeen, TlsSession, TlsStream, Trust,
    handshake_failed, read_certificates, read_key,
};
use crate::net::error::ProbeError;
use crate::net::phase::Phase;
use crate::net::tcp::TimedStream;
#[cfg(feature = "sasl")]
use crate::proto::sasl::ChannelBinding;

/// Everything a handshake needs, read and checked before anything is sent.
#[derive(Debug)]
pub(super) struct Connector {
    context: SslContext,
    server_name: ServerName<'static>,
    trust: Trust,
    /// The security level was lowered.
    lowered: bool,
}

impl Connector {
    pub(super) fn new(options: &TlsOptions, server_name: ServerName<'static>) -> Result<Self, ProbeError> {
        let mut builder =
            SslContextBuilder::new(SslMethod::tls_client()).map_err(|error| unusable(&error))?;
        set_policy(&mut builder, options.minimum).map_err(|error| unusable(&error))?;
        match &options.trust {
            Trust::Anyone => {}
            // OpenSSL's own places: policies put their certificates there.
            Trust::System => builder.set_default_verify_paths().map_err(|error| unusable(&error))?,
            Trust::CaFile(path) => {
                builder.set_verify_cert_store(ca_store(path)?).map_err(|error| unusable(&error))?;
                // A certificate that was itself handed to us as trusted needs no path.
                let flags = X509VerifyFlags::PARTIAL_CHAIN;
                builder.verify_param_mut().set_flags(flags).map_err(|error| unusable(&error))?;
            }
        }
        if let Some((certificate, key)) = &options.client {
            set_client(&mut builder, certificate, key)?;
        }
        let lowered = options.minimum < MinimumVersion::Tls12;
        Ok(Self { context: builder.build(), server_name, trust: options.trust.clone(), lowered })
    }

    /// A session of its own, with the name to send and to expect.
    fn session(&self, faults: &Faults) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        match &self.server_name {
            ServerName::IpAddress(address) => ssl.param_mut().set_ip((*address).into())?,
            name => {
                // RFC 6066 section 3: names only, never addresses.
                ssl.set_hostname(&name.to_str())?;
                ssl.param_mut().set_host(&name.to_str())?;
            }
        }
        // The common name does not count (RFC 6125 section 6.4.4).
        let flags = X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT;
        ssl.param_mut().set_hostflags(flags);
        if self.trust == Trust::Anyone {
            ssl.set_verify(SslVerifyMode::NONE);
        } else {
            let faults = Arc::clone(faults);
            ssl.set_verify_callback(SslVerifyMode::PEER, move |good, context| {
                // An error that cannot be taken down ends the handshake.
                faults.lock().is_ok_and(|mut faults| {
                    faults.get_or_insert_default().extend((!good).then(|| context.error()));
                    true
                })
            });
        }
        Ok(ssl)
    }

    /// The facts of the chain and OpenSSL's verdict on it.
    fn judge(&self, ssl: &SslRef, faults: &Faults) -> Result<TlsSeen, ProbeError> {
        let chain = ssl.peer_cert_chain().map(certificates).unwrap_or_default();
        let now = UnixTime::now();
        if self.trust == Trust::Anyone {
            return Ok(verify::facts(chain.clone(), &chain, Some(&self.server_name), now));
        }
        let faults = faults.lock().map(|faults| faults.clone()).unwrap_or_default();
        let chain_problem = match &faults {
            Some(faults) => faults.iter().find_map(|fault| self.chain_words(*fault)),
            None => Some("certificate chain was not judged".to_owned()),
        };
        let faults = faults.unwrap_or_default();
        if self.trust == Trust::System && chain_problem.is_some() {
            // A system without any CA certificate is our trouble, not the peer's.
            Anchors::from_system()?;
        }
        let is_other = faults.iter().any(|fault| NAME.contains(&fault.as_raw()));
        let name_problem = is_other.then(|| verify::name_words(chain.first(), &self.server_name));
        // The whole path must last, the root included: OpenSSL refuses it on that day.
        let path = ssl.verified_chain().filter(|_| chain_problem.is_none()).map(certificates);
        let relevant = path.unwrap_or_else(|| chain.clone());
        let facts = verify::facts(chain, &relevant, Some(&self.server_name), now);
        // A date that only OpenSSL finds wrong, as in a certificate we cannot read.
        let date = faults.iter().find(|fault| facts.dates_valid && DATES.contains(&fault.as_raw()));
        let chain_problem = chain_problem.or(date.map(|fault| format!("{}: {fault}", verify::NO_PATH)));
        Ok(TlsSeen { judged: true, chain_problem, name_problem, ..facts })
    }

    /// What a fault says about the chain; `None` for name and dates, which are judged apart.
    fn chain_words(&self, fault: X509VerifyResult) -> Option<String> {
        let code = fault.as_raw();
        if NAME.contains(&code) || DATES.contains(&code) {
            return None;
        }
        let source = match &self.trust {
            Trust::CaFile(path) => path.display().to_string(),
            Trust::System | Trust::Anyone => verify::SYSTEM.to_owned(),
        };
        Some(match code {
            code if NO_ISSUER.contains(&code) => format!("{} {source}", verify::LEADS_NOWHERE),
            SIGNATURE_FAILURE => verify::FALSE_SIGNATURE.to_owned(),
            INVALID_PURPOSE => verify::NOT_FOR_SERVERS.to_owned(),
            code if WEAK.contains(&code) => {
                format!("{}: {fault}; --tls-min 1.0 lowers the system's security level", verify::NO_PATH)
            }
            _ => format!("{}: {fault}", verify::NO_PATH),
        })
    }

    /// A handshake that failed, as a sentence.
    fn failure(&self, error: ssl::Error, tap: &Tap) -> ProbeError {
        let limit = tap.stream.deadline().limit();
        if tap.ended {
            return ProbeError::closed(Phase::NegotiatingTls);
        }
        match error.into_io_error() {
            Ok(error) => ProbeError::from_io(&error, Phase::NegotiatingTls, limit),
            // RFC 8446 section 5.1: the first byte of a record is its type.
            Err(_) if !matches!(tap.first.bytes().first(), None | Some(20..=23)) => {
                handshake_failed("the server's answer is not TLS")
            }
            Err(error) => {
                let failure = tls_error(&error);
                if self.lowered { ProbeError { hint: None, ..failure } } else { failure }
            }
        }
    }
}

impl Library for Connector {
    fn handshake(&self, stream: TimedStream) -> Result<(TlsStream, TlsSeen), Box<HandshakeFailure>> {
        stream.deadline().enter(Phase::NegotiatingTls);
        let faults = Faults::default();
        let tap = Tap { stream, first: FirstBytes::default(), ended: false };
        let mut stream = self
            .session(&faults)
            .and_then(|ssl| SslStream::new(ssl, tap))
            .map_err(|error| HandshakeFailure::new(unusable(&error), None, &[]))?;
        if let Err(error) = stream.connect() {
            let has_shown = stream.ssl().peer_cert_chain().is_some_and(|chain| !chain.is_empty());
            let seen = if has_shown { self.judge(stream.ssl(), &faults).ok() } else { None };
            let tap = stream.get_ref();
            return Err(HandshakeFailure::new(self.failure(error, tap), seen, tap.first.bytes()));
        }
        let mut seen =
            self.judge(stream.ssl(), &faults).map_err(|error| HandshakeFailure::new(error, None, &[]))?;
        seen.version.push_str(version_name(stream.ssl()));
        let suite = stream.ssl().current_cipher().and_then(SslCipherRef::standard_name);
        seen.suite.push_str(suite.unwrap_or_default());
        Ok((Box::new(Session(stream)), seen))
    }
}

/// A connection after its handshake.
#[derive(Debug)]
struct Session(SslStream<Tap>);

impl TlsSession for Session {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            // OpenSSL 3 makes a TLS error of an end without close_notify.
            Err(_) if self.0.get_ref().ended => Ok(0),
            other => other,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn tcp(&self) -> &TimedStream {
        &self.0.get_ref().stream
    }

    fn tcp_mut(&mut self) -> &mut TimedStream {
        &mut self.0.get_mut().stream
    }

    fn close(&mut self) {
        let _ = self.0.shutdown();
    }

    fn explain(&self, error: &io::Error) -> Option<ProbeError> {
        error.get_ref()?.downcast_ref().map(tls_error)
    }

    fn chain(&self) -> Vec<Vec<u8>> {
        let shown = self.0.ssl().peer_cert_chain();
        shown.into_iter().flatten().filter_map(|one| one.to_der().ok()).collect()
    }

    #[cfg(feature = "sasl")]
    fn channel_binding(&self) -> Option<ChannelBinding> {
        let ssl = self.0.ssl();
        if ssl.version2() == Some(SslVersion::TLS1_3) {
            let mut key = vec![0; 32];
            let exported = ssl.export_keying_material(&mut key, super::EXPORTER_LABEL, Some(b""));
            return exported.ok().map(|()| ChannelBinding::TlsExporter(key));
        }
        let der = CertificateDer::from(ssl.peer_certificate()?.to_der().ok()?);
        super::certificate::end_point_digest(&der).map(ChannelBinding::TlsServerEndPoint)
    }
}

/// What OpenSSL found fault with, in its order; `None` before it was asked.
type Faults = Arc<Mutex<Option<Vec<X509VerifyResult>>>>;

/// The connection, and what OpenSSL does not tell of it.
#[derive(Debug)]
struct Tap {
    stream: TimedStream,
    first: FirstBytes,
    /// The peer has closed.
    ended: bool,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.first.over(&mut self.stream).read(buffer)?;
        self.ended |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Versions and security level. A version below 1.2 is asked for by name, and then the rest of
/// what such peers have is allowed too; else the system's policy can only be tightened.
fn set_policy(builder: &mut SslContextBuilder, minimum: MinimumVersion) -> Result<(), ErrorStack> {
    let rank = |version: SslVersion| VERSIONS.iter().position(|known| *known == version);
    let wanted = match minimum {
        MinimumVersion::Tls10 => SslVersion::TLS1,
        MinimumVersion::Tls11 => SslVersion::TLS1_1,
        MinimumVersion::Tls12 => SslVersion::TLS1_2,
        MinimumVersion::Tls13 => SslVersion::TLS1_3,
    };
    let lowered = minimum < MinimumVersion::Tls12;
    if lowered {
        builder.set_security_level(0);
        builder.set_options(LEGACY_SERVER_CONNECT);
    }
    if lowered || builder.min_proto_version().and_then(rank) < rank(wanted) {
        builder.set_min_proto_version(Some(wanted))?;
    }
    // One connection and no second one: tickets would only cost time.
    builder.set_options(SslOptions::NO_TICKET);
    // Else each record takes two reads.
    builder.set_read_ahead(true);
    Ok(())
}

/// The CA certificates of `--ca-file`.
fn ca_store(path: &Path) -> Result<X509Store, ProbeError> {
    let mut store = X509StoreBuilder::new().map_err(|error| unusable(&error))?;
    let mut usable = 0;
    for der in read_certificates("CA file", path)? {
        let added = X509::from_der(&der).and_then(|certificate| store.add_cert(certificate));
        usable += u32::from(added.is_ok());
    }
    if usable == 0 {
        let text = format!("cannot read the CA file {}: it holds no usable certificate", path.display());
        return Err(ProbeError::local(text));
    }
    Ok(store.build())
}

fn set_client(builder: &mut SslContextBuilder, certificate: &Path, key: &Path) -> Result<(), ProbeError> {
    let chain = read_certificates("client certificate", certificate)?;
    // As DER: OpenSSL would ask a terminal for the passphrase of an encrypted PEM file.
    let der = read_key(key)?;
    let mut set = || {
        let mut chain = chain.iter().map(|der| X509::from_der(der));
        if let Some(leaf) = chain.next() {
            builder.set_certificate(leaf?.as_ref())?;
        }
        for above in chain {
            builder.add_extra_chain_cert(above?)?;
        }
        builder.set_private_key(PKey::private_key_from_der(der.secret_der())?.as_ref())?;
        builder.check_private_key()
    };
    set().map_err(|error: ErrorStack| {
        let files = format!("{} with {}", certificate.display(), key.display());
        ProbeError::local(format!("cannot use {files}: {}", reason(&error)))
    })
}

fn certificates(stack: &StackRef<X509>) -> Vec<CertificateSeen> {
    let der = stack.iter().filter_map(|certificate| certificate.to_der().ok());
    der.filter_map(|der| CertificateSeen::parse(&der.into())).collect()
}

fn version_name(ssl: &SslRef) -> &'static str {
    match ssl.version_str() {
        "TLSv1" => "TLSv1.0",
        other => other,
    }
}

/// OpenSSL could not be set up.
fn unusable(error: &ErrorStack) -> ProbeError {
    ProbeError::local(format!("cannot set up the system's OpenSSL: {}", reason(error)))
}

/// OpenSSL's own words for the first thing that went wrong.
fn reason(error: &ErrorStack) -> &'static str {
    error.errors().iter().find_map(openssl::error::Error::reason).unwrap_or("no reason given")
}

fn tls_error(error: &ssl::Error) -> ProbeError {
    let Some(stack) = error.ssl_error() else { return handshake_failed(error) };
    let code = stack.errors().first().map_or(0, openssl::error::Error::reason_code);
    let failure = match u8::try_from(code - ALERTS) {
        Ok(alert) => handshake_failed(format!("the server sent the alert {}", alert_name(alert.into()))),
        Err(_) => handshake_failed(reason(stack)),
    };
    if BELOW_POLICY.contains(&code) {
        failure.with_hint(
            "nothing in common that the system's policy allows: --tls-min 1.0 lowers version and security level",
        )
    } else {
        failure
    }
}

const VERSIONS: [SslVersion; 4] =
    [SslVersion::TLS1, SslVersion::TLS1_1, SslVersion::TLS1_2, SslVersion::TLS1_3];

/// `SSL_OP_LEGACY_SERVER_CONNECT`: peers without RFC 5746. We never renegotiate.
const LEGACY_SERVER_CONNECT: SslOptions = SslOptions::from_bits_retain(4);

/// `SSL_AD_REASON_OFFSET`: reason codes above it are alerts of the peer.
const ALERTS: c_int = 1000;

// Verdicts of `openssl/x509_vfy.h`.
const NO_ISSUER: [c_int; 6] = [2, 18, 19, 20, 21, 27];
const SIGNATURE_FAILURE: c_int = 7;
const DATES: [c_int; 4] = [9, 10, 13, 14];
const INVALID_PURPOSE: c_int = 26;
const NAME: [c_int; 2] = [62, 64];
/// Key of the certificate, key of a CA, digest of a signature.
const WEAK: [c_int; 3] = [66, 67, 68];

/// Reasons of `openssl/sslerr.h` that the security level or the lowest version brings: old
/// version, peer without RFC 5746, old signature, key of a CA, digest of a CA, DH group, key;
/// and the alerts handshake_failure, protocol_version and insufficient_security.
const BELOW_POLICY: [c_int; 11] =
    [258, 338, 333, 370, 397, 398, 394, 399, ALERTS + 40, ALERTS + 70, ALERTS + 71];
