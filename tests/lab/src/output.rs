//! Strict parser of the plugins' own text output.
//!
//! Written apart from the renderer and from the same contract, so that each finds the
//! other's mistakes. It refuses what an engine would read in another way than it was meant:
//! a second `|`, control characters, exponents, non-canonical ranges, duplicate labels.

use std::collections::HashSet;

/// State word of the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Exit code 0.
    Ok,
    /// Exit code 1.
    Warning,
    /// Exit code 2.
    Critical,
    /// Exit code 3.
    Unknown,
}

impl State {
    /// The exit code that belongs to the state.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "OK" => Some(Self::Ok),
            "WARNING" => Some(Self::Warning),
            "CRITICAL" => Some(Self::Critical),
            "UNKNOWN" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// One result, split into its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// Plugin name without `check_`, upper case.
    pub label: String,
    /// State word.
    pub state: State,
    /// Text between the state and the perfdata.
    pub summary: String,
    /// Perfdata in the order of the output.
    pub perfdata: Vec<Perf>,
    /// Lines after the first.
    pub long: Vec<String>,
}

impl Parsed {
    /// The perfdata item with this label.
    #[must_use]
    pub fn perf(&self, label: &str) -> Option<&Perf> {
        self.perfdata.iter().find(|perf| perf.label == label)
    }

    /// Measured value of an item; `None` when it is absent or `U`.
    #[must_use]
    pub fn value(&self, label: &str) -> Option<f64> {
        self.perf(label).and_then(|perf| perf.value)
    }

    /// Labels in the order of the output.
    #[must_use]
    pub fn labels(&self) -> Vec<&str> {
        self.perfdata.iter().map(|perf| perf.label.as_str()).collect()
    }
}

/// One perfdata item. Thresholds and limits stay text: their exact form is what is tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Perf {
    /// Label without quotes.
    pub label: String,
    /// `None` for `U`, a value that could not be measured.
    pub value: Option<f64>,
    /// `s`, `B`, `%`, `c` or empty.
    pub uom: String,
    /// Warning range.
    pub warn: Option<String>,
    /// Critical range.
    pub crit: Option<String>,
    /// Smallest possible value.
    pub min: Option<String>,
    /// Greatest possible value.
    pub max: Option<String>,
}

/// Parses the whole standard output of a plugin in text format. The error says what rule
/// was broken and where.
pub fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
    let body = text.strip_suffix('\n').ok_or("no line end at the end")?;
    if body.ends_with('\n') {
        return Err("empty line at the end".into());
    }
    let mut lines = body.split('\n');
    let first = lines.next().unwrap_or_default();
    let long: Vec<String> = lines.map(str::to_owned).collect();
    check_characters(first, 1)?;
    for (index, line) in long.iter().enumerate() {
        check_characters(line, index + 2)?;
        if line.contains('|') {
            return Err(format!("line {}: `|` in the long text", index + 2));
        }
    }
    let (head, perfdata) = split_perfdata(first)?;
    let (label, state, summary) = parse_head(head)?;
    Ok(Parsed { label, state, summary, perfdata, long })
}

fn check_characters(line: &str, number: usize) -> Result<(), String> {
    match line.chars().find(|c| c.is_control() || is_bidi(*c)) {
        Some(found) => Err(format!("line {number}: control character {found:?}")),
        None => Ok(()),
    }
}

/// Characters that reorder the text around them in a web page.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn split_perfdata(first: &str) -> Result<(&str, Vec<Perf>), String> {
    let Some((head, tail)) = first.split_once('|') else {
        return Ok((first, Vec::new()));
    };
    if tail.contains('|') {
        return Err("more than one `|` in the first line".into());
    }
    let head = head.strip_suffix(' ').ok_or("no blank before `|`")?;
    let tail = tail.strip_prefix(' ').ok_or("no blank after `|`")?;
    Ok((head, parse_perfdata(tail)?))
}

fn parse_head(head: &str) -> Result<(String, State, String), String> {
    let (label, rest) = head.split_once(' ').ok_or("no blank after the label")?;
    let label_ok = label.starts_with(|c: char| c.is_ascii_uppercase())
        && label.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !label_ok {
        return Err(format!("bad plugin label {label:?}"));
    }
    let (word, summary) = rest.split_once(": ").ok_or("no `: ` after the state")?;
    let state = State::from_word(word).ok_or_else(|| format!("bad state word {word:?}"))?;
    if summary.is_empty() || summary.trim() != summary {
        return Err(format!("summary empty or with blanks around it: {summary:?}"));
    }
    Ok((label.to_owned(), state, summary.to_owned()))
}

fn parse_perfdata(mut rest: &str) -> Result<Vec<Perf>, String> {
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    loop {
        let (label, after) = parse_label(rest)?;
        let end = after.find(' ').unwrap_or(after.len());
        let item =
            parse_item(label, &after[..end]).map_err(|error| format!("perfdata {label:?}: {error}"))?;
        if !seen.insert(label.to_owned()) {
            return Err(format!("perfdata {label:?} twice"));
        }
        items.push(item);
        if end == after.len() {
            return Ok(items);
        }
        rest = &after[end + 1..];
    }
}

/// Splits `label=` or `'label'=` from the front.
fn parse_label(text: &str) -> Result<(&str, &str), String> {
    let (label, rest, quoted) = if let Some(inner) = text.strip_prefix('\'') {
        let (label, rest) = inner.split_once('\'').ok_or_else(|| format!("open quote: {text:?}"))?;
        (label, rest, true)
    } else {
        let end = text.find(['=', ' ', '\'']).unwrap_or(text.len());
        (&text[..end], &text[end..], false)
    };
    let rest = rest.strip_prefix('=').ok_or_else(|| format!("no `=` after a label: {text:?}"))?;
    let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || "_./:%@+-".contains(c));
    if label.is_empty() || label.contains("::") || label.contains('=') {
        return Err(format!("label {label:?} not allowed"));
    }
    if plain == quoted {
        return Err(format!("label {label:?}: quotes {}", if quoted { "not needed" } else { "missing" }));
    }
    Ok((label, rest))
}

fn parse_item(label: &str, text: &str) -> Result<Perf, String> {
    if text.ends_with(';') {
        return Err("trailing `;`".into());
    }
    let fields: Vec<&str> = text.split(';').collect();
    if fields.len() > 5 {
        return Err("more than five fields".into());
    }
    let field = |index: usize| fields.get(index).copied().filter(|field| !field.is_empty());
    let (value, uom) = parse_value(fields[0])?;
    let min = field(3).map(parse_number).transpose()?;
    let max = field(4).map(parse_number).transpose()?;
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        return Err("min above max".into());
    }
    for range in [field(1), field(2)].into_iter().flatten() {
        check_range(range, min)?;
    }
    let owned = |index: usize| field(index).map(str::to_owned);
    Ok(Perf {
        label: label.to_owned(),
        value,
        uom,
        warn: owned(1),
        crit: owned(2),
        min: owned(3),
        max: owned(4),
    })
}

fn parse_value(text: &str) -> Result<(Option<f64>, String), String> {
    if text == "U" {
        return Ok((None, String::new()));
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    let (number, uom) = text.split_at(end);
    if !matches!(uom, "" | "s" | "B" | "%" | "c") {
        return Err(format!("unit {uom:?} is no base unit"));
    }
    Ok((Some(parse_number(number)?), uom.to_owned()))
}

/// A number in its shortest form: no sign `+`, no exponent, no `-0`, at most six decimals,
/// no zeros at either end that could be left out.
fn parse_number(text: &str) -> Result<f64, String> {
    let bad = |why: &str| Err(format!("number {text:?}: {why}"));
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !decimals.is_none_or(all_digits) {
        return bad("not a plain decimal number");
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return bad("leading zero");
    }
    if decimals.is_some_and(|part| part.len() > 6) {
        return bad("more than six decimals");
    }
    if decimals.is_some_and(|part| part.ends_with('0')) {
        return bad("trailing zero");
    }
    if text == "-0" {
        return bad("negative zero");
    }
    text.parse().map_err(|error| format!("number {text:?}: {error}"))
}

/// Accepts a range only in its canonical form, which is the one Icinga's writers keep.
fn check_range(text: &str, min: Option<f64>) -> Result<(), String> {
    let bad = |why: &str| Err(format!("range {text:?}: {why}"));
    let body = text.strip_prefix('@').unwrap_or(text);
    let Some((start, end)) = body.split_once(':') else {
        return match parse_number(body)? {
            end if end < 0.0 => bad("start 0 above the end"),
            _ => Ok(()),
        };
    };
    let end_value = if end.is_empty() { None } else { Some(parse_number(end)?) };
    if start == "~" {
        let redundant = end_value.is_some() && min.is_some_and(|min| min >= 0.0);
        return if redundant { bad("`~:` although min is not negative") } else { Ok(()) };
    }
    let start_value = parse_number(start)?;
    match end_value {
        Some(end) if start_value > end => bad("start above the end"),
        Some(_) if start == "0" => bad("`0:` is redundant"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn full_output_is_split() {
        let text = "SMTP_AUTH WARNING: certificate of mail.lab.test ends in 5 days | \
                    time=0.012345s;5;10;0 cert_days=5;21:;7:;0;90 'a b'=U loss=-1.5%;@10:20;~:3;-5\n\
                    certificate: CN=mail.lab.test\nsent: EHLO\n";
        let parsed = parse(text.as_bytes()).unwrap();
        assert_eq!((parsed.label.as_str(), parsed.state), ("SMTP_AUTH", State::Warning));
        assert_eq!(parsed.summary, "certificate of mail.lab.test ends in 5 days");
        assert_eq!(parsed.labels(), ["time", "cert_days", "a b", "loss"]);
        assert_eq!(parsed.value("time"), Some(0.012_345));
        assert_eq!(parsed.value("a b"), None);
        let days = parsed.perf("cert_days").unwrap();
        assert_eq!((days.warn.as_deref(), days.crit.as_deref()), (Some("21:"), Some("7:")));
        assert_eq!((days.min.as_deref(), days.max.as_deref()), (Some("0"), Some("90")));
        assert_eq!(parsed.perf("loss").unwrap().uom, "%");
        assert_eq!(parsed.long, ["certificate: CN=mail.lab.test", "sent: EHLO"]);
    }

    #[test]
    fn output_without_perfdata_is_fine() {
        let parsed = parse(b"DEMO UNKNOWN: --port: not a number\n").unwrap();
        assert_eq!(parsed.state.code(), 3);
        assert!(parsed.perfdata.is_empty() && parsed.long.is_empty());
    }

    #[test]
    fn items_in_every_allowed_form() {
        for item in [
            "a=0",
            "a=-0.5",
            "a=10B",
            "a=5c",
            "a=1;~:5",
            "a=1;~:",
            "a=1;0:",
            "a=1;;5",
            "a=1;;;0",
            "a=1;;;;9",
            "a=1;-5:10",
            "a=1;@5",
            "a.b/c:d%e@f+g-h=1",
            "'ä'=1",
            "'a b'=1",
        ] {
            let text = format!("DEMO OK: fine | {item}\n");
            parse(text.as_bytes()).expect(item);
        }
    }

    #[test]
    fn items_in_forbidden_forms() {
        for (item, reason) in [
            ("a=1e3", "base unit"),
            ("a=+1", "base unit"),
            ("a=1,5", "base unit"),
            ("a=5ms", "base unit"),
            ("a=Us", "base unit"),
            ("a=nan", "base unit"),
            ("a=", "plain decimal"),
            ("a=.5", "plain decimal"),
            ("a=1.", "plain decimal"),
            ("a=1.2.3", "plain decimal"),
            ("a=-0", "negative zero"),
            ("a=-0.0", "trailing zero"),
            ("a=1.50", "trailing zero"),
            ("a=01", "leading zero"),
            ("a=0.1234567", "six decimals"),
            ("a=1;", "trailing"),
            ("a=1;5;", "trailing"),
            ("a=1;2;3;4;5;6", "five fields"),
            ("a=1;0:10", "redundant"),
            ("a=1;@0:10", "redundant"),
            ("a=1;~:5;;0", "not negative"),
            ("a=1;20:10", "above"),
            ("a=1;5:~", "plain decimal"),
            ("a=1;:5", "plain decimal"),
            ("a=1;:", "plain decimal"),
            ("a=1;@", "plain decimal"),
            ("a=1;-5", "above"),
            ("a=1;;;9;1", "min above"),
            ("a=1 a=2", "twice"),
            ("a=1  b=2", "after a label"),
            ("a=1 ", "after a label"),
            ("'a'=1", "not needed"),
            ("'a''b'=1", "no `=`"),
            ("ä=1", "missing"),
            ("'a=b'=1", "not allowed"),
            ("a::b=1", "not allowed"),
            ("''=1", "not allowed"),
            ("=1", "not allowed"),
            ("'a=1", "open quote"),
        ] {
            let found = error(&format!("DEMO OK: fine | {item}\n"));
            assert!(found.contains(reason), "{item}: {found}");
        }
    }

    #[test]
    fn lines_in_forbidden_forms() {
        for (text, reason) in [
            ("", "no line end"),
            ("DEMO OK: fine", "no line end"),
            ("DEMO OK: fine\n\n", "empty line at the end"),
            ("DEMO OK: a | b=1 | c=2\n", "more than one"),
            ("DEMO OK: a| b=1\n", "before `|`"),
            ("DEMO OK: a |b=1\n", "after `|`"),
            ("DEMO OK: a | \n", "after a label"),
            ("DEMO OK: fine\nlong | a=1\n", "long text"),
            ("DEMO OK: a\tb\n", "control"),
            ("DEMO OK: a\r\n", "control"),
            ("DEMO OK: \u{1b}[31mred\n", "control"),
            ("DEMO OK: a\u{85}b\n", "control"),
            ("DEMO OK: fine\na\0b\n", "line 2"),
            ("DEMO OK: a\u{202e}b\n", "control"),
            ("demo OK: fine\n", "label"),
            ("DEMO-X OK: fine\n", "label"),
            ("DEMO FINE: x\n", "state word"),
            ("DEMO Ok: x\n", "state word"),
            ("DEMO OK - fine\n", "after the state"),
            ("DEMO OK: \n", "summary"),
            ("DEMO OK:  two\n", "summary"),
            ("DEMO\n", "after the label"),
        ] {
            let found = error(text);
            assert!(found.contains(reason), "{text:?}: {found}");
        }
        assert!(parse(b"DEMO OK: \xff\n").unwrap_err().contains("UTF-8"));
    }
}
