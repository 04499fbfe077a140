//! What one file says: paths, macro names, `unsafe`, and the full paths behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

use crate::root;
use crate::rules::{LAYERS, OUTPUT_MACROS, Owner};

pub type Names = Vec<String>;

pub struct Source {
    /// Relative to the workspace, for messages.
    file: String,
    pub owner: Owner,
    crate_name: String,
    pub module: Names,
    text: String,
}

impl Source {
    pub fn read(file: &Path) -> Self {
        let relative = file.strip_prefix(root()).expect("inside the workspace");
        let text = fs::read_to_string(file).expect("a readable source file");
        Self::new(&relative.to_string_lossy(), &text)
    }

    /// `file` is `common/src/...`, `common/examples/x.rs` or `plugins/check_x/src/...`.
    pub fn new(file: &str, text: &str) -> Self {
        let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        let example = parts[1] == "examples";
        let below = if parts[0] == "common" { 2 } else { 3 };
        let mut module: Names = parts[below..].iter().map(ToString::to_string).collect();
        let crate_name = if example { module.remove(0) } else { parts[below - 2].to_owned() };
        if module.last().is_some_and(|last| last == "mod")
            || ["lib", "main"].map(String::from).contains(&module.concat())
        {
            module.pop();
        }
        let owner = match module.first() {
            _ if example || below == 3 => Owner::Plugin(crate_name.clone()),
            Some(layer) => Owner::Layer(layer.clone()),
            None => Owner::CommonRoot,
        };
        Self { file: file.to_owned(), owner, crate_name, module, text: text.to_owned() }
    }

    fn is_crate_root(&self) -> bool {
        self.module.is_empty()
    }
}

/// A path as written, and the module it stands in.
struct Mention {
    module: Names,
    path: Names,
    external: bool,
    glob: bool,
}

/// What one file says, before names are resolved.
#[derive(Default)]
pub struct Facts {
    module: Names,
    mentions: Vec<Mention>,
    /// Names brought in by `use`, by module.
    imports: BTreeMap<(Names, String), Names>,
    /// Modules declared with `mod`, as full module paths.
    children: BTreeSet<Names>,
    pub test_modules: BTreeSet<Names>,
    uses_unsafe: bool,
    allows_unsafe: bool,
    moved_module: bool,
}

impl Facts {
    pub fn of(source: &Source) -> Self {
        let file = syn::parse_file(&source.text).unwrap_or_else(|error| unreadable(&source.file, &error));
        let mut facts = Self { module: source.module.clone(), ..Self::default() };
        facts.allows_unsafe = file.attrs.iter().any(permits_unsafe);
        facts.visit_file(&file);
        facts
    }

    pub fn problems(&self, source: &Source) -> Vec<String> {
        let mut problems = Vec::new();
        if let Owner::Layer(layer) = &source.owner
            && !LAYERS.contains(&layer.as_str())
        {
            problems.push(format!("{}: `{layer}` is none of the layers {LAYERS:?}", source.file));
        }
        if self.uses_unsafe && !self.allows_unsafe {
            problems
                .push(format!("{}: unsafe code without `#![expect(unsafe_code, reason = ..)]`", source.file));
        }
        if self.allows_unsafe && source.is_crate_root() {
            problems.push(format!(
                "{}: a crate root may not permit unsafe code for the whole crate",
                source.file
            ));
        }
        if self.moved_module {
            problems.push(format!("{}: `#[path]` hides which layer a module belongs to", source.file));
        }
        for mention in &self.mentions {
            let (path, through_import) = self.resolve(source, mention);
            // The `use` line is a mention of its own: one mistake, one message.
            let told = through_import.is_some_and(|import| source.owner.verdict(&import, false).is_some());
            if let (false, Some(why)) = (told, source.owner.verdict(&path, mention.glob)) {
                let star = if mention.glob { "::*" } else { "" };
                problems.push(format!("{}: {}{star}: {why}", source.file, path.join("::")));
            }
        }
        problems
    }

    /// The full path, and the import it went through, if any.
    fn resolve(&self, source: &Source, mention: &Mention) -> (Names, Option<Names>) {
        let mut path = mention.path.clone();
        let mut import = None;
        // Imports of imports end soon; the bound only keeps `use a as b; use b as a;` from turning for ever.
        for _ in 0..8 {
            if mention.external && import.is_none() {
                break;
            }
            let key = (mention.module.clone(), path[0].clone());
            let Some(target) = self.imports.get(&key).filter(|target| target[0] != path[0]) else {
                break;
            };
            path.splice(0..1, target.iter().cloned());
            import = Some(self.rooted(source, &mention.module, target.clone()));
        }
        let path = if mention.external && import.is_none() {
            path
        } else {
            self.rooted(source, &mention.module, path)
        };
        (normal(path), import.map(normal))
    }

    fn rooted(&self, source: &Source, module: &[String], mut path: Names) -> Names {
        let mut base = module.to_vec();
        match path[0].as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                while path.len() > 1 && path[1] == "super" {
                    path.remove(0);
                    base.pop();
                }
                base.pop();
            }
            first if self.children.contains(&[module, &[first.to_owned()]].concat()) => {
                path.insert(0, "self".to_owned());
            }
            _ => return path,
        }
        let rest = path[1..].iter().filter(|name| *name != "self" && *name != "super").cloned();
        absolute(source, &base).into_iter().chain(rest).collect()
    }

    fn mention(&mut self, path: Names, external: bool, glob: bool) {
        if !path.is_empty() {
            self.mentions.push(Mention { module: self.module.clone(), path, external, glob });
        }
    }

    fn use_tree(&mut self, tree: &syn::UseTree, prefix: &[String], external: bool) {
        let with = |name: &syn::Ident| [prefix, &[plain(name)]].concat();
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&path.tree, &with(&path.ident), external),
            syn::UseTree::Name(name) if name.ident == "self" => self.import(prefix.to_vec(), None, external),
            syn::UseTree::Name(name) => self.import(with(&name.ident), None, external),
            syn::UseTree::Rename(rename) if rename.ident == "self" && !prefix.is_empty() => {
                self.import(prefix.to_vec(), Some(plain(&rename.rename)), external);
            }
            syn::UseTree::Rename(rename) => {
                self.import(with(&rename.ident), Some(plain(&rename.rename)), external);
            }
            syn::UseTree::Glob(_) => self.mention(prefix.to_vec(), external, true),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(tree, prefix, external));
            }
        }
    }

    fn import(&mut self, path: Names, renamed: Option<String>, external: bool) {
        if let Some(name) = renamed.or_else(|| path.last().cloned()) {
            self.imports.insert((self.module.clone(), name), path.clone());
        }
        self.mention(path, external, false);
    }

    /// Paths, macro names and `unsafe` among tokens that `syn` does not parse (macro and attribute arguments).
    fn tokens(&mut self, mut cursor: Cursor<'_>) {
        let mut path: Names = Vec::new();
        while !cursor.eof() {
            if let Some((ident, next)) = cursor.ident() {
                self.uses_unsafe |= ident == "unsafe";
                path.push(plain(&ident));
                cursor = next;
                if let Some(next) = after_double_colon(cursor)
                    && next.ident().is_some()
                {
                    cursor = next;
                    continue;
                }
                let called = cursor
                    .punct()
                    .is_some_and(|(punct, next)| punct.as_char() == '!' && next.any_group().is_some());
                self.token_path(std::mem::take(&mut path), called);
            } else if let Some((inside, _, _, next)) = cursor.any_group() {
                self.tokens(inside);
                cursor = next;
            } else if let Some((_, next)) = cursor.token_tree() {
                cursor = next;
            }
        }
    }

    fn token_path(&mut self, path: Names, is_macro: bool) {
        if is_macro {
            self.macro_name(path);
        } else if path.len() > 1 {
            self.mention(path, false, false);
        }
    }

    fn macro_name(&mut self, mut path: Names) {
        if path.len() == 1 && OUTPUT_MACROS.contains(&path[0].as_str()) {
            path.insert(0, "std".to_owned());
        }
        self.mention(path, false, false);
    }
}

impl<'ast> Visit<'ast> for Facts {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !item_attrs(item).iter().any(is_test_only) {
            visit::visit_item(self, item);
        } else if let syn::Item::Mod(module) = item {
            self.test_modules.insert([&self.module[..], &[plain(&module.ident)]].concat());
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attrs: &[syn::Attribute] = match item {
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if !attrs.iter().any(is_test_only) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.moved_module |= item.attrs.iter().any(|attr| attr.path().is_ident("path"));
        self.module.push(plain(&item.ident));
        self.children.insert(self.module.clone());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &[], item.leading_colon.is_some());
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let renamed = item.rename.as_ref().map(|(_, name)| plain(name));
        self.import(vec![plain(&item.ident)], renamed, true);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 || path.leading_colon.is_some() {
            self.mention(names(path), path.leading_colon.is_some(), false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.macro_name(names(&item.path));
        self.tokens(TokenBuffer::new2(item.tokens.clone()).begin());
    }

    fn visit_attribute(&mut self, attr: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attr.meta {
            self.tokens(TokenBuffer::new2(list.tokens.clone()).begin());
        }
        visit::visit_attribute(self, attr);
    }

    fn visit_expr_unsafe(&mut self, item: &'ast syn::ExprUnsafe) {
        self.uses_unsafe = true;
        visit::visit_expr_unsafe(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.uses_unsafe |= item.unsafety.is_some();
        visit::visit_item_impl(self, item);
    }

    fn visit_item_foreign_mod(&mut self, item: &'ast syn::ItemForeignMod) {
        self.uses_unsafe = true;
        visit::visit_item_foreign_mod(self, item);
    }

    fn visit_signature(&mut self, item: &'ast syn::Signature) {
        self.uses_unsafe |= matches!(item.safety, syn::Safety::Unsafe(_));
        visit::visit_signature(self, item);
    }
}

#[expect(clippy::panic, reason = "a file that does not parse must fail the test with its name")]
fn unreadable(file: &str, error: &syn::Error) -> ! {
    panic!("{file}: {error}")
}

fn plain(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

fn names(path: &syn::Path) -> Names {
    path.segments.iter().map(|segment| plain(&segment.ident)).collect()
}

/// `core` and `alloc` are `std` under another name.
fn normal(mut path: Names) -> Names {
    if path[0] == "core" || path[0] == "alloc" {
        "std".clone_into(&mut path[0]);
    }
    path
}

fn after_double_colon(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    let colon = |cursor: Cursor<'_>| cursor.punct().is_some_and(|(punct, _)| punct.as_char() == ':');
    let (_, second) = cursor.punct().filter(|_| colon(cursor))?;
    second.punct().filter(|_| colon(second)).map(|(_, next)| next)
}

/// `#[cfg(test)]`, also inside `all(..)`. `not(test)` and `any(test, ..)` are shipped code.
fn is_test_only(attr: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attr.meta else {
        return false;
    };
    let tokens = list.tokens.to_string();
    attr.path().is_ident("cfg")
        && !tokens.contains("not")
        && !tokens.contains("any")
        && tokens.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "test")
}

fn permits_unsafe(attr: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attr.meta else {
        return false;
    };
    (attr.path().is_ident("expect") || attr.path().is_ident("allow"))
        && list.tokens.to_string().contains("unsafe_code")
}

fn item_attrs(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

pub fn absolute(source: &Source, module: &[String]) -> Names {
    [std::slice::from_ref(&source.crate_name), module].concat()
}
