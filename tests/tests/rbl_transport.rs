//! check_rbl on the wire: truncation, forged and late answers, what a forger would have to
//! guess, servers that cannot be reached.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use lab::dns::{
    Behaviour, Dnsbl, Query, Reaction, Record, Responder, ResponderOptions, Tcp, TcpPort, Transport, Zones,
};
use lab::output::State;
use tests::Check;
use tests::rbl::{
    REVERSED, TARGET, check, figures, given, impatient, odd, one_list, times_asked, with_lists,
};

fn listed() -> Reaction {
    Reaction::records([Record::address("127.0.0.2")])
}

fn over_tcp(dns: &Responder) -> usize {
    dns.queries().iter().filter(|query| query.transport == Transport::Tcp).count()
}

// Truncated answers

#[test]
fn critical_truncated_answer_comes_over_tcp() {
    for reaction in [
        || listed().truncated(),
        || Reaction::addresses(40),
        // What fits says nothing, what comes over TCP does.
        || {
            Reaction::records([Record::address("127.255.255.254"), Record::address("127.0.0.2")])
                .truncated_after(1)
        },
        || listed().truncated().times(3),
    ] {
        let dns = one_list(odd(move |_| reaction()));
        check(&dns, &["bl.lab.test"]).gives(State::Critical, &["127.0.0.2"]);
        assert_eq!((times_asked(&dns, &format!("{REVERSED}.bl.lab.test")), over_tcp(&dns)), (2, 1));
    }
}

#[test]
fn ok_truncated_nodata_comes_over_tcp() {
    given(odd(|_| Reaction::nxdomain().truncated()), State::Ok, &["not listed"]);
}

#[test]
fn unknown_truncated_and_nothing_over_tcp() {
    for (tcp, words) in
        [(Tcp::Silent, "over TCP"), (Tcp::Closed, "connection closed"), (Tcp::CutShort, "connection closed")]
    {
        let run = given(odd(move |_| listed().truncated().tcp(tcp)), State::Unknown, &["truncated", words]);
        run.silent_about("listed by");
        assert_eq!(run.parsed.value("failed"), Some(1.0));
    }
}

#[test]
fn unknown_truncated_and_tcp_refused() {
    let options = ResponderOptions { tcp: TcpPort::Refused, ..ResponderOptions::default() };
    let list = odd(|_| listed().truncated());
    let dns = Responder::start_with(options, Zones::new().zone("bl.lab.test", list));
    let run = check(&dns, &["bl.lab.test"]).gives(State::Unknown, &["truncated", "refused"]);
    run.silent_about("listed by");
}

#[test]
fn unknown_another_answer_over_tcp() {
    for reaction in [
        || listed().wrong_question("other.bl.lab.test"),
        || listed().wrong_id(),
        || Reaction::bytes([0; 3]),
        || Reaction::bytes([]),
    ] {
        let list = odd(move |query: &Query| match query.transport {
            Transport::Udp => listed().truncated(),
            Transport::Tcp => reaction(),
        });
        given(list, State::Unknown, &["gave an answer to trust"]).silent_about("listed by");
    }
}

#[test]
fn critical_many_truncated_answers_share_few_connections() {
    let zones = (0..100).fold(Zones::new(), |zones, n| {
        zones.zone(&format!("bl{n}.lab.test"), Dnsbl::listing(TARGET, ["127.0.0.2"]).map(Reaction::truncated))
    });
    let dns = Responder::start(zones);
    let lists: Vec<String> = (0..100).map(|n| format!("bl{n}.lab.test")).collect();
    let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
    let run = check(&dns, &lists).gives(State::Critical, &["score 100"]);
    assert_eq!(figures(&run), [Some(100.0), Some(100.0), Some(100.0), Some(100.0), Some(0.0)]);
}

// Forged answers

#[test]
fn ok_forged_listing_before_the_right_answer() {
    for forged in [
        || listed().wrong_id(),
        || listed().wrong_port(),
        || listed().wrong_question("other.bl.lab.test"),
        || Reaction::bytes([0x55; 600]),
    ] {
        let right = || Reaction::nxdomain().delayed(Duration::from_millis(50));
        let list = odd(move |_| forged().times(20).then(right()));
        given(list, State::Ok, &["not listed", "1 of 1"]);
    }
}

#[test]
fn critical_forged_clean_bill_before_the_right_answer() {
    for forged in [
        || Reaction::nxdomain().wrong_id(),
        || Reaction::nxdomain().wrong_port(),
        || Reaction::nxdomain().wrong_question("other.bl.lab.test"),
    ] {
        let list = odd(move |_| forged().then(listed().delayed(Duration::from_millis(50))));
        given(list, State::Critical, &["127.0.0.2"]);
    }
}

#[test]
fn unknown_forged_answers_alone() {
    for forged in [
        || listed().wrong_id(),
        || listed().wrong_port(),
        || listed().wrong_question("other.bl.lab.test"),
        || Reaction::nxdomain().wrong_id(),
        || Reaction::nxdomain().wrong_port(),
        || Reaction::nxdomain().wrong_question("other.bl.lab.test"),
    ] {
        given(odd(move |_| forged()), State::Unknown, &["gave an answer to trust"]).silent_about("listed by");
    }
}

#[test]
fn unknown_error_without_a_question_needs_the_id_alone() {
    // FORMERR from servers that understood nothing. A clean bill may not come this way.
    let bare = |rcode: u8, wrong: u8| {
        odd(move |query: &Query| {
            let [high, low] = query.id.to_be_bytes();
            Reaction::bytes([high, low ^ wrong, 0x81, 0x80 | rcode, 0, 0, 0, 0, 0, 0, 0, 0])
        })
    };
    given(bare(1, 0), State::Unknown, &["FORMERR"]);
    given(bare(1, 1), State::Unknown, &["gave an answer to trust"]);
    given(bare(3, 0), State::Unknown, &["gave an answer to trust"]);
    given(bare(0, 0), State::Unknown, &["gave an answer to trust"]);
}

#[test]
fn ok_query_sent_back_is_no_answer() {
    let echo = odd(|query: &Query| {
        let mut bytes = query.id.to_be_bytes().to_vec();
        bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&query.question);
        Reaction::bytes(bytes).then(Reaction::nxdomain().delayed(Duration::from_millis(50)))
    });
    given(echo, State::Ok, &["not listed"]);
}

#[test]
fn ok_flood_of_strays_does_not_stop_the_clock() {
    let list = odd(|_| {
        listed().wrong_id().times(3000).then(Reaction::nxdomain().delayed(Duration::from_millis(20)))
    });
    given(list, State::Ok, &["not listed"]);
}

// Late answers and copies

#[test]
fn critical_copies_of_an_answer_count_once() {
    let dns = one_list(Dnsbl::listing(TARGET, ["127.0.0.2"]).map(|reaction| reaction.times(5)));
    let run = check(&dns, &["bl.lab.test"]).gives(State::Critical, &["score 1"]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
    assert_eq!(times_asked(&dns, &format!("{REVERSED}.bl.lab.test")), 1);
}

#[test]
fn critical_first_of_two_answers_counts() {
    let list = odd(|_| listed().then(Reaction::nxdomain()));
    given(list, State::Critical, &["127.0.0.2"]);
}

#[test]
fn critical_second_try_is_answered() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let list = odd(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reaction::silence(),
        _ => listed(),
    });
    let run = given(list, State::Critical, &["127.0.0.2"]);
    assert!(run.parsed.value("time").unwrap() >= 0.5, "{}", run.outcome.report());
}

#[test]
fn unknown_answer_after_the_last_try() {
    let late = odd(|_| listed().delayed(Duration::from_millis(1500)));
    given(late, State::Unknown, &["gave an answer to trust"]).silent_about("listed by");
}

// What a forger would have to guess

#[test]
fn ids_are_random_and_ports_many() {
    let zone = |n: usize| format!("bl{n}.lab.test");
    let zones = (0..60).fold(Zones::new(), |zones, n| {
        // Late, so that all questions are on the way at a time.
        zones.zone(&zone(n), Dnsbl::healthy().delayed(Duration::from_millis(200)))
    });
    let dns = Responder::start(zones);
    let names: Vec<String> = (0..60).map(zone).collect();
    let lists: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut first_ids = BTreeSet::new();
    for _ in 0..2 {
        dns.clear();
        check(&dns, &lists).gives(State::Ok, &["not listed"]);
        let queries = dns.queries();
        assert_eq!(queries.len(), 180, "each list and its two test points, once");
        let mut ids: BTreeMap<u16, Vec<u16>> = BTreeMap::new();
        for query in &queries {
            ids.entry(query.peer.port()).or_default().push(query.id);
        }
        assert!(ids.len() >= 3, "{} questions from {} ports", queries.len(), ids.len());
        let mut all: Vec<u16> = queries.iter().map(|query| query.id).collect();
        let in_order = all.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
        assert!(in_order < 5, "ids that count up: {all:?}");
        // 180 of 65,536: more than a few twice, or all below 4,096, is no accident.
        assert!(all.iter().filter(|id| **id >= 0x8000).count() > 40, "{all:?}");
        first_ids.insert(all[0]);
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 170, "{all:?}");
        for (port, ids) in ids {
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id twice on port {port}");
        }
        assert!(queries.iter().all(|query| query.class == 1 && query.recursion_desired));
    }
    assert_eq!(first_ids.len(), 2, "the next run has others");
}

#[test]
fn ok_all_questions_of_a_target_go_at_once() {
    // Were there a second burst, or a list asked after another, this would take two delays.
    let delay = Duration::from_millis(900);
    let zone = |n: usize| format!("bl{n}.lab.test");
    let dns = Responder::start(
        (0..60).fold(Zones::new(), |zones, n| zones.zone(&zone(n), Dnsbl::healthy().delayed(delay))),
    );
    let names: Vec<String> = (0..60).map(zone).collect();
    let lists: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = check(&dns, &lists).gives(State::Ok, &["60 of 60"]);
    let time = run.parsed.value("time").unwrap();
    assert!((0.9..1.8).contains(&time), "{}", run.outcome.report());
    assert_eq!(dns.query_count(), 180);
}

#[test]
fn ok_one_silent_list_among_sixty() {
    let zone = |n: usize| format!("bl{n}.lab.test");
    let dns = Responder::start(
        (0..59)
            .fold(Zones::new(), |zones, n| zones.zone(&zone(n), Dnsbl::healthy()))
            .zone("silent.lab.test", Dnsbl::silent()),
    );
    let names: Vec<String> = (0..59).map(zone).collect();
    let mut lists: Vec<&str> = names.iter().map(String::as_str).collect();
    lists.push("silent.lab.test");
    // With the defaults: the verdict of the others holds, and comes in time.
    let run = check(&dns, &lists).gives(State::Ok, &["59 of 60", "silent.lab.test"]);
    // 4.0 s are two tries; the rest is for a machine with other things to do.
    assert!(run.parsed.value("time").unwrap() < 4.9, "{}", run.outcome.report());
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(60.0), Some(59.0), Some(1.0)]);
    let silent = times_asked(&dns, &format!("{REVERSED}.silent.lab.test"));
    assert_eq!(silent, 2, "two tries");
}

// Servers that cannot be reached

#[test]
fn unknown_nobody_listens() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = socket.local_addr().unwrap();
    drop(socket);
    let started = Instant::now();
    let check = Check::new("check_rbl").args([
        "--allow-private",
        "-H",
        TARGET,
        "-s",
        "bl.lab.test",
        "--resolver",
        &closed.to_string(),
    ]);
    let run = check.gives(State::Unknown, &["gave an answer to trust", "refused"]);
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "ICMP says so at once: {}",
        run.outcome.report()
    );
    assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
}

#[test]
fn unknown_host_name_and_nobody_listens() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = socket.local_addr().unwrap();
    drop(socket);
    let check = Check::new("check_rbl").args(["-H", "mail.lab.test", "-s", "bl.lab.test"]);
    check.args(["--resolver", &closed.to_string()]).gives(State::Unknown, &["mail.lab.test", "refused"]);
}

#[test]
fn unknown_source_address_that_is_not_ours() {
    let dns = one_list(Dnsbl::healthy());
    check(&dns, &["bl.lab.test"])
        .args(["--source-ip", "192.0.2.77"])
        .gives(State::Unknown, &["gave an answer to trust", "assign requested address"]);
    check(&dns, &["bl.lab.test"]).args(["--source-ip", "127.0.0.9"]).gives(State::Ok, &["not listed"]);
    assert!(dns.queries().iter().all(|query| query.peer.ip().to_string() == "127.0.0.9"));
}

#[test]
fn ok_resolver_on_ipv6() {
    let options = ResponderOptions::on(std::net::Ipv6Addr::LOCALHOST);
    let dns = Responder::start_with(options, Zones::new().zone("bl.lab.test", Dnsbl::healthy()));
    check(&dns, &["bl.lab.test"]).gives(State::Ok, &["not listed"]);
    assert!(dns.queries().iter().all(|query| query.peer.is_ipv6()));
}

// The deadline

#[test]
fn unknown_timeout_in_the_middle() {
    let dns = Responder::start(
        Zones::new().zone("good.lab.test", Dnsbl::healthy()).zone("silent.lab.test", Dnsbl::silent()),
    );
    let hasty = |state: &[&str]| {
        let check = check(&dns, &["good.lab.test", "good2.lab.test", "silent.lab.test"]).timeout(0.6);
        check.args(state).start()
    };
    let by_default = hasty(&[]);
    let warning = hasty(&["--timeout-state", "warning"]);
    let critical = hasty(&["--timeout-state", "critical"]);
    by_default.gives(State::Unknown, &["timeout after 0.6 s while querying"]);
    // Two of three lists gave no answer, which is UNKNOWN whatever a timeout is.
    warning.gives(State::Unknown, &[]);
    critical.gives(State::Critical, &["timeout after 0.6 s"]);
}

#[test]
fn warning_timeout_state_of_a_run_that_is_well_otherwise() {
    let dns = Responder::start(
        (0..9)
            .fold(Zones::new(), |zones, n| zones.zone(&format!("bl{n}.lab.test"), Dnsbl::healthy()))
            .zone("silent.lab.test", Dnsbl::silent()),
    );
    let names: Vec<String> = (0..9).map(|n| format!("bl{n}.lab.test")).collect();
    let mut lists: Vec<&str> = names.iter().map(String::as_str).collect();
    lists.push("silent.lab.test");
    let run = check(&dns, &lists).timeout(0.8).gives(State::Unknown, &["timeout after 0.8 s while querying"]);
    run.long("not listed");
    let check = check(&dns, &lists).timeout(0.8).args(["--timeout-state", "warning"]);
    check.gives(State::Warning, &["timeout after 0.8 s while querying"]);
}

#[test]
fn critical_listing_outlives_a_timeout() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::listing(TARGET, ["127.0.0.2"]))
            .zone("silent.lab.test", Dnsbl::silent()),
    );
    let run = check(&dns, &["silent.lab.test", "bl.lab.test"])
        .timeout(0.8)
        .gives(State::Critical, &["bl.lab.test", "127.0.0.2"]);
    assert!(run.outcome.text().contains("timeout after 0.8 s"), "{}", run.outcome.report());
}

#[test]
fn unknown_timeout_while_a_name_is_resolved() {
    let dns = Responder::start(Reaction::silence());
    let check = with_lists(tests::rbl::bare(&dns).args(["-H", "mail.lab.test"]), &["bl.lab.test"]);
    check.clone().timeout(0.5).gives(State::Unknown, &["timeout after 0.5 s"]);
    // Without a deadline in the way it is the name that is not resolved.
    impatient(check).timeout(3.0).gives(State::Unknown, &["cannot resolve mail.lab.test"]);
}

#[test]
fn unknown_sigterm_names_the_phase() {
    let dns = Responder::start(Reaction::silence());
    let started = check(&dns, &["bl.lab.test"]).start();
    let until = Instant::now() + Duration::from_secs(5);
    while dns.query_count() == 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    started.running.signal(lab::Signal::Term);
    let run = started.gives(State::Unknown, &["SIGTERM", "querying"]);
    assert!(run.outcome.elapsed < Duration::from_secs(4), "{}", run.outcome.report());
}
