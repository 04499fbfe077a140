//! The verdict of check_smtp_relay on whatever a server may have answered: an open relay is never
//! fine, and nothing is fine that was not refused.
//!
//! Input: a byte that says which probes got no answer, then the server's answers as it sent them,
//! one for each probe; what is left over are those of a second address of the host.

use check_smtp_relay::{CheckSmtpRelay, Seen};
use clap::Parser;
use common::plugin::{Plugin, Run};
use common::proto::smtp::{RecipientAnswer, ReplyLimits, ReplyReader, Said};
use common::report::{State, StateTable};
use serde_json::{Value, json};

const FORMS: [&str; 8] =
    ["local", "control", "plain", "percent", "bang", "quoted", "source_route", "empty_sender"];

/// The target.
pub fn run(data: &[u8]) {
    let Some((&lost, wire)) = data.split_first() else { return };
    let answers = answers(wire);
    let options =
        CheckSmtpRelay::try_parse_from(["check_smtp_relay", "-H", "192.0.2.1"]).expect("good options");
    let (first, second) = answers.split_at(answers.len().min(FORMS.len()));
    let mut servers = vec![server("192.0.2.1:25", lost, first)];
    servers.extend((!second.is_empty()).then(|| server("[2001:db8::1]:25", 0, second)));
    let observation = json!({ "unresolved": null, "servers": servers, "left_out": 0, "limits": null });
    let seen: Seen = serde_json::from_value(observation.clone()).expect("the form of an observation");
    assert_eq!(serde_json::to_value(&seen).expect("plain data"), observation, "nothing is lost in a dump");
    let states = StateTable::new(CheckSmtpRelay::CONDITIONS);
    let report = options.evaluate(&seen, &Run { taken_at: 0, states });

    let plain = |answers: &[Said], lost: u8| answers.get(2).filter(|_| lost >> 2 & 1 == 0).cloned();
    let mut plains = vec![plain(first, lost)];
    plains.extend((!second.is_empty()).then(|| plain(second, 0)));
    for plain in &plains {
        match (report.state(), plain) {
            (State::Ok, Some(said)) => {
                assert!(said.code >= 400 && said.code != 421, "not refused: {said:?}");
                let temporary = said.code < 500 && RecipientAnswer::of(said) != RecipientAnswer::RelayDenied;
                assert!(!temporary, "proved nothing: {said:?}");
            }
            (State::Ok, None) => panic!("no answer is fine"),
            (state, Some(said)) if (250..=252).contains(&said.code) => assert_eq!(state, State::Critical),
            _ => {}
        }
    }
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
}

/// What one address showed.
fn server(address: &str, lost: u8, answers: &[Said]) -> Value {
    let probes: Vec<Value> = FORMS
        .iter()
        .enumerate()
        .map(|(at, form)| {
            let outcome = match answers.get(at) {
                Some(said) if lost >> at & 1 == 0 => json!({ "Answered": said }),
                Some(said) if lost >> at & 1 == 1 && at > 4 => json!({ "Barred": ["MailFrom", said] }),
                _ => json!("Lost"),
            };
            json!({ "form": form, "sender": "<a@out.example>", "recipient": "<x@y.example>", "outcome": outcome })
        })
        .collect();
    json!({ "address": address, "local_domain": "lab.test", "sessions": [], "probes": probes, "data": null })
}

/// The answers up to the first one that is none.
fn answers(wire: &[u8]) -> Vec<Said> {
    let mut reader = ReplyReader::new(ReplyLimits::default());
    let (mut answers, mut rest) = (Vec::new(), wire);
    while let Ok((used, Some(reply))) = reader.feed(rest) {
        answers.push(Said::from(&reply));
        rest = &rest[used..];
    }
    for said in &answers {
        let taken = RecipientAnswer::of(said).takes_mail();
        assert_eq!(taken, matches!(said.code, 250..=252), "{said:?}");
        assert!(said.enhanced().is_none_or(|(class, _, _)| class == said.class()));
    }
    answers
}
