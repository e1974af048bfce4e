//! The subcommands of `onair`, one file each. The only place that prints to the terminal.

mod demo;
mod doctor;
mod health;
mod http;
mod pack;
mod progress;
mod publish;
mod render;
mod sender;
mod serve;
mod sim;

use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::base::error::{Error, Result};

/// Takes live video in, shows it, keeps it.
#[derive(Parser, Debug)]
#[command(name = "onair", version, max_term_width = 100, propagate_version = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(serve::Serve),
    Publish(publish::Publish),
    Demo(demo::Demo),
    Sim(sim::Sim),
    Render(render::Render),
    Pack(pack::Pack),
    Doctor(doctor::Doctor),
    Health(health::Health),
}

impl Args {
    /// Runs the subcommand to its end.
    pub fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Serve(serve) => block_on(serve.run()),
            Command::Publish(publish) => block_on(publish.run()),
            Command::Demo(demo) => block_on(demo.run()),
            Command::Sim(sim) => block_on(sim.run()),
            Command::Render(render) => render.run(),
            Command::Pack(pack) => block_on(pack.run()),
            Command::Health(health) => block_on(health.run()),
            Command::Doctor(doctor) => Ok(doctor.run()),
        };
        done.unwrap_or_else(|error| {
            for line in error.to_string().lines() {
                say(&format!("onair: {line}"));
            }
            ExitCode::FAILURE
        })
    }
}

fn block_on(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::internal("can't start", e))?;
    let done = runtime.block_on(work);
    // Work that ignores the end of the program must not delay it.
    runtime.shutdown_background();
    done
}

/// One line to the terminal.
#[expect(clippy::print_stderr, reason = "this is the terminal's side of the program")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// What was asked for, to standard output.
fn print(text: &str) {
    use std::io::Write as _;
    // Whoever reads may have had enough.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Ends at Ctrl-C or SIGTERM.
async fn asked_to_stop() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|e| Error::internal("can't listen for signals", e))?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done.map_err(|e| Error::internal("can't listen for signals", e)),
        _ = terminate.recv() => Ok(()),
    }
}
