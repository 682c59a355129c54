use crate::support::{damaged, root, tokens};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use settings_crypto::Tokens;
use settings_domain::ports::tokens::TokenMint as _;

#[test]
fn a_cursor_opens_only_in_its_context_and_under_its_root() {
    let mint = tokens();
    let cursor = mint.seal_cursor(b"tenant a|members|role=admin", b"position").unwrap();
    assert_eq!(mint.open_cursor(b"tenant a|members|role=admin", &cursor).unwrap(), b"position");
    for context in [&b"tenant b|members|role=admin"[..], b"tenant a|members|", b"tenant a|api-keys|role=admin", b""] {
        assert_eq!(mint.open_cursor(context, &cursor), None);
    }
    assert_eq!(Tokens::new(&root(2)).open_cursor(b"tenant a|members|role=admin", &cursor), None);
}

#[test]
fn a_cursor_is_safe_in_a_url_and_shows_nothing() {
    let mint = tokens();
    let [a, b] = [(); 2].map(|()| mint.seal_cursor(b"c", b"0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b").unwrap());
    assert!(a.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'), "{a}");
    assert_ne!(a, b);
    assert!(!URL_SAFE_NO_PAD.decode(&a).unwrap().windows(8).any(|w| w == b"0192f0c1"));
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let mint = tokens();
    let cursor = mint.seal_cursor(b"context", b"position").unwrap();
    for bad in damaged(&URL_SAFE_NO_PAD.decode(&cursor).unwrap()) {
        assert_eq!(mint.open_cursor(b"context", &URL_SAFE_NO_PAD.encode(bad)), None);
    }
}

#[test]
fn one_cursor_has_one_spelling() {
    let mint = tokens();
    let cursor = mint.seal_cursor(b"context", b"12345678").unwrap();
    // 37 bytes end in a character of which only two bits count.
    let (rest, last) = cursor.split_at(cursor.len() - 1);
    for other in ('0'..='9').chain('A'..='Z').chain('a'..='z').filter(|c| last != c.to_string()) {
        assert_eq!(mint.open_cursor(b"context", &format!("{rest}{other}")), None, "{other}");
    }
    for odd in ["", "=", "not base64!", &format!("{cursor}="), &format!("{cursor}\n"), &cursor.replace('A', "+")] {
        assert!(odd == cursor || mint.open_cursor(b"context", odd).is_none(), "{odd}");
    }
}

#[test]
fn a_text_over_1_kib_is_not_even_decoded() {
    let mint = tokens();
    let fits = mint.seal_cursor(b"context", &[0; 739]).unwrap();
    assert_eq!((fits.len(), mint.open_cursor(b"context", &fits).is_some()), (1024, true));
    let too_long = mint.seal_cursor(b"context", &[0; 740]).unwrap();
    assert_eq!(mint.open_cursor(b"context", &too_long), None);
}

#[test]
fn a_draft_opens_only_in_its_context_and_is_no_cursor() {
    let mint = tokens();
    let value = SecretString::from("canary \u{1f511}\r\n".repeat(3000));
    let draft = mint.seal_draft(b"session 1|variables/new|value", &value).unwrap();
    let opened = mint.open_draft(b"session 1|variables/new|value", &draft).unwrap();
    assert_eq!(opened.expose_secret(), value.expose_secret());
    assert!(!URL_SAFE_NO_PAD.decode(&draft).unwrap().windows(6).any(|w| w == b"canary"));
    for context in [&b"session 2|variables/new|value"[..], b"session 1|secrets/new|value", b""] {
        assert!(mint.open_draft(context, &draft).is_none());
    }
    assert!(Tokens::new(&root(2)).open_draft(b"session 1|variables/new|value", &draft).is_none());
    let short = mint.seal_draft(b"context", &SecretString::from("value")).unwrap();
    let cursor = mint.seal_cursor(b"context", b"value").unwrap();
    assert!(mint.open_cursor(b"context", &short).is_none() && mint.open_draft(b"context", &cursor).is_none());
    for bad in damaged(&URL_SAFE_NO_PAD.decode(&short).unwrap()) {
        assert!(mint.open_draft(b"context", &URL_SAFE_NO_PAD.encode(bad)).is_none());
    }
    assert!(mint.open_draft(b"context", &"A".repeat(256 * 1024 + 1)).is_none());
}

proptest! {
    #[test]
    fn every_position_comes_back(context: Vec<u8>, position in prop::collection::vec(any::<u8>(), 0..700)) {
        let mint = tokens();
        let cursor = mint.seal_cursor(&context, &position).unwrap();
        prop_assert_eq!(mint.open_cursor(&context, &cursor), Some(position));
    }
    #[test]
    fn no_text_opens_or_panics(text in any::<String>(), url in "[A-Za-z0-9_-]{0,1100}") {
        prop_assert_eq!(tokens().open_cursor(b"context", &text), None);
        prop_assert_eq!(tokens().open_cursor(b"context", &url), None);
    }
}
