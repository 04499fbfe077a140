//! A network of its own stays its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::panic::catch_unwind;
use std::time::Duration;

use lab::namespace::{Bridge, with_resolvers};
use lab::process::left_out_without_root;

fn resolv_conf() -> String {
    fs::read_to_string("/etc/resolv.conf").unwrap_or_default()
}

#[test]
fn only_loopback_port_53_and_the_resolvers_wanted() {
    if left_out_without_root("a network of its own") {
        return;
    }
    let before = resolv_conf();
    let text = with_resolvers(&["127.0.0.7".parse().unwrap(), "::1".parse().unwrap()], || {
        let _udp = UdpSocket::bind("127.0.0.1:53").unwrap();
        let _tcp = TcpListener::bind("[::1]:53").unwrap();
        let interfaces = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        assert!(interfaces.contains("lo:") && !interfaces.contains("eth"), "{interfaces}");
        assert!(UdpSocket::bind("0.0.0.0:0").unwrap().connect("198.20.0.1:53").is_err(), "a way out");
        resolv_conf()
    });
    assert_eq!(text, "nameserver 127.0.0.7\nnameserver ::1\n");
    assert_eq!(resolv_conf(), before);
    assert!(catch_unwind(|| with_resolvers(&[], || panic!("inside"))).is_err());
}

#[test]
fn hosts_on_a_bridge_meet_and_keep_their_ports_to_themselves() {
    if left_out_without_root("a network of its own") {
        return;
    }
    with_resolvers(&[], || {
        let bridge = Bridge::new("br0", "10.91.0.1/24");
        let hosts = [bridge.host("10.91.0.2/24"), bridge.host("10.91.0.3/24")];
        let [first, second] =
            hosts.each_ref().map(|host| host.run(|| TcpListener::bind("0.0.0.0:99").unwrap()));
        let reaches = |address: &str| {
            let patience = Duration::from_secs(5);
            TcpStream::connect_timeout(&address.parse().unwrap(), patience)
                .map(|stream| stream.peer_addr().unwrap())
        };
        assert!(reaches("10.91.0.2:99").is_ok() && reaches("10.91.0.3:99").is_ok());
        assert!(hosts[0].run(|| reaches("10.91.0.3:99")).is_ok());
        drop(second);
        assert!(reaches("10.91.0.2:99").is_ok() && reaches("10.91.0.3:99").is_err());
        assert!(reaches("127.0.0.1:99").is_err(), "the bridge's own host has nobody on that port");
        drop(first);
    });
}
