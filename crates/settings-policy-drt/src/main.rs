//! The search by command: `cargo drt --help`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use settings_policy_drt::{CedarPolicy, Halt, Table, corpus, domain::Extent, search::Search};
use std::{
    hash::{BuildHasher as _, Hasher as _},
    path::PathBuf,
    process::ExitCode,
};

/// Looks for a request on which the service's policy and the same policy in Cedar differ.
///
/// First the corpus is asked, then the finite domain, then requests made up at random. Exit status: 0 where they agree on
/// everything, 1 where they differ (the smallest such request is shown and kept in the corpus), 2 where the search itself failed.
#[derive(Debug, Parser)]
#[command(name = "cargo drt", version)]
struct Options {
    /// How many requests to make up at random.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    requests: u64,
    /// Where the random requests begin; the same number gives the same requests. Default: another one each time.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How much of the finite domain.
    #[arg(long, value_enum, default_value_t = Part::Short)]
    domain: Part,
    /// How many threads. Default: one per processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// The folder of known cases.
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))]
    corpus: PathBuf,
    /// Do not write what is found into the corpus.
    #[arg(long)]
    dry_run: bool,
}

/// How much of the finite domain.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// Nothing of it.
    None,
    /// Every account, and of the sets of scopes the small and the large ones: some seconds.
    Short,
    /// Every account, and all 65,536 sets of scopes of a key that works: minutes.
    ScopeSets,
    /// Every set of scopes in every state of the key: an hour or more.
    Whole,
}

impl Part {
    const fn extent(self) -> Option<Extent> {
        match self {
            Self::None => None,
            Self::Short => Some(Extent::Short),
            Self::ScopeSets => Some(Extent::ScopeSets),
            Self::Whole => Some(Extent::Whole),
        }
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Agree,
    Differ,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(Outcome::Agree) => ExitCode::SUCCESS,
        Ok(Outcome::Differ) => ExitCode::from(1),
        Err(cause) => {
            eprintln!("error: {cause}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Outcome, Box<dyn std::error::Error>> {
    let cedar = CedarPolicy::new()?;
    let jobs = options.jobs.map_or_else(std::thread::available_parallelism, |n| {
        n.try_into().map_err(|_| std::io::Error::other("--jobs must be at least 1"))
    })?;
    let search = Search { one: &Table, other: &cedar, jobs };
    let known = corpus::read(&options.corpus)?;
    let wrong = search.corpus(&known)?;
    for wrong in &wrong {
        println!("{wrong}");
    }
    let unanswered = known.iter().filter(|k| k.allowed.is_none()).count();
    println!("corpus: {} cases, {} wrong, {unanswered} without an answer", known.len(), wrong.len());
    if !wrong.is_empty() || unanswered > 0 {
        println!("The policy document decides: give each case its answer, and correct whoever is wrong.");
        return Ok(Outcome::Differ);
    }
    let seed = options.seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    if let Some(extent) = options.domain.extent() {
        let bar = bar(search.requests_of(extent));
        let found = search.domain(extent, &|n| bar.inc(n));
        bar.finish_and_clear();
        if let Some(outcome) = report("finite domain", bar.position(), found, options)? {
            return Ok(outcome);
        }
    }
    let bar = bar(options.requests);
    let found = search.random(options.requests, seed, &|n| bar.inc(n));
    bar.finish_and_clear();
    Ok(report(&format!("made up (seed {seed})"), bar.position(), found, options)?.unwrap_or(Outcome::Agree))
}

/// Says what a part of the search has found. `None` where it may go on.
fn report(
    part: &str,
    asked: u64,
    found: Result<(), Halt>,
    options: &Options,
) -> Result<Option<Outcome>, Box<dyn std::error::Error>> {
    match found {
        Ok(()) => {
            println!("{part}: {asked} requests, no difference");
            Ok(None)
        }
        Err(Halt::Trouble(trouble)) => Err(trouble.into()),
        Err(Halt::Differ(difference)) => {
            println!("{part}: a difference after {asked} requests\n{difference}");
            if !options.dry_run {
                println!("kept in {}", corpus::keep(&options.corpus, &difference)?.display());
            }
            Ok(Some(Outcome::Differ))
        }
    }
}

fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len}, {per_sec}, {eta} left");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
