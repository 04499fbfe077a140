//! Addresses with good names, bad ones and none, behind one embedded name server and two mail
//! servers.

use lab::dns::{Names, Rcode, Reaction, Record, Responder, Zones};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::plugin::Plugin;

use super::{Scene, show_all};

fn ptr(last: u8, name: &str) -> Record {
    Record::ptr(name).owned_by(&format!("{last}.2.0.192.in-addr.arpa"))
}

fn forward(name: &str, last: u8) -> Record {
    Record::address(&format!("192.0.2.{last}")).owned_by(name)
}

fn zone() -> Names {
    Names::new([
        ptr(25, "mail.example.org"),
        forward("mail.example.org", 25),
        ptr(26, "www.example.org"),
        forward("www.example.org", 80),
        ptr(27, "192-0-2-27.dsl.example.net"),
        forward("192-0-2-27.dsl.example.net", 27),
        ptr(28, "mail.example.org.2.0.192.in-addr.arpa"),
        ptr(29, "a.example.org"),
        ptr(29, "b.example.org"),
        forward("a.example.org", 29),
        forward("b.example.org", 29),
        Record::cname("70.64-127.2.0.192.in-addr.arpa").owned_by("70.2.0.192.in-addr.arpa"),
        Record::ptr("shop.example.org").owned_by("70.64-127.2.0.192.in-addr.arpa"),
        forward("shop.example.org", 70),
        Record::ptr("mail.example.org").owned_by("1.0.0.127.in-addr.arpa"),
        Record::address("127.0.0.1").owned_by("mail.example.org"),
    ])
}

pub(crate) fn play() -> (usize, usize) {
    let broken = Reaction::rcode(Rcode::ServFail);
    let dns = Responder::start(Zones::new().zone("", zone()).zone("51.198.in-addr.arpa", broken));
    let greeting = |name: &str| Peer::start(Script::new().send(format!("220 {name} ESMTP\r\n")).quit());
    let (right, wrong) = (greeting("mail.example.org"), greeting("localhost.localdomain"));
    let check =
        |target: &str| Plugin::new("check_rdns").args(["--resolver", &dns.addr().to_string(), "-H", target]);
    let smtp = |peer: &Peer| check("127.0.0.1").arg(format!("--smtp={}", peer.port()));
    let scenes = [
        Scene::new("A name that leads back to the address", check("192.0.2.25"), State::Ok),
        Scene::new("No name at all", check("192.0.2.99"), State::Critical),
        Scene::new("The name belongs to another address", check("192.0.2.26"), State::Critical),
        Scene::new("A dot is missing in the zone file", check("192.0.2.28"), State::Critical),
        Scene::new("A name like that of a customer's line", check("192.0.2.27"), State::Warning),
        Scene::new(
            "Two names: which of them is taken is a matter of luck",
            check("192.0.2.29"),
            State::Warning,
        ),
        Scene::new(
            "A reverse zone delegated without classes (RFC 2317)",
            check("192.0.2.70").arg("-v"),
            State::Ok,
        ),
        Scene::new("The mail server calls itself by that name", smtp(&right), State::Ok),
        Scene::new("The mail server calls itself something else", smtp(&wrong), State::Warning),
        Scene::new("The name server fails: that is no missing record", check("198.51.100.1"), State::Unknown),
    ];
    show_all("check_rdns: has this address a name, and does it lead back?", &scenes)
}
