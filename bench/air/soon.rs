//! How soon a change of a layer is at those who watch: at an RTMP server, and in the preview with sound.
//!
//! A picture full of noise is shown on an empty ground and hidden again: the frame that shows it first is known by its size, both
//! in what the RTMP server took and in the preview's parts, each when all of it has come.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use sim::sink::{self, Sink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::{FPS, SUBJECT, WARM_UP};
use crate::harness::Outcome;
use crate::harness::server::Server;
use crate::report::{Row, short};
use crate::say;

const TIMES: u32 = 100;
/// Sides of the noise, in px.
const NOISE: (u32, u32) = (640, 360);
/// Bytes of a frame, or a part, that has the noise in it. What has not is a tenth of it.
const LARGE: usize = 12_000;
/// The picture is shown for so long, then hidden for so long and a little more.
const SHOWN: Duration = Duration::from_millis(400);
const HIDDEN: Duration = Duration::from_millis(600);

/// When something came whole, and its bytes.
type Seen = Rc<RefCell<Vec<(Instant, usize)>>>;

pub(super) async fn measure() -> Outcome<Vec<Row>> {
    let fps = format!("compositor.fps={FPS}");
    let settings = ["recording.enabled=false", "egress.allow_private=true", &fps];
    let server = Server::start(&settings).await?;
    server.upload("/api/assets?id=noise", "image/png", &noise()?).await?;
    let ground = json!({ "id": "ground", "content": { "kind": "shape", "shape": "rectangle", "width": 1920, "height": 1080,
        "style": { "fillColor": "#204060" } } });
    server.send("POST", "/stream/layers", &ground.to_string()).await?;
    let noise = json!({ "id": "noise", "visible": false, "content": { "kind": "image", "src": "noise" } });
    server.send("POST", "/stream/layers", &noise.to_string()).await?;
    let sink = Sink::new(sink::Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("rtmp://{}/live", listener.local_addr()?);
    let taking = tokio::task::spawn_local(sink::serve(listener, sink.clone()));
    let output = json!({ "id": "far", "url": url, "key": "key", "profile": "custom", "bitrateKbps": 4000 });
    server.send("POST", "/stream/outputs", &output.to_string()).await?;
    server.send("POST", "/stream/control", &json!({ "action": "start" }).to_string()).await?;
    sleep(WARM_UP).await;
    let (frames, parts) = (Seen::default(), Seen::default());
    let watchers = [
        tokio::task::spawn_local(received(sink, Rc::clone(&frames))),
        tokio::task::spawn_local(previewed(server.address.to_string(), Rc::clone(&parts))),
    ];
    sleep(WARM_UP).await;
    let mut took = [Vec::new(), Vec::new()];
    let visible = json!({ "visible": true }).to_string();
    for number in 0..TIMES {
        frames.borrow_mut().clear();
        parts.borrow_mut().clear();
        let begun = Instant::now();
        server.send("POST", "/stream/layers/noise/visibility", &visible).await?;
        sleep(SHOWN.saturating_sub(begun.elapsed())).await;
        server
            .send("POST", "/stream/layers/noise/visibility", &json!({ "visible": false }).to_string())
            .await?;
        for (took, seen) in took.iter_mut().zip([&frames, &parts]) {
            let first = seen.borrow().iter().find(|(_, bytes)| *bytes > LARGE).map(|(at, _)| *at - begun);
            took.push(first.ok_or("a change was never seen")?.as_secs_f64() * 1000.0);
        }
        // Another phase of the clock each time.
        sleep(HIDDEN + Duration::from_millis(1) * (number * 7 % 34)).await;
    }
    watchers.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop()?;
    taking.abort();
    let figures = [
        ("a change of a layer to its whole frame at the RTMP server, 30 fps, p95", 300.0),
        ("a change of a layer to the preview's part that shows it, 30 fps, p95", 1000.0),
    ];
    let rows = took.into_iter().zip(figures).map(|(mut took, (figure, most))| {
        took.sort_by(f64::total_cmp);
        let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
        let told = format!("median {} ms, worst {} ms", short(at(50)), short(at(100)));
        say(&format!("air: {figure}: {} ms; {told}", short(at(95))));
        Row::at_most(SUBJECT, figure, at(95), most, " ms").against(told)
    });
    Ok(rows.collect())
}

/// Looks every millisecond what the server took.
async fn received(sink: Sink, seen: Seen) {
    let mut known = 0;
    loop {
        sink.with(|all| {
            let pictures = all.first().map_or(&[][..], |one| &one.pictures);
            let fresh = pictures.iter().skip(known).map(|picture| (Instant::now(), picture.size));
            seen.borrow_mut().extend(fresh);
            known = pictures.len();
        });
        sleep(Duration::from_millis(1)).await;
    }
}

/// Watches the preview; what comes of each of its boxes is timed.
async fn previewed(address: String, seen: Seen) {
    let watched = async {
        let mut socket = TcpStream::connect(address).await?;
        // HTTP/1.0: the body comes as it is, to the end of the connection.
        socket.write_all(b"GET /hls/program/live.mp4 HTTP/1.0\r\nHost: bench\r\n\r\n").await?;
        let (mut read, mut at) = (Vec::new(), None);
        loop {
            if socket.read_buf(&mut read).await? == 0 {
                return Ok::<_, std::io::Error>(());
            }
            if at.is_none() {
                at = read.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4);
            }
            let Some(begun) = &mut at else { continue };
            while let Some(head) = read.get(*begun..*begun + 4) {
                let size = head.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)).max(8);
                if read.len() < *begun + size {
                    break;
                }
                seen.borrow_mut().push((Instant::now(), size));
                *begun += size;
            }
            read.drain(..std::mem::take(begun));
        }
    };
    if let Err(e) = watched.await {
        say(&format!("air: the preview ended: {e}"));
    }
}

/// Grey squares of 4 px by chance, as PNG.
fn noise() -> Outcome<Vec<u8>> {
    let (width, height) = NOISE;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let sample = |at: u32| {
        let (x, y) = (at % width / 4, at / width / 4);
        (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519))
            .wrapping_mul(3_266_489_917)
            .to_le_bytes()[3]
    };
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&(0..width * height).map(sample).collect::<Vec<u8>>())?;
    writer.finish()?;
    Ok(file)
}
