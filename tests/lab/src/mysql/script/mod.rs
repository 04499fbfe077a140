//! A scripted server of MySQL: it greets, lets in with either plugin, over TLS or without, and answers statements with
//! the rows, errors, silence or nonsense of its script.
//! ```
//! use lab::mysql::script::{Fixture, Script, ScriptedServer};
//! let status = Fixture::MySql80.status().set("Slave_IO_Running", "No");
//! let server = ScriptedServer::start(Script::of(Fixture::MySql80).status(&status));
//! assert_ne!(server.port(), 0);
//! ```

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;

pub use self::answer::{Answer, Table};
pub use self::fixture::Fixture;
pub use self::login::{Login, RsaKey};

use super::Account;
use super::packet;
use crate::acceptor::{Acceptor, Stop};
use crate::wire::{Transcript, Wire};

mod answer;
mod fixture;
pub mod hostile;
mod login;
mod tables;

/// What a [`ScriptedServer`] does. As it is: MySQL 8.0, the accounts of [`Account`], error 1064 for every statement.
#[derive(Clone, Debug)]
pub struct Script {
    version: String,
    greeted_plugin: Option<&'static str>,
    login: Login,
    accounts: Vec<(String, String)>,
    tls: Option<Arc<ServerConfig>>,
    key: Option<Arc<RsaKey>>,
    instead_of_greeting: Option<Answer>,
    instead_of_login: Option<Answer>,
    answers: Vec<(String, Answer)>,
}

impl Script {
    /// A server that calls itself this.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let accounts = Account::ALL.map(|account| (account.user().to_owned(), account.password().to_owned()));
        Self {
            version: version.to_owned(),
            greeted_plugin: None,
            login: Login::default(),
            accounts: accounts.to_vec(),
            tls: None,
            key: None,
            instead_of_greeting: None,
            instead_of_login: None,
            answers: Vec::new(),
        }
    }

    /// A healthy replica of this release, with its name, its login and the statements for the status that it knows.
    #[must_use]
    pub fn of(fixture: Fixture) -> Self {
        let script = Self::new(fixture.version()).login(if fixture.is_mariadb() {
            Login::Native
        } else {
            Login::Fast
        });
        let status = fixture.status();
        fixture.statements().iter().fold(script, |script, (statement, vocabulary)| {
            script.answer(statement, fixture::in_vocabulary(&status, *vocabulary))
        })
    }

    /// The same answer to every statement for the status that it knows; the columns of the table are those of the
    /// fixture, and they come in the vocabulary of the statement.
    #[must_use]
    pub fn status(mut self, table: &Table) -> Self {
        for (statement, answer) in &mut self.answers {
            if let Some(vocabulary) = fixture::vocabulary_of(statement) {
                *answer = fixture::in_vocabulary(table, vocabulary).into();
            }
        }
        self
    }

    /// Any answer at all to every statement for the status that it knows.
    #[must_use]
    pub fn status_answer(mut self, wanted: &Answer) -> Self {
        for (statement, answer) in &mut self.answers {
            if fixture::vocabulary_of(statement).is_some() {
                *answer = wanted.clone();
            }
        }
        self
    }

    /// How it answers statements that have this text in them, in any case. The first match counts, and the last one
    /// added is looked at first.
    #[must_use]
    pub fn answer(mut self, part: &str, answer: impl Into<Answer>) -> Self {
        self.answers.insert(0, (part.to_ascii_lowercase(), answer.into()));
        self
    }

    /// How it lets in.
    #[must_use]
    pub fn login(mut self, login: Login) -> Self {
        self.login = login;
        self
    }

    /// Its greeting names another plugin than that of its accounts, which it asks for later.
    #[must_use]
    pub fn greets_with(mut self, login: Login) -> Self {
        self.greeted_plugin = Some(login.plugin());
        self
    }

    /// With one more account.
    #[must_use]
    pub fn account(mut self, user: &str, password: &str) -> Self {
        self.accounts.insert(0, (user.to_owned(), password.to_owned()));
        self
    }

    /// With TLS for those who ask for it.
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// With a key for passwords that come without TLS.
    #[must_use]
    pub fn key(mut self, key: &Arc<RsaKey>) -> Self {
        self.key = Some(Arc::clone(key));
        self
    }

    /// What it does instead of greeting. An error has no SQLSTATE there.
    #[must_use]
    pub fn instead_of_greeting(mut self, answer: Answer) -> Self {
        self.instead_of_greeting = Some(answer);
        self
    }

    /// What it does when the client has shown its name.
    #[must_use]
    pub fn instead_of_login(mut self, answer: Answer) -> Self {
        self.instead_of_login = Some(answer);
        self
    }

    fn answer_to(&self, statement: &str) -> Answer {
        let statement = statement.to_ascii_lowercase();
        let found = self.answers.iter().find(|(part, _)| statement.contains(part.as_str()));
        found.map_or_else(
            || Answer::error(1064, "You have an error in your SQL syntax; the script has no such statement"),
            |(_, answer)| answer.clone(),
        )
    }
}

/// What clients did so far.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    logins: Vec<String>,
    statements: Vec<String>,
    key_requests: usize,
    transcripts: Vec<Transcript>,
}

/// A running scripted server; stops when dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    acceptor: Acceptor,
    seen: Arc<Mutex<Seen>>,
}

impl ScriptedServer {
    /// Listens on a free port of 127.0.0.1.
    #[must_use]
    pub fn start(script: Script) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let acceptor = Acceptor::start((Ipv4Addr::LOCALHOST, 0).into(), move |number, stream, stop| {
            let mut talk = Conversation::new(&script, stop, &shared, number, stream);
            // An error means that the client is gone.
            let _ = talk.hold_whole();
        });
        Self { acceptor, seen }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The users that wanted in so far.
    #[must_use]
    pub fn logins(&self) -> Vec<String> {
        self.seen.lock().unwrap().logins.clone()
    }

    /// The statements of all connections so far, in order.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        self.seen.lock().unwrap().statements.clone()
    }

    /// How often a client asked for the public key.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        self.seen.lock().unwrap().key_requests
    }

    /// Whether a client sent these bytes outside TLS.
    #[must_use]
    pub fn has_seen_in_the_clear(&self, secret: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.transcripts.iter().any(|transcript| {
            let transcript = transcript.lock().unwrap();
            let mark = find(&transcript, crate::wire::TLS_MARK).unwrap_or(transcript.len());
            find(&transcript[..mark], secret.as_bytes()).is_some()
        })
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

const COM_QUIT: u8 = 1;
const COM_INIT_DB: u8 = 2;
const COM_QUERY: u8 = 3;
const COM_PING: u8 = 14;

/// One connection.
pub(crate) struct Conversation<'a> {
    script: &'a Script,
    stop: &'a Stop,
    seen: &'a Mutex<Seen>,
    wire: Wire,
    number: usize,
    salt: [u8; 20],
    sequence: u8,
}

impl<'a> Conversation<'a> {
    fn new(
        script: &'a Script,
        stop: &'a Stop,
        seen: &'a Mutex<Seen>,
        number: usize,
        stream: TcpStream,
    ) -> Self {
        let transcript = Transcript::default();
        {
            let mut seen = seen.lock().unwrap();
            seen.connections += 1;
            seen.transcripts.push(Arc::clone(&transcript));
        }
        // Differs from one connection to the next, and has no zero in it.
        let letters = (b'!'..=b'z').cycle().skip(number * 13 % 90).step_by(7);
        let mut salt = [0; 20];
        salt.iter_mut().zip(letters).for_each(|(byte, letter)| *byte = letter);
        Self {
            script,
            stop,
            seen,
            wire: Wire::new(stream, transcript),
            number: number + 1,
            salt,
            sequence: 0,
        }
    }

    fn hold_whole(&mut self) -> io::Result<()> {
        if let Some(answer) = &self.script.instead_of_greeting {
            return self.answer(answer);
        }
        if !login::admit(self)? {
            self.wire.finish();
            return Ok(());
        }
        loop {
            let payload = self.read()?;
            match payload.split_first() {
                Some((&COM_QUERY, statement)) => {
                    let statement = String::from_utf8_lossy(statement).into_owned();
                    let answer = self.script.answer_to(&statement);
                    self.seen.lock().unwrap().statements.push(statement);
                    self.answer(&answer)?;
                }
                Some((&(COM_PING | COM_INIT_DB), _)) => self.packet(&answer::OK)?,
                Some((&COM_QUIT, _)) | None => return Ok(()),
                Some(_) => self.packet(&answer::error(1047, "Unknown command"))?,
            }
        }
    }

    fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        match answer {
            Answer::Rows(table) => table.payloads().iter().try_for_each(|payload| self.packet(payload)),
            Answer::Done => self.packet(&answer::OK),
            Answer::Error(number, text) if self.sequence == 0 => {
                self.packet(&[&[0xff], &number.to_le_bytes()[..], text.as_bytes()].concat())
            }
            Answer::Error(number, text) => self.packet(&answer::error(*number, text)),
            Answer::Payloads(payloads) => payloads.iter().try_for_each(|payload| self.packet(payload)),
            Answer::HangAfter(packets, table) => {
                table.payloads().iter().take(*packets).try_for_each(|payload| self.packet(payload))?;
                self.hang()
            }
            Answer::Hang => self.hang(),
            Answer::Close => Err(io::ErrorKind::ConnectionAborted.into()),
            Answer::Reset => {
                SockRef::from(self.wire.socket()).set_linger(Some(Duration::ZERO))?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Answer::Bytes(bytes) => {
                self.wire.send(bytes)?;
                self.wire.finish();
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Answer::Endless => {
                let payloads = Table::of([("endless", Some("x".repeat(1000).as_str()))]).payloads();
                payloads[..3].iter().try_for_each(|payload| self.packet(payload))?;
                loop {
                    self.packet(&payloads[3])?;
                }
            }
        }
    }

    /// Keeps the connection and says nothing until the server stops.
    fn hang(&self) -> io::Result<()> {
        while self.stop.sleep(Duration::from_mins(1)) {}
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn packet(&mut self, payload: &[u8]) -> io::Result<()> {
        let bytes = packet::framed(self.sequence, payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.wire.send(&bytes)
    }

    /// The payload of the client's next packet.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut exact =
            |length| self.wire.exact(length)?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof));
        let header: Vec<u8> = exact(4)?;
        let (length, sequence) = packet::parse_header([header[0], header[1], header[2], header[3]]);
        let payload = exact(length)?;
        self.sequence = sequence.wrapping_add(1);
        Ok(payload)
    }

    fn start_tls(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        self.wire.start_tls(config)
    }

    fn is_tls(&self) -> bool {
        self.wire.is_tls()
    }

    fn note_login(&self, user: &str) {
        self.seen.lock().unwrap().logins.push(user.to_owned());
    }

    fn note_key_request(&self) {
        self.seen.lock().unwrap().key_requests += 1;
    }
}
