//! The dialogue with one address: MAIL and RCPT, and never DATA.

use std::net::SocketAddr;

use common::cli::DeliveryConnector;
use common::net::smtp::{Hello, Opening, SmtpClient, Step, Stop};
use common::net::{Deadline, Phase};
use common::proto::smtp::{Mailbox, Said};

use crate::CheckSmtpRcpt;
use crate::seen::{End, Visit};

/// What all conversations of a run share.
pub(crate) struct Setting<'a> {
    pub(crate) options: &'a CheckSmtpRcpt,
    pub(crate) recipient: &'a Mailbox,
    /// Somebody who does not exist.
    pub(crate) stranger: Option<Mailbox>,
}

impl Setting<'_> {
    /// One conversation, from connect to QUIT.
    pub(crate) fn visit(
        &self,
        address: SocketAddr,
        connector: &DeliveryConnector,
        deadline: &Deadline,
    ) -> Visit {
        let before = deadline.elapsed();
        let mut opening = Opening::default();
        let manner = self.options.smtp.manner(Hello::EhloOrHelo, deadline);
        let mut client = match opening.open(&manner, connector.encryption(), &[address]) {
            Ok(client) => client,
            Err(stop) => {
                return Visit { address, opening, end: End::Stopped(stop), stranger: None, time: None };
            }
        };
        let has_smtputf8 = opening.ehlo.as_ref().is_some_and(|ehlo| ehlo.has("SMTPUTF8"));
        let end = if self.options.envelope.needs_smtputf8() && !has_smtputf8 {
            End::NoSmtpUtf8
        } else {
            self.ask(&mut client, self.recipient)
        };
        let time =
            matches!(end, End::Answered(_)).then(|| deadline.elapsed().saturating_sub(before).as_secs_f64());
        let mut intact = end.leaves_dialogue_intact();
        let stranger = self.stranger.as_ref().filter(|_| time.is_some() && intact).map(|stranger| {
            let said = match client.say("RSET", Phase::Querying) {
                Ok(_) => self.ask(&mut client, stranger),
                Err(error) => End::Stopped(Stop::Failed(error)),
            };
            intact = said.leaves_dialogue_intact();
            said
        });
        // Nobody waits for a message behind the recipient. Whether the server says yes to that
        // changes nothing.
        let intact = intact && client.say("RSET", Phase::Querying).is_ok();
        opening.close(client, intact);
        Visit { address, opening, end, stranger, time }
    }

    /// MAIL and RCPT.
    fn ask(&self, client: &mut SmtpClient, recipient: &Mailbox) -> End {
        self.say(client, recipient).map_or_else(End::Stopped, End::Answered)
    }

    fn say(&self, client: &mut SmtpClient, recipient: &Mailbox) -> Result<Said, Stop> {
        let envelope = &self.options.envelope;
        let parameters = if envelope.needs_smtputf8() { " SMTPUTF8" } else { "" };
        let sender =
            client.say(&format!("MAIL FROM:{}{parameters}", envelope.mail_from.path()), Phase::Querying)?;
        if sender.code != 250 {
            return Err(Stop::Refused(Step::MailFrom, Said::from(&sender)));
        }
        let answer = client.say(&format!("RCPT TO:{}", recipient.path()), Phase::Querying)?;
        Ok(Said::from(&answer))
    }
}
