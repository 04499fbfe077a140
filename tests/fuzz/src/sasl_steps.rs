//! SASL exchanges with a server that may say anything: the exchange ends, the password is
//! sent only by mechanisms that send it, and nobody is believed who has proved nothing.
//!
//! Input: a byte for the mechanism, one for the channel binding, then challenges between
//! bytes 0xff.

use common::proto::sasl::{ChannelBinding, Credentials, Exchange, Mechanism, Setup, decode, encode};

const PASSWORD: &[u8] = b"Zx9-unlikely-word";
const TOKEN: &[u8] = b"Tk7-unlikely-token";
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
/// A server may ask for millions of iterations: too slow to be tried thousands of times.
const MOST_DIGITS: usize = 4;

/// The target.
pub fn run(data: &[u8]) {
    if let Ok(message) = decode(data) {
        assert_eq!(decode(&encode(&message)).as_ref(), Ok(&message));
    }
    let [mechanism, binding, rest @ ..] = data else { return };
    if many_iterations(rest) {
        return;
    }
    let mechanism = Mechanism::ALL[usize::from(*mechanism) % Mechanism::ALL.len()];
    let binding = match binding % 3 {
        0 => None,
        1 => Some(ChannelBinding::TlsExporter(vec![7; 32])),
        _ => Some(ChannelBinding::TlsServerEndPoint(vec![9; 32])),
    };
    let mut exchange = Exchange::new(mechanism, credentials(), setup(binding));
    assert!(exchange.finished().is_err(), "{mechanism} at the start");
    match exchange.initial() {
        Ok(Some(message)) => check(mechanism, b"", &message),
        Ok(None) => {}
        // A form with binding over a connection that offers none.
        Err(_) => return,
    }
    let mut answers = 0;
    for challenge in rest.split(|byte| *byte == 0xff) {
        let error = exchange.token_error(challenge);
        assert!(error.is_none() || mechanism.takes_token());
        let Ok(answer) = exchange.respond(challenge) else { break };
        answers += 1;
        assert!(answers <= 3, "{mechanism} goes on and on");
        check(mechanism, challenge, &answer);
        assert_eq!(exchange.iterations().is_some(), mechanism.is_scram());
        // No input can carry a signature made with the password: nobody wrote one into the corpus.
        if mechanism.is_scram() || mechanism == Mechanism::DigestMd5 {
            assert!(exchange.finished().is_err(), "{mechanism} believes what was not proved");
        }
    }
}

fn credentials() -> Credentials {
    let secret = |bytes: &[u8]| bytes.to_vec().into();
    Credentials {
        user: "user".into(),
        authzid: String::new(),
        password: secret(PASSWORD),
        token: secret(TOKEN),
    }
}

fn setup(binding: Option<ChannelBinding>) -> Setup {
    Setup { service: "smtp", host: "mail.example".into(), port: 587, binding, nonce: NONCE.into() }
}

fn check(mechanism: Mechanism, challenge: &[u8], message: &[u8]) {
    assert!(message.len() <= 512 + 2 * challenge.len(), "{mechanism}: {} bytes", message.len());
    let carries = |secret: &[u8]| message.windows(secret.len()).any(|window| window == secret);
    let echoed = |secret: &[u8]| challenge.windows(secret.len()).any(|window| window == secret);
    let shows = mechanism.shows_secret();
    assert!(!carries(PASSWORD) || echoed(PASSWORD) || (shows && mechanism.takes_password()), "{mechanism}");
    assert!(!carries(TOKEN) || echoed(TOKEN) || mechanism.takes_token(), "{mechanism}");
    if mechanism.is_scram() && message.starts_with(b"c=") {
        let text = std::str::from_utf8(message).expect("SCRAM is UTF-8");
        assert!(text.contains(&format!(",r={NONCE}")) && text.contains(",p="), "{text:?}");
    }
}

fn many_iterations(challenges: &[u8]) -> bool {
    challenges.windows(2).enumerate().filter(|(_, window)| *window == b"i=").any(|(at, _)| {
        challenges[at + 2..].iter().take_while(|byte| byte.is_ascii_digit()).count() > MOST_DIGITS
    })
}
