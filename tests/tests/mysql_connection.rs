//! How the MySQL plugins reach a server: a real MariaDB over TCP, TLS and its unix socket, by
//! options, option files and login paths; and ports where something else answers, or nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use lab::certs::{Authority, LeafOptions};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::{Daemon, Group, free_port, program, shared_folder};
use tempfile::TempDir;
use tests::Check;

const PASSWORD: &str = "pass#word x";

/// A MariaDB that is no replica, which is as good an answer as any: what it says proves the
/// login. Accounts: `mon`, `poor` without a privilege, `tls` with REQUIRE SSL.
struct Database {
    // Before the folder, so that it is stopped first.
    _daemon: Daemon,
    folder: TempDir,
    port: u16,
}

impl Database {
    fn start(arguments: &[&str]) -> Self {
        let folder = shared_folder();
        let port = free_port();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        initialise(folder.path(), &data);
        let accounts = folder.path().join("accounts.sql");
        let accounts_sql = format!(
            "CREATE USER mon@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT SLAVE MONITOR ON *.* TO mon@'%';\n\
             CREATE USER poor@'%' IDENTIFIED BY '{PASSWORD}';\n\
             CREATE USER tls@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL;\nGRANT SLAVE MONITOR ON *.* TO tls@'%';\n"
        );
        fs::write(&accounts, accounts_sql).unwrap();
        let mut command = server(&data);
        command
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .arg(format!("--init-file={}", accounts.display()))
            .arg(format!("--general-log-file={}", folder.path().join("general.log").display()))
            .args(["--bind-address=127.0.0.1", "--general-log=1", "--skip-name-resolve"])
            .args(arguments);
        let mut daemon = Daemon::spawn("mariadbd", command, Group::FromLab, &folder.path().join("log"));
        daemon.wait_listening_within(port, Duration::from_mins(1));
        fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(folder.path().join("password"), Permissions::from_mode(0o640)).unwrap();
        Self { _daemon: daemon, folder, port }
    }

    /// With a certificate that a new authority signs.
    fn with_certificate(leaf: &LeafOptions, folder: &Path) -> Self {
        let authority = Authority::new("Lab Database CA");
        let ca = authority.write_ca(folder);
        let (chain, key) = authority.leaf(leaf).write(folder, "server");
        Self::start(&[
            &format!("--ssl-ca={}", ca.display()),
            &format!("--ssl-cert={}", chain.display()),
            &format!("--ssl-key={}", key.display()),
        ])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn check(&self, user: &str) -> Check {
        check(self.port, user).arg("--password-file").arg(self.path("password"))
    }

    /// What came in over connections, without times.
    fn general_log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("general.log")).unwrap();
        let line = |line: &str| line.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).to_owned();
        text.lines().skip(3).map(line).collect()
    }
}

fn server(data: &Path) -> Command {
    let mut command = Command::new(program("mariadbd", "mariadb-server-core"));
    command.args([
        "--no-defaults",
        "--user=root",
        "--innodb-log-file-size=8M",
        "--innodb-buffer-pool-size=16M",
    ]);
    command.arg(format!("--datadir={}", data.display()));
    // A server that starts removes the temporary tables of all others in the same folder.
    command.arg(format!("--tmpdir={}", data.parent().unwrap().display()));
    command
}

/// Makes the system tables, and nothing else.
fn initialise(folder: &Path, data: &Path) {
    let mut sql = "create database mysql;\nuse mysql;\n".to_owned();
    for name in ["mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data"] {
        sql += &fs::read_to_string(format!("/usr/share/mysql/{name}.sql")).unwrap();
    }
    let script = folder.join("system.sql");
    fs::write(&script, sql).unwrap();
    let mut command = server(data);
    command.args(["--bootstrap", "--log-warnings=0", "--max-allowed-packet=8M"]);
    let output = command.stdin(Stdio::from(File::open(script).unwrap())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn check(port: u16, user: &str) -> Check {
    Check::new("check_mysql_slave").args(["-H", "127.0.0.1", "-P", &port.to_string(), "-u", user])
}

/// What a login that worked ends with on a server that is no replica.
const LOGGED_IN: &str = "not a replica";

fn write(path: &Path, text: &str, mode: u32) -> String {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_login_takes_one_connection_and_two_statements() {
    let database = Database::start(&[]);
    database.check("mon").gives(State::Critical, &[LOGGED_IN]);
    let log = database.general_log();
    // Accounts and the lab's own connections come first.
    let ours =
        log.iter().position(|line| line.starts_with("Connect\tmon@127.0.0.1 on  using TCP/IP")).unwrap();
    let kinds: Vec<&str> = log[ours..].iter().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(kinds, ["Connect", "Query", "Query", "Quit"], "{log:?}");

    let socket = database.path("socket");
    for arguments in [["-H", socket.to_str().unwrap()], ["--socket", socket.to_str().unwrap()]] {
        let check = Check::new("check_mysql_slave").args(arguments).args(["-u", "mon", "--password-file"]);
        let run = check.arg(database.path("password")).arg("-v").gives(State::Critical, &[LOGGED_IN]);
        assert!(run.outcome.text().contains("socket, asked by"), "{}", run.outcome.report());
    }

    check(database.port, "mon")
        .env("MYSQL_PWD", PASSWORD)
        .gives(State::Critical, &[LOGGED_IN])
        .long("MYSQL_PWD");
    check(database.port, "mon")
        .args(["--password-env", "SECRET"])
        .env("SECRET", PASSWORD)
        .gives(State::Critical, &[LOGGED_IN]);
    check(database.port, "mon")
        .args(["--password-env", "SECRET"])
        .env("SECRET", "wrong-secret")
        .gives(State::Unknown, &["cannot log in to 127.0.0.1", "as mon", "Access denied", "(error 1045)"])
        .silent_about("wrong-secret");
    database
        .check("poor")
        .gives(State::Unknown, &["SLAVE MONITOR", "(error 1227)"])
        .long("GRANT SLAVE MONITOR ON *.*");
    // Nothing of TLS is on offer.
    database.check("mon").args(["--ssl-mode", "required"]).gives(State::Unknown, &["does not offer TLS"]);
    let refused = database.check("mon").args(["--ssl-mode", "required", "--ssl-critical"]);
    refused.gives(State::Critical, &["does not offer TLS"]);
}

#[test]
fn option_files_in_the_order_of_the_clients() {
    let database = Database::start(&[]);
    let home = TempDir::new().unwrap();
    let port = database.port;
    let good = format!("[client]\nuser=mon\nhost=127.0.0.1\nport={port}\npassword=\"{PASSWORD}\"\n");
    let file = write(&home.path().join("good.cnf"), &good, 0o600);
    let plain = || Check::new("check_mysql_slave").env("HOME", home.path());
    plain().args(["--defaults-file", &file]).gives(State::Critical, &[LOGGED_IN]);

    // A `#` outside of quotes begins a comment, which cuts the password.
    let cut = write(&home.path().join("cut.cnf"), &good.replace('"', ""), 0o600);
    plain().args(["--defaults-file", &cut]).gives(State::Unknown, &["(error 1045)"]);
    let open = write(&home.path().join("open.cnf"), &good, 0o644);
    plain().args(["--defaults-file", &open]).gives(State::Unknown, &["open.cnf is too open"]).long("chmod");
    let writable = write(&home.path().join("writable.cnf"), "[client]\nhost=127.0.0.1\n", 0o666);
    plain().args(["--defaults-file", &writable]).gives(State::Unknown, &["anybody may write to it"]);
    plain().args(["--defaults-file", "/nonexistent"]).gives(State::Unknown, &["cannot read /nonexistent"]);

    // The user's own file comes after the extra one, a later group after an earlier one.
    write(&home.path().join(".my.cnf"), &good, 0o600);
    plain().gives(State::Critical, &[LOGGED_IN]);
    let extra = write(&home.path().join("extra.cnf"), "[client]\nuser=nobody\n", 0o600);
    plain().args(["--defaults-extra-file", &extra]).gives(State::Critical, &[LOGGED_IN]);
    let groups = format!("{good}[check_mysql_slave]\nuser=poor\n[other]\nuser=ghost\n");
    let groups = write(&home.path().join("groups.cnf"), &groups, 0o600);
    plain().args(["--defaults-file", &groups]).gives(State::Unknown, &["SLAVE MONITOR"]);
    let other = plain().args(["--defaults-file", &groups, "--defaults-group", "other"]);
    other.gives(State::Unknown, &["as ghost", "(error 1045)"]);
    // The command line wins over all of them.
    plain().args(["--defaults-file", &groups, "-u", "mon"]).gives(State::Critical, &[LOGGED_IN]);

    let folder = home.path().join("parts");
    fs::create_dir(&folder).unwrap();
    write(&folder.join("b.cnf"), &good, 0o600);
    write(&folder.join("a.cnf"), "[client]\nuser=nobody\n", 0o600);
    write(&folder.join("ignored.txt"), "[client]\nuser=nobody\n", 0o600);
    let whole = write(&home.path().join("whole.cnf"), &format!("!includedir {}\n", folder.display()), 0o600);
    plain().args(["--defaults-file", &whole]).gives(State::Critical, &[LOGGED_IN]);
    let ring = home.path().join("ring.cnf");
    let ring = write(&ring, &format!("!include {}\n", ring.display()), 0o600);
    plain().args(["--defaults-file", &ring]).gives(State::Unknown, &["include too many others"]);

    login_paths(&home, &good);
}

fn login_paths(home: &TempDir, good: &str) {
    fs::remove_file(home.path().join(".my.cnf")).unwrap();
    let text = good.replace("[client]", "[replica]");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let path = home.path().join(".mylogin.cnf");
    fs::write(&path, encrypted(&lines)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let check =
        |name: &str| Check::new("check_mysql_slave").env("HOME", home.path()).args(["--login-path", name]);
    check("replica").gives(State::Critical, &[LOGGED_IN]);
    check("absent").gives(State::Unknown, &["no path absent in"]);
    fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    check("replica").gives(State::Unknown, &["too open"]);
}

/// A login path file as `mysql_config_editor` writes it.
fn encrypted(lines: &[&str]) -> Vec<u8> {
    let key: [u8; 20] = std::array::from_fn(|index| u8::try_from(index * 7 % 32).unwrap());
    let mut folded = [0; 16];
    key.iter().enumerate().for_each(|(index, byte)| folded[index % 16] ^= byte);
    let cipher = Aes128::new(&folded.into());
    let mut file = [&[0; 4][..], &key].concat();
    for line in lines {
        let padding = 16 - line.len() % 16;
        let padded = [line.as_bytes(), &vec![u8::try_from(padding).unwrap(); padding]].concat();
        file.extend(i32::try_from(padded.len()).unwrap().to_le_bytes());
        for block in padded.chunks_exact(16) {
            let mut block = Array::try_from(block).unwrap();
            cipher.encrypt_block(&mut block);
            file.extend_from_slice(&block);
        }
    }
    file
}

#[test]
fn tls_as_the_modes_say() {
    let files = shared_folder();
    // As the servers' own certificates are: not for any host.
    let database = Database::with_certificate(&LeafOptions::server_named("db.lab.test"), files.path());
    let ca = files.path().join("ca.pem");
    let with = |mode: &str| database.check("mon").args(["--ssl-mode", mode]).arg("--ca-file").arg(&ca);
    for mode in ["disabled", "preferred", "required", "verify-ca", "VERIFY_CA"] {
        with(mode).gives(State::Critical, &[LOGGED_IN]);
    }
    with("verify-identity").gives(State::Unknown, &["TLS handshake with 127.0.0.1", "is not for this host"]);
    with("verify-identity").arg("--ssl-critical").gives(State::Critical, &["is not for this host"]);
    with("required").args(["--tls-min", "1.3"]).gives(State::Critical, &[LOGGED_IN]);

    let foreign = Authority::new("Somebody Else").write_ca(shared_folder_in(files.path()).as_path());
    let wrong = database.check("mon").args(["--ssl-mode", "verify-ca", "--ssl-ca"]).arg(&foreign);
    wrong.gives(State::Unknown, &["does not lead to the CA of --ca-file"]);
    let without = database.check("mon").args(["--ssl-mode", "verify-ca"]);
    without
        .gives(State::Unknown, &["--ssl-mode verify-ca needs the CA"])
        .long("ca.pem in the data directory");
    let no_pem = with("verify-ca").arg("--server-public-key").arg(database.path("password"));
    no_pem.gives(State::Unknown, &["no PEM public key in"]);

    database.check("tls").gives(State::Unknown, &["(error 1045)"]).long("--ssl-mode required");
    database.check("tls").args(["--ssl-mode", "required"]).gives(State::Critical, &[LOGGED_IN]);

    let named = shared_folder();
    let database = Database::with_certificate(&LeafOptions::default(), named.path());
    let identity = database.check("mon").args(["--ssl-mode", "verify-identity", "--ca-file"]);
    identity.arg(named.path().join("ca.pem")).gives(State::Critical, &[LOGGED_IN]);
    let by_name = Check::new("check_mysql_slave")
        .args(["-4", "-H", "localhost", "-P", &database.port.to_string(), "-u", "mon"])
        .args(["--ssl-mode", "verify-identity", "--password-file"]);
    let by_name = by_name.arg(database.path("password")).arg("--ca-file").arg(named.path().join("ca.pem"));
    by_name.gives(State::Critical, &[LOGGED_IN]);
}

fn shared_folder_in(folder: &Path) -> PathBuf {
    let inner = folder.join("foreign");
    fs::create_dir(&inner).unwrap();
    inner
}

#[test]
fn ports_that_are_not_mysql() {
    check(free_port(), "x").gives(State::Critical, &["cannot connect to 127.0.0.1", "Connection refused"]);
    let ssh = Peer::start(Script::new().send("SSH-2.0-OpenSSH_9.2p1 Debian\r\n").hold());
    check(ssh.port(), "x")
        .timeout(4.0)
        .gives(State::Critical, &["is not a MySQL port: it greets with \"SSH-2.0-OpenSSH_9.2p1 Debian\""]);
    let x_protocol = Peer::start(Script::new().send(b"\x05\0\0\0\x0b\x08\x05\x1a\0").hold());
    check(x_protocol.port(), "x").timeout(2.0).gives(State::Critical, &["X protocol"]).long("3306");
    let silent = Peer::start(Script::new().hold());
    check(silent.port(), "x")
        .timeout(2.0)
        .gives(State::Critical, &["timeout after 2 s while waiting for the banner"]);
    let unknown = check(silent.port(), "x").timeout(1.0).args(["--timeout-state", "unknown"]);
    unknown.gives(State::Unknown, &["timeout after 1 s"]);
    let closing = Peer::start(Script::new().close());
    check(closing.port(), "x").gives(State::Critical, &["closed by 127.0.0.1", "before its greeting"]);
    let blocked = Peer::start(Script::new().send(packet(0, b"\xff\x69\x04Host 'a' is blocked")).close());
    check(blocked.port(), "x")
        .gives(State::Critical, &["\"Host 'a' is blocked\" (error 1129)"])
        .long("host_cache");
    let full = Peer::start(Script::new().send(packet(0, b"\xff\x10\x04Too many connections")).close());
    check(full.port(), "x").gives(State::Critical, &["(error 1040)"]);
    check(full.port(), "x").args(["--temporary-state", "warning"]).gives(State::Warning, &["(error 1040)"]);
}

#[test]
fn servers_that_break_their_protocol() {
    let short = Peer::start(Script::new().send(packet(0, b"\x0a8.0.46\0")).hold());
    check(short.port(), "x").gives(State::Critical, &["protocol violation", "(server 8.0.46)"]);
    // A panic of the client itself, told in one line with the phase.
    let empty = Peer::start(
        Script::new().send(greeting("mysql_native_password")).read_some().send(packet(2, b"")).hold(),
    );
    let run = check(empty.port(), "x").gives(State::Unknown, &["internal error", "while authenticating"]);
    assert!(run.parsed.long.is_empty());
    let whole = greeting("mysql_native_password");
    let drip = Peer::start(Script::new().drip(whole, Duration::from_millis(300)));
    check(drip.port(), "x").timeout(2.0).gives(State::Critical, &["timeout after 2 s"]);
    let hang = Peer::start(Script::new().send(greeting("mysql_native_password")).hold());
    check(hang.port(), "x")
        .timeout(2.0)
        .gives(State::Critical, &["timeout after 2 s while authenticating", "8.0.46"]);
}

/// The client makes room for as many columns as are announced, and keeps all that come.
#[test]
fn columns_without_end() {
    let logged_in = || {
        let ok = packet(2, b"\0\0\0\x02\0\0\0");
        Script::new().send(greeting("mysql_native_password")).read_some().send(ok).read_some()
    };
    let announced = |columns: u64| packet(1, &[b"\xfe", &columns.to_le_bytes()[..]].concat());
    for columns in [1 << 36, u64::MAX] {
        let peer = Peer::start(logged_in().send(announced(columns)).hold());
        let run = check(peer.port(), "x").timeout(3.0).args(["--ssl-mode", "disabled"]);
        run.gives(State::Unknown, &["internal error"]);
    }
}

/// caching_sha2 over clear TCP ends in a request for the password itself. Without a key of the
/// server that is where it stops: the key is not asked of whoever answers.
#[test]
fn the_key_is_never_fetched() {
    let full = Script::new().send(greeting("caching_sha2_password")).read_some().send(packet(2, b"\x01\x04"));
    let peer = Peer::start(full.read_some());
    let run = check(peer.port(), "x").env("MYSQL_PWD", "hunter2").args(["--ssl-mode", "disabled"]);
    run.gives(State::Unknown, &["wants the password itself"])
        .long("--server-public-key")
        .silent_about("hunter2");
    let sent = peer.received().swap_remove(0);
    let request_for_key = packet(3, b"\x02");
    assert!(!sent.windows(request_for_key.len()).any(|window| window == request_for_key), "{sent:?}");
    let clear = Script::new().send(greeting("mysql_native_password")).read_some();
    let switch = packet(2, b"\xfemysql_clear_password\0");
    let peer = Peer::start(clear.send(switch).read_some());
    check(peer.port(), "x")
        .env("MYSQL_PWD", "hunter2")
        .args(["--ssl-mode", "disabled"])
        .gives(State::Unknown, &["\"mysql_clear_password\""]);
    assert!(!peer.received()[0].windows(7).any(|window| window == b"hunter2"));
}

#[test]
fn passwords_in_argv_are_refused() {
    for arguments in
        [&["-p", "hunter2"][..], &["-phunter2"], &["--password=hunter2"], &["--password", "hunter2"]]
    {
        let run = Check::new("check_mysql_slave").args(["-H", "127.0.0.1"]).args(arguments.iter().copied());
        let run = run.gives(State::Unknown, &["--password: refused"]);
        run.silent_about("hunter2").long("--password-file FILE");
    }
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[length, 0, 0, sequence], payload].concat()
}

/// A greeting without TLS that begins with this login plugin.
fn greeting(plugin: &str) -> Vec<u8> {
    let before =
        b"\x0a8.0.46\0\x01\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0";
    packet(0, &[&before[..], plugin.as_bytes(), b"\0"].concat())
}
