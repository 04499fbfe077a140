//! Markup under construction. Whatever is not fixed at compile time goes through one door, which escapes it.

use common::report::clean;

/// A page. Not inlined: a page has hundreds of elements, and nobody waits for it.
///
/// Names of elements and attributes are fixed when the program is built; all other text is data, and stays so.
#[derive(Debug)]
pub(super) struct Html(String);

/// Attributes of an element: a name and a value, which is escaped.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// A page that loads nothing and runs nothing, whatever is written into it.
    pub(super) fn new(title: &str, style: &'static str) -> Self {
        let mut page = Self(String::with_capacity(32 * 1024));
        page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n");
        page.empty("meta", &[("charset", "utf-8")]);
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        page.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", policy)]);
        page.empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
        page.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        page.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
        page.leaf("title", &[], title);
        page.raw("<style>\n");
        page.raw(style);
        page.raw("</style>\n</head>\n<body>\n");
        page
    }

    /// The page as text.
    pub(super) fn finish(mut self) -> String {
        self.raw("</body>\n</html>\n");
        self.0
    }

    /// An element with others inside.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(tag, attributes);
        inside(self);
        self.close(tag);
    }

    /// An element with text inside.
    #[inline(never)]
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
    }

    /// A name that may be broken behind each underscore.
    #[inline(never)]
    pub(super) fn breakable(&mut self, name: &str) {
        for (at, part) in name.split('_').enumerate() {
            if at > 0 {
                self.text("_");
                self.empty("wbr", &[]);
            }
            self.text(part);
        }
    }

    /// Text, with what a browser would read as markup escaped, and what a reader would not see made visible.
    #[inline(never)]
    pub(super) fn text(&mut self, text: &str) {
        for (at, part) in text.split('|').enumerate() {
            // For the output of a plugin this one has a meaning, and is replaced.
            if at > 0 {
                self.0.push('|');
            }
            for c in clean(part).chars() {
                match c {
                    '&' => self.0.push_str("&amp;"),
                    '<' => self.0.push_str("&lt;"),
                    '>' => self.0.push_str("&gt;"),
                    '"' => self.0.push_str("&quot;"),
                    '\'' => self.0.push_str("&#39;"),
                    c => self.0.push(c),
                }
            }
        }
    }

    #[inline(never)]
    fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.raw("<");
        self.raw(tag);
        for (name, value) in attributes {
            self.raw(" ");
            self.raw(name);
            self.raw("=\"");
            self.text(value);
            self.raw("\"");
        }
        self.raw(">");
    }

    #[inline(never)]
    fn close(&mut self, tag: &'static str) {
        self.raw("</");
        self.raw(tag);
        self.raw(if matches!(tag, "span" | "code" | "strong" | "b" | "a") { ">" } else { ">\n" });
    }

    /// An element that has no inside.
    fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.open(tag, attributes);
        if tag == "meta" {
            self.raw("\n");
        }
    }

    /// Markup, and so never anything that came from elsewhere.
    fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(write: impl FnOnce(&mut Html)) -> String {
        let mut page = Html::new("t", "");
        write(&mut page);
        let page = page.finish();
        let (_, body) = page.split_once("<body>\n").unwrap();
        body.strip_suffix("</body>\n</html>\n").unwrap().to_owned()
    }

    #[test]
    fn the_head_forbids_everything_before_anything_else_is_said() {
        let page = Html::new("</title><script>", "body{}").finish();
        let policy = page.find("default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;").unwrap();
        let title = page.find("<title>&lt;/title&gt;&lt;script&gt;</title>").unwrap();
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"));
        assert!(policy < title && title < page.find("body{}").unwrap());
    }

    #[test]
    fn text_and_values_are_escaped() {
        let hostile = "<b onclick='x'>&amp;\"";
        let escaped = "&lt;b onclick=&#39;x&#39;&gt;&amp;amp;&quot;";
        assert_eq!(body(|page| page.text(hostile)), escaped);
        assert_eq!(body(|page| page.breakable("a_<b>")), "a_<wbr>&lt;b&gt;");
        let attribute = body(|page| page.leaf("span", &[("title", hostile)], "x"));
        assert_eq!(attribute, format!("<span title=\"{escaped}\">x</span>"));
        // What cannot be seen, or turns round what is read.
        assert_eq!(body(|page| page.text("a|b\u{202e}c\0d\u{7f}\ne")), "a|b\\u{202E}c\\x00d\\x7f e");
    }

    proptest! {
        /// No text makes an element, ends one or leaves an attribute.
        #[test]
        fn no_text_is_markup(text in any::<String>()) {
            let written = body(|page| page.leaf("p", &[("title", &text)], &text));
            prop_assert_eq!(written.matches('<').count(), 2);
            prop_assert_eq!(written.matches('>').count(), 2);
            prop_assert_eq!(written.matches('"').count(), 2);
            prop_assert!(written.chars().all(|c| !c.is_control() || c == '\n'));
        }
    }
}
