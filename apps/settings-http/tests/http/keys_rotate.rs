//! Rotation of the key-encryption key while the service is used: `keys rotate`, killed and run again.
use crate::support::{Site, Store, Tenant, eventually, json, on_both_stores, unique};
use settings_crypto::LocalKeyring;
use settings_domain::ports::keyring::Keyring as _;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use uuid::Uuid;

on_both_stores!(a_rotation_under_load_survives_a_kill_and_the_old_key_is_needed_no_more, a_dry_run_changes_nothing,);

/// Data keys of workspaces that nobody uses: enough that a rotation takes a while.
const IDLE: usize = 3_000;
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Real data keys, wrapped as the service does it, so that each of them can be wrapped anew.
async fn add_idle_keys(site: &Site, keyring: &std::path::Path) {
    let ring = LocalKeyring::open(keyring).unwrap();
    let mut rows = Vec::new();
    for _ in 0..IDLE {
        let workspace = Uuid::now_v7();
        let (text, hex) = (workspace.to_string(), workspace.simple().to_string());
        let data = ring
            .generate_data_key(&[("purpose", "data-key"), ("workspace", &text), ("generation", "1")])
            .await
            .unwrap();
        let wrapped = data.wrapped.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
        rows.push(match site.home.store {
            Store::Sqlite => format!("(x'{hex}', 1, x'{wrapped}', '{}', 0)", data.wrapped_by),
            Store::Postgres => format!("('{text}', 1, '\\x{wrapped}', '{}', 0)", data.wrapped_by),
        });
    }
    let head = "INSERT INTO data_keys (workspace_id, generation, wrapped, wrapped_by, created_at) VALUES ";
    site.home.sql(NOBODY, &[&format!("{head}{}", rows.join(", "))]).await;
}

async fn secret(tenant: &Tenant, environment: &str, value: &str) -> String {
    let body = json!({"name": unique(), "value": value, "environmentId": environment});
    let made = tenant.admin.post(tenant.path("/secrets"), body).once(&unique()).await.created();
    made["id"].as_str().unwrap().to_owned()
}
async fn environment(tenant: &Tenant) -> String {
    let all = tenant.admin.get(format!("/api/environments?organizationId={}", tenant.id)).await.ok();
    let all = all["items"].as_array().unwrap();
    all.iter().find(|e| e["tier"] != "production").unwrap_or(&all[0])["id"].as_str().unwrap().to_owned()
}
async fn value(tenant: &Tenant, secret: &str) -> String {
    let told = tenant.admin.act(tenant.path(&format!("/secrets/{secret}/reveal"))).await.ok();
    told["value"].as_str().unwrap().to_owned()
}
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
fn keyring_of(site: &Site) -> PathBuf {
    let command = site.home.command(&[]);
    let (_, path) = command.get_envs().find(|(name, _)| *name == "SETTINGS_KEYRING").unwrap();
    PathBuf::from(path.unwrap())
}

async fn a_rotation_under_load_survives_a_kill_and_the_old_key_is_needed_no_more(store: Store) {
    let site = Site::own(store, &[]).await;
    let keyring = keyring_of(&site);
    let tenant = site.tenant().await;
    let environment = environment(&tenant).await;
    let first = secret(&tenant, &environment, "value 0").await;
    add_idle_keys(&site, &keyring).await;
    let total = site.home.number(NOBODY, "SELECT count(*) FROM data_keys").await;
    assert_eq!(total, i64::try_from(IDLE).unwrap() + 1);
    let old: serde_json::Value = serde_json::from_slice(&fs::read(&keyring).unwrap()).unwrap();
    let old = old["active"].as_str().unwrap().to_owned();
    let left = format!("SELECT count(*) FROM data_keys WHERE wrapped_by = '{old}'");

    // Readers and writers, until everything is over. Each of their answers has to be a good one.
    let (done, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let users: Vec<_> = (0..3)
        .map(|_| {
            let (tenant, done, served) = (tenant.clone(), done.clone(), served.clone());
            let (environment, first) = (environment.clone(), first.clone());
            tokio::spawn(async move {
                let mut made = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    assert_eq!(value(&tenant, &first).await, "value 0");
                    let text = unique();
                    made.push((secret(&tenant, &environment, &text).await, text));
                    served.fetch_add(1, Ordering::SeqCst);
                }
                made
            })
        })
        .collect();

    // Killed once the first batch is done.
    let mut command = site.home.command(&[]);
    let mut child = command.args(["keys", "rotate"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let killed_at = eventually("the first batch", async || {
        let now = site.home.number(NOBODY, &left).await;
        (now < total).then_some(now)
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    let after = site.home.number(NOBODY, &left).await;
    assert!(after > 0, "it was over before it was killed: {killed_at}");
    let unfinished = site.home.run(&["keys", "status"], &[]);
    assert_eq!(unfinished.status.code(), Some(1), "{}", said(&unfinished));
    assert!(said(&unfinished).contains(&format!("{after} on an old key")), "{}", said(&unfinished));

    let second = site.home.run(&["keys", "rotate"], &[]);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert!(said(&second).contains("going on with local-"), "{}", said(&second));
    assert_eq!(site.home.number(NOBODY, &left).await, 0);
    let file: serde_json::Value = serde_json::from_slice(&fs::read(&keyring).unwrap()).unwrap();
    assert_eq!(file["keys"].as_array().unwrap().len(), 2, "the second run made no further key");
    // Served all the while.
    let before = served.load(Ordering::SeqCst);
    eventually("more calls", async || (served.load(Ordering::SeqCst) > before + 3).then_some(())).await;
    done.store(true, Ordering::SeqCst);
    let mut made = vec![(first, "value 0".to_owned())];
    for user in users {
        made.extend(user.await.unwrap());
    }

    // Without the old key everything opens, the root key included: another process, which knows nothing from before.
    let mut alone = file.clone();
    alone["keys"].as_array_mut().unwrap().retain(|k| k["id"] != old.as_str());
    fs::write(&keyring, alone.to_string()).unwrap();
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o600)).unwrap();
    site.server.stop();
    let next = site.through(site.home.serve(&[]));
    let tenant = Tenant { admin: tenant.admin.clone(), site: next.clone(), ..tenant.clone() };
    for (secret, text) in &made {
        let told = tenant.admin.at(&next).act(tenant.path(&format!("/secrets/{secret}/reveal"))).await.ok();
        assert_eq!(told["value"], text.as_str());
    }
    let verified = site.home.run(&["audit", "verify"], &[]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    // Begun; resumed; finished.
    assert!(said(&verified).contains("system: 3 events, intact"), "{}", said(&verified));
    let metrics = next.anonymous().get("/metrics").await.text();
    assert!(metrics.contains(&format!("settings_data_keys{{state=\"current\"}} {total}")), "{metrics}");
    assert!(metrics.contains("settings_data_keys{state=\"old\"} 0"), "{metrics}");
}

async fn a_dry_run_changes_nothing(store: Store) {
    let site = Site::own(store, &[]).await;
    let keyring = keyring_of(&site);
    let tenant = site.tenant().await;
    secret(&tenant, &environment(&tenant).await, "value").await;
    let (file, events) = (fs::read(&keyring).unwrap(), "SELECT count(*) FROM audit_events");
    let before = site.home.number(NOBODY, events).await;
    let dry = site.home.run(&["keys", "rotate", "--dry-run"], &[]);
    assert_eq!(dry.status.code(), Some(0), "{}", said(&dry));
    assert!(said(&dry).contains("wrap 1 data keys") && said(&dry).contains("nothing was changed"), "{}", said(&dry));
    assert_eq!(fs::read(&keyring).unwrap(), file);
    assert_eq!(site.home.number(NOBODY, events).await, before);
    let doctor = site.home.run(&["doctor"], &[]);
    assert!(said(&doctor).contains("1 data keys, 0 on an old key; root key on the current key"), "{}", said(&doctor));
}
