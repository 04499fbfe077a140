//! From a hello to the bytes of the answer.

use super::fault::{Ending, Fault, Malformed};
use super::hello::{Format, Hello};
use super::messages::{self, Message, SERVER_HELLO_DONE, ServerHello, Share, framed};
use super::suites::{Auth, Exchange, Version, exchange};
use super::{Preference, Retry, TlsScript};

const FALLBACK_SCSV: u16 = 0x5600;
const RENEGOTIATION_SCSV: u16 = 0x00ff;
const RENEGOTIATION_INFO: u16 = 0xff01;
const EXTENDED_MASTER_SECRET: u16 = 23;

/// Alert numbers that the endpoint uses by itself.
const ILLEGAL_PARAMETER: Ending = Ending::Alert(47);
const INAPPROPRIATE_FALLBACK: Ending = Ending::Alert(86);
const MISSING_EXTENSION: Ending = Ending::Alert(109);
const UNRECOGNIZED_NAME: Ending = Ending::Alert(112);

/// What follows a hello.
#[derive(Debug)]
pub(super) enum Answer {
    /// The connection ends.
    End(Ending),
    /// Some bytes, and then the connection ends.
    Then(Vec<u8>, Ending),
    /// The whole answer; the client has the word.
    Whole(Vec<u8>),
    /// HelloRetryRequest; another hello is to follow.
    Retry(Vec<u8>),
    /// Something that is no answer.
    Malformed(Malformed),
}

/// What the endpoint has picked.
struct Pick {
    hello: ServerHello,
    exchange: (Exchange, Option<Auth>),
    group: u16,
}

/// Answers a hello; `first` is false after a HelloRetryRequest.
pub(super) fn answer(script: &TlsScript, hello: &Hello, first: bool) -> Answer {
    if let Some(ending) = intolerance(script, hello) {
        return Answer::End(ending);
    }
    let fault = script.faults.iter().find(|(condition, _)| condition(hello)).map(|(_, fault)| fault);
    if let Some(Fault::Empty(ending)) = fault {
        return Answer::End(*ending);
    }
    if hello.format == Format::Ssl2 && hello.version < Version::Ssl3.code() {
        return ssl2(script, hello);
    }
    match pick(script, hello, first, fault) {
        Ok(pick) => shape(script, &pick, fault),
        Err(ending) => match fault.and_then(|fault| fault.bytes(hello.record_version, &[])) {
            Some(malformed) => Answer::Malformed(malformed),
            None => Answer::End(ending),
        },
    }
}

/// Why the endpoint does not even look at a hello.
fn intolerance(script: &TlsScript, hello: &Hello) -> Option<Ending> {
    let too_long = script.longest.filter(|(longest, _)| hello.length > *longest).map(|(_, ending)| ending);
    let unlucky = script.remainders.as_ref().filter(|(unlucky, _)| unlucky.contains(&(hello.length % 256)));
    let nameless = script.sni_demanded && hello.server_name().is_none();
    too_long.or(unlucky.map(|(_, ending)| *ending)).or(nameless.then_some(UNRECOGNIZED_NAME))
}

fn ssl2(script: &TlsScript, hello: &Hello) -> Answer {
    if script.kinds.is_empty() {
        return Answer::End(Ending::Close);
    }
    let common: Vec<u32> = script.kinds.iter().copied().filter(|kind| hello.kinds.contains(kind)).collect();
    if common.is_empty() {
        return Answer::Then(messages::ssl2_error(1), Ending::Close);
    }
    let certificate = script.chain(Some(Auth::Rsa)).first().map_or(&[][..], Vec::as_slice);
    Answer::Whole(messages::ssl2_server_hello(certificate, &common))
}

fn pick(script: &TlsScript, hello: &Hello, first: bool, fault: Option<&Fault>) -> Result<Pick, Ending> {
    let offered = hello.versions();
    let versions = script.versions.keys().rev();
    let version = versions.copied().find(|version| offered.contains(&version.code()));
    let version = version.ok_or(script.refusals.version)?;
    let suites = &hello.suites[..hello.suites.len().min(script.suites_read)];
    let highest = script.versions.keys().next_back().copied();
    if script.fallback_scsv && suites.contains(&FALLBACK_SCSV) && highest > Some(version) {
        return Err(INAPPROPRIATE_FALLBACK);
    }
    let curve = curve(script, hello);
    let suite = match fault {
        Some(Fault::Suite(suite)) => *suite,
        _ => pick_suite(script, version, suites, curve.is_some()).ok_or(script.refusals.suite)?,
    };
    let mut group = curve.unwrap_or_default();
    let mut share = None;
    if version == Version::Tls13 {
        let picked = pick_share(script, hello, first)?;
        group = picked.0;
        share = Some(picked);
    }
    if let Some(Fault::Group(wrong)) = fault {
        group = *wrong;
        share = share.map(|(_, share)| (group, share));
    }
    let compression = match fault {
        Some(Fault::Compression(method)) => *method,
        _ if hello.compressions.contains(&script.compression) => script.compression,
        _ => 0,
    };
    let hello = ServerHello {
        version: if let Some(Fault::Version(wrong)) = fault { *wrong } else { version.code() },
        suite,
        compression,
        share,
        extensions: if share.is_some() { Vec::new() } else { extensions(script, hello, suites) },
        // TLS 1.3 echoes the client's; before, it is the server's own, for resumption.
        session_id: if share.is_some() { hello.session_id.clone() } else { messages::filler(32) },
    };
    Ok(Pick { exchange: exchange(suite), hello, group })
}

fn pick_suite(script: &TlsScript, version: Version, offered: &[u16], has_curve: bool) -> Option<u16> {
    let ours = script.versions.get(&version)?;
    let usable = |suite: &u16| has_curve || exchange(*suite).0 != Exchange::Ecdhe;
    match script.preference {
        Preference::Server => ours.iter().filter(|suite| offered.contains(suite)).copied().find(usable),
        Preference::Client => offered.iter().filter(|suite| ours.contains(suite)).copied().find(usable),
    }
}

/// The curve for ECDHE up to TLS 1.2; a client that names none takes any.
fn curve(script: &TlsScript, hello: &Hello) -> Option<u16> {
    let offered = hello.groups();
    let mut curves = script.groups.iter().copied().filter(|group| *group < 0x0100);
    curves.find(|group| offered.is_empty() || offered.contains(group))
}

/// The group of TLS 1.3, and whether there is a share for it.
fn pick_share(script: &TlsScript, hello: &Hello, first: bool) -> Result<(u16, Share), Ending> {
    let (Some(shares), false) = (hello.key_shares(), hello.groups().is_empty()) else {
        return Err(MISSING_EXTENSION);
    };
    let offered = hello.groups();
    let common = script.groups.iter().copied().filter(|group| offered.contains(group));
    let common: Vec<u16> = common.collect();
    let wanted = common.first().copied().ok_or(script.refusals.suite)?;
    if shares.contains(&wanted) {
        return Ok((wanted, Share::Given));
    }
    match script.retry {
        Retry::Asks if first => Ok((wanted, Share::Wanted)),
        Retry::Asks => Err(ILLEGAL_PARAMETER),
        Retry::Never => {
            let usable = common.into_iter().find(|group| shares.contains(group));
            usable.map(|group| (group, Share::Given)).ok_or(script.refusals.suite)
        }
    }
}

fn extensions(script: &TlsScript, hello: &Hello, suites: &[u16]) -> Vec<(u16, Vec<u8>)> {
    let mut extensions = Vec::new();
    let asked = hello.extension(RENEGOTIATION_INFO).is_some() || suites.contains(&RENEGOTIATION_SCSV);
    if script.renegotiation_info && asked {
        extensions.push((RENEGOTIATION_INFO, vec![0]));
    }
    if script.extended_master_secret && hello.extension(EXTENDED_MASTER_SECRET).is_some() {
        extensions.push((EXTENDED_MASTER_SECRET, Vec::new()));
    }
    extensions
}

/// Puts what was picked into bytes.
fn shape(script: &TlsScript, pick: &Pick, fault: Option<&Fault>) -> Answer {
    let version = pick.hello.version.min(Version::Tls12.code());
    let messages = flight(script, pick);
    if let Some(malformed) = fault.and_then(|fault| fault.bytes(version, &messages)) {
        return Answer::Malformed(malformed);
    }
    let mut bytes = Vec::new();
    if let Some(number) = script.warning {
        bytes.extend(messages::alert(version, false, number));
    }
    let answer = framed(version, &messages, script.framing);
    match fault {
        Some(Fault::InRecord(ending)) => {
            bytes.extend(&answer[..answer.len().min(40)]);
            return Answer::Then(bytes, *ending);
        }
        Some(Fault::AfterServerHello(ending)) => {
            bytes.extend(framed(version, &messages[..1], script.framing));
            return Answer::Then(bytes, *ending);
        }
        _ => bytes.extend(answer),
    }
    match pick.hello.share {
        Some((_, Share::Wanted)) => Answer::Retry(bytes),
        Some((_, Share::Given)) => {
            // What follows is encrypted, and nobody can tell that it is not.
            bytes.extend(messages::record(20, version, &[1]));
            bytes.extend(messages::record(23, version, &messages::filler(700)));
            Answer::Whole(bytes)
        }
        None => Answer::Whole(bytes),
    }
}

fn flight(script: &TlsScript, pick: &Pick) -> Vec<Message> {
    let mut messages = vec![pick.hello.message()];
    if pick.hello.share.is_some() {
        return messages;
    }
    let auth = pick.exchange.1;
    if auth.is_some() {
        messages.push(messages::certificate(script.chain(auth)));
    }
    let version = pick.hello.version;
    messages.extend(messages::server_key_exchange(pick.exchange, version, pick.group, &script.prime));
    if script.client_certificate && auth.is_some() {
        messages.push(messages::certificate_request(version));
    }
    messages.push((SERVER_HELLO_DONE, Vec::new()));
    messages
}
