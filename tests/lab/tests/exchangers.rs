//! What real mail exchangers say to a stranger, which the checks of relaying and of recipients are
//! built on. The embedded exchanger is held to the same table.
//!
//! Seen otherwise than first measured:
//! - OpenSMTPD answers 250 to a recipient it knows; it is the user who has to exist.
//! - Postfix slows the answers after an error, so ten errors are free and the eleventh refusal takes
//!   a second (it was measured as "from the tenth on").
//! - postgrey is asked before Postfix looks for the user: unknown ones are put off as well, the
//!   bare `postmaster` never.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use lab::client::Client;
use lab::exchanger::{Exchanger, ExchangerOptions};
use lab::exim::{Exim, EximOptions, Recipients};
use lab::opensmtpd::OpenSmtpd;
use lab::postfix_mx::{Policy, PostfixMx, PostfixMxOptions};
use lab::process::{has_ipv6, left_out_without_root};
use lab::tls;

/// The ways to write a recipient.
const FORMS: [&str; 10] = [
    "probe@lab.test",
    "unknown@lab.test",
    "x@elsewhere.test",
    "x%elsewhere.test@lab.test",
    "elsewhere.test!x@lab.test",
    "\"x@elsewhere.test\"@lab.test",
    "@lab.test:x@elsewhere.test",
    "@elsewhere.test:probe@lab.test",
    "x@[127.0.0.1]",
    "postmaster",
];

/// A Postfix, unless this is a run without root, which says so.
fn postfix(options: &PostfixMxOptions) -> Option<PostfixMx> {
    (!left_out_without_root("Postfix as a mail exchanger")).then(|| PostfixMx::start(options))
}

fn greeted(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    assert_eq!(client.command("EHLO client.test").unwrap().code, 250);
    client
}

/// In a transaction with this sender.
fn sending(address: SocketAddr, sender: &str) -> Client {
    let mut client = greeted(address);
    assert_eq!(answer(&mut client, &format!("MAIL FROM:<{sender}>"))[..3], *"250");
    client
}

/// Code and text of the only line.
fn answer(client: &mut Client, line: &str) -> String {
    let reply = client.command(line).unwrap();
    format!("{} {}", reply.code, reply.lines[0])
}

fn rcpt(client: &mut Client, recipient: &str) -> String {
    answer(client, &format!("RCPT TO:<{recipient}>"))
}

/// What a recipient is answered, and how long that took.
fn timed(client: &mut Client, recipient: &str) -> (String, Duration) {
    let begun = Instant::now();
    (rcpt(client, recipient), begun.elapsed())
}

/// Asks for every form and compares how the answers begin.
fn assert_answers(server: &str, address: SocketAddr, expected: [&str; 10]) {
    for sender in ["probe@client.test", ""] {
        let mut client = sending(address, sender);
        for (recipient, expected) in FORMS.into_iter().zip(expected) {
            let answer = rcpt(&mut client, recipient);
            assert!(answer.starts_with(expected), "{server}: {recipient} from <{sender}>: {answer}");
        }
    }
}

const STOCK: [&str; 10] = [
    "250 2.1.5 ",
    "550 5.1.1 <unknown@lab.test>: Recipient address rejected: User unknown",
    "454 4.7.1 <x@elsewhere.test>: Relay access denied",
    "454 4.7.1 ",
    "454 4.7.1 ",
    "454 4.7.1 ",
    "454 4.7.1 ",
    "250 2.1.5 ",
    "550 5.1.1 ",
    "250 2.1.5 ",
];

#[test]
fn recipients_of_postfix_by_form() {
    let Some(postfix) = postfix(&PostfixMxOptions::default()) else { return };
    assert_answers("stock", postfix.addr(Policy::Stock), STOCK);
    if has_ipv6() {
        assert_answers("IPv6", postfix.addr_v6(Policy::Stock), STOCK);
    }
    let mut open = ["250 2.1.5 "; 10];
    (open[1], open[8]) = (STOCK[1], STOCK[8]);
    assert_answers("open", postfix.addr(Policy::OpenRelay), open);
    let mut backup = STOCK;
    backup[1] = "250 2.1.5 ";
    assert_answers("backup", postfix.addr(Policy::Backup), backup);
}

#[test]
fn recipients_of_the_embedded_one_by_form() {
    assert_answers("embedded", Exchanger::start(ExchangerOptions::default()).addr(), STOCK);
}

#[test]
fn recipients_of_exim_by_form() {
    if left_out_without_root("Exim as a mail exchanger") {
        return;
    }
    let exim = Exim::start(&EximOptions { recipients: Recipients::CatchAll, ..EximOptions::default() });
    let foreign = "550 relay not permitted";
    let expected = [
        "250 Accepted",
        "250 Accepted",
        foreign,
        "250 Accepted",
        "250 Accepted",
        "250 Accepted",
        foreign,
        "250 Accepted",
        "501 <x@[127.0.0.1]>: domain literals not allowed",
        foreign,
    ];
    assert_answers("exim", exim.plain_addr(), expected);
    let ehlo = |address| {
        let mut client = Client::connect(address).unwrap();
        client.reply().unwrap();
        client.command("EHLO client.test").unwrap()
    };
    assert!(!ehlo(exim.plain_addr()).has("STARTTLS"));
    assert!(ehlo(exim.addr()).has("STARTTLS"));
}

#[test]
fn recipients_of_opensmtpd_by_form() {
    if left_out_without_root("OpenSMTPD") {
        return;
    }
    let mut server = OpenSmtpd::start();
    let foreign = "550 Invalid recipient: <";
    let expected = [
        "250 2.1.5 ",
        "550 Invalid recipient: <unknown@lab.test>",
        foreign,
        foreign,
        foreign,
        "501 5.1.3 ",
        foreign,
        "250 2.1.5 ",
        foreign,
        foreign,
    ];
    assert_answers("opensmtpd", server.addr(), expected);
    if has_ipv6() {
        greeted(server.addr_v6());
    }
    server.stop();
    assert!(Client::connect(server.addr()).is_err());
}

#[test]
fn postfix_by_policy() {
    let Some(postfix) = postfix(&PostfixMxOptions::default()) else { return };
    let mut client = sending(postfix.addr(Policy::Stock), "");
    assert!(rcpt(&mut client, "soft@lab.test").starts_with("452 4.2.2 "));
    assert!(rcpt(&mut client, "hard@lab.test").starts_with("552 5.2.2 "));

    let mut client = sending(postfix.addr(Policy::FewRecipients), "");
    let answers = [0; 4].map(|_| rcpt(&mut client, "probe@lab.test"));
    assert!(answers[2].starts_with("250 ") && answers[3].starts_with("452 4.5.3 "), "{answers:?}");

    let mut client = greeted(postfix.addr(Policy::Encrypted));
    assert!(answer(&mut client, "MAIL FROM:<>").starts_with("530 5.7.0 "));
    let mut client = client.starttls(&tls::client(postfix.authority()), "mail.lab.test").unwrap();
    client.command("EHLO client.test").unwrap();
    assert!(answer(&mut client, "MAIL FROM:<>").starts_with("250 "));

    for _ in 0..3 {
        greeted(postfix.addr(Policy::RateLimited));
    }
    let mut fourth = Client::connect(postfix.addr(Policy::RateLimited)).unwrap();
    let reply = fourth.reply().unwrap();
    assert_eq!((reply.code, &reply.lines[0][..5]), (421, "4.7.0"));
    assert!(reply.lines[0].contains("too many connections from 127.0.0.1"), "{reply:?}");
    assert_eq!(fourth.rest().unwrap(), b"");
}

#[test]
fn messages_of_postfix_are_counted() {
    let Some(postfix) = postfix(&PostfixMxOptions::default()) else { return };
    let mut client = sending(postfix.addr(Policy::Stock), "probe@client.test");
    assert!(rcpt(&mut client, "probe@lab.test").starts_with("250 "));
    assert!(answer(&mut client, "DATA").starts_with("354 "));
    client.send("Subject: cut off\r\n").unwrap();
    drop(client);
    let mut client = sending(postfix.addr(Policy::Stock), "probe@client.test");
    assert!(rcpt(&mut client, "probe@lab.test").starts_with("250 "));
    assert!(answer(&mut client, "DATA").starts_with("354 "));
    assert!(answer(&mut client, "Subject: whole\r\n\r\n.").starts_with("250 "));
    // At once: whoever counts none must have waited for the one there is.
    assert_eq!(postfix.messages(), 1, "{}", postfix.log());
    assert_eq!(postfix.messages(), 1, "a second look is no second message");
}

#[test]
fn postscreen_sends_its_teaser_first() {
    let Some(postfix) = postfix(&PostfixMxOptions::default()) else { return };
    // One who has passed waits again.
    for _ in 0..2 {
        let begun = Instant::now();
        let mut client = Client::connect(postfix.addr(Policy::Postscreen)).unwrap();
        let first = client.line().unwrap();
        assert!(first.starts_with("220-mail.lab.test ESMTP") && begun.elapsed() < Duration::from_millis(700));
        assert_eq!(client.reply().unwrap().code, 220);
        assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
        assert_eq!(client.command("EHLO client.test").unwrap().code, 250);
    }
}

#[test]
fn errors_slow_postfix_and_end_the_session() {
    const SLOW: Duration = Duration::from_millis(900);
    let Some(postfix) = postfix(&PostfixMxOptions::default()) else { return };
    let mut client = sending(postfix.addr(Policy::ShortTempered), "");
    let slow = [0; 5].map(|_| timed(&mut client, "unknown@lab.test").1 > SLOW);
    assert_eq!(slow, [false, false, false, true, true]);
    let begun = Instant::now();
    let reply = client.reply().unwrap();
    assert_eq!((reply.code, reply.lines[0].as_str()), (421, "4.7.0 mail.lab.test Error: too many errors"));
    assert!(begun.elapsed() > SLOW && client.rest().unwrap().is_empty());

    let mut client = sending(postfix.addr(Policy::Stock), "");
    let slow: Vec<_> = (0..11).map(|_| timed(&mut client, "unknown@lab.test").1 > SLOW).collect();
    assert_eq!(slow.iter().position(|slow| *slow), Some(10), "{slow:?}");

    let mut client = sending(postfix.addr(Policy::Unlimited), "");
    assert!((0..30).all(|_| timed(&mut client, "unknown@lab.test").1 < SLOW));
    assert!(rcpt(&mut client, "probe@lab.test").starts_with("250 "));
}

#[test]
fn postgrey_takes_the_second_attempt() {
    let options = PostfixMxOptions { postgrey: Some(Duration::from_secs(1)), ..PostfixMxOptions::default() };
    let Some(postfix) = postfix(&options) else { return };
    let mut client = sending(postfix.addr(Policy::Greylisting), "probe@client.test");
    let greylisted = |answer: String| answer.starts_with("450 4.2.0 ") && answer.contains("Greylisted, see ");
    assert!(greylisted(rcpt(&mut client, "probe@lab.test")), "{}", postfix.log());
    assert!(greylisted(rcpt(&mut client, "unknown@lab.test")));
    assert!(rcpt(&mut client, "x@elsewhere.test").starts_with("454 4.7.1 "));
    assert!(rcpt(&mut client, "postmaster").starts_with("250 "));
    // It counts whole seconds.
    thread::sleep(Duration::from_secs(2));
    assert!(rcpt(&mut client, "probe@lab.test").starts_with("250 2.1.5 "), "{}", postfix.log());
    assert!(rcpt(&mut client, "unknown@lab.test").starts_with("550 5.1.1 "));
}
