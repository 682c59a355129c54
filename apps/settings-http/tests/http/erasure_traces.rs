//! GD01: somebody has left traces in every feature and every table that may hold any, and is erased. Nothing names them then: no
//! table, file, log, mail, export or answer, in any spelling.
use crate::{
    erasure::erase_path,
    support::{
        Member, Site, Store, Tenant, eventually, json, on_both_stores,
        spellings::{found, spellings},
        telling::event,
        tenant::Person,
        unique,
    },
};

on_both_stores!(
    nothing_names_an_erased_person,
    an_account_that_stays_leaves_nothing_in_the_workspace_that_erased_it,
    admins_hear_of_an_erasure_and_of_names_that_may_name_somebody,
);

/// Every table with rows that may hold anything of a person: each has some before the erasure.
const TABLES: &[&str] = &[
    "users",
    "persons",
    "memberships",
    "member_activity",
    "invitations",
    "invitation_asks",
    "identity_mirrors",
    "api_keys",
    "outbox",
    "sign_in_links",
    "sessions",
    "audit_openings",
    "audit_digests",
    "audit_digest_runs",
    "notification_settings",
    "notification_recipients",
    "published_events",
    "deliveries",
    "idempotency",
    "billing_accounts",
];

/// Long after everybody's time.
const EVER: i64 = 9_000_000_000_000_000;

/// Rows that no call of a test makes: a link that waits, a session, a digest that was sent, somebody who was asked, a customer.
async fn plant(tenant: &Tenant, whom: &Member) {
    let (user, id, digest) = match tenant.site.home.store {
        Store::Sqlite => (format!("x'{}'", whom.id.replace('-', "")), "randomblob(16)", "randomblob(32)"),
        Store::Postgres => {
            (format!("'{}'::uuid", whom.id), "gen_random_uuid()", "decode(repeat(md5(random()::text), 2), 'hex')")
        }
    };
    let (email, key) = (&whom.person.email, whom.person.email.to_lowercase());
    let rows = [
        format!("INSERT INTO sessions (id, token_digest, user_id, created_at, expires_at) VALUES ({id}, {digest}, {user}, 1, {EVER})"),
        format!(
            "INSERT INTO sign_in_links (id, token_digest, email, email_key, expires_at) \
             VALUES ({id}, {digest}, '{email}', '{key}', {EVER})"
        ),
        format!(
            "INSERT INTO outbox (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, created_at) \
             SELECT {id}, NULL, 'sign-in', l.id, 0, 'pending', 0, {EVER}, 1 FROM sign_in_links l WHERE l.email_key = '{key}'"
        ),
        format!(
            "INSERT INTO audit_digest_runs (workspace_id, id, due_at, from_seq, to_seq, until, risks, recipients, state, sent_at) \
             VALUES ({{ws}}, {id}, 1, 1, 2, 2, '[\"high\"]', '[\"{email}\",\"other@example.org\"]', 'sent', 3)"
        ),
        format!(
            "INSERT INTO invitation_asks (workspace_id, invitation_id, generation, user_id, delivery_id) \
             SELECT i.workspace_id, i.id, 1, {user}, {id} FROM invitations i WHERE i.workspace_id = {{ws}} LIMIT 1"
        ),
        format!(
            "INSERT INTO outbox (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, created_at) \
             SELECT a.delivery_id, a.workspace_id, 'invitation', a.invitation_id, 0, 'pending', 0, {EVER}, 1 \
             FROM invitation_asks a WHERE a.workspace_id = {{ws}} AND a.user_id = {user}"
        ),
        format!(
            "INSERT INTO outbox (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, created_at) \
             VALUES ({id}, {{ws}}, 'member-erased', {user}, 1, 'pending', 0, {EVER}, 1)"
        ),
        "INSERT INTO billing_accounts (workspace_id, customer_id, version) VALUES ({ws}, 'cus_Trace', 1) ON CONFLICT DO NOTHING"
            .to_owned(),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    tenant.site.home.sql(&tenant.id, &rows).await;
}

/// A member whose every trait can be searched for, and who has left traces in every feature.
async fn somebody(tenant: &Tenant) -> (Member, Vec<String>) {
    let mark = unique();
    let person = Person {
        subject: format!("auth0|canary-subject-{mark}"),
        email: format!("Canary.Mail+{mark}@Example.org"),
        name: format!("Canary Called {mark}"),
    };
    tenant.invite(&person.email, "admin").await;
    let member = tenant.joins(person).await;
    let avatar = format!("https://img.example.org/canary-avatar-{mark}.png");
    let mut claims = member.person.claims();
    claims["picture"] = json!(avatar);
    let token = crate::support::issuer::Issuer::shared().token(&claims);
    tenant.site.bearer(token).get(tenant.path("/workspace")).await.ok();
    let me = tenant.admin.get(tenant.path(&format!("/workspace/members/{}", member.id))).await.ok();
    assert_eq!(me["avatarUrl"], avatar.as_str());
    let Person { subject, email, name } = member.person.clone();
    (member, vec![subject, email, name, avatar])
}

async fn leave_traces(tenant: &Tenant, whom: &Member) {
    let email = &whom.person.email;
    let body = json!({"name": "a key", "scopes": ["runs:read"]});
    whom.post(tenant.path("/workspace/api-keys"), body).once(&format!("key-by-{email}")).await.created();
    let body = json!({"email": format!("invited.{}@example.org", unique()), "role": "viewer"});
    whom.post(tenant.path("/workspace/members"), body).once(&unique()).await.created();
    let digest = json!({"enabled": true, "frequency": "daily", "hourUTC": 3, "includeRiskLevels": ["high"],
        "recipients": [email, "other@example.org"]});
    tenant.admin.put(tenant.path("/workspace/audit-digest"), digest).await.ok();
    let wanted = json!({"preferences": [{"event": "run_failed", "channels": ["email"], "recipients": [email]}]});
    tenant.admin.put(tenant.path("/workspace/notifications"), wanted).await.ok();
    whom.post(tenant.path("/workspace/notifications/test"), json!({"channel": "email"})).await;
    let path = tenant.path(&format!("/workspace/members/{}", whom.id));
    tenant.admin.put(&path, json!({"role": "editor"})).await.ok();
    tenant.admin.get(tenant.path("/workspace/members")).await.ok();
    // Somebody else's words, which may say anything.
    let mut told = event("run_failed");
    told["subject"] = json!(format!("runs/{email}"));
    told["data"] = json!({"startedBy": email, "who": whom.person.name});
    tenant.admin.publish(tenant, told).await.accepted();
    // A call that is refused, and is written down a minute later.
    whom.put(&path, json!({"role": "admin"})).await.problem(403, "forbidden");
}

async fn nothing_names_an_erased_person(store: Store) {
    let site = Site::own(store, &[("RUST_LOG", Some("trace"))]).await;
    let tenant = site.tenant().await;
    let (whom, texts) = somebody(&tenant).await;
    leave_traces(&tenant, &whom).await;
    plant(&tenant, &whom).await;
    for table in TABLES {
        assert!(site.home.number(&tenant.id, &format!("SELECT count(*) FROM {table}")).await > 0, "{table} is empty");
    }
    let email = whom.person.email.clone();
    let mut needles: Vec<Vec<u8>> = texts.iter().flat_map(|t| spellings(t)).collect();
    // The search finds what is there: before, every trait is somewhere.
    let before = site.home.raw_data().await;
    for text in &texts {
        let needles = spellings(text);
        assert!(
            before.iter().any(|(_, content)| found(&needles, content).is_some()),
            "{text} was nowhere to begin with"
        );
    }
    assert!(!site.mails_to(&email).await.is_empty(), "no mail to find");
    let (answer, events) = {
        let path = erase_path(&tenant, &whom.id);
        let call = tenant.admin.post(path, json!({"confirm": email.to_lowercase()}));
        let answer = call.header("x-request-id", format!("erase-{email}")).once("an-erasure").await;
        (answer.ok(), tenant.events().await)
    };
    assert_eq!(answer["tombstone"], "erased");
    assert_eq!(answer["accountErased"], true);
    assert_eq!(answer["activeApiKeys"].as_array().unwrap().len(), 1);
    assert!(answer["auditEventsRewritten"].as_i64().unwrap() >= 5, "{answer}");
    assert!(answer["receipt"].as_str().unwrap().starts_with("settings-erasure/"), "{answer}");
    let last = events.last().unwrap();
    assert_eq!((&last["action"], &last["risk"]), (&json!("member.erased"), &json!("critical")));
    assert_eq!((&last["targetId"], &last["requestId"]), (&json!("erased"), &json!("erased")));
    assert_eq!(last["personId"], tenant.admin.id.as_str(), "who erased stays known");
    tenant.intact().await;
    // The same call is answered with the same receipt.
    let again = tenant.admin.post(erase_path(&tenant, &whom.id), json!({"confirm": email.to_lowercase()}));
    let again = again.once("an-erasure").await;
    assert_eq!(again.ok()["receipt"], answer["receipt"]);

    let paths = [
        "/audit/events?limit=100",
        "/workspace/members",
        "/workspace/invitations",
        "/workspace/api-keys",
        "/workspace/audit-digest",
        "/workspace/notifications",
        "/workspace/notifications/deliveries",
        "/audit/events/export",
        "/audit/events/export?format=csv",
    ];
    for path in paths {
        let answer = tenant.admin.get(tenant.path(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(found(&needles, &answer.body), None, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&whom.id), "the account's id is in {path}");
    }
    for path in ["/metrics", "/dev/mailbox"] {
        assert_eq!(found(&needles, &site.anonymous().get(path).await.body), None, "{path}");
    }
    site.server.stop();
    let mut lines = site.server.log.to_the_end();
    lines.extend(site.server.out.to_the_end());
    assert!(lines.len() > 100, "the log is too short to prove anything");
    assert_eq!(found(&needles, lines.join("\n").as_bytes()), None, "the log at level trace");
    // The account's id too, as text and as the bytes that SQLite keeps.
    let id = whom.id.replace('-', "");
    let bytes = (0..16).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).unwrap()).collect();
    needles.extend([whom.id.clone().into_bytes(), id.into_bytes(), bytes]);
    let data = site.home.raw_data().await;
    assert!(data.len() > 2, "there is nothing to search");
    for (name, content) in data {
        assert_eq!(found(&needles, &content), None, "{name}");
    }
}

async fn an_account_that_stays_leaves_nothing_in_the_workspace_that_erased_it(store: Store) {
    let site = Site::own(store, &[]).await;
    let (tenant, other) = (site.tenant().await, site.tenant().await);
    let (whom, _) = somebody(&tenant).await;
    leave_traces(&tenant, &whom).await;
    let [there] = other.members(["viewer"]).await;
    let user = |tenant: &Tenant| match tenant.site.home.store {
        Store::Sqlite => format!("x'{}'", whom.id.replace('-', "")),
        Store::Postgres => format!("'{}'::uuid", whom.id),
    };
    // The same account is known elsewhere, so it stays.
    let known = format!(
        "UPDATE memberships SET user_id = {} WHERE workspace_id = {{ws}} AND user_id IN \
        (SELECT id FROM users WHERE email_key = '{}')",
        user(&other),
        there.person.email.to_lowercase()
    );
    other.site.home.sql(&other.id, &[&known]).await;
    plant(&tenant, &whom).await;
    let confirm = json!({"confirm": whom.person.email});
    assert_eq!(tenant.admin.post(erase_path(&tenant, &whom.id), confirm).await.ok()["accountErased"], false);
    for (table, column) in [
        ("memberships", "user_id"),
        ("member_activity", "user_id"),
        ("invitation_asks", "user_id"),
        ("invitations", "invited_by"),
        ("api_keys", "created_by"),
        ("persons", "user_id"),
        ("deliveries", "destination_id"),
        ("outbox", "subject_id"),
    ] {
        let left = format!("SELECT count(*) FROM {table} WHERE workspace_id = {{ws}} AND {column} = {}", user(&tenant));
        assert_eq!(site.home.number(&tenant.id, &left).await, 0, "{table}.{column}");
    }
    // Nor a mail that would have gone to them.
    let asks = "SELECT count(*) FROM outbox WHERE workspace_id = {ws} AND kind = 'invitation' AND generation = 0";
    assert_eq!(site.home.number(&tenant.id, asks).await, 0);
}

async fn admins_hear_of_an_erasure_and_of_names_that_may_name_somebody(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let [other] = tenant.members(["admin"]).await;
    let (whom, _) = somebody(&tenant).await;
    let mark = whom.person.name.split(' ').next_back().unwrap();
    let key = |name: String| {
        tenant.admin.post(tenant.path("/workspace/api-keys"), json!({"name": name, "scopes": ["runs:read"]}))
    };
    let named = key(format!("laptop of {mark}")).once(&unique()).await.created();
    key("laptop".to_owned()).once(&unique()).await.created();
    let confirm = json!({"confirm": whom.person.email});
    let answer = tenant.admin.post(erase_path(&tenant, &whom.id), confirm).await.ok();
    assert_eq!(answer["namedIn"], json!([{"kind": "apiKey", "id": named["id"]}]));
    let subject = "Personal data were erased in";
    let told = async |email: &str| {
        let mails = site.mails_to(email).await;
        mails.into_iter().filter(|m| m["subject"].as_str().unwrap().starts_with(subject)).collect::<Vec<_>>()
    };
    for admin in [&tenant.admin, &other] {
        let mail = eventually("a mail about the erasure", async || told(&admin.person.email).await.pop()).await;
        let text = mail.to_string();
        assert!(text.contains(&format!("event {}", answer["auditSeq"])), "{text}");
        assert!(!text.contains(mark) && !text.contains(&whom.id), "{text}");
    }
    assert_eq!(told(&whom.person.email).await.len(), 0);
}
