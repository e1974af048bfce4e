//! How soon an update of a layer is in a frame, under a thousand updates a second.
//!
//! A bright square stands for the number of the update that put it there. Each frame of the program says when it was composed;
//! an update's time is that of the first frame that shows it or a later one.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use pixels::jpeg::{Decoder, inspect};
use pixels::{I420, Matrix, Range};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::SUBJECT;
use crate::harness::server::Server;
use crate::harness::{Outcome, median};
use crate::report::{Row, short};
use crate::say;

const FPS: f64 = 30.0;
const UPDATES: usize = 10_000;
const ROUNDS: usize = 3;
/// Sides of the square and of the grid it stands on, in px.
const SIDE: usize = 64;
const COLUMNS: usize = 30;
const ROWS: usize = 16;

/// When each update was sent.
type Sent = Arc<Mutex<Vec<SystemTime>>>;

pub(super) async fn measure() -> Outcome<Row> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round().await?);
    }
    let middle = |part: fn(&(f64, f64)) -> f64| median(rounds.iter().map(part));
    let (half, most) = (middle(|round| round.0), middle(|round| round.1));
    let figure = "an update of a layer to its frame, 1,000 updates a second, p99";
    let row = Row::at_most(SUBJECT, figure, most * FPS / 1000.0, 2.0, " frames");
    Ok(row.against(format!("median {} ms, p99 {} ms at {FPS} fps", short(half), short(most))))
}

/// What half of the updates took, and 99 % of them, in ms.
async fn round() -> Outcome<(f64, f64)> {
    let server = Server::start(&["recording.enabled=false"]).await?;
    let square = json!({
        "id": "square", "type": "overlay",
        "content": { "kind": "shape", "shape": "rectangle", "width": SIDE, "height": SIDE, "style": { "fillColor": "#fff" } },
    });
    server.send("POST", "/stream/layers", &square.to_string()).await?;
    // The program is a stream from the first layer on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent: Sent = Arc::default();
    let watcher = tokio::task::spawn_local(watch(server.address.to_string(), Arc::clone(&sent)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    send(&format!("ws://{}/ws", server.address), &sent).await?;
    let seen = timeout(Duration::from_secs(10), watcher).await???;
    server.stop()?;
    let mut took: Vec<f64> = seen.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
    if took.len() < UPDATES * 9 / 10 {
        return Err(format!("only {} of {UPDATES} updates were seen", took.len()).into());
    }
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    say(&format!(
        "compose, updates: half within {} ms, p99 {} ms, worst {} ms",
        short(at(50)),
        short(at(99)),
        short(at(100))
    ));
    Ok((at(50), at(99)))
}

/// Sends an update every millisecond, and takes what comes back.
async fn send(url: &str, sent: &Sent) -> Outcome<()> {
    // As browsers do: without it the client's own kernel holds small messages back until the server has answered.
    let without_delay = true;
    let (socket, _) = tokio_tungstenite::connect_async_with_config(url, None, without_delay).await?;
    let (mut out, mut back) = socket.split();
    let reader = tokio::task::spawn_local(async move {
        let mut acknowledged = 0;
        while acknowledged < UPDATES {
            match timeout(Duration::from_secs(20), back.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => acknowledged += usize::from(text.contains("\"ack\"")),
                Ok(Some(Ok(_))) => {}
                other => return Err(format!("{acknowledged} acknowledged, then {other:?}")),
            }
        }
        Ok(())
    });
    let mut beat = interval(Duration::from_millis(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    for number in 0..UPDATES {
        beat.tick().await;
        let (x, y) = (number % COLUMNS * SIDE, number / COLUMNS % ROWS * SIDE);
        let update = json!({
            "type": "layerUpdate", "ref": number,
            "payload": { "id": "square", "transform": { "position": { "x": x, "y": y } } },
        });
        sent.lock().expect("nobody panics with it").push(SystemTime::now());
        out.send(Message::text(update.to_string())).await?;
    }
    reader.await??;
    Ok(())
}

/// Watches the program until the last update is in it; how long each update took.
async fn watch(address: String, sent: Sent) -> Result<Vec<Duration>, String> {
    let failed = |e: std::io::Error| e.to_string();
    let mut socket = BufReader::new(TcpStream::connect(address).await.map_err(failed)?);
    socket.write_all(b"GET /stream/program HTTP/1.1\r\nHost: bench\r\n\r\n").await.map_err(failed)?;
    let mut decoder = Decoder::new().map_err(|e| e.to_string())?;
    let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
    let mut took = Vec::new();
    let (mut composed, mut length) = (None, None);
    let mut line = String::new();
    while took.len() < UPDATES {
        line.clear();
        if socket.read_line(&mut line).await.map_err(failed)? == 0 {
            return Err("the program ended".to_owned());
        }
        let field = |name: &str| {
            line.to_ascii_lowercase().strip_prefix(name).map(|value| value.trim().to_uppercase())
        };
        if let Some(value) = field("x-timestamp:") {
            composed = value.parse::<Timestamp>().ok().map(SystemTime::from);
        } else if let Some(value) = field("content-length:") {
            length = value.parse::<usize>().ok();
        }
        let (true, Some(bytes), Some(at)) = (line.trim().is_empty(), length, composed) else { continue };
        (length, composed) = (None, None);
        let mut jpeg = vec![0; bytes];
        socket.read_exact(&mut jpeg).await.map_err(failed)?;
        let header = inspect(&jpeg, 8192).map_err(|e| e.to_string())?;
        decoder.decode(&jpeg, &header, &mut picture).map_err(|e| e.to_string())?;
        let Some(cell) = bright(&picture) else { continue };
        let sent = sent.lock().expect("nobody panics with it");
        // The newest update that puts the square there.
        let newest =
            (0..sent.len()).rev().find(|number| number % (COLUMNS * ROWS) == cell && sent[*number] <= at);
        if let Some(newest) = newest {
            let late = sent.iter().take(newest + 1).skip(took.len());
            took.extend(late.map(|sent| at.duration_since(*sent).unwrap_or_default()));
        }
    }
    Ok(took)
}

/// The cell of the grid that is bright.
fn bright(picture: &I420) -> Option<usize> {
    let light = |cell: &usize| {
        let (x, y) = (cell % COLUMNS * SIDE + SIDE / 2, cell / COLUMNS * SIDE + SIDE / 2);
        picture.y.row(u32::try_from(y).unwrap_or(0)).get(x).is_some_and(|sample| *sample > 128)
    };
    (0..COLUMNS * ROWS).find(light)
}
