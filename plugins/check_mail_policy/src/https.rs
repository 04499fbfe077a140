//! A file fetched over HTTPS from a host whose certificate is judged first (RFC 8461 section 3.3).

use std::net::{IpAddr, SocketAddr};

use common::net::tls::{ChainJudge, Connector, TlsOptions, TlsSeen, TlsStream, Trust};
use common::net::{Deadline, Phase, ProbeError, Trouble, connect};
use common::proto::dns::DomainName;
use common::proto::names::Host;
use serde::{Deserialize, Serialize};

use crate::http::{HttpError, Response, Rest};

/// Why a certificate does not verify, as the rest of a sentence about its host.
pub(crate) fn distrust(tls: &TlsSeen) -> Option<String> {
    let why = tls.distrust()?;
    Some(why.strip_prefix("it ").map_or_else(|| why.to_owned(), |rest| format!("certificate {rest}")))
}

/// What came of fetching a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fetched {
    /// The address that was asked.
    pub(crate) address: SocketAddr,
    /// It took the connection: who comes here goes to no other address.
    pub(crate) is_connected: bool,
    /// The handshake with the verdict on the certificate.
    pub(crate) tls: Option<TlsSeen>,
    /// The answer; none is asked for where the certificate does not verify.
    pub(crate) response: Option<Response>,
    /// Why there is no answer.
    pub(crate) error: Option<ProbeError>,
}

/// Where a file is.
pub(crate) struct Place<'a> {
    /// The host, as in the certificate.
    pub(crate) host: &'a DomainName,
    /// One of its addresses.
    pub(crate) address: SocketAddr,
    /// Our address, if it matters.
    pub(crate) source: Option<IpAddr>,
    /// The path of the file, with its slash.
    pub(crate) path: &'a str,
}

/// Bytes read at a time, and kept of one answer: the longest header and body, each chunk of the
/// body with its length.
const READ_SIZE: usize = 4096;
const MOST_BYTES: usize = 512 * 1024;

impl Fetched {
    /// Fetches a file. Redirections are not followed. A silent host gets no more than its share of
    /// the time, so that there is some left to tell of everything else.
    pub(crate) fn fetch(place: &Place<'_>, judge: &ChainJudge, deadline: &Deadline) -> Self {
        let address = place.address;
        let mut fetched = Self { address, is_connected: false, tls: None, response: None, error: None };
        fetched.error = fetched.converse(place, judge, &share(deadline)).err();
        fetched
    }

    fn converse(
        &mut self,
        place: &Place<'_>,
        judge: &ChainJudge,
        deadline: &Deadline,
    ) -> Result<(), ProbeError> {
        let host = Host::Name(place.host.to_string());
        let connector = Connector::new(&TlsOptions { trust: Trust::Anyone, ..TlsOptions::default() }, &host)?;
        let connected = connect(&[place.address], place.source, deadline)?;
        self.is_connected = true;
        let (mut stream, shown) = connector.handshake(connected.stream).map_err(|failure| {
            self.tls = failure.seen;
            failure.error
        })?;
        let judged = judge.for_name(Some(&host))?.judge(&stream.chain())?.tls;
        let tls = TlsSeen { version: shown.version, suite: shown.suite, ..judged };
        let is_trusted = tls.trusted();
        self.tls = Some(tls);
        if is_trusted {
            self.response = Some(exchange(place, &mut stream)?);
        }
        stream.close();
        Ok(())
    }
}

/// Nine tenths of the time left.
pub(crate) fn share(deadline: &Deadline) -> Deadline {
    deadline.shortened(deadline.elapsed() + deadline.left() * 9 / 10)
}

fn exchange(place: &Place<'_>, stream: &mut TlsStream) -> Result<Response, ProbeError> {
    let port = stream.tcp().addresses().map_or(443, |(_, peer)| peer.port());
    let host = if port == 443 { place.host.to_string() } else { format!("{}:{port}", place.host) };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: check_mail_policy\r\nAccept: text/plain\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n\r\n",
        place.path
    );
    let deadline = stream.tcp().deadline().clone();
    let failed = |error: &std::io::Error, stream: &TlsStream| {
        stream
            .explain(error)
            .unwrap_or_else(|| ProbeError::from_io(error, Phase::Receiving, deadline.limit()))
    };
    deadline.enter(Phase::Receiving);
    stream.send(request.as_bytes()).map_err(|error| failed(&error, stream))?;
    let mut bytes = Vec::new();
    let mut buffer = [0; READ_SIZE];
    loop {
        let count = stream.read(&mut buffer).map_err(|error| failed(&error, stream))?;
        bytes.extend(buffer.iter().take(count));
        let rest = if count == 0 { Rest::Ended } else { Rest::Open };
        if let Some(response) = Response::parse(&bytes, rest).map_err(|error| protocol(&error))? {
            return Ok(response);
        }
        if bytes.len() > MOST_BYTES {
            return Err(protocol(&HttpError::HugeBody));
        }
    }
}

fn protocol(error: &HttpError) -> ProbeError {
    ProbeError::new(Trouble::Protocol, Phase::Receiving, error.to_string())
}
