//! A throw-away Postgres for a test run or for an afternoon: prints where it is, and serves until stdin closes or it is
//! told to stop.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use settings_testkit::postgres::{Cluster, Options, PostgresError, SHARED_VARIABLE};
use tokio::signal::unix::{Signal, SignalKind, signal};

const HELP: &str = "\
usage: throwaway-postgres [--tcp] [--durable]

Starts a new Postgres in /tmp, prints its environment lines and serves until stdin closes (Ctrl-D) or a signal comes
(Ctrl-C). Then everything is removed.

  --tcp      also listens on a free port of 127.0.0.1
  --durable  loses nothing when it is killed (fsync on)";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut options = Options::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--tcp" => options.tcp = true,
            "--durable" => options.durable = true,
            "--help" | "-h" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            unknown => {
                eprintln!("throwaway-postgres: unknown argument {unknown}\n{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throwaway-postgres: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> Result<(), PostgresError> {
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let cluster = Cluster::start(options).await?;
    let db = cluster.fresh().await;
    let url = db.tcp_url().unwrap_or(db.url());
    let lines = format!("{SHARED_VARIABLE}={}\nDATABASE_URL='{url}'\n", cluster.socket_dir().display());
    let printed = stdout().write_all(lines.as_bytes()).and_then(|()| stdout().flush());
    if printed.is_ok() {
        asked_to_stop(signals).await;
    }
    Ok(())
}

async fn asked_to_stop(signals: [std::io::Result<Signal>; 3]) {
    let (closed, stdin_closed) = tokio::sync::oneshot::channel();
    // A thread, not a task: nothing waits for it when a signal comes first.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let [terminate, interrupt, hangup] = signals.map(async |signal| match signal {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    });
    tokio::select! {
        _ = stdin_closed => {}
        () = terminate => {}
        () = interrupt => {}
        () = hangup => {}
    }
}
