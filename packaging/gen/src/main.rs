//! `gen [OUTDIR]`: writes man pages and engine definitions, by default into
//! `target/generated`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/generated"), PathBuf::from);
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let date = packaging_gen::man::date(epoch.as_deref())?;
    for path in packaging_gen::write_all(&folder, &date)? {
        say(&path.display().to_string());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a tool for developers and package builds")]
fn say(line: &str) {
    println!("{line}");
}
