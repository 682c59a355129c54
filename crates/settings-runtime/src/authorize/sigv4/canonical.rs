//! The canonical request: the one spelling of a request that both sides hash.
use super::{AuthorizeError, sha256_hex};
use crate::encode::{Case, ESCAPED, decode, percent, unreserved};
use std::collections::{BTreeMap, btree_map::Entry};
use zeroize::Zeroizing;

/// The canonical request. It may have a session token in it.
pub(super) struct Canonical {
    /// The whole text.
    pub(super) text: Zeroizing<String>,
    /// The names in it, as the `SignedHeaders` part wants them.
    pub(super) signed_headers: String,
}

impl Canonical {
    /// Of a path and a query that are canonical already.
    pub(super) fn new<'a>(
        method: &str,
        path: &str,
        query: &str,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> Self {
        let mut merged: BTreeMap<String, Zeroizing<String>> = BTreeMap::new();
        for (name, value) in headers {
            let all = match merged.entry(name.to_ascii_lowercase()) {
                Entry::Vacant(first) => first.insert(Zeroizing::default()),
                Entry::Occupied(more) => {
                    let all = more.into_mut();
                    all.push(',');
                    all
                }
            };
            for (i, word) in value.split_ascii_whitespace().enumerate() {
                if i > 0 {
                    all.push(' ');
                }
                all.push_str(word);
            }
        }
        let mut text = Zeroizing::new(format!("{method}\n{path}\n{query}\n"));
        for (name, value) in &merged {
            for part in [name, ":", value, "\n"] {
                text.push_str(part);
            }
        }
        let signed_headers = merged.into_keys().collect::<Vec<_>>().join(";");
        for part in ["\n", &signed_headers, "\n", &sha256_hex(body)] {
            text.push_str(part);
        }
        Self { text, signed_headers }
    }
}

/// The path without empty, `.` and `..` segments (RFC 3986, 5.2.4, and what AWS adds to it).
pub(super) fn normalized(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if segments.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// The path as it is signed: encoded, whether or not it is encoded already.
pub(super) fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len() * ESCAPED);
    percent(&mut out, path.as_bytes(), Case::Upper, |b| unreserved(b) || b == b'/');
    out
}

/// The query as it is signed: every name and value decoded and encoded, sorted by both.
pub(super) fn query(query: &str) -> Result<String, AuthorizeError> {
    if query.contains('+') {
        return Err(AuthorizeError::AmbiguousQuery);
    }
    let once = |text: &str| {
        let bytes = decode(text).ok_or(AuthorizeError::AmbiguousQuery)?;
        let mut out = String::with_capacity(bytes.len() * ESCAPED);
        percent(&mut out, &bytes, Case::Upper, unreserved);
        Ok(out)
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((once(name)?, once(value)?))
    });
    let mut pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    pairs.sort_unstable();
    Ok(pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_encoded_once_more_than_it_is() {
        for (path, signed) in [
            ("/model/a:0/invoke", "/model/a%3A0/invoke"),
            ("/model/a%3A0/invoke", "/model/a%253A0/invoke"),
            ("/model/a%3a0/invoke", "/model/a%253a0/invoke"),
            ("/~a/b c", "/~a/b%20c"),
            ("/", "/"),
        ] {
            assert_eq!(encoded(&normalized(path)), signed, "{path}");
        }
    }

    #[test]
    fn what_services_read_differently_is_refused() {
        for bad in ["a+b=c", "a=b+c", "a=%", "a=%2", "%zz", "a=%+1"] {
            assert_eq!(query(bad), Err(AuthorizeError::AmbiguousQuery), "{bad}");
        }
        assert_eq!(query("b=%2B&a=%20&a&&c=d=e&").unwrap(), "a=&a=%20&b=%2B&c=d%3De");
    }

    proptest! {
        #[test]
        fn normal_paths_stay_as_they_are(path in "(/[a-z.]{0,3}){0,6}/?") {
            let normal = normalized(&path);
            prop_assert!(normal.starts_with('/') && !normal.contains("//"));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
            prop_assert_eq!(normalized(&normal), normal);
        }
        #[test]
        fn the_order_of_a_query_does_not_matter(
            pairs in proptest::collection::vec(("[a-c%éA&=]{0,3}", "[a-c/ ~]{0,3}"), 0..5)
        ) {
            let mut parts: Vec<_> = pairs.iter().map(|(name, value)| {
                let mut out = String::new();
                percent(&mut out, name.as_bytes(), Case::Lower, unreserved);
                out.push('=');
                percent(&mut out, value.as_bytes(), Case::Lower, |_| false);
                out
            }).collect();
            let one = query(&parts.join("&")).unwrap();
            parts.reverse();
            prop_assert_eq!(&query(&parts.join("&")).unwrap(), &one);
            prop_assert_eq!(query(&one).unwrap(), one);
        }
    }
}
