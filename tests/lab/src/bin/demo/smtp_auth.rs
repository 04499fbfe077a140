//! check_smtp_auth against a good server, and against the ways servers go bad.

use lab::output::State;
use lab::plugin::Plugin;
use lab::process::free_port;
use lab::smtpd::{Submission, SubmissionOptions, TlsMode};

use crate::{Scene, show_all};

pub(crate) fn play() -> (usize, usize) {
    let good = Submission::start(SubmissionOptions::default());
    let implicit =
        Submission::start(SubmissionOptions { tls: TlsMode::Implicit, ..SubmissionOptions::default() });
    let clear = Submission::start(SubmissionOptions { tls: TlsMode::None, ..SubmissionOptions::default() });
    let mut expiring = SubmissionOptions::default();
    expiring.certificate = expiring.certificate.days(5);
    let expiring = Submission::start(expiring);
    let masked = Submission::start(SubmissionOptions {
        banner: "220 ****************2**0*****2***".to_owned(),
        ..SubmissionOptions::default()
    });
    let down = Submission::start(SubmissionOptions { backend_down: true, ..SubmissionOptions::default() });

    let login = |server: &Submission| {
        check(server.port(), &server.ca_file().to_string_lossy()).env("PROBE_PW", "secret")
    };
    show_all(
        "check_smtp_auth: can people send mail through this server?",
        &[
            Scene::new("A good login by STARTTLS", login(&good), State::Ok),
            Scene::new(
                "The same by implicit TLS, with facts (-v) and a limit on the time",
                login(&implicit).args(["--tls", "implicit", "-v", "-w", "2", "-c", "5"]),
                State::Ok,
            ),
            Scene::new(
                "A wrong password",
                check(good.port(), &good.ca_file().to_string_lossy()).env("PROBE_PW", "wrong"),
                State::Critical,
            ),
            Scene::new(
                "The password database is down: not the password's fault",
                login(&down),
                State::Critical,
            ),
            Scene::new("No TLS where TLS is required: no password is sent", login(&clear), State::Critical),
            Scene::new("The certificate ends in five days", login(&expiring), State::Critical),
            Scene::new(
                "The certificate is for another name",
                login(&good).args(["--sni", "mail.example.org"]),
                State::Critical,
            ),
            Scene::new("A firewall masks the banner", login(&masked), State::Warning),
            Scene::new("Nobody listens", login_to(free_port(), &good), State::Critical),
            Scene::new(
                "A password on the command line is refused",
                login(&good).args(["--password", "secret"]),
                State::Unknown,
            ),
        ],
    )
}

fn check(port: u16, ca_file: &str) -> Plugin {
    Plugin::new("check_smtp_auth")
        .args(["-H", "localhost", "-4", "-p", &port.to_string(), "--ca-file", ca_file])
        .args(["-u", "probe", "--password-env", "PROBE_PW"])
}

fn login_to(port: u16, server: &Submission) -> Plugin {
    check(port, &server.ca_file().to_string_lossy()).env("PROBE_PW", "secret")
}
