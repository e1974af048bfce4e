//! What a frame of a scene costs, what it costs others, and how soon an update is seen. `COMPOSE_ONLY` asks for one of these alone:
//! `times`, `peers` or `updates`.

pub(crate) mod peers;
pub(crate) mod scene;
mod updates;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::harness::{Outcome, median};
use crate::report::{Row, short};
use crate::say;
use peers::Way;
use scene::Scene;

const SUBJECT: &str = "compose";
const ROUNDS: usize = 5;
const SECONDS: u32 = 8;

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let only = std::env::var("COMPOSE_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let folder = tempfile::tempdir()?;
    scene::write(folder.path())?;
    let mut rows = Vec::new();
    if wanted("times") {
        rows.extend(times(folder.path())?);
    }
    if wanted("peers") {
        rows.extend(against(folder.path())?);
    }
    if wanted("updates") {
        rows.push(updates::measure().await?);
    }
    if rows.is_empty() {
        return Err("COMPOSE_ONLY is times, peers or updates".into());
    }
    Ok(rows)
}

/// Another build may be named, to measure before and after.
pub(crate) fn binary() -> OsString {
    std::env::var_os("ONAIR_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_onair").into())
}

/// What `onair render` tells of a scene: milliseconds of a frame in the middle and of the slow ones, megabytes held.
struct Told {
    median: f64,
    p95: f64,
    memory: f64,
}

fn render(folder: &Path, scene: Scene, threads: u32) -> Outcome<Told> {
    let mut command = Command::new(binary());
    command.arg("render").arg(folder.join(scene.file())).args(["--threads", &threads.to_string()]);
    let output = command.args(["--duration", &SECONDS.to_string(), "-o", "null"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("onair render: {text}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let figure = |before: &str| -> Outcome<f64> {
        let (_, rest) = text.split_once(before).ok_or_else(|| format!("no {before:?} in {text:?}"))?;
        let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        Ok(number.parse()?)
    };
    Ok(Told { median: figure("median ")?, p95: figure("p95 ")?, memory: figure("drawn; ")? })
}

fn times(folder: &Path) -> Outcome<Vec<Row>> {
    let wanted = [
        (Scene::Whole, 1, "a frame of the scene, one core, median", 1.5),
        (Scene::Still, 1, "a frame in which nothing moves, one core, median", 0.05),
        (Scene::Text, 1, "a frame in which only the text changes, one core, median", 0.3),
        (
            Scene::Fifty,
            2,
            "a frame of fifty pictures that move, turn and grow, two cores, median",
            1000.0 / 60.0,
        ),
    ];
    let mut rows = Vec::new();
    for (scene, threads, figure, most) in wanted {
        let told = (0..ROUNDS).map(|_| render(folder, scene, threads)).collect::<Outcome<Vec<_>>>()?;
        let middle = median(told.iter().map(|told| told.median));
        let slow = median(told.iter().map(|told| told.p95));
        say(&format!("compose, {scene:?}: median {} ms, p95 {} ms", short(middle), short(slow)));
        rows.push(
            Row::at_most(SUBJECT, figure, middle, most, " ms").against(format!("p95 {} ms", short(slow))),
        );
        if matches!(scene, Scene::Whole) {
            let held = median(told.iter().map(|told| told.memory));
            rows.push(Row::at_most(
                SUBJECT,
                "memory that pictures and frames of the scene take",
                held,
                250.0,
                " MB",
            ));
        }
    }
    Ok(rows)
}

/// Everybody takes turns.
fn against(folder: &Path) -> Outcome<Vec<Row>> {
    let mut ours = Vec::new();
    let mut theirs = Way::PEERS.map(|_| Vec::new());
    let mut versions = Way::PEERS.map(|_| String::new());
    for round in 1..=ROUNDS {
        ours.push(Way::Onair.cost(folder)?.0);
        for ((way, costs), version) in Way::PEERS.into_iter().zip(&mut theirs).zip(&mut versions) {
            let (cost, told) = way.cost(folder)?;
            costs.push(cost);
            *version = told;
        }
        let told = Way::PEERS.iter().zip(&theirs).map(|(way, costs)| {
            format!(", {} {}", way.name(), short(costs.last().copied().unwrap_or(f64::NAN)))
        });
        let own = short(ours.last().copied().unwrap_or(f64::NAN));
        say(&format!("compose, round {round}, CPU a frame: onair {own} ms{}", told.collect::<String>()));
    }
    let own = median(ours);
    let costs = theirs.map(median);
    let best = costs.iter().copied().fold(f64::INFINITY, f64::min);
    let mut rows = vec![Row::told(SUBJECT, "CPU a frame of the scene", format!("{} ms", short(own)))];
    for ((way, cost), version) in Way::PEERS.into_iter().zip(costs).zip(versions) {
        let figure = format!("CPU a frame with {} against ours", way.name());
        let peer = format!("{} ms, {version}", short(cost));
        let row = if cost > best {
            Row::told(SUBJECT, &figure, format!("{}×", short(cost / own)))
        } else {
            Row::at_least(SUBJECT, &figure, cost / own, 10.0, "×")
        };
        rows.push(row.against(peer));
    }
    Ok(rows)
}
