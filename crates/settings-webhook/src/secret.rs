//! Signing secrets: bytes here, `whsec_` and base64 for people.
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use secrecy::{ExposeSecret as _, SecretBox, SecretSlice, SecretString};
use zeroize::Zeroizing;

/// What tells people, and programs that search for leaks, what it is.
const PREFIX: &str = "whsec_";
/// How long a new secret is. HMAC-SHA256 gains nothing from more.
const NEW: usize = 32;
/// How long one may be (Standard Webhooks: 24 to 64 bytes).
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Makes a secret of 32 bytes. `fill` is the source of randomness, and its error the only one.
pub fn mint<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<SecretSlice<u8>, E> {
    // Filled in place: what is moved into the secret leaves no copy behind.
    let mut bytes = vec![0; NEW].into_boxed_slice();
    fill(&mut bytes)?;
    Ok(SecretBox::new(bytes))
}

/// The text that the owner of a webhook gets to see, once.
#[must_use]
pub fn show(secret: &SecretSlice<u8>) -> SecretString {
    let bytes = secret.expose_secret();
    // Room for all of it from the start, for the same reason.
    let mut text = String::with_capacity(PREFIX.len() + bytes.len().div_ceil(3) * 4);
    text.push_str(PREFIX);
    BASE64.encode_string(bytes, &mut text);
    SecretString::from(text)
}

/// Reads such a text: the prefix, and the base64 of 24 to 64 bytes.
#[must_use]
pub fn parse(text: &SecretString) -> Option<SecretSlice<u8>> {
    let encoded = text.expose_secret().strip_prefix(PREFIX)?;
    let bytes = Zeroizing::new(BASE64.decode(encoded).ok()?);
    // `to_vec` allocates no more than it needs. With room to spare, boxing it would leave a copy behind.
    LENGTHS.contains(&bytes.len()).then(|| SecretSlice::from(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<usize> {
        parse(&SecretString::from(text)).map(|bytes| bytes.expose_secret().len())
    }

    #[test]
    fn a_new_secret_is_32_bytes_from_the_source_and_reads_back_from_its_text() {
        let mut next = 0;
        let secret = mint(|bytes| {
            for byte in bytes {
                next += 1;
                *byte = next;
            }
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(secret.expose_secret(), (1..=32).collect::<Vec<u8>>());
        let shown = show(&secret);
        assert_eq!(shown.expose_secret(), "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
        assert_eq!(parse(&shown).unwrap().expose_secret(), secret.expose_secret());
        assert!(!format!("{shown:?} {secret:?}").contains("AQID"));
    }

    #[test]
    fn without_randomness_there_is_no_secret() {
        assert_eq!(mint(|_| Err("dry")).map(drop), Err("dry"));
    }

    #[test]
    fn a_text_is_the_prefix_and_the_base64_of_24_to_64_bytes() {
        for (bytes, good) in [(23, false), (24, true), (32, true), (64, true), (65, false)] {
            let shown = show(&SecretSlice::from(vec![7; bytes]));
            assert_eq!(parse(&shown).is_some(), good, "{bytes}");
        }
        let good = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
        assert_eq!(text(good), Some(32));
        for bad in [
            "",
            "whsec_",
            good.trim_start_matches("whsec_"),
            good.trim_end_matches('='),
            &good.replace("whsec_", "WHSEC_"),
            &good.replace("AQID", "AQI-"),
            &good.replace("AQID", "AQI "),
            &format!(" {good}"),
            &format!("{good}\n"),
        ] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }
}
