//! How much a server puts up with: errors in one session, recipients of one message. Each is
//! asked for in a session of its own, and nothing is ever sent.

use common::net::smtp::{Opening, SmtpClient, Stop};
use common::net::{Deadline, Phase, ProbeError, Trouble};
use common::proto::smtp::{Reply, Said};

use crate::options::LimitArgs;
use crate::seen::{Limits, Tried};
use crate::session::Caller;

/// Recipients named at once where the server takes that; their replies fit into any buffer.
const BATCH: u32 = 50;
/// Answers before a line that can be a limit.
const FEWEST: u32 = 2;
/// An answer that takes so much longer than the quickest was held back.
const HELD_BACK_S: f64 = 0.4;

/// Both limits.
pub(crate) fn probe(caller: &Caller<'_>, wanted: &LimitArgs) -> Limits {
    Limits {
        errors: errors(caller, wanted.error_limit),
        recipients: recipients(caller, wanted.recipient_limit),
    }
}

/// Names a foreign recipient until the server has had enough of refusing it.
fn errors(caller: &Caller<'_>, limit: u32) -> Tried {
    let probes = &caller.options.probes;
    in_a_session(caller, &probes.mail_from.path(), |client, _, tried| {
        let mut quickest = f64::INFINITY;
        let rcpt = format!("RCPT TO:{}", probes.rcpt_to.path());
        // One more, for a server may answer the last one and say that it was the last with the next.
        for number in 1..=limit.saturating_add(1) {
            let before = caller.deadline.elapsed();
            let reply = client.say(&rcpt, Phase::Querying)?;
            let time = elapsed(caller.deadline, before);
            if reply.code == 421 {
                tried.draw_line(&reply);
                return Ok(());
            }
            if reply.class() < 4 && !Said::from(&reply).takes_recipient() {
                tried.cut_short = Some(format!("not an answer to RCPT: {}", reply.words()));
                return Ok(());
            }
            if Said::from(&reply).takes_recipient() {
                tried.cut_short = Some("the server refuses nothing".to_owned());
                return Ok(());
            }
            tried.count = number;
            if time > quickest + HELD_BACK_S {
                let (since, slowest) = tried.slowed.unwrap_or((number, time));
                tried.slowed = Some((since, slowest.max(time)));
            }
            quickest = quickest.min(time);
        }
        Ok(())
    })
}

/// Names a recipient of the server's own until it has enough of them.
fn recipients(caller: &Caller<'_>, limit: u32) -> Tried {
    let probes = &caller.options.probes;
    let Some(local) = &probes.local_rcpt else { return Tried::default() };
    in_a_session(caller, &probes.mail_from.path(), |client, opening, tried| {
        let pipelines = opening.ehlo.as_ref().is_some_and(|ehlo| ehlo.has("PIPELINING"));
        let batch = if pipelines { BATCH } else { 1 };
        let rcpt = format!("RCPT TO:{}", local.path());
        let most = limit.saturating_add(1);
        while tried.count < most {
            let lines = vec![rcpt.clone(); usize::try_from(batch.min(most - tried.count)).unwrap_or(1)];
            let mut replies = Vec::new();
            let result = client.say_all(&lines, Phase::Querying, &mut replies);
            for reply in &replies {
                let said = Said::from(reply);
                if !said.takes_recipient() {
                    // 452 (RFC 5321 section 4.5.3.1.10), or any code with the words x.5.3.
                    if reply.code == 452 || matches!(said.enhanced(), Some((_, 5, 3))) {
                        tried.draw_line(reply);
                    } else {
                        tried.cut_short = Some(reply.words());
                    }
                    return Ok(());
                }
                tried.count += 1;
            }
            result?;
        }
        client.say("RSET", Phase::Querying)?;
        Ok(())
    })
}

/// Opens a session and a transaction for an attempt. A connection that ends in it is a line as well.
fn in_a_session(
    caller: &Caller<'_>,
    sender: &str,
    attempt: impl FnOnce(&mut SmtpClient, &Opening, &mut Tried) -> Result<(), ProbeError>,
) -> Tried {
    let (mut opening, mut tried) = (Opening::default(), Tried::default());
    let mut client = match caller.call(&mut opening) {
        Ok(client) => client,
        Err(stop) => return Tried { cut_short: Some(stop.to_string()), ..tried },
    };
    let begun = client.say(&format!("MAIL FROM:{sender}"), Phase::Querying);
    let result = match begun {
        Ok(reply) if reply.class() == 2 => attempt(&mut client, &opening, &mut tried),
        Ok(reply) => {
            tried.cut_short = Some(format!("MAIL refused: {}", reply.words()));
            Ok(())
        }
        Err(error) => Err(error),
    };
    let intact = result.is_ok() && !tried.closed;
    match result {
        Err(error) if error.trouble == Trouble::Unreachable && tried.count > 0 => tried.closed = true,
        Err(error) => tried.cut_short = Some(Stop::Failed(error).to_string()),
        Ok(()) => {}
    }
    opening.close(client, intact);
    // One answer is no patience that could have come to an end.
    if tried.is_limited() && tried.count < FEWEST && tried.cut_short.is_none() {
        let said = tried.line.as_ref().map(|said| format!(": {}", said.words)).unwrap_or_default();
        tried.cut_short = Some(format!("the server ends too early for a limit{said}"));
    }
    tried
}

impl Tried {
    fn draw_line(&mut self, reply: &Reply) {
        self.line = Some(Said::from(reply));
        self.closed = reply.code == 421;
    }

    /// How much it put up with; unknown where that was not found out.
    pub(crate) fn taken(&self) -> Option<f64> {
        self.cut_short.is_none().then(|| f64::from(self.count))
    }

    /// Whether the server drew a line.
    pub(crate) const fn is_limited(&self) -> bool {
        self.closed || self.line.is_some()
    }
}

fn elapsed(deadline: &Deadline, before: std::time::Duration) -> f64 {
    deadline.elapsed().saturating_sub(before).as_secs_f64()
}
