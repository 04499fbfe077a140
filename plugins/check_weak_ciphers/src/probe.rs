//! Looks at every port and takes down what it showed.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::net::tls::ChainJudge;
use common::net::{Deadline, ProbeError, resolve};
use common::proto::names::Host;
use common::proto::text::decode;
use common::report::quote;

use crate::CheckWeakCiphers;
use crate::alerts;
use crate::auto::Look;
use crate::baseline;
use crate::certificate::{Inspector, SeenCertificates};
use crate::groups::{Group, GroupKind};
use crate::intrusive::{self, SeenIntrusive};
use crate::options::{Required, Starttls};
use crate::policy::Policy;
use crate::scan::connection::{Ending, Endpoint, Flight, Outcome};
use crate::scan::gate::Gate;
use crate::scan::starttls::Protocol;
use crate::scan::{Asked, Found, Mode, Rules, Scanner, Survey};
use crate::seen::{Pick, Scan, Seen, SeenPort, SeenTls, SeenVersion, Trouble, TroubleKind};
use crate::suites::{SUITES, Suite, suite_name};
use crate::version::Version;
use common::plugin::Progress;

/// Scans all ports, or those that are found, one after the other: the limit on connections is the host's.
pub(crate) fn probe(
    options: &CheckWeakCiphers,
    judge: Option<&ChainJudge>,
    deadline: &Deadline,
) -> Result<Seen, ProbeError> {
    let baselines = baseline::read(options)?;
    let rules = rules(&options.watchful_policy());
    let host =
        options.target.hostname.as_ref().ok_or_else(|| ProbeError::local("there is no host to check"))?;
    let name = options.target.sni.as_ref().unwrap_or(host);
    let server_name = server_name(name);
    let seed = seed()?;
    let deadline = before_judging(deadline);
    let gate = Gate::new(options.scan.limits());
    let sni = options.target.sni.as_ref();
    let inspector = judge.map(|judge| Inspector::new(judge, sni, host)).transpose()?;
    let asked = Asked {
        mode: options.scan.mode(),
        rules: &rules,
        post_quantum: options.policy.require.contains(&Required::PostQuantum),
        signatures: options.scan.signatures,
    };

    let addresses_of = |port| resolve(host, port, options.target.family.family(), &deadline);
    let endpoint_of = |port, addresses| Endpoint {
        addresses,
        address: OnceLock::new(),
        starttls: options.target.starttls.on(port),
        name: name.lookup_name().trim_end_matches('.').to_owned(),
        patience: options.scan.handshake_timeout.0,
        deadline: deadline.clone(),
    };
    let scan = |port, mut endpoint: Endpoint| {
        let started = Instant::now();
        let is_slow = asked.mode == Mode::Inventory && !options.target.is_of_fleet;
        let progress = Progress::new(options.place(port), is_slow);
        let survey = |endpoint: &Endpoint| {
            let scanner = Scanner::new(endpoint, server_name, &gate, seed, &progress);
            let result = scanner.survey(&asked);
            let words = |outcome: &Outcome| trouble(outcome, endpoint.starttls).text;
            let tried =
                options.scan.intrusive.then(|| intrusive::examine(&scanner, &result, &words)).flatten();
            (result, tried, scanner.connections())
        };
        let (mut result, mut tried, mut connections) = survey(&endpoint);
        if let Some(protocol) = greets_as(&result, &endpoint, options.target.starttls) {
            endpoint.starttls = Some(protocol);
            let again = survey(&endpoint);
            (result, tried, connections) = (again.0, again.1, connections + again.2);
        }
        let inspected = inspector.as_ref().and_then(|one| one.inspect(&result, &endpoint, &gate));
        connections += inspected.as_ref().map_or(0, |one| one.connections);
        let certificates =
            inspected.map(|one| one.taken_down(|outcome| trouble(outcome, endpoint.starttls).text));
        SeenPort {
            port,
            address: endpoint.address.get().map(std::net::SocketAddr::ip),
            starttls: endpoint.starttls,
            connections,
            seconds: started.elapsed().as_secs_f64(),
            scan: taken_down(result, endpoint.starttls, &asked, Beside { certificates, tried }),
            baseline: baselines.get(&port).cloned(),
        }
    };
    if options.target.port.is_auto() {
        let addresses = addresses_of(0)?;
        let look = Look { addresses: &addresses, endpoint: &endpoint_of, server_name, gate: &gate, seed };
        return Ok(look.probe(&scan));
    }
    let ports = options.target.port.0.iter();
    let ports = ports.map(|&port| Ok(scan(port, endpoint_of(port, addresses_of(port)?))));
    Ok(Seen { ports: ports.collect::<Result<_, ProbeError>>()?, auto: None, fleet: Vec::new() })
}

/// What a hello may ask for.
fn server_name(name: &Host) -> Option<&str> {
    match name {
        Host::Name(name) => Some(name.trim_end_matches('.')),
        Host::Address(_) | Host::Scoped(_) => None,
    }
}

fn seed() -> Result<[u8; 32], ProbeError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| ProbeError::local("cannot get random numbers from the system"))?;
    Ok(seed)
}

/// What was seen so far must be judged and printed before the time is up.
pub(crate) fn before_judging(deadline: &Deadline) -> Deadline {
    let reserve = deadline.limit().div_f64(20.0).min(RESERVE);
    deadline.shortened(deadline.limit().saturating_sub(reserve))
}

/// For judging and printing, at most.
const RESERVE: Duration = Duration::from_millis(500);

/// The protocol that a port without a known one showed in its greeting.
fn greets_as(survey: &Survey, endpoint: &Endpoint, starttls: Starttls) -> Option<Protocol> {
    match (survey, starttls, endpoint.starttls) {
        (Survey::NoTls(Outcome::Foreign(greeting)), Starttls::Auto, None) => Protocol::of_greeting(greeting),
        _ => None,
    }
}

/// What is allowed and what is suspect in each version that has suites of two bytes.
fn rules(policy: &Policy) -> Vec<Rules> {
    let code = |group: &Group| group.code;
    Version::ALL
        .into_iter()
        .filter(|version| *version > Version::Ssl2)
        .map(|version| {
            let of_version = SUITES.iter().filter(|suite| suite.is_of(version));
            let (forbidden, mut allowed): (Vec<&Suite>, Vec<&Suite>) =
                of_version.partition(|suite| policy.forbids(version, suite));
            // In front, so that a server that follows the client's order shows its prime at once.
            allowed.sort_by_key(|suite| !suite.is_ffdhe());
            // A prime that is too short hides behind any better suite.
            let suspects = forbidden.iter().chain(allowed.iter().filter(|suite| suite.is_ffdhe()));
            Rules {
                version,
                suspects: suspects.map(|suite| suite.code).collect(),
                allowed: allowed.iter().map(|suite| suite.code).collect(),
                groups: named_groups(version).filter(|group| policy.forbids_group(group)).map(code).collect(),
                required: policy
                    .require
                    .iter()
                    .map(|one| named_groups(version).filter(|group| Policy::is_required(one, group)))
                    .map(|groups| groups.map(code).collect())
                    .collect(),
            }
        })
        .collect()
}

/// Groups that a server of a version shows when they are asked for. Prime fields have names in hellos of TLS 1.3 only:
/// in others their offer makes a server hide the prime that it has for all clients (RFC 7919 section 4).
fn named_groups(version: Version) -> impl Iterator<Item = &'static Group> {
    let is_shown = move |group: &&Group| group.kind != GroupKind::Ffdhe || version == Version::Tls13;
    let has_groups = version > Version::Ssl3;
    Group::usable_in(version).filter(move |_| has_groups).filter(is_shown)
}

/// What is seen of a server beside the scan.
struct Beside {
    certificates: Option<SeenCertificates>,
    tried: Option<SeenIntrusive>,
}

fn taken_down(survey: Survey, starttls: Option<Protocol>, asked: &Asked<'_>, beside: Beside) -> Scan {
    match survey {
        Survey::NoTls(outcome) => Scan::NoTls(trouble(&outcome, starttls)),
        Survey::Seen { ssl2, versions, intolerant, ends, fallback_scsv, asked_post_quantum, .. } => {
            let versions: Vec<SeenVersion> =
                versions.iter().map(|found| seen_version(found, starttls, asked.rules)).collect();
            let is_known = asked.mode == Mode::Inventory || asked_post_quantum;
            let ssl2_incomplete = ssl2.as_ref().err().map(|outcome| trouble(outcome, starttls));
            Scan::Seen(SeenTls {
                ssl2: ssl2.unwrap_or_default(),
                ssl2_incomplete,
                post_quantum: post_quantum(&versions, is_known),
                versions,
                intolerant,
                ends,
                fallback_scsv,
                certificates: beside.certificates,
                intrusive: beside.tried,
            })
        }
    }
}

/// Only TLS 1.3 has such groups; that none showed proves nothing, unless all were asked for.
fn post_quantum(versions: &[SeenVersion], is_known: bool) -> Option<bool> {
    let tls13 = versions.iter().find(|seen| seen.version == Version::Tls13)?;
    let shows = tls13.groups.iter().filter_map(|code| Group::by_code(*code)).any(Group::is_post_quantum);
    match (shows, tls13.incomplete.is_none(), is_known || !tls13.is_offered()) {
        (true, ..) => Some(true),
        (false, true, true) => Some(false),
        (false, ..) => None,
    }
}

fn seen_version(found: &Found, starttls: Option<Protocol>, rules: &[Rules]) -> SeenVersion {
    SeenVersion {
        version: found.version,
        suites: found.picks.iter().map(pick).collect(),
        preference: found.preference,
        groups: found.groups.clone(),
        signatures: found.signatures.clone(),
        incomplete: found
            .stopped
            .as_ref()
            .map(|outcome| trouble(outcome, starttls))
            .or_else(|| hidden(found, rules)),
    }
}

/// A prime that was not shown may be a small one. Where the server itself gives up nobody gets to it, which is no
/// fault in a suite that is forbidden anyway.
fn hidden(found: &Found, rules: &[Rules]) -> Option<Trouble> {
    let allows = |code| rules.iter().any(|one| one.version == found.version && one.allowed.contains(&code));
    let is_open = |flight: &&Flight| flight.alert.is_none() || allows(flight.hello.suite);
    let flight = found.picks.iter().filter(is_open).find(|flight| flight.hides_parameters())?;
    let suite = suite_name(flight.hello.suite);
    let text = match flight.alert {
        Some(alert) => format!("the server picks {suite} and gives up with alert {}", alert.name()),
        None => format!("the server does not show the key exchange of {suite}"),
    };
    Some(Trouble { kind: TroubleKind::Protocol, text })
}

fn pick(flight: &Flight) -> Pick {
    Pick {
        suite: flight.hello.suite,
        group: flight.group(),
        dh_bits: flight.dh_bits().and_then(|bits| u16::try_from(bits).ok()),
        compression: flight.hello.compression != 0,
        renegotiation_info: flight.hello.renegotiation_info,
        extended_master_secret: flight.hello.extended_master_secret,
    }
}

/// An outcome that shows nothing, in words.
pub(crate) fn trouble(outcome: &Outcome, starttls: Option<Protocol>) -> Trouble {
    let (kind, text) = match outcome {
        Outcome::Unreachable(error) => (TroubleKind::Unreachable, error.text.clone()),
        Outcome::Silent => (TroubleKind::Timeout, "no answer to a hello".to_owned()),
        Outcome::Ended(Ending::Closed) => {
            (TroubleKind::Unreachable, "connection closed instead of an answer".to_owned())
        }
        Outcome::Ended(Ending::Reset) => {
            (TroubleKind::Unreachable, "connection reset instead of an answer".to_owned())
        }
        Outcome::Foreign(bytes) => (TroubleKind::NotTls, foreign(bytes, starttls)),
        Outcome::Violation(what) => {
            (TroubleKind::Violation, format!("the server breaks the protocol: {what}"))
        }
        Outcome::NoStarttls(words) => {
            (TroubleKind::NoStarttls, format!("STARTTLS is not offered: {}", quote(words)))
        }
        Outcome::Elsewhere(words) => {
            (TroubleKind::NeedsName, format!("the server is not the one for this name: {}", quote(words)))
        }
        Outcome::Busy(words) => (TroubleKind::Busy, format!("refused for now: {}", quote(words))),
        Outcome::Spent => (TroubleKind::Spent, "all connections of --max-total were made".to_owned()),
        Outcome::Refused(Some(alert)) if alert.description == alerts::UNRECOGNIZED_NAME => {
            (TroubleKind::NeedsName, "the server wants another name (unrecognized_name)".to_owned())
        }
        Outcome::Refused(Some(alert)) => {
            (TroubleKind::Protocol, format!("refused with alert {}", alert.name()))
        }
        Outcome::Refused(None) | Outcome::Accepted(_) | Outcome::Ssl2(_) => {
            (TroubleKind::Protocol, "an answer that fits no question".to_owned())
        }
    };
    Trouble { kind, text }
}

/// What speaks there instead of TLS.
fn foreign(bytes: &[u8], starttls: Option<Protocol>) -> String {
    let greeting = quote(decode(bytes).trim_end());
    let what = match bytes {
        [b'S', b'S', b'H', b'-', ..] => "speaks SSH, not TLS".to_owned(),
        [b'H', b'T', b'T', b'P', ..] => "speaks HTTP, not TLS".to_owned(),
        _ => match (Protocol::of_greeting(bytes), starttls) {
            (Some(protocol), None) => format!("speaks {protocol} before TLS (--starttls {protocol})"),
            (_, Some(protocol)) => format!("does not speak {protocol}"),
            (None, None) => "does not speak TLS".to_owned(),
        },
    };
    format!("the server {what}: {greeting}")
}
