//! The figures of docs/performance.md: `cargo bench -p settings-http`. Ratios are of one run on one machine; the server
//! and the load share its cores.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_precision_loss,
    reason = "a bench"
)]
mod load;
#[expect(dead_code, reason = "the bench of deliveries needs more of it")]
mod server;

use server::Server;
use settings_testkit::postgres::{Cluster, Options};
use std::{process::Command, time::Duration};

/// Connections of the load.
const CONNECTIONS: usize = 64;
/// Length of one measurement; constant and measured call alternate, so that both see the same machine.
const SLICE: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let cluster = Cluster::start(Options { tcp: true, durable: true }).await.expect("a throw-away Postgres");
    let mut lines = Vec::new();
    for store in ["SQLite", "Postgres"] {
        let url = if store == "Postgres" { Some(cluster.empty().await) } else { None };
        let server = Server::start(url.as_ref().map(|db| db.url().to_owned())).await;
        if store == "SQLite" {
            lines.push(format!(
                "| start to first answer, empty directory, SQLite | {:.0} ms |",
                server.started.as_secs_f64() * 1e3
            ));
        }
        let idle = server.resident_megabytes();
        lines.push(format!("| resident memory, idle, {store} | {idle:.1} MB |"));
        reads(&server, store, &mut lines).await;
        writes(&server, store, &mut lines).await;
        if let Some(db) = &url {
            let bench = pgbench(db.tcp_url().expect("TCP"), &server.workspace_id);
            let rename = rename_rate(&server, 1).await;
            lines.push(format!("| audited write through HTTP / same SQL by pgbench, 1 client | {rename:.0}/s of {bench:.0}/s = {:.0} % |", rename / bench * 100.0));
        }
        lines.push(format!("| resident memory after the load, {store} | {:.1} MB |", server.resident_megabytes()));
    }
    println!("\n| figure | value |\n|---|---|");
    for line in lines {
        println!("{line}");
    }
}

async fn reads(server: &Server, store: &str, lines: &mut Vec<String>) {
    let (constant, read) =
        (server::get("/healthz", ""), server::get("/workspace", &format!("x-api-key: {}\r\n", server.key)));
    let (mut constants, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        constants.push(load::rate(server.address, constant.clone(), CONNECTIONS, SLICE).await);
        reads.push(load::rate(server.address, read.clone(), CONNECTIONS, SLICE).await);
    }
    let (c, r) = (median(constants), median(reads));
    lines.push(format!("| `GET /workspace` with a key / constant answer, {CONNECTIONS} connections, {store} | {r:.0}/s of {c:.0}/s = {:.0} % |", r / c * 100.0));
}

async fn rename_rate(server: &Server, connections: usize) -> f64 {
    load::rate(server.address, server.rename(), connections, SLICE).await
}

async fn writes(server: &Server, store: &str, lines: &mut Vec<String>) {
    for connections in [1, 16] {
        let rate = rename_rate(server, connections).await;
        lines.push(format!(
            "| audited write (rename, one workspace), {connections} connections, {store} | {rate:.0}/s |"
        ));
    }
}

/// The statements of a rename, as pgbench runs them: transactions per second.
fn pgbench(url: &str, workspace: &str) -> f64 {
    let script = include_str!("rename.sql").replace("{workspace}", workspace);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), script).expect("written");
    let out = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", "1", "-j", "1", "-T", "5", "-f"])
        .arg(file.path())
        .arg(url)
        .output()
        .expect("pgbench (Debian package postgresql)");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let tps = text.lines().find_map(|l| l.strip_prefix("tps = ")).and_then(|l| l.split(' ').next());
    tps.unwrap_or_else(|| panic!("pgbench said: {text}{}", String::from_utf8_lossy(&out.stderr)))
        .parse()
        .expect("a number")
}
