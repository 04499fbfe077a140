//! The dialogue: all I/O of the check, no judgement.

use std::collections::VecDeque;
use std::net::SocketAddr;

use common::cli::DeliveryConnector;
use common::net::random::nobody_at;
use common::net::smtp::{Hello, Opening, SmtpClient, Step, Stop};
use common::net::{Deadline, Phase, ProbeError, Trouble, at_once, resolve};
use common::proto::smtp::{Ehlo, HeloName, Reply, Said, domain_literal};

use crate::CheckSmtpRelay;
use crate::limits;
use crate::probes::{Form, Parts, Plan, plan};
use crate::seen::{Asked, Outcome, Seen, Server, Session};

/// Sessions for the probes: one for each, where the server or `--max-errors` allows no more.
const MOST_SESSIONS: usize = 8;
/// Addresses of the host that are asked, all at once; a server bounds the connections of one client.
const MOST_ADDRESSES: usize = 16;

/// Looks and takes down what there is. An error means that nothing was sent.
pub(crate) fn probe(options: &CheckSmtpRelay, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let mut seen = Seen::nothing();
    let (host, family) = (&options.target.hostname, options.smtp.family(options.target.family()));
    let mut addresses = match resolve(host, options.port(), family, deadline) {
        Ok(addresses) => addresses,
        Err(error) => {
            seen.unresolved = Some(error);
            return Ok(seen);
        }
    };
    // The resolver's order changes from run to run.
    addresses.sort_unstable();
    seen.left_out = addresses.len().saturating_sub(MOST_ADDRESSES);
    addresses.truncate(MOST_ADDRESSES);
    let is_alone = addresses.len() == 1;
    deadline.enter(Phase::Querying);
    let servers = at_once(&addresses, MOST_ADDRESSES, |_, address| {
        let own = if is_alone { deadline.clone() } else { deadline.apart() };
        Ok(Caller::of(options, &own, *address)?.probe_relay())
    })?;
    seen.servers = servers.into_iter().collect::<Result<_, ProbeError>>()?;
    let answered = seen.first_answered().map(|server| server.address);
    if let (true, Some(address)) = (options.limits.limits, answered) {
        seen.limits = Some(limits::probe(&Caller::of(options, deadline, address)?, &options.limits));
    }
    Ok(seen)
}

/// Whom all sessions with an address call.
pub(crate) struct Caller<'a> {
    pub(crate) options: &'a CheckSmtpRelay,
    pub(crate) deadline: &'a Deadline,
    /// One for each address: what a handshake shows is kept in it.
    connector: DeliveryConnector,
    address: SocketAddr,
}

impl<'a> Caller<'a> {
    /// Nothing is sent yet.
    fn of(
        options: &'a CheckSmtpRelay,
        deadline: &'a Deadline,
        address: SocketAddr,
    ) -> Result<Self, ProbeError> {
        let connector = options.tls.connector(&options.target.hostname)?;
        Ok(Self { options, deadline, connector, address })
    }

    /// Begins a session.
    pub(crate) fn call(&self, opening: &mut Opening) -> Result<SmtpClient, Stop> {
        let manner = self.options.smtp.manner(Hello::EhloOrHelo, self.deadline);
        opening.open(&manner, self.connector.encryption(), &[self.address])
    }

    fn probe_relay(&self) -> Server {
        let mut server = Server::nothing(self.address);
        let mut left: Option<VecDeque<Plan>> = None;
        for _ in 0..MOST_SESSIONS {
            let mut session = Session::nothing();
            let mut client = match self.call(&mut session.opening) {
                Ok(client) => client,
                Err(stop) => {
                    session.stopped = Some(stop);
                    server.sessions.push(session);
                    break;
                }
            };
            session.ours = client.local_address();
            let plans = left.get_or_insert_with(|| self.plan(&session.opening, &mut server));
            let before = plans.len();
            let mut talk = Talk::new(&mut client, session.opening.ehlo.as_ref());
            session.stopped = talk.ask(plans, self.options.probes.max_errors, &mut server).err();
            if plans.is_empty() && session.stopped.is_none() && self.options.probes.confirm_data {
                server.data = confirm(&mut talk, &server);
            }
            let intact = session.stopped.as_ref().is_none_or(Stop::leaves_dialogue_intact);
            // A message that was begun must not be ended by what we say: hang up.
            let begun = match &server.data {
                Some(Outcome::Answered(said)) => said.class() < 4,
                Some(Outcome::Lost) => true,
                _ => false,
            };
            session.opening.close(client, intact && !begun);
            let stopped = session.stopped.clone();
            server.sessions.push(session);
            let is_broken =
                matches!(&stopped, Some(Stop::Failed(error)) if error.trouble == Trouble::Protocol);
            if plans.is_empty() || plans.len() == before || is_broken || self.deadline.left().is_zero() {
                break;
            }
        }
        let lost = left.unwrap_or_default().into_iter();
        server.probes.extend(lost.map(|plan| asked(plan, Outcome::Lost)));
        server
    }

    /// The probes, once it is known how the server calls itself.
    fn plan(&self, opening: &Opening, server: &mut Server) -> VecDeque<Plan> {
        let probes = &self.options.probes;
        let given = probes.local_rcpt.as_ref().and_then(|local| local.domain().map(str::to_owned));
        let announced = || opening.ehlo.as_ref().and_then(announced_name);
        let literal = || opening.address.map(|address| domain_literal(address.ip()).to_string());
        let local_domain = given.or_else(announced).or_else(literal).unwrap_or_default();
        let parts = Parts {
            sender: &probes.mail_from,
            foreign: &probes.rcpt_to,
            local: probes.local_rcpt.as_ref(),
            local_domain: &local_domain,
            nobody: &nobody_at(&local_domain),
        };
        let plans = plan(&parts, probes.variants).into();
        server.local_domain = Some(local_domain);
        plans
    }
}

/// The name in the server's answer to EHLO (RFC 5321 section 4.1.1.1), if it is one that can
/// stand in an address.
fn announced_name(ehlo: &Ehlo) -> Option<String> {
    let name = ehlo.greeting.split(' ').next()?;
    let good = name.parse::<HeloName>().is_ok() && !name.starts_with('[');
    good.then(|| name.to_ascii_lowercase())
}

/// Whether the server would take the message as well: DATA, and not a byte of it.
fn confirm(talk: &mut Talk<'_>, server: &Server) -> Option<Outcome> {
    let open = server.probes.iter().find(|asked| asked.form == Form::Plain && asked.is_taken())?;
    let plan = Plan { form: Form::Plain, sender: open.sender.clone(), recipient: open.recipient.clone() };
    let answered = talk.envelope(&plan).and_then(|outcome| match outcome {
        Outcome::Answered(said) if said.takes_recipient() => {
            Ok(Outcome::Answered(Said::from(&talk.client.say("DATA", Phase::Querying)?)))
        }
        Outcome::Answered(said) => Ok(Outcome::Barred(Step::RcptTo, said)),
        other => Ok(other),
    });
    Some(answered.unwrap_or(Outcome::Lost))
}

/// What is said in one session after EHLO.
pub(crate) struct Talk<'a> {
    client: &'a mut SmtpClient,
    /// The server takes several commands at once (RFC 2920).
    pipelines: bool,
    /// The sender of a transaction that has no recipient yet.
    transaction: Option<String>,
    /// Whether anything was said that RSET takes back.
    dirty: bool,
    errors: u32,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(client: &'a mut SmtpClient, ehlo: Option<&Ehlo>) -> Self {
        let pipelines = ehlo.is_some_and(|ehlo| ehlo.has("PIPELINING"));
        Self { client, pipelines, transaction: None, dirty: false, errors: 0 }
    }

    /// Asks until nothing is left or the server has refused often enough.
    fn ask(&mut self, plans: &mut VecDeque<Plan>, max_errors: u32, server: &mut Server) -> Result<(), Stop> {
        while let Some(plan) = plans.front() {
            if self.errors >= max_errors {
                break;
            }
            let outcome = if plan.form.ends_at_server() && server.is_catch_all() {
                Outcome::Skipped
            } else {
                self.envelope(plan)?
            };
            // The server is about to close: the next session asks again.
            match &outcome {
                Outcome::Answered(said) if said.code == 421 => {
                    return Err(Stop::Refused(Step::RcptTo, said.clone()));
                }
                Outcome::Barred(step, said) if said.code == 421 => {
                    return Err(Stop::Refused(*step, said.clone()));
                }
                _ => {}
            }
            if let Some(plan) = plans.pop_front() {
                server.probes.push(asked(plan, outcome));
            }
        }
        Ok(())
    }

    /// One recipient of one sender, with RSET before it.
    ///
    /// In two round trips at most: with PIPELINING all goes in one; without, a transaction
    /// whose recipients were all refused is as good as a new one (RFC 5321 section 4.1.1.3)
    /// and takes the next recipient.
    pub(crate) fn envelope(&mut self, plan: &Plan) -> Result<Outcome, Stop> {
        let rset = self.dirty.then(|| "RSET".to_owned());
        let mail = format!("MAIL FROM:{}", plan.sender);
        let rcpt = format!("RCPT TO:{}", plan.recipient);
        let outcome = if self.pipelines {
            let lines: Vec<String> = rset.into_iter().chain([mail, rcpt]).collect();
            self.together(&lines)?
        } else {
            self.one_by_one(rset.as_deref(), &mail, &rcpt, &plan.sender)?
        };
        let taken = matches!(&outcome, Outcome::Answered(said) if said.takes_recipient());
        let begun = matches!(&outcome, Outcome::Answered(_));
        self.transaction = (begun && !taken).then(|| plan.sender.clone());
        self.dirty = true;
        Ok(outcome)
    }

    fn together(&mut self, lines: &[String]) -> Result<Outcome, Stop> {
        let mut replies = Vec::new();
        let result = self.client.say_all(lines, Phase::Querying, &mut replies);
        for reply in &replies {
            self.count(reply);
        }
        if let Some(closing) = replies.iter().find(|reply| reply.code == 421) {
            return Ok(Outcome::Answered(Said::from(closing)));
        }
        result?;
        Ok(match replies.as_slice() {
            // A transaction that could not be taken back.
            [rset, mail, _] if rset.class() != 2 && mail.code == 503 => {
                Outcome::Barred(Step::Rset, Said::from(rset))
            }
            [.., mail, _] if mail.code != 250 => Outcome::Barred(Step::MailFrom, Said::from(mail)),
            [.., rcpt] => Outcome::Answered(Said::from(rcpt)),
            [] => Outcome::Lost,
        })
    }

    fn one_by_one(
        &mut self,
        rset: Option<&str>,
        mail: &str,
        rcpt: &str,
        sender: &str,
    ) -> Result<Outcome, Stop> {
        if self.transaction.as_deref() != Some(sender) {
            if let Some(rset) = rset {
                let reply = self.say(rset)?;
                if reply.class() != 2 {
                    return Ok(Outcome::Barred(Step::Rset, Said::from(&reply)));
                }
            }
            let reply = self.say(mail)?;
            if reply.code != 250 {
                return Ok(Outcome::Barred(Step::MailFrom, Said::from(&reply)));
            }
        }
        Ok(Outcome::Answered(Said::from(&self.say(rcpt)?)))
    }

    fn say(&mut self, line: &str) -> Result<Reply, Stop> {
        let reply = self.client.say(line, Phase::Querying)?;
        self.count(&reply);
        Ok(reply)
    }

    fn count(&mut self, reply: &Reply) {
        self.errors += u32::from(reply.class() >= 4);
    }
}

fn asked(plan: Plan, outcome: Outcome) -> Asked {
    Asked { form: plan.form, sender: plan.sender, recipient: plan.recipient, outcome }
}
