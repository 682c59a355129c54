//! Names that the billing service or a caller gave: checked, so that they can stand in a path, a log and a column.
use crate::text::TextError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $check:path;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        impl $name {
            /// The text.
            #[must_use] pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = TextError;
            fn from_str(s: &str) -> Result<Self, TextError> { $check(s)?; Ok(Self(s.to_owned())) }
        }
        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(s: String) -> Result<Self, TextError> { $check(&s)?; Ok(Self(s)) }
        }
        impl From<$name> for String { fn from(t: $name) -> Self { t.0 } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
    )*};
}

names! {
    /// A workspace's customer at the billing service, such as `cus_QXg1o8vcGmoR32`.
    CustomerId, foreign_id;
    /// A subscription there, such as `sub_1Pgc6rB7WZ01zgkW`.
    SubscriptionId, foreign_id;
    /// What a subscription counts seats by, such as `si_QXhVnC2h0Jczwc`. The service may replace it with each change.
    SeatItemId, foreign_id;
    /// An event there, such as `evt_1Pgc7a`. Events come more than once, always with the same id.
    BillingEventId, foreign_id;
    /// A currency by its ISO 4217 code, in lower case as Stripe writes it: `eur`.
    Currency, currency;
    /// What is counted, such as `runs` or `model_tokens`: 1 to 64 of `a-z 0-9 _`, starting with a letter.
    Metric, metric;
    /// Names one report of usage, so that a repeated one counts once: 1 to 200 visible ASCII characters of the caller's
    /// choice, unique in its workspace.
    UsageId, usage_id;
}

/// Not the billing service's exact form, which it does not promise, but nothing that could leave its place in a path.
fn foreign_id(s: &str) -> Result<(), TextError> {
    let ok = (1..=255).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if ok { Ok(()) } else { Err(TextError("must be an id of 1 to 255 letters, digits, underscores and hyphens")) }
}

fn currency(s: &str) -> Result<(), TextError> {
    let ok = s.len() == 3 && s.bytes().all(|b| b.is_ascii_lowercase());
    if ok { Ok(()) } else { Err(TextError("must be a currency code of three lower-case letters")) }
}

fn metric(s: &str) -> Result<(), TextError> {
    let ok = (1..=64).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && s.starts_with(|c: char| c.is_ascii_lowercase());
    if ok {
        Ok(())
    } else {
        Err(TextError("must be 1 to 64 lower-case letters, digits and underscores, starting with a letter"))
    }
}

fn usage_id(s: &str) -> Result<(), TextError> {
    let ok = (1..=200).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic());
    if ok { Ok(()) } else { Err(TextError("must be 1 to 200 visible ASCII characters without spaces")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_id_of_the_billing_service_leaves_its_place_in_a_path() {
        for ok in ["cus_QXg1o8vcGmoR32", "evt-1", "x", &"a".repeat(255)] {
            assert!(ok.parse::<CustomerId>().is_ok(), "{ok}");
        }
        for bad in ["", "cus_1/../x", "cus 1", "cus_1?x", "cus_1#", "cus%2f", "cüs", "cus\n", &"a".repeat(256)] {
            assert!(bad.parse::<CustomerId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn metrics_currencies_and_usage_ids_have_one_spelling() {
        for ok in ["runs", "model_tokens", "a1", &"m".repeat(64)] {
            assert!(ok.parse::<Metric>().is_ok(), "{ok}");
        }
        for bad in ["", "Runs", "1runs", "_runs", "model-tokens", "model tokens", "rúns", "runs\0", &"m".repeat(65)] {
            assert!(bad.parse::<Metric>().is_err(), "{bad}");
        }
        assert!("eur".parse::<Currency>().is_ok());
        for bad in ["", "EUR", "eu", "euro", "eu1"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad}");
        }
        assert!("run:0192f0c1/tokens".parse::<UsageId>().is_ok());
        for bad in ["", "a b", "a\n", "é", &"u".repeat(201)] {
            assert!(bad.parse::<UsageId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(s in "\\PC{0,80}") {
            let _ = (s.parse::<CustomerId>(), s.parse::<Metric>(), s.parse::<Currency>(), s.parse::<UsageId>());
        }
    }
}
