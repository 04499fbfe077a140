use std::io::{self, ErrorKind, Read, Write};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A server that has said all it will, in pieces, and says nothing more.
struct Server<'a> {
    left: &'a [u8],
    piece: usize,
    sent: Vec<u8>,
}

impl<'a> Server<'a> {
    fn new(left: &'a [u8], piece: usize) -> Self {
        Self { left, piece, sent: Vec::new() }
    }
}

impl Read for Server<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(buffer.len()).min(self.left.len());
        if count == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let (piece, rest) = self.left.split_at(count);
        buffer[..count].copy_from_slice(piece);
        self.left = rest;
        Ok(count)
    }
}

impl Write for Server<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What comes of it, what was sent, and what was left unread.
fn talk(protocol: Protocol, said: impl AsRef<[u8]>) -> (Result<(), Stopped>, String, usize) {
    let mut server = Server::new(said.as_ref(), usize::MAX);
    let end = protocol.begin(&mut server, "im.example.org");
    (end, String::from_utf8_lossy(&server.sent).into_owned(), server.left.len())
}

fn end(protocol: Protocol, said: impl AsRef<[u8]>) -> Result<(), Stopped> {
    talk(protocol, said).0
}

#[track_caller]
fn ready(protocol: Protocol, said: impl AsRef<[u8]>) {
    let with_tls = [said.as_ref(), b"TLS"].concat();
    let (end, sent, left) = talk(protocol, &with_tls);
    assert_eq!(end, Ok(()), "{sent}");
    assert_eq!(left, 3, "what follows belongs to TLS");
}

#[track_caller]
fn busy(protocol: Protocol, said: impl AsRef<[u8]>, words: &str) {
    match end(protocol, said) {
        Err(Stopped::Busy(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn not_offered(protocol: Protocol, said: impl AsRef<[u8]>, words: &str) {
    match end(protocol, said) {
        Err(Stopped::NotOffered(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn elsewhere(protocol: Protocol, said: impl AsRef<[u8]>, words: &str) {
    match end(protocol, said) {
        Err(Stopped::Elsewhere(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn foreign(protocol: Protocol, said: impl AsRef<[u8]>) {
    match end(protocol, said) {
        Err(Stopped::Foreign(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn silent(protocol: Protocol, said: impl AsRef<[u8]>) {
    assert_eq!(end(protocol, said), Err(Stopped::Failed(ErrorKind::TimedOut)));
}

const STREAM: &str = "<?xml version='1.0'?><stream:stream id='1' from='im.example.org' version='1.0' \
                      xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const FEATURES: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
                        <mechanisms/></stream:features>";

fn stream_with(rest: &str) -> String {
    format!("{STREAM}{rest}")
}

fn stream_error(condition: &str) -> String {
    stream_with(&format!(
        "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text>so be it</text></stream:error>"
    ))
}

#[test]
fn xmpp_ready() {
    for proceed in ["<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed xmlns=\"x\"></proceed>"] {
        ready(Protocol::XmppClient, stream_with(&format!("{FEATURES}{proceed}")));
        // As another prefix, with breaks and asides, and with a bracket where none ends a tag.
        let odd = "<?xml version=\"1.0\"?>\n<!-- x --><s:stream version=\"1.0\" id='a>b'>\n<s:features>\n<starttls/>\
                   </s:features>\n";
        ready(Protocol::XmppServer, format!("{odd}{proceed}"));
    }
    let (_, sent, _) = talk(Protocol::XmppServer, "");
    assert!(sent.contains("xmlns='jabber:server'") && sent.contains("to='im.example.org'"), "{sent}");
}

#[test]
fn xmpp_refusals() {
    let client = Protocol::XmppClient;
    not_offered(
        client,
        stream_with("<stream:features><mechanisms/></stream:features>"),
        "not among the features",
    );
    not_offered(client, stream_with("<stream:features/>"), "not among the features");
    not_offered(client, "<stream:stream id='1'><stream:features/>", "without a version");
    busy(client, stream_with(&format!("{FEATURES}<failure xmlns='x'/></stream:stream>")), "failure");
    for condition in ["resource-constraint", "policy-violation", "system-shutdown"] {
        busy(client, stream_error(condition), &format!("{condition}: so be it"));
    }
    for condition in ["host-unknown", "host-gone", "see-other-host", "improper-addressing"] {
        elsewhere(client, stream_error(condition), condition);
    }
    not_offered(client, stream_error("not-authorized"), "not-authorized");
    // An error in place of the answer to our wish.
    busy(client, stream_with(&format!("{FEATURES}<stream:error><reset xmlns='x'/></stream:error>")), "reset");
    foreign(client, stream_with("<message/>"));
    foreign(client, stream_with("</stream:stream>"));
    foreign(client, "SSH-2.0-x\r\n");
    foreign(client, "<html>");
    foreign(client, format!("{STREAM}{}", "<a>".repeat(MAX_LINE * MAX_LINES)));
    foreign(client, format!("{STREAM}<a b='{}'/>", ">".repeat(MAX_LINE * MAX_LINES)));
    silent(client, "");
    silent(client, STREAM);
    silent(client, stream_with("<stream:features><starttls/></stream:features"));
}

#[test]
fn sieve() {
    let sieve = Protocol::Sieve;
    let greeting = "\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" \"fileinto\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n";
    ready(sieve, format!("{greeting}OK \"Begin TLS\"\r\n"));
    ready(sieve, format!("{greeting}OK\r\n"));
    // Literals, one of which looks like an answer.
    let literals =
        "\"IMPLEMENTATION\" {6}\r\nOK \"x\"\r\n{8}\r\nstarttls\r\nOK (TAG {3+}\r\nabc) {5}\r\nready\r\n";
    ready(sieve, format!("{literals}OK {{5}}\r\nready\r\n"));
    not_offered(sieve, "\"IMPLEMENTATION\" \"STARTTLS\"\r\nOK\r\n", "not among the capabilities");
    not_offered(sieve, "\"IMPLEMENTATION\" {8}\r\nSTARTTLS\r\nOK\r\n", "not among the capabilities");
    busy(sieve, format!("{greeting}NO \"not now\"\r\n"), "not now");
    busy(sieve, format!("{greeting}NO (TRYLATER) \"not now\"\r\n"), "TRYLATER");
    busy(sieve, "BYE \"Too many connections\"\r\n", "Too many");
    elsewhere(sieve, "BYE (REFERRAL \"sieve://other\") \"there\"\r\n", "sieve://other");
    foreign(sieve, "* OK IMAP4rev1\r\n");
    foreign(sieve, "\"A\"\r\n".repeat(MAX_LINES + 1));
    foreign(sieve, format!("\"A\" {{4096}}\r\n{}\r\n", "x".repeat(4096)));
    silent(sieve, "\"A\" {99999}\r\n");
    silent(sieve, "\"STARTTLS\"\r\n");
}

#[test]
fn nntp() {
    let nntp = Protocol::Nntp;
    ready(nntp, "200 ready\r\n382 go\r\n");
    ready(nntp, "201 no posting\r\n382\r\n");
    ready(nntp, "200 innd\r\n401 MODE-READER\r\n200 nnrpd\r\n382 go\r\n");
    not_offered(nntp, "200 innd\r\n401 MODE-READER\r\n200 nnrpd\r\n401 MODE-READER\r\n", "401");
    for refusal in ["500 what?", "502 no", "503 no", "480 who are you?"] {
        not_offered(nntp, format!("200 ready\r\n{refusal}\r\n"), refusal);
    }
    not_offered(nntp, "502 you may not talk\r\n", "502");
    for refusal in ["400 too busy", "403 fault", "580 cannot begin TLS"] {
        busy(nntp, format!("200 ready\r\n{refusal}\r\n"), refusal);
        busy(nntp, format!("{refusal}\r\n"), refusal);
    }
    foreign(nntp, "220 mail ESMTP\r\n");
    foreign(nntp, "200-no\r\n");
    foreign(nntp, "200 ready\r\nfine\r\n");
    foreign(nntp, "SSH-2.0-x\r\n");
    silent(nntp, "200 ready\r\n");
}

#[test]
fn irc() {
    let irc = Protocol::Irc;
    let hello = ":irc.x NOTICE * :*** Looking up your hostname...\r\n:irc.x 020 * :Please wait\r\n";
    let can = ":irc.x CAP * LS :multi-prefix tls sasl\r\n";
    ready(irc, format!("{hello}{can}:irc.x 670 * :STARTTLS successful\r\n"));
    // Without CAP, with a tag, with capabilities in two lines, with a value.
    ready(irc, format!("{hello}:irc.x 421 * CAP :Unknown command\r\n:irc.x 670 * :go\r\n"));
    ready(irc, "@time=1 :irc.x 451 * :Not registered\r\n:irc.x 670 * :go\r\n");
    ready(irc, ":irc.x CAP * LS * :a b\r\n:irc.x CAP * LS :tls=1\r\n:irc.x 670 * :go\r\n");
    let (end, sent, _) = talk(irc, format!("NOTICE AUTH :*** x\r\nPING :ab 1\r\n{can}:irc.x 670 x :go\r\n"));
    assert_eq!((end, sent.as_str()), (Ok(()), "CAP LS\r\nSTARTTLS\r\nPONG :ab 1\r\n"));
    let (_, sent, _) = talk(irc, "PING a\r\n".repeat(9));
    assert_eq!(sent.matches("PONG").count(), 3);
    not_offered(irc, format!("{hello}:irc.x CAP * LS :multi-prefix\r\n"), "not among the capabilities");
    not_offered(irc, format!("{hello}{can}:irc.x 421 * STARTTLS :Unknown command\r\n"), "Unknown command");
    not_offered(irc, ":irc.x 421 * STARTTLS :Unknown command\r\n", "421");
    not_offered(irc, ":irc.x 451 * :Not registered\r\n:irc.x 451 * :Not registered\r\n", "451");
    not_offered(irc, ":irc.x NOTICE * :x\r\n".repeat(MAX_LINES + 1), "no answer");
    busy(irc, format!("{hello}{can}:irc.x 691 * :STARTTLS failed\r\n"), "691");
    busy(irc, "ERROR :Closing Link: [127.0.0.1] (Too many connections)\r\n", "Too many");
    foreign(irc, "220 mail ESMTP\r\n");
    foreign(irc, "hello\r\n");
    foreign(irc, "\r\n");
    silent(irc, format!("{hello}:irc.x 451 * :Not registered\r\n"));
    silent(irc, "");
}

fn confirm(negotiation: &[u8]) -> Vec<u8> {
    let length = 11 + u8::try_from(negotiation.len()).unwrap();
    [&[3, 0, 0, length, length - 5, 0xd0, 0, 0, 0x12, 0x34, 0], negotiation].concat()
}

#[test]
fn rdp() {
    let rdp = Protocol::Rdp;
    for selected in [1, 2, 8] {
        ready(rdp, confirm(&[2, 0x1f, 8, 0, selected, 0, 0, 0]));
    }
    not_offered(rdp, confirm(&[2, 0, 8, 0, 0, 0, 0, 0]), "security of RDP alone");
    not_offered(rdp, confirm(&[]), "security of RDP alone");
    for (code, name) in [
        (2, "SSL_NOT_ALLOWED_BY_SERVER"),
        (3, "SSL_CERT_NOT_ON_SERVER"),
        (5, "HYBRID_REQUIRED"),
        (99, "failure 99"),
    ] {
        not_offered(rdp, confirm(&[3, 0, 8, 0, code, 0, 0, 0]), name);
    }
    busy(rdp, [3, 0, 0, 11, 6, 0x80, 0, 0, 0x12, 0x34, 1], "reason 1");
    foreign(rdp, b"SSH-2.0-x\r\n");
    foreign(rdp, [3, 0, 0, 4, 0, 0, 0, 0]);
    foreign(rdp, [3, 0, 0xff, 0xff, 0, 0, 0, 0]);
    foreign(rdp, confirm(&[2, 0, 8, 0, 4, 0, 0, 0]));
    foreign(rdp, confirm(&[9; 8]));
    foreign(rdp, [3, 0, 0, 11, 6, 0xf0, 0, 0, 0, 0, 0]);
    silent(rdp, [3, 0, 0, 19, 14]);
}

const FOLLOWS: [u8; 6] = [255, 250, 46, 1, 255, 240];

#[test]
fn telnet() {
    let telnet = Protocol::Telnet;
    ready(telnet, [&[255, 253, 46][..], &FOLLOWS].concat());
    // Behind other options, a banner, and a subnegotiation with an escaped byte; and without the agreement.
    let others =
        [&[255, 251, 1, 255, 253, 24][..], b"login: ", &[255, 255, 255, 250, 24, 255, 255, 255, 240]]
            .concat();
    ready(telnet, [&others[..], &[255, 253, 46, 255, 249], &FOLLOWS].concat());
    ready(telnet, FOLLOWS);
    let mut server = Server::new(&[255, 253, 46], 1);
    assert_eq!(telnet.begin(&mut server, ""), Err(Stopped::Failed(ErrorKind::TimedOut)));
    assert_eq!(server.sent, [&[255, 251, 46][..], &FOLLOWS].concat());
    not_offered(telnet, [&others[..], &[255, 254, 46]].concat(), "does not want START_TLS");
    silent(telnet, &others);
    silent(telnet, "");
    foreign(telnet, "SSH-2.0-x\r\n");
    foreign(telnet, "x".repeat(64 * 1024 + 1));
    foreign(telnet, [&[255, 250][..], &b"x".repeat(64 * 1024)].concat());
}

#[test]
fn greetings() {
    for (greeting, protocol) in [
        (&b"\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n"[..], Some(Protocol::Sieve)),
        (b"200 news.example.org InterNetNews ready\r\n", Some(Protocol::Nntp)),
        (b":irc.example.org NOTICE * :*** Looking up your hostname\r\n", Some(Protocol::Irc)),
        (b"NOTICE AUTH :*** Looking up your hostname\r\n", Some(Protocol::Irc)),
        (STREAM.as_bytes(), Some(Protocol::XmppClient)),
        (b"<?xml version='1.0'?><stream:stream xmlns='jabber:server'>", Some(Protocol::XmppServer)),
        (&[255, 253, 24, 255, 253, 32], Some(Protocol::Telnet)),
        (b"220 mail.example.org ESMTP\r\n", Some(Protocol::Smtp)),
        (b"* OK ready\r\n", Some(Protocol::Imap)),
        (&[255, 254, 1], None),
        (b"SSH-2.0-x\r\n", None),
        (b"", None),
    ] {
        assert_eq!(Protocol::of_greeting(greeting), protocol, "{:?}", String::from_utf8_lossy(greeting));
    }
}

#[test]
fn names_are_those_of_documents() {
    for (name, protocol) in Protocol::ALL {
        assert_eq!(name.parse::<Protocol>(), Ok(protocol));
        assert_eq!(serde_json::to_value(protocol).unwrap(), name);
    }
}

/// Something like what servers say.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let words: [&'static [u8]; 25] = [
        b"220 x SMTP\r\n",
        b"250 STARTTLS\r\n",
        b"* OK x\r\n",
        b"a OK\r\n",
        b"+OK x\r\n",
        b"200 x\r\n",
        b"401 x\r\n",
        b"382 x\r\n",
        b"\"STARTTLS\"\r\n",
        b"\"A\" {3}\r\n",
        b"OK x\r\n",
        b":x CAP * LS :tls\r\n",
        b":x 670 x\r\n",
        b"PING :x\r\n",
        STREAM.as_bytes(),
        FEATURES.as_bytes(),
        b"<proceed/>",
        b"<a b='>'>",
        b"</a>",
        &[255, 253, 46],
        &FOLLOWS,
        &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0],
        &[2, 0, 8, 0, 1, 0, 0, 0],
        b"S",
        &[0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0],
    ];
    let piece = prop_oneof![
        4 => select(words.to_vec()).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..9),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Bytes are read one after the other, however they come, and none that belongs to TLS.
    #[test]
    fn any_bytes_in_any_pieces(said in said(), piece in 1..9_usize, index in 0..Protocol::ALL.len()) {
        let (_, protocol) = Protocol::ALL[index];
        let mut whole = Server::new(&said, usize::MAX);
        let mut split = Server::new(&said, piece);
        let end = protocol.begin(&mut whole, "x");
        prop_assert_eq!(&end, &protocol.begin(&mut split, "x"));
        prop_assert_eq!(&whole.sent, &split.sent);
        prop_assert_eq!(whole.left.len(), split.left.len());
        if end.is_ok() {
            let taken = said.len() - whole.left.len();
            let half = said.get(..taken - 1).unwrap();
            prop_assert!(protocol.begin(&mut Server::new(half, piece), "x").is_err(), "half an answer is none");
        }
    }
}
