//! A file of InnoDB, read page by page.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::PathBuf;
use std::time::Instant;

use super::Fault;
use super::pages::{
    LAYOUT, Layout, LayoutError, MAX_PAGE, Page, PageFault, Unjudged, judge_page, parse_layout,
};
use crate::tables::TableName;

/// A file that is to be read.
pub(super) struct Tablespace {
    pub(super) table: TableName,
    pub(super) path: PathBuf,
    /// Its path below the directory.
    pub(super) file: String,
    pub(super) length: u64,
}

/// How reading it ended.
pub(super) enum Reading {
    Finished(Found),
    /// The time was over before its end.
    Unfinished,
    Failed(io::Error),
}

/// What its pages came to.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: Vec<Fault>,
    /// How many cannot be judged, and why the first cannot.
    pub(super) unjudged: Option<(u32, Unjudged)>,
}

impl Tablespace {
    /// Reads all pages, unless this moment comes first. No more than one page is held at a time.
    pub(super) fn read(&self, until: Instant) -> Reading {
        match self.pages(until) {
            Ok(Some(found)) => Reading::Finished(found),
            Ok(None) => Reading::Unfinished,
            Err(error) => Reading::Failed(error),
        }
    }

    fn pages(&self, until: Instant) -> io::Result<Option<Found>> {
        // A pipe would not open before somebody writes to it.
        if !self.path.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut file = File::open(&self.path)?;
        let mut start = Vec::with_capacity(LAYOUT);
        (&mut file).take(LAYOUT as u64).read_to_end(&mut start)?;
        let layout = match parse_layout(&start) {
            Ok(layout) => layout,
            Err(error) => {
                let faults = vec![Fault::NoHead(error.to_string())];
                return Ok(Some(Found { faults, unjudged: None }));
            }
        };
        file.rewind()?;
        let mut buffer = vec![0; MAX_PAGE];
        let page = buffer.get_mut(..layout.page_size).ok_or_else(|| io::Error::other("a page too large"))?;
        if self.length < page.len() as u64 {
            let faults = vec![Fault::NoHead(LayoutError::Short.to_string())];
            return Ok(Some(Found { faults, unjudged: None }));
        }
        let mut tally = Tally::default();
        for number in 0..self.length / layout.page_size as u64 {
            if Instant::now() >= until {
                return Ok(None);
            }
            let number =
                u32::try_from(number).map_err(|_| io::Error::other("more pages than there can be"))?;
            file.read_exact(page).map_err(|error| at_page(number, &error))?;
            tally.count(number, judge_page(layout, number, page));
        }
        Ok(Some(tally.found(layout, self.length)))
    }
}

fn at_page(number: u32, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("page {number}: {}", common::net::cause(error)))
}

#[derive(Default)]
struct Tally {
    damaged: Option<(u32, PageFault, u32)>,
    unjudged: Option<(u32, Unjudged)>,
}

impl Tally {
    fn count(&mut self, number: u32, page: Page) {
        match page {
            Page::Whole | Page::Empty => {}
            Page::Damaged(fault) => self.damaged.get_or_insert((number, fault, 0)).2 += 1,
            Page::Unjudged(why) => self.unjudged.get_or_insert((0, why)).0 += 1,
        }
    }

    fn found(self, layout: Layout, length: u64) -> Found {
        let mut faults = Vec::new();
        // The length stands in the first page, and is worth what that is worth.
        let is_known = self.damaged.is_none_or(|(first, ..)| first > 0);
        let expected = u64::from(layout.pages) * layout.page_size as u64;
        if is_known && length < expected {
            faults.push(Fault::Short { found: length, expected });
        }
        if let Some((first, fault, count)) = self.damaged {
            faults.push(Fault::Pages { first, fault, count });
        }
        Found { faults, unjudged: self.unjudged }
    }
}
