//! The scripted server is a server of MySQL for the lab's client, which real ones have let in, and says what no real
//! one does when it is told to.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::certs::{Authority, LeafOptions};
use lab::mysql::Account;
use lab::mysql::client::{Client, ClientError};
use lab::mysql::script::{Answer, Fixture, Login, RsaKey, Script, ScriptedServer, Table, hostile};
use lab::process::{program, shared_folder};
use lab::tls;

const STATUS: &str = "SHOW SLAVE STATUS";

fn monitor(server: &ScriptedServer) -> Result<Client, ClientError> {
    Client::over_tcp(server.addr(), Account::Monitor.user(), Account::Monitor.password())
}

#[test]
fn every_release_answers_its_own_statements() {
    for fixture in Fixture::ALL {
        let server = ScriptedServer::start(Script::of(fixture));
        let mut client = monitor(&server).unwrap();
        assert_eq!(client.version(), fixture.version());
        let mut answers = |statement: &str| client.query(statement);
        let [slave, replica, all] =
            ["SHOW SLAVE STATUS", "show replica status", "SHOW ALL REPLICAS STATUS"].map(&mut answers);
        assert_eq!(all.is_ok(), fixture.is_mariadb(), "{fixture:?}");
        assert_eq!(slave.is_ok(), matches!(fixture, Fixture::MySql57 | Fixture::MySql80), "{fixture:?}");
        assert_eq!(replica.is_ok(), matches!(fixture, Fixture::MySql80 | Fixture::MySql84), "{fixture:?}");
        for (answer, column) in
            [(&slave, "Slave_IO_Running"), (&replica, "Replica_IO_Running"), (&all, "Slave_IO_Running")]
        {
            match answer {
                Ok(rows) => assert_eq!(rows[0].get(column), Some("Yes"), "{fixture:?} {rows:?}"),
                Err(error) => assert_eq!(error.number(), 1064, "{error}"),
            }
        }
    }
}

#[test]
fn rows_change_in_every_vocabulary() {
    let broken = Fixture::MySql80.status().set("Last_SQL_Errno", "1062").null("Seconds_Behind_Master");
    let second = Fixture::MySql80.status().set("Channel_Name", "west");
    let server = ScriptedServer::start(Script::of(Fixture::MySql80).status(&broken.and(second)));
    let mut client = monitor(&server).unwrap();
    let rows = client.rows("SHOW REPLICA STATUS");
    let seen = |row: usize, column: &str| rows[row].get(column).map(str::to_owned);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (seen(0, "Last_SQL_Errno"), seen(0, "Seconds_Behind_Source")),
        (Some("1062".to_owned()), None)
    );
    assert_eq!(
        (seen(1, "Last_SQL_Errno"), seen(1, "Channel_Name")),
        (Some("0".to_owned()), Some("west".to_owned()))
    );
    assert_eq!(client.rows("SHOW SLAVE STATUS")[1].get("Seconds_Behind_Master"), Some("0"));
    assert_eq!(server.statements(), ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]);
    assert_eq!((server.connections(), server.logins()), (1, vec!["monitor".to_owned()]));
}

#[test]
fn later_answers_come_first() {
    let script = Script::of(Fixture::MySql84)
        .answer("@@server_id", Table::new(&["id"]).row(&[Some("7")]))
        .answer("status", Answer::error(1227, "Access denied; you need REPLICATION CLIENT"))
        .answer("set ", Answer::Done);
    let server = ScriptedServer::start(script);
    let mut client = monitor(&server).unwrap();
    assert_eq!(client.value("SELECT @@SERVER_ID"), "7");
    client.run(&["SET SESSION lock_wait_timeout = 5"]);
    assert_eq!(client.query("SHOW REPLICA STATUS").unwrap_err().number(), 1227);
    assert_eq!(client.query("SELECT 1").unwrap_err().number(), 1064);
}

#[test]
fn every_way_to_log_in() {
    let key = Arc::new(RsaKey::new());
    let authority = Authority::new("Lab Database CA");
    let leaf = authority.leaf(&LeafOptions::default());
    let config = tls::client(&authority);
    for login in [Login::Native, Login::Fast, Login::Full] {
        let script = Script::of(Fixture::MySql80).login(login).key(&key).tls(tls::server(&leaf));
        let server = ScriptedServer::start(script.clone());
        let mut client = Client::over_tls(server.addr(), "monitor", "monitor-secret", &config).unwrap();
        assert_eq!(client.used_full_authentication(), login == Login::Full);
        assert_eq!(client.rows("SHOW REPLICA STATUS").len(), 1);
        let wrong = Client::over_tls(server.addr(), "monitor", "wrong", &config).unwrap_err();
        assert_eq!(wrong.number(), 1045, "{login:?} {wrong}");
        let unknown = Client::over_tls(server.addr(), "stranger", "monitor-secret", &config).unwrap_err();
        assert_eq!(unknown.number(), 1045, "{login:?} {unknown}");
        assert!(!server.has_seen_in_the_clear("monitor-secret") && !server.has_seen_in_the_clear("SHOW"));

        // In the clear, and with the other plugin in the greeting.
        let other = if login == Login::Native { Login::Fast } else { Login::Native };
        let server = ScriptedServer::start(script.greets_with(other));
        let clear = monitor(&server);
        if login == Login::Full {
            assert!(clear.unwrap_err().to_string().contains("in the clear"));
        } else {
            clear.unwrap().rows("SHOW REPLICA STATUS");
            assert!(server.has_seen_in_the_clear("SHOW REPLICA STATUS"));
        }
        assert!(!server.has_seen_in_the_clear("monitor-secret"));
        assert_eq!(server.key_requests(), 0);
    }
}

/// What a client without TLS does that has been told to ask for the key: the password xor salt, under the key.
#[test]
fn password_comes_under_the_key() {
    let key = Arc::new(RsaKey::new());
    let server = ScriptedServer::start(Script::of(Fixture::MySql80).login(Login::Full).key(&key));
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    let packet = |stream: &mut TcpStream| {
        let mut header = [0; 4];
        stream.read_exact(&mut header).unwrap();
        let mut payload = vec![0; usize::from(header[0]) + 256 * usize::from(header[1])];
        stream.read_exact(&mut payload).unwrap();
        payload
    };
    let send = |stream: &mut TcpStream, sequence: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap().to_le_bytes();
        stream.write_all(&[&[length[0], length[1], 0, sequence], payload].concat()).unwrap();
    };
    let greeting = packet(&mut stream);
    let version = greeting.iter().position(|byte| *byte == 0).unwrap();
    let salt = [&greeting[version + 5..version + 13], &greeting[version + 32..version + 44]].concat();
    let login = [&0x8_8200_u32.to_le_bytes()[..], &[0; 28], b"monitor\0\0caching_sha2_password\0"].concat();
    send(&mut stream, 1, &login);
    assert_eq!(packet(&mut stream), [1, 4]);
    send(&mut stream, 3, &[2]);
    let public = packet(&mut stream);
    assert_eq!(public[1..], fs::read(key.public_file()).unwrap());

    let folder = shared_folder();
    let hidden: Vec<u8> =
        b"monitor-secret\0".iter().zip(salt.iter().cycle()).map(|(byte, salt)| byte ^ salt).collect();
    fs::write(folder.path().join("plain"), hidden).unwrap();
    let mut openssl = Command::new(program("openssl", "openssl"));
    openssl.args(["pkeyutl", "-encrypt", "-pubin", "-pkeyopt", "rsa_padding_mode:oaep", "-inkey"]);
    openssl.arg(key.public_file()).args(["-in", "plain", "-out", "secret"]).current_dir(folder.path());
    assert!(openssl.status().unwrap().success());
    send(&mut stream, 5, &fs::read(folder.path().join("secret")).unwrap());
    assert_eq!(packet(&mut stream)[0], 0);
    assert_eq!(server.key_requests(), 1);
    assert!(!server.has_seen_in_the_clear("monitor-secret"));
}

#[test]
fn silence_and_ends_in_every_phase() {
    let silent = |script: Script| {
        let server = ScriptedServer::start(script);
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream.read(&mut [0; 1]).map(|length| length > 0)
    };
    let script = || Script::of(Fixture::MySql84);
    assert!(silent(script()).unwrap());
    assert!(silent(script().instead_of_greeting(Answer::Hang)).is_err());
    assert!(!silent(script().instead_of_greeting(Answer::Close)).unwrap());

    let server =
        ScriptedServer::start(script().instead_of_login(Answer::error(1040, "Too many connections")));
    assert_eq!(monitor(&server).unwrap_err().number(), 1040);
    assert_eq!(server.logins(), ["monitor"]);

    let hanging =
        ScriptedServer::start(script().status_answer(&Answer::Hang).answer("processlist", Answer::Done));
    let mut client = monitor(&hanging).unwrap();
    client.set_patience(Duration::from_millis(300));
    let started = Instant::now();
    assert!(client.query("SHOW REPLICA STATUS").is_err());
    assert!(started.elapsed() >= Duration::from_millis(300));
    // A second connection is answered meanwhile.
    monitor(&hanging).unwrap().rows("SELECT * FROM information_schema.PROCESSLIST");
    drop(hanging);
    assert!(started.elapsed() < Duration::from_secs(5), "a hanging connection held the server");
}

/// The lab's client takes none of it for an answer, so what a plugin gets is bad, and each case differs.
#[test]
fn hostile_words_are_no_answers() {
    for (name, bytes) in hostile::greetings() {
        let script = Script::of(Fixture::MySql80).instead_of_greeting(Answer::Bytes(bytes.clone()));
        let server = ScriptedServer::start(script);
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        let mut seen = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut seen).unwrap();
        assert!(seen == bytes, "{name}: {} of {} bytes", seen.len(), bytes.len());
    }
    for (name, answer) in hostile::login_answers() {
        // The lab's client waits a minute for the next word, and sees a login in any OK.
        if matches!(answer, Answer::Hang) || name == "an OK that ends early" {
            continue;
        }
        let server = ScriptedServer::start(Script::of(Fixture::MySql80).instead_of_login(answer));
        assert!(monitor(&server).is_err(), "{name}");
    }
    for (name, answer) in hostile::result_sets() {
        let server = ScriptedServer::start(Script::of(Fixture::MySql80).status_answer(&answer));
        let mut client = monitor(&server).unwrap();
        client.set_patience(Duration::from_millis(500));
        match name {
            "bytes that are no text" => assert!(client.rows(STATUS)[0].get("Slave_IO_Running").is_some()),
            "a value of 32 MB" => {
                client.set_patience(Duration::from_secs(20));
                assert_eq!(client.rows(STATUS)[0].get("Slave_IO_Running").map(str::len), Some(32 << 20));
            }
            "rows without end" => client.send(STATUS).unwrap(),
            _ => assert!(client.query(STATUS).is_err(), "{name}"),
        }
    }
}

#[test]
fn endless_rows_do_not_end() {
    let server = ScriptedServer::start(Script::of(Fixture::MySql80).instead_of_login(Answer::Endless));
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    let login = [&0x8_8200_u32.to_le_bytes()[..], &[0; 28], b"monitor\0\0mysql_native_password\0"].concat();
    stream.write_all(&[u8::try_from(login.len()).unwrap(), 0, 0, 1]).unwrap();
    stream.write_all(&login).unwrap();
    stream.read_exact(&mut vec![0; 4 << 20]).unwrap();
}
