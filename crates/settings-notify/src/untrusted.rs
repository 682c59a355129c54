//! Text of strangers on its way into a mail.
//!
//! Whoever can name a workspace can have our server send that name to anybody. So a name must not be able to become a
//! link, a header, a second paragraph or markup in whatever client shows it. Escaping is the template's work (it differs
//! between HTML and text); this module takes away what no escaping helps against.

/// Longest name of a stranger that a mail shows, in characters.
const MAX_CHARS: usize = 80;
/// Longest text: what went wrong takes more words than what somebody is called.
const MAX_TEXT_CHARS: usize = 300;

/// One visible line of at most [`MAX_CHARS`] characters in which no mail client finds a link, or `None` if nothing
/// visible is left.
pub(crate) fn line(text: &str) -> Option<String> {
    shortened(text, MAX_CHARS)
}

/// The same with room for a sentence or two.
pub(crate) fn text(text: &str) -> Option<String> {
    shortened(text, MAX_TEXT_CHARS)
}

fn shortened(text: &str, max: usize) -> Option<String> {
    // Enough of the input to fill the line, little enough that size is no lever.
    let chars = visible(text, 5 * max);
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        out.push(*c);
        if begins_link(&chars, i) {
            // A space, because nothing less is safe: word joiners and look-alike dots are undone by IDNA mapping (UTS 46)
            // in clients that find links first and normalise the host afterwards.
            out.push(' ');
        }
    }
    if out.chars().all(|c| c == ' ' || is_joiner(c)) {
        return None;
    }
    if out.chars().count() <= max {
        return Some(out);
    }
    let cut: String = out.chars().take(max.saturating_sub(1)).collect();
    Some(format!("{}…", cut.trim_end_matches(|c| c == ' ' || is_joiner(c))))
}

/// The characters that show, on one line, with single spaces between words.
fn visible(text: &str, max_input: usize) -> Vec<char> {
    let mut chars: Vec<char> = Vec::new();
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            if chars.last().is_some_and(|last| *last != ' ') {
                chars.push(' ');
            }
        } else if !is_hidden(c) {
            // The mail quotes the name: a quotation mark inside would let it end the quotation and go on in our voice.
            chars.push(if is_double_quote(c) { '\'' } else { c });
        }
        if chars.len() >= max_input {
            break;
        }
    }
    if chars.last() == Some(&' ') {
        chars.pop();
    }
    chars
}

/// Whether a client may read what follows the character at `i` as the continuation of a link, an address or an encoded
/// word.
fn begins_link(chars: &[char], i: usize) -> bool {
    let at = |i: Option<usize>| i.and_then(|i| chars.get(i)).copied();
    let (Some(c), Some(next)) = (at(Some(i)), at(i.checked_add(1))) else { return false };
    let prev = at(i.checked_sub(1));
    let between_digits = next.is_ascii_digit() && prev.is_some_and(|p| p.is_ascii_digit());
    if next == ' ' {
        return false;
    }
    match c {
        // `example.org`, but not `Inc.)` and not the `2.0` of a version.
        '.' if between_digits => dots_in_number(chars, i) > 2,
        '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}' => {
            next.is_alphanumeric() || !next.is_ascii()
        }
        // `https:…`, `mailto:…`, `tel:…`, but not `10:30`.
        ':' | '\u{ff1a}' | '\u{fe55}' => !between_digits,
        '@' | '\u{ff20}' | '\u{fe6b}' => true,
        // `//host` and `\\host\share`; a single slash (`A/B`) links nothing.
        '/' | '\u{ff0f}' | '\\' | '\u{ff3c}' | '\u{fe68}' => prev.is_some_and(is_slash),
        // `=?utf-8?B?…?=`: mail libraries write an ASCII subject as it is, and clients would decode this.
        '=' => next == '?',
        _ => false,
    }
}

/// How many dots the run of digits and dots around `i` has: three make it an address (`10.0.0.1`), fewer a version.
fn dots_in_number(chars: &[char], i: usize) -> usize {
    let numeric = |c: &&char| c.is_ascii_digit() || **c == '.';
    let (before, after) = chars.split_at_checked(i).unwrap_or_default();
    before.iter().rev().take_while(numeric).chain(after.iter().take_while(numeric)).filter(|c| **c == '.').count()
}

const fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\u{ff0f}' | '\\' | '\u{ff3c}' | '\u{fe68}')
}

const fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{300c}'..='\u{300f}' | '\u{301d}'..='\u{301f}' | '\u{ff02}')
}

/// Joiners shape Persian, Indic scripts and emoji, so they stay; alone they show nothing.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Characters that show nothing but change what is shown or compared: bidirectional controls, zero-width characters,
/// blank letters, tags. (Unicode's `Default_Ignorable_Code_Point`, less [`is_joiner`].)
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, MAX_TEXT_CHARS, is_hidden, line, text};
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "Acme",
            "Acme, Inc.",
            "(Acme Inc.)",
            "A/B testing",
            "24/7 at 10:30",
            "Release 2.0.1",
            "Wait...",
            "Müller & Söhne",
            "C++ / C# guild",
            "可口可樂",
            "נועה",
            "👩\u{200d}👩\u{200d}👧 family",
            "O'Neill",
        ] {
            assert_eq!(line(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn nothing_is_left_to_link() {
        for (name, shown) in [
            ("https://evil.example/a.b?c", "https: // evil. example/a. b?c"),
            ("evil.example", "evil. example"),
            ("www.evil.example.", "www. evil. example."),
            ("evil。example ｅ．org", "evil。 example ｅ． org"),
            ("evil․example", "evil․ example"),
            ("x@y.org", "x@ y. org"),
            ("mailto:x tel:+4930", "mailto: x tel: +4930"),
            ("10.0.0.1", "10. 0. 0. 1"),
            (r"\\host\share", r"\\ host\share"),
            ("evil.\u{2060}exam\u{200b}ple", "evil. example"),
            ("=?utf-8?B?aHR0cDovL2V2aWwuZXhhbXBsZQ==?=", "= ?utf-8?B?aHR0cDovL2V2aWwuZXhhbXBsZQ== ?="),
        ] {
            assert_eq!(line(name).as_deref(), Some(shown));
        }
    }

    #[test]
    fn a_name_is_one_line_of_visible_characters() {
        assert_eq!(line(" a\r\n\tb\u{0}\u{85}\u{2028}c\u{a0}").as_deref(), Some("a b c"));
        assert_eq!(line("gro.\u{202e}live\u{2066}\u{feff}").as_deref(), Some("gro. live"));
        assert_eq!(line("Acme\u{201d}. Pay now \"here\u{ff02}").as_deref(), Some("Acme'. Pay now 'here'"));
        for empty in ["", " \r\n", "\u{200b}\u{202e}", "\u{200d}\u{fe0f} \u{3164}"] {
            assert_eq!(line(empty), None, "{empty:?}");
        }
    }

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(line(&"é".repeat(80)), Some("é".repeat(80)));
        assert_eq!(line(&"é".repeat(81)), Some(format!("{}…", "é".repeat(79))));
        assert_eq!(line(&format!("{} {}", "a".repeat(78), "b".repeat(9))), Some(format!("{}…", "a".repeat(78))));
        assert_eq!(line(&"a.".repeat(100_000)).map(|l| l.chars().count()), Some(MAX_CHARS));
        assert_eq!(text(&"é".repeat(300)), Some("é".repeat(300)));
        assert_eq!(text(&"a.".repeat(100_000)).map(|l| l.chars().count()), Some(MAX_TEXT_CHARS));
    }

    proptest! {
        #[test]
        fn no_input_gets_through(name in r#"([a-c0-9.:/\\@=?。．＠\r\n "“\u{202e}\u{200b}\u{2060}\u{200d}]|\PC){0,120}"#) {
            let Some(shown) = line(&name) else { return Ok(()) };
            prop_assert!(shown.chars().count() <= MAX_CHARS, "{}", shown);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c) || c == '"'), "{}", shown);
            prop_assert!(!shown.starts_with(' ') && !shown.ends_with(' ') && !shown.contains("  "), "{}", shown);
            let chars: Vec<char> = shown.chars().collect();
            for pair in chars.windows(2) {
                if let [a, b] = pair && *b != ' ' && *b != '…' {
                    prop_assert!(!(matches!(a, '.' | '。' | '．') && b.is_alphabetic()), "{}", shown);
                    prop_assert!(!matches!(a, '@' | '＠'), "{}", shown);
                    prop_assert!(!(*a == '=' && *b == '?'), "{}", shown);
                }
            }
            prop_assert!(!shown.contains("://"), "{}", shown);
        }
    }
}
