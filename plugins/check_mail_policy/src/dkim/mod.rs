//! DKIM keys, `SELECTOR._domainkey.DOMAIN` (RFC 6376 section 3.6.2).

mod key;
#[cfg(test)]
mod tests;

use common::proto::dns::{DomainName, Kind};
use common::report::{Metric, Report, State};

use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::lookup::{Texts, add_faults};
use key::{Key, KeyRecord};

pub(crate) const DKIM_BITS: Metric = Metric::count(
    "dkim_bits",
    "bits of the weakest RSA key of --dkim; Ed25519 keys, whose bits mean something else, do not count",
);

/// What is known of the key of a selector.
enum Known {
    Rsa(u32),
    Other,
    /// Nobody answered.
    Open,
}

/// The keys of all selectors.
pub(crate) fn judge(options: &CheckMailPolicy, answers: &Answers, report: &mut Report) {
    let selectors = options.records.dkim.iter();
    let known: Vec<Known> =
        selectors.map(|selector| judge_selector(options, selector, answers, report)).collect();
    let is_open = known.iter().any(|known| matches!(known, Known::Open));
    let bits = known.iter().filter_map(|known| if let Known::Rsa(bits) = known { Some(*bits) } else { None });
    match bits.min() {
        _ if is_open => report.record(&DKIM_BITS, None),
        Some(weakest) => report.record(&DKIM_BITS, Some(f64::from(weakest))),
        None => {}
    }
}

fn judge_selector(
    options: &CheckMailPolicy,
    selector: &DomainName,
    answers: &Answers,
    report: &mut Report,
) -> Known {
    let labels = format!("{selector}._domainkey");
    let Some(name) = options.domain.child(&labels) else {
        let text = format!("{labels}.{}: no name is that long, so there is no DKIM key", options.domain);
        report.find("dkim_missing", State::Critical, text);
        return Known::Other;
    };
    let texts = match Texts::read(answers, &name, |_| true) {
        Ok(texts) => texts,
        Err(unanswered) => {
            unanswered.report("dkim_unknown", options, report);
            return Known::Open;
        }
    };
    texts.show(&name, 2, report);
    // Those who host mail for others let them point to a key that they change by themselves.
    let aliases = &answers.get(&name, Kind::Txt).aliases;
    if let Some(end) = aliases.last() {
        report.context(1, format!("{name} is an alias of {end}"));
    }
    match texts.records.as_slice() {
        [] => {
            let of =
                aliases.last().map(|end| format!(" at {end}, of which it is an alias")).unwrap_or_default();
            report.find(
                "dkim_missing",
                State::Critical,
                format!("{name}: no DKIM key{of} (RFC 6376 section 6.1.2)"),
            );
            Known::Other
        }
        [text] => judge_record(selector, &name, &KeyRecord::parse(text), report),
        several => {
            let text = format!(
                "{name}: {} TXT records, so that verifiers may take any of them (RFC 6376 section 3.6.2.2)",
                several.len()
            );
            report.find("dkim_several", State::Critical, text);
            Known::Other
        }
    }
}

fn judge_record(selector: &DomainName, name: &DomainName, record: &KeyRecord, report: &mut Report) -> Known {
    add_faults(name, &record.faults, report);
    for note in &record.notes {
        report.note("dkim_note", format!("{name}: {note}"));
    }
    let is_usable = record.faults.iter().all(|fault| fault.state < State::Critical);
    let (known, shown) = match record.key {
        Some(Key::Rsa(bits)) => (Known::Rsa(bits), format!("RSA {bits}")),
        Some(Key::Ed25519) => (Known::Other, "Ed25519".to_owned()),
        None => return Known::Other,
    };
    if is_usable {
        report.find("dkim", State::Ok, format!("DKIM {selector}: {shown}"));
    }
    known
}
