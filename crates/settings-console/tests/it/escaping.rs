//! Names are data, whatever they are.
use crate::stage::Stage;
use proptest::prelude::*;
use settings_domain::{policy::Role, text::DisplayName};

/// Names that have hurt somebody: markup, attributes, direction, length.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("' autofocus onfocus='alert(1)".to_owned()),
        Just("\u{202e}moc.elpmaxe\u{2066}".to_owned()),
        Just("👩‍👩‍👧‍👦".repeat(20)),
        Just("a".repeat(200)),
        Just("</textarea></title></style>".to_owned()),
        "\\PC{1,60}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn names_never_become_markup(name in hostile()) {
        prop_assume!(name.parse::<DisplayName>().is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (stage, admin) = Stage::new().await;
            let other = stage.member(&admin, "other@people.example", Role::Admin).await;
            stage.name("other@people.example", &name).await;
            let form = [("name", name.as_str()), ("region", "eu-central-1"), ("retention", "90"), ("seats", "25")];
            stage.post(&admin, "/acme/settings/workspace", &form).await;
            let (key, _) = stage.key(&other, &name, "runs:read").await;
            let pages = ["workspace", "members", "api-keys", "audit-log", "audit-log/2", "audit-log/3", "sessions", "roles"].map(str::to_owned);
            let more = [format!("members/{}/role", other.user), format!("members/{}/remove", other.user), format!("api-keys/{key}/revoke"), format!("members?q={}", url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>())];
            let mut seen = 0;
            for page in pages.iter().chain(&more) {
                let shown = stage.get(Some(&admin), &format!("/acme/settings/{page}")).await;
                assert!(shown.status.is_success(), "{page}: {}", shown.status);
                for raw in ["<script>alert", "<img src=x", "' autofocus onfocus", "</textarea></title>"] {
                    assert!(!shown.text.contains(raw) || raw.starts_with('\''), "{page}: {raw}");
                }
                let escaped = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
                seen += usize::from(shown.text.contains(escaped.trim()));
            }
            assert!(seen > 3, "the name is on the pages");
        });
    }
}
