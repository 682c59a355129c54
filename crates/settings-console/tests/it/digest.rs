//! The audit digest's form, and names in the audit log.
use crate::stage::{Stage, value};
use http::StatusCode;
use settings_domain::policy::Role;

const PAGE: &str = "/acme/settings/audit-digest";

fn weekly<'a>(day: &'a str, recipients: &'a str, version: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("enabled", "yes"),
        ("frequency", "weekly"),
        ("dayOfWeek", day),
        // The field of another frequency is sent too, and does not count.
        ("dayOfMonth", "31"),
        ("hour", "8"),
        ("risk", "high"),
        ("risk", "critical"),
        ("recipients", recipients),
        ("version", version),
    ]
}

#[tokio::test]
async fn a_digest_is_switched_on_and_says_when_the_next_one_goes() {
    let (stage, admin) = Stage::new().await;
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("Digests are off. Switched on, they go every Monday at 08:00 UTC."));
    assert!(shown.text.contains("<dd>Never</dd>") && shown.text.matches("<li>").count() >= 3);
    let recipients = "sec@acme.example\r\n\r\n  ops@acme.example  \r\nSEC@acme.example\r\n";
    let done = stage.post(&admin, PAGE, &weekly("3", recipients, "0")).await;
    assert_eq!(done.location(), PAGE, "{}", done.text);
    let digest = stage.digest(&admin).await;
    assert!(digest.settings.enabled && digest.next_due_at.is_some());
    let people: Vec<_> = digest.settings.recipients.iter().map(settings_domain::text::Email::as_str).collect();
    assert_eq!(people, ["sec@acme.example", "ops@acme.example"]);
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("Every Wednesday at 08:00 UTC, to 2 people."));
    assert!(shown.text.contains("\nsec@acme.example\nops@acme.example</textarea>"));
}

#[tokio::test]
async fn every_fault_is_said_beside_its_field_and_what_was_typed_stays() {
    let (stage, admin) = Stage::new().await;
    let form = [
        ("enabled", "yes"),
        ("frequency", "monthly"),
        ("dayOfMonth", "29"),
        ("hour", "24"),
        ("recipients", "sec@acme.example\nnobody\n<b>x</b>"),
        ("version", "0"),
    ];
    let shown = stage.post(&admin, PAGE, &form).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    for fault in ["dayOfMonth-error", "hour-error", "risk-error", "recipients-error"] {
        assert!(shown.text.contains(&format!("id=\"{fault}\"")), "{fault}");
    }
    assert!(shown.text.contains("Line 2: ") && shown.text.contains("Line 3: "));
    assert!(shown.text.contains("nobody\n&lt;b&gt;x&lt;/b&gt;</textarea>"));
    let shown = stage.post(&admin, PAGE, &weekly("1", "", "0")).await;
    assert!(shown.text.contains("Enter at least one address"));
    assert!(!stage.digest(&admin).await.settings.enabled);
    let many: Vec<_> = (0..51).map(|n| format!("p{n}@acme.example")).collect();
    assert!(stage.post(&admin, PAGE, &weekly("1", &many.join("\n"), "0")).await.text.contains("At most 50 addresses."));
    // Switched off, nobody has to get it.
    let off = [("frequency", "daily"), ("hour", "6"), ("version", "0")];
    assert_eq!(stage.post(&admin, PAGE, &off).await.location(), PAGE);
}

#[tokio::test]
async fn an_aged_digest_form_shows_both_versions_and_saves_with_the_next() {
    let (stage, admin) = Stage::new().await;
    stage.post(&admin, PAGE, &weekly("1", "theirs@acme.example", "0")).await;
    let shown = stage.post(&admin, PAGE, &weekly("5", "mine@acme.example", "0")).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_FAILED);
    for said in
        ["<bdi>Monday</bdi>", "<bdi>Friday</bdi>", "<bdi>theirs@acme.example</bdi>", "<bdi>mine@acme.example</bdi>"]
    {
        assert!(shown.text.contains(said), "{said}");
    }
    let version = value(&shown.text, "version").to_owned();
    assert_eq!(stage.post(&admin, PAGE, &weekly("5", "mine@acme.example", &version)).await.location(), PAGE);
    assert_eq!(stage.digest(&admin).await.settings.recipients[0].as_str(), "mine@acme.example");
}

#[tokio::test]
async fn the_preview_is_of_the_schedule_that_is_asked_for_and_changes_nothing() {
    let (stage, admin) = Stage::new().await;
    let asked = format!("{PAGE}/preview?frequency=monthly&dayOfWeek=1&dayOfMonth=28&hour=0");
    let shown = stage.get(Some(&admin), &asked).await;
    assert!(shown.text.contains("On day 28 of every month at 00:00 UTC."));
    assert_eq!(shown.text.matches(", 00:00 UTC</time>").count(), 3);
    for nonsense in ["?frequency=monthly&dayOfMonth=31&hour=0", "?frequency=hourly", "?frequency=daily&hour=99", ""] {
        let shown = stage.get(Some(&admin), &format!("{PAGE}/preview{nonsense}")).await;
        assert!(shown.text.contains("Every Monday at 08:00 UTC."), "{nonsense}");
    }
    assert_eq!(stage.digest(&admin).await.version, 0);
}

#[tokio::test]
async fn who_left_keeps_their_name_in_the_log() {
    let (stage, admin) = Stage::new().await;
    let leaver = stage.member(&admin, "leaver@people.example", Role::Admin).await;
    stage.name("leaver@people.example", "Sam <Ito>").await;
    stage.key(&leaver, "Left behind", "runs:read").await;
    stage.post(&admin, &format!("/acme/settings/members/{}/remove", leaver.user), &[]).await;
    let shown = stage.get(Some(&admin), "/acme/settings/audit-log?action=api_key.created").await;
    assert!(shown.text.contains("Sam &lt;Ito&gt;") && shown.text.contains("(former member)"), "{}", shown.text);
    let editor = stage.member(&admin, "editor@people.example", Role::Editor).await;
    assert!(stage.get(Some(&editor), "/acme/settings/audit-log?action=api_key.created").await.text.contains("Sam"));
}
