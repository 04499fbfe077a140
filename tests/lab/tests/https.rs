//! The web servers of MTA-STS policies, as the HTTP client and the TLS of Python find them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::certs::{Authority, Leaf, LeafOptions};
use lab::https::nginx::PolicyHost;
use lab::https::{Https, HttpsOptions, Opening, POLICY_PATH, Site, answer};
use lab::peer::Script;
use lab::process::{has_ipv6, program};
use tempfile::TempDir;

const NAME: &str = "mta-sts.example.test";
const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\nmx: mx1.example.test\r\n";

/// Asks every server that its input names in a line. Prints status, type, place and the first bytes
/// of the body, or the name of what went wrong.
const CLIENT: &str = r#"
import concurrent.futures, gzip, http.client, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
def ask(line):
    ip, port, name = line.split()
    try:
        plain = socket.create_connection((ip, int(port)), 2)
        tls = context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False)
        tls.sendall(f"GET {sys.argv[2]} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(tls)
        answer.begin()
        body = answer.read(100000)
        if answer.getheader("content-encoding") == "gzip":
            body = gzip.decompress(body)
        place = answer.getheader("location")
        return f"{answer.status} {answer.getheader('content-type')} {place} {body[:200]} {len(body)}"
    except Exception as error:
        return f"{type(error).__name__} {getattr(error, 'verify_message', '')}"
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    for answer in pool.map(ask, sys.stdin):
        print(answer)
"#;

struct Lab {
    folder: TempDir,
    authority: Authority,
}

impl Lab {
    fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("Lab Root CA"));
        let _ = authority.write_ca(folder.path());
        Self { folder, authority }
    }

    fn leaf(&self) -> Leaf {
        self.authority.leaf(&LeafOptions::server_named(NAME))
    }

    fn site(&self, answer: Script) -> Https {
        Https::start(HttpsOptions::of([Site::new(NAME, &self.leaf(), answer)]))
    }

    /// What is got from each of these.
    fn get(&self, servers: &[SocketAddr]) -> Vec<String> {
        let named: Vec<_> = servers.iter().map(|address| (*address, NAME)).collect();
        self.get_named(&named)
    }

    fn get_named(&self, servers: &[(SocketAddr, &str)]) -> Vec<String> {
        let line = |(at, name): &(SocketAddr, &str)| format!("{} {} {name}\n", at.ip(), at.port());
        let input: String = servers.iter().map(line).collect();
        let mut command = Command::new(program("python3", "python3-venv"));
        command.args(["-I", "-S", "-c", CLIENT]).arg(self.folder.path().join("ca.pem")).arg(POLICY_PATH);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let answers: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        assert_eq!(answers.len(), servers.len(), "{text}");
        answers
    }
}

/// How Python shows a body, up to its 200th byte.
fn shown(body: &str, length: usize) -> String {
    format!("b'{}' {length}", body.replace('\r', "\\r").replace('\n', "\\n"))
}

fn good(body: &str) -> String {
    format!("200 text/plain None {}", shown(body, body.len()))
}

#[test]
fn a_policy_is_served_and_its_request_noted() {
    let lab = Lab::new();
    let nginx = PolicyHost::start(&lab.leaf(), POLICY, &[[127, 0, 0, 1].into()]);
    let web = lab.site(answer::ok(POLICY));
    let expected = good(POLICY);
    assert_eq!(lab.get(&[nginx.addr(), web.addr()]), [&*expected, &expected], "{}", nginx.log());
    let logged = nginx.requests();
    assert!(logged[0].contains("GET /.well-known/mta-sts.txt HTTP/1.1\" 200"), "{logged:?}");
    let [request] = &web.requests()[..] else { panic!("{:?}", web.requests()) };
    assert_eq!((request.server_name.as_deref(), request.host()), (Some(NAME), Some(NAME)));
    assert_eq!((&*request.method, &*request.target, &*request.version), ("GET", POLICY_PATH, "HTTP/1.1"));
    assert_eq!((request.local, web.connections(), web.tls_failures().len()), (web.addr(), 1, 0));
}

#[test]
fn answers_are_as_bad_as_they_say() {
    let lab = Lab::new();
    let long = format!("{POLICY}{}", "x: y\r\n".repeat(2000));
    let endless = "mx: mx.example.test\r\n".repeat(10);
    let page = "404 text/html None b'<html><h1>404 Not Found</h1></html>' 35";
    let table = [
        (answer::status("404 Not Found"), page.to_owned()),
        (answer::redirect("https://elsewhere.test/"), "301 None https://elsewhere.test/ b'' 0".to_owned()),
        (answer::typed("text/html", POLICY), good(POLICY).replace("plain", "html")),
        (answer::chunked(POLICY, 7), good(POLICY)),
        (answer::gzip(POLICY), good(POLICY)),
        (answer::http10(POLICY), good(POLICY)),
        (answer::cut_short(POLICY), "SSLEOFError".to_owned()),
        (answer::http10_cut(POLICY), "SSLEOFError".to_owned()),
        (answer::nothing(), "SSLEOFError".to_owned()),
        (answer::silence(), "TimeoutError".to_owned()),
        (answer::huge_head(64 << 10, POLICY), good(POLICY)),
        (answer::huge_head(256 << 10, POLICY), "HTTPException".to_owned()),
        (answer::endless_head(), "HTTPException".to_owned()),
        (answer::endless(), format!("200 text/plain None {}", shown(&endless[..200], 100_000))),
        (answer::ok(&long), format!("200 text/plain None {}", shown(&long[..200], long.len()))),
        (answer::drip(POLICY, Duration::from_millis(2)), good(POLICY)),
    ];
    let servers: Vec<Https> = table.iter().map(|(answer, _)| lab.site(answer.clone())).collect();
    let addresses: Vec<_> = servers.iter().map(Https::addr).collect();
    let started = Instant::now();
    for (number, (said, (_, expected))) in lab.get(&addresses).iter().zip(&table).enumerate() {
        assert_eq!(said, expected, "answer {number}");
    }
    assert!(started.elapsed() > Duration::from_millis(2 * 170), "{:?}", started.elapsed());
}

#[test]
fn certificates_and_openings_fail() {
    let lab = Lab::new();
    let named = LeafOptions::server_named(NAME);
    let bad = [
        (lab.authority.leaf(&named.clone().days(-3)), "certificate has expired"),
        (Leaf::self_signed(&named), "self-signed certificate"),
        (Authority::new("Other CA").leaf(&named), "unable to get local issuer certificate"),
        (lab.authority.leaf(&LeafOptions::server_named("other.test")), "Hostname mismatch"),
    ];
    let site = |leaf: &Leaf| HttpsOptions::of([Site::new(NAME, leaf, answer::ok(POLICY))]);
    let servers: Vec<Https> = bad.iter().map(|(leaf, _)| Https::start(site(leaf))).collect();
    let addresses: Vec<_> = servers.iter().map(Https::addr).collect();
    for ((said, (_, expected)), web) in lab.get(&addresses).iter().zip(&bad).zip(&servers) {
        assert!(said.starts_with("SSLCertVerificationError") && said.contains(expected), "{said}");
        assert_eq!((web.requests().len(), web.connections(), web.tls_failures().len()), (0, 1, 1));
    }
    let openings = [Opening::Clear, Opening::Silent, Opening::Closed];
    let servers = openings.map(|opening| Https::start(site(&lab.leaf()).opening(opening)));
    let said = lab.get(&servers.each_ref().map(Https::addr));
    assert_eq!(said, ["SSLError", "TimeoutError", "SSLEOFError"]);
}

#[test]
fn one_server_has_several_names_and_addresses() {
    let lab = Lab::new();
    let second = lab.authority.leaf(&LeafOptions::server_named("mta-sts.second.test"));
    let sites = [
        Site::new(NAME, &lab.leaf(), answer::ok("first")),
        Site::new("mta-sts.second.test", &second, answer::ok("second")),
    ];
    let mut listen: Vec<SocketAddr> = vec![([127, 0, 0, 1], 0).into(), ([127, 0, 0, 9], 0).into()];
    if has_ipv6() {
        listen.push("[::1]:0".parse().unwrap());
    }
    let web = Https::start(HttpsOptions::of(sites).at(&listen));
    let at = listen.iter().map(|address| SocketAddr::new(address.ip(), web.port()));
    let asked: Vec<_> =
        at.flat_map(|at| [NAME, "mta-sts.second.test", "third.test"].map(|name| (at, name))).collect();
    for ((_, name), said) in asked.iter().zip(lab.get_named(&asked)) {
        match *name {
            NAME => assert_eq!(said, good("first")),
            "third.test" => assert!(said.contains("Hostname mismatch"), "{said}"),
            _ => assert_eq!(said, good("second")),
        }
    }
    let requests = web.requests();
    assert_eq!(requests.len(), 2 * listen.len());
    assert!(requests.iter().all(|request| request.server_name.as_deref() == request.host()));
    let mut reached: Vec<_> = requests.iter().map(|request| request.local.ip()).collect();
    reached.sort_unstable();
    reached.dedup();
    assert_eq!(reached.len(), listen.len(), "{reached:?}");
}
