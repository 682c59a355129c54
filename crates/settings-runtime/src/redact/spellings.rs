//! What a value looks like after it has passed through common libraries.
use crate::{
    encode::{Case, ESCAPED, form, percent, unreserved},
    prelude,
};
use base64::{
    Engine as _,
    engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE},
};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// A spelling. Wiped like the value itself.
type Spelling = Zeroizing<String>;

/// All spellings of a value of four characters or more, each once. Every one of them has at least four bytes.
pub(super) fn spellings(value: &str) -> Vec<Spelling> {
    let mut all = vec![Zeroizing::new(value.to_owned())];
    all.extend(in_json(value));
    all.push(written(prelude::text_len(value), |out| prelude::push_text(out, value)));
    for case in [Case::Upper, Case::Lower] {
        all.extend(in_urls(value, case));
    }
    // A client key in a `Basic` header is form-encoded first (RFC 6749, 2.3.1).
    let in_form = written(value.len() * ESCAPED, |out| form(out, value, Case::Upper));
    for alphabet in [&STANDARD, &URL_SAFE] {
        for value in [value, &in_form] {
            all.extend(in_base64(value, alphabet));
        }
    }
    all.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    all.dedup();
    all
}

/// Writes into a buffer that does not grow.
fn written(most: usize, write: impl FnOnce(&mut String)) -> Spelling {
    let mut out = Zeroizing::new(String::with_capacity(most));
    write(&mut out);
    out
}

fn in_json(value: &str) -> Vec<Spelling> {
    let minimal = json(value, |_| false, "/");
    let html = |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    vec![
        json(&minimal, |_| false, "/"),        // JSON within JSON
        json(value, |c| !c.is_ascii(), "/"),   // Python
        json(value, html, "/"),                // Go
        json(value, |c| !c.is_ascii(), "\\/"), // PHP
        json(value, |_| false, "\\/"),
        minimal, // JavaScript, serde
    ]
}

/// The inside of a JSON string.
fn json(value: &str, escaped: impl Fn(char) -> bool, slash: &str) -> Spelling {
    const UNIT: usize = "\\uXXXX".len();
    written(value.len() * UNIT, |out| {
        for c in value.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '/' => out.push_str(slash),
                c if c < ' ' || escaped(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a string does not fail.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
    })
}

fn in_urls(value: &str, case: Case) -> [Spelling; 4] {
    let mark = |b| b"-_.!~*'()".contains(&b);
    let component = move |b: u8| b.is_ascii_alphanumeric() || mark(b);
    let whole = move |b: u8| component(b) || b";/?:@&=+$,#".contains(&b);
    let most = value.len() * ESCAPED;
    [
        written(most, |out| percent(out, value.as_bytes(), case, component)),
        written(most, |out| percent(out, value.as_bytes(), case, whole)),
        written(most, |out| percent(out, value.as_bytes(), case, unreserved)),
        written(most, |out| form(out, value, case)),
    ]
}

/// The value by itself, and what a longer text always has in it, by how many bytes before the value are not a group of
/// three. The characters at both ends depend on the neighbours and are not in it.
fn in_base64(value: &str, alphabet: &GeneralPurpose) -> Vec<Spelling> {
    let whole = written(value.len().div_ceil(3) * 4, |out| alphabet.encode_string(value, out));
    let inner = (0..3).filter_map(|before| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(before + value.len()));
        bytes.resize(before, 0);
        bytes.extend_from_slice(value.as_bytes());
        let encoded = written(bytes.len().div_ceil(3) * 4, |out| alphabet.encode_string(&*bytes, out));
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        encoded.get(own).map(|own| Zeroizing::new(own.to_owned()))
    });
    let unpadded = Zeroizing::new(whole.trim_end_matches('=').to_owned());
    inner.chain([unpadded, whole.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn has(value: &str, spelling: &str) -> bool {
        spellings(value).iter().any(|s| s.as_str() == spelling)
    }

    #[test]
    fn spellings_are_what_the_libraries_write() {
        let value = "a/b \"é\n\u{1f600}<";
        for spelling in [
            value,
            r#"a/b \"é\n😀<"#,
            r#"a/b \"\u00e9\n\ud83d\ude00<"#,
            r#"a\/b \"\u00e9\n\ud83d\ude00<"#,
            r#"a/b \"é\n😀\u003c"#,
            r#"a/b \\\"é\\n😀<"#,
            "a%2Fb%20%22%C3%A9%0A%F0%9F%98%80%3C",
            "a%2fb%20%22%c3%a9%0a%f0%9f%98%80%3c",
            "a%2Fb+%22%C3%A9%0A%F0%9F%98%80%3C",
            "a/b%20%22%C3%A9%0A%F0%9F%98%80%3C",
            "YS9iICLDqQrwn5iAPA==",
        ] {
            assert!(has(value, spelling), "{spelling}");
        }
        assert!(has("a?b>c~~~", "YT9iPmN-fn4="));
        assert_eq!(
            spellings("abcdefgh").len(),
            6,
            "as it is, at three places in base64, by itself, by itself with padding"
        );
    }

    proptest! {
        #[test]
        fn spellings_are_long_enough_and_agree_with_serde_and_the_url_crate(value in "\\PC{4,20}|[ -~\\n]{4,20}") {
            prop_assert!(spellings(&value).iter().all(|spelling| spelling.len() >= 4));
            let json = serde_json::to_string(&value).unwrap();
            prop_assert!(has(&value, json.strip_prefix('"').unwrap().strip_suffix('"').unwrap()));
            let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            prop_assert!(has(&value, &form));
        }
        #[test]
        fn base64_of_a_text_around_a_value_has_a_spelling_in_it(
            before in any::<Vec<u8>>(), value in "\\PC{4,20}", after in any::<Vec<u8>>()
        ) {
            let text = [before.as_slice(), value.as_bytes(), after.as_slice()].concat();
            for alphabet in [STANDARD, URL_SAFE] {
                let encoded = alphabet.encode(&text);
                prop_assert!(spellings(&value).iter().any(|spelling| encoded.contains(spelling.as_str())));
            }
        }
    }
}
