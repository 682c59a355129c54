//! The settings service: reads the configuration, chooses the adapters, serves.
mod audit_arguments;
mod audit_commands;
mod background;
mod billing;
mod commands;
mod compose;
mod config;
mod database;
mod doctor;
mod failure;
mod keys;
mod listen;
mod mcp;
mod mirror;
mod operations;
mod pages;
mod serve;
mod witness;

use clap::Parser as _;
use config::{Cli, Command, KeysCommand};
use failure::Failure;
use std::{io::IsTerminal as _, process::ExitCode};
use tracing_subscriber::{EnvFilter, filter::ParseError};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    log(&cli.config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::service(e.to_string()))?;
    runtime.block_on(async {
        match cli.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::serve(&cli.config).await,
            Command::Worker => serve::worker(&cli.config).await,
            Command::Migrate => commands::migrate(&cli.config).await,
            Command::Openapi => commands::openapi(),
            Command::Docs { which } => {
                commands::docs(which);
                Ok(())
            }
            Command::Audit(command) => audit_commands::run(&cli.config, command).await,
            Command::Keys(KeysCommand::Rotate { dry_run, new_key }) => {
                keys::rotate(&cli.config, dry_run, new_key).await
            }
            Command::Keys(KeysCommand::Status) => keys::status(&cli.config).await,
            Command::Mirror(command) => mirror::run(&cli.config, command).await,
            Command::Mcp(options) => mcp::mcp(options).await,
            Command::Doctor => doctor::doctor(&cli.config).await,
        }
    })
}

/// Logs go to stderr: for people on a terminal, as JSON elsewhere. Stdout is for what a command says.
fn log(filter: &str) -> Result<(), Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::configuration(format!("RUST_LOG: {e}"));
    let filter = EnvFilter::try_new(filter).map_err(|e| wrong(&e))?;
    // It logs what tools are called with, which may be values.
    let filter = filter.add_directive("rmcp=error".parse().map_err(|e: ParseError| wrong(&e))?);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.compact().init();
    } else {
        lines.json().flatten_event(true).init();
    }
    // A panic's message can hold anything: only its place is logged.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |l| format!("{}:{}", l.file(), l.line()));
        tracing::error!(place, "panic");
    }));
    Ok(())
}
