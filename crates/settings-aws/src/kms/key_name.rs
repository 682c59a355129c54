//! Names of KMS keys.
use std::sync::Arc;

/// The id, ARN or alias of a key, or the ARN of an alias. Not secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyName {
    text: Arc<str>,
    region: Option<Box<str>>,
}

/// Letters, digits and some more.
fn is_made_of(text: &str, more: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

/// Whether this may be part of a host name, as regions are.
pub(crate) fn is_region(text: &str) -> bool {
    text.len() <= 63 && is_made_of(text, b"-") && !text.starts_with('-') && !text.ends_with('-')
}

fn is_id(text: &str) -> bool {
    is_made_of(text, b"-")
}

fn is_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| is_made_of(name, b"/_-"))
}

impl KeyName {
    /// Checks the form, and so finds what was pasted in the wrong place. Whether there is such a key KMS knows.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (sound, region) = match text.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, "kms", region, account, resource] => {
                let account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
                let resource = resource.strip_prefix("key/").is_some_and(is_id) || is_alias(resource);
                (is_id(partition) && is_region(region) && account && resource, Some((*region).into()))
            }
            [name] => (is_id(name) || is_alias(name), None),
            _ => (false, None),
        };
        (sound && text.len() <= 2048).then(|| Self { text: text.into(), region })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the key is, if the name says so.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::KeyName;

    #[test]
    fn ids_arns_and_aliases_are_names_and_arns_have_a_region() {
        for (name, region) in [
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", None),
            ("alias/settings", None),
            ("alias/team_a/settings-1", None),
            ("arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", Some("eu-central-1")),
            ("arn:aws-cn:kms:cn-north-1:111122223333:alias/settings", Some("cn-north-1")),
        ] {
            let found = KeyName::parse(name);
            assert_eq!(found.as_ref().map(|k| (k.as_str(), k.region())), Some((name, region)));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            "",
            " ",
            "alias/",
            "alias/a b",
            "my_key",
            "1234abcd\n",
            "key/1234abcd",
            "https://kms.example",
            "arn:aws:kms:eu-central-1:111122223333:key/",
            "arn:aws:kms::111122223333:key/1234abcd",
            "arn:aws:kms:x.evil.example/:111122223333:key/1234abcd",
            "arn:aws:kms:-x:111122223333:key/1234abcd",
            "arn:aws:s3:eu-central-1:111122223333:key/1234abcd",
            "arn:aws:kms:eu-central-1:11112222333:key/1234abcd",
            "arn:aws:kms:eu-central-1:11112222333x:key/1234abcd",
            "arn:aws:kms:eu-central-1:111122223333:grant/1234abcd",
            "arn:aws:kms:eu-central-1:111122223333:key/1234abcd:more",
            &"a".repeat(2049),
        ] {
            assert_eq!(KeyName::parse(name), None, "{name}");
        }
    }
}
