//! What of a policy counts at a time. What it allows until the end of a year counts as allowed before that year, ends
//! soon in it, and is forbidden after it.

use super::{Class, End, Lists, Policy, Texts};

/// When a policy is to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In a year, as the policy says.
    Year(i64),
    /// As if all that is upcoming were there: newer texts count, and what is allowed for a time only has ended.
    Upcoming,
    /// As what may have to be shown, whatever the year.
    Watchful { upcoming: bool },
}

impl Policy {
    /// The policy with what counts at a time; what is left of its ends are those of that year.
    pub(crate) fn in_force(&self, moment: Moment) -> Self {
        let mut policy = self.clone();
        let is_upcoming = matches!(moment, Moment::Upcoming | Moment::Watchful { upcoming: true });
        for rule in policy.rules.to_mut() {
            if is_upcoming {
                rule.class = rule.upcoming.unwrap_or(rule.class);
            }
            let Some(until) = rule.until else { continue };
            // A version shows by itself; all its suites are not worth a look.
            if !moment.is_after(until) || (moment.is_watchful() && rule.kind.is_version()) {
                rule.class = Class::Note;
            }
            rule.until = rule.until.filter(|until| moment.is_in(*until));
        }
        for end in self.ends.iter().filter(|end| moment.is_after(end.until)) {
            policy.deny(end);
        }
        policy.ends.to_mut().retain(|end| moment.is_in(end.until));
        policy
    }

    /// Whether a time makes a difference to it.
    pub(crate) fn has_upcoming(&self) -> bool {
        let is_upcoming = self.rules.iter().any(|rule| rule.upcoming.is_some() || rule.until.is_some());
        is_upcoming || !self.ends.is_empty()
    }

    fn deny(&mut self, end: &End) {
        let deny = |lists: &mut Lists, more: &Texts| lists.deny.to_mut().extend(more.iter().cloned());
        deny(&mut self.suites, &end.suites);
        deny(&mut self.groups, &end.groups);
        deny(&mut self.certificate.keys, &end.keys);
        deny(&mut self.certificate.chain_signatures, &end.signatures);
    }
}

impl Moment {
    /// At a time (Unix).
    pub(crate) fn at(now: i64, upcoming: bool) -> Self {
        if upcoming { Self::Upcoming } else { Self::Year(year_of(now)) }
    }

    fn is_after(self, until: u16) -> bool {
        match self {
            Self::Year(year) => year > i64::from(until),
            Self::Upcoming | Self::Watchful { .. } => true,
        }
    }

    fn is_in(self, until: u16) -> bool {
        self == Self::Year(i64::from(until))
    }

    const fn is_watchful(self) -> bool {
        matches!(self, Self::Watchful { .. })
    }
}

/// The year of a time (Unix), in UTC, by the Gregorian calendar.
fn year_of(now: i64) -> i64 {
    // Days since the first of March of the year 0, so that a leap day ends a year.
    let days = now.div_euclid(86_400).saturating_add(719_468);
    let era = days.div_euclid(DAYS_OF_ERA);
    let day = days.rem_euclid(DAYS_OF_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // January and February belong to the year after the one that began in March.
    era * 400 + year + i64::from(day_of_year >= 306)
}

/// Of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;

#[cfg(test)]
mod tests {
    use super::year_of;

    #[test]
    fn years() {
        for (time, expected) in [
            (0, 1970),
            (-1, 1969),
            (951_782_399, 2000),
            (951_868_800, 2000),
            (1_798_761_599, 2026),
            (1_798_761_600, 2027),
            (1_709_164_800, 2024),
            (1_735_689_599, 2024),
            (1_735_689_600, 2025),
            (4_102_444_799, 2099),
            (4_102_444_800, 2100),
            (4_133_980_800, 2101),
        ] {
            assert_eq!(year_of(time), expected, "{time}");
        }
        // Each of 400 years has its first and its last second.
        let mut begin = 0;
        for year in 1970..2370 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let end = begin + 86_400 * if is_leap { 366 } else { 365 };
            assert_eq!((year_of(begin), year_of(end - 1)), (year, year));
            begin = end;
        }
    }
}
