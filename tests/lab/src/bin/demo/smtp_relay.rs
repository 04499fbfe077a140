//! check_smtp_relay against a server that is closed, and against those that are not.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::exchanger::{ACCEPTED, ErrorLimits, Exchanger, ExchangerOptions, Form, Greylisting, POSTGREY_450};
use lab::output::State;
use lab::plugin::Plugin;

use crate::{Scene, show_all};

pub(crate) fn play() -> (usize, usize) {
    let closed = Exchanger::start(ExchangerOptions::default());
    let open = Exchanger::start(ExchangerOptions { foreign: ACCEPTED.into(), ..Default::default() });
    let tricked = Exchanger::start(ExchangerOptions { open_for: vec![Form::Percent], ..Default::default() });
    let catch_all = Exchanger::start(ExchangerOptions { catch_all: true, ..Default::default() });
    let grey = Exchanger::start(ExchangerOptions {
        foreign: POSTGREY_450.into(),
        greylisting: Some(Greylisting::default()),
        ..Default::default()
    });
    let listed = Exchanger::start(ExchangerOptions {
        senders: BTreeMap::from([("*".into(), "554 5.7.1 Client host blocked using zen.lab.test".into())]),
        ..Default::default()
    });
    let quick = ErrorLimits { soft: 5, delay: Duration::from_millis(450), hard: 8 };
    let strict = Exchanger::start(ExchangerOptions { error_limits: Some(quick), ..Default::default() });
    let own = ["--local-rcpt", "probe@lab.test"];
    show_all(
        "check_smtp_relay: could a spammer use this server?",
        &[
            Scene::new("A closed server, as Postfix comes: 454 is a refusal, too", check(&closed), State::Ok),
            Scene::new(
                "The same with every disguise, a recipient it must take, and what was said (-v)",
                check(&closed).args(own).args(["--variants", "all", "-v"]),
                State::Ok,
            ),
            Scene::new(
                "An open relay; DATA is asked for, no message is sent",
                check(&open).arg("--confirm-data"),
                State::Critical,
            ),
            Scene::new(
                "A server that is tricked by the percent hack",
                check(&tricked).args(own),
                State::Warning,
            ),
            Scene::new(
                "A catch-all takes disguised addresses for its own: no relay",
                check(&catch_all),
                State::Ok,
            ),
            Scene::new("Greylisting proves nothing", check(&grey), State::Unknown),
            Scene::new("Neither does a refusal of the one who asks", check(&listed), State::Unknown),
            Scene::new(
                "Errors and recipients are limited",
                check(&strict).args(own).arg("--limits"),
                State::Ok,
            ),
        ],
    )
}

fn check(server: &Exchanger) -> Plugin {
    Plugin::new("check_smtp_relay").args(["-H", "127.0.0.1", "-p", &server.port().to_string()])
}
