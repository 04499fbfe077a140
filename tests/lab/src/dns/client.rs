//! A small DNS client with which the lab proves its own servers. It asks once and trusts
//! what it is told: no model for a plugin.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::codec::{Flags, Reader, encode_query, encode_query_ad, framed};
use super::types::{Rcode, Rdata, Record, RecordType};

/// Every wait ends after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A response, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Message id.
    pub id: u16,
    /// Header bits.
    pub flags: Flags,
    /// Response code.
    pub rcode: Rcode,
    /// Name, as it was sent, and type of each question.
    pub questions: Vec<(String, RecordType)>,
    /// Answer section.
    pub records: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
}

impl Answer {
    /// Takes a message apart; the error says what is wrong with it.
    pub fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(message);
        let (id, bits) = (reader.u16()?, reader.u16()?);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut questions = Vec::new();
        for _ in 0..counts[0] {
            let question = (reader.name()?, RecordType::from(reader.u16()?));
            reader.skip(2)?;
            questions.push(question);
        }
        let records = (0..counts[1]).map(|_| reader.record()).collect::<Result<_, _>>()?;
        let authority = (0..counts[2]).map(|_| reader.record()).collect::<Result<_, _>>()?;
        for _ in 0..counts[3] {
            let _ = reader.record()?;
        }
        if reader.at() != message.len() {
            return Err("there is more than the header counts");
        }
        let rcode = Rcode::from(bits.to_be_bytes()[1]);
        Ok(Self { id, flags: Flags::from_bits(bits), rcode, questions, records, authority })
    }

    /// The addresses in the answer section, sorted.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let mut addresses: Vec<IpAddr> = self
            .records
            .iter()
            .filter_map(|record| match &record.data {
                Rdata::A(address) => Some((*address).into()),
                Rdata::Aaaa(address) => Some((*address).into()),
                _ => None,
            })
            .collect();
        addresses.sort_unstable();
        addresses.iter().map(IpAddr::to_string).collect()
    }

    /// The data in the answer section.
    #[must_use]
    pub fn data(&self) -> Vec<Rdata> {
        self.records.iter().map(|record| record.data.clone()).collect()
    }

    /// The texts in the answer section.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let texts = self.records.iter().filter_map(|record| match &record.data {
            Rdata::Txt(strings) => Some(String::from_utf8_lossy(&strings.concat()).into_owned()),
            _ => None,
        });
        texts.collect()
    }
}

/// A socket from which queries are sent to one server by UDP. It takes datagrams from
/// everybody, so a test sees forged ones too.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Client {
    /// Opens the socket.
    pub fn new(server: SocketAddr) -> io::Result<Self> {
        let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from([0; 16]) };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        crate::sys::set_receive_buffer(&socket, super::BURST);
        Ok(Self { socket, server })
    }

    /// Ends later waits after this time.
    pub fn set_timeout(&self, timeout: Duration) {
        self.socket.set_read_timeout(Some(timeout)).expect("the timeout is not zero");
    }

    /// Local port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// Sends a query.
    pub fn send(&self, id: u16, name: &str, record_type: RecordType) -> io::Result<()> {
        self.send_bytes(&encode_query(id, name, record_type, None))
    }

    /// Sends any bytes.
    pub fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send_to(bytes, self.server).map(|_| ())
    }

    /// The next datagram and where it came from.
    pub fn receive_bytes(&self) -> io::Result<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 65535];
        let (length, from) = self.socket.recv_from(&mut buffer)?;
        buffer.truncate(length);
        Ok((buffer, from))
    }

    /// The next answer.
    pub fn receive(&self) -> io::Result<Answer> {
        Answer::parse(&self.receive_bytes()?.0).map_err(io::Error::other)
    }
}

/// Asks once by UDP, with RD and without EDNS.
pub fn ask(server: SocketAddr, name: &str, record_type: RecordType) -> io::Result<Answer> {
    let client = Client::new(server)?;
    client.send(4711, name, record_type)?;
    client.receive()
}

/// The same, wanting to know whether the data was validated; an answer has up to 1232 bytes.
pub fn ask_validated(server: SocketAddr, name: &str, record_type: RecordType) -> io::Result<Answer> {
    let client = Client::new(server)?;
    client.send_bytes(&encode_query_ad(4711, name, record_type))?;
    client.receive()
}

/// Asks once by TCP.
pub fn ask_tcp(server: SocketAddr, name: &str, record_type: RecordType) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    send_framed(&mut stream, &encode_query(4711, name, record_type, None))?;
    Answer::parse(&receive_framed(&mut stream)?).map_err(io::Error::other)
}

/// Sends a message by TCP.
pub fn send_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    stream.write_all(&framed(message))
}

/// The next message of a TCP connection.
pub fn receive_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}
