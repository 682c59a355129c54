//! A small service of another team that embeds the settings service: `cargo run -p settings --example runs`.
#![expect(clippy::print_stdout, reason = "says where it listens")]
mod service;

use secrecy::ExposeSecret as _;
use settings::Settings;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::builder()
        .sqlite("data/runs/settings.db")
        .keyring_file("data/runs/keyring.json")
        .mailbox("data/runs/mailbox")
        .public_url("http://127.0.0.1:8090")
        .open()
        .await?;
    if settings.app().ports().store.is_empty().await? {
        let link = settings.found("acme".parse()?, "Acme".parse()?, "ada@example.org".parse()?).await?;
        // The link is for the console, which this service has not got: its token is redeemed here.
        let token = link.expose_secret().rsplit('/').next().unwrap_or_default();
        if let Some(session) = settings.app().redeem_sign_in(token).await? {
            println!("the admin's bearer token: {}", session.token.expose_secret());
        }
    }
    let router = settings.edge(service::router(settings.clone()).merge(settings.router()), false);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8090").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // A service on the internet wants header and body deadlines as well; `settings-http` shows them.
    let background = settings.clone();
    tokio::spawn(async move { background.work(std::future::pending()).await });
    axum::serve(listener, router).await?;
    Ok(())
}
