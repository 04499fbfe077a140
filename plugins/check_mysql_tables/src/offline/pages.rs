//! Pages of an InnoDB tablespace, and whether they fit the checksums in them. All numbers are big endian.
//!
//! ```text
//! page   0  u32 checksum          full_crc32: number of the key it is encrypted with, 0 for none
//!        4  u32 its number        16 u64 LSN        24 u16 type
//!        26 u32 number of the key, 30 u32 checksum of what is encrypted (MariaDB, not full_crc32)
//!       -8  u32 checksum          full_crc32: low half of the LSN
//!       -4  u32 low half of the LSN   full_crc32: checksum of all before it
//! page 0 46  u32 pages in the file
//!        54  u32 flags: the size of a page, and which of the forms below it is
//! ```
//!
//! Three forms of checksums: the one that InnoDB began with and that CRC-32C replaced, both of which are looked for
//! whatever the server is set to; that of ROW_FORMAT=COMPRESSED; and full_crc32, MariaDB's since 10.5.

use crc::{CRC_32_ISCSI, Crc, Table};
use serde::{Deserialize, Serialize};

/// What the first page says of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a page in the file.
    pub page_size: usize,
    /// Pages that belong to the file.
    pub pages: u32,
    form: Form,
    /// MySQL encrypts this file.
    is_encrypted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Checksums at both ends.
    Plain,
    /// ROW_FORMAT=COMPRESSED: one, in front.
    Zip,
    /// full_crc32: one, behind.
    Full,
}

/// Why it is no first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The file ends within it.
    #[error("it is empty or ends within its first page")]
    Short,
    /// Flags that no server writes.
    #[error("its first page names no size of pages")]
    Flags,
    /// Its first page was never written.
    #[error("its first page is empty")]
    Empty,
}

/// What a page comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It fits its checksum.
    Whole,
    /// Zeros: it was never written.
    Empty,
    /// It does not.
    Damaged(PageFault),
    /// There is nothing that it could fit without the key, or before it is unpacked.
    Unjudged(Unjudged),
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageFault {
    /// It does not fit its checksum.
    Checksum,
    /// Its ends are from different writes.
    Torn,
    /// It says that it is another page.
    Number(u32),
}

/// Why a page cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unjudged {
    /// Encrypted, with the checksum inside.
    Encrypted,
    /// Compressed as a whole, with the checksum inside.
    Compressed,
    /// Written with innodb_checksum_algorithm=none.
    NoChecksum,
}

/// Bytes that [`parse_layout`] wants to see.
pub const LAYOUT: usize = 58;
/// The largest there are.
pub const MAX_PAGE: usize = 64 << 10;

const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
/// Stands for a checksum where none was wanted.
const NONE: u32 = 0xdead_beef;
/// Begin of what is in a page.
const DATA: usize = 38;
const FULL_MARKER: u32 = 1 << 4;
const MYSQL_ENCRYPTED: u32 = 1 << 13;
/// Types of pages.
const MYSQL_COMPRESSED: u64 = 14;
const MYSQL_ENCRYPTIONS: [u64; 3] = [15, 16, 17];
const MARIADB_COMPRESSIONS: [u64; 2] = [34_354, 37_401];
/// In the type of a page of the form full_crc32: the rest is its length, in units of 256 bytes.
const FULL_COMPRESSED: u64 = 1 << 15;

/// Reads the beginning of the first page.
pub fn parse_layout(start: &[u8]) -> Result<Layout, LayoutError> {
    let flags = word(start, 54).ok_or(LayoutError::Short)?;
    if start.iter().all(|byte| *byte == 0) {
        return Err(LayoutError::Empty);
    }
    let size = |code: u32| 512usize << code;
    let (form, page_size) = if flags & FULL_MARKER != 0 {
        (Form::Full, Some(flags & 15).filter(|code| (3..=7).contains(code)).map(size))
    } else {
        match (flags >> 1 & 15, flags >> 6 & 15) {
            (0, 0) => (Form::Plain, Some(16 << 10)),
            (0, code) => (Form::Plain, Some(code).filter(|code| (3..=7).contains(code)).map(size)),
            (code, _) => (Form::Zip, Some(code).filter(|code| (1..=5).contains(code)).map(size)),
        }
    };
    Ok(Layout {
        page_size: page_size.ok_or(LayoutError::Flags)?,
        pages: word(start, 46).ok_or(LayoutError::Short)?,
        form,
        is_encrypted: form != Form::Full && flags & MYSQL_ENCRYPTED != 0,
    })
}

/// Judges the page with this number.
#[must_use]
pub fn judge_page(layout: Layout, number: u32, page: &[u8]) -> Page {
    if page.iter().all(|byte| *byte == 0) {
        return Page::Empty;
    }
    let judged = match layout.form {
        Form::Plain => plain(layout, page),
        Form::Zip => zip(layout, page),
        Form::Full => full(page),
    };
    match (judged, word(page, 4)) {
        (None, _) | (_, None) => Page::Damaged(PageFault::Checksum),
        (Some(Page::Whole), Some(other)) if other != number => Page::Damaged(PageFault::Number(other)),
        (Some(judged), _) => judged,
    }
}

/// `None` where the page is too short for its own figures, here and below.
fn plain(layout: Layout, page: &[u8]) -> Option<Page> {
    let trailer = page.len().checked_sub(8)?;
    let (first, last) = (word(page, 0)?, word(page, trailer)?);
    if let Some(why) = opaque(layout, page) {
        return Some(Page::Unjudged(why));
    }
    if first == NONE && last == NONE {
        return Some(Page::Unjudged(Unjudged::NoChecksum));
    }
    let head = page.get(4..26)?;
    let body = page.get(DATA..trailer)?;
    let crc = crc32c(head) ^ crc32c(body);
    let older = || fold(head).wrapping_add(fold(body));
    let is_older = || first == older() && page.get(..26).is_some_and(|start| last == fold(start));
    if (first, last) == (crc, crc) || is_older() {
        let is_torn = word(page, 20)? != word(page, trailer + 4)?;
        return Some(if is_torn { Page::Damaged(PageFault::Torn) } else { Page::Whole });
    }
    // MariaDB leaves the checksums of what it encrypts where they are, and adds one of what it has encrypted.
    let (key, encrypted) = (word(page, 26)?, word(page, 30)?);
    if key != 0 && [crc, NONE, older()].contains(&encrypted) {
        return Some(Page::Unjudged(Unjudged::Encrypted));
    }
    Some(Page::Damaged(PageFault::Checksum))
}

fn zip(layout: Layout, page: &[u8]) -> Option<Page> {
    if let Some(why) = opaque(layout, page) {
        return Some(Page::Unjudged(why));
    }
    let parts = [page.get(4..16)?, page.get(24..26)?, page.get(34..)?];
    Some(match word(page, 0)? {
        NONE => Page::Unjudged(Unjudged::NoChecksum),
        sum if sum == parts.iter().fold(0, |sum, part| sum ^ crc32c(part)) => Page::Whole,
        sum if sum == adler(parts) => Page::Whole,
        _ => Page::Damaged(PageFault::Checksum),
    })
}

/// What the form hides from those without a key, it hides before it adds the checksum.
fn full(page: &[u8]) -> Option<Page> {
    let kind = number(page, 24, 2)?;
    let is_compressed = kind & FULL_COMPRESSED != 0;
    let length = if is_compressed {
        usize::try_from((kind & !FULL_COMPRESSED) << 8).ok().filter(|length| *length < page.len())?
    } else {
        page.len()
    };
    let end = length.checked_sub(4)?;
    if word(page, end)? != crc32c(page.get(..end)?) {
        return Some(Page::Damaged(PageFault::Checksum));
    }
    let is_encrypted = word(page, 0)? != 0;
    let is_torn = !is_compressed && !is_encrypted && word(page, 20)? != word(page, end.checked_sub(4)?)?;
    Some(if is_torn { Page::Damaged(PageFault::Torn) } else { Page::Whole })
}

/// What cannot be seen through.
fn opaque(layout: Layout, page: &[u8]) -> Option<Unjudged> {
    match number(page, 24, 2)? {
        kind if layout.is_encrypted && MYSQL_ENCRYPTIONS.contains(&kind) => Some(Unjudged::Encrypted),
        kind if kind == MYSQL_COMPRESSED || MARIADB_COMPRESSIONS.contains(&kind) => {
            Some(Unjudged::Compressed)
        }
        _ => None,
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The sum that InnoDB began with, of which the lower half is kept.
fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0u32, |sum, byte| {
        let byte = u32::from(*byte);
        let mixed = (sum ^ byte ^ 0x6294_6a4f).wrapping_shl(8).wrapping_add(sum) ^ 0x573e_d587;
        mixed.wrapping_add(byte)
    })
}

/// Adler-32 that begins with 0, as zlib lets its callers choose.
fn adler(parts: [&[u8]; 3]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (low, high) = parts.into_iter().flatten().fold((0u32, 0u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    high << 16 | low
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    number(bytes, at, 4).and_then(|number| u32::try_from(number).ok())
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(width)?)?;
    Some(digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZIP_8K: u32 = 4 << 1;
    const SSIZE_4K: u32 = 3 << 6;

    fn start(flags: u32) -> Vec<u8> {
        let mut start = vec![0; LAYOUT];
        start[46..50].copy_from_slice(&9u32.to_be_bytes());
        start[54..58].copy_from_slice(&flags.to_be_bytes());
        start
    }

    fn layout(flags: u32) -> Layout {
        parse_layout(&start(flags)).unwrap()
    }

    fn put(page: &mut [u8], at: usize, value: u32) {
        page[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Page 7 with something in it and without a checksum.
    fn bare(layout: Layout) -> Vec<u8> {
        let mut page: Vec<u8> = (0..layout.page_size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        put(&mut page, 4, 7);
        put(&mut page, 20, 0x1234);
        page[24..26].copy_from_slice(&17_855u16.to_be_bytes());
        page[26..34].fill(0);
        let end = page.len();
        match layout.form {
            Form::Plain => put(&mut page, end - 4, 0x1234),
            Form::Zip => {}
            Form::Full => {
                put(&mut page, 0, 0);
                put(&mut page, end - 8, 0x1234);
            }
        }
        page
    }

    /// The same with the checksums of today.
    fn whole(layout: Layout) -> Vec<u8> {
        let mut page = bare(layout);
        seal(layout, &mut page);
        page
    }

    fn seal(layout: Layout, page: &mut [u8]) {
        let end = page.len();
        match layout.form {
            Form::Plain => {
                let sum = crc32c(&page[4..26]) ^ crc32c(&page[38..end - 8]);
                put(page, 0, sum);
                put(page, end - 8, sum);
            }
            Form::Zip => {
                let sum = crc32c(&page[4..16]) ^ crc32c(&page[24..26]) ^ crc32c(&page[34..]);
                put(page, 0, sum);
            }
            Form::Full => put(page, end - 4, crc32c(&page[..end - 4])),
        }
    }

    const FORMS: [u32; 4] = [0, SSIZE_4K, ZIP_8K, FULL_MARKER | 5];

    #[test]
    fn sizes_of_pages_by_the_flags() {
        let size = |flags| parse_layout(&start(flags)).map(|layout| layout.page_size);
        assert_eq!(size(0x21), Ok(16 << 10), "as MySQL 5.7 and later write them");
        for (code, bytes) in [(3, 4096), (4, 8192), (5, 16_384), (6, 32_768), (7, 65_536)] {
            assert_eq!(size(code << 6), Ok(bytes));
            assert_eq!(size(FULL_MARKER | code), Ok(bytes));
        }
        for (code, bytes) in [(1, 1024), (2, 2048), (3, 4096), (4, 8192), (5, 16_384)] {
            assert_eq!(size(code << 1), Ok(bytes));
        }
        for flags in [1 << 6, 2 << 6, 8 << 6, FULL_MARKER, FULL_MARKER | 2, FULL_MARKER | 8, 6 << 1] {
            assert_eq!(size(flags), Err(LayoutError::Flags), "{flags:#x}");
        }
        assert_eq!(parse_layout(&start(0)[..57]), Err(LayoutError::Short));
        assert_eq!(parse_layout(&[0; LAYOUT]), Err(LayoutError::Empty));
        assert_eq!(layout(0).pages, 9);
    }

    #[test]
    fn whole_empty_and_misplaced_pages() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283, "the value that its standard names");
        for layout in FORMS.map(layout) {
            let page = whole(layout);
            assert_eq!(judge_page(layout, 7, &page), Page::Whole, "{layout:?}");
            assert_eq!(judge_page(layout, 8, &page), Page::Damaged(PageFault::Number(7)), "{layout:?}");
            assert_eq!(judge_page(layout, 7, &vec![0; page.len()]), Page::Empty);
            assert_eq!(judge_page(layout, 7, &page[..30]), Page::Damaged(PageFault::Checksum));
        }
    }

    #[test]
    fn a_page_whose_ends_are_of_different_writes() {
        for layout in [layout(0), layout(FULL_MARKER | 5)] {
            let mut page = bare(layout);
            put(&mut page, 20, 0x9999);
            seal(layout, &mut page);
            assert_eq!(judge_page(layout, 7, &page), Page::Damaged(PageFault::Torn), "{layout:?}");
        }
    }

    #[test]
    fn what_cannot_be_judged_is_not_whole() {
        let encrypted = layout(MYSQL_ENCRYPTED);
        let mut page = whole(encrypted);
        page[25] = 15;
        page[24] = 0;
        assert_eq!(judge_page(encrypted, 7, &page), Page::Unjudged(Unjudged::Encrypted));
        assert_eq!(
            judge_page(layout(0), 7, &page),
            Page::Damaged(PageFault::Checksum),
            "this file is not encrypted"
        );
        page[25] = 14;
        assert_eq!(judge_page(encrypted, 7, &page), Page::Unjudged(Unjudged::Compressed));
        for form in [layout(0), layout(ZIP_8K)] {
            let mut page = bare(form);
            let end = page.len();
            put(&mut page, 0, NONE);
            put(&mut page, end - 8, NONE);
            assert_eq!(judge_page(form, 7, &page), Page::Unjudged(Unjudged::NoChecksum));
        }
        // What MariaDB encrypted has a key and a checksum of its own.
        let mut page = bare(layout(0));
        put(&mut page, 26, 1);
        let end = page.len();
        let sum = crc32c(&page[4..26]) ^ crc32c(&page[38..end - 8]);
        put(&mut page, 30, sum);
        assert_eq!(judge_page(layout(0), 7, &page), Page::Unjudged(Unjudged::Encrypted));
        put(&mut page, 30, !sum);
        assert_eq!(judge_page(layout(0), 7, &page), Page::Damaged(PageFault::Checksum));
    }

    #[test]
    fn a_compressed_page_of_the_newest_form_has_its_checksum_behind_what_is_left() {
        let full = layout(FULL_MARKER | 5);
        let mut page = bare(full);
        page[24..26].copy_from_slice(&(0x8000u16 | 4).to_be_bytes());
        let sum = crc32c(&page[..1020]);
        put(&mut page, 1020, sum);
        assert_eq!(judge_page(full, 7, &page), Page::Whole);
        page[24..26].copy_from_slice(&(0x8000u16 | 64).to_be_bytes());
        assert_eq!(judge_page(full, 7, &page), Page::Damaged(PageFault::Checksum), "as long as a page");
        page[24..26].copy_from_slice(&0x8000u16.to_be_bytes());
        assert_eq!(judge_page(full, 7, &page), Page::Damaged(PageFault::Checksum), "no length at all");
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(flags: u32, page in prop::collection::vec(any::<u8>(), 0..300), number: u32) {
            if let Ok(layout) = parse_layout(&start(flags)) {
                prop_assert!((1024..=MAX_PAGE).contains(&layout.page_size));
                prop_assert_ne!(judge_page(layout, number, &page), Page::Whole);
            }
            let _ = parse_layout(&page);
        }

        #[test]
        fn no_changed_byte_goes_unseen(form in 0..FORMS.len(), at: prop::sample::Index, change in 1u8..) {
            let layout = layout(FORMS[form]);
            let mut page = whole(layout);
            let at = at.index(page.len());
            page[at] ^= change;
            // InnoDB leaves these out of its sums.
            let is_left_out = match layout.form {
                Form::Plain => (26..38).contains(&at),
                Form::Zip => (16..24).contains(&at) || (26..34).contains(&at),
                Form::Full => false,
            };
            let judged = judge_page(layout, 7, &page);
            prop_assert_eq!(judged == Page::Whole, is_left_out, "byte {} of {:?}: {:?}", at, layout, judged);
        }
    }
}
