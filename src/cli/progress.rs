//! The live status line of `onair publish`; plain lines now and then where the output is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::say;
use crate::base::queue::Counter;

/// Counts what was sent and shows it.
pub(super) struct Progress {
    name: String,
    bar: ProgressBar,
    quiet: bool,
    dropped: Counter,
    frames: u64,
    refused: u64,
    bytes: u64,
    window: Window,
    last_line: Instant,
    trouble: Option<String>,
}

/// What was sent since the figures were last made.
struct Window {
    since: Instant,
    frames: u32,
    bytes: usize,
    round_trips: Duration,
    shown: String,
}

impl Progress {
    const REFRESH: Duration = Duration::from_secs(1);
    /// Between two lines where there is no terminal.
    const PLAIN_EVERY: Duration = Duration::from_secs(10);

    pub(super) fn new(name: &str, dropped: Counter) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well formed");
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.set_message(format!("{name}: connecting"));
        let now = Instant::now();
        let window =
            Window { since: now, frames: 0, bytes: 0, round_trips: Duration::ZERO, shown: String::new() };
        let name = name.to_owned();
        Self {
            name,
            bar,
            quiet: false,
            dropped,
            frames: 0,
            refused: 0,
            bytes: 0,
            window,
            last_line: now,
            trouble: None,
        }
    }

    /// Counts and shows nothing.
    pub(super) fn quiet(name: &str) -> Self {
        let mut progress = Self::new(name, Counter::default());
        (progress.bar, progress.quiet) = (ProgressBar::hidden(), true);
        progress
    }

    pub(super) fn taken(&mut self, bytes: usize, round_trip: Duration) {
        self.frames += 1;
        self.bytes += bytes as u64;
        self.window.frames += 1;
        self.window.bytes += bytes;
        self.window.round_trips += round_trip;
        if self.trouble.take().is_some() {
            self.line(&format!("{}: connected", self.name));
        }
        self.refresh();
    }

    pub(super) fn refused(&mut self, why: &str) {
        self.refused += 1;
        self.trouble(why);
    }

    pub(super) fn away(&mut self, why: &str) {
        self.trouble(why);
    }

    /// The last word.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        say(&self.total());
    }

    fn trouble(&mut self, why: &str) {
        if self.trouble.as_deref() != Some(why) {
            self.line(&format!("{}: {why}", self.name));
            self.trouble = Some(why.to_owned());
        }
        self.bar.tick();
    }

    fn refresh(&mut self) {
        let elapsed = self.window.since.elapsed();
        if elapsed >= Self::REFRESH {
            let seconds = elapsed.as_secs_f64();
            self.window.shown = format!(
                "{:.1} fps · {:.2} MB/s · {:.1} ms",
                f64::from(self.window.frames) / seconds,
                self.window.bytes as f64 / 1e6 / seconds,
                self.window.round_trips.as_secs_f64() * 1000.0 / f64::from(self.window.frames.max(1)),
            );
            (self.window.since, self.window.frames, self.window.bytes) = (Instant::now(), 0, 0);
            self.window.round_trips = Duration::ZERO;
        }
        let message = format!("{} · {}", self.total(), self.window.shown);
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() {
            if self.last_line.elapsed() >= Self::PLAIN_EVERY {
                self.last_line = Instant::now();
                say(&message);
            }
        } else {
            self.bar.set_message(message);
            self.bar.tick();
        }
    }

    fn total(&self) -> String {
        let mut text = format!("{}: {} frames, {:.1} MB", self.name, self.frames, self.bytes as f64 / 1e6);
        for (count, what) in [(self.refused, "refused"), (self.dropped.get(), "dropped")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    }

    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() {
            say(text);
        } else {
            self.bar.println(text);
        }
    }
}
