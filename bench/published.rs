//! The published benchmarks: `./dev bench`, or `cargo bench --bench published -- [subject…]`.
//!
//! Every figure is measured on the release binary, started as users start it, beside its peer in the same run, peers taking
//! turns; what is published are medians and ratios. Ends with 1 when a limit is broken. `docs/benchmarks.md` has the floors
//! and what the figures mean. Not part of CI: a busy machine gives other figures.
#![expect(clippy::disallowed_methods, reason = "it measures this machine's time from outside")]
#![expect(clippy::print_stderr, reason = "it tells its progress")]

mod air;
mod bare;
mod capture;
mod compose;
mod feeds;
#[allow(dead_code, reason = "shared with the soak, which uses more of it")]
mod harness;
mod idle;
mod latency;
mod packs;
mod recording;
mod report;
mod viewing;

use std::process::ExitCode;

use harness::Outcome;
use report::Row;

const SUBJECTS: [&str; 9] =
    ["viewing", "latency", "recording", "idle", "capture", "packs", "compose", "feeds", "air"];

fn main() -> Outcome<ExitCode> {
    // Cargo adds --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, rest @ ..] = arguments.as_slice()
        && word == bare::ARGUMENT
    {
        bare::run(rest)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = arguments.iter().find(|word| !SUBJECTS.contains(&word.as_str())) {
        return Err(format!("there is no subject {unknown:?}, only {}", SUBJECTS.join(", ")).into());
    }
    media::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clients = tokio::task::LocalSet::new();
    let mut rows = Vec::new();
    for subject in SUBJECTS {
        if arguments.is_empty() || arguments.iter().any(|word| word == subject) {
            rows.extend(clients.block_on(&runtime, measure(subject))?);
        }
    }
    Ok(if report::print(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(subject: &str) -> Outcome<Vec<Row>> {
    match subject {
        "viewing" => viewing::measure().await,
        "latency" => latency::measure().await,
        "recording" => recording::measure().await,
        "capture" => capture::measure().await,
        "packs" => packs::measure(),
        "compose" => compose::measure().await,
        "feeds" => feeds::measure().await,
        "air" => air::measure().await,
        _ => idle::measure().await,
    }
}

/// One line on the way.
fn say(line: &str) {
    eprintln!("{line}");
}
