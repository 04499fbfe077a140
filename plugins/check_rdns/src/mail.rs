//! Whether the names that a mail server uses are those of its address: in its banner, and in
//! the HELO it says when it sends.

use common::net::Trouble;
use common::plugin::{Run, finding_of};
use common::proto::dns::{DomainName, Kind};
use common::proto::smtp::Said as Greeting;
use common::report::{Condition, Finding, Report, State, quote};

use crate::agreed::{Agreed, Answers};
use crate::judge::{Judged, leads};
use crate::probe::kind_of;
use crate::seen::Banner;

const REFUSED_HELO: &str =
    "receivers refuse a HELO that does not resolve (Postfix: reject_unknown_helo_hostname)";

impl Judged<'_> {
    /// The mail server's part; `timeout` is its state where an option sets it.
    pub(crate) fn judge_banner(&mut self, timeout: Option<State>, is_cut_short: bool, run: &Run) {
        match &self.seen.banner {
            Some(banner @ Banner { greeting: Some(greeting), .. }) => {
                self.judge_greeting(banner, greeting, run);
            }
            Some(Banner { server, failure: Some(failure), .. }) => {
                let mut finding = finding_of(failure, &run.states);
                // To be silent is no better than to refuse.
                if failure.trouble == Trouble::Timeout {
                    finding.state = timeout.unwrap_or(run.states.state(Condition::Unreachable));
                }
                if !finding.text.starts_with("cannot connect") {
                    finding.text = format!("no banner from {server}: {}", finding.text);
                }
                self.findings.push(Finding { id: "no_banner".into(), ..finding });
            }
            _ => {
                let condition = if is_cut_short { Condition::Timeout } else { Condition::Incomplete };
                let state = run.states.state(condition);
                self.find("no_banner", state, format!("no banner from {}: not asked", self.subject()));
            }
        }
    }

    fn judge_greeting(&mut self, banner: &Banner, greeting: &Greeting, run: &Run) {
        let (server, words) = (banner.server, quote(&greeting.words));
        if greeting.code != 220 {
            let condition = if greeting.class() == 4 { Condition::Temporary } else { Condition::Protocol };
            let (id, what) = match greeting.class() {
                4 | 5 => ("banner_refused", "refuses to talk"),
                _ => ("banner_odd", "greets oddly"),
            };
            self.find(id, run.states.state(condition), format!("{server} {what}: {words}"));
            return;
        }
        // Without a name of the address there is nothing to compare with, and that is said.
        if self.names.as_ref().is_none_or(Vec::is_empty) {
            return;
        }
        let name = greeting.host_name().and_then(|word| word.parse::<DomainName>().ok());
        let name = name.filter(|name| name.as_str().contains('.'));
        if greeting.masked {
            let text = format!("{server} hides its name, a firewall's work: {words}");
            self.find("banner_masked", State::Warning, text);
        } else if let Some(name) = name {
            if !self.is_named(name.as_str()) {
                let text = format!(
                    "{server} says in its banner that it is {}, but its address is named {}",
                    quote(name.as_str()),
                    self.quoted_names()
                );
                self.find("banner_name", State::Warning, text);
            }
        } else {
            let text = format!("{server} does not say its name in its banner: {words}");
            self.find("banner_nameless", State::Warning, text);
        }
    }

    /// The name in HELO must be a name of the address and lead to it.
    pub(crate) fn judge_helo(&mut self, helo: &DomainName, answers: &Answers<'_>) {
        let address = self.seen.address;
        if self.names.as_ref().is_some_and(|names| !names.is_empty()) && !self.is_named(helo.as_str()) {
            let text =
                format!("HELO {helo} is not the name of {}, that is {}", self.subject(), self.shown_names());
            self.find("helo_name", State::Warning, text);
        }
        let forward = answers.about(helo.as_str(), kind_of(address));
        // Where it leads nowhere at all that is said once, for all addresses.
        if forward.is_answered() && !forward.addresses().contains(&address) && !leads_nowhere(helo, answers) {
            let text =
                format!("HELO {helo} does not lead to {}, it {}", self.subject(), leads(&forward, address));
            self.find("helo_address", State::Warning, text);
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.iter().flatten().any(|one| one.text == name)
    }
}

fn of_both_families<'a>(helo: &DomainName, answers: &Answers<'a>) -> [Agreed<'a>; 2] {
    [Kind::A, Kind::Aaaa].map(|kind| answers.about(helo.as_str(), kind))
}

fn leads_nowhere(helo: &DomainName, answers: &Answers<'_>) -> bool {
    let both = of_both_families(helo, answers);
    both.iter().all(Agreed::is_answered) && both.iter().all(|one| one.addresses().is_empty())
}

/// What holds of the name in HELO whatever the address: it has to resolve.
pub(crate) fn judge_helo_itself(helo: &DomainName, answers: &Answers<'_>, run: &Run, report: &mut Report) {
    let both = of_both_families(helo, answers);
    if leads_nowhere(helo, answers) {
        let is_no_name = both.iter().any(Agreed::is_no_name);
        let what = if is_no_name { "does not exist (NXDOMAIN)" } else { "has no address (NODATA)" };
        let text = format!("HELO {helo} {what}");
        report.add(Finding::new("helo_unresolved", State::Critical, text).with_hint(REFUSED_HELO));
    }
    if let Some(silent) = both.iter().find(|one| !one.is_answered()) {
        let text = format!("cannot look up the addresses of HELO {helo}: {}", silent.silence());
        report.find("helo_unknown", run.states.state(silent.absence()), text);
    }
}
