//! The table at the end: each figure beside its limit and its peer.
#![expect(clippy::print_stdout, reason = "the table is this program's output")]

/// One figure.
pub(crate) struct Row {
    pub(crate) figure: String,
    /// In words, with its unit.
    pub(crate) measured: String,
    pub(crate) limit: String,
    /// Whether the limit holds; `None` where there is none.
    pub(crate) holds: Option<bool>,
    pub(crate) peer: String,
    /// What `cargo bench --bench published --` is given to measure it alone.
    pub(crate) subject: &'static str,
}

impl Row {
    /// A figure that must be `most` at most.
    pub(crate) fn at_most(subject: &'static str, figure: &str, measured: f64, most: f64, unit: &str) -> Self {
        Self {
            figure: figure.to_owned(),
            measured: format!("{}{unit}", short(measured)),
            limit: format!("≤ {}{unit}", short(most)),
            holds: Some(measured <= most),
            peer: String::new(),
            subject,
        }
    }

    /// A figure that must be `least` at least.
    pub(crate) fn at_least(
        subject: &'static str,
        figure: &str,
        measured: f64,
        least: f64,
        unit: &str,
    ) -> Self {
        let limit = format!("≥ {}{unit}", short(least));
        Self { limit, holds: Some(measured >= least), ..Self::at_most(subject, figure, measured, 0.0, unit) }
    }

    /// A figure without a limit.
    pub(crate) fn told(subject: &'static str, figure: &str, measured: impl Into<String>) -> Self {
        Self {
            figure: figure.to_owned(),
            measured: measured.into(),
            limit: String::new(),
            holds: None,
            peer: String::new(),
            subject,
        }
    }

    pub(crate) fn against(self, peer: impl Into<String>) -> Self {
        Self { peer: peer.into(), ..self }
    }
}

/// Three digits that count.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 || value == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Prints the table as Markdown; whether every limit holds.
pub(crate) fn print(rows: &[Row]) -> bool {
    println!(
        "\n| figure | measured | limit | verdict | peer | subject |\n| --- | --- | --- | --- | --- | --- |"
    );
    for Row { figure, measured, limit, holds, peer, subject } in rows {
        let verdict = match holds {
            Some(true) => "holds",
            Some(false) => "**broken**",
            None => "",
        };
        println!("| {figure} | {measured} | {limit} | {verdict} | {peer} | `{subject}` |");
    }
    println!("\nOne subject alone: `cargo bench --bench published -- <subject>`");
    rows.iter().all(|row| row.holds != Some(false))
}
