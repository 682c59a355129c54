//! Takes secret values out of output: what a script prints, what a model answers, what an error repeats.
//!
//! Every occurrence of every value is replaced by a mask, also where occurrences overlap and where the output comes in
//! pieces that cut through one. Values are found as they are and in the [spellings](#spellings) that they get when they
//! pass through common libraries.
//!
//! **It hides accidents, not intent.** A script that may see a value can print it letter by letter. Values of fewer
//! than four characters are not hidden: output would be unreadable, and where a mask is would tell the value.
//!
//! # Spellings
//!
//! - as it is, and without white space at its ends;
//! - in JSON strings: minimal escapes, ASCII only, safe for HTML, with `\/`, and JSON within JSON; and as a
//!   [`Prelude`](crate::Prelude) spells it;
//! - percent-encoded: as a component, strictly, as a form, as a whole URL, each with upper and lower case digits;
//! - in base64, both alphabets: by itself, and at any place within a longer text that is encoded, such as the
//!   `user:password` of a `Basic` header, also form-encoded before. Not in base64 that is broken into lines.
//!
//! # Why nothing survives
//!
//! The mask is made of a character that no spelling has. So an occurrence in the result would have to lie between two
//! masks; there the text is as it was, and every occurrence that it had is masked.
mod automaton;
mod spellings;
mod stream;

use automaton::Automaton;
use secrecy::{ExposeSecret as _, SecretString};
use spellings::spellings;
use std::{collections::BTreeSet, fmt};
pub use stream::Stream;
use zeroize::Zeroizing;

/// Values with fewer characters than this are not looked for.
pub const SHORTEST: usize = 4;

/// How many bytes all spellings of all values may have together. A value has up to 36. Looking for them takes
/// nine times as much memory.
pub const MOST_BYTES: usize = 16 << 20;

/// There is no redactor for these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// They are too many or too long. Output that cannot be redacted must not be shown.
    #[error("the values are too large to be looked for: more than {MOST_BYTES} bytes in all spellings")]
    TooLarge,
}

/// Knows the values and takes them out. Cheap to use, not cheap to make: one for each execution.
pub struct Redactor {
    automaton: Automaton,
    mask: String,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(..)")
    }
}

impl Redactor {
    /// For these values.
    ///
    /// # Errors
    /// [`RedactError::TooLarge`].
    pub fn new<'a>(values: impl IntoIterator<Item = &'a SecretString>) -> Result<Self, RedactError> {
        Self::limited(values, MOST_BYTES)
    }

    fn limited<'a>(values: impl IntoIterator<Item = &'a SecretString>, most: usize) -> Result<Self, RedactError> {
        let mut all = Vec::new();
        let mut room = most;
        for value in values {
            let value = value.expose_secret();
            let trimmed = Some(value.trim()).filter(|trimmed| *trimmed != value);
            for value in [Some(value), trimmed].into_iter().flatten() {
                if value.chars().nth(SHORTEST - 1).is_none() {
                    continue;
                }
                // Before the spellings are made, because there are a dozen.
                if value.len() > room {
                    return Err(RedactError::TooLarge);
                }
                for spelling in spellings(value) {
                    room = room.checked_sub(spelling.len()).ok_or(RedactError::TooLarge)?;
                    all.push(spelling);
                }
            }
        }
        let mask = mask(&all);
        let patterns: Vec<&[u8]> = all.iter().map(|spelling| spelling.as_bytes()).collect();
        Ok(Self { automaton: Automaton::new(&patterns), mask })
    }

    /// The text without the values.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let mut stream = self.stream();
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        // Spellings and mask are whole characters, so what is between them is as well.
        String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }

    /// The same for output that comes in pieces. Each output wants a stream of its own.
    #[must_use]
    pub fn stream(&self) -> Stream<'_> {
        Stream::new(self)
    }

    /// What stands in the place of a value. It may differ between redactors: values may have asterisks in them.
    #[must_use]
    pub fn mask(&self) -> &str {
        &self.mask
    }
}

/// Three times the first character that is in no spelling.
fn mask(spellings: &[Zeroizing<String>]) -> String {
    if !spellings.iter().any(|spelling| spelling.contains('*')) {
        return "***".to_owned();
    }
    let taken: BTreeSet<char> =
        spellings.iter().flat_map(|spelling| spelling.chars()).filter(|c| !c.is_ascii()).collect();
    let mut candidates = ['•', '█'].into_iter().chain('\u{2500}'..=char::MAX);
    // There is one: values that take all million of them have more than MOST_BYTES in all spellings.
    let free = candidates.find(|c| !taken.contains(c)).unwrap_or('*');
    free.to_string().repeat(3)
}

#[cfg(test)]
mod tests;
