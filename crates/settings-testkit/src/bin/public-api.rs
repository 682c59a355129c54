//! What a crate shows to those who use it, read from its source: `public-api crates/settings`. One line for each public item, sorted,
//! with the feature that it needs. So a change of the surface is a line of a diff.
//!
//! It reads what is written in the crate itself. What is re-exported from other crates is named, and not listed; what a derive or
//! another macro writes is named as the derive, or not seen at all: items that a macro makes have to be looked for by hand.
use quote::ToTokens;
use std::{collections::BTreeSet, error::Error, fs, path::Path, process::ExitCode};
use syn::{Attribute, Fields, ImplItem, Item, Signature, TraitItem, Visibility};

type Lines = BTreeSet<String>;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: public-api FOLDER OF A CRATE");
        return ExitCode::from(2);
    };
    let mut lines = Lines::new();
    match file(&Path::new(&folder).join("src"), "lib.rs", "", &mut lines) {
        Ok(()) => {
            println!("# Written by scripts/gen.sh from the source: the public items of `{folder}`.");
            for line in lines.iter().filter(|line| !is_private(line, &lines)) {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a line implements a trait for a type that nobody sees.
fn is_private(line: &str, lines: &Lines) -> bool {
    let Some((_, whose)) = line.strip_prefix("impl").and_then(|line| line.split_once(" for ")) else { return false };
    let name: String = whose.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let shown = |kind: &str| lines.iter().any(|l| l.strip_prefix(kind).is_some_and(|l| l.starts_with(&name)));
    !shown("struct ") && !shown("enum ")
}

/// Reads a file and the files of its modules, which lie beside it: a crate whose modules have folders is not read, and says so.
fn file(folder: &Path, name: &str, needs: &str, lines: &mut Lines) -> Result<(), Box<dyn Error>> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    items(folder, &syn::parse_file(&text)?.items, needs, lines)
}

/// The items of a module. Private modules are read as well: what they show is re-exported, or can be had from what is.
fn items(folder: &Path, items: &[Item], needs: &str, lines: &mut Lines) -> Result<(), Box<dyn Error>> {
    for item in items {
        match item {
            Item::Mod(m) if is_test(&m.attrs) => {}
            Item::Mod(m) => match &m.content {
                Some((_, inner)) => {
                    let mut own = Lines::new();
                    self::items(folder, inner, &with(needs, &m.attrs), &mut own)?;
                    let module = &m.ident;
                    lines.extend(own.into_iter().map(|line| format!("mod {module}: {line}")));
                }
                None => file(folder, &format!("{}.rs", m.ident), &with(needs, &m.attrs), lines)?,
            },
            Item::Use(u) if is_public(&u.vis) => add(lines, needs, &u.attrs, &format!("use {}", plain(&u.tree))),
            Item::Fn(f) if is_public(&f.vis) => add(lines, needs, &f.attrs, &signature(&f.sig)),
            Item::Const(c) if is_public(&c.vis) => {
                add(lines, needs, &c.attrs, &format!("const {}: {}", c.ident, plain(&c.ty)));
            }
            Item::Type(t) if is_public(&t.vis) => {
                add(lines, needs, &t.attrs, &format!("type {} = {}", t.ident, plain(&t.ty)));
            }
            Item::Struct(s) if is_public(&s.vis) => {
                let name = format!("struct {}{}", s.ident, plain(&s.generics));
                add(lines, needs, &s.attrs, &format!("{name}{}", marks(&s.attrs)));
                for field in s.fields.iter().filter(|f| is_public(&f.vis)) {
                    let field_name = field.ident.as_ref().map_or_else(String::new, ToString::to_string);
                    add(lines, needs, &field.attrs, &format!("{name}.{field_name}: {}", plain(&field.ty)));
                }
            }
            Item::Enum(e) if is_public(&e.vis) => {
                add(lines, needs, &e.attrs, &format!("enum {}{}", e.ident, marks(&e.attrs)));
                for variant in &e.variants {
                    let fields = match &variant.fields {
                        Fields::Unit => String::new(),
                        fields => plain(&bare(fields)),
                    };
                    add(lines, needs, &variant.attrs, &format!("enum {}::{}{fields}", e.ident, variant.ident));
                }
            }
            Item::Trait(t) if is_public(&t.vis) => {
                let bounds =
                    if t.supertraits.is_empty() { String::new() } else { format!(": {}", plain(&t.supertraits)) };
                add(lines, needs, &t.attrs, &format!("trait {}{bounds}", t.ident));
                for item in &t.items {
                    if let TraitItem::Fn(f) = item {
                        let provided = if f.default.is_some() { " { .. }" } else { "" };
                        add(lines, needs, &f.attrs, &format!("trait {}: {}{provided}", t.ident, signature(&f.sig)));
                    }
                }
            }
            Item::Impl(i) => {
                let whose = plain(&i.self_ty);
                if let Some((_, of, _)) = &i.trait_ {
                    add(lines, needs, &i.attrs, &format!("impl{} {} for {whose}", plain(&i.generics), plain(of)));
                }
                for item in &i.items {
                    if let ImplItem::Fn(f) = item
                        && is_public(&f.vis)
                    {
                        add(lines, needs, &f.attrs, &format!("{whose}: {}", signature(&f.sig)));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn add(lines: &mut Lines, needs: &str, attributes: &[Attribute], line: &str) {
    lines.insert(format!("{line}{}", with(needs, attributes)));
}

/// A signature without the names of what it takes: those can be changed at will.
fn signature(of: &Signature) -> String {
    let mut of = of.clone();
    for input in &mut of.inputs {
        if let syn::FnArg::Typed(typed) = input {
            *typed.pat = syn::parse_quote!(_);
        }
    }
    plain(&of)
}

/// The fields of a variant without what is said of them.
fn bare(fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    fields.iter_mut().for_each(|f| f.attrs.clear());
    fields
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && plain(&a.meta).contains("(test)"))
}

/// Under which features it is there.
fn with(needs: &str, attributes: &[Attribute]) -> String {
    let features = attributes.iter().filter(|a| a.path().is_ident("cfg")).map(|a| format!(" [{}]", plain(&a.meta)));
    features.fold(needs.to_owned(), |all, feature| all + &feature)
}

/// What of an item's attributes binds its users: derived traits, and whether it may grow or has to be used.
fn marks(attributes: &[Attribute]) -> String {
    let of = |name| attributes.iter().filter(move |a: &&Attribute| a.path().is_ident(name));
    let marks = ["derive", "non_exhaustive"].into_iter().flat_map(of).map(|a| format!(" #[{}]", plain(&a.meta)));
    marks.collect()
}

/// Tokens as one would write them.
fn plain(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        ("< ", "<"),
        (" (", "("),
        (" )", ")"),
        ("( ", "("),
        (" ,", ","),
        ("& ", "&"),
        (" :", ":"),
        (" ;", ";"),
        (" ! ", "!"),
        ("[ ", "["),
        (" ]", "]"),
        ("->", " -> "),
        ("  ", " "),
    ] {
        text = text.replace(from, to);
    }
    text.replace("- >", "->")
}
