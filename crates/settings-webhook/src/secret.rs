//! Signing secrets: `whsec_` and base64 for their owners, bytes here.
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use zeroize::Zeroizing;

/// What tells people, and programs that search for leaks, what it is.
const PREFIX: &str = "whsec_";
/// How long one may be (Standard Webhooks: 24 to 64 bytes).
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Reads the text that the owner of a webhook got: the prefix, and the base64 of 24 to 64 bytes.
pub(crate) fn parse(text: &SecretString) -> Option<SecretSlice<u8>> {
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
    fn a_text_is_the_prefix_and_the_base64_of_24_to_64_bytes() {
        for (bytes, good) in [(23, false), (24, true), (32, true), (64, true), (65, false)] {
            let shown = format!("{PREFIX}{}", BASE64.encode(vec![7; bytes]));
            assert_eq!(text(&shown).is_some(), good, "{bytes}");
        }
        let good = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
        assert_eq!(parse(&SecretString::from(good)).unwrap().expose_secret(), (1..=32).collect::<Vec<u8>>());
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
