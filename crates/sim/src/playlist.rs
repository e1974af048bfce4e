//! The texts of playlists: Twitch's and plain ones.
//!
//! Called by the server. Pure: everything that may be wrong with a channel comes in as a `Look`.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use jiff::Timestamp;

use crate::fault::Fault;
use crate::film::PARTS;
use crate::ladder::Rendition;
use crate::world::{Channel, Look, Made, PART, Settings};

/// How the addresses in a media playlist are written.
#[derive(Clone, Debug)]
pub(crate) enum Style {
    /// Absolute, behind `base` (`http://host`), with the token's word; Twitch's own tags.
    Twitch { base: String, word: String },
    /// Relative, transport stream.
    Plain,
    /// Relative, fragmented MP4.
    Cmaf,
}

impl Style {
    fn segment(&self, channel: &Channel, rendition: &str, sequence: u64) -> String {
        match self {
            Self::Twitch { base, word } => {
                format!("{base}/v1/segment/{}/{rendition}/{sequence}.ts?s={word}", channel.name)
            }
            Self::Plain => format!("{rendition}/{sequence}.ts"),
            Self::Cmaf => format!("{rendition}/{sequence}.m4s"),
        }
    }

    /// `None` where there are no parts.
    fn part(&self, rendition: &str, sequence: u64, part: u64) -> Option<String> {
        match self {
            Self::Twitch { .. } => None,
            Self::Plain => Some(format!("{rendition}/{sequence}.{part}.ts")),
            Self::Cmaf => Some(format!("{rendition}/{sequence}.{part}.m4s")),
        }
    }

    fn lists_parts(&self, look: &Look) -> bool {
        look.low_latency && !matches!(self, Self::Twitch { .. })
    }
}

/// Where the window of a media playlist is to end, given what is wrong.
pub(crate) fn newest(channel: &Channel, look: &Look) -> u64 {
    let newest = channel.newest(look.now);
    match &look.fault {
        Some(spell) if spell.fault == (Fault::PlaylistFrozen {}) => channel.newest(spell.from),
        Some(spell) if spell.fault == (Fault::PlaylistBackwards {}) => {
            let then = channel.newest(spell.from);
            then.saturating_sub(newest - then)
        }
        _ => newest,
    }
}

/// How far a low-latency playlist goes, given what is wrong: its newest whole segment, and how many parts of the next one.
pub(crate) fn edge(channel: &Channel, look: &Look) -> (u64, u64) {
    let newest = newest(channel, look);
    let at = match &look.fault {
        Some(spell) if spell.fault == (Fault::PlaylistBackwards {}) => return (newest, 0),
        Some(spell) if spell.fault == (Fault::PlaylistFrozen {}) => spell.from,
        _ => look.now,
    };
    (newest, (at.saturating_sub(channel.begins(newest + 1)) / PART).min(PARTS as u64 - 1))
}

/// A media playlist as it should be but for what lies in its times and segments.
pub(crate) fn media(
    settings: &Settings,
    channel: &Channel,
    rendition: &str,
    look: &Look,
    style: &Style,
) -> String {
    let last = newest(channel, look);
    let first = (last + 1).saturating_sub(u64::from(settings.listed));
    let mut out = head(channel, rendition, look, style, first);
    entries(&mut out, channel, rendition, look, style, first..=last);
    if style.lists_parts(look) {
        let next = style.part(rendition, last + 1, edge(channel, look).1).unwrap_or_default();
        let _ = writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{next}\"");
    }
    if matches!(style, Style::Twitch { .. }) {
        for coming in [last + 1, last + 2] {
            let _ = writeln!(out, "#EXT-X-TWITCH-PREFETCH:{}", style.segment(channel, rendition, coming));
        }
    }
    out
}

/// Everything before the first segment, which is number `first`.
pub(crate) fn head(channel: &Channel, rendition: &str, look: &Look, style: &Style, first: u64) -> String {
    let mut out = String::with_capacity(4096);
    let _ = match style {
        Style::Plain | Style::Cmaf if style.lists_parts(look) => {
            let part = seconds(PART);
            // A player keeps three parts away from the edge, as the standard demands at the least.
            let away = seconds(3 * PART);
            writeln!(
                out,
                "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
                 #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={away},HOLD-BACK=6.000\n\
                 #EXT-X-PART-INF:PART-TARGET={part}"
            )
        }
        Style::Twitch { .. } => writeln!(out, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:6"),
        Style::Plain => writeln!(out, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2"),
        Style::Cmaf => writeln!(out, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2"),
    };
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}");
    match style {
        Style::Twitch { .. } => {
            let begins = channel.begins(first);
            let elapsed = seconds(begins - channel.origin);
            let total = seconds(look.now.saturating_sub(channel.origin));
            let server = seconds(look.now);
            let now = stamp(look.now);
            let (id, unix) = (channel.id, look.now / 1000);
            // What Twitch counts apart from its segments: it starts before they do.
            let live = first + 182;
            let _ = writeln!(
                out,
                "#EXT-X-TWITCH-LIVE-SEQUENCE:{live}\n#EXT-X-TWITCH-ELAPSED-SECS:{elapsed}\n\
                 #EXT-X-TWITCH-TOTAL-SECS:{total}\n\
                 #EXT-X-DATERANGE:ID=\"playlist-creation-{unix}\",CLASS=\"timestamp\",START-DATE=\"{now}\",\
                 END-ON-NEXT=YES,X-SERVER-TIME=\"{server}\"\n\
                 #EXT-X-DATERANGE:ID=\"playlist-session-{unix}\",CLASS=\"twitch-session\",START-DATE=\"{now}\",\
                 END-ON-NEXT=YES,X-TV-TWITCH-SESSIONID=\"{id}\"\n\
                 #EXT-X-DATERANGE:ID=\"source-{}\",CLASS=\"twitch-stream-source\",START-DATE=\"{}\",\
                 END-ON-NEXT=YES,X-TV-TWITCH-STREAM-SOURCE=\"live\"",
                begins / 1000,
                stamp(begins),
            );
        }
        Style::Plain => {}
        Style::Cmaf => {
            let _ = writeln!(out, "#EXT-X-MAP:URI=\"{rendition}/init.mp4\"");
        }
    }
    out
}

/// The lines of segments. A low-latency playlist has the parts of the last two, and after them those of the one being made.
pub(crate) fn entries(
    out: &mut String,
    channel: &Channel,
    rendition: &str,
    look: &Look,
    style: &Style,
    sequences: RangeInclusive<u64>,
) {
    let skew = match look.acting() {
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        Some(Fault::ClockSkew { seconds }) => (seconds * 1000.0).clamp(-1e12, 1e12) as i64,
        _ => 0,
    };
    let (start, end) = (*sequences.start(), *sequences.end());
    let open = style.lists_parts(look).then(|| edge(channel, look)).filter(|edge| edge.0 == end);
    let mut locked = false;
    for sequence in start..=end + u64::from(open.is_some()) {
        let begins = channel.begins(sequence).saturating_add_signed(skew);
        let made = look.made(sequence);
        let ad = match made {
            Some(Made { fault: Fault::Ads { seconds }, first }) => Some((first, *seconds)),
            _ => None,
        };
        if let Some((first, seconds)) = ad
            && (sequence == first || sequence == start)
        {
            ad_head(out, channel, first, seconds);
        }
        if look.breaks_before(sequence) {
            let _ = writeln!(out, "#EXT-X-DISCONTINUITY");
        }
        let lock = matches!(made, Some(Made { fault: Fault::Encrypted { declared: true }, .. }));
        if lock != locked {
            let _ = if lock {
                writeln!(
                    out,
                    "#EXT-X-KEY:METHOD=AES-128,URI=\"/v1/key/{}\",IV=0x{sequence:032x}",
                    channel.name
                )
            } else {
                writeln!(out, "#EXT-X-KEY:METHOD=NONE")
            };
            locked = lock;
        }
        let gap = matches!(made, Some(Made { fault: Fault::Gap {}, .. }));
        if gap {
            let _ = writeln!(out, "#EXT-X-GAP");
        }
        let title = match (style, ad) {
            (_, Some(_)) => "Amazon|2474283100494",
            (Style::Twitch { .. }, None) => "live",
            _ => "",
        };
        let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", stamp(begins));
        let parts = match open {
            Some((newest, parts)) if sequence > newest => parts,
            Some((newest, _)) if sequence + 1 >= newest => PARTS as u64,
            _ => 0,
        };
        for part in 0..parts {
            let address =
                address(look, sequence, || style.part(rendition, sequence, part).unwrap_or_default());
            // Keyframes stand where segments begin.
            let independent = if part == 0 { ",INDEPENDENT=YES" } else { "" };
            let gap = if gap { ",GAP=YES" } else { "" };
            let _ =
                writeln!(out, "#EXT-X-PART:DURATION={},URI=\"{address}\"{independent}{gap}", seconds(PART));
        }
        if sequence <= end {
            let address = address(look, sequence, || style.segment(channel, rendition, sequence));
            let _ = writeln!(out, "#EXTINF:2.000,{title}\n{address}");
        }
    }
}

fn address(look: &Look, sequence: u64, usual: impl FnOnce() -> String) -> String {
    if look.acting() == Some(&Fault::PlaylistFileUris {}) {
        let bad = ["file:///etc/passwd", "/etc/passwd", "../../../../etc/passwd", "file:etc/passwd"];
        let at = usize::try_from(sequence % 4).expect("small");
        return bad[at].to_owned();
    }
    usual()
}

fn ad_head(out: &mut String, channel: &Channel, first: u64, seconds: u32) {
    let (begins, id) = (channel.begins(first), channel.id);
    let (at, unix) = (stamp(begins), begins / 1000);
    let _ = writeln!(
        out,
        "#EXT-X-DATERANGE:ID=\"stitched-ad-{unix}-{id}\",CLASS=\"twitch-stitched-ad\",START-DATE=\"{at}\",\
         DURATION={seconds}.000,X-TV-TWITCH-AD-POD-LENGTH=\"1\",X-TV-TWITCH-AD-ROLL-TYPE=\"MIDROLL\",\
         X-TV-TWITCH-AD-AD-FORMAT=\"standard_video_ad\",X-TV-TWITCH-AD-POD-POSITION=\"0\",\
         X-TV-TWITCH-AD-POD-FILLED-DURATION=\"{seconds}\"\n\
         #EXT-X-DATERANGE:ID=\"source-ad-{unix}\",CLASS=\"twitch-stream-source\",START-DATE=\"{at}\",\
         END-ON-NEXT=YES,X-TV-TWITCH-STREAM-SOURCE=\"Amazon|2474283100494\"\n\
         #EXT-X-DATERANGE:ID=\"quartile-{unix}-0\",CLASS=\"twitch-ad-quartile\",START-DATE=\"{at}\",\
         DURATION=2.000,X-TV-TWITCH-AD-QUARTILE=\"0\""
    );
}

/// Twitch's master playlist; `second`: the form of the newer address.
pub(crate) fn twitch_master(
    ladder: &[Rendition],
    channel: &Channel,
    base: &str,
    word: &str,
    now: u64,
    second: bool,
) -> String {
    let mut out = String::with_capacity(4096);
    let name = &channel.name;
    let uptime = seconds(now.saturating_sub(channel.origin));
    let _ = writeln!(
        out,
        "#EXTM3U\n#EXT-X-TWITCH-INFO:NODE=\"video-edge-sim\",MANIFEST-NODE-TYPE=\"weaver_cluster\",SUPPRESS=\"false\",\
         SERVER-TIME=\"{}\",BROADCAST-ID=\"{}\",STREAM-TIME=\"{uptime}\",B=\"false\",CLUSTER=\"sim\",ABS=\"false\"",
        seconds(now),
        channel.id,
    );
    for rendition in ladder {
        let id = &rendition.id;
        let selected = if rendition.video.is_some() { "YES" } else { "NO" };
        let default = if rendition.is_source() { "YES" } else { selected };
        if !second {
            let _ = writeln!(
                out,
                "#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"{id}\",NAME=\"{}\",AUTOSELECT={selected},DEFAULT={default}",
                rendition.name
            );
        }
        let mut line = format!("#EXT-X-STREAM-INF:BANDWIDTH={}", rendition.bandwidth());
        if let Some(video) = rendition.video {
            let _ = write!(line, ",RESOLUTION={}x{}", video.width, video.height);
        }
        let _ = write!(line, ",CODECS=\"{}\"", codecs(rendition));
        let made = if rendition.is_source() { "source" } else { "transcode" };
        let shown = rendition.name.split(' ').next().unwrap_or(id);
        if second {
            let stable = if rendition.is_source() { shown } else { id };
            if let Some(video) = rendition.video {
                let _ = write!(line, ",FRAME-RATE={}.000", video.fps);
            }
            let ivs = if rendition.video.is_some() { shown } else { id };
            let _ = write!(
                line,
                ",STABLE-VARIANT-ID=\"{stable}\",IVS-NAME=\"{ivs}\",IVS-VARIANT-SOURCE=\"{made}\""
            );
        } else {
            let _ = write!(line, ",VIDEO=\"{id}\"");
            if let Some(video) = rendition.video {
                let _ = write!(line, ",FRAME-RATE={}.000", video.fps);
            }
        }
        let _ = writeln!(out, "{line}\n{base}/v1/playlist/{name}/{id}.m3u8?s={word}");
    }
    out
}

/// A plain master playlist with relative addresses; sound alone is not offered as MP4.
pub(crate) fn plain_master(ladder: &[Rendition], cmaf: bool) -> String {
    let mut out = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    for rendition in ladder {
        let _ = write!(out, "#EXT-X-STREAM-INF:BANDWIDTH={}", rendition.bandwidth());
        let codecs = codecs(rendition);
        let Some(video) = rendition.video else {
            let _ = if cmaf {
                let cut = out.rfind("#EXT-X-STREAM-INF").unwrap_or(out.len());
                out.truncate(cut);
                Ok(())
            } else {
                writeln!(out, ",CODECS=\"{codecs}\"\n{}.m3u8", rendition.id)
            };
            continue;
        };
        let codecs = if cmaf { codecs.split(',').next().unwrap_or_default() } else { &codecs };
        let folder = if cmaf { "cmaf/" } else { "" };
        let _ = writeln!(
            out,
            ",RESOLUTION={}x{},FRAME-RATE={}.000,CODECS=\"{codecs}\"\n{folder}{}.m3u8",
            video.width, video.height, video.fps, rendition.id
        );
    }
    out
}

fn codecs(rendition: &Rendition) -> String {
    // High profile; the level as x264 chooses it.
    let level = match rendition.video {
        None => return "mp4a.40.2".to_owned(),
        Some(video) if video.height > 720 => "2A",
        Some(video) if video.height > 480 => "20",
        Some(_) => "1F",
    };
    format!("avc1.6400{level},mp4a.40.2")
}

/// RFC 3339 with milliseconds.
fn stamp(millis: u64) -> String {
    let time = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    time.map_or_else(|| "9999-12-31T23:59:59.000Z".to_owned(), |time| format!("{time:.3}"))
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
