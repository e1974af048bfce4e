//! What it costs to take a picture from each of hundreds of channels every few seconds, and whether none is missed.
//!
//! The channels are the stand-in world's, a process of its own whose processor time is counted apart. `CAPTURE_SECONDS` makes
//! the long run (five minutes) another length; `CAPTURE_ONLY` runs one part: many, peers, channels, overload or screens.

mod floor;
mod peers;
mod world;

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::harness::server::Server;
use crate::harness::{Outcome, median};
use crate::report::{Row, short};
use crate::say;
use peers::Way;
use world::{Figures, World};

const SUBJECT: &str = "capture";
const WARM_UP: Duration = Duration::from_secs(15);
const ROUNDS: usize = 3;
/// Captures of each peer in each round.
const PEER_CAPTURES: u32 = 12;

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let only = std::env::var("CAPTURE_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if wanted("many") {
        rows.extend(many().await?);
    }
    if wanted("peers") {
        rows.extend(against_peers().await?);
    }
    if wanted("channels") {
        rows.extend(by_channels().await?);
    }
    if wanted("overload") {
        rows.extend(overload().await?);
    }
    if wanted("screens") {
        rows.extend(screens().await?);
    }
    Ok(rows)
}

/// What a stretch of time came to.
struct Stretch {
    took: Duration,
    /// Differences between its end and its beginning.
    figures: Figures,
    /// Of the server, and of the stand-in.
    cpu: Duration,
    world_cpu: Duration,
}

impl Stretch {
    async fn of(server: &Server, world: &World, length: Duration) -> Outcome<Self> {
        let (before, began) = (Figures::read(server).await?, Instant::now());
        let (cpu, world_cpu) = (server.process.cpu()?, world.process.cpu()?);
        sleep(length).await;
        let took = began.elapsed();
        let (cpu, world_cpu) = (server.process.cpu()? - cpu, world.process.cpu()? - world_cpu);
        let figures = Figures::read(server).await?.since(&before);
        Ok(Self { took, figures, cpu, world_cpu })
    }

    fn cores(&self) -> f64 {
        self.cpu.as_secs_f64() / self.took.as_secs_f64()
    }

    /// Milliseconds of processor time for each capture, without what an idle server takes.
    fn cost(&self, idle: f64) -> f64 {
        (self.cpu.as_secs_f64() - idle * self.took.as_secs_f64()) * 1000.0 / self.figures.captured
    }

    fn world_cost(&self) -> f64 {
        self.world_cpu.as_secs_f64() * 1000.0 / self.figures.captured
    }
}

/// Cores of a server that follows nothing.
async fn idle() -> Outcome<f64> {
    let server = Server::start(&[]).await?;
    sleep(Duration::from_secs(1)).await;
    let (before, began) = (server.process.cpu()?, Instant::now());
    sleep(Duration::from_secs(10)).await;
    Ok((server.process.cpu()? - before).as_secs_f64() / began.elapsed().as_secs_f64())
}

/// The same length for all but the long run, in proportion to it.
fn stretch() -> Duration {
    length().min(Duration::from_secs(30))
}

fn length() -> Duration {
    let seconds = std::env::var("CAPTURE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(300))
}

/// What the machine has to do besides.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

async fn many() -> Outcome<Vec<Row>> {
    const CHANNELS: u32 = 500;
    const INTERVAL: f64 = 3.0;
    let idle = idle().await?;
    let world = World::start(CHANNELS).await?;
    let floor = floor::measure(&world).await?;
    let server = world.server(INTERVAL, &[]).await?;
    sleep(WARM_UP).await;
    let before = load();
    let stretch = Stretch::of(&server, &world, length()).await?;
    let memory = server.process.memory()?.1 as f64 / 1e6;
    let figures = &stretch.figures;
    let wanted = f64::from(CHANNELS) * stretch.took.as_secs_f64() / INTERVAL;
    let what = format!("{CHANNELS} channels × 720p every {INTERVAL} s, {} s", stretch.took.as_secs());
    say(&format!("capture: load {before} to {}, by result {}", load(), figures.by_result()));
    let of = |name: &str| format!("{name}, {what}");
    let sizes = figures.keyframes / figures.captured / 1000.0;
    let told = format!("load of the machine {before} to {}; the stand-in took {} ms more", load(), {
        short(stretch.world_cost())
    });
    Ok(vec![
        Row::at_least(SUBJECT, &of("captures made"), figures.captured * 100.0 / wanted, 99.5, " %")
            .against(figures.by_result()),
        Row::at_most(SUBJECT, &of("lateness, p99"), figures.late(0.99), 1.0, " s"),
        Row::at_most(
            SUBJECT,
            &of("bytes fetched against the keyframes'"),
            figures.fetched / figures.keyframes,
            1.3,
            "×",
        )
        .against(format!("a keyframe: {} KB", short(sizes))),
        Row::at_most(SUBJECT, &of("peak memory"), memory, 400.0, " MB"),
        Row::at_most(SUBJECT, &of("cores"), stretch.cores(), 1.2, "").against(told),
        Row::told(SUBJECT, &of("CPU a capture"), format!("{} ms", short(stretch.cost(idle))))
            .against(format!("decoding alone, a fresh decoder each: {} ms", short(floor))),
    ])
}

/// Five hundred channels with games on them, every captured picture read by packs.
async fn screens() -> Outcome<Vec<Row>> {
    const CHANNELS: u32 = 500;
    const INTERVAL: f64 = 3.0;
    let world = World::huds(CHANNELS, "480p30").await?;
    let server =
        world.server(INTERVAL, &["capture.quality=480p", "packs.default=auto", &world.packs()]).await?;
    sleep(WARM_UP).await;
    let before = load();
    let stretch = Stretch::of(&server, &world, length().min(Duration::from_secs(120))).await?;
    let memory = server.process.memory()?.1 as f64 / 1e6;
    let figures = &stretch.figures;
    let wanted = f64::from(CHANNELS) * stretch.took.as_secs_f64() / INTERVAL;
    let what =
        format!("{CHANNELS} channels × 480p with HUDs every {INTERVAL} s, {} s", stretch.took.as_secs());
    let of = |name: &str| format!("{name}, {what}");
    let read = figures.accepted + figures.refused;
    let told = format!("load of the machine {before} to {}, by result {}", load(), figures.by_result());
    Ok(vec![
        Row::at_least(SUBJECT, &of("captures made"), figures.captured * 100.0 / wanted, 99.5, " %")
            .against(told),
        Row::at_least(
            SUBJECT,
            &of("captured pictures that packs looked at"),
            read * 100.0 / figures.captured,
            99.0,
            " %",
        )
        .against(format!("accepted {}, no HUD on it {}", figures.accepted, figures.refused)),
        Row::at_most(SUBJECT, &of("cores"), stretch.cores(), 1.8, ""),
        Row::at_most(SUBJECT, &of("peak memory"), memory, 400.0, " MB"),
    ])
}

/// Processor time a capture, ours and others' taking turns.
///
/// Ours at the load it is made for: the peers capture without a pause, and where there are long ones caches go cold.
async fn against_peers() -> Outcome<Vec<Row>> {
    let idle = idle().await?;
    let world = World::start(500).await?;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    let mut theirs = Way::ALL.map(|_| Vec::new());
    for round in 1..=ROUNDS {
        let server = world.server(3.0, &[]).await?;
        sleep(WARM_UP.min(stretch())).await;
        ours.push(Stretch::of(&server, &world, stretch()).await?.cost(idle));
        server.stop()?;
        floors.push(floor::measure(&world).await?);
        let mut told = String::new();
        for (way, costs) in Way::ALL.into_iter().zip(&mut theirs) {
            let cost = way.cost(&world, PEER_CAPTURES)?;
            told += &format!(", {} {}", way.name(), short(cost));
            costs.push(cost);
        }
        say(&format!("capture, round {round}, load {}: onair {} ms{told}", load(), short(ours[round - 1])));
    }
    let own = median(ours.iter().copied());
    let floor = format!("decoding alone, a fresh decoder each: {} ms", short(median(floors)));
    let mut rows = vec![Row::at_most(SUBJECT, "CPU a 720p capture", own, 7.0, " ms").against(floor)];
    for (way, costs) in Way::ALL.into_iter().zip(&theirs) {
        let ratio = median(costs.iter().zip(&ours).map(|(peer, own)| peer / own));
        let told = format!("{}: {} ms", way.name(), short(median(costs.iter().copied())));
        let figure = format!("{}'s CPU a 720p capture against ours", way.name());
        rows.push(Row::at_least(SUBJECT, &figure, ratio, way.least(), "×").against(told));
    }
    Ok(rows)
}

/// As many captures a second, but for the fewest channels, so that only their number differs.
async fn by_channels() -> Outcome<Vec<Row>> {
    const MOST: f64 = 1.25;
    let idle = idle().await?;
    let mut costs = Vec::new();
    for (channels, interval) in [(10, 3.0), (100, 3.0), (500, 15.0), (1000, 30.0)] {
        let world = World::start(channels).await?;
        let server = world.server(interval, &[]).await?;
        // Everybody once: what is done for a channel the first time is not what is measured.
        sleep(WARM_UP.max(Duration::from_secs_f64(interval))).await;
        let stretch = Stretch::of(&server, &world, stretch()).await?;
        let cost = stretch.cost(idle);
        say(&format!("capture, {channels} channels every {interval} s, load {}: {} ms", load(), short(cost)));
        costs.push((channels, cost));
    }
    let (least, most) =
        costs.iter().fold((f64::MAX, 0f64), |(least, most), (_, cost)| (least.min(*cost), most.max(*cost)));
    let told: Vec<_> = costs.iter().map(|(channels, cost)| format!("{channels}: {}", short(*cost))).collect();
    let figure = "CPU a capture, the dearest against the cheapest of 10 to 1,000 channels";
    Ok(vec![
        Row::at_most(SUBJECT, figure, most / least, MOST, "×")
            .against(format!("ms by channels: {}", told.join(", "))),
    ])
}

/// Twice what the machine can do, a third of it each of priority 1, 5 and 10.
async fn overload() -> Outcome<Vec<Row>> {
    /// More than any machine of two cores does in an interval.
    const FLOOD: u32 = 1500;
    const INTERVAL: f64 = 3.0;
    let world = World::start(FLOOD).await?;
    let server = world.server(INTERVAL, &[]).await?;
    sleep(WARM_UP).await;
    let stretch_of_all = Stretch::of(&server, &world, stretch()).await?;
    let capacity = stretch_of_all.figures.captured / stretch_of_all.took.as_secs_f64();
    server.stop()?;
    drop(world);
    let channels = (capacity * INTERVAL * 2.0).ceil().max(3.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
    let world = World::start(channels as u32).await?;
    let server = world.empty_server(INTERVAL).await?;
    world.follow(&server, &[1, 5, 10]).await?;
    sleep(WARM_UP).await;
    let before = world::by_priority(&server).await?;
    let stretch = Stretch::of(&server, &world, stretch()).await?;
    let took = stretch.took.as_secs_f64();
    let after = world::by_priority(&server).await?;
    let share = |priority: u64| {
        let of = |seen: &[(u64, f64, f64)]| {
            seen.iter().find(|(of, ..)| *of == priority).map_or((0.0, 0.0), |s| (s.1, s.2))
        };
        let ((streams, made), (_, made_before)) = (of(&after), of(&before));
        (made - made_before) * 100.0 * INTERVAL / (streams * took)
    };
    let all: f64 = [1, 5, 10].into_iter().map(share).sum::<f64>() / 3.0;
    let told = format!(
        "at most {} captures a second before, load {}; all together {} %, by result {}",
        short(capacity),
        load(),
        short(all),
        stretch.figures.by_result()
    );
    say(&format!("capture, overload: {told}"));
    let figure =
        |priority: u64| format!("captures made of priority {priority} at twice what the machine can do");
    Ok(vec![
        Row::at_least(SUBJECT, &figure(1), share(1), 95.0, " %").against(told),
        Row::told(SUBJECT, &figure(5), format!("{} %", short(share(5)))),
        Row::at_least(SUBJECT, &figure(10), share(10), 0.5, " %"),
    ])
}
