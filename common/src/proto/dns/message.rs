//! A question on the wire and what comes back.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};

use super::{Answer, Data, Outcome, Question, Record};
use crate::proto::text::decode;

/// A question as it goes over the wire, kept to tell its answer from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    bytes: Vec<u8>,
    kind: RecordType,
}

/// What a datagram or message is to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Not its answer: another id, another question, no response. Whoever waits goes on
    /// waiting, for this may be forged.
    Stray,
    /// Its answer, cut short: ask again over TCP (RFC 7766 section 5).
    Truncated,
    /// Its answer.
    Answer(Answer),
}

/// Bytes before the question.
const HEADER: usize = 12;
/// Aliases followed within one message.
const MAX_ALIASES: usize = 16;
const TOO_MANY_ALIASES: &str = "more than 16 aliases in a row";
/// Addresses kept that came along: those of 13 servers, several of each.
const MAX_GLUE: usize = 64;

impl Packet {
    /// Writes the question. `recurse` asks a resolver; without it only the server's own
    /// data are wanted. AD asks to be told of validation (RFC 6840 section 5.7).
    ///
    /// The name was checked when it was made; what hickory refuses all the same is `Err`.
    pub fn new(question: &Question, id: u16, recurse: bool) -> Result<Self, String> {
        // As labels, not as text: SPF and DKIM ask for names that no host has (RFC 2181 section 11).
        let labels = question.name.as_str().split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
        let name = Name::from_labels(labels).map_err(|error| error.to_string())?;
        let kind = question.kind.code();
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = recurse;
        message.metadata.authentic_data = true;
        message.add_query(Query::query(name, kind));
        let bytes = message.to_vec().map_err(|error| error.to_string())?;
        Ok(Self { bytes, kind })
    }

    /// The message.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The id: the first two bytes, as in every message.
    #[must_use]
    pub fn id(&self) -> u16 {
        id_of(&self.bytes).unwrap_or_default()
    }

    /// Reads what came back from the server that was asked.
    #[must_use]
    pub fn read(&self, received: &[u8]) -> Heard {
        let (Some(&flags), Some(&codes), Some(count)) =
            (received.get(2), received.get(3), received.get(4..6))
        else {
            return Heard::Stray;
        };
        let is_response = flags & 0x80 != 0 && flags & 0x78 == 0;
        if id_of(received) != Some(self.id()) || !is_response {
            return Heard::Stray;
        }
        // Servers that understand nothing send no question back; then the id must do.
        let bare_error = count == [0, 0] && codes & 0x0f != 0 && codes & 0x0f != 3;
        if !bare_error && !self.asks_the_same(received) {
            return Heard::Stray;
        }
        if flags & 0x02 != 0 {
            return Heard::Truncated;
        }
        match decode_all(received) {
            Ok(message) => Heard::Answer(self.answer(&message)),
            Err(why) => Heard::Answer(Answer::bare(Outcome::Malformed(why))),
        }
    }

    /// Whether the message repeats our question. It comes first, so it is never compressed,
    /// and names compare without case (RFC 4343). Lengths, types and classes have no letters
    /// that would be confused: a label is at most 63 long, and type and class are compared
    /// as they are.
    fn asks_the_same(&self, received: &[u8]) -> bool {
        let Some(question) = self.bytes.get(HEADER..) else { return false };
        let Some(theirs) = received.get(HEADER..self.bytes.len()) else { return false };
        let fixed = question.len().saturating_sub(4);
        question.eq_ignore_ascii_case(theirs)
            && question.get(fixed..) == theirs.get(fixed..)
            && received.get(4..6) == Some(&[0, 1])
    }

    fn answer(&self, message: &Message) -> Answer {
        let soa = message.authorities.iter().find(|record| record.record_type() == RecordType::SOA);
        let aliases = message.queries.first().map_or(Ok(Vec::new()), |query| aliases(message, query.name()));
        Answer {
            outcome: self.outcome(message, aliases.as_deref().map_err(|why| *why), soa.is_some()),
            authoritative: message.metadata.authoritative,
            authenticated: message.metadata.authentic_data,
            zone: soa.map(|record| plain(&record.name)),
            aliases: aliases.unwrap_or_default().into_iter().map(plain).collect(),
            glue: if self.kind == RecordType::NS { glue(message) } else { Vec::new() },
            left_out: 0,
        }
    }

    fn outcome(&self, message: &Message, aliases: Result<&[&Name], &str>, has_soa: bool) -> Outcome {
        match message.metadata.response_code {
            ResponseCode::NoError => {}
            ResponseCode::NXDomain => return Outcome::NxDomain,
            ResponseCode::ServFail => return Outcome::ServFail,
            ResponseCode::Refused => return Outcome::Refused,
            ResponseCode::FormErr => return Outcome::FormErr,
            other => return Outcome::Rcode(other.into()),
        }
        let Some(query) = message.queries.first() else {
            return Outcome::Malformed("no question in it".to_owned());
        };
        let aliases = match aliases {
            Ok(aliases) => aliases,
            Err(why) => return Outcome::Malformed(why.to_owned()),
        };
        let end = aliases.last().copied().unwrap_or(query.name());
        let records: Vec<Record> = message
            .answers
            .iter()
            .filter(|record| record.record_type() == self.kind && record.name == *end)
            .filter_map(record_of)
            .collect();
        let is_alias = !aliases.is_empty();
        let flags = &message.metadata;
        if !records.is_empty() {
            Outcome::Records(records)
        } else if message.answers.iter().any(|record| !self.belongs(record, end)) {
            Outcome::Malformed("records that were not asked for".to_owned())
        } else if is_alias && !has_soa && !flags.recursion_available {
            Outcome::Dangling(plain(end))
        } else if message
            .answers
            .iter()
            .any(|record| record.name == *end && record.record_type() == self.kind)
        {
            Outcome::Malformed(format!("empty {} record", self.kind))
        } else if has_soa || flags.authoritative || is_resolver(message) {
            Outcome::NoData
        } else {
            Outcome::Referral(message.authorities.iter().filter_map(record_of).collect())
        }
    }

    /// Whether a record may stand in the answer section: of the type asked for at the end of
    /// the aliases, or part of the way there. Others are no proof that there is none.
    fn belongs(&self, record: &hickory_proto::rr::Record, end: &Name) -> bool {
        match record.record_type() {
            RecordType::CNAME | RecordType::DNAME | RecordType::RRSIG => true,
            kind => kind == self.kind && record.name == *end,
        }
    }
}

/// Reads a message to its end: what the header does not count may be the record that was
/// asked for.
fn decode_all(received: &[u8]) -> Result<Message, String> {
    let mut decoder = BinDecoder::new(received);
    let message = Message::read(&mut decoder).map_err(|error| error.to_string())?;
    if decoder.is_empty() { Ok(message) } else { Err(format!("{} bytes behind the end", decoder.len())) }
}

/// NOERROR without records is NODATA from a resolver. A server that does not resolve sends
/// the same with name servers for the zone above (RFC 2308 section 2.2), and that says
/// nothing about the name.
fn is_resolver(message: &Message) -> bool {
    message.metadata.recursion_available
        && !message.authorities.iter().any(|record| record.record_type() == RecordType::NS)
}

/// The names that `first` leads to by the aliases in the message, or why they cannot be followed.
fn aliases<'a>(message: &'a Message, first: &'a Name) -> Result<Vec<&'a Name>, &'static str> {
    let mut aliases: Vec<&Name> = Vec::new();
    loop {
        let name = aliases.last().copied().unwrap_or(first);
        let next = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *name => Some(&target.0),
            _ => None,
        });
        match next {
            Some(target) if target == first || aliases.contains(&target) => {
                return Err("its aliases go in a circle");
            }
            Some(_) if aliases.len() == MAX_ALIASES => return Err(TOO_MANY_ALIASES),
            Some(target) => aliases.push(target),
            None => return Ok(aliases),
        }
    }
}

/// The addresses beside the name servers.
fn glue(message: &Message) -> Vec<Record> {
    let is_address = |record: &&hickory_proto::rr::Record| {
        matches!(record.record_type(), RecordType::A | RecordType::AAAA)
    };
    message.additionals.iter().filter(is_address).filter_map(record_of).take(MAX_GLUE).collect()
}

fn id_of(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|id| u16::from_be_bytes(*id))
}

fn plain(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.ends_with('.') && !text.ends_with("\\.") {
        text.pop();
    }
    text.make_ascii_lowercase();
    text
}

/// A record in our words; `None` for types we never ask for, and for empty ones (RFC 2136
/// has such, no answer may).
fn record_of(record: &hickory_proto::rr::Record) -> Option<Record> {
    let data = match &record.data {
        RData::A(address) => Data::A(address.0),
        RData::AAAA(address) => Data::Aaaa(address.0),
        RData::PTR(name) => Data::Ptr(plain(&name.0)),
        RData::NS(name) => Data::Ns(plain(&name.0)),
        RData::CNAME(name) => Data::Cname(plain(&name.0)),
        RData::MX(mx) => Data::Mx { preference: mx.preference, exchange: plain(&mx.exchange) },
        RData::TXT(txt) => Data::Txt(decode(&txt.txt_data.concat())),
        RData::SOA(soa) => Data::Soa {
            mname: plain(&soa.mname),
            rname: plain(&soa.rname),
            serial: soa.serial,
            minimum: soa.minimum,
        },
        RData::TLSA(tlsa) => Data::Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        _ => return None,
    };
    Some(Record { name: plain(&record.name), ttl: record.ttl, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::dns::{DomainName, Kind};
    use hickory_proto::rr::Record as WireRecord;
    use hickory_proto::rr::rdata;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const NAME: &str = "2.0.0.127.bl.example";

    fn packet(id: u16) -> Packet {
        Packet::new(&Question { name: NAME.parse().unwrap(), kind: Kind::A }, id, true).unwrap()
    }

    /// A response of a resolver, changed in one way.
    fn response(id: u16, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::new(id, MessageType::Response, OpCode::Query);
        message.metadata.recursion_available = true;
        message.add_query(Query::query(Name::from_ascii(format!("{NAME}.")).unwrap(), RecordType::A));
        change(&mut message);
        message.to_vec().unwrap()
    }

    fn a(owner: &str, address: Ipv4Addr) -> WireRecord {
        WireRecord::from_rdata(Name::from_ascii(owner).unwrap(), 60, RData::A(rdata::A(address)))
    }

    fn outcome(bytes: &[u8]) -> Option<Outcome> {
        match packet(7).read(bytes) {
            Heard::Answer(answer) => Some(answer.outcome),
            _ => None,
        }
    }

    #[test]
    fn names_that_no_host_has_are_asked_for_as_they_stand() {
        for labels in ["joe+x._spf", "a:b/c", "two words", "-", "a\"b"] {
            let name = DomainName::root().child(&format!("{labels}.example")).unwrap();
            let bytes = Packet::new(&Question { name, kind: Kind::A }, 7, true).unwrap().bytes;
            let first = labels.split('.').next().unwrap().as_bytes();
            assert_eq!(usize::from(bytes[HEADER]), first.len());
            assert!(bytes[HEADER + 1..].starts_with(first), "{labels}");
        }
        let root = Question { name: DomainName::root(), kind: Kind::Ns };
        assert_eq!(Packet::new(&root, 7, true).unwrap().bytes.len(), HEADER + 1 + 4);
    }

    #[test]
    fn question_has_no_frills() {
        let packet = packet(0x1234);
        let [header, name] = [&packet.bytes()[..12], &packet.bytes()[12..]];
        assert_eq!(header, [0x12, 0x34, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 0], "RD and AD, one question");
        assert_eq!(name, b"\x012\x010\x010\x03127\x02bl\x07example\0\0\x01\0\x01");
        assert_eq!(packet.id(), 0x1234);
    }

    fn alias(from: &str, to: &str) -> WireRecord {
        let to = Name::from_ascii(format!("{to}.")).unwrap();
        WireRecord::from_rdata(
            Name::from_ascii(format!("{from}.")).unwrap(),
            60,
            RData::CNAME(rdata::CNAME(to)),
        )
    }

    fn answer(bytes: &[u8]) -> Answer {
        match packet(7).read(bytes) {
            Heard::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn aliases_stay_visible() {
        let chain = |message: &mut Message| {
            message.add_answer(alias("b.example", "c.example"));
            message.add_answer(alias(NAME, "b.example"));
        };
        let found = answer(&response(7, |message| {
            chain(message);
            message.add_answer(a("c.example.", Ipv4Addr::new(192, 0, 2, 1)));
        }));
        assert_eq!(found.aliases, ["b.example", "c.example"]);
        assert_eq!(found.outcome.records().len(), 1);
        let gone = answer(&response(7, |message| {
            chain(message);
            message.metadata.response_code = ResponseCode::NXDomain;
        }));
        assert_eq!((gone.outcome, gone.aliases.len()), (Outcome::NxDomain, 2));
        assert_eq!(answer(&response(7, |_| {})).aliases, [""; 0]);
        let circle = answer(&response(7, |message| {
            message.add_answer(alias(NAME, "b.example"));
            message.add_answer(alias("b.example", NAME));
        }));
        assert_eq!(circle.outcome, Outcome::Malformed("its aliases go in a circle".into()));
        assert!(circle.aliases.is_empty());
        let own = answer(&response(7, |message| {
            message.add_answer(alias(NAME, NAME));
        }));
        assert_eq!(own.outcome, circle.outcome);
    }

    #[test]
    fn glue_comes_with_name_servers_alone() {
        let with_glue = |kind: Kind| {
            let question = Question { name: NAME.parse().unwrap(), kind };
            let packet = Packet::new(&question, 7, false).unwrap();
            let mut message = Message::new(7, MessageType::Response, OpCode::Query);
            message.add_query(Query::query(Name::from_ascii(format!("{NAME}.")).unwrap(), kind.code()));
            let ns = RData::NS(rdata::NS(Name::from_ascii("ns.bl.example.").unwrap()));
            message.add_authority(WireRecord::from_rdata(Name::from_ascii("bl.example.").unwrap(), 60, ns));
            for last in 0..=100 {
                message.add_additional(a("ns.bl.example.", Ipv4Addr::new(192, 0, 2, last)));
            }
            match packet.read(&message.to_vec().unwrap()) {
                Heard::Answer(answer) => answer,
                other => panic!("{other:?}"),
            }
        };
        let delegation = with_glue(Kind::Ns);
        assert!(matches!(&delegation.outcome, Outcome::Referral(records) if records.len() == 1));
        assert_eq!(delegation.glue.len(), MAX_GLUE);
        assert_eq!(with_glue(Kind::A).glue, []);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let mut long = answer(&response(7, |message| {
            for last in 0..10 {
                message.add_answer(a(&format!("{NAME}."), Ipv4Addr::new(192, 0, 2, last)));
            }
        }));
        long.shorten(16);
        assert_eq!((long.outcome.records().len(), long.left_out), (10, 0));
        long.shorten(4);
        assert_eq!((long.outcome.records().len(), long.left_out), (4, 6));
    }

    #[test]
    fn records_beside_the_question_are_no_nodata() {
        let other = |message: &mut Message| {
            message.add_answer(a("other.example.", Ipv4Addr::new(127, 0, 0, 2)));
        };
        assert!(matches!(outcome(&response(7, other)), Some(Outcome::Malformed(_))));
        assert_eq!(outcome(&response(7, |_| {})), Some(Outcome::NoData));
    }

    #[test]
    fn bytes_behind_the_end_are_no_nodata() {
        let mut bytes = response(7, |_| {});
        bytes.push(0);
        assert_eq!(outcome(&bytes), Some(Outcome::Malformed("1 bytes behind the end".into())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>(), fits in any::<bool>()) {
            let whole = if fits { [&response(7, |_| {})[..], &bytes].concat() } else { bytes };
            let heard = packet(7).read(&whole);
            prop_assert!(heard == Heard::Stray || whole.starts_with(&[0, 7]));
        }

        #[test]
        fn addresses_are_what_was_sent(octets in prop::collection::vec(any::<[u8; 4]>(), 1..200)) {
            let addresses: Vec<Ipv4Addr> = octets.into_iter().map(Ipv4Addr::from).collect();
            let bytes = response(7, |message| {
                for address in &addresses {
                    message.add_answer(a(&format!("{NAME}."), *address));
                }
            });
            let found: Vec<Data> =
                outcome(&bytes).unwrap().records().iter().map(|record| record.data.clone()).collect();
            prop_assert_eq!(found, addresses.into_iter().map(Data::A).collect::<Vec<_>>());
        }

        #[test]
        fn aliases_are_followed_in_any_order(length in 0usize..24, turn in any::<prop::sample::Index>()) {
            let name = |number: usize| if number == 0 { NAME.to_owned() } else { format!("alias{number}.example") };
            let mut chain: Vec<WireRecord> =
                (0..length).map(|number| alias(&name(number), &name(number + 1))).collect();
            chain.rotate_left(turn.index(length.max(1)));
            let found = answer(&response(7, |message| {
                for record in chain {
                    message.add_answer(record);
                }
                message.add_answer(a(&format!("{}.", name(length)), Ipv4Addr::new(192, 0, 2, 1)));
            }));
            if length > MAX_ALIASES {
                prop_assert_eq!(found.outcome, Outcome::Malformed(TOO_MANY_ALIASES.into()), "no circle");
            } else {
                prop_assert_eq!(found.outcome.records().len(), 1);
                prop_assert_eq!(found.aliases, (1..=length).map(name).collect::<Vec<_>>());
            }
        }

        #[test]
        fn another_id_or_another_question_is_a_stray(id in any::<u16>(), at in 12usize..34, flip in 1u8..=255) {
            let bytes = response(7, |_| {});
            prop_assert_eq!(packet(id).read(&bytes) == Heard::Stray, id != 7);
            let mut other = bytes.clone();
            prop_assume!(at < other.len());
            other[at] ^= flip;
            let same_name = other.eq_ignore_ascii_case(&bytes) && other[at].is_ascii_alphabetic();
            prop_assert_eq!(packet(7).read(&other) == Heard::Stray, !same_name);
        }

        #[test]
        fn a_cut_answer_is_none(cut in 0usize..48) {
            let bytes = response(7, |message| {
                message.add_answer(a(&format!("{NAME}."), Ipv4Addr::new(127, 0, 0, 2)));
            });
            prop_assume!(cut < bytes.len());
            prop_assert!(!outcome(&bytes[..cut]).is_some_and(|outcome| outcome.is_answer()));
        }
    }
}
