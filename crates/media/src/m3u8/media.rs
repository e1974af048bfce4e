//! Media playlists (RFC 8216, 4.3.2 and 4.3.3; parts and hints by draft-pantos-hls-rfc8216bis; Twitch's own tags).

use std::ops::Range;
use std::time::Duration;

use super::attributes::{attribute, attributes};
use super::{
    AdRange, Coming, Error, Line, MAX_ENTRIES, Map, Media, Part, Segment, date, lines, number, seconds, uri,
};

/// What tags said of the segment to come.
#[derive(Default)]
struct Pending {
    /// Duration and title.
    announced: Option<(Duration, bool)>,
    byte_range: Option<(u64, Option<u64>)>,
    time: Option<i64>,
    discontinuity: bool,
    gap: bool,
}

/// What holds from one segment to the next.
#[derive(Default)]
struct State {
    media: Media,
    pending: Pending,
    map: Option<Map>,
    encrypted: bool,
    /// Where the next segment's time would be by the one before.
    next_time: Option<i64>,
    entries: usize,
}

pub(super) fn read(text: &str) -> Result<Media, Error> {
    let mut state = State::default();
    for (line, content) in lines(text) {
        match content {
            Line::Tag(name, value) => state.tag(name, value, line)?,
            Line::Uri(text) => state.segment(text, line)?,
        }
    }
    let coming = state.coming();
    let mut media = Media { coming, ..state.media };
    let ads = Ads::new(&media.ad_ranges);
    for segment in &mut media.segments {
        segment.ad |= ads.cover(segment);
    }
    Ok(media)
}

impl State {
    fn tag(&mut self, name: &str, value: &str, line: usize) -> Result<(), Error> {
        let malformed = |what| Error::Malformed { line, what };
        match name {
            "EXTINF" => {
                let (duration, title) = value.split_once(',').unwrap_or((value, ""));
                let duration = seconds(duration).ok_or(malformed("a segment's duration"))?;
                self.pending.announced = Some((duration, title.contains("Amazon")));
            }
            "EXT-X-TARGETDURATION" => {
                self.media.target_duration = seconds(value).ok_or(malformed("EXT-X-TARGETDURATION"))?;
            }
            "EXT-X-MEDIA-SEQUENCE" => {
                self.media.sequence = number(value).ok_or(malformed("EXT-X-MEDIA-SEQUENCE"))?;
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                let number = number(value).ok_or(malformed("EXT-X-DISCONTINUITY-SEQUENCE"))?;
                self.media.discontinuity_sequence = number;
            }
            "EXT-X-DISCONTINUITY" => self.pending.discontinuity = true,
            "EXT-X-GAP" => self.pending.gap = true,
            "EXT-X-ENDLIST" => self.media.ended = true,
            "EXT-X-PROGRAM-DATE-TIME" => self.pending.time = date::micros(value).or(self.pending.time),
            "EXT-X-BYTERANGE" => {
                self.pending.byte_range = Some(byte_range(value).ok_or(malformed("EXT-X-BYTERANGE"))?);
            }
            "EXT-X-KEY" => {
                let method = attribute(value, "METHOD").ok_or(malformed("EXT-X-KEY without METHOD"))?;
                self.encrypted = method != "NONE";
            }
            "EXT-X-MAP" => self.map = Some(map(value, line)?),
            "EXT-X-SKIP" => return Err(Error::Delta),
            "EXT-X-DATERANGE" => return self.date_range(value),
            _ => return self.low_latency_tag(name, value, line),
        }
        Ok(())
    }

    fn low_latency_tag(&mut self, name: &str, value: &str, line: usize) -> Result<(), Error> {
        let malformed = |what| Error::Malformed { line, what };
        match name {
            "EXT-X-PART" => return self.part(value, line),
            "EXT-X-PART-INF" => {
                let target = attribute(value, "PART-TARGET").and_then(seconds);
                self.media.part_target = Some(target.ok_or(malformed("EXT-X-PART-INF"))?);
            }
            "EXT-X-SERVER-CONTROL" => {
                self.media.can_block_reload = attribute(value, "CAN-BLOCK-RELOAD") == Some("YES");
            }
            "EXT-X-PRELOAD-HINT" if attribute(value, "TYPE") == Some("PART") => {
                let hint = attribute(value, "URI").ok_or(malformed("EXT-X-PRELOAD-HINT without URI"))?;
                self.media.preload_hint = Some(uri(hint, line)?);
            }
            "EXT-X-TWITCH-PREFETCH" => {
                self.count()?;
                self.media.prefetch.push(uri(value, line)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn segment(&mut self, text: &str, line: usize) -> Result<(), Error> {
        let pending = std::mem::take(&mut self.pending);
        // A URI that no tag announced is none, as for players.
        let Some((duration, ad)) = pending.announced else { return Ok(()) };
        self.count()?;
        let malformed = |what| Error::Malformed { line, what };
        let uri = uri(text, line)?;
        let last = self.media.segments.last();
        let sequence = match last {
            Some(last) => last.sequence.checked_add(1).ok_or(malformed("a sequence number too large"))?,
            None => self.media.sequence,
        };
        let before = last.filter(|last| last.uri == uri).and_then(|last| last.byte_range.as_ref());
        let byte_range = match pending.byte_range {
            Some(range) => Some(placed(range, before).ok_or(malformed("EXT-X-BYTERANGE"))?),
            None => None,
        };
        let time = self.time_of(&pending);
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        self.next_time = time.map(|time| time.saturating_add(micros));
        self.media.segments.push(Segment {
            uri,
            duration,
            sequence,
            time,
            time_given: pending.time.is_some(),
            discontinuity: pending.discontinuity,
            byte_range,
            map: self.map.clone(),
            encrypted: self.encrypted,
            gap: pending.gap,
            ad,
        });
        // They were this segment's.
        self.media.last_parts = std::mem::take(&mut self.media.parts);
        Ok(())
    }

    /// When what these tags stand before begins.
    fn time_of(&self, pending: &Pending) -> Option<i64> {
        // Across a discontinuity nothing is known of the time.
        pending.time.or(self.next_time.filter(|_| !pending.discontinuity))
    }

    fn coming(&self) -> Coming {
        Coming {
            time: self.time_of(&self.pending),
            time_given: self.pending.time.is_some(),
            discontinuity: self.pending.discontinuity,
            map: self.map.clone(),
            encrypted: self.encrypted,
            gap: self.pending.gap,
        }
    }

    fn part(&mut self, list: &str, line: usize) -> Result<(), Error> {
        self.count()?;
        let malformed = |what| Error::Malformed { line, what };
        let mut part = Part::default();
        let mut range = None;
        for (name, value) in attributes(list) {
            match name {
                "URI" => part.uri = uri(value, line)?,
                "DURATION" => part.duration = seconds(value).ok_or(malformed("a part's duration"))?,
                "INDEPENDENT" => part.independent = value == "YES",
                "GAP" => part.gap = value == "YES",
                "BYTERANGE" => range = Some(byte_range(value).ok_or(malformed("a part's BYTERANGE"))?),
                _ => {}
            }
        }
        if part.uri.is_empty() {
            return Err(malformed("EXT-X-PART without URI"));
        }
        if let Some(range) = range {
            let last = self.media.parts.last().filter(|last| last.uri == part.uri);
            let before = last.and_then(|last| last.byte_range.as_ref());
            part.byte_range = Some(placed(range, before).ok_or(malformed("a part's BYTERANGE"))?);
        }
        self.media.parts.push(part);
        Ok(())
    }

    fn date_range(&mut self, list: &str) -> Result<(), Error> {
        let find = |name| attribute(list, name);
        let id = find("ID").unwrap_or_default();
        if find("CLASS") != Some("twitch-stitched-ad") && !id.starts_with("stitched-ad-") {
            return Ok(());
        }
        self.count()?;
        let start = find("START-DATE").and_then(date::micros);
        let until = || {
            let micros = find("END-DATE").and_then(date::micros)?.checked_sub(start?)?;
            u64::try_from(micros).ok().map(Duration::from_micros)
        };
        let duration = find("DURATION").and_then(seconds).or_else(until);
        self.media.ad_ranges.push(AdRange { id: id.to_owned(), start, duration });
        Ok(())
    }

    fn count(&mut self) -> Result<(), Error> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES { Err(Error::TooManyEntries) } else { Ok(()) }
    }
}

/// The stretches of time that are advertisements, in µs since 1970, joined and in order: a playlist may list thousands.
struct Ads(Vec<Range<i64>>);

impl Ads {
    fn new(ranges: &[AdRange]) -> Self {
        let mut times: Vec<Range<i64>> = ranges
            .iter()
            .filter_map(|range| {
                let start = range.start?;
                // Without an end it lasts until the playlist says otherwise.
                let end = range.duration.map_or(i64::MAX, |duration| {
                    start.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
                });
                Some(start..end)
            })
            .collect();
        times.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<i64>> = Vec::new();
        for range in times {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }

    /// Whether a segment's middle lies in one: ranges and segments may differ by milliseconds.
    fn cover(&self, segment: &Segment) -> bool {
        let Some(time) = segment.time else { return false };
        let half = i64::try_from(segment.duration.as_micros() / 2).unwrap_or(0);
        let middle = time.saturating_add(half);
        let after = self.0.partition_point(|range| range.start <= middle);
        after.checked_sub(1).is_some_and(|at| middle < self.0[at].end)
    }
}

fn map(list: &str, line: usize) -> Result<Map, Error> {
    let malformed = |what| Error::Malformed { line, what };
    let address = attribute(list, "URI").ok_or(malformed("EXT-X-MAP without URI"))?;
    let byte_range = match attribute(list, "BYTERANGE") {
        Some(range) => {
            let range = byte_range(range).and_then(|range| placed(range, None));
            Some(range.ok_or(malformed("the BYTERANGE of EXT-X-MAP"))?)
        }
        None => None,
    };
    Ok(Map { uri: uri(address, line)?.into(), byte_range })
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (length, offset) = match text.split_once('@') {
        Some((length, offset)) => (length, Some(number(offset.trim())?)),
        None => (text, None),
    };
    Some((number(length.trim()).filter(|length| *length > 0)?, offset))
}

/// A range without an offset follows the one before in the same file.
fn placed((length, offset): (u64, Option<u64>), before: Option<&Range<u64>>) -> Option<Range<u64>> {
    let start = offset.unwrap_or(before.map_or(0, |before| before.end));
    Some(start..start.checked_add(length)?)
}
