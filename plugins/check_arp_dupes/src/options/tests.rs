use proptest::prelude::*;

use super::*;
use crate::mac::Mac;

#[test]
fn networks() {
    let of = |text: &str| text.parse::<Cidr>();
    assert_eq!(of("10.0.0.0/24").unwrap().count(), 256);
    assert_eq!(of("10.0.0.1").unwrap().count(), 1);
    assert_eq!(of("0.0.0.0/0").unwrap().count(), 1 << 32);
    assert_eq!(of("::/0").unwrap().count(), u64::MAX);
    assert_eq!(of("2001:db8::/64").unwrap().count(), u64::MAX);
    assert_eq!(
        of("10.0.0.4/30").unwrap().ipv4_addresses().map(|ip| ip.octets()[3]).collect::<Vec<_>>(),
        [4, 5, 6, 7]
    );
    assert_eq!(of("255.255.255.255/32").unwrap().ipv4_addresses().count(), 1);
    assert!(of("10.0.0.0/24").unwrap().contains("10.0.0.255".parse().unwrap()));
    assert!(!of("10.0.0.0/24").unwrap().contains("::ffff:10.0.0.1".parse().unwrap()));
    for text in
        ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "10.0.0.1/24", "::/129", "10.0.0.0/24/1"]
    {
        assert!(of(text).is_err(), "{text}");
    }
    assert_eq!(
        of("10.0.0.1/24").unwrap_err(),
        "'10.0.0.1/24' has bits behind the network; 10.0.0.0/24 is the network"
    );
}

#[test]
fn pins() {
    let allows = |pin: &str, mac: &str| {
        let pin: Pin = pin.parse().unwrap();
        pin.holder.allows(pin.ip, mac.parse().unwrap())
    };
    assert!(allows("10.0.0.1=02:00:00:00:00:01|02:00:00:00:00:02", "02:00:00:00:00:02"));
    for (pin, mac) in [
        ("10.0.0.1=vrrp:60", "00:00:5e:00:01:3c"),
        ("2001:db8::1=vrrp:60", "00:00:5e:00:02:3c"),
        ("10.0.0.1=carp:1", "00:00:5e:00:01:01"),
        ("10.0.0.1=hsrp:12", "00:00:0c:07:ac:0c"),
        ("10.0.0.1=hsrp:300", "00:00:0c:9f:f1:2c"),
        ("fe80::1=hsrp:12", "00:05:73:a0:00:0c"),
        ("10.0.0.1=glbp:1", "00:07:b4:00:01:04"),
        ("10.99.0.30=nlb", "02:bf:0a:63:00:1e"),
        ("10.99.0.30=nlb", "03:bf:0a:63:00:1e"),
        ("10.99.0.30=nlb", "01:00:5e:7f:00:1e"),
    ] {
        assert!(allows(pin, mac), "{pin} {mac}");
        assert!(!allows(pin, "02:66:66:66:66:66"), "{pin}");
    }
    // The prefix alone is no proof.
    assert!(!allows("10.0.0.1=vrrp:60", "00:00:5e:00:01:3d"));
    for text in [
        "10.0.0.1",
        "10.0.0.1=",
        "x=02:00:00:00:00:01",
        "10.0.0.1=vrrp:256",
        "10.0.0.1=hsrp:4096",
        "10.0.0.1=vrrp:",
        "10.0.0.1=eigrp:1",
    ] {
        assert!(text.parse::<Pin>().is_err(), "{text}");
    }
}

#[test]
fn files_of_pins() {
    let text = "# gateways\n10.0.0.1 02:00:00:00:00:01 # first\n\n10.0.0.2=vrrp:60\n2001:db8::1\tvrrp:60\n";
    let pins: Vec<String> = Pins::parse_file(text).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(pins, ["10.0.0.1=02:00:00:00:00:01", "10.0.0.2=vrrp:60", "2001:db8::1=vrrp:60"]);
    assert!(Pins::parse_file("10.0.0.1=x").unwrap_err().starts_with("line 1: "));
}

#[test]
fn other_forms() {
    assert!("shared:*".parse::<Ignore>().unwrap().covers(Id::Shared, None, &[]));
    assert!(!"shared:*".parse::<Ignore>().unwrap().covers(Id::Conflict, None, &[]));
    let of_mac: Ignore = "flip:02:00:00:00:00:01".parse().unwrap();
    assert!(of_mac.covers(Id::Flip, None, &[Mac([2, 0, 0, 0, 0, 1])]));
    for text in ["shared", "nothing:*", "shared:", "shared:x"] {
        assert!(text.parse::<Ignore>().is_err(), "{text}");
    }
    let limits: Limits = "2,5/24h".parse().unwrap();
    assert_eq!((limits.warning, limits.critical, limits.window.as_secs()), (2, 5, 86_400));
    for text in ["2,5", "5,2/1h", "0,2/1h", "2/1h", "2,5/", "2,5/0h"] {
        assert!(text.parse::<Limits>().is_err(), "{text}");
    }
    for text in ["conflict=crit", "conflict=critical", "storm=OK"] {
        assert!(text.parse::<Severity>().is_ok(), "{text}");
    }
    assert!("conflict=bad".parse::<Severity>().is_err());
    for text in ["eth0,", "", "a/b", "abcdefghijklmnop"] {
        assert!(text.parse::<Interfaces>().is_err(), "{text}");
    }
    assert!("2001:db8::1".parse::<Router>().is_err());
    assert!("fe80::1=02:00:00:00:00:01".parse::<Router>().is_ok());
    assert!("02:00:00:00:00:01=x".parse::<AllowShared>().is_err());
}

#[test]
fn times_for_sentences() {
    let of = |milliseconds| seconds(Duration::from_millis(milliseconds));
    assert_eq!([of(2500), of(1000), of(1), of(0)], ["2.5", "1", "0.1", "0"]);
    assert_eq!(span(Duration::from_hours(24)), "1 d");
    assert_eq!(span(Duration::from_mins(90)), "90 min");
    assert_eq!(span(Duration::from_secs(30)), "30 s");
}

proptest! {
    #[test]
    fn networks_come_back(base: u32, bits in 0u8..=32) {
        let cidr = Cidr::around(std::net::Ipv4Addr::from_bits(base).into(), bits);
        prop_assert_eq!(cidr.to_string().parse::<Cidr>(), Ok(cidr));
        prop_assert!(cidr.contains(std::net::Ipv4Addr::from_bits(base).into()));
    }

    #[test]
    fn any_text_is_a_pin_or_none(text in "[0-9a-f.:=|vrhspgnlbc]{0,40}") {
        if let Ok(pin) = text.parse::<Pin>() {
            prop_assert_eq!(pin.to_string().parse::<Pin>(), Ok(pin));
        }
    }
}
