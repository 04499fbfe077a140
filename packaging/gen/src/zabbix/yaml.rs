//! A tree of texts, lists and mappings written as YAML, for readers of any version: no
//! anchors, no types, every text in quotes or as a block.

/// One node of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A scalar, always a string.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order given.
    Map(Vec<(&'static str, Node)>),
}

impl Node {
    /// The document, ending in a line feed.
    #[must_use]
    pub fn document(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    /// Writes the node as lines of its own.
    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Text(text) => out.push_str(&format!("{}\n", quoted(text))),
            Self::List(items) => {
                for item in items {
                    out.push_str(&format!("{}- ", indent(depth)));
                    item.write_behind_dash(out, depth + 1);
                }
            }
            Self::Map(entries) => {
                for entry in entries {
                    out.push_str(&indent(depth));
                    write_entry(entry, out, depth);
                }
            }
        }
    }

    /// Writes the node with its first line behind the dash of a list.
    fn write_behind_dash(&self, out: &mut String, depth: usize) {
        match self {
            Self::Map(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push_str(&indent(depth));
                    }
                    write_entry(entry, out, depth);
                }
            }
            Self::Text(text) if text.contains('\n') => write_block(text, out, depth),
            other => other.write(out, depth),
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

fn write_entry((key, value): &(&'static str, Node), out: &mut String, depth: usize) {
    out.push_str(&format!("{key}:"));
    match value {
        Node::Text(text) if text.contains('\n') => {
            out.push(' ');
            write_block(text, out, depth + 1);
        }
        Node::Text(text) => out.push_str(&format!(" {}\n", quoted(text))),
        nested => {
            out.push('\n');
            nested.write(out, depth + 1);
        }
    }
}

/// A literal block without a line feed at its end.
fn write_block(text: &str, out: &mut String, depth: usize) {
    out.push_str("|-\n");
    for line in text.lines() {
        let margin = if line.is_empty() { String::new() } else { indent(depth) };
        out.push_str(&format!("{margin}{line}\n"));
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested() {
        let document = Node::Map(vec![
            ("name", "it's".into()),
            (
                "list",
                Node::List(vec![
                    Node::Map(vec![("a", "1".into()), ("b", Node::List(vec!["x".into(), "y\nz".into()]))]),
                    Node::Map(vec![("text", "one\n\n  two".into())]),
                ]),
            ),
        ]);
        let want = "\
name: 'it''s'
list:
  - a: '1'
    b:
      - 'x'
      - |-
        y
        z
  - text: |-
      one

        two
";
        assert_eq!(document.document(), want);
    }
}
