//! What an evaluation says: findings, metrics, context.

use std::borrow::Cow;

use super::number::format_number;
use super::perfdata::{Metric, Perfdata};
use super::range::Thresholds;
use super::state::State;

/// One judged fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable identifier for machines, snake case (`auth_rejected`).
    pub id: Cow<'static, str>,
    /// Its state.
    pub state: State,
    /// One sentence: object, value, threshold, the server's own words.
    pub text: String,
    /// What to do about it, shown as a `hint: ...` line.
    pub hint: Option<String>,
    /// Worth a line, but never the one that sums the check up.
    pub is_note: bool,
}

impl Finding {
    /// A finding without a hint.
    pub fn new(id: impl Into<Cow<'static, str>>, state: State, text: impl Into<String>) -> Self {
        Self { id: id.into(), state, text: text.into(), hint: None, is_note: false }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A line of background that is shown from a verbosity on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// 1 to 3: shown with `-v`, `-vv`, `-vvv`.
    pub level: u8,
    /// The line.
    pub text: String,
}

/// The result of one check: its state is the worst of its findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    findings: Vec<Finding>,
    metrics: Vec<Perfdata>,
    context: Vec<Context>,
}

impl Report {
    /// A report with nothing in it, whose state is therefore UNKNOWN.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a judged fact.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds a fact with an id, a state and a sentence.
    pub fn find(&mut self, id: &'static str, state: State, text: impl Into<String>) {
        self.add(Finding::new(id, state, text));
    }

    /// Adds something worth knowing that is no reason to alarm.
    pub fn note(&mut self, id: &'static str, text: impl Into<String>) {
        self.add(Finding { is_note: true, ..Finding::new(id, State::Ok, text) });
    }

    /// Puts all that is well into one sentence about the subject, in the order it was found, for
    /// checks of many things at once. Notes stay what they are.
    pub fn join_ok(&mut self, id: &'static str, subject: &str) {
        let is_well = |finding: &Finding| finding.state == State::Ok && !finding.is_note;
        let well: Vec<String> =
            self.findings.iter().filter(|one| is_well(one)).map(|one| one.text.clone()).collect();
        if !well.is_empty() {
            self.findings.retain(|one| !is_well(one));
            self.find(id, State::Ok, format!("{subject}: {}", well.join("; ")));
        }
    }

    /// Adds a measured value; outside its thresholds it becomes a finding as well.
    ///
    /// `None` is a value that could not be measured. A value that is not finite is an
    /// error of ours and makes the result at least UNKNOWN.
    pub fn measure(&mut self, metric: &Metric, value: Option<f64>, thresholds: Thresholds) {
        let perfdata = Perfdata::new(metric, value, thresholds);
        if value.is_some() && perfdata.value.is_none() {
            self.find("not_finite", State::Unknown, format!("{} is not a finite number", metric.label));
        }
        if let Some(value) = perfdata.value {
            let state = thresholds.judge(value);
            if let Some(range) = thresholds.deciding(value) {
                let relation = if range.upper_limit().is_some() { "above" } else { "against" };
                let text = format!(
                    "{} is {}{}, {relation} {} {}",
                    metric.label,
                    format_number(value),
                    metric.uom.suffix(),
                    state.name().to_lowercase(),
                    range.upper_limit().map_or_else(|| range.to_string(), format_number),
                );
                self.add(Finding::new(metric.label, state, text));
            }
        }
        self.metrics.push(perfdata);
    }

    /// The same, but ahead of the values measured so far.
    pub fn measure_first(&mut self, metric: &Metric, value: Option<f64>, thresholds: Thresholds) {
        self.measure(metric, value, thresholds);
        self.metrics.rotate_right(1);
    }

    /// Adds a value without thresholds.
    pub fn record(&mut self, metric: &Metric, value: Option<f64>) {
        self.measure(metric, value, Thresholds::default());
    }

    /// Adds how many there are of something.
    pub fn record_count(&mut self, metric: &Metric, number: Option<usize>) {
        // 32 bits are exact as a double, and more than anything of ours has.
        self.record(metric, number.map(|number| u32::try_from(number).map_or(f64::INFINITY, f64::from)));
    }

    /// Adds a line of background, shown from `level` times `-v` on.
    pub fn context(&mut self, level: u8, text: impl Into<String>) {
        self.context.push(Context { level, text: text.into() });
    }

    /// The worst state of all findings; UNKNOWN when there is none.
    #[must_use]
    pub fn state(&self) -> State {
        State::worst(self.findings.iter().map(|finding| finding.state))
    }

    /// The findings, worst first, notes last, otherwise in the order they were made.
    #[must_use]
    pub fn findings(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| (std::cmp::Reverse(finding.state), finding.is_note));
        sorted
    }

    /// The measured values, in the order they were made.
    #[must_use]
    pub fn metrics(&self) -> &[Perfdata] {
        &self.metrics
    }

    /// Adds a value whose label is made from an object's name, already judged.
    pub fn push(&mut self, perfdata: Perfdata) {
        self.metrics.push(perfdata);
    }

    /// The background lines for a verbosity.
    pub fn context_lines(&self, verbosity: u8) -> impl Iterator<Item = &str> {
        self.context.iter().filter(move |line| line.level <= verbosity).map(|line| line.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_becomes_one_sentence() {
        let mut report = Report::new();
        report.join_ok("all", "example.org");
        assert_eq!(report, Report::new(), "nothing is not well");
        report.find("a", State::Ok, "one");
        report.note("n", "by the way");
        report.find("b", State::Warning, "bad");
        report.find("c", State::Ok, "two");
        report.join_ok("all", "example.org");
        let texts: Vec<&str> = report.findings().into_iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["bad", "example.org: one; two", "by the way"]);
        assert_eq!(report.state(), State::Warning);
    }

    const LAG: Metric = Metric::seconds("lag", "how far behind");

    fn limit(text: &str) -> Thresholds {
        Thresholds { warning: None, critical: Some(text.parse().unwrap()) }
    }

    #[test]
    fn unknown_empty_report() {
        assert_eq!(Report::new().state(), State::Unknown);
        let mut only_metrics = Report::new();
        only_metrics.record(&LAG, Some(1.0));
        assert_eq!(only_metrics.state(), State::Unknown, "a number alone says nothing");
    }

    #[test]
    fn critical_value_above_limit_says_value_and_threshold() {
        let mut report = Report::new();
        report.measure(&LAG, Some(12.0), limit("10"));
        assert_eq!(report.state(), State::Critical);
        assert_eq!(report.findings()[0].text, "lag is 12s, above critical 10");
        let mut inside = Report::new();
        inside.measure(&LAG, Some(12.0), limit("@10:20"));
        assert_eq!(inside.findings()[0].text, "lag is 12s, against critical @10:20");
    }

    #[test]
    fn unknown_value_not_finite() {
        let mut report = Report::new();
        report.find("fine", State::Ok, "fine");
        report.measure(&LAG, Some(f64::INFINITY), limit("10"));
        assert_eq!(report.state(), State::Unknown);
        assert_eq!(report.metrics()[0].value, None);
    }

    #[test]
    fn findings_come_worst_first_and_keep_their_order() {
        let mut report = Report::new();
        for (id, state) in
            [("a", State::Ok), ("b", State::Warning), ("c", State::Critical), ("d", State::Warning)]
        {
            report.find(id, state, id);
        }
        let order: Vec<&str> = report.findings().iter().map(|f| f.text.as_str()).collect();
        assert_eq!(order, ["c", "b", "d", "a"]);
    }
}
