//! Samples in, fragments out.
//!
//! Called by the recorder, one writer a file. Holds the pending samples and the keyframe index (24 bytes for
//! each fragment with a keyframe: 170 KB an hour at two a second), nothing else.

use super::boxes::{Durations, boxed, full_box, u32, u64};
use super::{Entry, Finish, Sample, Track, init};
use crate::time::TIMESCALE;

/// Shown time of a sample nothing is known about: 1/30 s.
const USUAL_GAP: u64 = (TIMESCALE / 30) as u64;
/// Sample flags (ISO/IEC 14496-12, 8.8.3.1): depends on no other / depends on others and is no place to
/// start.
pub(crate) const KEYFRAME: u32 = 0x0200_0000;
pub(crate) const NOT_KEYFRAME: u32 = 0x0101_0000;

/// Writes one file. Every byte it gives is appended to the file, in order; only [`Writer::finish`] patches.
#[derive(Debug)]
pub struct Writer {
    durations: Durations,
    /// Length of the file so far.
    pub(super) position: u64,
    sequence: u32,
    pending: Vec<Sample>,
    entries: Vec<Entry>,
    last: Option<u64>,
    gap: u64,
    /// The last sample on disk, when its duration is a guess: its time and the offset of the duration.
    guessed: Option<(u64, u64)>,
}

impl Writer {
    /// A writer, and the file's first bytes (`ftyp moov`).
    #[must_use]
    pub fn new(track: &Track) -> (Self, Vec<u8>) {
        let (head, durations) = init::write(track);
        let writer = Self {
            durations,
            position: head.len() as u64,
            sequence: 0,
            pending: Vec::new(),
            entries: Vec::new(),
            last: None,
            gap: USUAL_GAP,
            guessed: None,
        };
        (writer, head)
    }

    /// Takes the next sample. A `pts` not after the last one becomes one tick after it, since a player may
    /// drop a tie.
    pub fn push(&mut self, mut sample: Sample) {
        if let Some(last) = self.last {
            sample.pts = sample.pts.max(last + 1);
            self.gap = sample.pts - last;
        }
        self.last = Some(sample.pts);
        self.pending.push(sample);
    }

    /// Samples not yet in a fragment.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Ticks from the oldest pending sample to `now`; 0 when none is pending.
    #[must_use]
    pub fn pending_ticks(&self, now: u64) -> u64 {
        self.pending.first().map_or(0, |sample| now.saturating_sub(sample.pts))
    }

    /// Length of the file once all bytes given so far are in it.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// One fragment of everything pending, or `None` when nothing is.
    ///
    /// The last sample lasts until `next_pts`; when that isn't known, as long as the sample before it. A
    /// wrong guess does no harm: the next fragment says when it starts, and at the end [`Writer::finish`]
    /// corrects the last one.
    pub fn flush(&mut self, next_pts: Option<u64>) -> Option<Vec<u8>> {
        let last = self.pending.last()?.pts;
        let end = next_pts.filter(|&next| next > last);
        let samples = std::mem::take(&mut self.pending);
        self.sequence = self.sequence.wrapping_add(1);
        let (bytes, last_duration) =
            fragment(self.sequence, &samples, end.unwrap_or(last.saturating_add(self.gap)));
        if let Some(at) = samples.iter().position(|sample| sample.keyframe) {
            let sample = u32::try_from(at + 1).unwrap_or(u32::MAX);
            self.entries.push(Entry { pts: samples[at].pts, moof: self.position, sample });
        }
        self.guessed = end.is_none().then(|| (last, self.position + last_duration as u64));
        self.position += bytes.len() as u64;
        // The next fragment will be about as large.
        self.pending = Vec::with_capacity(samples.len());
        Some(bytes)
    }

    /// Ends the file: `end_pts` is when the last picture stops being shown.
    #[must_use]
    pub fn finish(mut self, end_pts: u64) -> Finish {
        let end = self.last.map_or(0, |last| end_pts.max(last + 1));
        let tail = self.flush(Some(end)).unwrap_or_default();
        let mut finish = self.durations.finish(tail, &self.entries, end);
        if let Some((last, at)) = self.guessed {
            finish.patches.push((at, gap(last, end).to_be_bytes().to_vec()));
        }
        finish
    }
}

/// `moof` and `mdat`, and the offset in them of the last sample's duration. `end` is when the last sample
/// ends.
fn fragment(sequence: u32, samples: &[Sample], end: u64) -> (Vec<u8>, usize) {
    let payload: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let mut out = Vec::with_capacity(128 + 12 * samples.len() + payload);
    let mut data_offset = 0;
    let mut last_duration = 0;
    boxed(&mut out, b"moof", |out| {
        full_box(out, b"mfhd", 0, 0, |out| u32(out, sequence));
        boxed(out, b"traf", |out| {
            // Offsets count from this moof.
            full_box(out, b"tfhd", 0, 0x02_0000, |out| u32(out, 1));
            full_box(out, b"tfdt", 1, 0, |out| u64(out, samples[0].pts));
            // Data offset, then duration, size and flags of each sample.
            full_box(out, b"trun", 0, 0x701, |out| {
                u32(out, u32::try_from(samples.len()).expect("a fragment has few samples"));
                data_offset = out.len();
                u32(out, 0);
                let ends = samples[1..].iter().map(|next| next.pts).chain([end]);
                for (sample, end) in samples.iter().zip(ends) {
                    last_duration = out.len();
                    u32(out, gap(sample.pts, end));
                    u32(out, u32::try_from(sample.data.len()).expect("a coded picture is megabytes at most"));
                    u32(out, if sample.keyframe { KEYFRAME } else { NOT_KEYFRAME });
                }
            });
        });
    });
    let header = match u32::try_from(payload + 8) {
        Ok(size) => {
            let [a, b, c, d] = size.to_be_bytes();
            vec![a, b, c, d, b'm', b'd', b'a', b't']
        }
        Err(_) => [&[0, 0, 0, 1][..], b"mdat", &(payload as u64 + 16).to_be_bytes()].concat(),
    };
    let offset = u32::try_from(out.len() + header.len()).expect("a moof is kilobytes");
    out[data_offset..data_offset + 4].copy_from_slice(&offset.to_be_bytes());
    out.extend(header);
    for sample in samples {
        out.extend_from_slice(&sample.data);
    }
    (out, last_duration)
}

/// Ticks between two times, as `trun` can say it (13 hours at most).
fn gap(from: u64, to: u64) -> u32 {
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}
