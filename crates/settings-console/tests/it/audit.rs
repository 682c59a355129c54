//! The audit log's export: the file that the present filter gives, for who may read the log.
use crate::stage::Stage;
use http::StatusCode;
use settings_domain::policy::Role;

const PAGE: &str = "/acme/settings/audit-log";

#[tokio::test]
async fn the_export_is_what_the_page_shows() {
    let (stage, admin) = Stage::new().await;
    let viewer = stage.member(&admin, "viewer@people.example", Role::Viewer).await;
    stage.key(&admin, "=1+1", "runs:read").await;
    let offered = stage.get(Some(&admin), &format!("{PAGE}/export?action=api_key.created")).await;
    assert!(offered.text.contains("audit-log/export/file?action=api_key.created&amp;format=jsonl"), "{}", offered.text);
    assert!(offered.text.contains("settings-http audit verify --export"), "{}", offered.text);
    let file = stage.get(Some(&admin), &format!("{PAGE}/export/file?action=api_key.created&format=jsonl")).await;
    assert_eq!(file.status, StatusCode::OK);
    let count = |kind: &str| file.text.lines().filter(|l| l.starts_with(&format!("{{\"type\":\"{kind}\""))).count();
    assert_eq!((count("export"), count("event"), count("end")), (1, 1, 1), "{}", file.text);
    assert!(count("omitted") >= 1);
    let csv = stage.get(Some(&admin), &format!("{PAGE}/export/file?format=csv")).await;
    assert!(csv.text.starts_with("\"seq\",\"createdAt\",\"action\""), "{}", csv.text);
    assert!(csv.text.lines().count() > 2);
    for path in ["export", "export/file?format=csv"] {
        assert_eq!(stage.get(Some(&viewer), &format!("{PAGE}/{path}")).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(stage.get(Some(&admin), &format!("{PAGE}/export/file?format=xml")).await.status, StatusCode::NOT_FOUND);
}
