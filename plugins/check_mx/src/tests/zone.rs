//! The zone's own servers.

use std::net::SocketAddr;

use common::net::dns::{Above, Delegation, Word, ZoneServer};
use common::proto::dns::{Answer, Data, Record};

use super::*;
use crate::seen::Authority;

fn soa(serial: u32) -> Answer {
    let data =
        Data::Soa { mname: "ns1.example.org".into(), rname: "a.example.org".into(), serial, minimum: 60 };
    held(vec![Record { name: DOMAIN.into(), ttl: 300, data }])
}

fn held(records: Vec<Record>) -> Answer {
    Answer { authoritative: true, ..Answer::bare(Outcome::Records(records)) }
}

fn server(number: u8, soa: Answer) -> ZoneServer {
    let ns = |name: &str| Record { name: DOMAIN.into(), ttl: 300, data: Data::Ns(name.into()) };
    let address = SocketAddr::from(([192, 0, 2, number], 53));
    ZoneServer {
        name: format!("ns{number}.example.org"),
        delegated: true,
        listed: true,
        words: vec![Word { address, soa, ns: held(vec![ns("ns1.example.org"), ns("ns2.example.org")]) }],
        without: None,
        stale_glue: Vec::new(),
    }
}

fn above(server: &str, names: Result<Vec<String>, Outcome>) -> Above {
    Above { server: server.to_owned(), names, authoritative: true }
}

/// With two servers that hold the same, changed in one way.
pub(super) fn authority(change: impl FnOnce(&mut Delegation, &mut Vec<(SocketAddr, Exchangers)>)) -> Seen {
    let names = vec!["ns1.example.org".to_owned(), "ns2.example.org".to_owned()];
    let mut delegation = Delegation {
        zone: DOMAIN.parse().unwrap(),
        parent: "org".parse().unwrap(),
        above: vec![above("a.org", Ok(names.clone())), above("b.org", Ok(names))],
        servers: vec![server(1, soa(7)), server(2, soa(7))],
        left_out: 0,
        servers_left_out: 0,
        above_left_out: 0,
    };
    let holds = || Exchangers { authoritative: true, ..good() };
    let mut mail: Vec<_> =
        delegation.servers.iter().map(|server| (server.words[0].address, holds())).collect();
    change(&mut delegation, &mut mail);
    let mut seen = seen(vec![good()]);
    seen.authority = Some(Authority { delegation: Some(delegation), problem: None, mail, cut_short: false });
    seen
}

#[test]
fn ok_authority_agrees() {
    gives(&authority(|_, _| {}), &[], State::Ok, "mx");
}

/// Where the domain is an alias of a name elsewhere, its servers say that and no more.
#[test]
fn ok_authority_of_an_alias() {
    let alias = Route::Unanswered(Outcome::Dangling("shop.example".into()));
    let seen = authority(|_, all| {
        for (_, mail) in all {
            *mail = Exchangers { authoritative: true, ..self::mail(alias.clone(), vec![]) };
        }
    });
    gives(&seen, &[], State::Ok, "mx");
}

#[test]
fn warning_servers() {
    let lame = |answer: Answer| authority(|delegation, _| delegation.servers[1].words[0].soa = answer);
    gives(&lame(Answer::bare(Outcome::Refused)), &[], State::Warning, "lame_server");
    gives(&lame(Answer { authoritative: false, ..soa(7) }), &[], State::Warning, "lame_server");
    gives(
        &authority(|_, mail| mail[1].1 = mail_unanswered(Outcome::Timeout)),
        &[],
        State::Warning,
        "lame_server",
    );
    gives(
        &authority(|delegation, _| delegation.servers[1].words[0].soa = soa(8)),
        &[],
        State::Warning,
        "serials_differ",
    );
    gives(
        &authority(|delegation, _| delegation.servers[1].listed = false),
        &[],
        State::Warning,
        "delegation_differs",
    );
    gives(
        &authority(|delegation, _| delegation.servers[1].delegated = false),
        &[],
        State::Warning,
        "delegation_differs",
    );
    gives(
        &authority(|delegation, _| delegation.servers[1].stale_glue.push([192, 0, 2, 9].into())),
        &[],
        State::Warning,
        "stale_glue",
    );
    gives(
        &authority(|delegation, mail| {
            delegation.servers[1].words.clear();
            delegation.servers[1].without = Some(Outcome::NxDomain);
            mail.pop();
        }),
        &[],
        State::Warning,
        "server_without_address",
    );
}

#[test]
fn critical_authority_differs() {
    gives(
        &authority(|_, mail| {
            mail[1].1.records.pop();
        }),
        &[],
        State::Critical,
        "authority_differs",
    );
}

#[test]
fn unknown_authority() {
    gives(
        &authority(|delegation, _| {
            for server in &mut delegation.servers {
                server.words[0].soa = Answer::bare(Outcome::Timeout);
            }
        }),
        &[],
        State::Unknown,
        "no_authority",
    );
    gives(
        &authority(|delegation, _| {
            delegation.above.iter_mut().for_each(|one| one.names = Err(Outcome::Refused));
        }),
        &[],
        State::Unknown,
        "no_delegation",
    );
    gives(&authority(|delegation, _| delegation.left_out = 1), &[], State::Unknown, "servers_left_out");
    gives(
        &authority(|delegation, _| delegation.servers_left_out = 1),
        &[],
        State::Unknown,
        "servers_left_out",
    );
    gives(&authority(|delegation, _| delegation.above_left_out = 1), &[], State::Unknown, "servers_left_out");
    let mut none = seen(vec![good()]);
    let problem = Some("SERVFAIL".into());
    none.authority = Some(Authority { delegation: None, problem, mail: vec![], cut_short: false });
    gives(&none, &[], State::Unknown, "no_delegation");
}

/// Who was not asked is not lame.
#[test]
fn unknown_servers_that_were_not_asked() {
    let mut late = authority(|delegation, _| {
        for server in &mut delegation.servers {
            server.words[0].soa = Answer::bare(Outcome::NotAsked);
        }
    });
    gives(&late, &[], State::Unknown, "servers_not_asked");
    assert_eq!(figure(&late, "servers_ok"), None);
    assert_eq!(judged(&late, &[]).1, ["servers_not_asked"], "nothing else is known");
    let authority = late.authority.as_mut().unwrap();
    for server in &mut authority.delegation.as_mut().unwrap().servers {
        server.words[0].soa = Answer::bare(Outcome::Timeout);
    }
    assert_eq!(figure(&late, "servers_ok"), Some(0.0), "they had their time");
    late.authority.as_mut().unwrap().cut_short = true;
    assert_eq!(judged(&late, &[]).1, ["servers_not_asked"]);
    let last = self::authority(|_, mail| mail[1].1 = mail_unanswered(Outcome::NotAsked));
    gives(&last, &[], State::Unknown, "servers_not_asked");
    let unknown = self::authority(|delegation, mail| {
        delegation.servers[1].words.clear();
        delegation.servers[1].without = Some(Outcome::NotAsked);
        mail.pop();
    });
    assert_eq!(judged(&unknown, &[]), (State::Unknown, vec!["servers_not_asked".to_owned()]));
}

#[test]
fn delegation_denied_and_disputed() {
    let denied = |count: usize| {
        authority(|delegation, _| {
            delegation.above.iter_mut().take(count).for_each(|one| one.names = Err(Outcome::NxDomain));
        })
    };
    gives(&denied(1), &[], State::Warning, "delegation_denied");
    gives(&denied(2), &[], State::Critical, "delegation_denied");
    let without_authority = authority(|delegation, _| {
        for one in &mut delegation.above {
            *one = Above { authoritative: false, ..above(&one.server, Err(Outcome::NxDomain)) };
        }
    });
    gives(&without_authority, &[], State::Unknown, "no_delegation");
    let disputed = authority(|delegation, _| {
        delegation.above[1].names = Ok(vec!["ns1.example.org".into()]);
    });
    gives(&disputed, &[], State::Warning, "above_differs");
    let turned = authority(|delegation, _| {
        delegation.above[1].names = Ok(vec!["ns2.example.org".into(), "ns1.example.org".into()]);
    });
    gives(&turned, &[], State::Ok, "mx");
}

#[test]
fn critical_servers_with_different_aliases() {
    let alias = |target: &str| Exchangers {
        authoritative: true,
        aliases: vec![target.to_owned()],
        ..mail_unanswered(Outcome::Dangling(target.to_owned()))
    };
    let differ = authority(|_, mail| {
        mail[0].1 = alias("a.example");
        mail[1].1 = alias("b.example");
    });
    gives(&differ, &[], State::Critical, "alias_differs");
    gives(&authority(|_, mail| mail[1].1 = alias("b.example")), &[], State::Critical, "alias_differs");
}
