//! Checkpoints, and what is found only by whoever kept one outside: a digest mail, a folder, a note.
use crate::audit_exports::newest_note;
use crate::support::{
    Site, Store, Tenant, eventually,
    export::{Desk, open},
    json, on_both_stores, unique,
};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
};

on_both_stores!(
    a_log_that_grows_is_signed_once_by_two_servers,
    a_log_that_was_cut_with_its_head_is_found_by_its_checkpoints,
    a_digest_mail_is_a_witness,
    a_database_of_last_week_is_not_served,
    checkpoints_can_only_be_added,
);

const KEPT: &str = "SELECT count(*) FROM audit_checkpoints WHERE workspace_id = {ws}";

async fn renamed(tenant: &Tenant, times: usize) {
    for n in 0..times {
        tenant.admin.put(tenant.path("/workspace"), json!({"name": format!("{n} {}", unique())})).await.ok();
    }
}
async fn signed(tenant: &Tenant, at_least: i64) -> i64 {
    eventually("a checkpoint", async || {
        let kept = tenant.site.home.number(&tenant.id, KEPT).await;
        (kept >= at_least).then_some(kept)
    })
    .await
}
fn run(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let output = site.home.run(arguments, &[]);
    (output.status.code(), [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat())
}
/// Cuts the log after a place and says that it ends there.
fn cut(after: i64) -> [String; 3] {
    [
        format!("DELETE FROM audit_openings WHERE workspace_id = {{ws}} AND seq > {after}"),
        format!(
            "UPDATE audit_heads SET seq = {after}, hash = (SELECT hash FROM audit_events WHERE workspace_id = {{ws}} AND seq = {after}) WHERE workspace_id = {{ws}}"
        ),
        format!("DELETE FROM audit_events WHERE workspace_id = {{ws}} AND seq > {after}"),
    ]
}
async fn sql(tenant: &Tenant, statements: &[String]) {
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    tenant.site.home.sql(&tenant.id, &statements).await;
}

async fn a_log_that_grows_is_signed_once_by_two_servers(store: Store) {
    let site = Site::own(store, &[]).await;
    let second = site.through(site.home.serve(&[]));
    let tenants = [site.tenant().await, site.tenant().await, site.tenant().await];
    for tenant in &tenants {
        signed(tenant, 1).await;
        let followed =
            "SELECT count(*) - count(DISTINCT previous_seq) FROM audit_checkpoints WHERE workspace_id = {ws}";
        assert_eq!(site.home.number(&tenant.id, followed).await, 0, "each is followed once");
    }
    // A thousand events do not wait for the minute.
    let busy = &tenants[0];
    let before = site.home.number(&busy.id, KEPT).await;
    for _ in 0..10 {
        let calls =
            (0..100).map(|n| busy.admin.put(busy.path("/workspace"), json!({"name": format!("{n} {}", unique())})));
        for answer in futures_util::future::join_all(calls.map(std::future::IntoFuture::into_future)).await {
            answer.ok();
        }
    }
    signed(busy, before + 1).await;
    let (code, said) = run(&site, &["audit", "verify", "--workspace", &busy.slug]);
    assert_eq!(code, Some(0), "{said}");
    let log: Vec<String> = site.server.log.all();
    let line = log.iter().find(|l| l.contains("an audit checkpoint was signed"));
    let other = second.server.log.all();
    let line =
        line.or_else(|| other.iter().find(|l| l.contains("an audit checkpoint was signed"))).expect("a log line");
    let line: crate::support::Value = serde_json::from_str(line).unwrap();
    assert!(line["note"].as_str().unwrap().starts_with("settings-audit/"), "{line}");
}

async fn a_log_that_was_cut_with_its_head_is_found_by_its_checkpoints(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    renamed(&tenant, 4).await;
    let desk = Desk::of(&site);
    assert_eq!(run(&site, &["audit", "checkpoint"]).0, Some(0));
    let note = desk.keep("note.txt", newest_note(&tenant.export("").await));
    let note = note.to_str().unwrap();
    let events = tenant.intact().await;
    let verify = || run(&site, &["audit", "verify", "--workspace", &tenant.slug]);
    let against = || run(&site, &["audit", "verify", "--workspace", &tenant.slug, "--against", note]);
    assert_eq!((verify().0, against().0), (Some(0), Some(0)));
    site.home.sql(&tenant.id, open(store)).await;
    sql(&tenant, &cut(3)).await;
    let verdict = tenant.admin.get(tenant.path("/audit/verify")).await.ok();
    assert_eq!((&verdict["intact"], &verdict["firstBroken"]["seq"]), (&json!(false), &json!(events)));
    assert_eq!(verify().0, Some(1));
    // With the checkpoints gone as well, the database alone knows nothing of it any more; the note outside does.
    sql(&tenant, &["DELETE FROM audit_checkpoints WHERE workspace_id = {ws} AND seq > 3".to_owned()]).await;
    assert_eq!(verify().0, Some(0));
    let (code, said) = against();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("BROKEN at event {events}")), "{said}");
    let lines = tenant.export("").await;
    desk.verify(&lines, &[]).holds();
    desk.verify(&lines, &[Path::new(note)]).0.filter(|code| *code == 1).expect("found");
    // A checkpoint that was changed is no better than none.
    let other = site.tenant().await;
    run(&site, &["audit", "checkpoint"]);
    sql(
        &other,
        &["UPDATE audit_checkpoints SET note = replace(note, 'time ', 'Time ') WHERE workspace_id = {ws}".to_owned()],
    )
    .await;
    let verdict = other.admin.get(other.path("/audit/verify")).await.ok();
    assert_eq!(verdict["intact"], false, "{verdict}");
}

/// Takes one mail by SMTP, as a customer's mail server would, and keeps it as it came.
fn take_a_mail() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("smtp://{}", listener.local_addr().unwrap());
    let taken = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (mut lines, mut answer) = (BufReader::new(stream.try_clone().unwrap()), stream);
        let (mut mail, mut in_mail, mut line) = (String::new(), false, String::new());
        answer.write_all(b"220 sink.example ESMTP\r\n").unwrap();
        loop {
            line.clear();
            if lines.read_line(&mut line).unwrap() == 0 {
                return mail;
            }
            let said: &[u8] = match line.trim_end() {
                "." if in_mail => {
                    in_mail = false;
                    b"250 kept\r\n"
                }
                _ if in_mail => {
                    mail.push_str(line.strip_prefix('.').unwrap_or(&line));
                    continue;
                }
                "DATA" => {
                    in_mail = true;
                    b"354 go on\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            answer.write_all(said).unwrap();
            if !mail.is_empty() && !in_mail {
                return mail;
            }
        }
    });
    (address, taken)
}

async fn a_digest_mail_is_a_witness(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let to = format!("auditor.{}@example.org", unique());
    let daily = json!({"enabled": true, "frequency": "daily", "hourUTC": 8,
        "includeRiskLevels": ["low", "medium", "high", "critical"], "recipients": [to]});
    tenant.admin.put(tenant.path("/workspace/audit-digest"), daily).await.ok();
    let due = "UPDATE audit_digests SET next_due_at = next_due_at - 24 * 3600000000 WHERE workspace_id = {ws}";
    site.server.stop();
    site.home.sql(&tenant.id, &[due]).await;
    let (smtp, taken) = take_a_mail();
    let site = site.through(site.home.serve(&[("SETTINGS_MAIL", Some(smtp.as_str()))]));
    let tenant = tenant.at(&site);
    let text = tokio::task::block_in_place(|| taken.join().unwrap());
    let desk = Desk::of(&site);
    let mail = desk.keep("digest.eml", &text);
    let events = tenant.intact().await;
    let lines = tenant.export("").await;
    desk.verify(&lines, &[&mail]).holds().says("as its checkpoint says");
    // Forwarded as it was.
    assert!(text.contains("Content-Transfer-Encoding: quoted-printable") && text.contains("=E2=80=94"), "{text}");
    let forwarded = format!(
        "From: a@example.org\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n{text}"
    );
    let forwarded = desk.keep("forwarded.eml", forwarded);
    desk.verify(&lines, &[&forwarded]).holds();
    // The log is cut before what the mail speaks of.
    site.home.sql(&tenant.id, open(store)).await;
    sql(&tenant, &["DELETE FROM audit_checkpoints WHERE workspace_id = {ws}".to_owned()]).await;
    sql(&tenant, &cut(2)).await;
    desk.verify(&tenant.export("").await, &[]).holds();
    let verdict = desk.verify(&tenant.export("").await, &[&mail]);
    assert_eq!(verdict.0, Some(1), "{verdict:?}");
    verdict.says("the export ends before it");
    assert!(events > 2);
    let (code, _) = run(&site, &["audit", "verify", "--against", mail.to_str().unwrap()]);
    assert_eq!(code, Some(1));
}

async fn a_database_of_last_week_is_not_served(store: Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("witness");
    let env = [("SETTINGS_AUDIT_WITNESS", path.to_str())];
    let site = Site::own(store, &env).await;
    let tenant = site.tenant().await;
    renamed(&tenant, 3).await;
    let note = path.join(format!("{}.note", tenant.id));
    eventually("a note outside", async || note.exists().then_some(())).await;
    let seq: i64 = std::fs::read_to_string(&note).unwrap().lines().nth(1).unwrap().parse().unwrap();
    site.server.stop();
    // The same database: served. An older one: not, and the folder keeps its evidence.
    let back = site.through(site.home.serve(&env));
    back.server.stop();
    site.home.sql(&tenant.id, open(store)).await;
    sql(&tenant, &["DELETE FROM audit_checkpoints WHERE workspace_id = {ws}".to_owned()]).await;
    sql(&tenant, &cut(seq - 1)).await;
    let output = site.home.run(&["serve"], &env);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&tenant.id) && said.contains("docs/operations.md"), "{said}");
    assert!(note.exists());
    std::fs::write(&note, "settings-audit/x\n1\nx\n").unwrap();
    assert_eq!(site.home.run(&["worker", "--public-url", "http://x.example"], &env).status.code(), Some(1));
}

async fn checkpoints_can_only_be_added(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    signed(&tenant, 1).await;
    for statement in [
        "UPDATE audit_checkpoints SET signed_at = 0 WHERE workspace_id = {ws}",
        "DELETE FROM audit_checkpoints WHERE workspace_id = {ws}",
    ] {
        let (home, id) = (site.home.clone(), tenant.id.clone());
        let refused = tokio::spawn(async move { home.sql(&id, &[statement]).await }).await;
        assert!(refused.is_err(), "the database took: {statement}");
    }
    assert!(site.home.number(&tenant.id, KEPT).await >= 1);
}
