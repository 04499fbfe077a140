//! The scripted TLS endpoint answers as its table and its switches say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lab::certs::{Authority, LeafOptions};
use lab::tls_probe::{End, Offer, Reply, ask, ask_bytes, read, ssl2_hello, suites};
use lab::tls_script::{
    Auth, Ending, Fault, Foreign, Format, Framing, Hello, Preference, Retry, TlsPeer, TlsScript, Version,
};

const TLS12: [u16; 4] = [0xc02f, 0x009e, 0x009c, 0x0005];

/// An endpoint that speaks TLS 1.2 with [`TLS12`].
fn plain() -> TlsScript {
    TlsScript::new().version(Version::Tls12, &TLS12)
}

fn offer() -> Offer {
    Offer::new(Version::Tls12, &[0x0005, 0x009c, 0x009e, 0xc02f])
}

fn answer(script: TlsScript) -> Reply {
    ask(TlsPeer::start(script).addr(), &offer()).unwrap()
}

/// Number of bits of the first integer of a ServerKeyExchange.
fn bits(key_exchange: &[u8]) -> usize {
    let length = usize::from(u16::from_be_bytes([key_exchange[0], key_exchange[1]]));
    length * 8 - key_exchange[2].leading_zeros() as usize
}

#[test]
fn table_is_what_a_client_finds() {
    let export = [0x0003, 0x0004, 0x0014, 0x0062, 0x0064, 0x0018];
    let script = plain()
        .version(Version::Ssl3, &export)
        .version(Version::Tls10, &[0x002f, 0x000a])
        .version(Version::Tls13, &[0x1303, 0x1301]);
    let peer = TlsPeer::start(script);
    let mut expected = [export.to_vec(), vec![0x002f, 0x000a], vec![], TLS12.to_vec(), vec![0x1303, 0x1301]];
    for (version, expected) in Version::ALL.into_iter().zip(&mut expected) {
        expected.sort_unstable();
        let found = suites(peer.addr(), version, "a.test").unwrap();
        assert_eq!(found, *expected, "{version:?}");
    }
    // For TLS 1.1 the endpoint falls back to the highest version below, as real ones do.
    let fallback = ask(peer.addr(), &Offer::new(Version::Tls11, &[0x002f])).unwrap();
    assert_eq!(fallback.picked(), Some((0x0301, 0x002f, None)));
    assert_eq!(peer.connections(), peer.hellos().len());
    assert!(peer.most_at_once() <= 2, "{}", peer.most_at_once());
}

#[test]
fn preference_is_the_server_s_or_the_client_s() {
    assert_eq!(answer(plain()).suite(), Some(0xc02f));
    assert_eq!(answer(plain().preference(Preference::Client)).suite(), Some(0x0005));
}

#[test]
fn key_exchange_has_the_wished_size() {
    let authority = Authority::new("Lab Root CA");
    let leaf = authority.leaf_via_intermediate(&LeafOptions::default(), 30);
    let every = [0x0003, 0x0062, 0x0014, 0x0063, 0x0016, 0x0018, 0x002f, 0xc013];
    let script = TlsScript::new().version(Version::Tls10, &every).certificate(Auth::Rsa, &leaf.chain_der);
    let peer = TlsPeer::start(script.dh_bits(1023));
    for (suite, size) in
        [(0x0003, 512), (0x0062, 1024), (0x0014, 512), (0x0063, 1024), (0x0016, 1023), (0x0018, 1023)]
    {
        let reply = ask(peer.addr(), &Offer::new(Version::Tls10, &[suite])).unwrap();
        assert_eq!(reply.end, End::Whole);
        assert_eq!(bits(reply.message(12).unwrap()), size, "{suite:04x}");
        assert_eq!(reply.message(11).is_none(), suite == 0x0018, "only DH_anon has no certificate");
    }
    let reply = ask(peer.addr(), &Offer::new(Version::Tls10, &[0x002f])).unwrap();
    assert_eq!(reply.messages.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [2, 11, 14]);
    for certificate in &leaf.chain_der {
        let list = reply.message(11).unwrap();
        assert!(list.windows(certificate.len()).any(|window| window == certificate));
    }
    let reply = ask(peer.addr(), &Offer::new(Version::Tls10, &[0xc013])).unwrap();
    assert_eq!(reply.message(12).unwrap()[..4], [3, 0, 0x1d, 32]);
}

#[test]
fn ecdhe_needs_a_common_group() {
    let peer = TlsPeer::start(plain().groups(&[0x0018]));
    let reply = ask(peer.addr(), &offer()).unwrap();
    assert_eq!((reply.suite(), &reply.message(12).unwrap()[1..3]), (Some(0xc02f), &[0, 0x18][..]));
    let reply = ask(peer.addr(), &Offer { groups: vec![0x0017], ..offer() }).unwrap();
    assert_eq!(reply.suite(), Some(0x009e));
}

#[test]
fn tls13_asks_for_a_key_share() {
    let peer = TlsPeer::start(TlsScript::good().groups(&[0x11ec, 0x001d]));
    let offer = Offer { groups: vec![0x001d, 0x11ec], ..Offer::new(Version::Tls13, &[0x1302, 0x1301]) };
    let mut stream = TcpStream::connect(peer.addr()).unwrap();
    stream.write_all(&offer.bytes()).unwrap();
    let retry = read(&mut stream);
    assert_eq!(retry.picked(), Some((0x0304, 0x1301, Some(0x11ec))));
    assert_eq!(retry.extensions().len(), 2);
    assert_eq!(retry.extensions()[1].1.len(), 2, "only the group");
    let second = Offer { key_shares: vec![(0x11ec, vec![1; 1216])], ..offer.clone() };
    // Middlebox compatibility: ChangeCipherSpec before it.
    stream.write_all(&[&[20, 3, 3, 0, 1, 1][..], &second.bytes()].concat()).unwrap();
    let given = read(&mut stream);
    assert_eq!(given.picked(), Some((0x0304, 0x1301, Some(0x11ec))));
    assert_eq!(given.extensions()[1].1.len(), 4 + 1088 + 32);
    let hellos = peer.hellos();
    assert_eq!(hellos.len(), 2);
    assert_eq!((hellos[0].key_shares(), hellos[1].key_shares()), (Some(vec![]), Some(vec![0x11ec])));
    let other = ask(peer.addr(), &Offer { groups: vec![0x0017], ..offer }).unwrap();
    assert_eq!(other.end, End::Alert(40));
}

#[test]
fn tls13_without_retry_takes_the_share_it_gets() {
    let peer = TlsPeer::start(TlsScript::good().groups(&[0x11ec, 0x0017]).retry(Retry::Never));
    let offer = Offer { groups: vec![0x0017, 0x11ec], ..Offer::new(Version::Tls13, &[0x1301]) };
    assert_eq!(ask(peer.addr(), &offer).unwrap().end, End::Alert(40));
    let reply = ask(peer.addr(), &Offer { key_shares: vec![(0x0017, vec![4; 65])], ..offer }).unwrap();
    assert_eq!(reply.picked(), Some((0x0304, 0x1301, Some(0x0017))));
    assert_eq!(reply.extensions()[1].1.len(), 4 + 65);
}

#[test]
fn ssl2_server_hello_lists_the_common_kinds() {
    let peer = TlsPeer::start(TlsScript::new().ssl2(&[0x01_0080, 0x07_00c0, 0x02_0080]));
    let three = ssl2_hello(2, &[0x07_00c0, 0x01_0080, 0x06_0040]);
    let reply = ask_bytes(peer.addr(), &three).unwrap();
    // The reader of the probe knows no SSLv2: it stops after five bytes.
    assert_eq!((reply.end, reply.bytes[0] & 0x80, &reply.bytes[2..5]), (End::Garbage, 0x80, &[4, 0, 1][..]));
    let mut stream = TcpStream::connect(peer.addr()).unwrap();
    stream.write_all(&three).unwrap();
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let mut body = vec![0; usize::from(u16::from_be_bytes(header) & 0x7fff)];
    stream.read_exact(&mut body).unwrap();
    let lengths: Vec<usize> =
        body[5..11].chunks(2).map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]]))).collect();
    assert_eq!(lengths[1..], [6, 16]);
    assert_eq!(body.len(), 11 + lengths[0] + 6 + 16);
    assert_eq!(body[11 + lengths[0]..][..6], [1, 0, 0x80, 7, 0, 0xc0]);
    assert_eq!(peer.hellos()[0].kinds, [0x07_00c0, 0x01_0080, 0x06_0040]);
    assert_eq!(peer.hellos()[0].format, Format::Ssl2);
    let none = ask_bytes(peer.addr(), &ssl2_hello(2, &[0x06_0040])).unwrap();
    assert_eq!(none.bytes[2..5], [0, 0, 1]);
    let without = TlsPeer::start(plain());
    assert_eq!(ask_bytes(without.addr(), &ssl2_hello(2, &[0x06_0040])).unwrap().end, End::Closed);
}

#[test]
fn hello_in_the_format_of_ssl2_may_ask_for_more() {
    let peer = TlsPeer::start(TlsScript::new().version(Version::Tls10, &[0x0005]));
    let reply = ask_bytes(peer.addr(), &ssl2_hello(0x0301, &[0x00_0005])).unwrap();
    assert_eq!(reply.picked(), Some((0x0301, 0x0005, None)));
}

#[test]
fn small_print_of_the_server_hello_follows_the_switches() {
    let wishes =
        |offer: Offer| Offer { compressions: vec![1, 0], ..offer.extension(0xff01, &[0]).extension(23, &[]) };
    let seen = |script: TlsScript| {
        let reply = ask(TlsPeer::start(script).addr(), &wishes(offer())).unwrap();
        let ids: Vec<u16> = reply.extensions().into_iter().map(|(id, _)| id).collect();
        (reply.message(2).unwrap()[35 + 32 + 2], ids)
    };
    assert_eq!(seen(plain()), (0, vec![0xff01, 23]));
    let old = plain().compression(1).without_renegotiation_info().without_extended_master_secret();
    assert_eq!(seen(old), (1, vec![]));
    let reply = answer(plain().asks_client_certificate());
    assert_eq!(reply.messages.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [2, 11, 12, 13, 14]);
}

#[test]
fn fallback_is_noticed_or_not() {
    let both = || plain().version(Version::Tls10, &[0x002f]);
    let fallback = Offer::new(Version::Tls10, &[0x002f, 0x5600]);
    assert_eq!(ask(TlsPeer::start(both()).addr(), &fallback).unwrap().end, End::Alert(86));
    let blind = TlsPeer::start(both().without_fallback_scsv());
    assert_eq!(ask(blind.addr(), &fallback).unwrap().suite(), Some(0x002f));
}

#[test]
fn refusal_is_any_alert_or_end() {
    let script = (0..=255).fold(plain(), |script, number: u8| {
        let condition = move |hello: &Hello| hello.suites == [0x2000 + u16::from(number)];
        script.fault_if(condition, Fault::Empty(Ending::Alert(number)))
    });
    let peer = TlsPeer::start(script);
    for number in 0..=255 {
        let offer = Offer::new(Version::Tls12, &[0x2000 + u16::from(number)]);
        assert_eq!(ask(peer.addr(), &offer).unwrap().end, End::Alert(number));
    }
    let peer = TlsPeer::start(plain().refuse_suite(Ending::Alert(71)));
    assert_eq!(ask(peer.addr(), &Offer::new(Version::Tls12, &[0x1234])).unwrap().end, End::Alert(71));
    for (ending, expected) in [(Ending::Close, End::Closed), (Ending::Reset, End::Reset)] {
        let peer = TlsPeer::start(TlsScript::new().refuse_version(ending));
        assert_eq!(ask(peer.addr(), &offer()).unwrap().end, expected);
    }
    assert_eq!(answer(TlsScript::new()).end, End::Alert(70));
    let warned = answer(plain().warning(112));
    assert_eq!((warned.warnings, warned.end), (vec![112], End::Whole));
}

#[test]
fn silence_lasts() {
    let script = || plain().longest_hello(10, Ending::Hang);
    for script in [script(), TlsScript::new().not_tls(Foreign::Silence), plain().cut_off(0.., Ending::Hang)] {
        let peer = TlsPeer::start(script);
        let mut stream = TcpStream::connect(peer.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        stream.write_all(&offer().bytes()).unwrap();
        assert_eq!(read(&mut stream).end, End::Silent);
        // Dropped with the connection open: must not hang.
    }
}

#[test]
fn hello_that_is_too_long_is_not_stood() {
    for limit in [255, 511] {
        for (ending, expected) in
            [(Ending::Close, End::Closed), (Ending::Reset, End::Reset), (Ending::Alert(47), End::Alert(47))]
        {
            let peer = TlsPeer::start(plain().longest_hello(limit, ending));
            assert_eq!(ask(peer.addr(), &offer().padded_to(limit)).unwrap().end, End::Whole);
            assert_eq!(ask(peer.addr(), &offer().padded_to(limit + 1)).unwrap().end, expected);
            assert_eq!(peer.hellos()[1].length, limit + 1);
        }
    }
    let peer = TlsPeer::start(plain().unlucky_lengths(&[10, 14], Ending::Close));
    for (length, expected) in [(266, End::Closed), (270, End::Closed), (526, End::Closed), (267, End::Whole)]
    {
        assert_eq!(ask(peer.addr(), &offer().padded_to(length)).unwrap().end, expected, "{length}");
    }
}

#[test]
fn suites_beyond_the_limit_are_not_read() {
    let unknown = |count: u16| (0x2000..0x2000 + count).chain([0x009c]).collect::<Vec<_>>();
    for limit in [64, 128] {
        let peer = TlsPeer::start(plain().suites_read(usize::from(limit)));
        assert_eq!(
            ask(peer.addr(), &Offer::new(Version::Tls12, &unknown(limit - 1))).unwrap().suite(),
            Some(0x009c)
        );
        assert_eq!(
            ask(peer.addr(), &Offer::new(Version::Tls12, &unknown(limit))).unwrap().end,
            End::Alert(40)
        );
    }
}

#[test]
fn host_name_is_demanded() {
    let peer = TlsPeer::start(plain().sni_demanded());
    assert_eq!(ask(peer.addr(), &offer()).unwrap().end, End::Alert(112));
    assert_eq!(ask(peer.addr(), &offer().named("a.test")).unwrap().end, End::Whole);
    assert_eq!(peer.hellos()[1].server_name().as_deref(), Some("a.test"));
}

#[test]
fn cut_off_begins_and_ends() {
    for (ending, expected) in
        [(Ending::Close, End::Closed), (Ending::Reset, End::Reset), (Ending::Alert(80), End::Alert(80))]
    {
        let peer = TlsPeer::start(plain().cut_off(1..3, ending));
        let ends = [(); 4].map(|()| ask(peer.addr(), &offer()).unwrap().end);
        assert_eq!(ends, [End::Whole, expected, expected, End::Whole]);
        assert_eq!(peer.connections(), 4);
    }
}

#[test]
fn rate_is_limited() {
    let peer = TlsPeer::start(plain().rate(2, Ending::Close));
    let start = Instant::now();
    let ends = [(); 3].map(|()| ask(peer.addr(), &offer()).unwrap().end);
    if start.elapsed() < Duration::from_millis(900) {
        assert_eq!(ends, [End::Whole, End::Whole, End::Closed]);
    }
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(ask(peer.addr(), &offer()).unwrap().end, End::Whole);
}

#[test]
fn serial_endpoint_keeps_the_others_waiting() {
    let service = Duration::from_millis(50);
    let peer = TlsPeer::start(plain().serial(service));
    let first = TcpStream::connect(peer.addr()).unwrap();
    let mut second = TcpStream::connect(peer.addr()).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    second.write_all(&offer().bytes()).unwrap();
    assert_eq!(read(&mut second).end, End::Silent, "the first is idle");
    let until = Instant::now() + Duration::from_secs(20);
    while peer.connections() < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(read(&mut second).end, End::Whole);
    drop(second);
    assert_eq!((peer.connections(), peer.most_at_once()), (2, 2));
    let start = Instant::now();
    for _ in 0..4 {
        assert_eq!(ask(peer.addr(), &offer()).unwrap().end, End::Whole);
    }
    assert!(start.elapsed() >= 4 * service);
}

#[test]
fn halfway_stops_are_where_they_should_be() {
    for (ending, expected) in [(Ending::Close, End::Closed), (Ending::Alert(80), End::Alert(80))] {
        let reply = answer(plain().fault(Fault::Empty(ending)));
        assert_eq!((reply.messages.len(), reply.end), (0, expected));
        let reply = answer(plain().fault(Fault::AfterServerHello(ending)));
        assert_eq!((reply.suite(), reply.messages.len(), reply.end), (Some(0xc02f), 1, expected));
    }
    let reply = answer(plain().fault(Fault::InRecord(Ending::Close)));
    assert_eq!((reply.messages.len(), reply.end, reply.bytes.len()), (0, End::Closed, 40));
    assert_eq!(answer(plain().fault(Fault::Empty(Ending::Reset))).end, End::Reset);
}

#[test]
fn picks_may_be_wrong() {
    assert_eq!(answer(plain().fault(Fault::Suite(0x0004))).picked(), Some((0x0303, 0x0004, None)));
    assert_eq!(answer(plain().fault(Fault::Version(0x0300))).picked(), Some((0x0300, 0xc02f, None)));
    assert_eq!(answer(plain().fault(Fault::Version(0x0304))).picked(), Some((0x0304, 0xc02f, None)));
    let reply = answer(plain().fault(Fault::Group(0x0001)));
    assert_eq!(reply.message(12).unwrap()[..3], [3, 0, 1]);
    assert_eq!(answer(plain().fault(Fault::Compression(64))).message(2).unwrap()[35 + 32 + 2], 64);
    let peer = TlsPeer::start(TlsScript::good().fault(Fault::Group(0x6399)));
    let reply = ask(peer.addr(), &Offer::new(Version::Tls13, &[0x1301])).unwrap();
    assert_eq!(reply.picked(), Some((0x0304, 0x1301, Some(0x6399))));
    // Only for some hellos.
    let peer = TlsPeer::start(plain().fault_if(|hello| hello.suites.len() == 1, Fault::Suite(0x0001)));
    assert_eq!(ask(peer.addr(), &Offer::new(Version::Tls12, &[0x009c])).unwrap().suite(), Some(0x0001));
    assert_eq!(ask(peer.addr(), &offer()).unwrap().suite(), Some(0xc02f));
}

#[test]
fn malformed_answers_are_malformed() {
    for (fault, start) in [
        (Fault::HugeRecord, &[22, 3, 3, 0xff, 0xff, 0][..]),
        (Fault::HugeHandshake, &[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff, 22]),
        (Fault::ZeroLengthRecords, &[22, 3, 3, 0, 0, 22, 3, 3, 0, 0]),
        (Fault::WrongType(24), &[24, 3, 3]),
        (Fault::RecordFlood, &[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff, 22, 3, 3, 0, 1, 0, 22]),
        (Fault::AlertFlood, &[21, 3, 3, 0, 2, 1, 112, 21]),
        (Fault::UnknownMessages, &[22, 3, 3, 0, 5, 99, 0, 0, 1, 0, 22]),
        (Fault::NoServerHello, &[22, 3, 3]),
        (Fault::LongAlert, &[21, 3, 3, 0, 3, 2, 40, 0]),
        (Fault::ShortAlert, &[21, 3, 3, 0, 1, 2]),
        (Fault::LyingLength, &[22, 3, 3]),
        (Fault::Bytes(b"hello".to_vec()), b"hello"),
    ] {
        let peer = TlsPeer::start(plain().fault(fault.clone()));
        let mut stream = TcpStream::connect(peer.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&offer().bytes()).unwrap();
        let mut bytes = vec![0; start.len()];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, start, "{fault:?}");
    }
    let peer = TlsPeer::start(plain().fault(Fault::LyingLength));
    let mut stream = TcpStream::connect(peer.addr()).unwrap();
    stream.write_all(&offer().bytes()).unwrap();
    let mut bytes = [0; 5 + 4 + 2 + 32 + 1];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes.last(), Some(&0xff));
}

#[test]
fn records_are_cut_as_wished() {
    for framing in [Framing::PerMessage, Framing::Together, Framing::Pieces(7), Framing::Pieces(1)] {
        let reply = answer(plain().framing(framing));
        assert_eq!((reply.end, reply.messages.len()), (End::Whole, 4), "{framing:?}");
    }
}

#[test]
fn hello_is_recorded() {
    let peer = TlsPeer::start(plain());
    let hello = offer().named("a.test");
    // In two records, the first of them short.
    let message = hello.message();
    let (head, tail) = message.split_at(3);
    let record = |part: &[u8]| [&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()][..], part].concat();
    let reply = ask_bytes(peer.addr(), &[record(head), record(tail)].concat()).unwrap();
    assert_eq!(reply.end, End::Whole);
    let seen = &peer.hellos()[0];
    assert_eq!((seen.record_version, seen.version, seen.records, seen.connection), (0x0301, 0x0303, 2, 0));
    assert_eq!((seen.suites.as_slice(), seen.length), (&hello.suites[..], message.len()));
    assert_eq!(seen.groups(), hello.groups);
    assert_eq!(seen.versions(), [0x0300, 0x0301, 0x0302, 0x0303]);
    assert_eq!(seen.extensions.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 10, 11, 13]);
    assert!(seen.at < Duration::from_mins(1));
}

#[test]
fn foreign_services_do_not_speak_tls() {
    for (foreign, start) in
        [(Foreign::ssh(), "SSH-2.0-"), (Foreign::http(), "HTTP/1.1 400"), (Foreign::smtp(), "220 ")]
    {
        let reply = answer(TlsScript::new().not_tls(foreign));
        assert_eq!(reply.end, End::Garbage);
        assert!(start.as_bytes().starts_with(&reply.bytes[..4]));
    }
}
