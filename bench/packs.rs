//! What reading a screen costs, and what the way of the systems that onair replaces costs on the same pictures.
//!
//! Pictures are drawn and handed over decoded, so that nothing but reading is measured: here by the thread's processor time,
//! in the peer by that of its process and its children.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ::packs::session::Outcome;
use ::packs::{Pack, Session, Tools};
use onair::reading::{Folder, built_in};
use pixels::jpeg::{Decoder, Encoder, inspect};
use pixels::{I420, Matrix, Range};
use rustix::time::{ClockId, clock_gettime};
use sim::hud::{Drawing, Game, Stage, portraits};

use crate::harness::Outcome as Done;
use crate::report::{Row, short};
use crate::say;

const SUBJECT: &str = "packs";
const STAGE: Stage = Stage { width: 1280, height: 720, title: 0 };
const MATCH: Duration = Duration::from_secs(600);
/// Between two pictures of a match.
const EVERY: Duration = Duration::from_secs(3);
/// Pictures the peer is given of each game.
const PEER: usize = 12;

pub(crate) fn measure() -> Done<Vec<Row>> {
    let place = tempfile::tempdir()?;
    let folder = place.path().join("portraits");
    std::fs::create_dir(&folder)?;
    portraits::write(&folder)?;
    let (dota, fifa) = (load("dota2", place.path())?, load("fifa20", place.path())?);
    let mut rows = templates(&dota, &fifa)?;
    rows.extend(board(&dota, &fifa)?);
    rows.extend(peers(&dota, &fifa, &folder)?);
    Ok(rows)
}

fn load(id: &str, data: &Path) -> Done<Arc<Pack>> {
    let files = built_in(id).ok_or("it comes along")?;
    let pack = Pack::load(&files, &Folder(data.to_owned()));
    Ok(Arc::new(pack.map_err(|wrong| format!("{id}: {wrong:?}"))?))
}

/// Processor time of this thread.
fn clock() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// A match's pictures, each coded as JPEG and decoded again, as it would come.
fn film(game: Game, seed: u64, from: Duration, count: u32) -> Done<Vec<I420>> {
    let mut drawing = Drawing::new(game, seed, MATCH, STAGE);
    let (encoder, mut decoder) = (&mut Encoder::new(85)?, Decoder::new()?);
    let mut drawn = I420::new(2, 2, Range::Full, Matrix::Bt601);
    let mut pictures = Vec::new();
    for number in 0..count {
        drawing.draw(from + EVERY * number, &mut drawn);
        let jpeg = encoder.encode(&drawn)?;
        let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
        decoder.decode(&jpeg, &inspect(&jpeg, 8192)?, &mut picture)?;
        pictures.push(picture);
    }
    Ok(pictures)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The milliseconds one thing took.
fn took(outcome: &Outcome, what: &str) -> Option<f64> {
    outcome.times.iter().find(|(name, _)| **name == *what).map(|(_, took)| ms(*took))
}

fn templates(dota: &Arc<Pack>, fifa: &Arc<Pack>) -> Done<Vec<Row>> {
    let packs = [Arc::clone(dota)];
    let mut tools = Tools::default();
    let (mut cold, mut gates, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    let (mut spent, mut read) = (0.0, 0_u32);
    for seed in 1..=8 {
        let pictures = film(Game::Dota, seed, Duration::from_secs(150), 60)?;
        let mut session = Session::default();
        let mut first = true;
        for picture in &pictures {
            let outcome = session.read(&packs, picture, &mut tools, &clock);
            if outcome.reading.is_none() {
                continue;
            }
            gates.extend(took(&outcome, "gate"));
            let heroes = took(&outcome, "heroes").unwrap_or(0.0);
            (spent, read) = (spent + heroes, read + 1);
            if first {
                // The same picture three times by itself: what else the machine does is not what it costs.
                let alone = (0..3).filter_map(|_| {
                    took(&Session::default().read(&packs, picture, &mut tools, &clock), "heroes")
                });
                cold.push(alone.fold(f64::INFINITY, f64::min));
                first = false;
            }
        }
        let others = film(Game::Football, seed, Duration::from_secs(30), 5)?;
        for other in &others {
            refusals.extend(took(&Session::default().read(&packs, other, &mut tools, &clock), "gate"));
        }
        let (other, only) = (&pictures[10], [Arc::clone(fifa)]);
        refusals.extend(took(&Session::default().read(&only, other, &mut tools, &clock), "gate"));
    }
    let (worst, amortised) = (cold.iter().copied().fold(0.0, f64::max), spent / f64::from(read.max(1)));
    say(&format!("packs: dota2 worst {worst:.2} ms, amortised {amortised:.2} ms over {read} pictures"));
    let portraits = portraits().len();
    Ok(vec![
        Row::at_most(
            SUBJECT,
            &format!("dota2 at 720p, ten slots over {portraits} portraits, worst first picture of a match"),
            worst,
            5.0,
            " ms",
        ),
        Row::at_most(SUBJECT, "the same, amortised over a match", amortised, 2.0, " ms")
            .against(format!("{read} pictures of 8 matches, 3 s apart")),
        Row::at_most(SUBJECT, "a gate that accepts, its HUD where it was, median", median(gates), 0.3, " ms"),
        Row::at_most(
            SUBJECT,
            "a gate that refuses another game's picture, median",
            median(refusals),
            0.3,
            " ms",
        ),
    ])
}

fn board(dota: &Arc<Pack>, fifa: &Arc<Pack>) -> Done<Vec<Row>> {
    let packs = [Arc::clone(fifa), Arc::clone(dota)];
    let mut tools = Tools::default();
    let (mut changed, mut same, mut first) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=6 {
        let pictures = film(Game::Football, seed, Duration::from_secs(20), 30)?;
        let mut session = Session::default();
        for picture in &pictures {
            let began = clock();
            let outcome = session.read(&packs, picture, &mut tools, &clock);
            let whole = ms(clock().saturating_sub(began));
            if outcome.reading.is_none() {
                continue;
            }
            if outcome.unchanged == 0 { &mut first } else { &mut changed }.push(whole);
            let began = clock();
            session.read(&packs, picture, &mut tools, &clock);
            same.push(ms(clock().saturating_sub(began)));
        }
    }
    let all_new = median(first);
    Ok(vec![
        Row::at_most(SUBJECT, "fifa20 at 720p, the board changed, median", median(changed), 15.0, " ms")
            .against(format!("everything on it new: {} ms", short(all_new))),
        Row::at_most(SUBJECT, "fifa20 at 720p, nothing changed, median", median(same), 0.3, " ms"),
    ])
}

/// The same pictures of a match, 3 s apart, read by the peer and by us.
fn peers(dota: &Arc<Pack>, fifa: &Arc<Pack>, portraits: &Path) -> Done<Vec<Row>> {
    let mut rows = Vec::new();
    let games = [("dota2", Game::Dota, dota, 150), ("fifa20", Game::Football, fifa, 20)];
    for (id, game, pack, from) in games {
        let place = tempfile::tempdir()?;
        let packs = [Arc::clone(pack)];
        let mut tools = Tools::default();
        let (mut costs, mut session) = (Vec::new(), Session::default());
        let count = u32::try_from(PEER)?;
        let pictures = film(game, 3, Duration::from_secs(from), count)?;
        // Makes the OCR engine, once for the program's life.
        Session::default().read(&packs, &pictures[0], &mut tools, &clock);
        for (number, picture) in pictures.iter().enumerate() {
            let path = place.path().join(format!("{number:02}.png"));
            std::fs::write(path, ::packs::annotate::png(picture, &Outcome::default()))?;
            let began = clock();
            session.read(&packs, picture, &mut tools, &clock);
            costs.push(ms(clock().saturating_sub(began)));
        }
        // As it runs: one picture after the other, the first with all on it new.
        let ours = costs.iter().sum::<f64>() / f64::from(count);
        let peer = peer(place.path(), (id == "dota2").then_some(portraits))?;
        say(&format!("packs: {id} {ours:.2} ms, OpenCV and Tesseract {peer:.1} ms"));
        rows.push(
            Row::at_least(
                SUBJECT,
                &format!("CPU to read a picture with OpenCV and pytesseract against {id}'s"),
                peer / ours,
                50.0,
                "×",
            )
            .against(format!(
                "screen_cv2.py: {} ms; onair, a match's pictures one after the other: {} ms",
                short(peer),
                short(ours)
            )),
        );
    }
    Ok(rows)
}

fn peer(frames: &Path, portraits: Option<&Path>) -> Done<f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    let mut command = Command::new(&python);
    command.arg(root.join("bench/peers/screen_cv2.py")).arg(frames);
    // Its OCR's threads wait for each other by spinning: without this it would look four times as dear as it is.
    command.env("OMP_THREAD_LIMIT", "1");
    if let Some(portraits) = portraits {
        command.arg("--portraits").arg(portraits);
    }
    let output =
        command.output().map_err(|e| format!("{}: {e}; ./dev bench installs it", python.display()))?;
    if !output.status.success() {
        return Err(format!("screen_cv2.py: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let told: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&output.stdout)?;
    told.get("cpu_ms")
        .and_then(serde_json::Value::as_f64)
        .ok_or_else(|| "screen_cv2.py gave no figure".into())
}
