//! check_rbl: what each answer of a list means, from a plain listing to a message that
//! cannot be read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use lab::dns::{Dnsbl, Flags, Malformed, Rcode, Rdata, Reaction, Record, Responder, Zones};
use lab::output::State;
use tests::rbl::{REVERSED, TARGET, check, figures, given, impatient, odd, one_list};
use tests::{Check, Measured, Run};

/// A list that works and gives these codes for the target.
fn codes(codes: &[&str]) -> Dnsbl {
    Dnsbl::listing(TARGET, codes.iter().copied())
}

/// What the check says when a list that works reacts so to the question about the target.
/// No test may see a listing or a clean bill in that.
fn unanswered(reaction: impl Fn() -> Reaction + Send + Sync + 'static, words: &str) -> Run {
    let run = given(odd(move |_| reaction()), State::Unknown, &["gave an answer to trust"]);
    run.long(words);
    assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)], "{}", run.outcome.report());
    run
}

// Answers

#[test]
fn ok_nxdomain_is_clean() {
    let run = given(Dnsbl::healthy(), State::Ok, &[TARGET, "not listed"]);
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(1.0), Some(1.0), Some(0.0)]);
    let labels = ["time", "score", "listed", "lists", "healthy", "failed"];
    run.perfdata(&labels.map(|label| (label, Measured::Yes)));
}

#[test]
fn ok_nodata_is_clean() {
    given(odd(|_| Reaction::nodata()), State::Ok, &["not listed"]);
}

#[test]
fn critical_listed() {
    let run = given(codes(&["127.0.0.2"]), State::Critical, &["bl.lab.test", "127.0.0.2", "score 1"]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
}

#[test]
fn critical_listed_with_any_code_in_127() {
    for code in ["127.0.0.3", "127.0.1.2", "127.1.2.3", "127.255.254.1", "127.255.255.255"] {
        let expected = if code == "127.255.255.255" { State::Unknown } else { State::Critical };
        given(codes(&[code]), expected, &[code]);
    }
}

#[test]
fn critical_all_codes_of_an_answer_are_shown() {
    let run = given(
        codes(&["127.0.0.2", "127.0.0.10", "127.0.0.4"]),
        State::Critical,
        &["127.0.0.2", "127.0.0.10", "127.0.0.4", "score 1"],
    );
    assert_eq!(run.parsed.value("listed"), Some(1.0), "one list, one listing");
}

#[test]
fn critical_error_codes_beside_a_listing_are_dropped() {
    let run = given(codes(&["127.255.255.254", "127.0.0.2", "127.0.0.1"]), State::Critical, &["127.0.0.2"]);
    run.silent_about("127.255.255.254");
    assert_eq!(run.parsed.value("healthy"), Some(1.0));
}

#[test]
fn critical_alias_to_a_listing() {
    for length in [1, 3, 10] {
        let chain = move |_: &_| Reaction::cname_chain(length, [Record::address("127.0.0.3")]);
        given(odd(chain), State::Critical, &["127.0.0.3"]);
    }
}

#[test]
fn critical_a_thousand_addresses() {
    let dns = one_list(odd(|_| Reaction::addresses(1000)));
    let run = check(&dns, &["bl.lab.test"]).gives(State::Critical, &["127.0.0.2", "996 more", "score 1"]);
    assert_eq!(run.parsed.value("listed"), Some(1.0));
    let over_tcp = dns.queries().iter().filter(|query| query.transport == lab::dns::Transport::Tcp).count();
    assert_eq!(over_tcp, 1, "only the answer that was cut");
}

#[test]
fn critical_more_in_a_datagram_than_was_asked_for() {
    given(odd(|_| Reaction::addresses(200).of_any_size()), State::Critical, &["127.0.0.2", "196 more"]);
}

#[test]
fn unknown_refused_by_the_provider() {
    for (code, meaning) in [
        ("127.255.255.252", "typing error"),
        ("127.255.255.254", "public resolver"),
        ("127.255.255.255", "too many queries"),
        ("127.255.255.0", "error of the list"),
        ("127.255.255.77", "error of the list"),
    ] {
        let run = given(Dnsbl::refusing(code), State::Unknown, &[code]);
        run.long(meaning).long("refused to answer us").long("hint: ");
        assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
        // The same when the test points work all the same.
        unanswered(move || Reaction::records([Record::address(code)]), code);
    }
}

#[test]
fn unknown_refused_by_codes_of_its_own() {
    let dns = Responder::start(
        Zones::new()
            .zone("multi.uribl.com", Dnsbl::refusing("127.0.0.1"))
            .zone("multi.surbl.org", Dnsbl::refusing("127.0.0.1"))
            .zone("dbl.spamhaus.org", Dnsbl::refusing("127.0.1.255"))
            .zone("list.dnswl.org", Dnsbl::refusing("127.0.0.255"))
            .zone("own.lab.test", Dnsbl::refusing("127.0.0.9")),
    );
    let about = |target: &str| {
        Check::new("check_rbl").args(["--resolver", &dns.addr().to_string(), "--allow-private", "-H", target])
    };
    for (zone, code) in [
        ("multi.uribl.com", "127.0.0.1"),
        ("multi.surbl.org", "127.0.0.1"),
        ("dbl.spamhaus.org", "127.0.1.255"),
    ] {
        let run = about("lab.example").args(["-s", zone]).gives(State::Unknown, &[zone, code]);
        run.long("refused to answer us");
    }
    let run = about(TARGET)
        .args(["-s", "own.lab.test,refuse=127.0.0.9"])
        .gives(State::Unknown, &["own.lab.test", "127.0.0.9"]);
    run.long("refused to answer us");
    // An allow list that refuses says nothing about the target.
    let run = about(TARGET)
        .args(["-s", "own.lab.test,refuse=9", "--allow-list", "list.dnswl.org"])
        .gives(State::Unknown, &["gave an answer to trust"]);
    run.long("127.0.0.255").silent_about("missing");
}

#[test]
fn unknown_invalid_answers() {
    for address in
        ["127.0.0.1", "127.0.0.0", "0.0.0.0", "203.0.113.7", "192.168.1.1", "128.0.0.2", "126.255.255.255"]
    {
        let run = given(Dnsbl::rewriting(address), State::Unknown, &[address]);
        run.long("no return code");
        assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
        unanswered(move || Reaction::records([Record::address(address)]), address);
    }
}

// No answers

#[test]
fn unknown_error_codes_are_no_answer() {
    for (rcode, words) in [
        (Rcode::ServFail, "SERVFAIL"),
        (Rcode::Refused, "REFUSED"),
        (Rcode::FormErr, "FORMERR"),
        (Rcode::NotImp, "RCODE 4"),
        (Rcode::Other(9), "RCODE 9"),
    ] {
        unanswered(move || Reaction::rcode(rcode), words);
        let run = given(Dnsbl::rcode(rcode), State::Unknown, &[words]);
        assert_eq!(run.parsed.value("failed"), Some(1.0));
    }
}

#[test]
fn unknown_error_code_with_a_listing_in_it() {
    let listed = Record::address("127.0.0.2");
    // SERVFAIL in the header of a good answer: 12 bytes of header, then the question.
    let reaction = move |query: &lab::dns::Query| {
        let mut bytes = vec![0, 0, 0x81, 0x82, 0, 1, 0, 1, 0, 0, 0, 0];
        bytes[..2].copy_from_slice(&query.id.to_be_bytes());
        bytes.extend_from_slice(&query.question);
        bytes.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2]);
        Reaction::bytes(bytes)
    };
    assert_eq!(listed.data, Rdata::A("127.0.0.2".parse().unwrap()));
    given(odd(reaction), State::Unknown, &["SERVFAIL"]).silent_about("listed by");
}

#[test]
fn unknown_silence() {
    unanswered(Reaction::silence, "gave no answer");
}

#[test]
fn unknown_referral_is_not_nodata() {
    // A server that does not resolve for us: NOERROR, no record, RA off, not authoritative.
    let flags = Flags { recursion_available: false, ..Flags::RESOLVER };
    unanswered(move || Reaction::records([]).flags(flags), "referral");
}

#[test]
fn unknown_malformed_messages() {
    let zone = |how: Malformed| format!("{how:?}.lab.test").to_ascii_lowercase();
    let zones = Malformed::ALL
        .into_iter()
        .fold(Zones::new(), |zones, how| zones.zone(&zone(how), odd(move |_| Reaction::malformed(how))));
    let dns = Responder::start(zones);
    let started: Vec<_> =
        Malformed::ALL.into_iter().map(|how| (how, impatient(check(&dns, &[&zone(how)])).start())).collect();
    for (how, started) in started {
        let run = started.gives(State::Unknown, &["gave an answer to trust"]);
        run.silent_about("listed by");
        assert_eq!(run.parsed.value("failed"), Some(1.0), "{how:?}\n{}", run.outcome.report());
    }
}

#[test]
fn critical_malformed_once_is_asked_again() {
    for how in [Malformed::CutRecord, Malformed::PointerLoop, Malformed::DataBeyondEnd] {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let reaction =
            move |_: &lab::dns::Query| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Reaction::malformed(how),
                _ => Reaction::records([Record::address("127.0.0.2")]),
            };
        given(odd(reaction), State::Critical, &["127.0.0.2"]);
    }
}

#[test]
fn unknown_aliases_that_lead_nowhere() {
    let dns = one_list(odd(Reaction::cname_loop));
    let run = check(&dns, &["bl.lab.test"]).gives(State::Unknown, &["circle"]);
    assert_eq!(run.parsed.value("failed"), Some(1.0));
    let alias = || Reaction::records([Record::cname("elsewhere.lab.test")]);
    // A server that does not resolve leaves the rest to the client.
    unanswered(move || alias().flags(Flags::AUTHORITATIVE), "elsewhere.lab.test");
    // Forty aliases are more than anybody follows.
    unanswered(|| Reaction::cname_chain(40, []), "aliases");
}

#[test]
fn unknown_records_of_another_name_do_not_count() {
    let foreign = || Record::address("127.0.0.2").owned_by("other.lab.test");
    let run =
        given(odd(move |_| Reaction::records([foreign()])), State::Unknown, &["gave an answer to trust"]);
    run.silent_about("listed by");
}

#[test]
fn unknown_record_of_another_type_is_no_code() {
    let other = || Reaction::records([Record::txt("127.0.0.2"), Record::address("2001:db8::2")]);
    let run = given(odd(move |_| other()), State::Unknown, &["gave an answer to trust"]);
    run.silent_about("listed by");
}

#[test]
fn critical_names_come_back_in_other_letters() {
    // Resolvers that keep the case of whoever asked first.
    let reaction = |query: &lab::dns::Query| {
        let mut bytes = vec![0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        bytes[..2].copy_from_slice(&query.id.to_be_bytes());
        bytes.extend(query.question.to_ascii_uppercase());
        bytes.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2]);
        Reaction::bytes(bytes)
    };
    assert!(REVERSED.bytes().all(|b| !b.is_ascii_alphabetic()));
    given(odd(reaction), State::Critical, &["127.0.0.2"]);
}
