//! Runs check_mysql_slave on the lab's replicas.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use lab::mysql::replication::Pair;
use lab::mysql::server::Server;
use lab::mysql::{Account, Release};
use lab::output::State;

use super::{Check, Run};

/// Runs a scenario on MariaDB and on MySQL.
pub fn each(what: &str, scenario: impl Fn(Release) + Sync) {
    thread::scope(|scope| {
        for release in [Release::MariaDb, Release::MySql] {
            if !release.is_left_out(what) {
                let scenario = &scenario;
                scope.spawn(move || scenario(release));
            }
        }
    });
}

/// The same on a pair of each.
pub fn on_pairs(what: &str, scenario: impl Fn(Pair) + Sync) {
    each(what, |release| scenario(Pair::start(release)));
}

/// The check by the unix socket.
pub fn check(server: &Server, account: Account, words: &[&str]) -> Check {
    let file = server.folder().join("check.password");
    secret(&file, account.password());
    // The lab's replicas are writable, and their own first rows are errant.
    let quiet = [["--read-only", "ignore"], ["--errant", "off"]];
    let quiet = quiet.into_iter().filter(|[option, _]| !words.contains(option)).flatten();
    let check = Check::new("check_mysql_slave").args(["-u", account.user(), "-s"]).arg(server.socket());
    let check = check.arg("--password-file").arg(&file).arg("--state-dir").arg(server.folder().join("state"));
    check.args(quiet).args(words)
}

/// Runs it as the account that may see replication and nothing else.
pub fn gives(server: &Server, words: &[&str], state: State, said: &[&str]) -> Run {
    check(server, Account::Monitor, words).timeout(20.0).gives(state, said)
}

/// Takes away what earlier runs remembered.
pub fn forget(server: &Server) {
    let _ = fs::remove_dir_all(server.folder().join("state"));
}

/// An option file that leads to the unix socket of a server.
pub fn leads_to(server: &Server) -> String {
    option_file(server, &format!("socket={}", server.socket().display()))
}

/// An option file that leads to the port of a server.
pub fn leads_to_port(server: &Server) -> String {
    option_file(server, &format!("host=127.0.0.1\nport={}", server.port()))
}

/// The clock of pt-heartbeat --utc.
pub const UTC: &str = "UTC_TIMESTAMP(6)";
/// Its clock otherwise.
pub const LOCAL: &str = "NOW(6)";

/// The table as pt-heartbeat makes it, for the account of the check.
pub fn make_heartbeat_table(source: &Server) {
    source.admin().run(&[
        "CREATE TABLE lab.heartbeat (ts VARCHAR(26) NOT NULL, server_id INT UNSIGNED NOT NULL PRIMARY KEY, \
         file VARCHAR(255), position BIGINT UNSIGNED, relay_master_log_file VARCHAR(255), \
         exec_master_log_pos BIGINT UNSIGNED)",
        "GRANT SELECT ON lab.heartbeat TO monitor",
    ]);
}

/// A row as pt-heartbeat writes it on the source, so many seconds old, once it has arrived.
pub fn beat(source: &Server, replica: &Server, server_id: u32, clock: &str, age: i32) {
    let ts = format!("DATE_FORMAT({clock} - INTERVAL {age} SECOND, '%Y-%m-%dT%H:%i:%s.%f')");
    let values = format!("{ts}, {server_id}, 'binlog.000001', 4, NULL, NULL");
    source.admin().run(&[&format!("REPLACE INTO lab.heartbeat VALUES ({values})")]);
    let word = format!("{server_id} {clock} {age}");
    source.write(&word);
    replica.wait_row(&word);
}

fn option_file(server: &Server, place: &str) -> String {
    let file = server.folder().join("client.cnf");
    let (user, password) = (Account::Monitor.user(), Account::Monitor.password());
    secret(&file, &format!("[client]\nuser={user}\npassword={password}\n{place}\n"));
    file.to_str().unwrap().to_owned()
}

fn secret(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
