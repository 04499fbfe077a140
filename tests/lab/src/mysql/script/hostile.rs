//! What no server of MySQL says: greetings, answers to a login and result sets that lead a careless client to a panic,
//! to a buffer of gigabytes or to a file of its own.

use super::{Answer, Table, login};
use crate::mysql::packet;

/// Greetings, each with a name for the message of a test.
#[must_use]
pub fn greetings() -> Vec<(&'static str, Vec<u8>)> {
    let whole = login::plain_greeting();
    let payload = &whole[4..];
    let framed = |payload: &[u8]| packet::framed(0, payload);
    let changed = |at: usize, value: u8| {
        let mut payload = payload.to_vec();
        payload[at] = value;
        framed(&payload)
    };
    let mut greetings = vec![
        ("nothing in the packet", framed(&[])),
        ("a length and no packet", packet::header(0xff_ff_ff, 0).to_vec()),
        ("half a header", vec![9, 0]),
        ("protocol 9", changed(0, 9)),
        ("protocol 0", changed(0, 0)),
        ("an error without a number", framed(&[0xff])),
        ("an error without a text", framed(&[0xff, 0x10, 0x04])),
        ("an error of bytes that are no text", framed(&[0xff, 0x10, 0x04, 0xfe, 0x80, b'|', 0, 27])),
        ("a version without an end", framed(&[&[10][..], &[b'8'; 300]].concat())),
        ("a version of 5 MB", framed(&[&[10][..], &vec![b'8'; 5 << 20], &payload[7..]].concat())),
        ("a version with line ends and bars", framed(&[b"\x0a8.0|\n\r\x1b[31m", &payload[7..]].concat())),
        ("an empty version", framed(&[&[10], &payload[7..]].concat())),
        ("the number of another packet", packet::framed(3, payload)),
        ("bytes behind the packet", [&whole[..], b"more than was announced"].concat()),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec()),
        ("SMTP", b"220 mail.lab.test ESMTP\r\n".to_vec()),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
    ];
    // 21 is the length of the salt, behind the version (7), number, salt, filler, flags, character set and status.
    let at = 1 + 7 + 4 + 8 + 1 + 2 + 1 + 2 + 2;
    greetings.push(("a salt of no length", changed(at, 0)));
    greetings.push(("a salt of 255 bytes", changed(at, 255)));
    for length in [1, 3, 8, 12, 16, 20, 22, 25, 27, 30, 38, 45, 50, 52] {
        greetings.push(("a greeting that ends early", framed(&payload[..length])));
    }
    greetings
}

/// Answers to a login.
#[must_use]
pub fn login_answers() -> Vec<(&'static str, Answer)> {
    let one = |payload: &[u8]| Answer::Payloads(vec![payload.to_vec()]);
    vec![
        ("nothing in the packet", one(&[])),
        ("an OK that ends early", one(&[0, 0xfe])),
        ("an error without a number", one(&[0xff])),
        ("the oldest of passwords", one(&[0xfe])),
        ("a plugin without an end", one(b"\xfecaching_sha2")),
        ("a plugin without a salt", one(b"\xfemysql_native_password\0")),
        ("a plugin with a short salt", one(b"\xfecaching_sha2_password\0abc\0")),
        ("a plugin that wants the password in the clear", one(b"\xfemysql_clear_password\0")),
        ("the question of a dialogue", one(b"\xfedialog\0\x02Password: ")),
        ("a plugin nobody has", one(b"\xfe../../evil\0abcdefghijklmnopqrst\0")),
        ("more data without data", one(&[1])),
        ("more data of an unknown kind", one(&[1, 9])),
        ("the same question again and again", Answer::Payloads(vec![vec![1, 4]; 50])),
        (
            "a key that is none",
            Answer::Payloads(vec![vec![1, 4], b"\x01-----BEGIN PUBLIC KEY-----\nAA==\n".to_vec()]),
        ),
        ("a length and no packet", Answer::Bytes(packet::header(0xff_ff_fe, 2).to_vec())),
        ("silence", Answer::Hang),
        ("the end", Answer::Close),
        ("a reset", Answer::Reset),
    ]
}

/// Answers to a statement.
#[must_use]
pub fn result_sets() -> Vec<(&'static str, Answer)> {
    let good = Table::of([("Slave_IO_Running", Some("Yes"))]).payloads();
    let with = |at: usize, payload: &[u8]| {
        let mut payloads = good.clone();
        payloads[at] = payload.to_vec();
        Answer::Payloads(payloads)
    };
    vec![
        ("nothing in the packet", Answer::Payloads(vec![Vec::new()])),
        ("columns without end", with(0, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f")),
        ("a number of columns that ends early", with(0, b"\xfc\x01")),
        ("a wish for a file of ours", Answer::Payloads(vec![b"\xfb/etc/passwd".to_vec()])),
        ("a column that ends early", with(1, b"\x03de")),
        ("a column with a name of 2^63 bytes", with(1, b"\x03def\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff\x7f")),
        ("no end of the columns", with(2, b"\x03Yes")),
        ("a row that ends early", with(3, b"\x20Yes")),
        ("a row of a length that is none", with(3, b"\xff")),
        ("an empty row", with(3, b"")),
        ("a row with more than its columns", with(3, b"\x03Yes\x03Yes\x03Yes")),
        ("bytes that are no text", with(3, b"\x06\xff\xfe\x80|\n\x1b")),
        ("an error among the rows", with(3, b"\xff\xd5\x07#HY000Lost in the middle")),
        ("rows without end", Answer::Endless),
        (
            "a value of 32 MB",
            Answer::Rows(Table::of([("Slave_IO_Running", Some("x".repeat(32 << 20).as_str()))])),
        ),
        ("silence", Answer::Hang),
        ("silence in the middle", Answer::HangAfter(3, Table::of([("Slave_IO_Running", Some("Yes"))]))),
        ("the end", Answer::Close),
        ("a reset", Answer::Reset),
        ("a length and no packet", Answer::Bytes(packet::header(0xff_ff_fe, 1).to_vec())),
        ("the number of another packet", Answer::Bytes(packet::framed(77, &good[0]))),
    ]
}
