//! Messages that break the format of RFC 1035, each in one way.

use super::codec::HEADER;
use super::query::Query;

/// How a message breaks the format. All but [`Malformed::Garbage`], [`Malformed::Empty`] and
/// [`Malformed::CutHeader`] have a header that fits the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The id and 200 bytes that mean nothing, other ones for each id.
    Garbage,
    /// No byte.
    Empty,
    /// Seven bytes.
    CutHeader,
    /// A header that counts a question and a record, and nothing behind it.
    HeaderOnly,
    /// Ends in the middle of the question's name.
    CutQuestion,
    /// Ends in the middle of the address of the record.
    CutRecord,
    /// The owner of the record points to itself.
    PointerToItself,
    /// Two pointers that point to each other.
    PointerLoop,
    /// The owner of the record points behind the end.
    PointerBeyondEnd,
    /// The header counts 65535 records; there is one.
    TooManyRecords,
    /// The header counts no record; there is one.
    TooFewRecords,
    /// The owner of the record has a label of 64 bytes or more: a type nobody has defined.
    LabelTooLong,
    /// The owner of the record has 300 bytes, in good labels.
    NameTooLong,
    /// The address of the record has three bytes.
    ShortAddress,
    /// The data of the record goes beyond the end of the message.
    DataBeyondEnd,
    /// No question section.
    NoQuestion,
    /// The question twice.
    TwoQuestions,
}

impl Malformed {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Garbage,
        Self::Empty,
        Self::CutHeader,
        Self::HeaderOnly,
        Self::CutQuestion,
        Self::CutRecord,
        Self::PointerToItself,
        Self::PointerLoop,
        Self::PointerBeyondEnd,
        Self::TooManyRecords,
        Self::TooFewRecords,
        Self::LabelTooLong,
        Self::NameTooLong,
        Self::ShortAddress,
        Self::DataBeyondEnd,
        Self::NoQuestion,
        Self::TwoQuestions,
    ];

    /// Breaks a good answer, which has exactly one A record with a compressed owner.
    pub(crate) fn bytes(self, query: &Query, good: &[u8]) -> Vec<u8> {
        let question_end = HEADER + query.question.len();
        let mut bytes = good.to_vec();
        let owner = |name: &[u8]| [&good[..question_end], name, &good[question_end + 2..]].concat();
        match self {
            Self::Garbage => bytes = garbage(query.id),
            Self::Empty => bytes.clear(),
            Self::CutHeader => bytes.truncate(7),
            Self::HeaderOnly => bytes.truncate(HEADER),
            Self::CutQuestion => bytes.truncate(HEADER + 2),
            Self::CutRecord => bytes.truncate(question_end + RECORD - 2),
            Self::PointerToItself => bytes = owner(&pointer(question_end)),
            Self::PointerLoop => {
                bytes = owner(&[pointer(question_end + 2), pointer(question_end)].concat());
            }
            Self::PointerBeyondEnd => bytes = owner(&pointer(0x3fff)),
            Self::TooManyRecords => bytes[6..8].fill(0xff),
            Self::TooFewRecords => bytes[6..8].fill(0),
            Self::LabelTooLong => bytes = owner(&[&[64][..], &[b'a'; 64], &[0]].concat()),
            Self::NameTooLong => {
                let label = [&[59][..], &[b'a'; 59]].concat();
                bytes = owner(&[label.repeat(5), vec![0]].concat());
            }
            Self::ShortAddress => {
                bytes[question_end + 11] = 3;
                bytes.remove(question_end + RECORD - 1);
            }
            Self::DataBeyondEnd => bytes[question_end + 10] = 0x40,
            Self::NoQuestion => {
                bytes[5] = 0;
                bytes.drain(HEADER..question_end);
                // The owner was a pointer into the question; the root name takes its place.
                bytes.splice(HEADER..HEADER + 2, [0]);
            }
            Self::TwoQuestions => {
                bytes[5] = 2;
                bytes.splice(question_end..question_end, query.question.clone());
            }
        }
        bytes
    }
}

/// Length of an A record with a compressed owner.
const RECORD: usize = 16;

fn pointer(at: usize) -> [u8; 2] {
    (0xc000 | u16::try_from(at).expect("the message is short")).to_be_bytes()
}

/// The id and bytes of a xorshift generator: the same run after run.
fn garbage(id: u16) -> Vec<u8> {
    let mut state = u32::from(id) | 0x5eed_0000;
    let mut bytes = id.to_be_bytes().to_vec();
    for _ in 0..200 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.push(state.to_be_bytes()[3]);
    }
    bytes
}
