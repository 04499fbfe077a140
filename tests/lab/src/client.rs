//! A small SMTP client with which the lab proves its own servers. It trusts what it is told
//! and panics on anything else: no model for a plugin.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digit code of the last line.
    pub code: u16,
    /// Text of each line after the code.
    pub lines: Vec<String>,
}

impl Reply {
    /// True when a line begins with this keyword, in any case.
    #[must_use]
    pub fn has(&self, keyword: &str) -> bool {
        self.keyword(keyword).is_some()
    }

    /// The first line that begins with this keyword, in any case.
    #[must_use]
    pub fn keyword(&self, keyword: &str) -> Option<&str> {
        let fits = |line: &&String| {
            line.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword))
        };
        self.lines.iter().find(fits).map(String::as_str)
    }
}

/// Both kinds of connection.
trait Channel: Read + Write + Send {}
impl<T: Read + Write + Send> Channel for T {}

/// A connection to a server; every wait ends after 10 s.
pub struct Client {
    socket: TcpStream,
    channel: BufReader<Box<dyn Channel>>,
}

impl Client {
    /// Connects in clear.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.set_nodelay(true)?;
        let channel: Box<dyn Channel> = Box::new(socket.try_clone()?);
        Ok(Self { socket, channel: BufReader::new(channel) })
    }

    /// Connects and speaks TLS at once.
    pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        Self::connect(address)?.into_tls(config, name)
    }

    /// Sets another limit for each wait.
    pub fn set_timeout(&self, limit: Duration) {
        self.socket.set_read_timeout(Some(limit)).expect("the limit is not zero");
    }

    /// Sends STARTTLS, expects 220 and completes the handshake.
    pub fn starttls(mut self, config: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let reply = self.command("STARTTLS")?;
        if reply.code != 220 {
            return Err(io::Error::other(format!("STARTTLS refused: {reply:?}")));
        }
        self.into_tls(config, name)
    }

    /// Sends a line and reads the reply.
    pub fn command(&mut self, line: &str) -> io::Result<Reply> {
        self.send(&format!("{line}\r\n"))?;
        self.reply()
    }

    /// Sends text as it is.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.channel.get_mut().write_all(text.as_bytes())?;
        self.channel.get_mut().flush()
    }

    /// Reads one reply, of one or several lines.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("no reply: {line:?}")))?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Reads one line of a reply, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.channel.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// AUTH PLAIN with initial response.
    pub fn auth_plain(&mut self, user: &str, password: &str) -> io::Result<Reply> {
        let message = BASE64.encode(format!("\0{user}\0{password}"));
        self.command(&format!("AUTH PLAIN {message}"))
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.channel.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn into_tls(self, config: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        assert!(self.channel.buffer().is_empty(), "the server sent more than its reply before TLS");
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, self.socket.try_clone()?);
        stream.conn.complete_io(&mut stream.sock)?;
        let channel: Box<dyn Channel> = Box::new(stream);
        Ok(Self { socket: self.socket, channel: BufReader::new(channel) })
    }
}
