//! Groups that a policy lists: a complete scan has shown all that are forbidden.

use super::*;
use crate::groups::GROUPS;
use crate::groups::Group;

const X25519: u16 = 29;

/// As `RULES`, with no other group than x25519, and these required.
fn listing(required: &[u16]) -> Vec<Rules> {
    let of = |version: Version| {
        let usable = Group::usable_in(version).filter(|_| version > Version::Ssl3);
        usable.map(|group| group.code).collect::<Vec<u16>>()
    };
    let rules = RULES.iter().cloned().map(|rules| Rules {
        groups: of(rules.version).into_iter().filter(|group| *group != X25519).collect(),
        required: required
            .iter()
            .map(|group| of(rules.version).into_iter().filter(|code| code == group).collect())
            .collect(),
        ..rules
    });
    rules.collect()
}

fn groups_of(scan: &Scan, version: Version) -> BTreeSet<u16> {
    let found = scan.versions().iter().find(|found| found.version == version).unwrap();
    found.groups.iter().copied().collect()
}

/// In TLS 1.3, and in the newest version below it that is spoken.
fn hides_no_group(server: &Server, scan: &Scan) {
    is_honest(server, Mode::Verdict, scan);
    let Survey::Seen { versions, .. } = &scan.survey else { return };
    let is_spoken = |version: &Version| !server.suites(*version).is_empty();
    let older = VERSIONS.into_iter().rev().filter(|version| *version < Version::Tls13).find(is_spoken);
    for version in [Some(Version::Tls13).filter(is_spoken), older].into_iter().flatten() {
        let found = versions.iter().find(|found| found.version == version).unwrap();
        let has_groups =
            version > Version::Ssl3 && server.suites(version).iter().any(|code| takes_groups(*code));
        if found.stopped.is_some() || !has_groups {
            continue;
        }
        let is_usable = |code: &&u16| Group::usable_in(version).any(|group| group.code == **code);
        for group in server.groups.iter().filter(is_usable).filter(|group| **group != X25519) {
            assert!(found.groups.contains(group), "{version} misses {group} of {server:?}");
        }
    }
}

#[test]
fn a_server_without_forbidden_groups_costs_one_question_more_in_two_versions() {
    let server = Server {
        groups: vec![X25519],
        ..Server::new(&[(Version::Tls13, &[0x1301]), (Version::Tls12, &SOUND)])
    };
    let scan = scan_by(&listing(&[]), &server, Mode::Verdict, &Network::sound());
    assert_eq!((scan.questions, is_complete(&scan)), (10, true));
    assert_eq!(groups_of(&scan, Version::Tls13), BTreeSet::from([X25519]));
}

#[test]
fn each_forbidden_group_is_found_behind_the_one_that_is_allowed() {
    let server = Server {
        groups: vec![X25519, 23, 0x11ec, 30, 25],
        ..Server::new(&[(Version::Tls13, &[0x1301]), (Version::Tls12, &SOUND)])
    };
    let scan = scan_by(&listing(&[]), &server, Mode::Verdict, &Network::sound());
    assert_eq!(groups_of(&scan, Version::Tls13), BTreeSet::from([X25519, 23, 0x11ec, 30, 25]));
    assert_eq!(groups_of(&scan, Version::Tls12), BTreeSet::from([X25519, 23, 30, 25]));
    assert!(is_complete(&scan));
}

/// The server would rather take a prime field, and shows no curve by itself.
#[test]
fn a_group_behind_a_prime_is_found() {
    let server = Server { groups: vec![23], ..Server::new(&[(Version::Tls12, &[0x009e, 0xc02f])]) };
    let scan = scan_by(&listing(&[]), &server, Mode::Verdict, &Network::sound());
    assert_eq!(groups_of(&scan, Version::Tls12), BTreeSet::from([23]));
}

#[test]
fn a_required_group_is_asked_for_unless_it_showed() {
    let server = |groups: &[u16]| Server {
        groups: groups.to_vec(),
        ..Server::new(&[(Version::Tls13, &[0x1301]), (Version::Tls12, &SOUND)])
    };
    let only = |required: &[u16]| -> Vec<Rules> {
        listing(required).into_iter().map(|rules| Rules { groups: Vec::new(), ..rules }).collect()
    };
    for (groups, required, questions, there) in [
        (&[X25519, 24][..], &[X25519][..], 8, true),
        // TLS 1.2 is asked before TLS 1.3 has answered.
        (&[X25519, 24], &[24], 10, true),
        (&[X25519], &[24], 10, false),
        (&[X25519, 0x11ec], &[0x11ec], 9, true),
        (&[X25519], &[0x11ec], 9, false),
    ] {
        let scan = scan_by(&only(required), &server(groups), Mode::Verdict, &Network::sound());
        let shown: BTreeSet<u16> =
            VERSIONS.into_iter().flat_map(|version| groups_of(&scan, version)).collect();
        assert!(scan.questions <= questions, "{groups:?} {required:?}: {}", scan.questions);
        assert_eq!(
            (shown.contains(&required[0]), is_complete(&scan)),
            (there, true),
            "{groups:?} {required:?}"
        );
    }
}

#[test]
fn an_unanswered_question_about_groups_is_a_gap() {
    let server = Server::new(&[(Version::Tls13, &[0x1301]), (Version::Tls12, &SOUND)]);
    let all = scan_by(&listing(&[]), &server, Mode::Verdict, &Network::sound()).questions;
    let mut gaps = 0;
    for number in 1..all {
        let lost = (number..2000).map(|at| (at, Outcome::Spent)).collect();
        let scan = scan_by(&listing(&[]), &server, Mode::Verdict, &Network { lost, ..Network::sound() });
        gaps += usize::from(!is_complete(&scan));
    }
    assert_eq!(gaps, all - 1);
}

/// What a server answers with must have been offered.
#[test]
fn a_group_that_was_not_offered_is_a_gap() {
    let rules = listing(&[]);
    let asked = Asked { mode: Mode::Verdict, rules: &rules, post_quantum: false, signatures: false };
    let server = Server { groups: vec![X25519], ..Server::new(&[(Version::Tls13, &[0x1301])]) };
    let mut board = Board::new(&asked, 0);
    while let Some((turn, question)) = board.next() {
        let reply = match question {
            Question::Tls(probe) => match server.prove(&probe, true) {
                Proof::TakesNone(_) if probe.suites.contains(&0x1301) => {
                    Reply::Tls(Proof::Takes(Box::new(flight(Version::Tls13, 0x1301, Some(X25519)))))
                }
                proof => Reply::Tls(proof),
            },
            Question::Ssl2 => Reply::Ssl2(Outcome::Refused(None)),
            Question::StillAnswers => Reply::StillAnswers(true),
        };
        board.note(turn, reply);
    }
    let Survey::Seen { versions, .. } = board.survey(false) else { panic!("TLS is spoken") };
    let tls13 = versions.iter().find(|found| found.version == Version::Tls13).unwrap();
    assert!(matches!(tls13.stopped, Some(Outcome::Violation(_))), "{tls13:?}");
}

#[test]
fn no_group_is_hidden() {
    let all = (servers(), networks());
    let rules = listing(&[]);
    for_each(all, |(server, network)| {
        let scan = scan_by(&rules, &server, Mode::Verdict, &network);
        hides_no_group(&server, &scan);
        assert!(is_complete(&scan), "{scan:?}");
    });
}

#[test]
fn limits_hide_no_group() {
    let all = (servers(), limits(), networks());
    let rules = listing(&[]);
    for_each(all, |(server, (suites_read, longest, drop), network)| {
        let server = Server { suites_read, longest, drop, ..server };
        hides_no_group(&server, &scan_by(&rules, &server, Mode::Verdict, &network));
    });
}

#[test]
fn lost_answers_hide_no_group() {
    let lost = proptest::collection::vec((0..60_usize, outcomes()), 0..6);
    let all = (servers(), limits(), networks(), lost);
    let rules = listing(&[]);
    for_each(all, |(server, (suites_read, longest, drop), network, lost)| {
        let server = Server { suites_read, longest, drop, ..server };
        let scan = scan_by(&rules, &server, Mode::Verdict, &Network { lost, ..network });
        hides_no_group(&server, &scan);
    });
}

#[test]
fn all_groups_of_the_registry_are_asked_about() {
    let rules = listing(&[]);
    let known: BTreeSet<u16> = rules.iter().flat_map(|rules| rules.groups.iter().copied()).collect();
    assert_eq!(known.len(), GROUPS.len() - 1);
}
