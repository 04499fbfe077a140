//! What can be wrong with an endpoint: ends of connections, halfway stops, malformed messages,
//! other protocols.

use super::messages::{ALERT, HANDSHAKE, Message, SERVER_HELLO, alert, handshake, record};

/// How the endpoint ends a connection that it does not want to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// FIN. What the client still sends is read, so that no RST overtakes it.
    Close,
    /// RST.
    Reset,
    /// Says nothing more and keeps the connection open.
    Hang,
    /// A fatal alert with this number, then FIN. Before TLS it waits for a hello.
    Alert(u8),
    /// Before STARTTLS the answer for "too many connections" of the protocol, then FIN; elsewhere FIN.
    Busy,
}

/// What is wrong with the answer to a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Empty(Ending),
    /// It stops after the ServerHello.
    AfterServerHello(Ending),
    /// It stops in the middle of the first record.
    InRecord(Ending),
    /// This suite is picked, offered or not, ours or not.
    Suite(u16),
    /// This version is picked.
    Version(u16),
    /// This group is picked: for HelloRetryRequest, key_share and the curve of ECDHE.
    Group(u16),
    /// This compression method is picked.
    Compression(u8),
    /// The first record says that it has 65535 bytes, and has them.
    HugeRecord,
    /// The ServerHello says that it has 16 MiB, and they come in good records.
    HugeHandshake,
    /// Handshake records without a byte, up to [`FLOOD`].
    ZeroLengthRecords,
    /// The record of the ServerHello says that it is of this type.
    WrongType(u8),
    /// Records of one byte that never complete a message of 16 MiB, up to [`FLOOD`].
    RecordFlood,
    /// Warning alerts, up to [`FLOOD`].
    AlertFlood,
    /// Handshake messages of a type nobody knows, up to [`FLOOD`].
    UnknownMessages,
    /// A Certificate where the ServerHello belongs.
    NoServerHello,
    /// An alert of three bytes.
    LongAlert,
    /// An alert of one byte.
    ShortAlert,
    /// A ServerHello whose session id is said to be longer than the message.
    LyingLength,
    /// Exactly these bytes.
    Bytes(Vec<u8>),
}

/// The most bytes of a flood; then the endpoint closes.
pub const FLOOD: usize = 64 << 20;

/// A service that does not speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Says this when the client connects, and nothing else.
    Banner(Vec<u8>),
    /// Says this when the client has said anything, and closes.
    Answer(Vec<u8>),
    /// Says nothing.
    Silence,
}

impl Foreign {
    /// An SSH server.
    #[must_use]
    pub fn ssh() -> Self {
        Self::Banner(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n".to_vec())
    }

    /// A web server without TLS.
    #[must_use]
    pub fn http() -> Self {
        let text =
            "HTTP/1.1 400 Bad Request\r\nServer: lab\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        Self::Answer(text.into())
    }

    /// A mail server that wants STARTTLS first.
    #[must_use]
    pub fn smtp() -> Self {
        Self::Banner(b"220 mail.lab.test ESMTP ready\r\n".to_vec())
    }
}

/// What a malformed answer consists of.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    pub(super) start: Vec<u8>,
    /// Sent again and again up to [`FLOOD`].
    pub(super) again: Vec<u8>,
}

impl Fault {
    /// The bytes that this fault sends instead of the good messages; `None` when it only
    /// changes what they say.
    pub(super) fn bytes(&self, version: u16, messages: &[Message]) -> Option<Malformed> {
        let [high, low] = version.to_be_bytes();
        let huge = [SERVER_HELLO, 0xff, 0xff, 0xff];
        let first = || messages.first().map(handshake).unwrap_or_default();
        let once = |start| Malformed { start, again: Vec::new() };
        let flood = |again| Malformed { start: Vec::new(), again };
        Some(match self {
            Self::HugeRecord => once([&[HANDSHAKE, high, low, 0xff, 0xff][..], &vec![0; 0xffff]].concat()),
            Self::HugeHandshake => Malformed {
                start: record(HANDSHAKE, version, &huge),
                again: record(HANDSHAKE, version, &[0; 1 << 14]),
            },
            Self::ZeroLengthRecords => flood(vec![HANDSHAKE, high, low, 0, 0]),
            Self::RecordFlood => Malformed {
                start: record(HANDSHAKE, version, &huge),
                again: record(HANDSHAKE, version, &[0]),
            },
            Self::AlertFlood => flood(alert(version, false, 112)),
            Self::UnknownMessages => flood(record(HANDSHAKE, version, &[99, 0, 0, 1, 0])),
            Self::WrongType(kind) => once(record(*kind, version, &first())),
            Self::NoServerHello => once(
                messages
                    .iter()
                    .skip(1)
                    .flat_map(|message| record(HANDSHAKE, version, &handshake(message)))
                    .collect(),
            ),
            Self::LongAlert => once(record(ALERT, version, &[2, 40, 0])),
            Self::ShortAlert => once(record(ALERT, version, &[2])),
            Self::LyingLength => {
                let mut bytes = first();
                // Behind type, length, version and random.
                if let Some(length) = bytes.get_mut(4 + 2 + 32) {
                    *length = 0xff;
                }
                once(record(HANDSHAKE, version, &bytes))
            }
            Self::Bytes(bytes) => once(bytes.clone()),
            _ => return None,
        })
    }
}
