//! Tables that are whole, and some that are not, as a scripted server tells it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lab::mysql::Account;
use lab::mysql::script::{Answer, Fixture, Script, ScriptedServer};
use lab::output::State;
use lab::plugin::Plugin;
use lab::process::shared_folder;

use super::{Scene, show_all};

const TABLES: [(&str, &str); 3] = [("carts", "MyISAM"), ("log", "Aria"), ("orders", "MyISAM")];
const CUT: [(&str, &str); 2] =
    [("error", "Size of datafile is:    476784         Should be: 478784"), ("error", "Corrupt")];
const NOT_CLOSED: [(&str, &str); 2] =
    [("warning", "1 client is using or hasn't closed the table properly"), ("status", "OK")];

pub(crate) fn play() -> (usize, usize) {
    let whole = || Script::with_tables(Fixture::MariaDb1011, &TABLES);
    let innodb = Script::with_tables(Fixture::MySql84, &[("orders", "InnoDB"), ("old", "MyISAM")]);
    let dies = innodb.clone().answers_check("orders", Answer::Close);
    let servers =
        [whole(), whole().checks("orders", &CUT), whole().checks("carts", &NOT_CLOSED), innodb, dies]
            .map(ScriptedServer::start);
    let folder = shared_folder();
    let password = folder.path().join("monitor.password");
    fs::write(&password, Account::Tables.password()).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let check = |server: &ScriptedServer| {
        Plugin::new("check_mysql_tables")
            .args(["-H", "127.0.0.1", "-P", &server.port().to_string(), "-u", Account::Tables.user()])
            .arg("--password-file")
            .arg(&password)
            .arg("--state-dir")
            .arg(folder.path().join("state"))
    };
    let [good, cut, not_closed, mysql, dies] = &servers;
    let scenes = [
        Scene::new("Tables that are whole", check(good).arg("--resume"), State::Ok),
        Scene::new(
            "A data file was cut; the server still counts all rows of it",
            check(cut),
            State::Critical,
        ),
        Scene::new("The server was killed while it wrote to a table", check(not_closed), State::Warning),
        Scene::new(
            "InnoDB on MySQL, which aborts when it meets a damaged page: not without being told so",
            check(mysql).arg("--innodb"),
            State::Unknown,
        ),
        Scene::new(
            "The server goes down during the check of a table",
            check(dies).arg("--innodb-may-crash-server"),
            State::Critical,
        ),
    ];
    show_all("check_mysql_tables: are the tables of this server whole?", &scenes)
}
