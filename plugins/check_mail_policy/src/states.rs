//! What gives which state: for help, manual and engines.

use common::report::{Condition, State};

/// Where this check differs from others: whoever cannot be looked at may well be in order.
pub(crate) const CONDITIONS: &[(Condition, State)] = &[
    (Condition::Unreachable, State::Unknown),
    (Condition::Timeout, State::Unknown),
    (Condition::Protocol, State::Unknown),
    (Condition::Temporary, State::Unknown),
];

/// The rows in the order of the parts.
pub(crate) const STATES: &[(State, &str)] = &[
    (State::Ok, "every record that was looked at is there, right and strict enough, and every --ip passes"),
    (State::Warning, "SPF: lookups from --spf-lookups-warning to 10, ptr, ?all, neither all nor redirect"),
    (
        State::Warning,
        "SPF: a record above 450 bytes, terms that are ignored, a text that only looks like SPF",
    ),
    (State::Warning, "SPF: more than a sixteenth of all addresses may send, a name that nobody can ask for"),
    (State::Critical, "SPF: no record (--spf-missing), several records, a syntax error, a loop"),
    (State::Critical, "SPF: more than 10 lookups, 2 void lookups or 10 mail exchangers in a term"),
    (State::Critical, "SPF: an include of, or a redirect to, a domain without SPF"),
    (State::Critical, "SPF: +all, or anything else that lets everybody send"),
    (State::Critical, "SPF: an --ip that does not pass"),
    (State::Warning, "DKIM: an RSA key below 2048 or above 4096 bits, t=y, a bare RSAPublicKey"),
    (
        State::Critical,
        "DKIM: no key or several, a revoked or broken one, RSA below 1024 bits, no use for mail",
    ),
    (
        State::Warning,
        "DMARC: weaker than --dmarc-min, no p=, words that no receiver knows, reports to who did not agree",
    ),
    (State::Critical, "DMARC: no record up to the top, several, a word in place of the policy that is none"),
    (
        State::Warning,
        "MTA-STS: max_age below a day or above a year, no text/plain, policies that differ, mode none",
    ),
    (State::Critical, "MTA-STS: no record (--mta-sts), several or a broken one, no valid policy"),
    (State::Critical, "MTA-STS: the policy cannot be fetched: refused, redirected, a certificate that fails"),
    (
        State::Critical,
        "MTA-STS enforce: a mail exchanger that is not named or not verified (testing: WARNING)",
    ),
    (State::Warning, "no TLS-RPT record (--tlsrpt): nothing is lost but reports"),
    (State::Critical, "several TLS-RPT records, or one that senders cannot use"),
    (State::Critical, "DANE: no TLSA record, none that matches the certificate served, no STARTTLS"),
    (
        State::Warning,
        "DANE: TLSA, MX or address not validated (no AD), records nobody can use or only some have",
    ),
    (State::Warning, "BIMI: no record (--bimi), several, a broken one, DMARC too weak for a logo"),
    (State::Unknown, "a question without an answer, a mail exchanger or policy host that was not looked at"),
    (State::Unknown, "wrong options, timeout (--timeout-state)"),
];
