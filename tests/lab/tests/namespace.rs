//! A network of its own stays its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::panic::catch_unwind;

use lab::namespace::with_resolvers;
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
