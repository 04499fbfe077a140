//! Who decides which suite is taken.
//!
//! A server that follows the client takes the first suite of each hello that it has. One that takes another has an order
//! of its own. But whoever takes the first may have the same order; only two hellos that it followed in contrary orders
//! show that it has none.

use crate::suites::{Cipher, Suite};

/// Whose order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preference {
    Server,
    Client,
}

impl Preference {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// What a server took of the hellos of one version.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    made: Vec<Choice>,
    /// What so many of them showed.
    shown: (usize, Option<Preference>),
}

#[derive(Clone, Debug)]
struct Choice {
    /// In the order of the hello.
    offered: Vec<u16>,
    taken: u16,
}

impl Choices {
    pub(super) fn note(&mut self, offered: Vec<u16>, taken: u16) {
        self.made.push(Choice { offered, taken });
    }

    /// `None` where the answers so far fit both.
    pub(super) fn preference(&mut self) -> Option<Preference> {
        if self.shown.0 != self.made.len() {
            self.shown = (self.made.len(), self.weigh());
        }
        self.shown.1
    }

    fn weigh(&self) -> Option<Preference> {
        let known = self.known();
        let made: Vec<Choice> = self.made.iter().map(|choice| choice.among(&known)).collect();
        if made.iter().any(|choice| choice.offered.first() != Some(&choice.taken)) {
            return Some(Preference::Server);
        }
        let are_contrary = |one: &Choice| made.iter().any(|other| one.is_contrary_to(other));
        made.iter().any(are_contrary).then_some(Preference::Client)
    }

    /// The suites in an order that is contrary to a choice that was made; `None` where there is nothing to choose.
    pub(super) fn deciding(&self) -> Option<Vec<u16>> {
        let mut known = self.known();
        let passed_over = self.made.iter().find_map(|choice| {
            let is_passed = |code: &&u16| **code != choice.taken && choice.offered.contains(code);
            known.iter().find(|code| is_passed(code) && are_alike(choice.taken, **code)).copied()
        });
        known.sort_by_key(|code| (Some(*code) != passed_over, is_chacha(*code)));
        (known.len() > 1).then_some(known)
    }

    /// All that was taken, each once.
    fn known(&self) -> Vec<u16> {
        let mut known: Vec<u16> = self.made.iter().map(|choice| choice.taken).collect();
        known.sort_unstable();
        known.dedup();
        known
    }
}

impl Choice {
    /// The same choice among the suites that the server has, which are sorted.
    fn among(&self, known: &[u16]) -> Self {
        let offered = self.offered.iter().copied().filter(|code| known.binary_search(code).is_ok());
        Self { offered: offered.collect(), taken: self.taken }
    }

    fn is_contrary_to(&self, other: &Self) -> bool {
        self.taken != other.taken
            && are_alike(self.taken, other.taken)
            && self.offered.contains(&other.taken)
            && other.offered.contains(&self.taken)
    }
}

/// Some servers with an order of their own put ChaCha20 in front of the others for a client that does.
fn are_alike(one: u16, other: u16) -> bool {
    is_chacha(one) == is_chacha(other)
}

fn is_chacha(code: u16) -> bool {
    Suite::by_code(code).is_some_and(|suite| suite.cipher == Cipher::ChaCha20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn choices(made: &[(&[u16], u16)]) -> Choices {
        let mut choices = Choices::default();
        for (offered, taken) in made {
            choices.note(offered.to_vec(), *taken);
        }
        choices
    }

    #[test]
    fn one_choice_against_us_is_enough() {
        assert_eq!(choices(&[(&[1, 2, 3], 2), (&[1, 3], 1)]).preference(), Some(Preference::Server));
        // What is not there cannot be taken.
        assert_eq!(choices(&[(&[1, 2, 3], 2), (&[4, 3], 3)]).preference(), None);
    }

    #[test]
    fn only_contrary_choices_show_that_there_is_no_order() {
        let mut same = choices(&[(&[1, 2, 3], 1), (&[2, 3], 2), (&[3], 3)]);
        assert_eq!(same.preference(), None);
        let order = same.deciding().unwrap();
        assert_eq!(order.first(), Some(&2));
        let mut followed = same.clone();
        followed.note(order.clone(), 2);
        assert_eq!(followed.preference(), Some(Preference::Client));
        let mut own = same;
        own.note(order, 1);
        assert_eq!(own.preference(), Some(Preference::Server));
    }

    #[test]
    fn without_a_choice_there_is_nothing_to_decide() {
        assert_eq!(choices(&[(&[7, 9], 9)]).deciding(), None);
        assert_eq!(Choices::default().deciding(), None);
        assert_eq!(choices(&[(&[1], 1), (&[2], 2)]).deciding(), Some(vec![1, 2]));
    }

    #[test]
    fn chacha_is_moved_at_will() {
        const CHACHA: u16 = 0xcca8;
        let mut swayed = choices(&[(&[CHACHA, 0xc02f], CHACHA), (&[0xc02f, CHACHA], 0xc02f)]);
        assert_eq!(swayed.preference(), None);
    }

    proptest! {
        /// Two questions at most decide for any server, whatever was asked before.
        #[test]
        fn two_questions_decide(
            own in Just((1u16..9).collect::<Vec<_>>()).prop_shuffle(),
            hellos in proptest::collection::vec(Just((1u16..9).collect::<Vec<_>>()).prop_shuffle(), 0..4),
            follows: bool,
        ) {
            let pick = |offered: &[u16]| {
                let order = if follows { offered } else { &own };
                *order.iter().find(|code| offered.contains(code)).unwrap()
            };
            let mut choices = Choices::default();
            for code in &own {
                choices.note(vec![*code], *code);
            }
            for hello in hellos {
                choices.note(hello.clone(), pick(&hello));
            }
            for _ in 0..2 {
                if choices.preference().is_none() {
                    let order = choices.deciding().unwrap();
                    choices.note(order.clone(), pick(&order));
                }
            }
            let truth = if follows { Preference::Client } else { Preference::Server };
            prop_assert_eq!(choices.preference(), Some(truth));
        }
    }
}
