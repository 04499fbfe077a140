//! The embedded exchanger answers like a real one, good or bad as its options say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use lab::client::Client;
use lab::exchanger::{
    ErrorLimits, Exchanger, ExchangerOptions, Form, Greylisting, POSTGREY_450, POSTGREY_451, QUOTA_452,
    QUOTA_552, RELAY_251, RELAY_252, RELAY_454, RELAY_550, Teaser,
};
use lab::tls;

fn started(change: impl FnOnce(&mut ExchangerOptions)) -> Exchanger {
    let mut options = ExchangerOptions::default();
    change(&mut options);
    Exchanger::start(options)
}

fn greeted(server: &Exchanger) -> Client {
    let mut client = Client::connect(server.addr()).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client
}

/// In a transaction with this sender.
fn sending(server: &Exchanger, sender: &str) -> Client {
    let mut client = greeted(server);
    assert_eq!(client.command("EHLO a.test").unwrap().code, 250);
    assert_eq!(code(&mut client, &format!("MAIL FROM:<{sender}>")), 250);
    client
}

fn code(client: &mut Client, line: &str) -> u16 {
    client.command(line).unwrap().code
}

fn rcpt(client: &mut Client, recipient: &str) -> u16 {
    code(client, &format!("RCPT TO:<{recipient}>"))
}

#[test]
fn the_default_is_a_good_exchanger() {
    let server = Exchanger::start(ExchangerOptions::default());
    let mut client = greeted(&server);
    let before = client.command("EHLO [127.0.0.1]").unwrap();
    assert_eq!(before.lines[0], "mail.lab.test");
    for keyword in ["STARTTLS", "PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8"] {
        assert!(before.has(keyword), "{keyword}");
    }
    let mut client = client.starttls(&tls::client(server.authority()), "mail.lab.test").unwrap();
    assert_eq!(code(&mut client, "MAIL FROM:<a@b.test>"), 503, "EHLO is forgotten");
    assert!(!client.command("EHLO [127.0.0.1]").unwrap().has("STARTTLS"));
    assert_eq!(code(&mut client, "MAIL FROM:<a@b.test> SIZE=100 BODY=8BITMIME"), 250);
    for (recipient, expected) in [
        ("probe@lab.test", 250),
        ("Postmaster", 250),
        ("postmaster@[127.0.0.1]", 250),
        ("nobody@lab.test", 550),
        ("x@elsewhere.test", 454),
        ("x%elsewhere.test@lab.test", 454),
        ("\"x@elsewhere.test\"@lab.test", 454),
        ("@lab.test:x@elsewhere.test", 454),
        ("x@", 501),
    ] {
        assert_eq!(rcpt(&mut client, recipient), expected, "{recipient}");
    }
    let reply = client.command("RCPT TO:<nobody@lab.test>").unwrap();
    assert_eq!(reply.lines, ["5.1.1 <nobody@lab.test>: Recipient address rejected: User unknown"]);
    assert_eq!(code(&mut client, "RSET"), 250);
    assert_eq!(code(&mut client, "RCPT TO:<probe@lab.test>"), 503);
    assert_eq!(code(&mut client, "QUIT"), 221);
    let lines = &server.sessions()[0];
    assert_eq!(lines[1..3], ["STARTTLS", "MAIL FROM:<a@b.test>"]);
    assert_eq!((server.connections(), server.data_commands(), server.messages()), (1, 0, 0));
}

#[test]
fn foreign_recipients_by_form() {
    let forms = [
        (Form::Plain, "a@b.test", "x@elsewhere.test"),
        (Form::Percent, "a@b.test", "x%elsewhere.test@lab.test"),
        (Form::Bang, "a@b.test", "elsewhere.test!x@lab.test"),
        (Form::Quoted, "a@b.test", "\"x@elsewhere.test\"@lab.test"),
        (Form::SourceRoute, "a@b.test", "@lab.test:x@elsewhere.test"),
        (Form::EmptySender, "", "x@elsewhere.test"),
    ];
    let answers = |server: &Exchanger| {
        forms.map(|(_, sender, recipient)| rcpt(&mut sending(server, sender), recipient))
    };
    for (reply, expected) in
        [(RELAY_454, 454), (RELAY_550, 550), (RELAY_251, 251), (RELAY_252, 252), ("250 2.1.5 Ok", 250)]
    {
        assert_eq!(answers(&started(|options| options.foreign = reply.into())), [expected; 6]);
    }
    for (index, (form, ..)) in forms.into_iter().enumerate() {
        let mut expected = [454; 6];
        expected[index] = 250;
        // The plain form is open for the empty sender as well.
        expected[5] = if form == Form::Plain { 250 } else { expected[5] };
        assert_eq!(answers(&started(|options| options.open_for = vec![form])), expected, "{form:?}");
    }
    let catch_all = started(|options| options.catch_all = true);
    assert_eq!(answers(&catch_all), [454, 250, 250, 250, 454, 454]);
    assert_eq!(rcpt(&mut sending(&catch_all, ""), "nobody@lab.test"), 250);
}

#[test]
fn single_answers_senders_and_unknown_users() {
    let server = started(|options| {
        options.unknown = "250 2.1.5 Ok".into();
        options.answers = BTreeMap::from([
            ("soft@lab.test".to_owned(), QUOTA_452.to_owned()),
            ("hard@lab.test".to_owned(), QUOTA_552.to_owned()),
        ]);
        options.senders = BTreeMap::from([
            (String::new(), "550 5.7.1 No bounces here".to_owned()),
            ("spam@b.test".to_owned(), "553 5.1.8 <{}>: no".to_owned()),
        ]);
        options.recipients_per_message = 2;
    });
    let mut client = sending(&server, "a@b.test");
    for (recipient, expected) in
        [("Soft@lab.test", 452), ("hard@lab.test", 552), ("anybody@lab.test", 250), ("probe@lab.test", 250)]
    {
        assert_eq!(rcpt(&mut client, recipient), expected, "{recipient}");
    }
    let third = client.command("RCPT TO:<probe@lab.test>").unwrap();
    assert_eq!((third.code, &third.lines[0][..5]), (452, "4.5.3"));
    assert_eq!(code(&mut client, "RSET"), 250);
    assert_eq!(code(&mut client, "MAIL FROM:<>"), 550);
    assert_eq!(client.command("MAIL FROM:<spam@b.test>").unwrap().lines, ["5.1.8 <spam@b.test>: no"]);
    assert_eq!(rcpt(&mut client, "probe@lab.test"), 503, "no transaction");
    let strict = started(|options| {
        options.senders = BTreeMap::from([("*".to_owned(), "530 5.7.0 Log in".to_owned())]);
    });
    let mut client = greeted(&strict);
    client.command("EHLO a.test").unwrap();
    assert_eq!(code(&mut client, "MAIL FROM:<a@b.test>"), 530);
}

#[test]
fn greylisted_until_a_later_attempt() {
    for (reply, expected, unknown) in [(POSTGREY_450, 450, 450), (POSTGREY_451, 451, 550)] {
        let delay = Duration::from_millis(100);
        let before_users = unknown == expected;
        let server = started(|options| {
            options.greylisting = Some(Greylisting { reply: reply.into(), delay, before_users });
        });
        let mut client = sending(&server, "a@b.test");
        assert_eq!(rcpt(&mut client, "probe@lab.test"), expected);
        assert_eq!(rcpt(&mut client, "probe@lab.test"), expected, "too soon");
        assert_eq!(rcpt(&mut client, "nobody@lab.test"), unknown);
        assert_eq!(rcpt(&mut client, "x@elsewhere.test"), 454, "not worth a delay");
        thread::sleep(delay);
        assert_eq!(rcpt(&mut client, "probe@lab.test"), 250);
        assert_eq!(rcpt(&mut sending(&server, "c@b.test"), "probe@lab.test"), expected, "another sender");
    }
    let hasty = Greylisting { delay: Duration::ZERO, ..Greylisting::default() };
    let server = started(|options| options.greylisting = Some(hasty));
    let mut client = sending(&server, "a@b.test");
    assert_eq!([rcpt(&mut client, "probe@lab.test"), rcpt(&mut client, "probe@lab.test")], [450, 250]);
}

#[test]
fn errors_slow_the_session_and_end_it() {
    let delay = Duration::from_millis(60);
    let limits = ErrorLimits { soft: 2, delay, hard: 4 };
    let server = started(|options| options.error_limits = Some(limits));
    let mut client = sending(&server, "a@b.test");
    let mut took = Vec::new();
    for _ in 0..4 {
        let begun = Instant::now();
        assert_eq!(rcpt(&mut client, "nobody@lab.test"), 550);
        took.push(begun.elapsed() >= delay);
    }
    let begun = Instant::now();
    assert_eq!(took, [false, false, true, true]);
    let last = client.reply().unwrap();
    assert!(begun.elapsed() >= delay / 2, "late as well");
    assert_eq!((last.code, last.lines[0].ends_with("too many errors")), (421, true), "{last:?}");
    assert_eq!(client.rest().unwrap(), b"");

    let patient = started(|options| options.error_limits = None);
    let mut client = sending(&patient, "a@b.test");
    assert!((0..50).all(|_| rcpt(&mut client, "nobody@lab.test") == 550));
}

#[test]
fn greetings() {
    let delay = Duration::from_millis(80);
    let teased = started(|options| {
        options.teaser = Some(Teaser { line: "220-mail.lab.test ESMTP".into(), delay });
        options.refused_connections = 1..2;
    });
    let begun = Instant::now();
    let mut client = Client::connect(teased.addr()).unwrap();
    let reply = client.reply().unwrap();
    assert!(begun.elapsed() >= delay);
    assert_eq!(reply.lines, ["mail.lab.test ESMTP", "mail.lab.test ESMTP ready"]);
    let mut refused = Client::connect(teased.addr()).unwrap();
    assert_eq!(refused.reply().unwrap().code, 421);
    assert_eq!(refused.rest().unwrap(), b"");
    greeted(&teased);
}

#[test]
fn commands_refused_and_hung_up() {
    let old = started(|options| {
        options.ehlo_refused = true;
        options.hang_up_at = Some("rcpt".into());
    });
    let mut client = greeted(&old);
    assert_eq!(code(&mut client, "EHLO a.test"), 502);
    assert_eq!(code(&mut client, "MAIL FROM:<>"), 503);
    assert_eq!(code(&mut client, "HELO a.test"), 250);
    assert_eq!(code(&mut client, "MAIL FROM:<>"), 250);
    assert!(client.command("RCPT TO:<probe@lab.test>").is_err());

    let strict = started(|options| options.tls_demanded = true);
    let mut client = greeted(&strict);
    assert_eq!(code(&mut client, "EHLO a.test"), 250);
    assert_eq!(client.command("MAIL FROM:<>").unwrap().code, 530);
    let mut client = client.starttls(&tls::client(strict.authority()), "mail.lab.test").unwrap();
    client.command("EHLO a.test").unwrap();
    assert_eq!(code(&mut client, "MAIL FROM:<>"), 250);

    let plain = started(|options| {
        options.certificate = None;
        options.smtputf8 = false;
    });
    let mut client = greeted(&plain);
    let ehlo = client.command("EHLO a.test").unwrap();
    assert!(!ehlo.has("STARTTLS") && !ehlo.has("SMTPUTF8"));
    assert_eq!(code(&mut client, "STARTTLS"), 503);
    assert_eq!(code(&mut client, "MAIL FROM:<a@b.test> SMTPUTF8"), 555);
    assert_eq!(code(&mut client, "MAIL FROM:<ä@b.test>"), 553);
}

#[test]
fn a_message_counts_when_its_dot_was_answered() {
    let server = started(|options| options.recipients.push("ü".into()));
    let mut client = greeted(&server);
    client.command("EHLO a.test").unwrap();
    assert_eq!(code(&mut client, "MAIL FROM:<ä@b.test> SMTPUTF8"), 250);
    assert_eq!(code(&mut client, "DATA"), 554);
    assert_eq!(rcpt(&mut client, "ü@lab.test"), 250);
    assert_eq!(code(&mut client, "DATA"), 354);
    assert_eq!(code(&mut client, "Subject: x\r\n\r\n..\r\n."), 250);
    assert_eq!(code(&mut client, "NOOP"), 250, "the message was a message to its end");
    assert_eq!((server.data_commands(), server.messages()), (2, 1));

    let mut client = sending(&server, "");
    assert_eq!(rcpt(&mut client, "probe@lab.test"), 250);
    assert_eq!(code(&mut client, "DATA"), 354);
    client.send("Subject: x\r\n").unwrap();
    drop(client);
    assert_eq!((server.data_commands(), server.messages()), (3, 1));
}

#[test]
fn several_hosts_on_one_port() {
    let hosts: Vec<_> = (2..5)
        .map(|host| {
            let address = SocketAddr::new(Ipv4Addr::new(127, 0, 0, host).into(), 0);
            ExchangerOptions::named(&format!("mx{host}.lab.test"), address)
        })
        .collect();
    let servers = Exchanger::start_all(&hosts);
    assert!(servers.iter().all(|server| server.port() == servers[0].port()));
    for (host, server) in (2..).zip(&servers) {
        let name = format!("mx{host}.lab.test");
        let mut client = greeted(server).starttls(&tls::client(servers[0].authority()), &name).unwrap();
        assert_eq!(client.command("EHLO a.test").unwrap().lines[0], name);
    }
}

#[test]
fn a_slow_server_stops_at_once() {
    let limits = ErrorLimits { soft: 0, delay: Duration::from_mins(10), hard: 1 };
    let server = started(|options| options.error_limits = Some(limits));
    let mut client = greeted(&server);
    client.send("NOOP\r\n").unwrap();
    thread::sleep(Duration::from_millis(20));
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(2));
}
