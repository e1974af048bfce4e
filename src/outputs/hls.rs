//! The program as HLS: the last segments, in memory, and the playlist of them.
//!
//! One destination writes it; the API reads it. Bounded by segments and by bytes. Segments are fragmented MP4, cut at
//! keyframes, with the wall time at which each begins (RFC 8216, 4.3.2.6).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use media::air::{Packet, Segment, Segmenter, TICKS, Tracks};

use crate::base::clock::Wall;

/// The window of segments.
#[derive(Default)]
pub struct Hls(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// Counts the broadcasts, so that names of segments never come back.
    run: u64,
    init: Bytes,
    segments: VecDeque<(Segment, Wall)>,
    open: bool,
}

/// Segments in the playlist.
const SEGMENTS: usize = 8;
/// Segments that can still be fetched.
const KEPT: usize = 12;
const MOST_BYTES: usize = 128 << 20;
/// Segments last at least so long, and to the next keyframe.
const AT_LEAST_MS: u32 = 1900;

/// Writes the window; ends it when dropped.
pub(super) struct Writer {
    hls: Arc<Hls>,
    segmenter: Option<Segmenter>,
    begun: Wall,
    bytes: u64,
}

impl Hls {
    /// A new broadcast; the segments of the one before go.
    pub(super) fn begin(self: &Arc<Self>, tracks: &Tracks, begun: Wall) -> Result<Writer, &'static str> {
        let segmenter = Segmenter::new(tracks, AT_LEAST_MS)?;
        let mut window = self.lock();
        window.run += 1;
        window.init = segmenter.init();
        window.segments.clear();
        window.open = true;
        drop(window);
        Ok(Writer { hls: Arc::clone(self), segmenter: Some(segmenter), begun, bytes: 0 })
    }

    /// The media playlist; `None` before the first segment.
    pub fn playlist(&self) -> Option<String> {
        let window = self.lock();
        let skipped = window.segments.len().saturating_sub(SEGMENTS);
        let shown: Vec<_> = window.segments.iter().skip(skipped).collect();
        let (first, _) = shown.first()?;
        let longest = shown.iter().map(|(segment, _)| segment.duration).max().unwrap_or(0);
        let target = longest.div_ceil(u64::from(TICKS)).max(2);
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-{}.mp4\"\n",
            first.sequence, window.run
        );
        for (segment, wall) in shown {
            let thousandths = segment.duration * 1000 / u64::from(TICKS);
            let (run, sequence) = (window.run, segment.sequence);
            let (seconds, rest) = (thousandths / 1000, thousandths % 1000);
            // Writing to a String does not fail.
            let _ = write!(
                text,
                "#EXT-X-PROGRAM-DATE-TIME:{wall}\n#EXTINF:{seconds}.{rest:03},\nsegment-{run}-{sequence}.m4s\n"
            );
        }
        if !window.open {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Some(text)
    }

    /// A file that the playlist names.
    pub fn file(&self, name: &str) -> Option<Bytes> {
        let window = self.lock();
        if name == format!("init-{}.mp4", window.run) {
            return Some(window.init.clone());
        }
        let (run, sequence) = name.strip_prefix("segment-")?.strip_suffix(".m4s")?.split_once('-')?;
        if run.parse() != Ok(window.run) {
            return None;
        }
        let sequence: u64 = sequence.parse().ok()?;
        let found = window.segments.iter().find(|(segment, _)| segment.sequence == sequence);
        found.map(|(segment, _)| segment.data.clone())
    }

    fn add(&self, segment: Segment, begun: Wall) {
        let micros = u64::try_from(segment.start_pts.max(0)).unwrap_or(0).saturating_mul(100) / 9;
        let wall = Wall(begun.0.saturating_add(Duration::from_micros(micros)).unwrap_or(begun.0));
        let mut window = self.lock();
        window.segments.push_back((segment, wall));
        let bytes =
            |window: &Window| window.segments.iter().map(|(segment, _)| segment.data.len()).sum::<usize>();
        while window.segments.len() > KEPT || (window.segments.len() > 1 && bytes(&window) > MOST_BYTES) {
            window.segments.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.0.lock().expect("no code that can panic runs under this lock")
    }
}

impl Writer {
    /// Bytes of segments so far.
    pub(super) fn write(&mut self, packet: &Packet) -> u64 {
        if let Some(segment) = self.segmenter.as_mut().and_then(|segmenter| segmenter.push(packet)) {
            self.bytes += segment.data.len() as u64;
            self.hls.add(segment, self.begun);
        }
        self.bytes
    }

    /// With the last segment.
    pub(super) fn finish(mut self) {
        if let Some(segment) = self.segmenter.take().and_then(Segmenter::finish) {
            self.hls.add(segment, self.begun);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.hls.lock().open = false;
    }
}
