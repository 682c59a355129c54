//! Every spelling in which a text might turn up again.
use std::fmt::Write as _;

/// A text in every spelling in which it might turn up again.
pub(crate) fn spellings(text: &str) -> Vec<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    let mut all: Vec<Vec<u8>> = Vec::new();
    for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
        let hex = text.bytes().fold(String::new(), |mut all, b| {
            let _ = write!(all, "{b:02x}");
            all
        });
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let url: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let escaped = text.chars().fold(String::new(), |mut all, c| {
            let _ = if c.is_ascii_alphanumeric() { write!(all, "{c}") } else { write!(all, "\\u{:04x}", u32::from(c)) };
            all
        });
        // Base64 of a text depends on where in its threes it begins; the middle is the same each time.
        for n in 0..3 {
            let shifted = STANDARD_NO_PAD.encode([&vec![b'x'; n], text.as_bytes()].concat());
            let middle = shifted[4..shifted.len() - 4].to_owned();
            all.push(middle.replace('+', "-").replace('/', "_").into_bytes());
            all.push(middle.into_bytes());
        }
        // Quoted-printable, as mails have it: whatever is no letter or digit may be written as its number, and lines end early.
        let quoted = |safe: &[u8]| {
            text.bytes().fold(String::new(), |mut all, b| {
                let plain = b.is_ascii_alphanumeric() || safe.contains(&b);
                let _ = if plain { write!(all, "{}", char::from(b)) } else { write!(all, "={b:02X}") };
                all
            })
        };
        all.extend([quoted(b" !\"#$%&'()*+,-./:;<>?@[]^_`{|}~"), quoted(b"")].map(String::into_bytes));
        // Percent-encoded to the last letter that is no letter or digit, in small digits too.
        let percent = text.bytes().fold(String::new(), |mut all, b| {
            let plain = b.is_ascii_alphanumeric();
            let _ = if plain { write!(all, "{}", char::from(b)) } else { write!(all, "%{b:02x}") };
            all
        });
        all.push(percent.into_bytes());
        all.push(utf16.iter().flat_map(|u| u.to_le_bytes()).collect());
        all.push(utf16.iter().flat_map(|u| u.to_be_bytes()).collect());
        all.push(hex.to_uppercase().into_bytes());
        all.extend(
            [hex, url.replace('+', "%20"), url, escaped, text.chars().rev().collect(), text].map(String::into_bytes),
        );
    }
    all.sort();
    all.dedup();
    all
}

/// Where, if anywhere, a text is in any of its spellings.
pub(crate) fn found(needles: &[Vec<u8>], haystack: &[u8]) -> Option<String> {
    let hit = needles.iter().find(|n| haystack.windows(n.len()).any(|w| w == n.as_slice()))?;
    Some(String::from_utf8_lossy(hit).into_owned())
}
