//! The real servers let in whom they should and tell what they were asked.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::io::Read;
use std::net::TcpStream;
use std::thread;

use lab::certs::LeafOptions;
use lab::mysql::client::Client;
use lab::mysql::server::{Server, ServerOptions};
use lab::mysql::{Account, Release};
use lab::tls;

#[test]
fn every_release_has_its_accounts_and_keeps_its_log() {
    thread::scope(|scope| {
        for release in Release::ALL {
            if !release.is_left_out("the accounts") {
                scope.spawn(move || accounts_and_log(release));
            }
        }
    });
}

fn accounts_and_log(release: Release) {
    let mut server = Server::start(&ServerOptions::of(release).certificate(LeafOptions::default()));
    let mut admin = server.admin();
    let version = admin.value("SELECT VERSION()");
    let expected = match release {
        Release::MariaDb => "10.11.",
        Release::NewerMariaDb => "11.8.",
        Release::MySql => "9.",
    };
    assert!(version.starts_with(expected), "{version}");
    assert_eq!(version.contains("MariaDB"), release.is_mariadb(), "{version}");
    assert_eq!(admin.value("SELECT @@server_id"), server.id().to_string());
    let ids = |server: &Server| server.admin().value("SELECT @@port");
    assert_eq!(ids(&server), server.port().to_string());

    let config = tls::client(server.authority());
    let over_tls =
        |account: Account| Client::over_tls(server.addr(), account.user(), account.password(), &config);
    let mut monitor = over_tls(Account::Monitor).unwrap();
    // Only MySQL does not know the password from its tables alone.
    assert_eq!(monitor.used_full_authentication(), release == Release::MySql);
    assert!(!over_tls(Account::Monitor).unwrap().used_full_authentication());
    assert_ne!(monitor.value("SHOW STATUS LIKE 'Ssl_cipher'"), "");
    let status = if release.is_mariadb() { "SHOW ALL SLAVES STATUS" } else { "SHOW REPLICA STATUS" };
    assert!(monitor.rows(status).is_empty());
    assert_eq!(monitor.query("SELECT * FROM mysql.user").unwrap_err().number(), 1142);
    assert_eq!(over_tls(Account::Nothing).unwrap().query(status).unwrap_err().number(), 1227);
    over_tls(Account::Tables).unwrap().rows("SELECT user FROM mysql.user");
    over_tls(Account::Replication).unwrap();
    let wrong = Client::over_tls(server.addr(), "monitor", "wrong", &config).unwrap_err();
    assert_eq!(wrong.number(), 1045, "{wrong}");
    // MariaDB knows the password from its tables; MySQL has learned it above.
    server.client(Account::Monitor).unwrap();

    let statements = server.statements_of("monitor");
    let own: Vec<_> = statements.iter().filter(|sql| sql.as_str() == status).collect();
    assert_eq!(own.len(), 1, "{statements:?}");
    assert_eq!(server.statements_of("nothing"), [status]);

    admin.run(&["CREATE TABLE lab.kept (id INT PRIMARY KEY)", "INSERT INTO lab.kept VALUES (7)"]);
    server.kill();
    assert!(server.client(Account::Monitor).is_err());
    server.start_again(&["--read-only=1"]);
    assert_eq!(server.admin().value("SELECT id FROM lab.kept"), "7");
    assert_eq!(server.admin().value("SELECT @@read_only"), "1");
    server.stop();
    assert!(server.client(Account::Monitor).is_err());
}

#[test]
fn without_a_certificate_there_is_no_tls() {
    for release in Release::ALL {
        if release.is_left_out("a server without TLS") {
            continue;
        }
        let server = Server::start(&ServerOptions::of(release));
        let config = tls::client(server.authority());
        let refused = Client::over_tls(server.addr(), "monitor", "monitor-secret", &config).unwrap_err();
        assert_eq!(refused.to_string(), "the server has no TLS");
        let in_the_clear = server.client(Account::Monitor);
        match release {
            Release::MySql => {
                assert!(in_the_clear.unwrap_err().to_string().contains("in the clear"));
                assert!(server.local_client(Account::Monitor).unwrap().used_full_authentication());
                assert!(!server.client(Account::Monitor).unwrap().used_full_authentication());
            }
            _ => drop(in_the_clear.unwrap()),
        }
        assert!(!server.has_crashed());
    }
}

#[test]
fn certificate_may_name_nothing_but_a_common_name() {
    let options = LeafOptions { dns_names: Vec::new(), ips: Vec::new(), ..LeafOptions::default() };
    let server = Server::start(&ServerOptions::default().certificate(options));
    let config = tls::client(server.authority());
    let refused = Client::over_tls(server.addr(), "monitor", "monitor-secret", &config).unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert_eq!(server.admin().value("SELECT @@have_ssl"), "YES");
}

#[test]
fn too_many_connections() {
    let server = Server::start(&ServerOptions::default().argument("--max-connections=10"));
    let mut held = Vec::new();
    let refused = loop {
        assert!(held.len() < 20, "nobody was refused");
        match server.client(Account::Nothing) {
            Ok(client) => held.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!((held.len(), refused.number()), (10, 1040), "{refused}");
    // A few more may show that they are administrators. The next one is told as the scripted server does: without the
    // state that other errors have.
    let mut greeted = Vec::new();
    let first = loop {
        assert!(greeted.len() < 10, "everybody is greeted");
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        let mut first = [0; 27];
        stream.read_exact(&mut first).unwrap();
        if first[4] == 0xff {
            break first;
        }
        greeted.push(stream);
    };
    assert_eq!(first, *b"\x17\0\0\0\xff\x10\x04Too many connections");
}
