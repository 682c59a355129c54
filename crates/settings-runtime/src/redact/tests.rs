use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::{prelude::*, sample::Index};

fn redactor(values: &[&str]) -> Redactor {
    let values: Vec<SecretString> = values.iter().map(|value| SecretString::from(*value)).collect();
    Redactor::new(&values).unwrap()
}
fn in_pieces(redactor: &Redactor, text: &[u8], cuts: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let (mut out, mut from, mut stream) = (Vec::new(), 0, redactor.stream());
    for cut in cuts {
        let cut = cut.clamp(from, text.len());
        stream.push(&text[from..cut], &mut out);
        from = cut;
    }
    stream.push(&text[from..], &mut out);
    stream.finish(&mut out);
    out
}

#[test]
fn values_are_masked_wherever_they_stand() {
    let redactor = redactor(&["hunter22", "sk-proj-\"1\""]);
    for (text, expected) in [
        ("", ""),
        ("nothing", "nothing"),
        ("hunter22", "***"),
        ("a hunter22 b hunter22", "a *** b ***"),
        ("hunter22hunter22", "******"),
        ("hunter2hunter22", "hunter2***"),
        ("hunter2", "hunter2"),
        (r#"{"key":"sk-proj-\"1\""}"#, r#"{"key":"***"}"#),
        ("?key=sk-proj-%221%22&x", "?key=***&x"),
        ("?key=sk-proj-%221%22", "?key=***"),
    ] {
        assert_eq!(redactor.redact(text), expected, "{text}");
    }
    for user in ["", "a", "ab", "abc"] {
        let header = STANDARD.encode(format!("{user}:hunter22"));
        let redacted = redactor.redact(&header);
        assert!(redacted.contains("***") && redacted.len() < 12, "{header} {redacted}");
    }
}

#[test]
fn values_that_overlap_leave_no_end_of_either() {
    let redactor = redactor(&["abcdef", "defghi", "efgh", "hijk"]);
    for (text, expected) in [
        ("xabcdefghiy", "x***y"),
        ("xdefgy", "xdefgy"),
        ("xdefghy", "xd***y"),
        ("abcdefghijk", "***"),
        ("abcdefhijk", "******"),
    ] {
        assert_eq!(redactor.redact(text), expected, "{text}");
    }
}

#[test]
fn a_value_that_repeats_itself_is_masked_to_its_end_and_nothing_is_held_back_for_it() {
    let redactor = redactor(&["aaaa"]);
    assert_eq!(redactor.redact("aaab"), "aaab");
    assert_eq!(redactor.redact("aaaaaaaaab"), "***b");
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for _ in 0..1000 {
        stream.push(b"a", &mut out);
    }
    stream.push(b"b", &mut out);
    assert_eq!(out, b"***b");
}

#[test]
fn text_goes_out_as_soon_as_it_cannot_be_a_value() {
    let redactor = redactor(&["hunter22"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for (piece, sent) in
        [("log hun", "log "), ("ter2", "log "), ("1 hu", "log hunter21 "), ("nter22", "log hunter21 ***")]
    {
        stream.push(piece.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), sent);
    }
}

#[test]
fn short_values_are_left_alone_and_four_characters_are_enough() {
    assert_eq!(redactor(&["", "1", "abc", "éé", "  a "]).redact("1 abc éé a"), "1 abc éé a");
    assert_eq!(redactor(&["true"]).redact("it is true"), "it is ***");
    assert_eq!(redactor(&["日本語字"]).redact("日本語字 日本語"), "*** 日本語");
    assert_eq!(redactor(&[" hunter22\n"]).redact("hunter22 hunter22\n"), "******", "also without its ends");
}

#[test]
fn the_mask_makes_no_value_of_what_is_around_it() {
    assert_eq!(redactor(&["****"]).redact("*****"), "•••");
    assert_eq!(redactor(&["**ab", "abcdef"]).redact("abcdefab"), "•••ab");
    assert_eq!(redactor(&["*•█─"]).mask(), "━━━");
}

#[test]
fn values_too_large_are_an_error_and_large_ones_are_not() {
    let value: SecretString = "0123456789abcde\"".repeat(4 << 10).into();
    let redactor = Redactor::new([&value]).unwrap();
    assert_eq!(redactor.redact(&format!("a{}b", value.expose_secret())), "a***b");
    let larger: SecretString = "x".repeat(MOST_BYTES + 1).into();
    assert_eq!(Redactor::new([&larger]).err(), Some(RedactError::TooLarge));
    let values: [SecretString; 2] = ["abcdefgh".into(), "ijklmnop".into()];
    let needed: usize = values.iter().flat_map(|v| spellings(v.expose_secret())).map(|s| s.len()).sum();
    assert!(Redactor::limited(&values, needed).is_ok());
    assert_eq!(Redactor::limited(&values, needed - 1).err(), Some(RedactError::TooLarge));
}

#[test]
fn debug_output_has_no_value() {
    let redactor = redactor(&["canary"]);
    let mut stream = redactor.stream();
    stream.push(b"canar", &mut Vec::new());
    assert_eq!(format!("{redactor:?}{stream:?}"), "Redactor(..)Stream(..)");
}

/// Values of few letters, so that they overlap, repeat and contain each other.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab]{4,7}", 3 => "[ab/\"é\\n]{4,6}", 2 => "[*•a]{4,5}", 1 => "\\PC{4,12}", 1 => any::<String>()]
}

/// A text of values, their spellings, parts of both, and noise.
fn text(values: Vec<String>) -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    let piece = (any::<Index>(), any::<Index>(), any::<Index>(), 0..5, "[ab*/\"é]{0,3}");
    proptest::collection::vec(piece, 0..12).prop_map(move |pieces| {
        let mut text = Vec::new();
        for (value, spelling, cut, kind, noise) in pieces {
            let value = value.get(&values);
            let spellings = spellings(value);
            let spelled = spelling.get(&spellings).as_bytes();
            match kind {
                0 => text.extend_from_slice(value.as_bytes()),
                1 => text.extend_from_slice(spelled),
                2 if !spelled.is_empty() => text.extend_from_slice(&spelled[..cut.index(spelled.len())]),
                3 if !spelled.is_empty() => text.extend_from_slice(&spelled[cut.index(spelled.len())..]),
                _ => text.extend_from_slice(noise.as_bytes()),
            }
        }
        (values.clone(), text)
    })
}

fn find(text: &[u8], pattern: &[u8]) -> bool {
    text.windows(pattern.len()).any(|window| window == pattern)
}

/// The same by looking for every pattern at every place.
fn naive(text: &[u8], patterns: &[Vec<u8>], mask: &[u8]) -> Vec<u8> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for start in 0..text.len() {
        for pattern in patterns {
            if text[start..].starts_with(pattern) {
                spans.push((start, start + pattern.len()));
            }
        }
    }
    spans.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    let (mut out, mut from) = (Vec::new(), 0);
    for (start, end) in merged {
        out.extend_from_slice(&text[from..start]);
        out.extend_from_slice(mask);
        from = end;
    }
    out.extend_from_slice(&text[from..]);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_value_survives_in_any_spelling_wherever_the_pieces_are_cut(
        (values, text) in proptest::collection::vec(value(), 1..5).prop_flat_map(text),
        cuts in proptest::collection::vec(0_usize..200, 0..8),
    ) {
        let secrets: Vec<SecretString> = values.iter().map(|value| value.as_str().into()).collect();
        let redactor = Redactor::new(&secrets).unwrap();
        let mut cuts = cuts;
        cuts.sort_unstable();
        let out = in_pieces(&redactor, &text, cuts);
        let patterns: Vec<Vec<u8>> = values
            .iter()
            .flat_map(|value| [value.as_str(), value.trim()])
            .filter(|value| value.chars().count() >= SHORTEST)
            .flat_map(spellings)
            .map(|spelling| spelling.as_bytes().to_vec())
            .collect();
        for pattern in &patterns {
            prop_assert!(!find(&out, pattern), "{:?} survives", String::from_utf8_lossy(pattern));
        }
        prop_assert_eq!(&out, &naive(&text, &patterns, redactor.mask().as_bytes()));
        prop_assert_eq!(&in_pieces(&redactor, &text, 0..text.len()), &out, "byte by byte");
        if let Ok(text) = std::str::from_utf8(&text) {
            prop_assert_eq!(redactor.redact(text).into_bytes(), out);
        }
    }
}
