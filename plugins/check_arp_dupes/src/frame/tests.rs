use proptest::prelude::*;

use super::*;

const OURS: Mac = Mac([2, 0, 0, 0, 0, 0x10]);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 1);

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// An ARP message of 02:66:66:66:66:66 about 10.99.0.1.
fn arp(operation: &str, target: &str) -> Vec<u8> {
    bytes(&format!(
        "020000000010 026666666666 0806 0001 0800 06 04 {operation} 026666666666 0a630001 020000000010 {target}"
    ))
}

fn claimed(bytes: &[u8]) -> Option<(String, String, Kind)> {
    match parse_frame(bytes)?.message {
        Message::Claim(claim) => Some((claim.ip.to_string(), claim.mac.to_string(), claim.kind)),
        _ => None,
    }
}

#[test]
fn claims_in_arp() {
    let says = |kind| Some(("10.99.0.1".to_owned(), "02:66:66:66:66:66".to_owned(), kind));
    assert_eq!(claimed(&arp("0002", "0a63000a")), says(Kind::Reply));
    assert_eq!(claimed(&arp("0001", "0a63000a")), says(Kind::Request));
    assert_eq!(claimed(&arp("0001", "0a630001")), says(Kind::Gratuitous));
    assert_eq!(claimed(&arp("0002", "0a630001")), says(Kind::Gratuitous));
    // Reverse ARP, other hardware, other protocol, cut off.
    assert_eq!(claimed(&arp("0003", "0a63000a")), None);
    let mut foreign = arp("0002", "0a63000a");
    foreign[15] = 6;
    assert_eq!(claimed(&foreign), None);
    let whole = arp("0002", "0a63000a");
    for length in 0..whole.len() {
        assert_eq!(parse_frame(&whole[..length]), None, "{length}");
    }
}

#[test]
fn a_probe_claims_nothing() {
    let frame = arp_question(OURS, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 99, 0, 1));
    let expected = Message::Probe { mac: OURS, ip: Ipv4Addr::new(10, 99, 0, 1).into() };
    let parsed = parse_frame(&frame).unwrap();
    assert_eq!((parsed.message, parsed.destination), (expected, Mac::BROADCAST));
    let frame = arp_question(OURS, Ipv4Addr::new(10, 99, 0, 10), Ipv4Addr::new(10, 99, 0, 1));
    assert_eq!(claimed(&frame), Some(("10.99.0.10".to_owned(), OURS.to_string(), Kind::Request)));
}

#[test]
fn solicitations_are_read_again() {
    let frame = solicitation(OURS, LINK_LOCAL, GLOBAL);
    assert_eq!(claimed(&frame), Some((LINK_LOCAL.to_string(), OURS.to_string(), Kind::Request)));
    let frame = parse_frame(&solicitation(OURS, Ipv6Addr::UNSPECIFIED, GLOBAL)).unwrap();
    assert_eq!(frame.message, Message::Probe { mac: OURS, ip: GLOBAL.into() });
    assert_eq!(frame.destination.to_string(), "33:33:ff:00:00:01");
    // A router solicitation is nobody's claim.
    assert_eq!(parse_frame(&router_solicitation(OURS, LINK_LOCAL)), None);
}

/// An ICMPv6 message in a frame of its own, checksum and all.
fn discovery(source: Ipv6Addr, body: &[u8]) -> Vec<u8> {
    to_group(OURS, source, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), body)
}

#[test]
fn claims_in_neighbour_advertisements() {
    let mut body = vec![NEIGHBOR_ADVERTISEMENT, 0, 0, 0, 0x60, 0, 0, 0];
    body.extend(GLOBAL.octets());
    let bare = discovery(LINK_LOCAL, &body);
    assert_eq!(claimed(&bare), Some((GLOBAL.to_string(), OURS.to_string(), Kind::Reply)));
    body.extend([TARGET_ADDRESS, 1, 2, 0x66, 0x66, 0x66, 0x66, 0x66]);
    body[4] = 0x20;
    let with_option = discovery(LINK_LOCAL, &body);
    let expected = Some((GLOBAL.to_string(), "02:66:66:66:66:66".to_owned(), Kind::Gratuitous));
    assert_eq!(claimed(&with_option), expected);
    // Forwarded, altered, with an option of no length.
    let change = |at: usize, value: u8| {
        let mut changed = with_option.clone();
        changed[at] = value;
        parse_frame(&changed)
    };
    assert_eq!(change(21, 64), None);
    assert_eq!(change(70, 1), None);
    body[25] = 0;
    assert_eq!(parse_frame(&discovery(LINK_LOCAL, &body)), None);
}

#[test]
fn router_advertisements() {
    let mut body = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, 64, 0x08, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend([SOURCE_ADDRESS, 1, 2, 0x66, 0x66, 0x66, 0x66, 0x66]);
    let mut prefix = vec![PREFIX, 4, 64, 0xc0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    prefix.extend(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0).octets());
    body.extend(&prefix);
    body.extend(&prefix);
    let expected = Advertisement {
        router: LINK_LOCAL,
        mac: Mac([2, 0x66, 0x66, 0x66, 0x66, 0x66]),
        lifetime_seconds: 1800,
        preference: Preference::High,
        prefixes: vec![("2001:db8:bad::".parse().unwrap(), 64)],
    };
    let parsed = parse_frame(&discovery(LINK_LOCAL, &body)).map(|frame| frame.message);
    assert_eq!(parsed, Some(Message::Advertisement(expected)));
    // From elsewhere than the link.
    assert_eq!(parse_frame(&discovery(GLOBAL, &body)), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        let _ = parse_frame(&bytes);
    }

    #[test]
    fn any_body_is_read_or_not(kind in 133u8..138, body in proptest::collection::vec(any::<u8>(), 3..120)) {
        let mut whole = vec![kind, 0, 0, 0];
        whole.extend(body);
        if let Some(Frame { message: Message::Advertisement(said), .. }) = parse_frame(&discovery(LINK_LOCAL, &whole)) {
            prop_assert!(said.prefixes.len() <= MOST_PREFIXES);
        }
    }
}
