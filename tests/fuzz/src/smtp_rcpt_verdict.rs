//! The verdict of check_smtp_rcpt on whatever the hosts of a domain may have answered: nothing is
//! fine that nobody said, and who takes mail for somebody who must be refused is never excused.
//!
//! Input: two bytes with the options and the preferences, then the answers as they were sent,
//! one for each host; a host whose answer is none at all did not answer.

use check_smtp_rcpt::{CheckSmtpRcpt, Seen};
use clap::Parser;
use common::net::smtp::Opening;
use common::plugin::{Plugin, Run};
use common::proto::smtp::{RecipientAnswer, ReplyLimits, ReplyReader, Said};
use common::report::State;
use serde_json::{Value, json};

/// The target.
pub fn run(data: &[u8]) {
    let Some((&[flags, levels], wire)) = data.split_first_chunk() else { return };
    let answers = answers(wire);
    let wants_reject = flags & 1 == 1;
    let mode = ["all", "first", "any", "all"][usize::from(flags >> 1 & 3)];
    let also_unknown = flags & 8 == 8;
    let mut arguments = vec!["check_smtp_rcpt", "a@b.example", "--mode", mode];
    arguments.extend(["--expect", if wants_reject { "reject" } else { "accept" }]);
    arguments.extend(also_unknown.then_some("--also-unknown"));
    let options = CheckSmtpRcpt::try_parse_from(arguments).expect("good options");

    let observation = observation(&answers, levels, also_unknown);
    let seen: Seen = serde_json::from_value(observation.clone()).expect("the form of an observation");
    assert_eq!(serde_json::to_value(&seen).expect("plain data"), observation, "nothing is lost in a dump");
    let report = options.evaluate(&seen, &Run { taken_at: 0, states: options.states() });

    let taken = |said: &&Said| RecipientAnswer::of(said).takes_mail();
    let heard: Vec<&Said> = answers.iter().flatten().collect();
    let state = report.state();
    if state == State::Ok {
        let kind = |said: &&Said| match RecipientAnswer::of(said) {
            RecipientAnswer::Greylisted => !wants_reject,
            answer => answer.takes_mail() != wants_reject,
        };
        assert!(heard.iter().any(kind), "nobody said so: {answers:?}");
        assert!(mode != "all" || heard.iter().all(kind), "not all of them: {answers:?}");
        assert!(mode != "all" || answers.iter().all(Option::is_some), "silence is not fine: {answers:?}");
    }
    if wants_reject && heard.iter().any(taken) {
        assert_eq!(state, State::Critical, "taken, and must not be: {answers:?}");
    }
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
}

fn observation(answers: &[Option<Said>], levels: u8, also_unknown: bool) -> Value {
    let address = |at: usize| format!("192.0.2.{}:25", at + 1);
    let level = |at: usize| u64::from(levels >> (at % 4 * 2) & 3);
    let host = |at: usize| json!({ "name": format!("mx{at}.example"), "level": level(at), "addresses": [address(at)], "gap": null });
    let closed = json!({ "trouble": "Unreachable", "phase": "Querying", "text": "closed", "hint": null });
    let end = |said: Option<&Said>| match said {
        Some(said) => json!({ "answered": said }),
        None => json!({ "stopped": { "Failed": closed } }),
    };
    let visit = |at: usize| {
        let said = answers[at].as_ref();
        // The next host's words serve for the stranger.
        let stranger = said.filter(|said| also_unknown && said.code != 421);
        let stranger = stranger.map(|_| end(answers.get(at + 1).and_then(Option::as_ref)));
        json!({
            "address": address(at), "opening": Opening::default(), "end": end(said), "stranger": stranger,
            "time": said.map(|_| 0.5),
        })
    };
    let mut places: Vec<usize> = (0..answers.len()).collect();
    places.sort_by_key(|at| level(*at));
    let hosts: Vec<Value> = places.iter().map(|at| host(*at)).collect();
    let visits: Vec<Value> = places.iter().map(|at| visit(*at)).collect();
    json!({ "source": "given", "hosts": hosts, "visits": visits })
}

/// An answer for each line that is one, up to eight.
fn answers(wire: &[u8]) -> Vec<Option<Said>> {
    let one = |line: &[u8]| {
        let whole = [line, b"\n"].concat();
        let read = ReplyReader::new(ReplyLimits::default()).feed(&whole).ok()?;
        read.1.map(|reply| Said::from(&reply))
    };
    wire.split(|byte| *byte == b'\n').take(8).map(one).collect()
}
