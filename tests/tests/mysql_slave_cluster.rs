//! Members of a cluster, each alone in it: Galera and Group Replication.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::path::Path;

use lab::certs::LeafOptions;
use lab::mysql::server::{Server, ServerOptions};
use lab::mysql::{Account, Release};
use lab::output::State;
use lab::process::free_port;
use tests::mysql::gives;

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

#[test]
fn a_member_of_galera() {
    assert!(Path::new(PROVIDER).is_file(), "galera-4 is not installed: tests/run installs it");
    let mut options = ServerOptions::of(Release::MariaDb);
    let group = free_port();
    for argument in [
        "--wsrep-on=ON",
        &format!("--wsrep-provider={PROVIDER}"),
        "--wsrep-cluster-address=gcomm://",
        "--wsrep-cluster-name=lab",
        "--wsrep-node-address=127.0.0.1",
        "--innodb-autoinc-lock-mode=2",
        &format!("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{group};gcache.size=1M"),
    ] {
        options = options.argument(argument);
    }
    let member = Server::start(&options);
    let set = |setting: &str| member.admin().run(&[&format!("SET GLOBAL {setting}")]);
    gives(&member, &["--read-only", "on"], State::Ok, &["cluster member of 1 (Galera, \"Synced\")"]);
    set("wsrep_desync = ON");
    gives(&member, &[], State::Warning, &["cluster member of 1 (Galera, \"Donor/Desynced\")"]);
    set("wsrep_desync = OFF");
    gives(&member, &[], State::Ok, &["\"Synced\""]);
    // It has lost the others, and refuses nearly every statement.
    set("wsrep_cluster_address = ''");
    gives(&member, &[], State::Critical, &["Galera"]);
}

#[test]
fn a_member_of_group_replication() {
    if Release::MySql.is_left_out("a member of Group Replication") {
        return;
    }
    let options = ServerOptions::of(Release::MySql)
        .certificate(LeafOptions::default())
        .argument("--plugin-load-add=group_replication.so")
        .argument("--loose-group-replication-start-on-boot=OFF")
        .argument("--loose-group-replication-communication-stack=MYSQL")
        .argument("--loose-group-replication-recovery-get-public-key=ON")
        .argument("--loose-group-replication-group-name=aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa");
    let member = Server::start(&options);
    let (user, password) = (Account::Replication.user(), Account::Replication.password());
    // Members talk to one another through the server's own port.
    member.admin().run(&[
        &format!("GRANT GROUP_REPLICATION_STREAM, CONNECTION_ADMIN ON *.* TO {user}"),
        &format!("SET GLOBAL group_replication_local_address = '127.0.0.1:{}'", member.port()),
        "SET GLOBAL group_replication_bootstrap_group = ON",
        &format!("START GROUP_REPLICATION USER = '{user}', PASSWORD = '{password}'"),
    ]);
    // Writable, as the primary of a group is.
    let online = "cluster member of 1 (Group Replication, \"ONLINE\")";
    gives(&member, &["--read-only", "on", "--errant", "local"], State::Ok, &[online]);
    member.admin().run(&["STOP GROUP_REPLICATION"]);
    gives(&member, &[], State::Critical, &["cluster member", "\"OFFLINE\""]);
}
