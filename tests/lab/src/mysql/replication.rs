//! Servers that follow one another: pairs, chains and replicas of several sources, with GTIDs, each through a [`Link`].

use std::time::{Duration, Instant};
use std::{array, thread};

use super::client::Row;
use super::link::Link;
use super::server::{Server, ServerOptions};
use super::{Account, Release};

/// How long a replica may take to come into a state.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a replica follows its source.
#[derive(Clone, Debug, Default)]
pub struct Following {
    channel: String,
    heartbeat: Option<f32>,
    retries: Option<u32>,
}

impl Following {
    /// Through this channel (MariaDB: connection); the default one has no name.
    #[must_use]
    pub fn channel(mut self, name: &str) -> Self {
        name.clone_into(&mut self.channel);
        self
    }

    /// The source says so many seconds after its last event that it is there; the servers' own default is 30.
    #[must_use]
    pub fn heartbeat(mut self, seconds: f32) -> Self {
        self.heartbeat = Some(seconds);
        self
    }

    /// Gives up after so many attempts, a second apart. MariaDB has no such number for a single channel.
    #[must_use]
    pub fn retries(mut self, number: u32) -> Self {
        self.retries = Some(number);
        self
    }

    fn statement(&self, release: Release, port: u16) -> String {
        let (word, gtid) = if release.is_mariadb() {
            ("MASTER", "MASTER_USE_GTID=slave_pos".to_owned())
        } else {
            ("SOURCE", "SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1".to_owned())
        };
        let (user, password) = (Account::Replication.user(), Account::Replication.password());
        let mut settings = format!(
            "{word}_HOST='127.0.0.1', {word}_PORT={port}, {word}_USER='{user}', {word}_PASSWORD='{password}', \
             {word}_CONNECT_RETRY=1, {word}_SSL=0, {gtid}"
        );
        if let Some(seconds) = self.heartbeat {
            settings += &format!(", {word}_HEARTBEAT_PERIOD={seconds}");
        }
        if let Some(number) = self.retries.filter(|_| !release.is_mariadb()) {
            settings += &format!(", {word}_RETRY_COUNT={number}");
        }
        let verb = if release.is_mariadb() { "CHANGE MASTER TO" } else { "CHANGE REPLICATION SOURCE TO" };
        format!("{verb} {settings} FOR CHANNEL '{}'", self.channel)
    }
}

/// What a replica says about one channel.
#[derive(Clone, Debug)]
pub struct Channel(Row);

impl Channel {
    /// A column by its newer name (`Replica_IO_Running`), in whichever vocabulary it came; `None` for NULL.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        let old = column.replace("Replica_", "Slave_").replace("Source", "Master");
        self.0.get(column).or_else(|| self.0.get(&old))
    }

    /// Name of the channel; empty for the default one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get("Channel_Name").or_else(|| self.0.get("Connection_name")).unwrap_or_default()
    }

    /// States of the thread that receives and of the one that applies: `Yes`, `No`, `Connecting`.
    #[must_use]
    pub fn threads(&self) -> [&str; 2] {
        ["Replica_IO_Running", "Replica_SQL_Running"].map(|column| self.get(column).unwrap_or_default())
    }

    /// Error numbers of both threads.
    #[must_use]
    pub fn errors(&self) -> [u32; 2] {
        ["Last_IO_Errno", "Last_SQL_Errno"].map(|column| {
            let number = self.get(column).and_then(|number| number.parse().ok());
            number.unwrap_or_else(|| panic!("no {column}: {self:?}"))
        })
    }

    /// Seconds behind; `None` for NULL.
    #[must_use]
    pub fn lag(&self) -> Option<u32> {
        self.get("Seconds_Behind_Source").and_then(|seconds| seconds.parse().ok())
    }

    /// The row as the server sent it.
    #[must_use]
    pub fn row(&self) -> &Row {
        &self.0
    }
}

impl Server {
    /// Begins to follow a source on this port of 127.0.0.1.
    pub fn follow(&self, port: u16, following: &Following) {
        let change = following.statement(self.release(), port);
        let mut admin = self.admin();
        admin.run(&[&change]);
        admin.run(&[&format!("START REPLICA FOR CHANNEL '{}'", following.channel)]);
    }

    /// The statement that shows all channels.
    #[must_use]
    pub fn status_statement(&self) -> &'static str {
        if self.release().is_mariadb() { "SHOW ALL SLAVES STATUS" } else { "SHOW REPLICA STATUS" }
    }

    /// All its channels.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.admin().rows(self.status_statement()).into_iter().map(Channel).collect()
    }

    /// The channel of this name.
    #[must_use]
    pub fn channel(&self, name: &str) -> Channel {
        let channels = self.channels();
        let found = channels.iter().find(|channel| channel.name() == name);
        found.cloned().unwrap_or_else(|| panic!("no channel {name:?}: {channels:?}"))
    }

    /// Waits until the channel is in a state, and returns it.
    pub fn wait_for(&self, channel: &str, what: &str, ready: impl Fn(&Channel) -> bool) -> Channel {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.channel(channel);
            if ready(&seen) {
                return seen;
            }
            assert!(Instant::now() < until, "no {what}: {seen:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a statement such as `STOP REPLICA` for one channel.
    pub fn replica(&self, statement: &str, channel: &str) {
        self.admin().run(&[&format!("{statement} FOR CHANNEL '{channel}'")]);
    }

    /// Makes the table that [`Server::write`] writes to.
    pub fn make_table(&self) {
        self.admin().run(&["CREATE TABLE lab.data (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(64))"]);
    }

    /// Writes a row with this value.
    pub fn write(&self, value: &str) {
        self.admin().run(&[&format!("INSERT INTO lab.data (v) VALUES ('{value}')")]);
    }

    /// Whether a row with this value is there.
    #[must_use]
    pub fn has(&self, value: &str) -> bool {
        // The table itself may not be there yet.
        let rows = self.admin().query(&format!("SELECT id FROM lab.data WHERE v = '{value}'"));
        rows.is_ok_and(|rows| !rows.is_empty())
    }

    /// Waits until a row with this value has arrived and the default channel shows that it is through with it, which
    /// MySQL is a moment later.
    pub fn settle(&self, value: &str) {
        self.wait_row(value);
        self.wait_for("", "end of the work", |channel| {
            let positions = ["Read_Source_Log_Pos", "Exec_Source_Log_Pos"].map(|column| channel.get(column));
            channel.lag() == Some(0) && positions[0] == positions[1]
        });
    }

    /// Waits until a row with this value has arrived.
    pub fn wait_row(&self, value: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.has(value) {
            assert!(Instant::now() < until, "no row {value}: {:?}\n{}", self.channels(), self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A source and its replica, which has applied everything.
#[derive(Debug)]
pub struct Pair {
    /// The replica, through its default channel.
    pub replica: Server,
    /// The line between the two.
    pub link: Link,
    /// The source.
    pub source: Server,
}

impl Pair {
    /// Two servers of this release.
    #[must_use]
    pub fn start(release: Release) -> Self {
        let options = ServerOptions::of(release);
        Self::with(&options, &options, &Following::default())
    }

    /// A source and a replica with options of their own.
    #[must_use]
    pub fn with(source: &ServerOptions, replica: &ServerOptions, following: &Following) -> Self {
        let [source, replica] = Server::start_all([source, replica]);
        let link = Link::start(source.addr());
        replica.follow(link.port(), following);
        source.make_table();
        source.write("first");
        replica.settle("first");
        Self { replica, link, source }
    }

    /// The replica's only channel.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let mut channels = self.replica.channels();
        assert_eq!(channels.len(), 1, "{channels:?}");
        channels.remove(0)
    }

    /// Waits until the replica's only channel is in a state, and returns it.
    pub fn wait_for(&self, what: &str, ready: impl Fn(&Channel) -> bool) -> Channel {
        let name = self.channel().name().to_owned();
        self.replica.wait_for(&name, what, ready)
    }
}

/// A replica of a replica.
#[derive(Debug)]
pub struct Chain {
    /// The replica at the end.
    pub last: Server,
    /// Both a replica and a source.
    pub middle: Server,
    /// The source of all.
    pub first: Server,
}

impl Chain {
    /// Three servers of this release.
    #[must_use]
    pub fn start(release: Release) -> Self {
        Self::with(&ServerOptions::of(release))
    }

    /// Three servers with the same options.
    #[must_use]
    pub fn with(options: &ServerOptions) -> Self {
        let [first, middle, last] = Server::start_all([options, options, options]);
        middle.follow(first.port(), &Following::default());
        last.follow(middle.port(), &Following::default());
        first.make_table();
        first.write("first");
        last.settle("first");
        Self { last, middle, first }
    }
}

/// A replica of several sources.
#[derive(Debug)]
pub struct MultiSource<const N: usize> {
    /// The replica.
    pub replica: Server,
    /// The lines, in the order of the channels.
    pub links: [Link; N],
    /// The sources, in the order of the channels.
    pub sources: [Server; N],
}

impl<const N: usize> MultiSource<N> {
    /// A replica with these channels, each to a source of its own.
    #[must_use]
    pub fn start(release: Release, channels: [&str; N]) -> Self {
        let options = array::from_fn(|number| {
            let options = ServerOptions::of(release);
            // MariaDB keeps a position for each domain, not for each source.
            if release.is_mariadb() {
                options.argument(&format!("--gtid-domain-id={}", number + 1))
            } else {
                options
            }
        });
        let of_replica = ServerOptions::of(release);
        let (sources, replica) = thread::scope(|scope| {
            let replica = scope.spawn(|| Server::start(&of_replica));
            let options: [&ServerOptions; N] = options.each_ref();
            (Server::start_all(options), replica.join().expect("the reason is above"))
        });
        let links = sources.each_ref().map(|source| Link::start(source.addr()));
        for ((channel, link), source) in channels.iter().zip(&links).zip(&sources) {
            replica.follow(link.port(), &Following::default().channel(channel));
            source.admin().run(&[&format!("CREATE TABLE lab.from_{} (id INT PRIMARY KEY)", source.id())]);
            replica.wait_for(channel, "healthy channel", |seen| seen.threads() == ["Yes", "Yes"]);
        }
        Self { replica, links, sources }
    }
}
