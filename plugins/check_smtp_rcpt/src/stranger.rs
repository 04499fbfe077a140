//! Users who do not exist (`--also-unknown`): a host that takes mail for them has to send it
//! back later, to senders who are forged more often than not.

use common::net::smtp::Stop;
use common::proto::smtp::{RecipientAnswer, Said};
use common::report::{Finding, Report, State, quote};

use crate::CheckSmtpRcpt;
use crate::seen::{End, Host, Seen, Visit};
use crate::verdict::place;

/// What each host does about them.
pub(crate) fn judge_strangers(options: &CheckSmtpRcpt, seen: &Seen, report: &mut Report) {
    if !options.expect.also_unknown {
        return;
    }
    let first = seen.hosts.iter().filter(|host| !host.addresses.is_empty()).map(|host| host.level).min();
    for visit in &seen.visits {
        let Some(host) = seen.hosts.iter().find(|host| host.addresses.contains(&visit.address)) else {
            continue;
        };
        let is_backup = first.is_some_and(|first| host.level > first);
        if let Some(finding) = judge(options, host, is_backup, visit) {
            report.add(finding);
        }
    }
}

fn judge(options: &CheckSmtpRcpt, host: &Host, is_backup: bool, visit: &Visit) -> Option<Finding> {
    let place = place(host, visit.address);
    let unproved = |why: String| {
        let text = format!("not proved that {place} refuses unknown users: {why}");
        Some(Finding::new("unknown_not_proved", State::Unknown, text))
    };
    let said = match (&visit.end, &visit.stranger) {
        // Said of the recipient already.
        (End::NoSmtpUtf8 | End::Stopped(_), None) => return None,
        (End::Answered(said), None) => return unproved(quote(&said.words)),
        (_, Some(End::NoSmtpUtf8)) => return unproved("SMTPUTF8 is not offered".to_owned()),
        (_, Some(End::Stopped(Stop::Refused(_, said)))) => said,
        (_, Some(End::Stopped(stop))) => return unproved(stop.to_string()),
        (_, Some(end)) if is_refused(end) => return None,
        (_, Some(End::Answered(said))) => said,
    };
    let is_answer = matches!(visit.stranger, Some(End::Answered(_)));
    match RecipientAnswer::of(said) {
        answer if is_answer && answer.takes_mail() => Some(accepted(&place, is_backup, said)),
        RecipientAnswer::Greylisted => {
            let state = options.expect.greylist.state();
            let text = format!("not proved that {place} refuses unknown users: {}", quote(&said.words));
            let finding = Finding::new("unknown_greylisted", state, text);
            Some(Finding { is_note: state == State::Ok, ..finding })
        }
        _ => unproved(quote(&said.words)),
    }
}

fn accepted(place: &str, is_backup: bool, said: &Said) -> Finding {
    let who = if is_backup { "backup MX " } else { "" };
    let text = format!("{who}{place} accepts unknown users: {}", quote(&said.words));
    Finding::new("accepts_unknown", State::Warning, text).with_hint(if is_backup {
        "a backup that does not know the recipients bounces what it cannot pass on to forged senders (backscatter)"
    } else {
        "a catch-all, or a host that bounces later what it takes now (backscatter)"
    })
}

/// Whether a stranger was refused for good.
pub(crate) fn is_refused(end: &End) -> bool {
    match end {
        End::Answered(said) => {
            matches!(
                RecipientAnswer::of(said),
                RecipientAnswer::UnknownUser | RecipientAnswer::Refused | RecipientAnswer::RelayDenied
            ) && said.code != 530
        }
        End::NoSmtpUtf8 | End::Stopped(_) => false,
    }
}
