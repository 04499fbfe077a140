//! What breaks tables, made for real on the files of a server.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::server::Server;

/// Who keeps the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// MyISAM: `.MYD` and `.MYI`.
    MyIsam,
    /// Aria of MariaDB: `.MAD` and `.MAI`.
    Aria,
    /// InnoDB: `.ibd`.
    InnoDb,
}

/// What happened to a table. All but the last are for MyISAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The data file lost its last 2000 bytes.
    DataCut,
    /// Eight bytes of a row are others; seen only where rows and keys are compared.
    DataChanged,
    /// A part of the keys is rubbish.
    IndexRubbish,
    /// The file of the keys lost its second half.
    IndexCut,
    /// The file of the keys has nothing in it.
    IndexEmpty,
    /// The file of the keys is gone.
    IndexMissing,
    /// The data file is gone.
    DataMissing,
    /// The definition is gone, its files are not. MariaDB alone keeps it in a file.
    DefinitionMissing,
    /// A page of Aria's data is rubbish.
    AriaPage,
}

/// What CHECK TABLE said: `Msg_type` and `Msg_text` of each row.
pub type Verdict = Vec<(String, String)>;

/// Rows of the tables that [`Server::fill_table`] makes.
pub const ROWS: u64 = 20_000;
/// Of a row: flags, `id`, `v`, `t`.
const ROW: u64 = 1 + 4 + 4 + 16;
const INNODB_PAGE: usize = 16 << 10;

impl Server {
    /// Makes the table `lab.NAME` with [`ROWS`] rows, of which MyISAM's are all of the same length, and a key on `v`.
    pub fn fill_table(&self, name: &str, engine: Engine) {
        let format = if engine == Engine::MyIsam { "ROW_FORMAT=FIXED" } else { "" };
        let create = format!(
            "CREATE TABLE lab.{name} (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL, \
             t CHAR(16) NOT NULL, KEY (v)) ENGINE={engine:?} CHARSET=latin1 {format}"
        );
        let mut admin = self.admin();
        admin.run(&["SET SESSION sql_log_bin = 0", &create]);
        admin.run(&[&format!(
            "INSERT INTO lab.{name} (v, t) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')"
        )]);
        let mut rows = 5;
        while rows < ROWS {
            let more = rows.min(ROWS - rows);
            admin.run(&[&format!(
                "INSERT INTO lab.{name} (v, t) SELECT (v * 7 + id) % 1000003, CONCAT('row ', id) FROM lab.{name} ORDER BY id LIMIT {more}"
            )]);
            rows += more;
        }
        admin.run(&[&format!("FLUSH TABLES lab.{name}")]);
    }

    /// Damages a table of the running server, which finds it when it opens the files again.
    pub fn damage(&self, name: &str, damage: Damage) {
        let mut admin = self.admin();
        admin.run(&[&format!("FLUSH TABLES lab.{name}")]);
        let path = |ending: &str| self.table_file(name, ending);
        match damage {
            Damage::DataCut => cut(&path("MYD"), |length| length - 2000),
            Damage::DataChanged => write_at(&path("MYD"), ROWS / 2 * ROW + 5, b"\xa5\x5a\x77\x01wxyz"),
            // Behind the header and the first pages of keys.
            Damage::IndexRubbish => write_at(&path("MYI"), 20 << 10, &rubbish(3000)),
            Damage::IndexCut => cut(&path("MYI"), |length| length / 2),
            Damage::IndexEmpty => cut(&path("MYI"), |_| 0),
            Damage::IndexMissing => remove(&path("MYI")),
            Damage::DataMissing => remove(&path("MYD")),
            Damage::DefinitionMissing => remove(&path("frm")),
            Damage::AriaPage => write_at(&path("MAD"), 5 * (8 << 10) + 512, &rubbish(64)),
        }
    }

    /// Damages a page of an InnoDB table, for which the server is stopped a while. MySQL ends itself when it reads it.
    pub fn damage_innodb(&mut self, name: &str) {
        self.stop();
        let file = self.table_file(name, "ibd");
        let page = leaf_page(&fs::read(&file).expect("the table has a file"));
        write_at(&file, page * INNODB_PAGE as u64 + 4000, &rubbish(64));
        self.start_again(&[]);
    }

    /// Kills the server with a MyISAM table that was written to and not closed.
    pub fn leave_dirty(&mut self, name: &str) {
        self.admin().run(&[&format!("INSERT INTO lab.{name} (v, t) VALUES (1, 'dirty')")]);
        self.kill();
    }

    /// Asks for the state of `lab.NAME`, with a level such as `QUICK`.
    #[must_use]
    pub fn check(&self, name: &str, level: &str) -> Verdict {
        let rows = self.admin().rows(&format!("CHECK TABLE lab.{name} {level}"));
        let text = |column: &str, row: &super::client::Row| row.get(column).unwrap_or_default().to_owned();
        rows.iter().map(|row| (text("Msg_type", row), text("Msg_text", row))).collect()
    }

    /// A file of `lab.NAME` by its ending.
    #[must_use]
    pub fn table_file(&self, name: &str, ending: &str) -> PathBuf {
        self.datadir().join("lab").join(name).with_extension(ending)
    }
}

/// The number of a page with rows: one of the lowest level (bytes 64 and 65) of the index (bytes 66 to 73) with most of
/// them, which is the primary key. Others may be read by nobody.
fn leaf_page(file: &[u8]) -> u64 {
    const INDEX_PAGE: [u8; 2] = [0x45, 0xbf];
    let pages = (0..).zip(file.chunks(INNODB_PAGE));
    let mut leaves = BTreeMap::<&[u8], Vec<u64>>::new();
    for (number, page) in pages {
        if page[24..26] == INDEX_PAGE && page[64..66] == [0, 0] {
            leaves.entry(&page[66..74]).or_default().push(number);
        }
    }
    let most = leaves.values().max_by_key(|pages| pages.len()).expect("an index");
    most[most.len() / 2]
}

fn open(path: &PathBuf) -> File {
    OpenOptions::new().write(true).open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write_at(path: &PathBuf, offset: u64, bytes: &[u8]) {
    let file = open(path);
    let length = file.metadata().expect("an open file").len();
    assert!(offset + bytes.len() as u64 <= length, "{} has {length} bytes", path.display());
    file.write_all_at(bytes, offset).expect("the lab's folder is writable");
}

fn cut(path: &PathBuf, new: impl Fn(u64) -> u64) {
    let file = open(path);
    let length = file.metadata().expect("an open file").len();
    file.set_len(new(length)).expect("the lab's folder is writable");
}

fn remove(path: &PathBuf) {
    fs::remove_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The same bytes each time, so that a finding can be found again.
fn rubbish(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}
