//! One DMARC record (RFC 9989 sections 4.7 and 4.8).

use std::collections::BTreeSet;
use std::fmt;

use common::proto::dns::DomainName;
use common::report::{State, quote, some};

use crate::lookup::Fault;
use crate::place::{Place, PlaceError};
use crate::tags::{BLANKS, Flaw, Tags, colon_list};

/// A record, read as receivers read it: what is wrong in it is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DmarcRecord {
    pub(crate) p: Setting,
    pub(crate) sp: Setting,
    pub(crate) np: Setting,
    pub(crate) psd: Psd,
    /// t=y
    pub(crate) is_test: bool,
    /// Share of mail that receivers of the older RFC 7489 apply the policy to, per cent.
    pub(crate) share: Option<u8>,
    /// Where aggregate reports go.
    pub(crate) rua: Uris,
    /// Where reports on single messages go.
    pub(crate) ruf: Uris,
    pub(crate) faults: Vec<Fault>,
    /// What is odd but harms nobody.
    pub(crate) notes: Vec<String>,
}

/// What is asked of receivers, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    None,
    Quarantine,
    Reject,
}

/// What a tag says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Setting {
    #[default]
    Absent,
    /// A word that is no policy.
    Invalid(String),
    Is(Policy),
}

/// Whether the domain is one below which others register theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Psd {
    Yes,
    No,
    #[default]
    Unsaid,
}

/// The URIs of one tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uris {
    /// The tag is there.
    pub(crate) is_there: bool,
    /// At least one is a URI.
    pub(crate) has_valid: bool,
    /// The domains of the mailboxes, each once.
    pub(crate) hosts: Vec<DomainName>,
}

/// Whose mail a record is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The domain that has it.
    Own,
    /// A name below that exists.
    Below,
    /// A name below that does not exist.
    Nobodys,
}

const KNOWN: [&str; 14] =
    ["v", "p", "sp", "np", "psd", "t", "rua", "ruf", "fo", "adkim", "aspf", "pct", "rf", "ri"];

/// URIs that one sentence shows.
const SHOWN: usize = 3;

impl DmarcRecord {
    /// Reads a text that begins with the version.
    pub(crate) fn parse(text: &str) -> Self {
        let tags = Tags::parse(text);
        let mut record = Self {
            p: Setting::of(&tags, "p"),
            sp: Setting::of(&tags, "sp"),
            np: Setting::of(&tags, "np"),
            ..Self::default()
        };
        record.judge_flaws(&tags);
        record.read_switches(&tags);
        record.rua = record.read_uris(&tags, "rua");
        record.ruf = record.read_uris(&tags, "ruf");
        record.read_old(&tags);
        if let Some(names) = tags.unknown(&KNOWN) {
            record.notes.push(format!("receivers ignore {names} (RFC 9989 section 4.7)"));
        }
        record
    }

    /// The policy for mail, and the tag it stands in. `None` where DMARC does not apply at all;
    /// what lacks a valid policy but wants reports counts as none (RFC 9989 section 4.10.1).
    pub(crate) fn policy(&self, whose: Whose) -> Option<(&'static str, Policy)> {
        let all = [("np", &self.np), ("sp", &self.sp), ("p", &self.p)];
        let is_broken = all.iter().any(|(_, setting)| matches!(setting, Setting::Invalid(_)));
        if is_broken || self.p == Setting::Absent {
            return self.rua.has_valid.then_some(("p", Policy::None));
        }
        let first = match whose {
            Whose::Own => 2,
            Whose::Below => 1,
            Whose::Nobodys => 0,
        };
        all.into_iter().skip(first).find_map(|(tag, setting)| match setting {
            Setting::Is(policy) => Some((tag, *policy)),
            _ => None,
        })
    }

    fn fault(&mut self, state: State, text: String) {
        self.faults.push(Fault { id: "dmarc_syntax", state, text });
    }

    fn judge_flaws(&mut self, tags: &Tags<'_>) {
        for flaw in tags.flaws() {
            match flaw {
                Flaw::Twice(_) => {
                    let text =
                        format!("has {flaw}, which makes the list of tags invalid (RFC 6376 section 3.2)");
                    self.fault(State::Critical, text);
                }
                flaw => self.fault(State::Warning, format!("has {flaw} (RFC 9989 section 4.8)")),
            }
        }
    }

    fn read_switches(&mut self, tags: &Tags<'_>) {
        self.is_test = self.read_word(tags, "t", &["n", "y"]) == Some("y");
        self.psd = match self.read_word(tags, "psd", &["u", "y", "n"]) {
            Some("y") => Psd::Yes,
            Some("n") => Psd::No,
            _ => Psd::Unsaid,
        };
        for name in ["adkim", "aspf"] {
            self.read_word(tags, name, &["r", "s"]);
        }
        let options: Vec<&str> = tags.get("fo").map(|value| colon_list(value).collect()).unwrap_or_default();
        let is_known =
            |option: &&str| ["0", "1", "d", "s"].iter().any(|known| option.eq_ignore_ascii_case(known));
        if let Some(bad) = options.iter().find(|option| !is_known(option)) {
            self.fault(
                State::Warning,
                format!("fo= has {}, receivers leave it out (RFC 9989 section 4.8)", quote(bad)),
            );
        }
    }

    /// One of these words, of which the first is the default.
    fn read_word(&mut self, tags: &Tags<'_>, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let value = tags.get(name)?;
        let word = words.iter().find(|word| value.eq_ignore_ascii_case(word)).copied();
        if word.is_none() {
            let default = words.first().copied().unwrap_or_default();
            let text = format!("{name}={} counts as {name}={default} (RFC 9989 section 4.8)", quote(value));
            self.fault(State::Warning, text);
        }
        word
    }

    fn read_uris(&mut self, tags: &Tags<'_>, name: &str) -> Uris {
        let Some(value) = tags.get(name) else { return Uris::default() };
        let mut uris = Uris { is_there: true, ..Uris::default() };
        let [mut sizes, mut schemes, mut bad] = [const { Vec::new() }; 3];
        // A hostile record has thousands.
        let mut known = BTreeSet::new();
        for uri in value.split(',').map(|uri| uri.trim_matches(BLANKS)) {
            let (bare, size) = without_size(uri);
            sizes.extend(size.map(quote));
            let place = Place::parse(bare);
            uris.has_valid |= matches!(place, Ok(_) | Err(PlaceError::Scheme));
            match place {
                Ok(Place::Mailto(host)) => {
                    if known.insert(host.clone()) {
                        uris.hosts.push(host);
                    }
                }
                Ok(Place::Https(_)) | Err(PlaceError::Scheme) => schemes.push(quote(bare)),
                Err(error) => bad.push(format!("{} {error}", quote(bare))),
            }
        }
        if !sizes.is_empty() {
            let sizes = some(&sizes, SHOWN);
            self.notes.push(format!("receivers ignore the size {sizes} in {name}= (RFC 9989 section 4.8)"));
        }
        if !schemes.is_empty() {
            let uris = some(&schemes, SHOWN);
            let text = format!("{name}={uris}: receivers need to know mailto: only (RFC 9989 section 4.7)");
            self.fault(State::Warning, text);
        }
        if !bad.is_empty() {
            self.fault(State::Warning, format!("{name}={} (RFC 9989 section 4.8)", some(&bad, SHOWN)));
        }
        uris
    }

    /// What RFC 7489 had and its successor has not.
    fn read_old(&mut self, tags: &Tags<'_>) {
        self.share = tags.get("pct").and_then(|value| value.parse().ok()).filter(|share| *share < 100);
        if let Some(share) = self.share {
            self.notes.push(format!(
                "pct={share} is gone: receivers of today apply the policy to all mail, older ones to {share} % of it \
                 (RFC 9989 appendix A.6)"
            ));
        }
        let gone: Vec<&str> = ["rf", "ri"].into_iter().filter(|name| tags.get(name).is_some()).collect();
        for name in gone {
            self.notes.push(format!("{name}= is gone (RFC 9989 section 9.3)"));
        }
    }
}

/// A URI and the size that once limited reports: `!10m`.
fn without_size(uri: &str) -> (&str, Option<&str>) {
    let Some((bare, size)) = uri.rsplit_once('!') else { return (uri, None) };
    let digits = size.strip_suffix(|c: char| "kmgtKMGT".contains(c)).unwrap_or(size);
    let is_size = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    if is_size { (bare, Some(size)) } else { (uri, None) }
}

impl Setting {
    fn of(tags: &Tags<'_>, name: &str) -> Self {
        let Some(value) = tags.get(name) else { return Self::Absent };
        let policy = [Policy::None, Policy::Quarantine, Policy::Reject]
            .into_iter()
            .find(|policy| value.eq_ignore_ascii_case(policy.word()));
        policy.map_or_else(|| Self::Invalid(value.to_owned()), Self::Is)
    }

    /// The policy, where there is a valid one.
    pub(crate) const fn policy(&self) -> Option<Policy> {
        match self {
            Self::Is(policy) => Some(*policy),
            Self::Absent | Self::Invalid(_) => None,
        }
    }
}

impl Policy {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// What is applied in its place with t=y.
    pub(crate) const fn tested(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn faults(text: &str) -> Vec<(State, String)> {
        DmarcRecord::parse(text).faults.into_iter().map(|fault| (fault.state, fault.text)).collect()
    }

    #[test]
    fn records_are_read() {
        let record = DmarcRecord::parse(
            "v=DMARC1; p=Reject; sp=quarantine; np=reject; psd=n; t=y; adkim=s; aspf=R; fo=1:d:s; \
             rua=mailto:a@example.org , mailto:b@r.example,mailto:c@example.org; ruf=mailto:d@f.example",
        );
        assert_eq!((&record.faults, &record.notes), (&vec![], &vec![]));
        assert_eq!(record.p, Setting::Is(Policy::Reject));
        assert_eq!((record.psd, record.is_test, record.share), (Psd::No, true, None));
        let hosts = |uris: &Uris| uris.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(hosts(&record.rua), ["example.org", "r.example"]);
        assert_eq!(hosts(&record.ruf), ["f.example"]);
    }

    #[test]
    fn policies_fall_back_as_the_rfc_says() {
        let policies = |text: &str| {
            let record = DmarcRecord::parse(text);
            [Whose::Own, Whose::Below, Whose::Nobodys]
                .map(|whose| record.policy(whose).map(|(tag, policy)| format!("{tag}={policy}")))
                .map(Option::unwrap_or_default)
        };
        assert_eq!(policies("v=DMARC1; p=reject"), ["p=reject", "p=reject", "p=reject"]);
        assert_eq!(policies("v=DMARC1; p=reject; sp=none"), ["p=reject", "sp=none", "sp=none"]);
        assert_eq!(policies("v=DMARC1; p=none; np=reject"), ["p=none", "p=none", "np=reject"]);
        assert_eq!(policies("v=DMARC1"), ["", "", ""]);
        assert_eq!(policies("v=DMARC1; p=reject; sp=rejct"), ["", "", ""]);
        for broken in ["v=DMARC1; rua=mailto:a@b.c", "v=DMARC1; p=reject; np=x; rua=mailto:a@b.c"] {
            assert_eq!(policies(broken), ["p=none", "p=none", "p=none"], "{broken}");
        }
        assert_eq!(policies("v=DMARC1; rua=nobody"), ["", "", ""]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let warning = |text: &str| vec![(State::Warning, text.to_owned())];
        for (text, expected) in [
            ("v=DMARC1; p=none; x", "has \"x\" without \"=\" (RFC 9989 section 4.8)"),
            ("v=DMARC1;; p=none", "has an empty tag (RFC 9989 section 4.8)"),
            ("v=DMARC1; p=none; t=yes", "t=\"yes\" counts as t=n (RFC 9989 section 4.8)"),
            ("v=DMARC1; p=none; psd=x", "psd=\"x\" counts as psd=u (RFC 9989 section 4.8)"),
            ("v=DMARC1; p=none; adkim=strict", "adkim=\"strict\" counts as adkim=r (RFC 9989 section 4.8)"),
            ("v=DMARC1; p=none; aspf=", "aspf=\"\" counts as aspf=r (RFC 9989 section 4.8)"),
            ("v=DMARC1; p=none; fo=1:x", "fo= has \"x\", receivers leave it out (RFC 9989 section 4.8)"),
            (
                "v=DMARC1; p=none; rua=a@b.c",
                "rua=\"a@b.c\" is no URI: it lacks mailto: (RFC 9989 section 4.8)",
            ),
            ("v=DMARC1; p=none; rua=", "rua=\"\" is no URI: it lacks mailto: (RFC 9989 section 4.8)"),
            (
                "v=DMARC1; p=none; ruf=https://r.example/",
                "ruf=\"https://r.example/\": receivers need to know mailto: only (RFC 9989 section 4.7)",
            ),
        ] {
            assert_eq!(faults(text), warning(expected), "{text}");
        }
        let twice = "has p= twice, which makes the list of tags invalid (RFC 6376 section 3.2)";
        assert_eq!(faults("v=DMARC1; p=none; p=none"), [(State::Critical, twice.to_owned())]);
    }

    #[test]
    fn what_is_gone_is_tolerated() {
        let record = DmarcRecord::parse(
            "v=DMARC1; p=reject; pct=50; rf=afrf; ri=86400; x=1; rua=mailto:a@example.org!10m,mailto:b@example.org!5",
        );
        assert_eq!(record.faults, []);
        assert_eq!((record.share, record.rua.hosts.len()), (Some(50), 1));
        assert_eq!(record.notes.len(), 5, "{:?}", record.notes);
        assert_eq!(DmarcRecord::parse("v=DMARC1; p=none; pct=100").notes, [""; 0]);
        assert_eq!(without_size("mailto:a@b!x"), ("mailto:a@b!x", None));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "v=DMARC1;( (p|sp|np|rua|t|psd|pct|fo)=(none|reject|y|mailto:a@b.c|\\PC{0,10});){0,8}") {
            let record = DmarcRecord::parse(&text);
            let applies = record.policy(Whose::Own).is_some();
            prop_assert!(applies || record.p.policy().is_none() || record.sp.policy().is_none() || record.np.policy().is_none());
            prop_assert_eq!(applies, [Whose::Below, Whose::Nobodys].iter().all(|whose| record.policy(*whose).is_some()));
        }
    }
}
