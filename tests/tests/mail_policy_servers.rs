//! check_mail_policy against real servers: a signed zone on NSD or BIND, Unbound that validates it, nginx
//! with the policy, Postfix as both exchangers. What the embedded domain shows of each fault is in
//! `mail_policy.rs`; here are the faults that only real servers can have, and a sample of the others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lab::certs::LeafOptions;
use lab::dns::client::ask_validated;
use lab::dns::signed::{EXPIRED, NSEC3, Origin, SignedZone, Validator};
use lab::dns::unbound::UnboundOptions;
use lab::dns::{
    Behaviour as _, NameServer as _, Names, Record, RecordType, Responder, ResponderOptions, ZoneFile, Zones,
};
use lab::namespace::{Bridge, with_resolvers};
use lab::output::State;
use lab::policy::real::RealServers;
use lab::policy::{DOMAIN, Domain, SELECTORS, fault};
use lab::process::{has_ipv6, left_out_without_root};
use tests::Check;

use State::{Critical, Ok, Unknown, Warning};

/// All that can be looked at without a connection to anybody.
const RECORDS: [&str; 7] = ["--spf", "--dmarc", "--mta-sts", "--tlsrpt", "--dane", "--bimi", "--no-connect"];

fn check(servers: &RealServers) -> Check {
    check_with(&servers.arguments())
}

fn check_with(arguments: &[String]) -> Check {
    Check::new("check_mail_policy").args(arguments)
}

/// Everything is looked at.
fn whole(check: Check) -> Check {
    let check = SELECTORS.iter().fold(check, |check, selector| check.args(["--dkim", selector]));
    check.args(["--spf", "--dmarc", "--mta-sts", "--tlsrpt", "--dane", "--bimi"])
}

fn left_out() -> bool {
    left_out_without_root("Postfix with several certificates")
}

/// More than fits into a datagram, all around the SPF record: what everybody asks a domain to publish.
fn crowded(domain: Domain) -> Domain {
    (0..30).fold(domain, |domain, number| {
        domain.second_text("", &format!("site-verification-{number}={}", "x".repeat(200)))
    })
}

/// The first exchanger by IPv6, too.
fn by_both_families(domain: Domain) -> Domain {
    assert!(has_ipv6(), "the lab needs the IPv6 of loopback");
    domain.record(Record::address("::1").owned_by("mx1.example.test"))
}

/// In order, and then one server after the other goes away.
#[test]
fn nsd_and_servers_that_go_away() {
    if left_out() {
        return;
    }
    let servers = Domain::healthy().with(by_both_families).with(crowded).start_real(Origin::Nsd);
    let answer = ask_validated(servers.resolver(), DOMAIN, RecordType::Txt).unwrap();
    assert!(answer.flags.truncated && answer.texts().len() < 31, "only TCP has it all: {answer:?}");
    let run = whole(check(&servers)).gives(
        Ok,
        &[
            "example.test: SPF 4 of 10 lookups, -all; DKIM s2026: RSA 2048; DKIM ed: Ed25519; DKIM alias: RSA 2048",
            "DMARC p=reject; TLS-RPT to \"mailto:tls@example.test\"; BIMI \"https://www.example.test/logo.svg\"",
            "DANE on 2 of 2 mail exchangers, 3 of 3 certificates match; MTA-STS enforce for 604800 s; \
             3 of 3 certificates are as MTA-STS wants them",
        ],
    );
    assert_eq!((run.parsed.value("tlsa"), run.parsed.value("spf_voids")), (Some(2.0), Some(0.0)));
    let [request] = &servers.web.requests()[..] else { panic!("{:?}", servers.web.requests()) };
    assert!(request.contains("GET /.well-known/mta-sts.txt HTTP/1.1\" 200"), "{request}");
    let run = check(&servers).args(["--dane", "-6"]).gives(
        Unknown,
        &["the certificate of mx2.example.test was not looked at: it has no IPv6 address, and no other is allowed"],
    );
    run.long("DANE on 2 of 2 mail exchangers, 1 of 1 certificates match");

    let arguments = servers.arguments();
    let RealServers { dns, web, mx, .. } = servers;
    drop(web);
    check_with(&arguments).args(["--mta-sts", "--no-connect"]).gives(
        Critical,
        &["mta-sts.example.test: MTA-STS policy cannot be fetched: cannot connect to 127.0.0.30", "refused"],
    );
    check_with(&arguments).args(["--dane", "--spf"]).gives(Ok, &["3 of 3 certificates match"]);
    drop(mx);
    let run = check_with(&arguments)
        .arg("--dane")
        .gives(Unknown, &["of mx1.example.test (127.0.0.31:", "of mx1.example.test ([::1]:", "refused"]);
    run.long("of mx2.example.test (127.0.0.32:").long("certificates not looked at");
    // Frozen, and gone.
    let brief = || check_with(&arguments).args(RECORDS).args(["--query-timeout", "0.3", "--tries", "1"]);
    dns.resolver().pause();
    nothing_is_missing(&brief(), "timeout");
    dns.resolver().resume();
    drop(dns);
    nothing_is_missing(&brief(), "Connection refused");
}

/// Nobody answers, or what is answered cannot be believed: each part names its question, and says of nothing
/// that it is not there.
fn nothing_is_missing(check: &Check, why: &str) {
    let run = check.gives(Unknown, &[]);
    for question in [
        format!("SPF of example.test is not known: cannot look up the TXT record of example.test: {why}"),
        format!("cannot look up the TXT record of _dmarc.example.test: {why}"),
        format!("cannot look up the TXT record of _mta-sts.example.test: {why}"),
        format!("cannot look up the TXT record of _smtp._tls.example.test: {why}"),
        format!("cannot look up the TXT record of default._bimi.example.test: {why}"),
        format!("cannot look up the MX record of example.test: {why}"),
    ] {
        assert!(run.outcome.text().contains(&question), "no {question:?}\n{}", run.outcome.report());
    }
    run.silent_about("missing").silent_about(": no ").silent_about("has no ").silent_about("has neither");
    assert!(!run.outcome.text().contains("CRITICAL"), "{}", run.outcome.report());
}

/// BIND, and names that are denied by their hashes.
#[test]
fn bind() {
    if left_out() {
        return;
    }
    let servers = Domain::healthy().start_real_signed(Origin::Named, |zone| SignedZone::with(zone, &NSEC3));
    whole(check(&servers)).gives(
        Ok,
        &[
            "SPF 4 of 10",
            "DANE on 2 of 2 mail exchangers, 2 of 2 certificates match",
            "2 of 2 certificates are as MTA-STS wants them",
        ],
    );
}

/// One signature after the other is wrong, at the names that one part each asks for.
#[test]
fn forged_signatures() {
    if left_out() {
        return;
    }
    let forged = |zone: &ZoneFile| {
        let owner = zone.text.lines().filter_map(|line| line.split(". ").next());
        let tlsa: Vec<String> =
            owner.filter(|name| name.ends_with("_tcp.mx2.example.test")).map(str::to_owned).collect();
        let signed = SignedZone::new(zone)
            .forged("_dmarc.example.test", "TXT")
            .forged("_mta-sts.example.test", "TXT")
            .forged("_smtp._tls.example.test", "TXT")
            .forged("_spf.example.test", "TXT")
            .forged("ed._domainkey.example.test", "TXT");
        tlsa.iter().fold(signed, |signed, owner| signed.forged(owner, "TLSA"))
    };
    let servers = Domain::healthy().start_real_signed(Origin::Nsd, forged);
    let gives = |words: &[&str], text: &str| {
        let run = check(&servers).args(words).gives(Unknown, &[text, "SERVFAIL"]);
        run.silent_about("missing").silent_about("has no ").silent_about("matches").silent_about("; no ");
    };
    gives(&["--dmarc"], "_dmarc.example.test");
    gives(&["--mta-sts"], "_mta-sts.example.test");
    gives(&["--tlsrpt"], "_smtp._tls.example.test");
    gives(&["--spf"], "the TXT record of _spf.example.test");
    gives(&["--spf", "--ip", "198.18.0.1"], "the TXT record of _spf.example.test");
    gives(&["--dkim", "ed"], "ed._domainkey.example.test");
    let tlsa = format!(
        "cannot look up the TLSA record of _{}._tcp.mx2.example.test: SERVFAIL",
        servers.mx.hosts_port()
    );
    let run = check(&servers).arg("--dane").gives(Unknown, &[&tlsa]);
    run.long("DANE on 1 of 2 mail exchangers, 1 of 1 certificates match");
    run.silent_about("no TLSA record");
    check(&servers).args(["--dkim", "s2026"]).gives(Ok, &["RSA 2048"]);
}

/// A whole zone whose signatures ended, and one that was signed by somebody else.
#[test]
fn zones_that_do_not_validate() {
    let texts = [
        ("", "v=spf1 -all"),
        ("_dmarc.", "v=DMARC1; p=reject"),
        ("_mta-sts.", "v=STSv1; id=1"),
        ("_smtp._tls.", "v=TLSRPTv1; rua=mailto:tls@example.test"),
        ("default._bimi.", "v=BIMI1; l=; a="),
    ];
    let records: Vec<Record> = texts
        .iter()
        .map(|(front, text)| Record::txt(text).owned_by(&format!("{front}{DOMAIN}")))
        .chain([Record::mx(10, "mx1.example.test").owned_by(DOMAIN)])
        .collect();
    let zone = ZoneFile::of(DOMAIN, &records);
    let signed_elsewhere = SignedZone::new(&zone).serving(&SignedZone::new(&zone));
    for broken in [SignedZone::with(&zone, &EXPIRED), signed_elsewhere] {
        let resolver = Validator::start(&[broken], &[]);
        let check = Check::new("check_mail_policy").args(["-d", DOMAIN]);
        let check = check.args(["--resolver", &resolver.addr().to_string()]);
        nothing_is_missing(&check.args(RECORDS), "SERVFAIL");
    }
}

/// A zone without signatures, and a certificate of another name where the policy is.
#[test]
fn an_unsigned_zone() {
    if left_out() {
        return;
    }
    let domain = Domain::healthy().with(fault::dane_unsigned).with(fault::sts_other_name);
    let servers = domain.start_real(Origin::Named);
    let tlsa = format!("_{}._tcp.mx1.example.test TLSA is not validated (no AD)", servers.mx.hosts_port());
    let run = check(&servers).arg("--dane").gives(Warning, &[&tlsa]);
    run.long("example.test MX is not validated (no AD): its TLSA records protect nobody");
    run.silent_about("certificates match");
    // To believe the resolver does not help where it did not validate.
    check(&servers).args(["--dane", "--trust-ad"]).gives(Warning, &[&tlsa]);
    check(&servers).arg("--mta-sts").gives(
        Critical,
        &["mta-sts.example.test: MTA-STS policy cannot be fetched: certificate is not for mta-sts.example.test but \
           for www.example.test"],
    );
    check(&servers).args(["--spf", "--dmarc", "--tlsrpt"]).gives(Ok, &["SPF 4 of 10"]);
}

/// The certificates that Postfix shows.
#[test]
fn certificates_of_postfix() {
    if left_out() {
        return;
    }
    // The first exchanger has a new certificate, for another name and without a TLSA record for it.
    let renewed = |domain: Domain| {
        domain
            .host_leaf(1, |authority| authority.leaf(&LeafOptions::server_named("mail.elsewhere.test")))
            .tlsa(1, [Record::tlsa(3, 1, 1, &[0x5a; 32])])
    };
    let servers = Domain::healthy().with(renewed).with(fault::host_expired).start_real(Origin::Nsd);
    let port = servers.mx.hosts_port();
    let mx1 = format!("mx1.example.test (127.0.0.31:{port})");
    let run = check(&servers).arg("--dane").gives(
        Critical,
        &[&format!(
            "{mx1} serves another certificate than its TLSA 3 1 1 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a..."
        )],
    );
    // What would have to be published, in full.
    let data = run.outcome.text();
    let (_, data) = data.split_once(&format!("publish _{port}._tcp.mx1.example.test TLSA 3 1 1 ")).unwrap();
    assert!(data.split_once(',').unwrap().0.bytes().filter(u8::is_ascii_hexdigit).count() == 64, "{data}");
    // The end of a certificate does not count under a 3 1 1 (RFC 7672 section 3.1.1).
    run.long("DANE on 2 of 2 mail exchangers, 1 of 2 certificates match");
    run.silent_about("mx2");
    let other =
        format!("{mx1}: certificate is not for mx1.example.test but for mail.elsewhere.test, while the");
    let run = check(&servers).arg("--mta-sts").gives(Critical, &[&other]);
    run.long(&format!(
        "mx2.example.test (127.0.0.32:{port}): certificate is not valid at this time, while the"
    ));
    check(&servers).args(["--mta-sts", "--no-connect"]).gives(Ok, &["MTA-STS enforce"]);
}

const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);
const PARTLY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 54);

/// The same resolver, by an address of loopback and by another one.
#[test]
fn a_resolver_elsewhere_is_not_believed() {
    if left_out_without_root("a network with a second address") {
        return;
    }
    with_resolvers(&[IpAddr::V4(ELSEWHERE)], || {
        let _site = Bridge::new("site", &format!("{ELSEWHERE}/24"));
        let at = |ip: Ipv4Addr| SocketAddr::from((ip, 53));
        let wishes = UnboundOptions::default()
            .listening_at(at(HERE))
            .server_line(&format!("  interface: {ELSEWHERE}@53"))
            .server_line("  access-control: 192.0.2.0/24 allow");
        let records = "@ MX 10 mx\nmx A 127.0.0.31\n_25._tcp.mx TLSA 3 1 1 \
                       5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\n";
        let zone = SignedZone::new(&ZoneFile::new(DOMAIN, records));
        let resolver = Validator::start_on(wishes, Origin::Nsd, &[zone], &[]);
        for server in [HERE, ELSEWHERE] {
            let answer = ask_validated(at(server), DOMAIN, RecordType::Mx).unwrap();
            assert!(answer.flags.authentic_data, "{server}");
        }
        let dane = |words: &[&str]| {
            Check::new("check_mail_policy").args(["-d", DOMAIN, "--dane", "--no-connect"]).args(words)
        };
        let (here, elsewhere) = (at(HERE).to_string(), at(ELSEWHERE).to_string());
        let well = "DANE on 1 of 1 mail exchangers, certificates not looked at";
        let doubt = "_25._tcp.mx.example.test TLSA is not validated (no AD)";
        dane(&["--resolver", &here]).gives(Ok, &[well]);
        dane(&["--resolver", &elsewhere]).gives(Warning, &[doubt]).silent_about(well);
        dane(&["--resolver", &elsewhere, "--trust-ad"]).gives(Ok, &[well]);
        // By the system's configuration.
        dane(&[]).gives(Warning, &[doubt]);
        dane(&["--trust-ad"]).gives(Ok, &[well]);
        // The one on this machine vouches for all but the address, which the other one knows.
        let own = [
            Record::mx(10, "mx.example.test").owned_by(DOMAIN),
            Record::tlsa(3, 1, 1, &[0x5a; 32]).owned_by("_25._tcp.mx.example.test"),
        ];
        let own = Names::new(own).at("mx.example.test", RecordType::Any, fault::servfail).authentic();
        let options = ResponderOptions { address: (PARTLY, 53).into(), ..ResponderOptions::default() };
        let partly = Responder::start_with(options, Zones::new().zone(DOMAIN, own));
        let both = ["--resolver", &partly.addr().to_string(), "--resolver", &elsewhere];
        dane(&both).gives(Warning, &["mx.example.test address is not validated (no AD)"]);
        drop(resolver);
    });
}
