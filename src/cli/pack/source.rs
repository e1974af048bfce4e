//! The pictures of a file, a folder or an address, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use media::input::{Input, Picture, Source};
use pixels::jpeg::{self, Decoder};
use pixels::{I420, Matrix, Range};

use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::error::{Error, Kind, Result};
use crate::base::tasks::Tasks;
use crate::egress::Trust;
use crate::sources::{Puller, Shared, Target};

/// A picture and when it is shown, counted from the first.
pub(super) struct Shot {
    pub(super) at: Duration,
    pub(super) picture: I420,
}

/// Reads every picture of a file that is at least `every` after the one before; `take` says when it has enough.
///
/// # Errors
/// When the file can't be read.
pub(super) fn file(path: &Path, every: Duration, mut take: impl FnMut(Shot) -> Result<bool>) -> Result<()> {
    let wrong = |e: media::input::Error| Error::new(Kind::Malformed, e.to_string());
    let mut input = Input::open(Source::File(path)).map_err(wrong)?;
    let mut next = Duration::ZERO;
    while let Some((picture, at)) = input.next().map_err(wrong)? {
        if at < next {
            continue;
        }
        next = at + every;
        let picture = match picture {
            Picture::I420(picture) => picture,
            Picture::Jpeg(bytes) => from_jpeg(&bytes)?,
        };
        if !take(Shot { at, picture })? {
            break;
        }
    }
    Ok(())
}

fn from_jpeg(bytes: &[u8]) -> Result<I420> {
    let malformed = |e: String| Error::new(Kind::Malformed, format!("the JPEG can't be decoded: {e}"));
    let header = jpeg::inspect(bytes, u16::MAX).map_err(|e| malformed(e.to_string()))?;
    let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
    let mut decoder = Decoder::new().map_err(|e| malformed(e.to_string()))?;
    decoder.decode(bytes, &header, &mut picture).map_err(|e| malformed(e.to_string()))?;
    Ok(picture)
}

/// One picture of whatever an address shows now.
///
/// # Errors
/// When it shows nothing.
pub(super) async fn address(config: &Config, url: &str) -> Result<I420> {
    let target = Target::parse("source", url, Trust::Operator)?;
    let (clock, tasks) = (Clock::real(), Tasks::default());
    let client = crate::app::outside(config, &clock);
    let twitch = crate::app::twitch_settings(config)?;
    let shared = Arc::new(Shared::new(client, clock, tasks.clone(), twitch));
    let quality = config.capture.quality.parse().expect("checked by its kind");
    let mut puller = Puller::new(target, Trust::Operator, shared, quality);
    let captured = puller.capture(config.capture.timeout).await;
    let captured =
        captured.map_err(|failure| Error::new(Kind::Unavailable, format!("{url}: {}", failure.reason)))?;
    tasks.stop(Duration::from_secs(2)).await;
    let mut picture = I420::new(2, 2, Range::Limited, Matrix::Bt709);
    media::decode::decode(&captured.keyframe, &mut picture)
        .map_err(|e| Error::new(Kind::Malformed, format!("{url}: the picture can't be decoded: {e}")))?;
    Ok(picture)
}
