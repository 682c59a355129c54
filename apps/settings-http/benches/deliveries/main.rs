//! The figures of deliveries in docs/performance.md: `cargo bench -p settings-http --bench deliveries`, and after
//! `--` the name of one store where that is enough. Workers, server,
//! database and receiver share the machine.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench"
)]
#[path = "../figures/load.rs"]
#[expect(dead_code, reason = "the other bench's load, of which this one needs less")]
mod load;
mod receiver;
#[path = "../figures/server.rs"]
#[expect(dead_code, reason = "the other bench's server, of which this one needs less")]
mod server;

use receiver::Receiver;
use server::{Server, resident_megabytes};
use settings_testkit::postgres::{Cluster, Options};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Deliveries of one measurement with one or two workers.
const SOME: usize = 5_000;
/// Deliveries of the long queue.
const MANY: usize = 100_000;
/// Events of the measurement of latency, one after the other.
const ONE_BY_ONE: usize = 300;
const ALLOW: (&str, &str) = ("SETTINGS_OUTBOUND_ALLOW", "127.0.0.0/8");

/// A store with a workspace, a webhook and one event.
struct Stage {
    server: Server,
    receiver: Receiver,
    /// `DATABASE_URL` of workers, and what its client program is given.
    database: String,
    client: Vec<String>,
}

fn post(path: &str, token: &str, json: &str) -> String {
    let length = json.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
    )
}

fn put(path: &str, token: &str, json: &str) -> String {
    post(path, token, json).replacen("POST", "PUT", 1)
}

fn event(n: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{n}","source":"bench","type":"run_failed","data":{{"workflow":"nightly"}}}}"#
    )
}

impl Stage {
    async fn start(postgres: Option<(String, String)>, worker: &str) -> Self {
        let receiver = Receiver::start().await;
        let url = postgres.as_ref().map(|(url, _)| url.clone());
        let server = Server::start_with(url, &[ALLOW, ("SETTINGS_WORKER", worker)]).await;
        let file = server.folder.path().join("data/settings.db").display().to_string();
        let (database, client) = match postgres {
            // The queue is filled by the superuser, whom row-level security does not bind.
            Some((url, superuser)) => {
                (url, ["psql", "-q", "-v", "ON_ERROR_STOP=1", &superuser].map(str::to_owned).to_vec())
            }
            None => (format!("sqlite://{file}"), vec!["sqlite3".to_owned(), "-bail".to_owned(), file]),
        };
        let stage = Self { server, receiver, database, client };
        let hook = format!(r#"{{"url":"http://{}/","events":["run_failed"]}}"#, stage.receiver.address);
        stage.call(&post("/webhooks/subscriptions", &stage.server.token, &hook), 201).await;
        let chosen = r#"{"preferences":[{"event":"run_failed","channels":["webhook"]}]}"#;
        stage.call(&put("/workspace/notifications", &stage.server.token, chosen), 200).await;
        stage
    }
    async fn call(&self, request: &str, status: u16) {
        let (answered, body) = load::once(self.server.address, request).await;
        assert_eq!(answered, status, "{body}");
    }
    async fn publish(&self, n: usize) {
        self.call(&post("/events", &self.server.token, &event(n)), 202).await;
    }
    fn sql(&self, script: &str) {
        let mut child = Command::new(&self.client[0]);
        let mut child = child.args(&self.client[1..]).stdin(Stdio::piped()).spawn().expect("the database's own client");
        std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), script.as_bytes()).expect("written");
        assert!(child.wait().expect("its end").success(), "{script}");
    }
    /// Queues copies of the first delivery, which is in the ledger already.
    fn queue(&self, count: usize) {
        let postgres = self.client[0] == "psql";
        let (series, id) = if postgres {
            (format!("generate_series(1, {count})"), "gen_random_uuid()")
        } else {
            (
                format!(
                    "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
                ),
                "randomblob(16)",
            )
        };
        self.sql(&format!(
            "BEGIN;\n\
             CREATE TEMPORARY TABLE fresh AS SELECT {id} AS id FROM {series} s;\n\
             INSERT INTO deliveries (workspace_id, id, message, about_id, destination, destination_id, status, created_at)\n\
             SELECT d.workspace_id, f.id, d.message, d.about_id, d.destination, d.destination_id, 'pending', d.created_at\n\
             FROM (SELECT * FROM deliveries ORDER BY id LIMIT 1) d, fresh f;\n\
             INSERT INTO outbox (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, created_at)\n\
             SELECT f.id, o.workspace_id, o.kind, f.id, 0, 'pending', 0, o.created_at, o.created_at\n\
             FROM (SELECT * FROM outbox WHERE kind = 'notification' ORDER BY id LIMIT 1) o, fresh f;\n\
             DROP TABLE fresh;\n\
             COMMIT;\n"
        ));
    }
    fn worker(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_settings-http"));
        command.env_clear().current_dir(self.server.folder.path()).stdout(Stdio::null());
        command.envs([ALLOW, ("SETTINGS_PUBLIC_URL", "http://127.0.0.1:1"), ("RUST_LOG", "error")]);
        command.env("DATABASE_URL", &self.database).arg("worker").spawn().expect("the binary")
    }
    /// Lets workers empty a queue of `count`. Deliveries per second, how many came twice, and their memory at first and most.
    async fn drain(&self, count: usize, workers: usize) -> (f64, usize, f64, f64) {
        self.receiver.forget();
        self.queue(count);
        let mut running: Vec<Child> = (0..workers).map(|_| self.worker()).collect();
        let (mut first, mut most, mut last) = (None, 0.0_f64, Instant::now());
        let mut before = 0;
        while self.receiver.count() < count {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let memory = running.iter().map(resident_megabytes).fold(0.0, f64::max);
            if self.receiver.count() > before {
                (before, last) = (self.receiver.count(), Instant::now());
                // A tenth of the way: everything that a worker keeps is there by then.
                if first.is_none() && before * 10 >= count {
                    first = Some(memory);
                }
            }
            most = most.max(memory);
            assert!(last.elapsed() < Duration::from_mins(1), "stuck at {before} of {count}");
        }
        for worker in &mut running {
            let stopped = Command::new("kill").arg(worker.id().to_string()).status().expect("kill");
            assert!(stopped.success() && worker.wait().expect("its end").success());
        }
        let seen = self.receiver.seen();
        let began = seen.values().map(|s| s.0).min().expect("one");
        let ended = seen.values().map(|s| s.0).max().expect("one");
        let rate = count as f64 / (ended - began).as_secs_f64();
        (rate, seen.values().filter(|s| s.1 > 1).count(), first.unwrap_or(most), most)
    }
}

fn percentile(sorted: &[Duration], p: f64) -> f64 {
    let place = ((sorted.len() - 1) as f64 * p).round() as usize;
    sorted[place].as_secs_f64() * 1e3
}

/// From the answer to `POST /events`, which comes after the commit, to the receiver's first byte read.
async fn latency(stage: &Stage) -> (f64, f64) {
    let mut took = Vec::new();
    for n in 0..ONE_BY_ONE {
        let before = stage.receiver.count();
        stage.publish(1_000 + n).await;
        let committed = Instant::now();
        while stage.receiver.count() == before {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let arrived = stage.receiver.seen().values().map(|s| s.0).max().expect("one");
        took.push(arrived.saturating_duration_since(committed));
    }
    took.sort();
    (percentile(&took, 0.5), percentile(&took, 0.99))
}

#[tokio::main]
async fn main() {
    let cluster = Cluster::start(Options { tcp: false, durable: true }).await.expect("a throw-away Postgres");
    println!("\n| figure | value |\n|---|---|");
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let stores = ["SQLite", "Postgres"].into_iter().filter(|s| chosen.is_empty() || chosen.iter().any(|c| c == s));
    for store in stores {
        let databases =
            if store == "Postgres" { vec![cluster.empty().await, cluster.empty().await] } else { Vec::new() };
        let place = |n: usize| databases.get(n).map(|db| (db.url().to_owned(), db.admin_url().to_owned()));
        let stage = Stage::start(place(0), "on").await;
        let (p50, p99) = latency(&stage).await;
        println!("| commit to delivery, one event after the other, {store}: p50, p99 | {p50:.1} ms, {p99:.1} ms |");
        drop(stage);
        let stage = Stage::start(place(1), "off").await;
        stage.publish(1).await;
        let (rate, twice, ..) = stage.drain(SOME, 1).await;
        println!("| {SOME} deliveries, one worker, {store} | {rate:.0}/s, {twice} came twice |");
        let (rate, twice, ..) = stage.drain(SOME, 2).await;
        println!("| {SOME} deliveries, two workers, {store} | {rate:.0}/s, {twice} came twice |");
        let (rate, twice, first, most) = stage.drain(MANY, 1).await;
        println!(
            "| {MANY} queued deliveries, one worker, {store} | {rate:.0}/s, {twice} came twice, {first:.0} MB after a tenth, {most:.0} MB at most |"
        );
    }
}
