//! A file of InnoDB: any bytes are judged or refused, and a page that is whole is so for a checksum that is in it.
//!
//! Input: the file, of which the first pages are looked at.

use check_mysql_tables::fuzz::{MAX_PAGE, Page, PageFault, judge_page, parse_layout};

/// The target.
pub fn run(data: &[u8]) {
    let Ok(layout) = parse_layout(data) else { return };
    assert!((1024..=MAX_PAGE).contains(&layout.page_size) && layout.page_size.is_power_of_two());
    for (number, page) in (0u32..4).zip(data.chunks(layout.page_size)) {
        let is_empty = page.iter().all(|byte| *byte == 0);
        match judge_page(layout, number, page) {
            Page::Empty => assert!(is_empty),
            Page::Whole => {
                assert_eq!(page[4..8], number.to_be_bytes(), "it is the page it says it is");
                assert_ne!(judge_page(layout, number + 1, page), Page::Whole, "and no other");
                // The number of the page is in every form of the sums.
                let mut other = page.to_vec();
                other[7] ^= 1;
                assert_eq!(judge_page(layout, number ^ 1, &other), Page::Damaged(PageFault::Checksum));
            }
            Page::Damaged(PageFault::Number(other)) => assert_ne!(other, number),
            Page::Damaged(_) | Page::Unjudged(_) => assert!(!is_empty),
        }
    }
}
