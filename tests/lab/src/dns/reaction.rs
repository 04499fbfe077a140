//! What the responder does about a query: the content of the answer, when it goes out, and
//! what is wrong with it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::codec::{Encoder, Flags, wire_question};
use super::malformed::Malformed;
use super::query::{Query, Transport};
use super::types::{Rcode, Rdata, Record, RecordType};

/// What becomes of a query that comes by TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tcp {
    /// Answered in full.
    #[default]
    Answered,
    /// Read and never answered; the connection stays open.
    Silent,
    /// The connection is closed without an answer.
    Closed,
    /// The connection is closed in the middle of the answer, whose length says more.
    CutShort,
}

/// What happens after one query: no message, one, or several. Made from what the answer
/// says, then changed by what is wrong with it:
/// ```
/// use std::time::Duration;
/// use lab::dns::{Reaction, Record};
/// let listed = || Reaction::records([Record::address("127.0.0.2")]);
/// let late = listed().delayed(Duration::from_millis(30));
/// let forged_first = listed().wrong_question("other.lab.test").then(late);
/// let truncated = listed().truncated();
/// # let _ = (forged_first, truncated);
/// ```
#[derive(Clone, Debug)]
pub struct Reaction {
    pub(crate) messages: Vec<Message>,
    pub(crate) tcp: Tcp,
}

/// One message of a reaction.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) after: Duration,
    pub(crate) from_other_port: bool,
    content: Content,
    flags: Flags,
    forged_id: bool,
    forged_question: Option<String>,
    zone: Option<Arc<str>>,
    /// Records of the authority and of the additional section.
    beside: [Vec<Record>; 2],
    /// How many answer records are left beside the TC bit.
    truncated: Option<usize>,
    any_size: bool,
    authentic: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Answer { rcode: Rcode, records: Vec<Record>, negative: bool },
    Malformed(Malformed, Vec<Record>),
    Bytes(Vec<u8>),
}

impl Reaction {
    /// An answer with these records, whatever was asked for.
    #[must_use]
    pub fn records(records: impl IntoIterator<Item = Record>) -> Self {
        let records = records.into_iter().collect();
        Self::of(Content::Answer { rcode: Rcode::NoError, records, negative: false })
    }

    /// The name exists, but not with this type: no records, the zone's SOA (RFC 2308 section 2.2).
    #[must_use]
    pub fn nodata() -> Self {
        Self::of(Content::Answer { rcode: Rcode::NoError, records: Vec::new(), negative: true })
    }

    /// The name does not exist: NXDOMAIN with the zone's SOA (RFC 2308 section 2.1).
    #[must_use]
    pub fn nxdomain() -> Self {
        Self::of(Content::Answer { rcode: Rcode::NxDomain, records: Vec::new(), negative: true })
    }

    /// A delegation as the zone above gives it: the zone's name servers, and the addresses of
    /// those among them, without authority (RFC 1034 section 4.2.1). Names each owner itself.
    #[must_use]
    pub fn referral(
        servers: impl IntoIterator<Item = Record>,
        glue: impl IntoIterator<Item = Record>,
    ) -> Self {
        let beside = [servers.into_iter().collect(), glue.into_iter().collect()];
        let flags = Flags { authoritative: false, ..Flags::AUTHORITATIVE };
        Self::records([]).flags(flags).each(|message| message.beside.clone_from(&beside))
    }

    /// An empty answer with this code.
    #[must_use]
    pub fn rcode(rcode: Rcode) -> Self {
        Self::of(Content::Answer { rcode, records: Vec::new(), negative: false })
    }

    /// No answer at all.
    #[must_use]
    pub fn silence() -> Self {
        Self { messages: Vec::new(), tcp: Tcp::Answered }
    }

    /// A message that breaks the format. It carries the id of the query, and `127.0.0.2`
    /// wherever there is a record, so that a client which reads too much finds a listing.
    #[must_use]
    pub fn malformed(how: Malformed) -> Self {
        Self::of(Content::Malformed(how, vec![Record::address("127.0.0.2")]))
    }

    /// These bytes as they are, id included.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Content::Bytes(bytes.into()))
    }

    /// So many A records from 127.0.0.2 on. Beyond 28 they do not fit into 512 bytes, so a
    /// client must ask again by TCP.
    #[must_use]
    pub fn addresses(count: u32) -> Self {
        let first = u32::from(Ipv4Addr::new(127, 0, 0, 2));
        Self::records((0..count).map(|n| Record::address(&Ipv4Addr::from(first + n).to_string())))
    }

    /// An alias that leads over `length` aliases to these records. For a client that takes it
    /// as it is: a resolver asks for each alias again, for which there is [`super::Names`].
    #[must_use]
    pub fn cname_chain(length: usize, records: impl IntoIterator<Item = Record>) -> Self {
        let name = |number: usize| format!("alias{number}.lab.test");
        let mut chain = Vec::new();
        for number in 1..=length {
            let alias = Record::cname(&name(number));
            chain.push(if number == 1 { alias } else { alias.owned_by(&name(number - 1)) });
        }
        let last = |record: Record| if length == 0 { record } else { record.owned_by(&name(length)) };
        chain.extend(records.into_iter().map(last));
        Self::records(chain)
    }

    /// Two aliases that lead to each other.
    #[must_use]
    pub fn cname_loop(query: &Query) -> Self {
        let back = Record::cname(&query.name).owned_by("alias1.lab.test");
        Self::records([Record::cname("alias1.lab.test"), back])
    }

    /// Sends everything later by this time; other queries do not wait.
    #[must_use]
    pub fn delayed(self, time: Duration) -> Self {
        self.each(|message| message.after += time)
    }

    /// Other header bits. TC comes from [`Self::truncated`], RD is always a copy.
    #[must_use]
    pub fn flags(self, flags: Flags) -> Self {
        self.each(|message| message.flags = flags)
    }

    /// As from a resolver that has validated it: AD, for clients that want to know (RFC 6840
    /// section 5.8). What is no answer, as SERVFAIL, stays as it is.
    #[must_use]
    pub fn authentic(self) -> Self {
        self.each(|message| message.authentic = true)
    }

    /// By UDP the TC bit and no records; by TCP everything.
    #[must_use]
    pub fn truncated(self) -> Self {
        self.truncated_after(0)
    }

    /// By UDP the TC bit and the first `count` answer records; by TCP everything.
    #[must_use]
    pub fn truncated_after(self, count: usize) -> Self {
        self.each(|message| message.truncated = Some(count))
    }

    /// By UDP everything at once, also more than the client said it takes.
    #[must_use]
    pub fn of_any_size(self) -> Self {
        self.each(|message| message.any_size = true)
    }

    /// What happens when the query comes by TCP.
    #[must_use]
    pub fn tcp(mut self, tcp: Tcp) -> Self {
        self.tcp = tcp;
        self
    }

    /// With an id that is not the query's.
    #[must_use]
    pub fn wrong_id(self) -> Self {
        self.each(|message| message.forged_id = true)
    }

    /// Sent from another port than the one that was asked; by TCP without a meaning.
    #[must_use]
    pub fn wrong_port(self) -> Self {
        self.each(|message| message.from_other_port = true)
    }

    /// With another name in the question section, which also owns the records.
    #[must_use]
    pub fn wrong_question(self, name: &str) -> Self {
        self.each(|message| message.forged_question = Some(name.to_owned()))
    }

    /// Afterwards the messages of the other reaction, each in its own time; so
    /// `forged.then(right.delayed(..))` is a forger who wins the race.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.messages.extend(other.messages);
        self
    }

    /// Everything so many times.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.messages = std::iter::repeat_n(self.messages, count).flatten().collect();
        self
    }

    /// Whether there are records to answer with.
    pub(crate) fn is_answer(&self) -> bool {
        let mut contents = self.messages.iter().map(|message| &message.content);
        contents.any(|content| matches!(content, Content::Answer { records, .. } if !records.is_empty()))
    }

    /// The name that an answer ends at when it gives an alias and nothing behind it.
    pub(crate) fn open_alias(&self, query: &Query) -> Option<String> {
        let [Message { content: Content::Answer { rcode: Rcode::NoError, records, .. }, .. }] =
            &self.messages[..]
        else {
            return None;
        };
        match &records.last()?.data {
            // A loop of aliases ends like the ones of real servers: in an answer without an end.
            Rdata::Cname(target) if query.record_type != RecordType::Cname && records.len() < 20 => {
                Some(target.to_ascii_lowercase())
            }
            _ => None,
        }
    }

    /// What was found behind the alias with which this one ends: its records follow, all else is as
    /// there. Only what is authentic on both sides is so.
    pub(crate) fn leading_to(self, target: &str, mut other: Self) -> Self {
        let first = self.messages.into_iter().next();
        let Some(Message { content: Content::Answer { records: aliases, .. }, after, authentic, .. }) = first
        else {
            return other;
        };
        for message in &mut other.messages {
            if let Content::Answer { records, .. } = &mut message.content {
                let owned = |mut record: Record| {
                    record.name.get_or_insert_with(|| target.to_owned());
                    record
                };
                let behind = std::mem::take(records).into_iter().map(owned);
                *records = aliases.iter().cloned().chain(behind).collect();
            }
            message.after += after;
            message.authentic &= authentic;
        }
        other
    }

    /// Names the zone whose SOA a negative answer shows, unless it is named already.
    pub(crate) fn in_zone(self, zone: &Arc<str>) -> Self {
        self.each(|message| {
            message.zone.get_or_insert_with(|| Arc::clone(zone));
        })
    }

    fn of(content: Content) -> Self {
        let message = Message {
            after: Duration::ZERO,
            from_other_port: false,
            content,
            flags: Flags::RESOLVER,
            forged_id: false,
            forged_question: None,
            zone: None,
            beside: [Vec::new(), Vec::new()],
            truncated: None,
            any_size: false,
            authentic: false,
        };
        Self { messages: vec![message], tcp: Tcp::Answered }
    }

    fn each(mut self, change: impl FnMut(&mut Message)) -> Self {
        self.messages.iter_mut().for_each(change);
        self
    }
}

impl Message {
    /// The bytes that go out.
    pub(crate) fn encode(&self, query: &Query) -> Vec<u8> {
        let mut bytes = match &self.content {
            Content::Answer { rcode, records, negative } => {
                let soa = negative.then(|| Record::soa(&self.negative_zone(query)));
                self.encode_fitting(query, *rcode, records, soa.as_ref())
            }
            Content::Malformed(how, records) => {
                how.bytes(query, &self.encode_answer(query, self.flags, Rcode::NoError, records, None))
            }
            Content::Bytes(bytes) => bytes.clone(),
        };
        if self.forged_id
            && let Some(low) = bytes.get_mut(1)
        {
            *low ^= 0x55;
        }
        bytes
    }

    fn encode_fitting(
        &self,
        query: &Query,
        rcode: Rcode,
        records: &[Record],
        soa: Option<&Record>,
    ) -> Vec<u8> {
        let with = |truncated: bool, records: &[Record]| {
            self.encode_answer(query, Flags { truncated, ..self.flags }, rcode, records, soa)
        };
        if query.transport == Transport::Tcp {
            return with(false, records);
        }
        if let Some(left) = self.truncated {
            return with(true, &records[..left.min(records.len())]);
        }
        let whole = with(false, records);
        if self.any_size || whole.len() <= query.size_limit() { whole } else { with(true, &[]) }
    }

    fn encode_answer(
        &self,
        query: &Query,
        flags: Flags,
        rcode: Rcode,
        records: &[Record],
        soa: Option<&Record>,
    ) -> Vec<u8> {
        let is_answer = matches!(rcode, Rcode::NoError | Rcode::NxDomain);
        let authentic_data = flags.authentic_data || (self.authentic && query.wants_authentic && is_answer);
        let flags = Flags { recursion_desired: query.recursion_desired, authentic_data, ..flags };
        let mut encoder = Encoder::new(query.id, flags, rcode);
        let name = self.forged_question.as_deref().unwrap_or(&query.name);
        match &self.forged_question {
            Some(forged) => encoder.question(forged, &wire_question(forged, query.record_type)),
            None => encoder.question(name, &query.question),
        }
        for record in records {
            encoder.answer(record, name);
        }
        let [authority, additional] = &self.beside;
        for record in authority.iter().chain(soa) {
            encoder.authority(record, name);
        }
        for record in additional {
            encoder.additional(record, name);
        }
        if query.edns.is_some() {
            encoder.edns();
        }
        encoder.finish()
    }

    /// The zone that was named, or whatever is right above the name.
    fn negative_zone(&self, query: &Query) -> String {
        let above = || query.name.split_once('.').map_or("", |(_, zone)| zone);
        self.zone.as_deref().unwrap_or_else(above).to_owned()
    }
}
