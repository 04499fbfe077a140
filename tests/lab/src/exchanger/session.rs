//! One session of an exchanger.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::recipient::{Form, Meaning, meaning, path};
use super::{ACCEPTED, ExchangerOptions, StartTls};
use crate::acceptor::Stop;
use crate::host::{self, Dialogue, Flow, Service};
use crate::wire::Wire;

/// What the sessions of one server have in common.
#[derive(Debug, Default)]
pub(super) struct Memory {
    data_commands: AtomicUsize,
    messages: AtomicUsize,
    server_names: Mutex<Vec<Option<String>>>,
    /// First attempt by client, sender and recipient.
    attempts: Mutex<HashMap<String, Instant>>,
}

impl Memory {
    pub(super) fn data_commands(&self) -> usize {
        self.data_commands.load(Ordering::SeqCst)
    }

    pub(super) fn server_names(&self) -> Vec<Option<String>> {
        self.server_names.lock().unwrap().clone()
    }

    pub(super) fn messages(&self) -> usize {
        self.messages.load(Ordering::SeqCst)
    }
}

/// Greets a client and serves it.
pub(super) fn serve(
    number: usize,
    wire: Wire,
    stop: &Stop,
    options: &ExchangerOptions,
    config: Option<&Arc<ServerConfig>>,
    memory: &Memory,
) -> io::Result<()> {
    let dialogue = Dialogue { wire, host_name: &options.host_name, starttls: config };
    let session = Session {
        dialogue,
        stop,
        options,
        memory,
        is_greeted: false,
        sender: None,
        recipients: 0,
        errors: 0,
    };
    session.run(number)
}

struct Session<'a> {
    dialogue: Dialogue<'a>,
    stop: &'a Stop,
    options: &'a ExchangerOptions,
    memory: &'a Memory,
    /// By EHLO or HELO.
    is_greeted: bool,
    /// Of the transaction that is open.
    sender: Option<Sender>,
    recipients: usize,
    errors: usize,
}

#[derive(Clone)]
struct Sender {
    path: String,
    smtputf8: bool,
}

impl<'a> Service<'a> for Session<'a> {
    fn dialogue(&mut self) -> &mut Dialogue<'a> {
        &mut self.dialogue
    }

    fn command(&mut self, line: &str) -> io::Result<Flow> {
        if self.hangs_up(line) {
            return Ok(Flow::Quit);
        }
        let (verb, rest) = host::split(line);
        match verb.as_str() {
            "QUIT" => {
                self.say("221 2.0.0 Bye")?;
                return Ok(Flow::Quit);
            }
            "NOOP" => self.say("250 2.0.0 Ok")?,
            "EHLO" | "HELO" => self.greet(&verb, rest)?,
            "STARTTLS" => return self.starttls(),
            _ if self.must_encrypt() => self.say("530 5.7.0 Must issue a STARTTLS command first")?,
            "RSET" => {
                self.reset();
                self.say("250 2.0.0 Ok")?;
            }
            "VRFY" => self.say("252 2.0.0 Send some mail, and see")?,
            "MAIL" => self.mail(rest)?,
            "RCPT" => self.rcpt(rest)?,
            "DATA" => return self.data(),
            _ => self.say("500 5.5.2 Error: command not recognized")?,
        }
        self.flow()
    }
}

impl<'a> Session<'a> {
    fn run(mut self, number: usize) -> io::Result<()> {
        if self.options.refused_connections.contains(&number) {
            self.dialogue.say(&self.options.refusal)?;
            self.dialogue.wire.finish();
            return Ok(());
        }
        if let Some(teaser) = &self.options.teaser {
            self.dialogue.say(&teaser.line)?;
            if !self.stop.sleep(teaser.delay) {
                return Ok(());
            }
        }
        self.dialogue.say(&self.options.banner)?;
        self.converse()
    }

    /// Answers and counts errors.
    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.say_in_time(reply)?;
        self.errors += usize::from(reply.starts_with(['4', '5']));
        Ok(())
    }

    /// Answers late when there were too many errors before.
    fn say_in_time(&mut self, reply: &str) -> io::Result<()> {
        if let Some(limits) = self.options.error_limits
            && self.errors >= limits.soft
            && !self.stop.sleep(limits.delay)
        {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.dialogue.say(reply)
    }

    /// [`Session::say`] with the address that the reply is about.
    fn say_of(&mut self, address: &str, reply: &str) -> io::Result<()> {
        self.say(&reply.replace("{}", address))
    }

    fn flow(&mut self) -> io::Result<Flow> {
        if self.options.error_limits.is_none_or(|limits| self.errors < limits.hard) {
            return Ok(Flow::Next);
        }
        let name = &self.options.host_name;
        self.say_in_time(&format!("421 4.7.0 {name} Error: too many errors"))?;
        Ok(Flow::Quit)
    }

    fn hangs_up(&self, line: &str) -> bool {
        let start = self.options.hang_up_at.as_deref();
        start.is_some_and(|start| {
            line.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
        })
    }

    fn must_encrypt(&self) -> bool {
        self.options.tls_demanded && self.dialogue.offers_starttls()
    }

    fn reset(&mut self) {
        (self.sender, self.recipients) = (None, 0);
    }

    fn greet(&mut self, verb: &str, name: &str) -> io::Result<()> {
        if name.is_empty() {
            return self.say(&format!("501 5.5.4 Syntax: {verb} hostname"));
        }
        if verb == "EHLO" && self.options.ehlo_refused {
            return self.say("502 5.5.1 Error: command not implemented");
        }
        self.reset();
        self.is_greeted = true;
        if verb == "HELO" {
            return self.say(&format!("250 {}", self.options.host_name));
        }
        let smtputf8 = self.options.smtputf8.then_some("SMTPUTF8");
        let keywords = ["PIPELINING", "SIZE 10240000", "ENHANCEDSTATUSCODES", "8BITMIME"];
        let keywords: Vec<_> = keywords.into_iter().chain(smtputf8).map(str::to_owned).collect();
        self.dialogue.ehlo(&keywords)
    }

    fn starttls(&mut self) -> io::Result<Flow> {
        if self.options.starttls != StartTls::Works && self.dialogue.offers_starttls() {
            return self.fail_starttls();
        }
        let begun = self.dialogue.starttls();
        if !matches!(begun, Ok(false)) {
            let name = self.dialogue.wire.server_name().map(str::to_owned);
            self.memory.server_names.lock().unwrap().push(name);
        }
        if begun? {
            // RFC 3207 4.2: whatever was said in clear is forgotten.
            self.reset();
            self.is_greeted = false;
        }
        self.flow()
    }

    fn fail_starttls(&mut self) -> io::Result<Flow> {
        if let StartTls::Refused(reply) = &self.options.starttls {
            self.say(reply)?;
            return self.flow();
        }
        self.dialogue.say("220 2.0.0 Ready to start TLS")?;
        let _hello = self.dialogue.wire.some()?;
        match self.options.starttls {
            StartTls::Garbage => self.dialogue.say("421 4.3.0 tls_process_client_hello: internal error")?,
            StartTls::Silence => while self.stop.sleep(Duration::from_hours(1)) {},
            StartTls::Works | StartTls::Refused(_) | StartTls::Closed => {}
        }
        Ok(Flow::Quit)
    }

    fn mail(&mut self, arguments: &str) -> io::Result<()> {
        if !self.is_greeted {
            return self.say("503 5.5.1 Error: send HELO/EHLO first");
        }
        if self.sender.is_some() {
            return self.say("503 5.5.1 Error: nested MAIL command");
        }
        let Some((path, parameters)) = path(arguments, "FROM:") else {
            return self.say("501 5.5.4 Syntax: MAIL FROM:<address>");
        };
        let has = |keyword: &str| parameters.iter().any(|given| given.eq_ignore_ascii_case(keyword));
        let smtputf8 = self.options.smtputf8 && has("SMTPUTF8");
        let is_known = |given: &&str| {
            let keyword = given.split('=').next().unwrap_or(given).to_ascii_uppercase();
            matches!(keyword.as_str(), "SIZE" | "BODY") || (keyword == "SMTPUTF8" && self.options.smtputf8)
        };
        if !parameters.iter().all(is_known) {
            return self.say("555 5.5.4 Unsupported option");
        }
        if !path.is_ascii() && !smtputf8 {
            return self.say("553 5.6.7 Must declare SMTPUTF8 to send unicode address");
        }
        let senders = &self.options.senders;
        let reply = senders.get(&path.to_lowercase()).or_else(|| senders.get("*"));
        let reply = reply.map_or("250 2.1.0 Ok", String::as_str);
        if reply.starts_with('2') {
            self.sender = Some(Sender { path: path.to_owned(), smtputf8 });
        }
        self.say_of(path, reply)
    }

    fn rcpt(&mut self, arguments: &str) -> io::Result<()> {
        let Some(sender) = self.sender.clone() else {
            return self.say("503 5.5.1 Error: need MAIL command");
        };
        let Some((path, parameters)) = path(arguments, "TO:") else {
            return self.say("501 5.5.4 Syntax: RCPT TO:<address>");
        };
        if !parameters.is_empty() {
            return self.say("555 5.5.4 Unsupported option");
        }
        if !path.is_ascii() && !sender.smtputf8 {
            return self.say("553 5.6.7 Must declare SMTPUTF8 to send unicode address");
        }
        if self.recipients >= self.options.recipients_per_message {
            // Not the client's fault: it may send the others in a further message.
            return self.say_in_time("452 4.5.3 Error: too many recipients");
        }
        let mut reply = self.judge(path, &sender);
        if let Some(greylisting) = &self.options.greylisting
            && (reply.starts_with('2') || (greylisting.before_users && reply == self.options.unknown))
            && self.is_too_early(path, &sender, greylisting.delay)?
        {
            reply = &greylisting.reply;
        }
        self.recipients += usize::from(reply.starts_with('2'));
        self.say_of(path, reply)
    }

    /// The answer to a recipient before any greylisting.
    fn judge(&self, path: &str, sender: &Sender) -> &'a str {
        let options = self.options;
        if let Some(reply) = options.answers.get(&path.to_lowercase()) {
            return reply;
        }
        let literal = self.literal();
        let domains = || options.local_domains.iter().chain(&literal);
        let is_local = |domain: &str| domains().any(|own| own.eq_ignore_ascii_case(domain));
        match meaning(path, is_local) {
            Meaning::Malformed => "501 5.1.3 Bad recipient address syntax",
            Meaning::Local(_) if options.catch_all => ACCEPTED,
            Meaning::Local(name) if options.recipients.iter().any(|own| own.eq_ignore_ascii_case(&name)) => {
                ACCEPTED
            }
            Meaning::Local(_) => &options.unknown,
            Meaning::Foreign(form) if self.is_open_for(form, sender) => ACCEPTED,
            Meaning::Foreign(Form::Percent | Form::Bang | Form::Quoted) if options.catch_all => ACCEPTED,
            Meaning::Foreign(_) => &options.foreign,
        }
    }

    /// The server's own address as the domain of a mailbox (RFC 5321 4.1.3).
    fn literal(&self) -> Option<String> {
        let own = self.dialogue.wire.socket().local_addr().ok()?.ip();
        Some(if own.is_ipv4() { format!("[{own}]") } else { format!("[IPv6:{own}]") })
    }

    fn is_open_for(&self, form: Form, sender: &Sender) -> bool {
        let open_for = &self.options.open_for;
        let by_sender =
            form == Form::Plain && sender.path.is_empty() && open_for.contains(&Form::EmptySender);
        by_sender || open_for.contains(&form)
    }

    /// Whether this is the client's first attempt, or too soon after it.
    fn is_too_early(&self, path: &str, sender: &Sender, delay: Duration) -> io::Result<bool> {
        let client = self.dialogue.wire.socket().peer_addr()?.ip();
        let key = format!("{client} {} {}", sender.path, path).to_lowercase();
        let now = Instant::now();
        let first = *self.memory.attempts.lock().unwrap().entry(key).or_insert(now);
        Ok(first == now || now.duration_since(first) < delay)
    }

    fn data(&mut self) -> io::Result<Flow> {
        self.memory.data_commands.fetch_add(1, Ordering::SeqCst);
        if self.recipients == 0 {
            let has_sender = self.sender.is_some();
            self.say(if has_sender {
                "554 5.5.1 Error: no valid recipients"
            } else {
                "503 5.5.1 Error: need RCPT command"
            })?;
            return self.flow();
        }
        self.say("354 End data with <CR><LF>.<CR><LF>")?;
        while let Some(line) = self.dialogue.read()? {
            if line == "." {
                self.memory.messages.fetch_add(1, Ordering::SeqCst);
                self.reset();
                self.say("250 2.0.0 Ok: queued")?;
                return self.flow();
            }
        }
        // The client has gone before the dot: nothing was taken (RFC 5321 4.1.1.4).
        Ok(Flow::Quit)
    }
}
