//! What breaks replication, made for real. Each returns when the replica shows it.
#![expect(
    clippy::must_use_candidate,
    reason = "a fault is made for what it does; the status is there to look at"
)]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::Account;
use super::client::Client;
use super::replication::{Chain, Channel, Pair};

const PATIENCE: Duration = Duration::from_secs(20);

/// Locks of a session, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _holder: Client,
}

/// What keeps the file system of the relay logs full; the space is free again when it is dropped.
#[derive(Debug)]
pub struct FullDisk {
    filler: PathBuf,
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        // The server may have ended, and its file system with it.
        let _ = fs::remove_file(&self.filler);
    }
}

impl Pair {
    /// An operator stops the thread that receives.
    pub fn stop_io_thread(&self) -> Channel {
        self.replica.replica("STOP REPLICA IO_THREAD", "");
        self.wait_for("stopped IO thread", |channel| channel.threads() == ["No", "Yes"])
    }

    /// An operator stops the thread that applies.
    pub fn stop_sql_thread(&self) -> Channel {
        self.replica.replica("STOP REPLICA SQL_THREAD", "");
        self.wait_for("stopped SQL thread", |channel| channel.threads() == ["Yes", "No"])
    }

    /// Somebody wrote to the replica what the source writes now: error 1062.
    pub fn duplicate_key(&self) -> Channel {
        self.source.write("before");
        self.replica.wait_row("before");
        self.replica
            .admin()
            .run(&["SET SESSION sql_log_bin = 0", "INSERT INTO lab.data (v) VALUES ('by hand')"]);
        self.source.write("the same key");
        self.wait_for("error 1062", |channel| channel.threads()[1] == "No" && channel.errors()[1] == 1062)
    }

    /// The source is killed: error 2003, and again and again.
    pub fn kill_source(&mut self) -> Channel {
        self.source.kill();
        self.link.close();
        self.wait_for("attempt to connect again", |channel| {
            channel.threads()[0] == "Connecting" && channel.errors()[0] == 2003
        })
    }

    /// The source is killed and the replica gives up; it must have been told to after few attempts.
    pub fn outlive_retries(&mut self) -> Channel {
        self.source.kill();
        self.link.close();
        self.wait_for("end of the attempts", |channel| channel.threads() == ["No", "Yes"])
    }

    /// The source is there again.
    pub fn revive_source(&mut self) {
        self.source.start_again(&[]);
        self.link.open();
    }

    /// The line goes silent and the source writes on. The replica notices nothing, so this returns at once.
    pub fn black_hole(&self) {
        self.link.freeze();
        for value in ["lost", "lost again"] {
            self.source.write(value);
        }
    }

    /// The source knows the replica's account by another password: error 1045.
    pub fn change_password(&self) -> Channel {
        let user = Account::Replication.user();
        let mut admin = self.source.admin();
        admin
            .run(&["SET SESSION sql_log_bin = 0", &format!("ALTER USER {user}@'%' IDENTIFIED BY 'another'")]);
        for row in admin.rows(&format!("SELECT id FROM information_schema.processlist WHERE user = '{user}'"))
        {
            // It may have ended meanwhile.
            let _ = admin.query(&format!("KILL {}", row.get("id").expect("a number")));
        }
        self.wait_for("error 1045", |channel| {
            channel.threads()[0] == "Connecting" && channel.errors()[0] == 1045
        })
    }

    /// The source has removed what the replica has not got yet: error 1236 (MariaDB) or 13114 (MySQL).
    pub fn purge_binary_logs(&self) -> Channel {
        self.replica.replica("STOP REPLICA", "");
        self.source.write("purged");
        let mut admin = self.source.admin();
        admin.run(&["FLUSH BINARY LOGS"]);
        self.source.write("kept");
        let logs = admin.rows("SHOW BINARY LOGS");
        let last = logs.last().and_then(|row| row.get("Log_name")).expect("there is a binary log").to_owned();
        let until = Instant::now() + PATIENCE;
        // A session of the replica that has not noticed its end keeps the log that it reads.
        while admin.rows("SHOW BINARY LOGS").len() > 1 {
            assert!(Instant::now() < until, "somebody reads the old logs");
            self.end_dumps();
            admin.run(&[&format!("PURGE BINARY LOGS TO '{last}'")]);
        }
        self.replica.replica("START REPLICA", "");
        self.wait_for("purged log", |channel| {
            channel.threads() == ["No", "Yes"] && [1236, 13114].contains(&channel.errors()[0])
        })
    }

    /// Ends the sessions of replicas on the source.
    fn end_dumps(&self) {
        let mut admin = self.source.admin();
        let user = Account::Replication.user();
        for row in admin.rows(&format!("SELECT id FROM information_schema.processlist WHERE user = '{user}'"))
        {
            // It may have ended meanwhile.
            let _ = admin.query(&format!("KILL {}", row.get("id").expect("a number")));
        }
    }

    /// The replica applies everything so many seconds late by design, and something waits.
    pub fn delay(&self, seconds: u32) -> Channel {
        self.replica.replica("STOP REPLICA", "");
        let change = if self.replica.release().is_mariadb() {
            format!("CHANGE MASTER TO MASTER_DELAY = {seconds}")
        } else {
            format!("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}")
        };
        self.replica.replica(&change, "");
        self.replica.replica("START REPLICA", "");
        self.source.write("delayed");
        self.wait_for("event that waits", |channel| channel.get("SQL_Remaining_Delay").is_some())
    }

    /// A session on the replica holds a lock that an event waits for, until the lag has reached so many seconds.
    pub fn lag(&self, seconds: u32) -> (Lock, Channel) {
        let mut holder = self.replica.admin();
        holder.run(&["LOCK TABLES lab.data READ"]);
        self.source.write("locked out");
        let channel = self.wait_for("lag", |channel| channel.lag().is_some_and(|lag| lag >= seconds));
        (Lock { _holder: holder }, channel)
    }

    /// The file system of the relay logs is full, and the source has more for it. The replica needs
    /// [`relay_disk`](super::server::ServerOptions::relay_disk). MariaDB does not answer any question about
    /// replication from then on.
    pub fn fill_relay_disk(&self) -> FullDisk {
        let filler = self.replica.relay_folder().join("filler");
        let mut file =
            OpenOptions::new().create_new(true).write(true).open(&filler).expect("the folder is there");
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = FullDisk { filler };
        // What is left of a page may hold a first event.
        self.source.write(&"x".repeat(60));
        self.source.admin().run(&["CREATE TABLE lab.large (t LONGTEXT)"]);
        self.source.admin().run(&["INSERT INTO lab.large VALUES (REPEAT('x', 100000))"]);
        let until = Instant::now() + PATIENCE;
        while !self.waits_for_space() {
            assert!(Instant::now() < until, "the disk is not full: {}", self.replica.log());
            thread::sleep(Duration::from_millis(50));
        }
        full
    }

    /// Whether the thread that receives says so in the list of processes, which answers all the time.
    #[must_use]
    pub fn waits_for_space(&self) -> bool {
        let rows = self.replica.admin().rows("SELECT state FROM information_schema.processlist");
        rows.iter().any(|row| {
            row.get("state").is_some_and(|state| state.contains("free space") || state.contains("disk space"))
        })
    }

    /// An operator has told the replica to go on until a transaction that is far away.
    pub fn run_until(&self) -> Channel {
        let condition = if self.source.release().is_mariadb() {
            format!("master_gtid_pos = '0-{}-999'", self.source.id())
        } else {
            format!("SQL_AFTER_GTIDS = '{}:999'", self.source.admin().value("SELECT @@server_uuid"))
        };
        self.replica.replica("STOP REPLICA", "");
        // Without a name it is the default channel, which MariaDB cannot be told here.
        self.replica.admin().run(&[&format!("START REPLICA UNTIL {condition}")]);
        self.wait_for("running threads", |channel| channel.threads() == ["Yes", "Yes"])
    }

    /// An operator has told the replica to leave out the next event, which has not come yet. MySQL refuses that when
    /// it follows by GTIDs.
    pub fn skip_next(&self) -> Channel {
        self.replica.replica("STOP REPLICA SQL_THREAD", "");
        self.replica.admin().run(&["SET GLOBAL sql_slave_skip_counter = 1"]);
        self.replica.replica("START REPLICA SQL_THREAD", "");
        self.wait_for("running threads", |channel| channel.threads() == ["Yes", "Yes"])
    }

    /// Its position is forgotten, its source is not.
    pub fn reset(&self) -> Channel {
        self.replica.replica("STOP REPLICA", "");
        self.replica.replica("RESET REPLICA", "");
        self.wait_for("reset replica", |channel| channel.threads() == ["No", "No"])
    }

    /// It is a replica no more.
    pub fn reset_all(&self) {
        self.replica.replica("STOP REPLICA", "");
        self.replica.replica("RESET REPLICA ALL", "");
        assert!(self.replica.channels().is_empty(), "it still follows");
    }

    /// Somebody wrote to the replica, which has a transaction now that the source does not have.
    pub fn errant_transaction(&self) {
        self.replica.admin().run(&["CREATE TABLE lab.errant (id INT PRIMARY KEY)"]);
    }

    /// The replica starts again with another name for its relay logs and does not find the old ones. The status gives
    /// no reason; the log does.
    pub fn rename_relay_logs(&mut self) -> Channel {
        self.replica.stop();
        let other = self.replica.folder().join("relay/renamed");
        self.replica.start_again(&[&format!("--relay-log={}", other.display())]);
        self.wait_for("replica that does not start", |channel| channel.threads() == ["No", "No"])
    }

    /// Both sides confirm commits to each other.
    pub fn semi_sync(&self) {
        let settings = if self.source.release().is_mariadb() {
            [
                vec![
                    "SET GLOBAL rpl_semi_sync_master_enabled = 1, GLOBAL rpl_semi_sync_master_timeout = 500",
                ],
                vec!["SET GLOBAL rpl_semi_sync_slave_enabled = 1"],
            ]
        } else {
            [
                vec![
                    "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
                    "SET GLOBAL rpl_semi_sync_source_enabled = 1",
                    "SET GLOBAL rpl_semi_sync_source_timeout = 500",
                ],
                vec![
                    "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'",
                    "SET GLOBAL rpl_semi_sync_replica_enabled = 1",
                ],
            ]
        };
        self.source.admin().run(&settings[0]);
        self.replica.admin().run(&settings[1]);
        self.replica.replica("STOP REPLICA IO_THREAD", "");
        self.replica.replica("START REPLICA IO_THREAD", "");
        self.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
    }

    /// The source waits in vain for a confirmation and goes on without.
    pub fn degrade_semi_sync(&self) {
        self.stop_io_thread();
        self.source.write("unconfirmed");
    }
}

impl Chain {
    /// The replica in the middle applies nothing more, which the one behind it cannot see.
    pub fn stall(&self) -> Channel {
        self.middle.replica("STOP REPLICA SQL_THREAD", "");
        self.first.write("held up");
        self.last.channel("")
    }
}
