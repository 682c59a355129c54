//! JavaScript source that carries secrets as data.
use secrecy::ExposeSecret;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// JavaScript source with secret values in it, to be run before a script, in the script's context.
///
/// Run it as a script of its own: put in front of another source it would move that one's line numbers and switch off
/// its `'use strict'`. It answers `undefined`, leaves no name behind beside those it defines, and is made of printable
/// ASCII and line feeds, so every engine and transport reads the same characters.
///
/// Neither shown nor compared nor cloned nor serialised; wiped when dropped. Engines keep the source of what they run
/// for as long as something refers to it: drop the engine's script object as well.
#[expect(missing_debug_implementations, reason = "it is made of secrets")]
pub struct Prelude(Zeroizing<String>);

impl ExposeSecret<str> for Prelude {
    fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl Prelude {
    /// The prelude that binds the JSON text to `d` and goes on with `program`, in strict mode and in a scope of its own.
    ///
    /// The data has a line of its own, and nothing on it can fail: an engine that quotes the line of an error quotes
    /// the program.
    pub(crate) fn new(data: &Literal, program: &str) -> Self {
        let parts = ["(()=>{'use strict';const d=\n", &data.0, "\n;", program, "})();\n"];
        let mut source = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            source.push_str(part);
        }
        Self(source)
    }
}

/// A JavaScript string literal under construction whose content is a JSON text.
///
/// Structure comes in as `&'static str` and is ours; every text that is not goes through [`Literal::text`], which
/// leaves ASCII letters, digits and a few harmless signs and writes everything else as `\uXXXX` of JSON. The backslash
/// of that is itself escaped for the literal, so the engine sees a backslash, and only `JSON.parse` sees the
/// character: no quote, line terminator, backtick, `${`, `</script>`, `<!--` or `*/` of a value ever is in the source.
pub(crate) struct Literal(Zeroizing<String>);

/// What stands for itself in the literal, in JSON, in HTML and in comments.
const fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ':' | '=' | '+')
}

/// `\\uXXXX` for each UTF-16 unit.
const ESCAPED: usize = 7;

/// A quote of the JSON text.
const QUOTE: &str = "\\\"";

/// How many bytes [`push_text`] writes for this text.
pub(crate) fn text_len(text: &str) -> usize {
    text.chars().map(|c| if plain(c) { 1 } else { c.len_utf16() * ESCAPED }).sum::<usize>()
}

/// Writes the text without its quotes.
pub(crate) fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        if plain(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(out, "\\\\u{unit:04x}");
            }
        }
    }
}

impl Literal {
    /// A literal of `parts`, in a buffer that is as long as what it will hold: growing would leave copies of secrets
    /// behind in freed memory.
    pub(crate) fn new<'a>(parts: impl Iterator<Item = Part<'a>> + Clone) -> Self {
        let len = 2 + parts.clone().map(Part::len).sum::<usize>();
        let mut out = Zeroizing::new(String::with_capacity(len));
        out.push('"');
        for part in parts {
            match part {
                Part::Mark(mark) => out.push_str(mark),
                Part::Text(text) => {
                    out.push_str(QUOTE);
                    push_text(&mut out, text);
                    out.push_str(QUOTE);
                }
            }
        }
        out.push('"');
        Self(out)
    }
}

/// A piece of JSON.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    /// Punctuation of ours, without quotes and backslashes.
    Mark(&'static str),
    /// A string.
    Text(&'a str),
}

impl Part<'_> {
    fn len(self) -> usize {
        match self {
            Self::Mark(mark) => mark.len(),
            Self::Text(text) => 2 * QUOTE.len() + text_len(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an engine does with the literal, as far as our literals go: the only escapes are `\\` and `\"`.
    fn engine(literal: &str) -> String {
        let mut chars = literal.strip_prefix('"').unwrap().strip_suffix('"').unwrap().chars();
        let mut out = String::new();
        while let Some(c) = chars.next() {
            assert_ne!(c, '"');
            out.push(if c == '\\' { chars.next().filter(|c| ['\\', '"'].contains(c)).unwrap() } else { c });
        }
        out
    }

    proptest! {
        #[test]
        fn any_text_is_data_and_comes_back(texts in proptest::collection::vec(any::<String>(), 0..4)) {
            let parts = || {
                let each = texts.iter().enumerate();
                let each = each.flat_map(|(i, text)| [Part::Mark(if i == 0 { "" } else { "," }), Part::Text(text)]);
                std::iter::once(Part::Mark("[")).chain(each).chain([Part::Mark("]")])
            };
            let literal = Literal::new(parts());
            prop_assert!(literal.0.bytes().all(|b| (b' '..=b'~').contains(&b)));
            let risky = ['<', '>', '/', '\'', '`', '$', '{', '*', '&'];
            prop_assert!(!literal.0.contains(risky));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&engine(&literal.0)).unwrap(), texts);
        }
    }

    #[test]
    fn every_character_but_a_few_harmless_ones_is_escaped() {
        let harmless = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-.:=+";
        for c in '\0'..='\u{10fff}' {
            let mut out = String::new();
            push_text(&mut out, c.encode_utf8(&mut [0; 4]));
            if harmless.contains(c) {
                assert_eq!(out, String::from(c));
            } else {
                let units: Vec<String> = c.encode_utf16(&mut [0; 2]).iter().map(|u| format!(r"\\u{u:04x}")).collect();
                assert_eq!(out, units.concat(), "{c:?}");
            }
        }
    }

    /// Does not compile where the type has one of the traits: then `f` could be either implementation's.
    macro_rules! assert_not {
        ($type:ty: $($trait:path),+) => {
            const _: fn() = || {
                trait Ambiguous<A> { fn f() {} }
                impl<T: ?Sized> Ambiguous<()> for T {}
                $({ struct Another; impl<T: ?Sized + $trait> Ambiguous<Another> for T {} })+
                let _ = <$type as Ambiguous<_>>::f;
            };
        };
    }
    assert_not!(Prelude: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize, AsRef<str>);

    #[test]
    fn the_buffer_never_grows() {
        let text = "aé\u{1f600}\"\\\0".repeat(100);
        let literal = Literal::new([Part::Text(&text)].into_iter());
        assert_eq!(literal.0.len(), literal.0.capacity());
        let prelude = Prelude::new(&literal, "x");
        assert_eq!(prelude.0.len(), prelude.0.capacity());
    }
}
