//! The command line: parse, run the subcommand, say what went wrong in one line.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    onair::cli::Args::parse().run()
}
