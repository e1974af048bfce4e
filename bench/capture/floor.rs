//! The floor: decoding alone. The keyframes of the film, again and again, one thread, a fresh decoder for each picture.

use media::decode;
use media::keyframe::Keyframe;
use media::segment::{Finder, Limits};
use pixels::{I420, Matrix, Range};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::world::{PATIENCE, World};
use crate::harness::Outcome;

const PICTURES: u32 = 200;

/// Milliseconds of processor time a picture.
pub(super) async fn measure(world: &World) -> Outcome<f64> {
    let keyframes = keyframes(world).await?;
    let mut planes = I420::new(2, 2, Range::Limited, Matrix::Bt709);
    for keyframe in &keyframes {
        decode::decode_unsmoothed(keyframe, &mut planes)?;
    }
    decode::keep_memory();
    let before = own_cpu()?;
    for keyframe in keyframes.iter().cycle().take(PICTURES as usize) {
        decode::decode_unsmoothed(keyframe, &mut planes)?;
    }
    Ok((own_cpu()? - before) / f64::from(PICTURES))
}

/// Milliseconds this thread has run.
fn own_cpu() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().ok_or("empty schedstat")?.parse::<f64>()? / 1e6)
}

/// The keyframes of all segments that the first channel lists.
async fn keyframes(world: &World) -> Outcome<Vec<Keyframe>> {
    let playlist = String::from_utf8(get(world, &world.playlist()).await?)?;
    let playlist = url::Url::parse(&world.playlist()).map(|base| (base, playlist))?;
    let mut found = Vec::new();
    for line in playlist.1.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let segment = get(world, playlist.0.join(line)?.as_str()).await?;
        let keyframe = Finder::new(Limits::default()).push(&segment)?;
        found.push(keyframe.ok_or("a segment without a keyframe")?);
    }
    if found.is_empty() { Err("an empty playlist".into()) } else { Ok(found) }
}

async fn get(world: &World, url: &str) -> Outcome<Vec<u8>> {
    let path =
        url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).ok_or("no path")?;
    let mut socket = TcpStream::connect(world.address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", world.address);
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer)).await??;
    let end = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or("no answer")?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(format!("{url}: {}", String::from_utf8_lossy(&answer[..end])).into());
    }
    Ok(answer.split_off(end + 4))
}
