//! Percent encoding, as each of its users wants it.

/// Hexadecimal digits of an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// `%2F`: what everybody writes.
    Upper,
    /// `%2f`: what some write.
    Lower,
}

/// Appends the bytes; each that `keep` does not want as it is becomes an escape.
pub(crate) fn percent(out: &mut String, bytes: &[u8], case: Case, keep: impl Fn(u8) -> bool) {
    for &byte in bytes {
        if byte.is_ascii() && keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                let digit = char::from_digit(nibble.into(), 16).unwrap_or('0');
                out.push(if case == Case::Upper { digit.to_ascii_uppercase() } else { digit });
            }
        }
    }
}

/// How many bytes an escape takes.
pub(crate) const ESCAPED: usize = 3;

/// RFC 3986, 2.3: what no one needs to escape.
pub(crate) const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends the text as `application/x-www-form-urlencoded` (WHATWG URL, 5.2; RFC 6749, appendix B).
pub(crate) fn form(out: &mut String, text: &str, case: Case) {
    for (i, part) in text.split(' ').enumerate() {
        if i > 0 {
            out.push('+');
        }
        percent(out, part.as_bytes(), case, |b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'.' | b'_'));
    }
}

/// Undoes the escapes. `None` for a `%` that is none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_escapes_are_refused() {
        for bad in ["%", "a%2", "%zz", "%+1", "%é"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode("a%2Fb%2f%c3%A9").unwrap(), "a/b/é".as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text in any::<String>()) {
            for case in [Case::Upper, Case::Lower] {
                let mut out = String::new();
                percent(&mut out, text.as_bytes(), case, unreserved);
                prop_assert_eq!(decode(&out).unwrap(), text.as_bytes());
            }
        }
        #[test]
        fn forms_are_what_the_url_crate_writes(text in any::<String>()) {
            let mut out = String::new();
            form(&mut out, &text, Case::Upper);
            prop_assert_eq!(out, url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
        }
    }
}
