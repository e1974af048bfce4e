//! Every fault the stand-in knows, all at once, each on a channel of its own, beside channels that are well: what each is called
//! while it lasts, that it ends by itself, and that nobody else notices. `docs/faults.md` is this test's table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use sim::fault::{Fault, Scope};
use tokio::time::Instant;

use crate::follow::Twitch;
use crate::harness::Server;
use crate::tools::{Program, lasting_port, onair, repository, sooner_or_later};

/// Channels without a fault.
const WELL: usize = 6;
/// Seconds: as long as a segment, so that there is always something new.
const INTERVAL: f64 = 2.0;

/// What becomes of a channel while a fault lasts.
struct Case {
    fault: Fault,
    state: &'static str,
    /// Parts of the reason, one of which is given; of a channel that stays online, none.
    words: &'static [&'static str],
}

impl Case {
    /// A name for the table: the fault's own, and where it strikes if not everywhere.
    fn title(&self) -> String {
        let value = serde_json::to_value(&self.fault).unwrap();
        let name = value["fault"].as_str().unwrap().to_owned();
        match value["on"].as_str() {
            Some("all") | None => name,
            Some(on) => format!("{name} on {on}"),
        }
    }

    /// A channel that is followed already does not ask there again: its fault must be there first.
    fn strikes_beginners(&self) -> bool {
        let on = |on: &Scope| matches!(on, Scope::Token | Scope::Master);
        match &self.fault {
            Fault::ClientIntegrity {} | Fault::Banned {} | Fault::Renamed { .. } => true,
            Fault::Stall { on: scope } => on(scope),
            _ => false,
        }
    }

    fn is_so(&self, stream: &Value) -> bool {
        let reason = stream["last_error"].as_str().unwrap_or_default();
        stream["state"] == self.state
            && (self.words.is_empty() || self.words.iter().any(|words| reason.contains(words)))
    }
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let mut faults = Fault::all();
    faults.extend([Scope::Token, Scope::Master, Scope::Playlist, Scope::Segment].map(|on| Fault::Stall { on }));
    let case = |fault: Fault| {
        let (state, words): (_, &'static [&'static str]) = match &fault {
            Fault::Offline {} => ("offline", &["is offline"]),
            Fault::Banned {} => ("offline", &["banned"]),
            Fault::Renamed { .. } => ("offline", &["no such channel"]),
            Fault::ClientIntegrity {} => ("error", &["Client-Integrity"]),
            Fault::ServerErrors { .. } => ("error", &["503"]),
            Fault::PlaylistFrozen {} => ("error", &["has not moved"]),
            Fault::PlaylistBackwards {} => ("error", &["backwards"]),
            Fault::PlaylistHtml {} => ("error", &["web page"]),
            Fault::SegmentHtml {} => ("error", &["HTML"]),
            Fault::PlaylistHuge { .. } | Fault::PlaylistMany { .. } => ("error", &["more than 4194304 bytes"]),
            Fault::PlaylistFileUris {} => ("error", &["file"]),
            Fault::PlaylistEmpty {} => ("error", &["no segments"]),
            Fault::SegmentEmpty {} => ("error", &["empty"]),
            Fault::SegmentTruncated {} => ("error", &["cut short"]),
            Fault::SegmentMissing {} => ("error", &["404"]),
            Fault::Encrypted { .. } => ("error", &["encrypted"]),
            Fault::AudioOnly {} => ("error", &["video"]),
            Fault::Stall { .. } | Fault::Trickle { .. } => ("error", &["within 2 s", "capture.timeout"]),
            Fault::Reset { .. } => ("error", &["broke off"]),
            Fault::Ads { .. } => ("ad", &["advert"]),
            Fault::TokenExpired {} | Fault::WrongPts {} | Fault::ResolutionChange {} | Fault::NoRange {}
            | Fault::Slow { .. } | Fault::ClockSkew { .. } | Fault::Discontinuity {} | Fault::Gap {} => ("online", &[]),
        };
        Case { fault, state, words }
    };
    faults.into_iter().map(case).collect()
}

/// All streams by name.
async fn look(server: &Server) -> BTreeMap<String, Value> {
    let list = server.get("/api/streams?kind=pull&limit=1000").await.json();
    let named = |stream: &Value| (stream["name"].as_str().unwrap().to_owned(), stream.clone());
    list["streams"].as_array().unwrap().iter().map(named).collect()
}

fn count(stream: &Value, field: &str) -> u64 {
    stream[field].as_u64().unwrap_or_else(|| panic!("no {field} in {stream}"))
}

async fn follow(server: &Server, names: &[String]) {
    let done = server.post_json("/api/streams/bulk", &json!({ "streams": names })).await.json();
    assert_eq!(done["added"], names.len(), "{done}");
}

/// What became of one fault.
#[derive(Clone, Default)]
struct Found {
    state: String,
    reason: String,
    /// Captures and seconds from its end to the first picture.
    recovery: (u64, f64),
}

/// Waits until each channel is what its case says, and gives what it was then.
async fn strike(server: &Server, cases: &[(String, Case)]) -> Vec<Found> {
    let mut found = vec![None; cases.len()];
    let before = look(server).await;
    let mut last = BTreeMap::new();
    let all = tokio::time::timeout(Duration::from_secs(90), async {
        let mut again = tokio::time::interval(Duration::from_millis(200));
        while found.iter().any(Option::is_none) {
            again.tick().await;
            last = look(server).await;
            for ((name, case), found) in cases.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                let stream = &last[name];
                let tried = |field| count(stream, field) - before.get(name).map_or(0, |s| count(s, field));
                // Of one that stays online, the pictures after the fault has begun must be many.
                let enough = if case.state == "online" { tried("captures") >= 6 } else { true };
                if enough && case.is_so(stream) {
                    let text = |field: &str| stream[field].as_str().unwrap_or_default().to_owned();
                    *found =
                        Some(Found { state: text("state"), reason: text("last_error"), ..Found::default() });
                }
            }
        }
    });
    if all.await.is_err() {
        let wrong = cases.iter().zip(&found).filter(|(_, found)| found.is_none());
        let wrong = wrong.map(|((name, case), _)| {
            let stream = &last[name];
            format!(
                "{}: {} because {}, not {}",
                case.title(),
                stream["state"],
                stream["last_error"],
                case.state
            )
        });
        panic!("these never became what they should:\n{}", wrong.collect::<Vec<_>>().join("\n"));
    }
    found.into_iter().map(|found| found.expect("all have been found")).collect()
}

/// Takes all faults away and waits until each channel gives pictures again.
async fn recover(server: &Server, twitch: &Twitch, cases: &[(String, Case)], found: &mut [Found]) {
    for (name, _) in cases {
        twitch.world.clear(name).unwrap();
    }
    let (begun, before) = (Instant::now(), look(server).await);
    let mut waiting: Vec<usize> = (0..cases.len()).collect();
    sooner_or_later("all are online again", async || {
        let now = look(server).await;
        waiting.retain(|at| {
            let (before, now) = (&before[&cases[*at].0], &now[&cases[*at].0]);
            let well = now["state"] == "online"
                && count(now, "successful_captures") > count(before, "successful_captures");
            if well {
                let captures = count(now, "captures") - count(before, "captures");
                found[*at].recovery = (captures, begun.elapsed().as_secs_f64());
            }
            !well
        });
        waiting.is_empty()
    })
    .await;
}

/// The table, for people.
fn page(cases: &[(String, Case)], found: &[Found]) -> String {
    let mut page = String::from(
        "# Faults\n\nWhat a followed channel is called while something is wrong with it, and how soon it gives pictures again when \
         that is over.\nEvery fault of the stand-in (`docs/sim.md`) at the same time, each on a channel of its own, captured \
         every 2 s; channels without a\nfault beside them keep 95 of 100 captures at least. Made by `UPDATE_EXAMPLES=1 cargo test --test \
         it fault_matrix`; the times are those of that run:\nafter an error the pauses are 2, 4, 8, 16 and 30 s, and a channel \
         that is offline is asked every 30 s.\n\n| fault | state | reason | captures until a picture | seconds |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for ((_, case), found) in cases.iter().zip(found) {
        let reason = if case.words.is_empty() { String::new() } else { plain(&found.reason) };
        let (captures, seconds) = found.recovery;
        writeln!(page, "| {} | {} | {reason} | {captures} | {seconds:.0} |", case.title(), found.state)
            .unwrap();
    }
    page
}

/// A reason as a cell of a table.
fn plain(reason: &str) -> String {
    reason.replace('|', "/")
}

/// Fault and state of each line of the table: what does not change from run to run.
fn lasting(page: &str) -> Vec<(String, String)> {
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let cells = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    cells.map(|cells| (cells[1].to_owned(), cells[2].to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_once_is_named_ends_and_disturbs_nobody() {
    let all = cases();
    let twitch = Twitch::start(u32::try_from(all.len() + WELL).unwrap()).await;
    let name = |n: usize| format!("sim_{:04}", n + 1);
    let cases: Vec<(String, Case)> = all.into_iter().enumerate().map(|(n, case)| (name(n), case)).collect();
    let well: Vec<String> = (cases.len()..cases.len() + WELL).map(name).collect();
    let interval = INTERVAL.to_string();
    let server = twitch.server(&[("capture.interval", interval.as_str()), ("capture.timeout", "2")]).await;
    let (beginners, followed): (Vec<_>, Vec<_>) =
        cases.iter().partition(|(_, case)| case.strikes_beginners());
    let names = |cases: &[&(String, Case)]| cases.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    follow(&server, &[names(&followed), well.clone()].concat()).await;
    sooner_or_later("all are online", async || {
        look(&server).await.values().all(|stream| stream["state"] == "online")
    })
    .await;

    let (begun, before) = (Instant::now(), look(&server).await);
    for (name, case) in &cases {
        twitch.world.fault(name, case.fault.clone(), None).unwrap();
    }
    follow(&server, &names(&beginners)).await;
    let mut found = strike(&server, &cases).await;
    recover(&server, &twitch, &cases, &mut found).await;
    let (lasted, after) = (begun.elapsed().as_secs_f64(), look(&server).await);
    for name in &well {
        let (before, after) = (&before[name], &after[name]);
        let made = count(after, "successful_captures") - count(before, "successful_captures");
        let due = (lasted / INTERVAL).floor();
        assert!(made as f64 >= due * 0.95 - 1.0, "{name} gave {made} pictures of {due}: {after}");
        assert_eq!((&after["error_count"], &after["state"]), (&json!(0), &json!("online")), "{after}");
    }
    for what in ["task", "handler", "decode"] {
        assert_eq!(server.metric(&format!("onair_{what}_panics_total")).await, Some(0.0));
    }
    server.stop().await;
    let table = page(&cases, &found);
    println!("{table}");
    let file = repository().join("docs/faults.md");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        lasting(&written),
        lasting(&table),
        "docs/faults.md is old: run this test with UPDATE_EXAMPLES=1"
    );
}

/// The stand-in as a process, on that port.
async fn platform(port: u16, films: &Path) -> Program {
    let mut command = onair();
    command.args([
        "sim",
        "--channels",
        "3",
        "--renditions",
        "160p30",
        "--prepare",
        "--port",
        &port.to_string(),
    ]);
    let program = Program::start(command.arg("--cache").arg(films));
    sooner_or_later("it is live", async || program.said().contains("are live at")).await;
    program
}

#[tokio::test]
async fn a_platform_that_is_gone_altogether_is_a_reason_and_ends_by_itself() {
    let films = tempfile::tempdir().unwrap();
    let port = lasting_port();
    let there = platform(port, films.path()).await;
    let [gql, usher] = ["/gql", ""].map(|path| format!("http://127.0.0.1:{port}{path}"));
    let server = Server::start(&[
        ("capture.twitch.gql_url", gql.as_str()),
        ("capture.twitch.usher_url", usher.as_str()),
        ("egress.allow_private", "true"),
        ("capture.interval", "0.5"),
    ])
    .await;
    let names: Vec<String> = (1..=3).map(|n| format!("sim_000{n}")).collect();
    follow(&server, &names).await;
    let all = async |state: &str, words: &str| {
        sooner_or_later(&format!("all are {state}"), async || {
            let is_so = |stream: &Value| {
                stream["state"] == state && stream["last_error"].as_str().unwrap_or_default().contains(words)
            };
            look(&server).await.values().all(is_so)
        })
        .await;
    };
    all("online", "").await;
    // As when its machine dies, and with it all it has given out.
    there.signal(Signal::KILL);
    there.end().await;
    all("error", "connect").await;
    let _back = platform(port, films.path()).await;
    all("online", "").await;
    assert_eq!(server.metric("onair_task_panics_total").await, Some(0.0));
    server.stop().await;
}
