//! The domain whose mail policies are in order is in order, and each of its faults shows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::client::Client;
use lab::dns::client::{Client as DnsClient, ask_validated};
use lab::dns::signed::{Origin, SignedZone};
use lab::dns::{Rcode, Rdata, RecordType, ZoneFile, encode_query_ad};
use lab::https::POLICY_PATH;
use lab::policy::{DOMAIN, Domain, POLICY, POLICY_HOST, SELECTORS, Servers, fault};
use lab::process::left_out_without_root;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// All that a check may ask for, but for TLSA records.
const QUESTIONS: [(&str, RecordType); 17] = [
    ("example.test", RecordType::Mx),
    ("example.test", RecordType::Txt),
    ("mx1.example.test", RecordType::A),
    ("mx2.example.test", RecordType::A),
    ("mx1.example.test", RecordType::Aaaa),
    ("_spf.example.test", RecordType::Txt),
    ("spf.mailer.test", RecordType::Txt),
    ("s2026._domainkey.example.test", RecordType::Txt),
    ("ed._domainkey.example.test", RecordType::Txt),
    ("alias._domainkey.example.test", RecordType::Txt),
    ("_dmarc.example.test", RecordType::Txt),
    ("example.test._report._dmarc.reports.test", RecordType::Txt),
    ("_mta-sts.example.test", RecordType::Txt),
    ("mta-sts.example.test", RecordType::A),
    ("_smtp._tls.example.test", RecordType::Txt),
    ("default._bimi.example.test", RecordType::Txt),
    ("example.test._report._dmarc.stranger.test", RecordType::Txt),
];

#[test]
fn the_healthy_domain_is_healthy() {
    let servers = Domain::healthy().start();
    let of = |name: &str, kind| ask_validated(servers.resolver(), name, kind).unwrap();
    for (name, kind) in QUESTIONS {
        let answer = of(name, kind);
        let (is_there, is_own) =
            (kind != RecordType::Aaaa && !name.contains("stranger"), name.ends_with(DOMAIN));
        assert_eq!(!answer.records.is_empty(), is_there, "{name}");
        let is_vouched_for = is_own && !name.starts_with("alias");
        assert_eq!(answer.flags.authentic_data, is_vouched_for, "{name}");
        assert_eq!(answer.rcode == Rcode::NxDomain, name.contains("stranger"), "{name}");
    }
    for selector in SELECTORS {
        let texts = of(&format!("{selector}._domainkey.{DOMAIN}"), RecordType::Txt).texts();
        assert!(texts.len() == 1 && texts[0].starts_with("v=DKIM1; k="), "{texts:?}");
    }
    assert_eq!(of("_dmarc.test", RecordType::Txt).rcode, Rcode::NxDomain, "above the domain");
    let seen = seen(&servers);
    assert!(seen["web"].contains(" 200 ") && seen["web"].ends_with(POLICY), "{seen:#?}");
    let [first, second] = ["mx1", "mx2"].map(|host| seen[host].as_str());
    assert!(first == "220 encrypted" && second == "220 encrypted", "{seen:#?}");
    let [request] = &servers.web.requests()[..] else { panic!("{:?}", servers.web.requests()) };
    assert_eq!((request.server_name.as_deref(), &*request.target), (Some(POLICY_HOST), POLICY_PATH));
}

#[test]
fn the_exchangers_fit_their_tlsa_records() {
    let servers = Domain::healthy().start();
    for (host, number) in servers.hosts.iter().zip(1..) {
        fits_its_tlsa_records(servers.resolver(), number, host.addr());
    }
}

/// By the TLSA records alone, as openssl reads them.
fn fits_its_tlsa_records(resolver: SocketAddr, number: u8, host: SocketAddr) {
    for port in [25, host.port()] {
        let name = format!("_{port}._tcp.mx{number}.{DOMAIN}");
        let answer = ask_validated(resolver, &name, RecordType::Tlsa).unwrap();
        assert!(answer.flags.authentic_data);
        let [Rdata::Tlsa { usage, selector, matching, data }] = &answer.data()[..] else {
            panic!("{answer:?}")
        };
        let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut command = Command::new("openssl");
        command.args(["s_client", "-brief", "-starttls", "smtp", "-connect", &host.to_string()]);
        command.args(["-dane_tlsa_domain", &format!("mx{number}.{DOMAIN}"), "-dane_tlsa_rrdata"]);
        command.arg(format!("{usage} {selector} {matching} {data}"));
        let said = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("Verification: OK") && said.contains("DANE"), "{said}");
    }
}

/// Real servers show the same domain, so the embedded ones are what real servers are.
#[test]
fn real_servers_are_the_same_domain() {
    if left_out_without_root("Postfix with several certificates") {
        return;
    }
    let embedded = Domain::healthy().start();
    for origin in [Origin::Nsd, Origin::Named] {
        let real = Domain::healthy().start_real(origin);
        for (name, kind) in QUESTIONS {
            let [first, second] = [embedded.resolver(), real.resolver()].map(|resolver| {
                let answer = ask_validated(resolver, name, kind).unwrap();
                let mut data: Vec<_> = answer.data().iter().map(|data| format!("{data:?}")).collect();
                data.sort_unstable();
                (answer.rcode, answer.flags.authentic_data, data)
            });
            assert_eq!(first, second, "{name} {kind:?}");
        }
        for number in [1, 2] {
            let host = SocketAddr::from(([127, 0, 0, 30 + number], real.mx.hosts_port()));
            fits_its_tlsa_records(real.resolver(), number, host);
        }
        let said = web(real.web.addr(), real.ca_file()).unwrap();
        assert!(said.contains(" 200 ") && said.ends_with(POLICY), "{said}");
    }
    let forged = |zone: &ZoneFile| SignedZone::new(zone).forged("_dmarc.example.test", "TXT");
    let broken = Domain::healthy().with(fault::host_without_starttls).start_real_signed(Origin::Nsd, forged);
    let rcode = |name: &str| ask_validated(broken.resolver(), name, RecordType::Txt).unwrap().rcode;
    assert_eq!((rcode("_dmarc.example.test"), rcode(DOMAIN)), (Rcode::ServFail, Rcode::NoError));
    let second = SocketAddr::from(([127, 0, 0, 32], broken.mx.hosts_port()));
    let config = config(broken.ca_file());
    assert_eq!(mail(second, &config, "mx2").unwrap(), "220 in clear");
    let unsigned = Domain::healthy().with(fault::dane_unsigned).start_real(Origin::Nsd);
    let answer = ask_validated(unsigned.resolver(), DOMAIN, RecordType::Mx).unwrap();
    assert_eq!((answer.rcode, answer.flags.authentic_data, answer.records.len()), (Rcode::NoError, false, 2));
}

#[test]
fn every_fault_shows_and_no_two_look_the_same() {
    let healthy = seen(&Domain::healthy().start());
    let mut looks: Vec<(&str, String)> = Vec::new();
    for (name, fault) in fault::ALL {
        let seen = seen(&Domain::healthy().with(fault).start());
        let changes: Vec<_> = seen.iter().filter(|(what, said)| healthy.get(*what) != Some(*said)).collect();
        println!("{name}: {:.300}", format!("{changes:?}"));
        assert!(!changes.is_empty(), "{name} does not show");
        // One thing goes wrong, though several names may show it.
        let only = |front: &str| changes.iter().all(|(what, _)| what.contains(front));
        let is_one = changes.len() == 1 || only("TLSA") || only("mx2") || *name == "dane_unsigned";
        assert!(is_one, "{name}: {changes:#?}");
        looks.push((name, format!("{changes:?}")));
    }
    for (at, (name, look)) in looks.iter().enumerate() {
        let twin = looks[..at].iter().find(|(_, other)| other == look);
        assert!(twin.is_none(), "{name} looks like {twin:?}");
    }
}

#[test]
fn answers_are_away() {
    let servers = Domain::healthy().away(Duration::from_millis(30)).start();
    for name in [DOMAIN, "_dmarc.test", "elsewhere.example"] {
        let started = Instant::now();
        let _ = ask_validated(servers.resolver(), name, RecordType::Mx).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(30), "{name}");
    }
}

/// Everything that can be seen of a domain, by what it is about.
fn seen(servers: &Servers) -> BTreeMap<String, String> {
    let hosts = ["mx1", "mx2"].map(|host| format!("_{}._tcp.{host}.{DOMAIN}", servers.smtp_port()));
    let tlsa = hosts.iter().map(|name| (name.as_str(), RecordType::Tlsa));
    let mut seen: BTreeMap<String, String> = QUESTIONS
        .into_iter()
        .chain(tlsa)
        .map(|(name, kind)| {
            let port = format!("_{}._tcp", servers.smtp_port());
            (format!("{} {kind:?}", name.replace(&port, "TLSA")), said(servers, name, kind))
        })
        .collect();
    seen.insert(
        "web".to_owned(),
        web(servers.web.addr(), servers.ca_file()).unwrap_or_else(|error| error.to_string()),
    );
    for (host, name) in servers.hosts.iter().zip(["mx1", "mx2"]) {
        let said =
            mail(host.addr(), &config(servers.ca_file()), name).unwrap_or_else(|error| error.to_string());
        seen.insert(name.to_owned(), said);
    }
    seen
}

/// What the resolver says. The data of TLSA records is made anew for each domain.
fn said(servers: &Servers, name: &str, kind: RecordType) -> String {
    let client = DnsClient::new(servers.resolver()).unwrap();
    client.set_timeout(Duration::from_millis(100));
    client.send_bytes(&encode_query_ad(1, name, kind)).unwrap();
    let Ok(answer) = client.receive() else { return "nothing".to_owned() };
    let shown = |data: Rdata| match data {
        Rdata::Tlsa { usage, selector, matching, data } => {
            format!("{usage} {selector} {matching} {}", data.iter().all(|byte| *byte == 0))
        }
        data => format!("{data:?}"),
    };
    let data: Vec<String> = answer.data().into_iter().map(shown).collect();
    format!("{:?} {} {data:?}", answer.rcode, answer.flags.authentic_data)
}

/// What the host of the policy says within half a second.
fn web(address: SocketAddr, ca_file: &Path) -> std::io::Result<String> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let name = POLICY_HOST.try_into().unwrap();
    let connection = ClientConnection::new(config(ca_file), name).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    write!(stream, "GET {POLICY_PATH} HTTP/1.1\r\nHost: {POLICY_HOST}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    let until = Instant::now() + Duration::from_millis(500);
    let mut buffer = [0; 1000];
    while bytes.len() < 1000 && Instant::now() < until {
        match stream.read(&mut buffer)? {
            0 => break,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned())
}

/// A client that trusts this file.
fn config(ca_file: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// How far a session comes.
fn mail(address: SocketAddr, config: &Arc<ClientConfig>, host: &str) -> std::io::Result<String> {
    let mut client = Client::connect(address)?;
    let greeting = client.reply()?.code;
    if greeting != 220 {
        return Ok(greeting.to_string());
    }
    if !client.command("EHLO a.test")?.has("STARTTLS") {
        return Ok("220 in clear".to_owned());
    }
    let mut client = client.starttls(config, &format!("{host}.{DOMAIN}"))?;
    let reply = client.command("EHLO a.test")?;
    assert_eq!(reply.code, 250);
    Ok("220 encrypted".to_owned())
}
