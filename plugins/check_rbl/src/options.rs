//! Options of this check alone: whom to check, which lists, and what to make of the answers.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args, ValueEnum};
use common::cli::{BadValue, FamilyArgs, UsageError};
use common::report::{Range, RangeError, Thresholds};

use crate::list::ListSpec;
use crate::target::Target;

/// Whom to check.
#[derive(Args, Clone, Debug)]
pub(crate) struct TargetArgs {
    /// Address, network (192.0.2.0/28), host name or domain to check; repeatable
    #[arg(short = 'H', long, alias = "host", value_name = "TARGET", action = ArgAction::Append,
          required_unless_present = "targets_file")]
    pub(crate) hostname: Vec<Target>,
    /// File with a target a line
    #[arg(long, value_name = "FILE")]
    pub(crate) targets_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) family: FamilyArgs,
    /// Ask about private and reserved addresses, too
    #[arg(long)]
    pub(crate) allow_private: bool,
}

/// Which lists.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Lists")]
pub(crate) struct ListArgs {
    /// Block list instead of the default set, which is called 'default'; repeatable. Settings:
    /// weight=N type=ip4+ip6+domain codes=CODE:WEIGHT+.. ignore=CODE+.. refuse=CODE+.. mask
    /// test-in=NAME test-out=NAME selftest=off
    #[arg(short = 's', long, value_name = "ZONE[,SETTING]...", action = ArgAction::Append)]
    pub(crate) list: Vec<ListSpec>,
    /// File with such a value a line
    #[arg(long, value_name = "FILE")]
    pub(crate) list_file: Option<PathBuf>,
    /// Allow list besides: being missing there counts like a listing
    #[arg(long, value_name = "ZONE[,SETTING]...", action = ArgAction::Append)]
    pub(crate) allow_list: Vec<AllowSpec>,
    /// Ask the test points of each list (RFC 5782), only those of lists that list the target,
    /// or none
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) self_test: SelfTest,
    /// Ask the name servers of each list instead of a resolver
    #[arg(long, conflicts_with = "quorum")]
    pub(crate) authoritative: bool,
    /// Port of those name servers
    #[arg(short, long, value_name = "PORT", default_value_t = 53, requires = "authoritative",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Ask the lists that list a target for the reason: on or off
    #[arg(long, value_name = "WHEN", value_enum, num_args = 0..=1, require_equals = true,
          default_value_t, default_missing_value = "on")]
    pub(crate) txt: OnOff,
}

/// What to make of the answers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Thresholds")]
pub(crate) struct LimitArgs {
    /// WARNING at this score: a number means so much or more, else a range [default: above 0]
    #[arg(short, long, value_name = "N|RANGE")]
    pub(crate) warning: Option<ScoreLimit>,
    /// CRITICAL at this score [default: 1]
    #[arg(short, long, value_name = "N|RANGE")]
    pub(crate) critical: Option<ScoreLimit>,
    /// UNKNOWN when fewer lists gave an answer to trust: a number, or a share of the weight
    #[arg(long, value_name = "N|N%", default_value = "50%")]
    pub(crate) min_healthy: Share,
    /// WARNING when more lists gave none: a number, or a share of the weight
    #[arg(long, value_name = "N|N%", default_value = "25%")]
    pub(crate) unhealthy_warning: Share,
    /// Resolvers that must agree on a listing or on none [default: the majority]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) quorum: Option<u16>,
    /// Report the time of each list as perfdata
    #[arg(long)]
    pub(crate) perf_lists: bool,
}

/// When test points are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SelfTest {
    /// All lists, with the first questions
    #[default]
    On,
    /// Lists that list a target
    Listed,
    /// No list
    Off,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    #[default]
    On,
    Off,
}

/// A value of `--allow-list`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AllowSpec(pub(crate) ListSpec);

impl FromStr for AllowSpec {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ListSpec::read(text, true).map(Self)
    }
}

/// A limit on the score. A bare whole number alarms from there on, as the tools before this
/// one have it; everything else is a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScoreLimit {
    range: Range,
    /// The bare number.
    from: Option<f64>,
}

impl FromStr for ScoreLimit {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<f64>() {
            Ok(from) if bare => Ok(Self { range: format!("@{text}:").parse()?, from: Some(from) }),
            _ => Ok(Self { range: text.parse()?, from: None }),
        }
    }
}

/// A number, or a part of the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Share {
    Number(f64),
    Percent(f64),
}

impl Share {
    /// What it comes to: `count` things that weigh `weight` together.
    pub(crate) fn of(self, weight: f64) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => weight * percent / 100.0,
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, percent) = match text.strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let plain =
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || (percent && b == b'.'));
        match digits.parse::<f64>() {
            Ok(share) if plain && percent && share <= 100.0 => Ok(Self::Percent(share)),
            Ok(number) if plain && !percent && number <= 1e6 => Ok(Self::Number(number)),
            _ => Err("want a number of lists or a share such as 25%".to_owned()),
        }
    }
}

impl ListArgs {
    /// Whether the operator named no list.
    pub(crate) const fn are_default(&self) -> bool {
        self.list.is_empty() && self.list_file.is_none()
    }
}

impl LimitArgs {
    /// The limits on the score. One that was not given and contradicts the other falls away.
    pub(crate) fn thresholds(&self) -> Thresholds {
        let above_zero = Range::outside(0.0, 0.0);
        let critical = match (self.critical, self.warning) {
            (Some(given), _) => Some(given.range),
            (None, Some(ScoreLimit { from: Some(warning), .. })) if warning > 1.0 => None,
            (None, _) => "@1:".parse().ok(),
        };
        let warning = self.warning.map_or(above_zero, |given| given.range);
        Thresholds { warning: Some(warning), critical }
    }

    pub(crate) fn check(&self, resolvers: usize) -> Result<(), UsageError> {
        let from = |limit: Option<ScoreLimit>| limit.and_then(|limit| limit.from);
        if let (Some(warning), Some(critical)) = (from(self.warning), from(self.critical))
            && warning > critical
        {
            return Err(UsageError::new("--warning", format!("{warning} is above --critical {critical}")));
        }
        match self.quorum {
            Some(quorum) if usize::from(quorum) > resolvers => {
                let text = format!("{quorum} is more than the resolvers asked, {resolvers}");
                Err(UsageError::new("--quorum", text).with_hint("--resolver IP, once for each"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::State;

    fn limits(warning: Option<&str>, critical: Option<&str>) -> LimitArgs {
        LimitArgs {
            warning: warning.map(|text| text.parse().unwrap()),
            critical: critical.map(|text| text.parse().unwrap()),
            min_healthy: Share::Percent(50.0),
            unhealthy_warning: Share::Percent(25.0),
            quorum: None,
            perf_lists: false,
        }
    }

    fn states(warning: Option<&str>, critical: Option<&str>) -> Vec<State> {
        let thresholds = limits(warning, critical).thresholds();
        [0.0, 0.5, 1.0, 3.0, 5.0].iter().map(|score| thresholds.judge(*score)).collect()
    }

    #[test]
    fn a_bare_number_alarms_from_there_on() {
        use State::{Critical, Ok, Warning};
        assert_eq!(states(None, None), [Ok, Warning, Critical, Critical, Critical]);
        assert_eq!(states(Some("1"), Some("1")), [Ok, Ok, Critical, Critical, Critical]);
        assert_eq!(states(Some("1"), Some("3")), [Ok, Ok, Warning, Critical, Critical]);
        assert_eq!(states(None, Some("5")), [Ok, Warning, Warning, Warning, Critical]);
        assert_eq!(states(Some("3"), None), [Ok, Ok, Ok, Warning, Warning], "the default of 1 falls away");
        assert_eq!(states(Some("1"), None), [Ok, Ok, Critical, Critical, Critical]);
        assert_eq!(states(Some("0:3"), Some("0:4")), [Ok, Ok, Ok, Ok, Critical], "a range is a range");
        assert_eq!(states(Some("max:0"), Some("inside:2:4")), [Ok, Warning, Warning, Critical, Warning]);
    }

    #[test]
    fn limits_that_contradict_are_refused() {
        assert!(limits(Some("3"), Some("1")).check(1).is_err());
        assert!(limits(Some("1"), Some("1")).check(1).is_ok());
        assert!(LimitArgs { quorum: Some(2), ..limits(None, None) }.check(1).is_err());
        for bad in ["", "-1", "1e3", "x", "5:2"] {
            assert!(bad.parse::<ScoreLimit>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shares_are_numbers_or_parts() {
        assert_eq!("25%".parse(), Ok(Share::Percent(25.0)));
        assert!((Share::Percent(25.0).of(12.0) - 3.0).abs() < 1e-9);
        assert_eq!("3".parse(), Ok(Share::Number(3.0)));
        for bad in ["", "%", "-1", "1.5", "101%", "nan", "1e3%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad:?}");
        }
    }
}
