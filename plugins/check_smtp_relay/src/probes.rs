//! Which recipients are asked for, and why each of them.

use common::proto::smtp::Mailbox;
use serde::{Deserialize, Serialize};

use crate::options::Variants;

/// What a probe proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A mailbox of the server itself that must be accepted.
    Local,
    /// A local part nobody has: whoever takes it takes everything, so that the forms below
    /// that end in the server's own domain prove nothing.
    Control,
    /// A foreign mailbox, as any sender would name it.
    Plain,
    /// `user%other.example@local` (RFC 1123 section 5.2.16).
    Percent,
    /// `other.example!user@local` (UUCP, RFC 976).
    Bang,
    /// `"user@other.example"@local`.
    Quoted,
    /// `@local:user@other.example` (RFC 5321 appendix C).
    SourceRoute,
    /// A foreign mailbox for the empty sender, as bounces have it.
    EmptySender,
}

impl Form {
    /// The words of a sentence.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Local => "local recipient",
            Self::Control => "random local recipient",
            Self::Plain => "plain address",
            Self::Percent => "percent hack",
            Self::Bang => "bang path",
            Self::Quoted => "quoted address",
            Self::SourceRoute => "source route",
            Self::EmptySender => "empty sender",
        }
    }

    /// Whether the recipient's own domain is foreign, so that taking it is relaying.
    pub(crate) const fn is_foreign(self) -> bool {
        matches!(self, Self::Plain | Self::EmptySender)
    }

    /// Whether a server that takes everything in its own domain takes it for that reason.
    pub(crate) const fn ends_at_server(self) -> bool {
        matches!(self, Self::Percent | Self::Bang | Self::Quoted)
    }

    /// Whether the recipient is foreign only for a server that takes it apart.
    pub(crate) const fn is_variant(self) -> bool {
        matches!(self, Self::Percent | Self::Bang | Self::Quoted | Self::SourceRoute)
    }
}

/// A probe to be made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) form: Form,
    pub(crate) sender: String,
    pub(crate) recipient: String,
}

/// What the probes are made of.
pub(crate) struct Parts<'a> {
    pub(crate) sender: &'a Mailbox,
    pub(crate) foreign: &'a Mailbox,
    pub(crate) local: Option<&'a Mailbox>,
    /// The server's own domain, or its address as a literal.
    pub(crate) local_domain: &'a str,
    /// A local part nobody has.
    pub(crate) nobody: &'a str,
}

/// The probes in order: what is right first, then what shows whether the rest means anything.
pub(crate) fn plan(parts: &Parts<'_>, variants: Variants) -> Vec<Plan> {
    let forms: &[Form] = match variants {
        Variants::None => &[],
        Variants::Basic => &[Form::Percent, Form::Bang, Form::Quoted],
        Variants::All => &[Form::Percent, Form::Bang, Form::Quoted, Form::SourceRoute, Form::EmptySender],
    };
    let mut order = Vec::new();
    order.extend(parts.local.map(|_| Form::Local));
    order.extend(forms.iter().any(|form| form.is_variant()).then_some(Form::Control));
    order.push(Form::Plain);
    order.extend(forms);
    order.into_iter().map(|form| probe(form, parts)).collect()
}

fn probe(form: Form, parts: &Parts<'_>) -> Plan {
    let domain = parts.local_domain;
    let (user, other) = (parts.foreign.local_part(), parts.foreign.domain().unwrap_or_default());
    let recipient = match form {
        Form::Local => parts.local.map(Mailbox::path).unwrap_or_default(),
        Form::Control => format!("<{}@{domain}>", parts.nobody),
        Form::Plain | Form::EmptySender => parts.foreign.path(),
        Form::Percent => format!("<{user}%{other}@{domain}>"),
        Form::Bang => format!("<{other}!{user}@{domain}>"),
        Form::Quoted => format!("<\"{user}@{other}\"@{domain}>"),
        Form::SourceRoute => format!("<@{domain}:{user}@{other}>"),
    };
    let sender = if form == Form::EmptySender { "<>".to_owned() } else { parts.sender.path() };
    Plan { form, sender, recipient }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recipients(variants: Variants, local: Option<&str>) -> Vec<(Form, String)> {
        let sender: Mailbox = "a@out.example".parse().unwrap();
        let foreign: Mailbox = "x@y.example".parse().unwrap();
        let local: Option<Mailbox> = local.map(|local| local.parse().unwrap());
        let parts = Parts {
            sender: &sender,
            foreign: &foreign,
            local: local.as_ref(),
            local_domain: "lab.test",
            nobody: "n0b0dy",
        };
        plan(&parts, variants).into_iter().map(|plan| (plan.form, plan.recipient)).collect()
    }

    #[test]
    fn six_probes_by_default() {
        let shown: Vec<String> =
            recipients(Variants::Basic, Some("u@lab.test")).into_iter().map(|(_, path)| path).collect();
        assert_eq!(
            shown,
            [
                "<u@lab.test>",
                "<n0b0dy@lab.test>",
                "<x@y.example>",
                "<x%y.example@lab.test>",
                "<y.example!x@lab.test>",
                "<\"x@y.example\"@lab.test>"
            ]
        );
    }

    #[test]
    fn nothing_but_the_question_without_variants() {
        assert_eq!(recipients(Variants::None, None), [(Form::Plain, "<x@y.example>".to_owned())]);
    }

    #[test]
    fn the_control_comes_before_everything_that_needs_it() {
        let all = recipients(Variants::All, None);
        let forms: Vec<Form> = all.iter().map(|(form, _)| *form).collect();
        assert_eq!(forms[..2], [Form::Control, Form::Plain]);
        assert!(all.contains(&(Form::SourceRoute, "<@lab.test:x@y.example>".to_owned())));
        assert!(all.contains(&(Form::EmptySender, "<x@y.example>".to_owned())));
    }

    proptest! {
        #[test]
        fn no_probe_ends_its_path_early(user in "[a-z\"%!]{1,9}", domain in "[a-z.]{1,9}") {
            let sender: Mailbox = "a@out.example".parse().unwrap();
            let foreign: Mailbox = format!("{user}@{domain}").parse().unwrap();
            let parts = Parts {
                sender: &sender, foreign: &foreign, local: None, local_domain: "[192.0.2.1]", nobody: "n",
            };
            for probe in plan(&parts, Variants::All) {
                prop_assert_eq!(probe.recipient.matches(['<', '>', ' ', '\r', '\n']).count(), 2);
            }
        }
    }
}
