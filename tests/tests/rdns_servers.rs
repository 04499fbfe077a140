//! check_rdns against real servers: NSD with forward and reverse zones, one of them delegated
//! without classes; Unbound and BIND in front of it; the banner of Postfix.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::BTreeMap;

use lab::dns::named::{Named, NamedOptions};
use lab::dns::nsd::Nsd;
use lab::dns::unbound::{Unbound, UnboundOptions};
use lab::dns::{NameServer, Names, Responder, ZoneFile};
use lab::output::State;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use tests::Check;
use tests::rdns::{ADDRESS, NAME, check, pair, reverse};

const V6: &str = "2001:db8::25";
/// In the part of the network that is delegated by RFC 2317.
const DELEGATED: &str = "192.0.2.70";
const CLASSLESS: &str = "64-127.2.0.192.in-addr.arpa";
const ZONES: [&str; 3] = ["lab.test", "2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"];

fn zones() -> [ZoneFile; 4] {
    let [forward, v4, v6] = ZONES;
    [
        ZoneFile::new(
            forward,
            "mail A 192.0.2.25\nmail AAAA 2001:db8::25\nshop A 192.0.2.70\nold A 192.0.2.9\n\
             www CNAME shop\ntwo A 192.0.2.72\ndyn.dsl A 192.0.2.73",
        ),
        ZoneFile::new(
            v4,
            &format!(
                "25 PTR mail.lab.test.\n26 PTR old.lab.test.\n27 PTR mail.lab.test\n64-127 NS ns.{CLASSLESS}.\n\
                 70 CNAME 70.64-127\n71 CNAME 71.64-127\n72 CNAME 72.64-127\n73 CNAME 73.64-127\n\
                 80 CNAME 80.64-127"
            ),
        ),
        ZoneFile::new(
            CLASSLESS,
            "70 PTR shop.lab.test.\n71 PTR www.lab.test.\n72 PTR two.lab.test.\n72 PTR gone.lab.test.\n\
             73 PTR dyn.dsl.lab.test.",
        ),
        ZoneFile::new(v6, &format!("{}. PTR mail.lab.test.", reverse(V6))),
    ]
}

fn asks(server: &dyn NameServer, target: &str) -> Check {
    check(&[server.addr()], &[target])
}

fn judges_every_address(server: &dyn NameServer) {
    asks(server, ADDRESS).gives(State::Ok, &[NAME]);
    asks(server, V6).gives(State::Ok, &[V6, NAME]);
    let run = asks(server, NAME).args(["--match", NAME, "--helo", NAME]).gives(State::Ok, &["2 addresses"]);
    assert_eq!(run.parsed.value("confirmed"), Some(2.0));
    let path = format!("is an alias of 70.{CLASSLESS}");
    asks(server, DELEGATED).arg("-v").gives(State::Ok, &["shop.lab.test"]).long(&path);
    asks(server, "192.0.2.71")
        .gives(State::Critical, &["www.lab.test", "192.0.2.70", "alias of shop.lab.test"]);
    let run =
        asks(server, "192.0.2.72").gives(State::Warning, &["gone.lab.test (does not exist (NXDOMAIN))"]);
    assert_eq!((run.parsed.value("ptr"), run.parsed.value("confirmed")), (Some(2.0), Some(1.0)));
    asks(server, "192.0.2.73").gives(State::Warning, &["looks generated"]);
    asks(server, "192.0.2.80").gives(State::Critical, &["NXDOMAIN at 80.64-127"]);
    asks(server, "192.0.2.99").gives(State::Critical, &["192.0.2.99 has no PTR record (NXDOMAIN)"]);
    asks(server, "192.0.2.26").gives(State::Critical, &["old.lab.test", "192.0.2.9"]);
    asks(server, "192.0.2.27").gives(State::Critical, &[]).long("lacks its last dot");
    asks(server, "none.lab.test").gives(State::Critical, &["none.lab.test does not exist"]);
}

/// Three servers with the same zones, and then one that has an old version.
#[test]
fn real_name_servers() {
    let nsd = Nsd::start(&zones());
    let through =
        ZONES.iter().fold(UnboundOptions::default(), |options, zone| options.stub(zone, nsd.addr()));
    let unbound = Unbound::start(&through);
    let bind = Named::start(&zones().into_iter().fold(NamedOptions::default(), NamedOptions::primary));
    judges_every_address(&unbound);
    judges_every_address(&bind);
    asks(&nsd, ADDRESS).gives(State::Ok, &[NAME]);
    // Outside their zones one refuses and the other fails: that is no missing record.
    asks(&unbound, "198.51.100.1").gives(State::Unknown, &["REFUSED"]);
    asks(&bind, "198.51.100.1").gives(State::Unknown, &["SERVFAIL"]);

    let all = check(&[unbound.addr(), bind.addr(), nsd.addr()], &[ADDRESS]);
    all.gives(State::Ok, &[]);
    let [mut forward, v4, classless, v6] = zones();
    forward.text = forward.text.replace("mail A 192.0.2.25", "mail A 192.0.2.24");
    let old = Nsd::start(&[forward, v4, classless, v6]);
    let words = ["resolvers differ", NAME, &format!("{} says 192.0.2.24", old.addr())];
    check(&[unbound.addr(), old.addr()], &[ADDRESS]).gives(State::Warning, &words);
    unbound.pause();
    let patience = ["--query-timeout", "0.3", "--tries", "1"];
    let run = all.args(patience).gives(State::Warning, &[&unbound.addr().to_string(), "timeout"]);
    assert_eq!(run.parsed.value("confirmed"), Some(1.0));
}

#[test]
fn the_banner_of_postfix() {
    let banner = BTreeMap::from([("smtpd_banner".to_owned(), "$myhostname ESMTP".to_owned())]);
    let postfix = Postfix::start(&PostfixOptions { main_cf: banner, ..PostfixOptions::default() });
    let smtp = format!("--smtp={}", postfix.port(Listener::Submission));
    let dns = Responder::start(Names::new(pair("127.0.0.1", NAME)));
    let asked = || check(&[dns.addr()], &["127.0.0.1"]).arg(&smtp);
    let run = asked().arg("-v").gives(State::Ok, &[NAME, "its banner says the same"]);
    run.long("220 mail.lab.test ESMTP");
    assert!(run.parsed.value("time_banner").is_some());
    dns.behave(Names::new(pair("127.0.0.1", "other.lab.test")));
    asked().gives(State::Warning, &["\"mail.lab.test\"", "\"other.lab.test\""]);
}
