//! check_weak_ciphers --html: the page as a browser shows it, wide, narrow, dark and printed. All that was found is
//! there, and nothing that a server says becomes more than text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::browser::{self, Look, Scheme, Window};
use lab::certs::{Authority, Leaf, LeafOptions};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::{Daemon, Group, free_port, program};
use lab::tls_script::{Ending, TlsPeer, TlsScript, Version};
use lab::tls_servers::{Keys, java};
use serde_json::Value;
use tempfile::TempDir;
use tests::Check;

/// A folder with what a run writes.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a check with this result; the page that it wrote and the document.
    fn write(&self, check: &Check, state: State) -> (String, Value) {
        let (html, json) = (self.path("page.html"), self.path("page.json"));
        let _ = check.clone().arg("--html").arg(&html).arg("--json").arg(&json).gives(state, &[]);
        let document = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        (fs::read_to_string(html).unwrap(), document)
    }
}

fn on(host: &str, ports: &[u16]) -> Check {
    let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let check = Check::new("check_weak_ciphers").args(["-H", host, "-p", &ports]);
    check.args(["--handshake-timeout", "1"]).timeout(30.0)
}

fn scripted(peer: &TlsPeer) -> Check {
    on("127.0.0.1", &[peer.port()]).arg("--no-cert")
}

/// What the page is made of, whatever was found.
const ELEMENTS: [&str; 27] = [
    "a", "b", "code", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "header", "li", "main", "p",
    "section", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "wbr",
];
const ATTRIBUTES: [&str; 7] = ["class", "data-label", "href", "id", "rel", "role", "scope"];
/// WCAG 2.2, level AA, for text.
const LEAST_CONTRAST: f64 = 4.5;

/// Looks at a page; what is always true of it.
fn shown(page: &str) -> Look {
    all_shown(&[page.to_owned()]).swap_remove(0)
}

/// Looks at pages wide, narrow and dark, with their own rules and without.
fn all_shown(pages: &[String]) -> Vec<Look> {
    let policy = "<meta http-equiv=\"Content-Security-Policy\" \
                  content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;\">";
    assert!(pages.iter().all(|page| page.contains(policy)));
    let bare: Vec<String> = pages.iter().map(|page| page.replace(policy, "")).collect();
    let of = |pages: &'_ [String], width, scheme| -> Vec<(String, u32, Scheme)> {
        pages.iter().map(|page| (page.clone(), width, scheme)).collect()
    };
    let windows = [
        of(pages, 1280, Scheme::Light),
        of(pages, 390, Scheme::Dark),
        of(pages, 390, Scheme::Light),
        of(&bare, 1280, Scheme::Dark),
    ]
    .concat();
    let windows: Vec<Window<'_>> =
        windows.iter().map(|(page, width, scheme)| Window { page, width: *width, scheme: *scheme }).collect();
    let mut looks = browser::look(&windows);
    for (look, window) in looks.iter().zip(&windows) {
        is_sound(look, window);
    }
    looks.truncate(pages.len());
    looks
}

fn is_sound(look: &Look, window: &Window<'_>) {
    let width = u64::from(window.width);
    assert_eq!(look.widths, (width, width), "nothing is wider than the window");
    assert!(look.sticks_out.is_empty(), "{:?}", look.sticks_out);
    assert!(look.contrast.0 >= LEAST_CONTRAST, "{:?}", look.contrast);
    assert!(look.loaded.is_empty(), "{:?}", look.loaded);
    assert!(!look.has_run);
    let odd: Vec<&String> = look.elements.iter().filter(|name| !ELEMENTS.contains(&name.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
    let odd: Vec<&String> =
        look.attributes.iter().filter(|name| !ATTRIBUTES.contains(&name.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

fn has(look: &Look, words: &str) {
    assert!(look.text.contains(words), "no {words:?} in\n{}", look.text);
}

/// The tables that begin with these columns, without their heads.
fn tables<'a>(look: &'a Look, columns: &[&str]) -> Vec<&'a [Vec<String>]> {
    look.tables.iter().filter(|table| table[0] == columns).map(|table| &table[1..]).collect()
}

const SUITE_COLUMNS: [&str; 5] = ["Suite", "Code", "Key exchange", "Bits", "Judgement"];
const PROTOCOL_COLUMNS: [&str; 5] = ["Version", "Offered", "Judgement", "Suites", "Who decides"];

/// Everything in the document is in the tables.
fn agrees(look: &Look, document: &Value) {
    let ports = document["ports"].as_array().unwrap();
    let seen: Vec<&Value> = ports.iter().filter(|port| port["error"].is_null()).collect();
    let protocols: Vec<&Value> = seen.iter().flat_map(|port| port["protocols"].as_array().unwrap()).collect();
    let rows: Vec<&Vec<String>> = tables(look, &PROTOCOL_COLUMNS).into_iter().flatten().collect();
    assert_eq!(rows.len(), protocols.len());
    for (row, protocol) in rows.iter().zip(&protocols) {
        assert_eq!(row[0], protocol["version"]);
        let offered = if protocol["offered"] == true { "yes" } else { "no" };
        assert!(row[1].starts_with(offered) || !protocol["incomplete"].is_null(), "{row:?}");
    }
    let suites: Vec<&Value> =
        protocols.iter().flat_map(|protocol| protocol["suites"].as_array().unwrap()).collect();
    let rows: Vec<&Vec<String>> = tables(look, &SUITE_COLUMNS).into_iter().flatten().collect();
    assert_eq!(rows.len(), suites.len());
    for (row, suite) in rows.iter().zip(&suites) {
        assert!(row[0].starts_with(suite["name"].as_str().unwrap()), "{row:?} {suite}");
        assert_eq!(row[1], suite["code"]);
        assert_eq!(row[3], suite["bits"].to_string());
        let word = match suite["class"].as_str() {
            None | Some("note") => "allowed",
            Some("policy") => "not listed",
            Some(class) => class,
        };
        assert!(row[4].starts_with(word), "{row:?} {suite}");
    }
    for finding in seen.iter().flat_map(|port| port["findings"].as_array().unwrap()) {
        let id = finding["id"].as_str().unwrap();
        assert!(look.text.contains(id) || id.starts_with("gone_"), "no {id}");
    }
    for group in seen.iter().flat_map(|port| port["groups"].as_array().unwrap()) {
        let rows = tables(look, &["Group", "Code", "Post-quantum", "Protocols", "Judgement"]);
        assert!(rows.into_iter().flatten().any(|row| row[0] == group["name"] && row[1] == group["code"]));
    }
}

/// `openssl s_server` with a chain.
struct Server {
    _daemon: Daemon,
    port: u16,
}

impl Server {
    fn start(folder: &Path, leaf: &Leaf, port: u16) -> Self {
        let (certificate, key) = leaf.write(folder, "server");
        let above = folder.join("above.pem");
        fs::write(&above, leaf.chain_pem.strip_prefix(&leaf.cert_pem).unwrap()).unwrap();
        let mut command = Command::new(program("openssl", "openssl"));
        command.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
        command.args(["-cipher", "ECDHE+AESGCM", "-min_protocol", "TLSv1.2", "-cert"]).arg(certificate);
        command.arg("-key").arg(key);
        if leaf.chain_der.len() > 1 {
            command.arg("-cert_chain").arg(above);
        }
        let mut daemon = Daemon::spawn("openssl s_server", command, Group::FromLab, &folder.join("log"));
        daemon.wait_listening(port);
        Self { _daemon: daemon, port }
    }
}

#[test]
fn a_sound_server() {
    let files = Files::new();
    let authority = Authority::new("Lab Root CA");
    let ca_file = authority.write_ca(files.0.path());
    let leaf = authority.leaf_via_intermediate(&LeafOptions::default(), 400);
    let server = Server::start(files.0.path(), &leaf, free_port());
    let check = on("localhost", &[server.port]).args(["-4", "--inventory", "--ca-file"]).arg(ca_file);
    let (page, document) = files.write(&check, State::Ok);
    let look = shown(&page);
    agrees(&look, &document);
    for words in [
        "TLS inventory\nlocalhost\nOK\n",
        "offers TLS1.2 and TLS1.3 and nothing that bcp195 forbids",
        "0 broken",
        "RFC 9325, 2022-11",
        "https://www.rfc-editor.org/info/bcp195",
        &format!("check_weak_ciphers {}", env!("CARGO_PKG_VERSION")),
        "complete Every question was answered.",
        "TLS from the start",
        "127.0.0.1",
        "CN=mail.lab.test",
        "mail.lab.test, localhost, 127.0.0.1, ::1",
        "90 days left",
        "trusted for localhost",
        "EC secp256r1",
        "CN=Lab Intermediate CA",
        document["ports"][0]["certificates"]["chains"][0]["certificates"][0]["key"]["sha256"]
            .as_str()
            .unwrap(),
    ] {
        has(&look, words);
    }
    let taken = document["taken_at"].as_str().unwrap().replace('T', " ").replace('Z', " UTC");
    has(&look, &taken);
    assert!(!look.text.contains("Judged with") && !look.text.contains("Compared with"));
    // A verdict says that it is one.
    let (page, document) = files.write(&check.clone().args(["--require", "tls1.3"]), State::Ok);
    assert_eq!(document["adjustments"], serde_json::json!(["--require tls1.3"]));
    has(&shown(&page), "Judged with\n--require tls1.3");
    let verdict = on("localhost", &[server.port]).args(["-4", "--no-cert"]);
    let look = shown(&files.write(&verdict, State::Ok).0);
    has(&look, "TLS verdict");
    has(&look, "and one that it allows in each version");
    has(&look, "They were not looked at (--no-cert).");
}

fn first_word(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}

/// Everything that Java can be made to offer: long tables, on paper too.
#[test]
fn a_very_weak_server() {
    let files = Files::new();
    let keys = Keys::new();
    let server = java::server(&keys);
    let check = on("127.0.0.1", &[server.port()]).arg("--inventory");
    let (page, document) = files.write(&check, State::Critical);
    let look = shown(&page);
    agrees(&look, &document);
    let suites: usize = tables(&look, &SUITE_COLUMNS).iter().map(|table| table.len()).sum();
    assert_eq!(suites, server.pairs());
    for words in ["SSL 3.0 is offered", "No encryption", "sslv3", "POODLE", "FREAK", "LOGJAM", "SWEET32"] {
        has(&look, words);
    }
    let findings = tables(&look, &["State", "Finding", "Found on"]);
    assert!(findings[0].iter().all(|row| row[0] == "CRITICAL" || row[0] == "WARNING"));
    assert_eq!(findings[0][0][0], "CRITICAL");
    // What cannot be trusted comes with what to do about it.
    assert!(findings[0].iter().any(|row| row[1].contains("certificate_untrusted")));
    for words in ["from a CA that clients trust", "ssl_certificate /etc/ssl", "SSLCertificateFile /etc/ssl"] {
        has(&look, words);
    }

    let sheets = browser::print(&page);
    assert!((8..=30).contains(&sheets.len()), "{} sheets", sheets.len());
    assert!(sheets[0].contains("CRITICAL") && sheets[0].contains("RFC 9325"), "{}", sheets[0]);
    // The first column: a name that is too wide for it goes on in the next line.
    let printed: String = sheets.iter().flat_map(|sheet| sheet.lines()).filter_map(first_word).collect();
    for row in tables(&look, &SUITE_COLUMNS).into_iter().flatten() {
        let name = row[0].lines().next().unwrap();
        assert!(printed.contains(name), "{name} is not printed whole");
    }
    // The head of a table is on each sheet that it goes on to.
    let heads = sheets.iter().filter(|sheet| sheet.contains("Key exchange")).count();
    assert!(heads + 9 >= sheets.len(), "{heads} of {}", sheets.len());
}

#[test]
fn what_could_not_be_seen() {
    let files = Files::new();
    let banner = Peer::start(Script::new().send("SSH-2.0-<b onclick=ran=1>\r\n").close());
    let (page, document) = files.write(&on("127.0.0.1", &[banner.port()]), State::Unknown);
    assert_eq!(document["complete"], false);
    let look = shown(&page);
    has(&look, "UNKNOWN\n");
    has(&look, "the server speaks SSH, not TLS: \"SSH-2.0-<b onclick=ran=1>\"");
    has(&look, "not complete What was not seen may be there all the same.");
    assert!(!look.text.contains("0 broken") && !look.text.contains("yes"), "{}", look.text);

    let cut = TlsPeer::start(TlsScript::good().cut_off(6.., Ending::Reset));
    let check = scripted(&cut).args(["--inventory", "--max-conns", "1"]);
    let (page, document) = files.write(&check, State::Unknown);
    let look = shown(&page);
    agrees(&look, &document);
    has(&look, "not complete");
    let protocols = tables(&look, &PROTOCOL_COLUMNS);
    assert!(
        protocols[0].iter().any(|row| row[1].starts_with("not known") || row[1].contains("not all seen"))
    );

    // A run that saw nothing at all says so in the place of yesterday's page.
    let check = Check::new("check_weak_ciphers").args(["-H", "no.such.host.invalid"]);
    let (page, _) = files.write(&check, State::Unknown);
    let look = shown(&page);
    has(&look, "cannot resolve no.such.host.invalid");
    has(&look, "not complete");
    let page = files.path("refused.html");
    let baseline = scripted(&cut).args(["--baseline", "/nonexistent", "--html"]).arg(&page);
    baseline.gives(State::Unknown, &["cannot read /nonexistent"]);
    has(&shown(&fs::read_to_string(page).unwrap()), "cannot read /nonexistent");
}

#[test]
fn several_ports_and_differences() {
    let files = Files::new();
    let sound = || TlsScript::new().version(Version::Tls12, &[0xc02f, 0xc02b]).groups(&[0x001d]);
    let (one, two) = (TlsPeer::start(sound()), TlsPeer::start(TlsScript::weak()));
    let check = on("127.0.0.1", &[one.port(), two.port()]).arg("--no-cert");
    let options = ["--inventory", "--ignore", "rc4", "--severity", "sslv3=warning", "--upcoming"];
    let (page, document) = files.write(&check.clone().args(options), State::Critical);
    let baseline = files.path("baseline.json");
    fs::rename(files.path("page.json"), &baseline).unwrap();
    let look = shown(&page);
    agrees(&look, &document);
    has(&look, "--upcoming, --no-cert, --ignore rc4, --severity sslv3=WARNING");
    let ports = tables(&look, &["Port", "Result", "Service", "Protocols", "Suites"]);
    let numbers: Vec<[&str; 2]> = ports[0].iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
    let (first, second) = (one.port().to_string(), two.port().to_string());
    let mut expected = [[first.as_str(), "OK"], [second.as_str(), "CRITICAL"]];
    expected.sort_by_key(|[port, _]| port.parse::<u16>().unwrap());
    assert_eq!(numbers, expected);

    let address = one.addr();
    drop(one);
    let script = TlsScript::new().version(Version::Tls12, &[0xc02f]).version(Version::Tls13, &[0x1301]);
    let _one = TlsPeer::start(script.groups(&[0x001d, 0x0017]).listen(address));
    let check = check.args(["--ignore", "rc4", "--baseline"]).arg(&baseline);
    let (page, document) = files.write(&check, State::Critical);
    let look = shown(&page);
    agrees(&look, &document);
    let since = document["ports"][0]["differences"]["since"].as_str().unwrap();
    has(&look, &format!("the inventory of {}", since.replace('T', " ").replace('Z', " UTC")));
    has(&look, "3 new: New protocol version, New suite, New group");
    has(&look, "Nothing is new, nothing is gone.");
    let differences = tables(&look, &["Change", "What", "Protocol", "Name", "Code"]);
    assert_eq!(differences.len(), 1);
    let rows: Vec<String> = differences[0].iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        rows,
        [
            "new protocol version TLS1.3 TLS1.3 \u{2013}",
            "new suite TLS1.3 TLS_AES_128_GCM_SHA256 0x1301",
            "new group \u{2013} secp256r1 0x0017",
            "gone suite TLS1.2 ECDHE-ECDSA-AES128-GCM-SHA256 0xc02b",
        ]
    );
}

/// Whatever a server puts into its certificate stays text: in names, in labels, in what a baseline says of it.
#[test]
fn hostile_certificates_stay_text() {
    let files = Files::new();
    let words = [
        "<script>parent.ran=1;ran=1</script>",
        "\"><img src=x onerror=\"parent.ran=1\">",
        "'><svg onload='parent.ran=1'>",
        "</style><style>*{display:none}</style>",
        "</td></tr></table><iframe src=https://evil.example>",
        "&lt;b&gt;&amp;#60;",
        "<!-- x",
        "]]>\u{202e}evil\u{7}",
    ];
    let (mut pages, mut texts) = (Vec::new(), Vec::new());
    for word in words {
        let authority = Authority::new(&format!("Lab {word}"));
        let dns = word.chars().filter(char::is_ascii).filter(|c| !c.is_ascii_control()).collect::<String>();
        let options = LeafOptions { common_name: word.into(), ..LeafOptions::server_named(&dns) };
        let server = Server::start(files.0.path(), &authority.leaf(&options), free_port());
        let check = on("localhost", &[server.port]).args(["-4", "--inventory"]);
        let (page, document) = files.write(&check, State::Critical);
        pages.push(page);
        // The key of another day, under the same name.
        let baseline = files.path("hostile.json");
        let leaf = &document["ports"][0]["certificates"]["chains"][0]["certificates"][0]["key"]["sha256"];
        let other = document.to_string().replace(leaf.as_str().unwrap(), &"0".repeat(64));
        fs::write(&baseline, other).unwrap();
        pages.push(files.write(&check.arg("--baseline").arg(&baseline), State::Critical).0);
        texts.push((word.replace('\u{202e}', "\\u{202E}").replace('\u{7}', "\\x07"), dns));
    }
    let looks = all_shown(&pages);
    for (looks, (word, dns)) in looks.chunks(2).zip(&texts) {
        for text in [&format!("CN={word}"), &format!("CN=Lab {word}"), dns] {
            has(&looks[0], text);
        }
        let rows = tables(&looks[1], &["Change", "What", "Protocol", "Name", "Code"]);
        assert_eq!(rows[0].len(), 2, "{rows:?}");
        assert!(rows[0].iter().all(|row| row[3].starts_with(&format!("\"CN={word}"))), "{rows:?}");
    }
}

/// Greetings and refusals.
#[test]
fn hostile_servers_stay_text() {
    let files = Files::new();
    let word = "<script>parent.ran=1</script><img src=x onerror=parent.ran=1>";
    let mut pages = Vec::new();
    let greeted = Script::new().send("220 mail.lab.test ESMTP\r\n").expect("EHLO");
    let greeted = greeted.send("250-mail.lab.test\r\n250 STARTTLS\r\n").expect("STARTTLS");
    for (script, more) in [
        (Script::new().send(format!("{word}\r\n")), &[][..]),
        (Script::new().send(format!("421 {word}\r\n")).close(), &["--starttls", "smtp"]),
        (greeted.send(format!("502 {word}\r\n")), &["--starttls", "smtp"]),
    ] {
        let peer = Peer::start(script);
        let html = files.path("page.html");
        let check = on("127.0.0.1", &[peer.port()]).args(more);
        let outcome = check.arg("--html").arg(&html).outcome();
        assert!(matches!(outcome.parsed().state, State::Unknown | State::Critical), "{}", outcome.report());
        pages.push(fs::read_to_string(html).unwrap());
    }
    for look in all_shown(&pages) {
        has(&look, "<img src=x onerror=parent.ran=1>");
    }
    // No host name has such characters, and who writes it on the command line learns so.
    let check = on("127.0.0.1", &[443]).args(["--sni", word]);
    check.gives(State::Unknown, &["--sni"]);
}

/// The measure itself: markup that is not escaped is seen and runs.
#[test]
fn the_browser_would_show_it() {
    let window = |page, scheme| Window { page, width: 390, scheme };
    let dark = "<style>:root{color-scheme:light dark}@media (prefers-color-scheme:dark){p{color:#fff;background:#000}}\
                </style><p>x<b>y";
    let looks = browser::look(&[
        window("<p style=width:500px>x<script>parent.ran=1</script><img src=x>", Scheme::Light),
        window("<p style=color:#aaa>x", Scheme::Light),
        window(dark, Scheme::Dark),
        window("<p>x<style>p{background:url(https://evil.example/)}</style>", Scheme::Light),
    ]);
    assert!(looks.iter().all(|look| look.has_run), "one of them did");
    assert!(
        looks[0].elements.contains(&"script".to_owned()) && looks[0].elements.contains(&"img".to_owned())
    );
    assert!(!looks[0].sticks_out.is_empty() && looks[0].widths.1 > 390);
    assert!(looks[1].contrast.0 < LEAST_CONTRAST, "{:?}", looks[1].contrast);
    assert!(looks[2].contrast.0 > 20.0, "{:?}", looks[2].contrast);
    assert_eq!(looks[3].loaded, ["https://evil.example/"]);
}

#[test]
fn the_file_is_written_whole_or_not() {
    let files = Files::new();
    let peer = TlsPeer::start(TlsScript::good());
    let page = files.path("page.html");
    let run = || scripted(&peer).arg("--html").arg(&page).gives(State::Ok, &["nothing that bcp195 forbids"]);
    run();
    fs::write(&page, "yesterday").unwrap();
    run();
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    let left: Vec<_> = fs::read_dir(files.0.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let fresh = files.path("fresh.html");
    scripted(&peer).arg("--html").arg(&fresh).gives(State::Ok, &[]);
    assert_eq!(fs::metadata(fresh).unwrap().permissions().mode() & 0o777, 0o644);
    scripted(&peer)
        .args(["--html", "/nonexistent/page.html"])
        .gives(State::Unknown, &["--html: cannot write /nonexistent/page.html"]);
    let same = scripted(&peer).arg("--html").arg(&page).arg("--json").arg(&page);
    same.gives(State::Unknown, &["--html", "cannot be the file of --json"]);
    // The state is the printed one.
    let check = scripted(&peer).args(["--map-state", "ok=warning", "--html"]).arg(&page);
    let _ = check.outcome();
    assert!(fs::read_to_string(&page).unwrap().contains("<strong>WARNING</strong>"));
}
