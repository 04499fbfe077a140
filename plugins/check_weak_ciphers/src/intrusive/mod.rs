//! Faults in the server's code that only show when they are tried: with `--intrusive` and not otherwise.
//!
//! What is sent is malformed or out of place, as little as proves the fault. Each is tried in the newest version up to
//! TLS 1.2, with a suite that the scan saw taken; TLS 1.3 has none of these faults. A fault counts when it was shown,
//! its absence when the server did what a sound one does. Everything else leaves it open.

mod client;
mod early_ccs;
#[doc(hidden)]
pub mod fuzz;
mod heartbleed;
mod keys;
mod power;
mod renegotiation;
mod robot;
mod rsa;

use common::net::TimedStream;
use common::net::tls::RsaKey;
use serde::{Deserialize, Serialize};

use client::{GROUPS, Handshake, Wire};
use early_ccs::Early;
use keys::Spec;
use renegotiation::Again;
use robot::Reaction;
use rsa::{Padding, PublicKey};

use crate::policy::FindingKind;
use crate::scan::connection::{Flight, Outcome};
use crate::scan::gate::Pass;
use crate::scan::{Found, Probe, Proof, Scanner, Survey};
use crate::suites::{KeyExchange, SUITES as ALL_SUITES, Suite};
use crate::version::Version;
use crate::wire::hello::{ClientHello, Manners};

/// What trying them showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenIntrusive {
    pub(crate) findings: Vec<Finding>,
    /// Whether clients that keep RFC 5746 may renegotiate; `None` where that was not tried.
    pub(crate) client_renegotiation: Option<bool>,
}

/// One of them, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    #[serde(rename = "test")]
    pub(crate) suspect: Suspect,
    #[serde(rename = "result")]
    pub(crate) verdict: Verdict,
    /// What it was found by, or why it could not be.
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Vulnerable,
    Safe,
    Unknown,
}

/// What is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Suspect {
    Heartbleed,
    CcsInjection,
    InsecureRenegotiation,
    Robot,
}

impl Suspect {
    const ALL: [Self; 4] = [Self::Heartbleed, Self::CcsInjection, Self::InsecureRenegotiation, Self::Robot];

    /// The finding when it proves true.
    pub(crate) const fn kind(self) -> FindingKind {
        match self {
            Self::Heartbleed => FindingKind::Heartbleed,
            Self::CcsInjection => FindingKind::CcsInjection,
            Self::InsecureRenegotiation => FindingKind::InsecureRenegotiation,
            Self::Robot => FindingKind::Robot,
        }
    }

    fn safe(self, text: &str) -> Finding {
        Finding { suspect: self, verdict: Verdict::Safe, text: text.to_owned() }
    }

    const fn vulnerable(self, text: String) -> Finding {
        Finding { suspect: self, verdict: Verdict::Vulnerable, text }
    }

    const fn unknown(self, text: String) -> Finding {
        Finding { suspect: self, verdict: Verdict::Unknown, text }
    }
}

/// Tries all of them, one after the other. `words` says in words what kept us from it. `None` where nothing speaks TLS.
pub(crate) fn examine(
    scanner: &Scanner<'_>,
    survey: &Survey,
    words: &dyn Fn(&Outcome) -> String,
) -> Option<SeenIntrusive> {
    let Survey::Seen { ssl2, versions, .. } = survey else { return None };
    let offered = || versions.iter().filter(|found| !found.picks.is_empty());
    let mut usable: Vec<&Found> =
        offered().filter(|found| (Version::Tls10..=Version::Tls12).contains(&found.version)).collect();
    usable.sort_by_key(|found| std::cmp::Reverse(found.version));
    if let Some(newest) = usable.first() {
        let examiner = Examiner { scanner, words, usable: &usable, newest };
        return Some(examiner.examine());
    }
    let is_old = matches!(ssl2, Ok(Some(_))) || offered().any(|found| found.version == Version::Ssl3);
    let finding: fn(Suspect) -> Finding = match (is_old, offered().next()) {
        (true, _) => |suspect| suspect.unknown("nothing newer than SSLv3 is spoken up to TLS1.2".to_owned()),
        (false, Some(_)) => |suspect| suspect.safe("no version below TLS1.3 is spoken"),
        (false, None) => return None,
    };
    Some(SeenIntrusive { findings: Suspect::ALL.map(finding).to_vec(), client_renegotiation: None })
}

/// Tries at one port.
struct Examiner<'a> {
    scanner: &'a Scanner<'a>,
    words: &'a dyn Fn(&Outcome) -> String,
    /// Versions from TLS 1.0 to 1.2 that are spoken, newest first.
    usable: &'a [&'a Found],
    newest: &'a Found,
}

/// A version and a suite that the server takes in it.
#[derive(Clone, Copy, Debug)]
struct Common {
    version: Version,
    suite: u16,
}

/// Suites in one hello at most: some servers read 64.
const SHORT: usize = 60;

/// Of a client from before RFC 5746.
const OLD: Manners<'_> = Manners { renegotiation: None, extended_master_secret: false, heartbeat: false };
/// Of one that keeps it.
const CAREFUL: Manners<'_> = Manners { renegotiation: Some(&[]), ..OLD };

/// No handshake can be completed that needs keys.
const NO_SUITE: &str = "no suite is spoken with which a handshake could be completed here (AES or ChaCha20, with RSA, DHE \
    or ECDHE)";

/// With what a handshake can be completed, if it can.
type Completable = Option<(Common, Spec)>;

/// Leave to connect, and what came of it.
type Begun<'a> = (Pass<'a>, Handshake<TimedStream>);

impl<'a> Examiner<'a> {
    fn examine(&self) -> SeenIntrusive {
        let completable = self.completable();
        let keyed = completable.as_ref().ok().copied().flatten();
        let heartbleed = self.settle(Suspect::Heartbleed, self.heartbleed(keyed));
        let ccs = self.settle(Suspect::CcsInjection, self.early_ccs(keyed));
        let (renegotiation, client_renegotiation) = match completable {
            Ok(Some((common, spec))) => self.renegotiations(common, spec),
            Ok(None) => (Suspect::InsecureRenegotiation.unknown(NO_SUITE.to_owned()), None),
            Err(outcome) => (self.settle(Suspect::InsecureRenegotiation, Err(outcome)), None),
        };
        let robot = self.settle(Suspect::Robot, self.robot());
        SeenIntrusive { findings: vec![heartbleed, ccs, renegotiation, robot], client_renegotiation }
    }

    fn settle(&self, suspect: Suspect, tried: Result<Finding, Outcome>) -> Finding {
        tried.unwrap_or_else(|outcome| suspect.unknown((self.words)(&outcome)))
    }

    /// A suite with which a handshake can be completed here, in the newest version that has one.
    fn completable(&self) -> Result<Option<(Common, Spec)>, Outcome> {
        for found in self.usable {
            let version = found.version;
            let codes: Vec<u16> = Spec::suites(version).collect();
            let is_ours = |flight: &&Flight| {
                codes.contains(&flight.hello.suite)
                    && flight.group().is_none_or(|group| GROUPS.contains(&group))
            };
            let suite = match found.picks.iter().find(is_ours) {
                Some(flight) => Some(flight.hello.suite),
                None => self.taken(version, &codes)?,
            };
            let spec = suite.and_then(|suite| Some((suite, Spec::of(version, suite)?)));
            if let Some((suite, spec)) = spec {
                return Ok(Some((Common { version, suite }, spec)));
            }
        }
        Ok(None)
    }

    /// One of these suites that the server takes.
    fn taken(&self, version: Version, suites: &[u16]) -> Result<Option<u16>, Outcome> {
        for part in suites.chunks(SHORT) {
            let probe = Probe {
                version,
                suites: part.to_vec(),
                groups: GROUPS.to_vec(),
                signatures: Vec::new(),
                shares: false,
            };
            match self.scanner.prove(&probe) {
                Proof::Takes(flight) => return Ok(Some(flight.hello.suite)),
                Proof::TakesNone(_) => {}
                Proof::Nothing(outcome) => return Err(outcome),
            }
        }
        Ok(None)
    }

    /// What the scan saw first in the newest version.
    fn seen_common(&self) -> Result<Common, Outcome> {
        let flight = self.newest.picks.first().ok_or(Outcome::Silent)?;
        Ok(Common { version: self.newest.version, suite: flight.hello.suite })
    }

    /// A handshake up to ServerHelloDone.
    fn begin(&self, common: Common, manners: Manners<'_>) -> Result<Begun<'a>, Outcome> {
        let mut tries = 1;
        loop {
            match self.attempt(common, manners) {
                Err(outcome) if self.scanner.is_worth_a_try(&outcome, tries) => tries += 1,
                other => return other,
            }
        }
    }

    fn attempt(&self, common: Common, manners: Manners<'_>) -> Result<Begun<'a>, Outcome> {
        let suites = [common.suite];
        let hello = self.hello(common.version, &suites);
        let random = random();
        let (pass, stream) = self.scanner.open(&hello.record_with(&random, manners))?;
        let wire = Wire::new(stream, common.version.code());
        let begun = Handshake::begin(wire, &hello.message(&random, manners), random)?;
        let picked = (begun.server.hello.version, begun.server.hello.suite);
        if picked != (common.version.code(), common.suite) {
            return Err(Outcome::Violation("a suite or version that was not offered"));
        }
        Ok((pass, begun))
    }

    const fn hello<'b>(&self, version: Version, suites: &'b [u16]) -> ClientHello<'b>
    where
        'a: 'b,
    {
        ClientHello {
            version,
            suites,
            groups: &GROUPS,
            server_name: self.scanner.server_name(),
            compression: false,
            shares: &[],
            signatures: None,
            padded_to: 0,
        }
    }

    fn heartbleed(&self, completable: Completable) -> Result<Finding, Outcome> {
        let suspect = Suspect::Heartbleed;
        let common = completable.map_or_else(|| self.seen_common(), |(common, _)| Ok(common))?;
        let manners = Manners { heartbeat: true, ..CAREFUL };
        let (pass, handshake) = self.begin(common, manners)?;
        if !handshake.server.hello.heartbeat {
            return Ok(suspect.safe("the server has no heartbeats (RFC 6520)"));
        }
        let Some((_, spec)) = completable else { return Ok(suspect.unknown(NO_SUITE.to_owned())) };
        let finding = heartbleed::heartbleed(handshake.complete(spec)?, heartbleed::PAUSE)?;
        if finding.verdict == Verdict::Vulnerable {
            return Ok(finding);
        }
        // One end of a connection may have come by chance.
        drop(pass);
        let (_pass, handshake) = self.begin(common, manners)?;
        heartbleed::heartbleed(handshake.complete(spec)?, heartbleed::PAUSE)
    }

    fn early_ccs(&self, completable: Completable) -> Result<Finding, Outcome> {
        let common = completable.map_or_else(|| self.seen_common(), |(common, _)| Ok(common))?;
        if let Some((_, spec)) = completable {
            let (_pass, handshake) = self.begin(common, CAREFUL)?;
            match early_ccs::inject(handshake, spec)? {
                Early::Settled(finding) => return Ok(finding),
                Early::Unclear => {}
            }
        }
        let (_pass, handshake) = self.begin(common, CAREFUL)?;
        early_ccs::refuses(handshake)
    }

    /// Of a client that knows nothing of RFC 5746, and of one that does.
    fn renegotiations(&self, common: Common, spec: Spec) -> (Finding, Option<bool>) {
        let suspect = Suspect::InsecureRenegotiation;
        let insecure = self.settle(suspect, self.insecure_renegotiation(common, spec));
        // Where even that is taken nobody asks for more.
        let is_open = insecure.verdict != Verdict::Vulnerable;
        let secure = is_open.then(|| self.secure_renegotiation(common, spec).ok().flatten());
        (insecure, secure.flatten())
    }

    fn insecure_renegotiation(&self, common: Common, spec: Spec) -> Result<Finding, Outcome> {
        let suspect = Suspect::InsecureRenegotiation;
        let mut again = match self.begin(common, OLD) {
            Ok(begun) => self.again(begun, spec)?,
            Err(Outcome::Refused(_)) => {
                // It is for what the hello lacks if another one that has it is answered.
                self.begin(common, CAREFUL)?;
                return Ok(suspect.safe("the server turns clients away that know nothing of RFC 5746"));
            }
            Err(outcome) => return Err(outcome),
        };
        if again == Again::Ended {
            // Once, it may have come by chance.
            again = self.again(self.begin(common, OLD)?, spec)?;
        }
        Ok(match again {
            Again::Accepted => {
                let text = "CVE-2009-3555: a second hello in a connection is answered, of a client that knows nothing of \
                    RFC 5746";
                suspect.vulnerable(text.to_owned())
            }
            Again::Refused(alert) => {
                suspect.safe(&format!("a second hello is refused with alert {}", alert.name()))
            }
            Again::Ended => suspect.safe("a second hello is not answered but the connection ended"),
        })
    }

    /// A second hello of a client that knows nothing of RFC 5746.
    fn again(&self, (_pass, handshake): Begun<'a>, spec: Spec) -> Result<Again, Outcome> {
        let suites = [handshake.server.hello.suite];
        let hello = self.hello(spec.version, &suites).message(&random(), OLD);
        renegotiation::renegotiate(handshake.complete(spec)?, &hello)
    }

    /// Whether a client that keeps RFC 5746 may renegotiate, which is no fault, but costs the server more than the client.
    fn secure_renegotiation(&self, common: Common, spec: Spec) -> Result<Option<bool>, Outcome> {
        let (_pass, handshake) = self.begin(common, CAREFUL)?;
        if !handshake.server.hello.renegotiation_info {
            return Ok(None);
        }
        let session = handshake.complete(spec)?;
        let finished = session.verify.clone();
        let manners = Manners { renegotiation: Some(&finished), ..CAREFUL };
        let again = self.hello(common.version, &[common.suite]).message(&random(), manners);
        Ok(Some(renegotiation::renegotiate(session, &again)? == Again::Accepted))
    }

    fn robot(&self) -> Result<Finding, Outcome> {
        const NO_KEY: Outcome = Outcome::Violation("no RSA key that could be encrypted for");
        let Some(common) = self.with_rsa()? else {
            return Ok(Suspect::Robot.safe("no suite with RSA key exchange is taken"));
        };
        robot::robot(|padding: Padding| -> Result<(Reaction, bool), Outcome> {
            let (_pass, handshake) = self.begin(common, CAREFUL)?;
            let wants_certificate = handshake.server.wants_certificate;
            let leaf = handshake.server.chain.first().ok_or(NO_KEY)?;
            let key = RsaKey::of(leaf).as_ref().and_then(PublicKey::of).ok_or(NO_KEY)?;
            let reaction = robot::react(handshake, &key, padding, common.version)?;
            Ok((reaction, wants_certificate))
        })
    }

    /// A suite in which the client encrypts to the server's key, in the newest version that takes one.
    fn with_rsa(&self) -> Result<Option<Common>, Outcome> {
        let is_rsa = |suite: &Suite| suite.kx == KeyExchange::Rsa && !suite.is_export();
        for found in self.usable {
            let version = found.version;
            let mut seen = found.picks.iter().map(|flight| flight.hello.suite);
            let seen = seen.find(|code| Suite::by_code(*code).is_some_and(is_rsa));
            let suite = match seen {
                Some(suite) => Some(suite),
                None => {
                    let suites = ALL_SUITES.iter().filter(|suite| is_rsa(suite) && suite.is_of(version));
                    self.taken(version, &suites.map(|suite| suite.code).collect::<Vec<_>>())?
                }
            };
            if let Some(suite) = suite {
                return Ok(Some(Common { version, suite }));
            }
        }
        Ok(None)
    }
}

/// Secret from nobody: what is said under these keys is worth nothing.
fn random() -> [u8; 32] {
    let mut random = [0; 32];
    // Without random numbers the scan would not have come this far.
    let _ = getrandom::fill(&mut random);
    random
}

#[cfg(test)]
mod tests;
