use std::time::{Duration, Instant};

use common::net::Deadline;
use proptest::prelude::*;

use super::*;
use crate::mac::Mac;

fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + content.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

fn neighbour(state: u16, flags: u8) -> Vec<u8> {
    let mut body = vec![2, 0, 0, 0];
    body.extend(3u32.to_ne_bytes());
    body.extend(state.to_ne_bytes());
    body.extend([flags, 1]);
    body.extend(attribute(1, &[10, 99, 0, 1]));
    body.extend(attribute(2, &[2, 0, 0, 0, 0, 1]));
    message(28, 2, &body)
}

#[test]
fn neighbours() {
    let expected = Neighbour {
        index: 3,
        ip: "10.99.0.1".parse().unwrap(),
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        state: State::Reachable,
    };
    let mut bytes = neighbour(2, 0);
    bytes.extend(message(3, 2, &[0; 4]));
    let found = parse_messages(&bytes);
    assert_eq!(found.all, vec![Message::Neighbour(expected)]);
    assert!(found.is_done && !found.is_interrupted && found.error.is_none());
    // A proxy entry answers for others; it is no neighbour.
    assert_eq!(parse_messages(&neighbour(2, 8)).all, vec![]);
    assert_eq!(parse_messages(&neighbour(3, 0)).all, vec![]);
}

#[test]
fn routes_through_one_and_several_gateways() {
    let mut body = vec![2, 0, 0, 0, 254, 9, 0, 1, 0, 0, 0, 0];
    let single = [attribute(5, &[10, 99, 0, 1]), attribute(4, &2u32.to_ne_bytes())].concat();
    let of = |body: &[u8]| parse_messages(&message(24, 2, body)).all;
    let route = |index, last, is_default, is_advertised| {
        let gateway = [10, 99, 0, last].into();
        Message::Route(Route { index, gateway, is_default, is_advertised })
    };
    assert_eq!(of(&[body.clone(), single].concat()), vec![route(2, 1, true, true)]);
    let hop = |index: u32, last| {
        let gateway = attribute(5, &[10, 99, 0, last]);
        let mut bytes = u16::try_from(8 + gateway.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(index.to_ne_bytes());
        bytes.extend(gateway);
        bytes
    };
    (body[1], body[5]) = (24, 3);
    let several = attribute(9, &[hop(2, 1), hop(3, 2)].concat());
    let expected = vec![route(2, 1, false, false), route(3, 2, false, false)];
    assert_eq!(of(&[body.clone(), several.clone()].concat()), expected);
    // A route that is none: unreachable, prohibited.
    body[7] = 7;
    assert_eq!(of(&[body, several].concat()), vec![]);
}

#[test]
fn refusals_and_interruptions() {
    let refused = parse_messages(&message(2, 0, &(-libc::EPERM).to_ne_bytes()));
    assert_eq!((refused.is_done, refused.error), (true, Some(libc::EPERM)));
    let interrupted = parse_messages(&message(3, 0x12, &[0; 4]));
    assert!(interrupted.is_interrupted && interrupted.is_done);
    assert!(!parse_messages(&neighbour(2, 0)).is_done);
}

#[test]
fn our_own_kernel() {
    let deadline = Deadline::new(Instant::now(), Duration::from_secs(10));
    let mut netlink = Netlink::open(&deadline).unwrap();
    let links = netlink.links().unwrap();
    let loopback = links.iter().find(|link| link.is_loopback).unwrap();
    assert_eq!(loopback.name, "lo");
    let addresses = netlink.addresses().unwrap();
    let local = addresses.iter().find(|address| address.ip.is_loopback()).unwrap();
    assert_eq!(local.index, loopback.index);
    netlink.routes().unwrap();
    netlink.neighbours().unwrap();
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_messages(&bytes);
    }

    #[test]
    fn any_body(kind in prop::sample::select(vec![2u16, 3, 16, 20, 24, 28]), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = message(kind, 2, &body);
        prop_assert!(parse_messages(&bytes).all.len() <= 1 + body.len() / 8);
    }

    #[test]
    fn cut_anywhere(length in 0usize..60) {
        let whole = neighbour(2, 0);
        let cut = &whole[..length.min(whole.len())];
        prop_assert_eq!(parse_messages(cut).all.len(), usize::from(cut.len() == whole.len()));
    }
}
