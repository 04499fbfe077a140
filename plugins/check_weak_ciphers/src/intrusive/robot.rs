//! ROBOT (CVE-2017-13099 and others): whether a server that decrypts a premaster secret with wrong padding answers
//! otherwise than one with right padding. Whoever can tell decrypts what he has recorded, by asking often enough
//! (Bleichenbacher 1998). RFC 5246 section 7.4.7.1 wants no difference at all.
//!
//! Each kind of padding is sent in a handshake of its own, with a Finished that is wrong in any case. So there is one
//! good answer for all of them. Different answers count if they stay the same over all rounds.

use std::io::{Read, Write};

use super::client::{ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, Handshake, message, random_bytes};
use super::rsa::{PREMASTER, Padding, PublicKey};
use super::{Finding, Suspect};
use crate::alerts::alert_name;
use crate::scan::connection::{Ending, Outcome};
use crate::version::Version;
use crate::wire::bytes::put16;

pub(super) const PADDINGS: [Padding; 5] =
    [Padding::Right, Padding::WrongStart, Padding::EarlyZero, Padding::NoZero, Padding::WrongVersion];
/// Where all answers are the same.
const ROUNDS: usize = 2;
/// Where they are not.
const MORE_ROUNDS: usize = 4;

const CLIENT_KEY_EXCHANGE: u8 = 16;

/// How a server takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Alert(u8),
    Closed,
    Reset,
    Silent,
    /// A record of this type, which has no place there.
    Record(u8),
}

impl Reaction {
    fn words(self) -> String {
        match self {
            Self::Alert(code) => alert_name(code).map_or_else(|| format!("alert {code}"), str::to_owned),
            Self::Closed => "a closed connection".to_owned(),
            Self::Reset => "a reset connection".to_owned(),
            Self::Silent => "silence".to_owned(),
            Self::Record(kind) => format!("a record of type {kind}"),
        }
    }

    /// What is said to a Finished that cannot be decrypted or is wrong, and to nothing before it.
    const fn is_about_finished(self) -> bool {
        matches!(self, Self::Alert(20 | 21 | 51))
    }

    /// Which of the two ends of a connection is seen may be a matter of chance.
    const fn coarse(self) -> Self {
        match self {
            Self::Reset => Self::Closed,
            other => other,
        }
    }
}

/// Sends a premaster secret with this padding, and what belongs behind it.
pub(super) fn react<S: Read + Write>(
    mut handshake: Handshake<S>,
    key: &PublicKey,
    padding: Padding,
    offered: Version,
) -> Result<Reaction, Outcome> {
    let no_random = Outcome::Violation("no random numbers");
    let Some(mut random) = random_bytes() else { return Err(no_random) };
    let [high, low] = offered.code().to_be_bytes();
    let mut premaster = [0; PREMASTER];
    // Without a zero: with one of them a wrong padding might be right by chance.
    premaster.fill_with(|| random() | 1);
    (premaster[0], premaster[1]) = (high, low);
    let mut body = Vec::new();
    put16(&mut body, &key.encrypt(padding, &premaster, &mut random));
    // Of a length that all ciphers may have; nobody can decrypt it.
    let finished = std::iter::repeat_with(random).take(64).collect();
    let mut records: Vec<(u8, Vec<u8>)> =
        handshake.certificate().into_iter().map(|message| (HANDSHAKE, message)).collect();
    records.push((HANDSHAKE, message(CLIENT_KEY_EXCHANGE, &body)));
    records.extend([(CHANGE_CIPHER_SPEC, vec![1]), (HANDSHAKE, finished)]);
    handshake.wire.send_all(&records);
    loop {
        return match handshake.wire.receive() {
            Ok((ALERT, alert)) => match *alert.as_slice() {
                [1, description] if description != 0 => continue,
                [_, description] => Ok(Reaction::Alert(description)),
                _ => Err(Outcome::Violation("an alert that is not two bytes long")),
            },
            Ok((kind, _)) => Ok(Reaction::Record(kind)),
            Err(Outcome::Ended(Ending::Closed)) => Ok(Reaction::Closed),
            Err(Outcome::Ended(Ending::Reset)) => Ok(Reaction::Reset),
            Err(Outcome::Silent) => Ok(Reaction::Silent),
            Err(outcome) => Err(outcome),
        };
    }
}

/// Asks for the reactions, round by round, and judges them. `ask` also says whether the server wanted a certificate
/// first, the lack of which it may mind before it comes to the padding.
pub(super) fn robot(
    mut ask: impl FnMut(Padding) -> Result<(Reaction, bool), Outcome>,
) -> Result<Finding, Outcome> {
    let mut rounds = Vec::new();
    loop {
        let mut round = Vec::new();
        for padding in PADDINGS {
            let (reaction, wants_certificate) = ask(padding)?;
            if rounds.is_empty() && round.is_empty() {
                if reaction == Reaction::Silent {
                    let text = "the server says nothing to a wrong Finished";
                    return Ok(Suspect::Robot.unknown(text.to_owned()));
                }
                if wants_certificate && !reaction.is_about_finished() {
                    let text = "the server wants a certificate of the client first";
                    return Ok(Suspect::Robot.unknown(text.to_owned()));
                }
            }
            round.push(reaction);
        }
        rounds.push(round);
        let wanted = if is_uniform(&rounds) { ROUNDS } else { MORE_ROUNDS };
        if rounds.len() >= wanted {
            return Ok(judge(&rounds));
        }
    }
}

/// Whether all answers are one.
fn is_uniform(rounds: &[Vec<Reaction>]) -> bool {
    let mut all = rounds.iter().flatten().map(|reaction| reaction.coarse());
    let first = all.next();
    all.all(|one| Some(one) == first)
}

fn judge(rounds: &[Vec<Reaction>]) -> Finding {
    let coarse: Vec<Vec<Reaction>> =
        rounds.iter().map(|round| round.iter().map(|one| one.coarse()).collect()).collect();
    let is_stable = |rounds: &[Vec<Reaction>]| rounds.windows(2).all(|two| two.first() == two.last());
    let kept = if is_stable(rounds) { rounds } else { coarse.as_slice() };
    let Some([right, start, early, no_zero, version]) = kept.first().map(Vec::as_slice) else {
        return Suspect::Robot.unknown("no answers".to_owned());
    };
    if is_uniform(rounds) {
        let text = format!("the server answers every padding with {}", right.coarse().words());
        return Suspect::Robot.safe(&text);
    }
    if !is_stable(kept) {
        let text = "the server answers the same padding in different ways".to_owned();
        return Suspect::Robot.unknown(text);
    }
    // Where all that is wrong looks the same, the attacker learns of a right one only when all of it is right.
    let strength = if start == early && early == no_zero { "weak" } else { "strong" };
    let answers: Vec<String> = [
        ("right", right),
        ("wrong start", start),
        ("early zero", early),
        ("no zero", no_zero),
        ("wrong version", version),
    ]
    .map(|(name, reaction)| format!("{name}: {}", reaction.words()))
    .to_vec();
    Suspect::Robot.vulnerable(format!(
        "a {strength} oracle on the padding of RSA key exchange ({})",
        answers.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intrusive::Verdict;

    const BAD_MAC: Reaction = Reaction::Alert(20);

    /// Answers by padding and round, and how often was asked.
    fn judged(answer: impl Fn(Padding, usize) -> Reaction) -> (Verdict, String, usize) {
        let mut asked = 0;
        let finding = robot(|padding| {
            asked += 1;
            Ok((answer(padding, (asked - 1) / PADDINGS.len()), false))
        })
        .unwrap();
        (finding.verdict, finding.text, asked)
    }

    #[test]
    fn one_answer_for_all_is_good() {
        for one in [BAD_MAC, Reaction::Closed, Reaction::Reset] {
            let (verdict, text, asked) = judged(|_, _| one);
            assert_eq!((verdict, asked), (Verdict::Safe, 10), "{text}");
        }
        // Which end of a connection is seen is a matter of chance.
        let (verdict, ..) = judged(|padding, round| match (padding, round) {
            (Padding::NoZero, 1) => Reaction::Reset,
            _ => Reaction::Closed,
        });
        assert_eq!(verdict, Verdict::Safe);
    }

    #[test]
    fn different_answers_that_last_are_an_oracle() {
        let (verdict, text, asked) = judged(|padding, _| match padding {
            Padding::WrongStart | Padding::NoZero => Reaction::Closed,
            _ => BAD_MAC,
        });
        assert_eq!((verdict, asked), (Verdict::Vulnerable, 20));
        assert!(text.starts_with("a strong oracle"), "{text}");
        assert!(text.contains("wrong start: a closed connection, early zero: bad_record_mac"), "{text}");
    }

    #[test]
    fn the_oracle_is_weak_where_all_faults_look_the_same() {
        let (verdict, text, _) =
            judged(|padding, _| if padding == Padding::Right { BAD_MAC } else { Reaction::Alert(51) });
        assert_eq!(verdict, Verdict::Vulnerable);
        assert!(text.starts_with("a weak oracle"), "{text}");
    }

    #[test]
    fn answers_that_change_prove_nothing() {
        let (verdict, text, asked) = judged(|padding, round| match (padding, round) {
            (Padding::NoZero, 1) => Reaction::Silent,
            _ => BAD_MAC,
        });
        assert_eq!((verdict, asked), (Verdict::Unknown, 20), "{text}");
    }

    #[test]
    fn who_wants_a_certificate_first_says_nothing_on_the_padding() {
        let of = |reaction| robot(|_| Ok((reaction, true))).unwrap().verdict;
        assert_eq!(of(Reaction::Alert(40)), Verdict::Unknown);
        assert_eq!(of(Reaction::Closed), Verdict::Unknown);
        assert_eq!(of(BAD_MAC), Verdict::Safe);
    }

    #[test]
    fn silence_is_no_answer() {
        let (verdict, _, asked) = judged(|_, _| Reaction::Silent);
        assert_eq!((verdict, asked), (Verdict::Unknown, 1));
        let (verdict, ..) = judged(|padding, _| match padding {
            Padding::WrongStart => Reaction::Silent,
            _ => BAD_MAC,
        });
        assert_eq!(verdict, Verdict::Vulnerable);
    }
}
