//! A small client for the lab's own use: it makes the scenarios and looks whether they are there. It logs in over a
//! unix socket, TCP and TLS and asks in text.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::auth::{self, CACHING_SHA2};
use super::packet::{self, Reader};

/// Longer than anything in the lab takes; a test must not hang for ever.
const PATIENCE: Duration = Duration::from_mins(1);
const COM_QUERY: u8 = 3;
const CLIENT_SSL: u32 = 0x800;
/// LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;

/// What a statement or a login ended with.
#[derive(Debug)]
pub enum ClientError {
    /// The server said no.
    Server {
        /// Its error number.
        number: u16,
        /// Its words.
        text: String,
    },
    /// The connection broke, took too long, or brought nonsense.
    Io(io::Error),
}

impl ClientError {
    /// The server's error number; 0 when it was another error.
    #[must_use]
    pub fn number(&self) -> u16 {
        match self {
            Self::Server { number, .. } => *number,
            Self::Io(_) => 0,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { number, text } => write!(f, "{number}: {text}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A row of an answer.
#[derive(Clone)]
pub struct Row {
    columns: Arc<Vec<String>>,
    values: Vec<Option<String>>,
}

impl Row {
    /// The value of a column, whatever the case of its name; `None` for NULL and for a column that is not there.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.values[at].as_deref()
    }

    /// The names of the columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values, in the order of the columns.
    #[must_use]
    pub fn values(&self) -> &[Option<String>] {
        &self.values
    }
}

impl fmt::Debug for Row {
    /// What a reader looks for: a status has sixty columns, most of them empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.columns.iter().zip(&self.values);
        f.debug_map().entries(named.filter(|(_, value)| value.as_deref() != Some(""))).finish()
    }
}

trait Stream: Read + Write + Send {
    fn set_timeout(&self, limit: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn set_timeout(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

impl Stream for TcpStream {
    fn set_timeout(&self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn set_timeout(&self, limit: Duration) -> io::Result<()> {
        self.sock.set_read_timeout(Some(limit))
    }
}

/// A session; ends when dropped.
pub struct Client {
    stream: Box<dyn Stream>,
    greeting: Greeting,
    used_full_authentication: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("greeting", &self.greeting).finish_non_exhaustive()
    }
}

impl Client {
    /// Logs in over a unix socket.
    pub fn over_socket(path: &Path, user: &str, password: &str) -> Result<Self, ClientError> {
        let mut stream = UnixStream::connect(path)?;
        stream.set_timeout(PATIENCE)?;
        let (sequence, greeting) = Greeting::read(&mut stream)?;
        Self::log_in(
            Box::new(stream),
            greeting,
            &Login { user, password, sequence, is_private: true, flags: 0 },
        )
    }

    /// Logs in over TCP in the clear.
    pub fn over_tcp(address: SocketAddr, user: &str, password: &str) -> Result<Self, ClientError> {
        let (stream, sequence, greeting) = connect(address)?;
        let login = Login { user, password, sequence, is_private: false, flags: 0 };
        Self::log_in(Box::new(stream), greeting, &login)
    }

    /// Logs in over TLS; the certificate must be good for 127.0.0.1.
    pub fn over_tls(
        address: SocketAddr,
        user: &str,
        password: &str,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, ClientError> {
        let (mut stream, sequence, greeting) = connect(address)?;
        if greeting.capabilities & CLIENT_SSL == 0 {
            return Err(io::Error::other("the server has no TLS").into());
        }
        let request = login_start(CLIENT_SSL);
        stream.write_all(&packet::framed(sequence.wrapping_add(1), &request))?;
        let name = ServerName::from(address.ip());
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        stream.flush()?;
        let sequence = sequence.wrapping_add(1);
        let login = Login { user, password, sequence, is_private: true, flags: CLIENT_SSL };
        Self::log_in(Box::new(stream), greeting, &login)
    }

    fn log_in(
        mut stream: Box<dyn Stream>,
        greeting: Greeting,
        login: &Login<'_>,
    ) -> Result<Self, ClientError> {
        let mut sequence = login.sequence.wrapping_add(1);
        stream.write_all(&packet::framed(sequence, &login.response(&greeting)))?;
        let mut used_full_authentication = false;
        loop {
            let (number, payload) = packet::read(&mut stream)?;
            sequence = number.wrapping_add(1);
            let answer = match payload.first() {
                Some(0) => return Ok(Self { stream, greeting, used_full_authentication }),
                Some(0xfe) => {
                    let mut reader = Reader::new(&payload[1..]);
                    let plugin = text(reader.until_zero());
                    let salt = reader.rest();
                    let salt = salt.strip_suffix(&[0]).unwrap_or(salt);
                    auth::scramble(&plugin, login.password, salt)
                        .ok_or_else(|| io::Error::other(format!("the server wants {plugin}")))?
                }
                // caching_sha2_password: known already, and not.
                Some(1) if payload.get(1) == Some(&3) => continue,
                Some(1) if payload.get(1) == Some(&4) && login.is_private => {
                    used_full_authentication = true;
                    [login.password.as_bytes(), &[0]].concat()
                }
                Some(1) => return Err(io::Error::other("the server wants the password in the clear").into()),
                _ => return Err(error_of(&payload)),
            };
            stream.write_all(&packet::framed(sequence, &answer))?;
        }
    }

    /// What the server calls itself.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.greeting.version
    }

    /// The number of this connection on the server.
    #[must_use]
    pub fn thread_id(&self) -> u32 {
        self.greeting.thread_id
    }

    /// Whether `caching_sha2_password` wanted the password itself, for the server had not seen it yet.
    #[must_use]
    pub fn used_full_authentication(&self) -> bool {
        self.used_full_authentication
    }

    /// How long a statement may take.
    pub fn set_patience(&self, limit: Duration) {
        self.stream.set_timeout(limit).expect("a timeout is not zero");
    }

    /// Asks; statements without rows bring none.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, ClientError> {
        self.send(sql)?;
        self.receive()
    }

    /// Asks, and stops the test on any error.
    pub fn rows(&mut self, sql: &str) -> Vec<Row> {
        self.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs statements that bring no rows, and stops the test on any error.
    pub fn run(&mut self, sql: &[&str]) {
        for sql in sql {
            self.rows(sql);
        }
    }

    /// The first value of the first row, NULL as empty text.
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        let row = rows.first().unwrap_or_else(|| panic!("{sql}: no rows"));
        row.values[0].clone().unwrap_or_default()
    }

    /// Sends a statement without waiting for its answer: one that will hang.
    pub fn send(&mut self, sql: &str) -> Result<(), ClientError> {
        let command = [&[COM_QUERY], sql.as_bytes()].concat();
        self.stream.write_all(&packet::framed(0, &command))?;
        Ok(())
    }

    /// The answer to what was sent.
    pub fn receive(&mut self) -> Result<Vec<Row>, ClientError> {
        let first = self.payload()?;
        let columns = match first.first() {
            Some(0) => return Ok(Vec::new()),
            Some(0xff) => return Err(error_of(&first)),
            _ => Reader::new(&first).integer().ok_or_else(nonsense)?,
        };
        let mut names = Vec::new();
        for _ in 0..columns {
            let definition = self.payload()?;
            let mut reader = Reader::new(&definition);
            // Catalogue, schema, table, original table.
            for _ in 0..4 {
                reader.string().ok_or_else(nonsense)?;
            }
            names.push(text(reader.string().ok_or_else(nonsense)?));
        }
        if self.payload()?.first() != Some(&0xfe) {
            return Err(nonsense());
        }
        let columns = Arc::new(names);
        let mut rows = Vec::new();
        loop {
            let payload = self.payload()?;
            match payload.first() {
                Some(0xfe) if payload.len() < 9 => return Ok(rows),
                Some(0xff) => return Err(error_of(&payload)),
                _ => rows.push(row_of(&columns, &payload).ok_or_else(nonsense)?),
            }
        }
    }

    fn payload(&mut self) -> io::Result<Vec<u8>> {
        Ok(packet::read(&mut self.stream)?.1)
    }
}

/// What the server says first.
#[derive(Debug)]
struct Greeting {
    version: String,
    thread_id: u32,
    capabilities: u32,
    salt: Vec<u8>,
    plugin: String,
}

impl Greeting {
    fn read(stream: &mut impl Read) -> Result<(u8, Self), ClientError> {
        let (sequence, payload) = packet::read(stream)?;
        if payload.first() == Some(&0xff) {
            return Err(error_of(&payload));
        }
        Ok((sequence, Self::parse(&payload).ok_or_else(nonsense)?))
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.fixed(1)? != 10 {
            return None;
        }
        let version = text(reader.until_zero());
        let thread_id = u32::try_from(reader.fixed(4)?).ok()?;
        let mut salt = reader.take(8)?.to_vec();
        reader.take(1)?;
        let low = reader.fixed(2)?;
        reader.take(3)?; // character set, status
        let high = reader.fixed(2)?;
        reader.take(11)?; // length of the salt, which is always 21; reserved
        salt.extend(reader.take(13)?.strip_suffix(&[0])?);
        let plugin = text(reader.until_zero());
        Some(Self { version, thread_id, capabilities: u32::try_from(high << 16 | low).ok()?, salt, plugin })
    }
}

struct Login<'a> {
    user: &'a str,
    password: &'a str,
    sequence: u8,
    /// Nobody listens between us and the server.
    is_private: bool,
    flags: u32,
}

impl Login<'_> {
    fn response(&self, greeting: &Greeting) -> Vec<u8> {
        let known = auth::scramble(&greeting.plugin, self.password, &greeting.salt);
        // The server asks again when it wants another plugin for this user.
        let plugin = if known.is_some() { &greeting.plugin } else { CACHING_SHA2 };
        let mut bytes = login_start(self.flags);
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.push(0);
        packet::put_string(&mut bytes, &known.unwrap_or_default());
        bytes.extend_from_slice(plugin.as_bytes());
        bytes.push(0);
        bytes
    }
}

/// Capabilities, longest packet, utf8mb4, reserved.
fn login_start(flags: u32) -> Vec<u8> {
    let mut bytes = (CAPABILITIES | flags).to_le_bytes().to_vec();
    bytes.extend((16_u32 << 20).to_le_bytes());
    bytes.push(45);
    bytes.extend([0; 23]);
    bytes
}

fn connect(address: SocketAddr) -> Result<(TcpStream, u8, Greeting), ClientError> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_timeout(PATIENCE)?;
    let (sequence, greeting) = Greeting::read(&mut stream)?;
    Ok((stream, sequence, greeting))
}

fn row_of(columns: &Arc<Vec<String>>, payload: &[u8]) -> Option<Row> {
    let mut reader = Reader::new(payload);
    let mut values = Vec::with_capacity(columns.len());
    for _ in columns.iter() {
        values.push(if reader.skip_null() { None } else { Some(text(reader.string()?)) });
    }
    reader.is_empty().then(|| Row { columns: Arc::clone(columns), values })
}

fn error_of(payload: &[u8]) -> ClientError {
    let mut reader = Reader::new(payload);
    if reader.fixed(1) != Some(0xff) {
        return nonsense();
    }
    let number = reader.fixed(2).and_then(|number| u16::try_from(number).ok()).unwrap_or_default();
    let said = reader.rest();
    // '#' and five characters of SQLSTATE, which an error before the login lacks.
    let said = if said.first() == Some(&b'#') { said.get(6..).unwrap_or_default() } else { said };
    ClientError::Server { number, text: text(said) }
}

fn nonsense() -> ClientError {
    io::Error::new(io::ErrorKind::InvalidData, "not what a server of MySQL says").into()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
