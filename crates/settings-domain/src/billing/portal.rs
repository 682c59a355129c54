//! Where the portal leads back to (ST08): a page of this service, and no other.
use crate::{error::refusals, text::Slug};

/// The longest address that is taken.
const MAX: usize = 2_000;

refusals! {
    /// Why the portal was not opened.
    PortalError {
        Elsewhere: Invalid "validation-failed" at "/returnUrl", "The address to come back to must be one of this service. Send one, or leave it out.";
    }
}

/// The address to come back to: the wanted one where it is this service's, the workspace's page of billing where none is
/// wanted. `public_url` has no slash at its end.
pub fn return_url(wanted: Option<&str>, public_url: &str, slug: &Slug) -> Result<String, PortalError> {
    let Some(wanted) = wanted else { return Ok(format!("{public_url}/{slug}/settings/billing")) };
    // Compared as text: what is left of an address after the origin and a slash can't lead to another host. Without a
    // backslash and blanks no browser reads it in another way.
    let plain = wanted.len() <= MAX && wanted.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let own = wanted.strip_prefix(public_url).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if plain && own { Ok(wanted.to_owned()) } else { Err(PortalError::Elsewhere) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: &str = "https://settings.example";

    fn of(wanted: Option<&str>) -> Result<String, PortalError> {
        return_url(wanted, OWN, &"acme".parse().unwrap())
    }

    #[test]
    fn st08_the_portal_leads_back_to_this_service_alone() {
        assert_eq!(of(None).as_deref(), Ok("https://settings.example/acme/settings/billing"));
        for good in [OWN, "https://settings.example/", "https://settings.example/w?x=1#y"] {
            assert_eq!(of(Some(good)).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "/acme/settings/billing",
            "//settings.example/",
            "javascript:alert(1)",
            "http://settings.example/",
            "https://settings.example.evil.test/",
            "https://settings.example@evil.test/",
            "https://settings.example:444/",
            "https://evil.test/https://settings.example/",
            "https://settings.example\\@evil.test/",
            "https://settings.example/\\evil.test",
            "https://settings.example/\nx",
            " https://settings.example/",
        ] {
            assert_eq!(of(Some(bad)), Err(PortalError::Elsewhere), "{bad}");
        }
        assert_eq!(of(Some(&format!("{OWN}/{}", "x".repeat(MAX)))), Err(PortalError::Elsewhere));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_of_this_origin(wanted in "(https://settings\\.example)?[ -~]{0,30}") {
            if let Ok(url) = of(Some(&wanted)) {
                prop_assert!(url == OWN || url.starts_with("https://settings.example/"), "{url}");
            }
        }
    }
}
