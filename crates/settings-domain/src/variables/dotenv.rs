//! Reads `.env` files (seed B, Variables: taken over from a file).
//!
//! The grammar is what the common readers agree on, without what makes them differ: nothing is expanded. `$HOME` and
//! `$(date)` stay as they stand, so no text of a tenant ever meets this process's environment or a shell. That is also why
//! no library reads it: the well-kept ones expand.
//!
//! - A line is `NAME=value`, with an optional `export` before it. White space around the name and the `=` does not count.
//! - Blank lines and lines that start with `#` are skipped. A ` #` ends an unquoted value.
//! - `'…'` is literal. `"…"` knows `\n`, `\r`, `\t`, `\"`, `\\`, `\$`. Both may span lines. Nothing but a comment follows.
//! - An unquoted value ends with the line; white space around it does not count.
use super::VariableName;
use crate::{sealed::SecretValue, text::TextError};
use std::collections::BTreeSet;

/// A name with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name.
    pub name: VariableName,
    /// The value.
    pub value: SecretValue,
    /// The line it starts on, from 1.
    pub line: usize,
}

/// Something of the file that can't be taken over. The sentence never repeats the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotenvFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub detail: String,
}

/// Reads a whole file: every entry, or every fault.
pub fn parse(text: &str) -> Result<Vec<Entry>, Vec<DotenvFault>> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let (mut entries, mut faults, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    while let Some(read) = reader.next_entry() {
        match read {
            Ok(entry) if !names.insert(entry.name.clone()) => {
                faults.push(DotenvFault { line: entry.line, detail: format!("{} stands twice", entry.name) });
            }
            Ok(entry) => entries.push(entry),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// The next entry or fault; `None` at the end. A fault is skipped up to the end of its line.
    fn next_entry(&mut self) -> Option<Result<Entry, DotenvFault>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let start = self.rest.trim_start_matches([' ', '\t']);
            if start.is_empty() || start.starts_with(['\n', '\r', '#']) {
                self.skip_line();
                continue;
            }
            let (line, before) = (self.line, self.rest.len());
            return Some(self.entry(start).map_err(|detail| {
                // A value that is no value was read to its end already.
                if self.rest.len() == before {
                    self.skip_line();
                }
                DotenvFault { line, detail }
            }));
        }
    }

    fn entry(&mut self, start: &'a str) -> Result<Entry, String> {
        let line = self.line;
        let (head, _) = split_line(start);
        let (name, _) = head.split_once('=').ok_or("is not of the form NAME=value")?;
        let bare = name.trim();
        let bare = bare.strip_prefix("export").filter(|n| n.starts_with([' ', '\t'])).map_or(bare, str::trim);
        let name: VariableName = bare.parse().map_err(|e| format!("the name {e}"))?;
        let after = start.split_once('=').map_or("", |(_, after)| after).trim_start_matches([' ', '\t']);
        let value = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(after.get(1..).unwrap_or_default(), quote)?,
            _ => {
                let (value, _) = split_line(after);
                self.rest = after;
                self.skip_line();
                unquoted(value)
            }
        };
        let value = SecretValue::new(value.into()).map_err(|TextError(e)| format!("the value of {name} {e}"))?;
        Ok(Entry { name, value, line })
    }

    /// The text up to the closing quote.
    fn quoted(&mut self, text: &'a str, quote: char) -> Result<String, String> {
        let mut value = String::with_capacity(text.len().min(crate::sealed::MAX_VALUE));
        let mut chars = text.char_indices();
        let mut lines = 0;
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    let after = text.get(at + 1..).unwrap_or_default();
                    let (tail, _) = split_line(after);
                    let tail = tail.trim();
                    if !tail.is_empty() && !tail.starts_with('#') {
                        return Err("something follows the closing quote".to_owned());
                    }
                    self.line += lines;
                    self.rest = after;
                    self.skip_line();
                    return Ok(value);
                }
                '\\' if quote == '"' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, c @ ('"' | '\\' | '$'))) => value.push(c),
                    _ => return Err("has an escape that is none of \\n \\r \\t \\\" \\\\ \\$".to_owned()),
                },
                c => {
                    lines += usize::from(c == '\n');
                    value.push(c);
                }
            }
        }
        Err("a quote is not closed".to_owned())
    }

    fn skip_line(&mut self) {
        let (_, rest) = split_line(self.rest);
        self.line += 1;
        self.rest = rest;
    }
}

/// A line without its end, and what follows.
fn split_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// An unquoted value: up to a comment, without white space around it.
fn unquoted(line: &str) -> String {
    let end = line
        .char_indices()
        .zip(std::iter::once(' ').chain(line.chars()))
        .find_map(|((at, c), before)| (c == '#' && before.is_whitespace()).then_some(at));
    line.get(..end.unwrap_or(line.len())).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let entries = parse(text).unwrap_or_else(|faults| panic!("{faults:?}"));
        entries.into_iter().map(|e| (e.name.to_string(), e.value.expose().to_owned())).collect()
    }
    fn faults(text: &str) -> Vec<(usize, String)> {
        parse(text).err().unwrap_or_default().into_iter().map(|f| (f.line, f.detail)).collect()
    }
    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_usual_forms_are_read() {
        let text = "\u{feff}# a comment\n\nA=1\nexport B = two words  # comment\r\n C=a#b\nD='$HOME # \\n'\nE=\"x\\ny\\\"\\$z\" # c\nF=\"one\ntwo\"\nG=$(id)\nexportH=3";
        assert_eq!(
            read(text),
            [
                pair("A", "1"),
                pair("B", "two words"),
                pair("C", "a#b"),
                pair("D", "$HOME # \\n"),
                pair("E", "x\ny\"$z"),
                pair("F", "one\ntwo"),
                pair("G", "$(id)"),
                pair("exportH", "3"),
            ]
        );
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_without_the_text() {
        let text = "canary\nA=\n1X=canary\nB='canary\nif=canary";
        let told = faults(text);
        assert_eq!(told.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!(told.iter().all(|(_, d)| !d.contains("canary")), "{told:?}");
        assert_eq!(faults("A=1\nA=2"), [(2, "A stands twice".to_owned())]);
        assert_eq!(faults("A='x' y"), [(1, "something follows the closing quote".to_owned())]);
        assert_eq!(faults("A=\"\\q\"").len(), 1);
    }

    #[test]
    fn a_fault_after_quoted_lines_has_the_right_line() {
        assert_eq!(faults("A=\"1\n2\n3\"\nbad").first().map(|f| f.0), Some(4));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(?s).{0,200}") {
            let _ = parse(&text);
        }
        #[test]
        fn a_value_in_double_quotes_comes_back_byte_for_byte(value in "[^\0]{1,60}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(read(&format!("X=\"{escaped}\"\nY=1")), vec![pair("X", &value), pair("Y", "1")]);
        }
    }
}
