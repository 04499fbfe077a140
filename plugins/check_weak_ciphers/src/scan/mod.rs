//! The scan: which hellos are sent, and what their answers prove.
//!
//! A ServerHello proves one suite. A refusal proves that none of the offered ones is taken,
//! but only by a server that has read them all; silence, a reset and a closed connection
//! prove nothing by themselves.

mod board;
pub(crate) mod connection;
mod crew;
pub(crate) mod gate;
mod offer;
mod preference;
pub(crate) mod starttls;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use common::net::TimedStream;

pub(crate) use board::{Found, Rules, Survey};
use board::{Question, Reply};
use connection::{Ending, Endpoint, Flight, Outcome};
use crew::{Crew, Spare};
use gate::{Gate, Pass, Shut};
pub(crate) use preference::Preference;

use crate::alerts;
use crate::suites::{SSLV2_KINDS, Sslv2Kind, UNASSIGNED};
use crate::version::Version;
use crate::wire::hello::{ClientHello, KeyShare};
use common::plugin::Progress;

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Whether anything is taken that the policy forbids, and what.
    Verdict,
    /// All that is taken, and how it is chosen.
    Inventory,
}

/// What a scan is to find out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) mode: Mode,
    /// Those of the versions from SSLv3 on.
    pub(crate) rules: &'a [Rules],
    /// Whether there is a post-quantum group, in a verdict too.
    pub(crate) post_quantum: bool,
    /// All signature schemes, in an inventory.
    pub(crate) signatures: bool,
}

/// What a hello with some suites proved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Proof {
    /// One of them is taken.
    Takes(Box<Flight>),
    /// None of them is, if the server has read them all.
    TakesNone(Refusal),
    /// Nothing.
    Nothing(Outcome),
}

/// How a server says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// With this alert.
    Alert(u8),
    /// By answering in an older version.
    OlderVersion,
    /// By ending the connection, each time, while it goes on to answer other hellos.
    Ending,
}

impl Refusal {
    /// Whether it is the version that is refused, with all its suites.
    pub(crate) const fn is_of_version(self) -> bool {
        matches!(self, Self::OlderVersion | Self::Alert(alerts::PROTOCOL_VERSION))
    }
}

/// A hello to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) version: Version,
    pub(crate) suites: Vec<u16>,
    pub(crate) groups: Vec<u16>,
    /// The only signature schemes; empty for all.
    pub(crate) signatures: Vec<u16>,
    /// With shares of keys, for servers of TLS 1.3 that refuse instead of asking for one.
    pub(crate) shares: bool,
}

impl Probe {
    /// The same with so many codes of no meaning in front: some servers drop hellos of some
    /// lengths, whatever is in them.
    fn longer(&self, codes: usize) -> Self {
        let suites = UNASSIGNED.take(codes).chain(self.suites.iter().copied()).collect();
        Self { suites, ..self.clone() }
    }
}

/// Codes that a hello has more at each further try.
const FILLING: usize = 9;

/// Asks, counts and tries again what proves nothing.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    endpoint: &'a Endpoint,
    server_name: Option<&'a str>,
    gate: &'a Gate,
    connections: AtomicU32,
    seed: [u8; 32],
    progress: &'a Progress,
    /// A hello that was answered: if it still is, the server does not turn us away.
    answered: OnceLock<Probe>,
    /// A hello was accepted only after it was not answered.
    wavers: AtomicBool,
}

/// What a server of TLS has one of, if it has not only what is forbidden: AEAD and CBC, ECDHE, DHE and RSA.
const COMMON_SUITES: [u16; 15] = [
    0xc02f, 0xc02b, 0xc030, 0xc02c, 0xcca8, 0xcca9, 0x009e, 0x009f, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
    0x0035, 0x000a,
];
const COMMON_GROUPS: [u16; 3] = [29, 23, 24];

/// How often a hello is sent that the server ends without a word.
const TRIES: usize = 3;
/// Before the second try; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);

impl<'a> Scanner<'a> {
    pub(crate) const fn new(
        endpoint: &'a Endpoint,
        server_name: Option<&'a str>,
        gate: &'a Gate,
        seed: [u8; 32],
        progress: &'a Progress,
    ) -> Self {
        Self {
            endpoint,
            server_name,
            gate,
            connections: AtomicU32::new(0),
            seed,
            progress,
            answered: OnceLock::new(),
            wavers: AtomicBool::new(false),
        }
    }

    /// Connections made so far.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Sends one hello that everybody understands: whether there is TLS at all. How long it takes says nothing of the
    /// server's strength, for others may be looked at beside it.
    pub(crate) fn first_look(&self) -> Outcome {
        let probe = Probe {
            version: Version::Tls12,
            suites: COMMON_SUITES.to_vec(),
            groups: COMMON_GROUPS.to_vec(),
            signatures: Vec::new(),
            shares: false,
        };
        self.connection(None).map_or_else(|end| end, |(_pass, stream)| self.send(stream, &probe))
    }

    /// Asks until nothing is left to ask, as much at a time as is allowed and of use.
    pub(crate) fn survey(&self, asked: &Asked<'_>) -> Survey {
        Crew::new(self, asked).survey()
    }

    /// Whether some hellos were accepted only after they were not answered.
    fn wavers(&self) -> bool {
        self.wavers.load(Ordering::Relaxed)
    }

    fn show(&self, found: usize) {
        self.progress.show(|| format!("{found} suites, {} connections", self.connections()));
    }

    fn reply(&self, question: &Question, spare: Option<Spare<'_>>) -> Reply {
        match question {
            Question::Tls(probe) => Reply::Tls(self.prove_on(spare, probe)),
            Question::Ssl2 => Reply::Ssl2(self.ask_ssl2(spare)),
            Question::StillAnswers => Reply::StillAnswers(self.still_answers()),
        }
    }

    /// Sends a hello until the answer proves something. Limits on connections show as resets
    /// and refusals for now; a pause often helps.
    pub(crate) fn prove(&self, probe: &Probe) -> Proof {
        self.prove_on(None, probe)
    }

    /// The same, the first time on a connection that is there already.
    fn prove_on(&self, mut spare: Option<Spare<'_>>, probe: &Probe) -> Proof {
        let mut pause = PAUSE;
        let mut endings = 0;
        for turn in 1..=TRIES {
            let outcome = self.ask(&probe.longer(FILLING * (turn - 1)), spare.take());
            if !is_passing(&outcome) {
                let contradicts = endings > 0 && matches!(outcome, Outcome::Accepted(_));
                self.wavers.fetch_or(contradicts, Ordering::Relaxed);
                return self.proof_of(outcome, probe);
            }
            let is_end = matches!(outcome, Outcome::Ended(_));
            endings += usize::from(is_end);
            // Asked at odd turns only: of two servers behind one address, of which one is
            // broken, each would get its own kind of question in a strict alternation.
            if is_end && turn % 2 == 1 && !self.still_answers() {
                endings = 0;
            }
            if endings == TRIES {
                return Proof::TakesNone(Refusal::Ending);
            }
            // What could not be reached at the first try is not there; what could, may be busy.
            let is_dead = matches!(outcome, Outcome::Unreachable(_)) && self.connections() == 1;
            if turn == TRIES || is_dead || self.endpoint.deadline.left() <= pause {
                return self.proof_of(outcome, probe);
            }
            if endings == 0 {
                self.gate.back_off();
                thread::sleep(pause);
                pause *= 2;
            }
        }
        Proof::Nothing(Outcome::Silent)
    }

    /// Sends the hello of SSLv2 once.
    fn ask_ssl2(&self, spare: Option<Spare<'_>>) -> Outcome {
        let code = |kind: &Sslv2Kind| kind.code.iter().fold(0, |code, byte| code << 8 | u32::from(*byte));
        let kinds: Vec<u32> = SSLV2_KINDS.iter().map(code).collect();
        match self.connection(spare) {
            Ok((pass, stream)) => {
                let outcome = connection::ask_ssl2(stream, &kinds, &self.random());
                pass.answered();
                outcome
            }
            Err(outcome) => outcome,
        }
    }

    /// Whether a hello that was answered before still is. False when there is none.
    fn still_answers(&self) -> bool {
        let Some(probe) = self.answered.get() else { return false };
        matches!(self.ask(probe, None), Outcome::Accepted(_))
    }

    /// Sends a hello once.
    fn ask(&self, probe: &Probe, spare: Option<Spare<'_>>) -> Outcome {
        let (pass, stream) = match self.connection(spare) {
            Ok(connection) => connection,
            Err(outcome) => return outcome,
        };
        let outcome = self.send(stream, probe);
        if matches!(outcome, Outcome::Accepted(_) | Outcome::Refused(_)) {
            pass.answered();
        }
        outcome
    }

    fn send(&self, stream: TimedStream, probe: &Probe) -> Outcome {
        let shares = if probe.shares { KeyShare::of(&probe.groups) } else { Vec::new() };
        let hello = ClientHello {
            version: probe.version,
            suites: &probe.suites,
            groups: &probe.groups,
            server_name: self.server_name,
            // Its offer is what shows that a server compresses; TLS 1.3 forbids even that.
            compression: probe.version < Version::Tls13,
            shares: &shares,
            signatures: (!probe.signatures.is_empty()).then_some(&probe.signatures),
            padded_to: 0,
        };
        connection::ask(stream, &hello, &self.random())
    }

    /// Sends this on a connection of its own, and leaves it to the caller.
    pub(crate) fn open(&self, hello: &[u8]) -> Result<(Pass<'_>, TimedStream), Outcome> {
        let (pass, mut stream) = self.connection(None)?;
        connection::send(&mut stream, hello)?;
        Ok((pass, stream))
    }

    /// A connection up to TLS: the spare one, or one that is opened once there is room.
    fn connection<'b>(&'b self, spare: Option<Spare<'b>>) -> Result<(Pass<'b>, TimedStream), Outcome> {
        if let Some(Spare { mut pass, stream }) = spare {
            pass.resume();
            return Ok((pass, stream));
        }
        let pass = self.gate.enter(&self.endpoint.deadline).map_err(|shut| match shut {
            Shut::Late => Outcome::Silent,
            Shut::Spent => Outcome::Spent,
        })?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok((pass, self.endpoint.connect()?))
    }

    /// A connection that is not needed yet. Why it fails shows when one is needed.
    fn open_ahead<'b>(&self, mut pass: Pass<'b>) -> Option<Spare<'b>> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let stream = self.endpoint.connect().ok()?;
        pass.pause();
        Some(Spare { pass, stream })
    }

    /// Whether an attempt that ended so is worth another one, after the pause that is made here.
    pub(crate) fn is_worth_a_try(&self, outcome: &Outcome, tries: usize) -> bool {
        let pause = PAUSE * (1 << tries.min(TRIES));
        if tries >= TRIES || !is_passing(outcome) || self.endpoint.deadline.left() <= pause {
            return false;
        }
        self.gate.back_off();
        thread::sleep(pause);
        true
    }

    /// The name that is asked for.
    pub(crate) const fn server_name(&self) -> Option<&'a str> {
        self.server_name
    }

    fn proof_of(&self, outcome: Outcome, probe: &Probe) -> Proof {
        let proof = proof_of(outcome, probe, self.server_name.is_some());
        if matches!(proof, Proof::Takes(_) | Proof::TakesNone(Refusal::OlderVersion)) {
            let _ = self.answered.set(probe.clone());
        }
        proof
    }

    /// Not secret, only never the same: no key is made from it.
    fn random(&self) -> [u8; 32] {
        let turn = self.connections();
        let mut random = self.seed;
        for (byte, change) in random.iter_mut().zip(turn.to_be_bytes().iter().cycle().skip(3)) {
            *byte ^= change.rotate_left(1);
        }
        random
    }
}

/// Whether another try may end differently.
const fn is_passing(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Ended(Ending::Closed | Ending::Reset) | Outcome::Busy(_) | Outcome::Unreachable(_)
    )
}

/// Alerts by which servers refuse a hello they have understood: illegal_parameter from
/// those that dislike the version in it, internal_error from OpenSSL 3 when the security level
/// leaves no suite.
const REFUSALS: [u8; 7] = [
    alerts::HANDSHAKE_FAILURE,
    alerts::ILLEGAL_PARAMETER,
    alerts::PROTOCOL_VERSION,
    alerts::INSUFFICIENT_SECURITY,
    alerts::INTERNAL_ERROR,
    alerts::INAPPROPRIATE_FALLBACK,
    alerts::MISSING_EXTENSION,
];

fn proof_of(outcome: Outcome, probe: &Probe, is_named: bool) -> Proof {
    match outcome {
        Outcome::Accepted(flight) => {
            let as_offered =
                probe.suites.contains(&flight.hello.suite) && flight.hello.version == probe.version.code();
            let downgraded = flight.hello.version < probe.version.code();
            match (as_offered, downgraded) {
                (true, _) => Proof::Takes(flight),
                // An older version than asked for: this one is not spoken.
                (false, true) => Proof::TakesNone(Refusal::OlderVersion),
                (false, false) => {
                    Proof::Nothing(Outcome::Violation("a suite or version that was not offered"))
                }
            }
        }
        Outcome::Refused(Some(alert)) if REFUSALS.contains(&alert.description) => {
            Proof::TakesNone(Refusal::Alert(alert.description))
        }
        // SSLv3 knows no names: who must have one does not speak it.
        Outcome::Refused(Some(alert))
            if alert.description == alerts::UNRECOGNIZED_NAME
                && is_named
                && probe.version == Version::Ssl3 =>
        {
            Proof::TakesNone(Refusal::Alert(alert.description))
        }
        other => Proof::Nothing(other),
    }
}
