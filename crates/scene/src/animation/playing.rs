//! An animation at work on a layer: when it is where, and what it then writes.
//!
//! Everything is a function of program time and of what is kept here; nothing is stepped.

use std::sync::Arc;

use super::motion::Motion;
use super::property::{self, Path, Property, SlotValue};
use super::wire::{Animation, KeyValue, Repeat, Track};
use super::{Easing, preset};
use crate::document::Canvas;
use crate::layer::Layer;
use crate::read::{At, Inner, List, Maybe, Problem, Within, plain, record, words};

/// Tracks that a preset or a client can make.
const MOST_TRACKS: usize = 64;

record! {
    /// What is kept of an animation that plays.
    pub struct Score {
        /// As it was asked for, with its ids and its beginning filled in.
        animation "animation": Animation = Animation::default(), Inner;
        /// As they are played: presets made out, ways from the layer's own value begun.
        tracks "tracks": Vec<Track> = Vec::new(), List { least: 1, most: MOST_TRACKS, each: Inner };
        /// ms of one time through.
        duration "duration": f64 = 0.0, Within(0.0, 1e9);
        /// Program time in ms at which its own time is 0, were it not paused.
        origin "origin": f64 = 0.0, Within(-1e14, 1e14);
        /// Its own time while it is paused.
        paused "paused": Option<f64> = None, Maybe(Within(0.0, 1e14));
        /// What it no longer writes, because a client or a later animation does.
        ended "ended": Vec<String> = Vec::new(), List { least: 0, most: 3 * MOST_TRACKS, each: plain(300, "a property") };
    }
}

/// An animation that plays, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Playing {
    pub(crate) score: Score,
    pub(crate) channels: Arc<[Channel]>,
}

/// One number or colour over an animation's own time.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) path: Path,
    pub(crate) name: Box<str>,
    keys: Keys,
}

#[derive(Clone, Debug)]
enum Keys {
    Numbers(Box<[(f64, f64, Easing)]>),
    Colors(Box<[(f64, crate::Color, Easing)]>),
    /// How far along the path, and what of it is taken.
    Along(Arc<[(f64, f64, Easing)]>, Arc<Motion>, Axis),
}

#[derive(Clone, Copy, Debug)]
enum Axis {
    X,
    Y,
    /// Degrees the path heads, with the layer's own rotation added.
    Heading,
}

words! {
    /// What an animation is doing.
    pub enum Status {
        /// Its delay, or the time before its beginning.
        Waiting "waiting",
        Running "running",
        Paused "paused",
        /// Its last value holds, and is about to be written into the layer.
        Over "over",
    }
}

/// Where an animation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    /// In its delay or before its start: the layer keeps its own value.
    Waiting,
    /// At a time of its tracks, in ms.
    At(f64),
    /// Over; what its tracks have at this time holds.
    Over(f64),
}

impl Playing {
    /// Makes `animation` ready for a layer; `seen` is the layer as it will be when the animation begins.
    ///
    /// A track whose first keyframe is not at 0 begins at 0 from what the layer has then.
    pub(crate) fn new(
        animation: Animation,
        seen: &Layer,
        canvas: &Canvas,
        origin: f64,
    ) -> Result<Self, Vec<Problem>> {
        let mut tracks = match animation.preset {
            Some(preset) => preset::tracks(&animation, preset, seen, canvas),
            None => animation.tracks.clone(),
        };
        let mut probe = seen.clone();
        for track in &mut tracks {
            begin(track, &mut probe);
        }
        let ends = tracks.iter().flat_map(|track| track.keyframes.last()).map(|key| key.t);
        let duration = ends.fold(0.0, f64::max);
        let mut at = At::fresh();
        if duration == 0.0 && animation.repeat != Repeat::Times(0) {
            at.wrong_in("repeat", "must be 0 where no keyframe is later than 0 ms");
        }
        let score = Score { animation, tracks, duration, origin, paused: None, ended: Vec::new() };
        let playing = Self::ready(score, seen, &mut at);
        at.finish(playing)
    }

    /// Makes what was kept ready again.
    pub(crate) fn resume(score: Score, layer: &Layer) -> Result<Self, Vec<Problem>> {
        let mut at = At::fresh();
        let playing = Self::ready(score, layer, &mut at);
        at.finish(playing)
    }

    fn ready(score: Score, layer: &Layer, at: &mut At<'_>) -> Self {
        let mut channels = Vec::new();
        let mut probe = layer.clone();
        at.key("tracks", |at| {
            for (index, track) in score.tracks.iter().enumerate() {
                if !is_over(track, &score.ended) {
                    at.index(index, |at| prepare(track, &mut probe, &mut channels, at));
                }
            }
            for (index, channel) in channels.iter().enumerate() {
                if channels[..index].iter().any(|other: &Channel| other.path == channel.path) {
                    at.wrong(format!("must not have {} twice", channel.name));
                }
            }
        });
        channels.retain(|channel: &Channel| !score.ended.iter().any(|ended| **ended == *channel.name));
        Self { score, channels: channels.into() }
    }

    /// Program time in ms at which its delay is over, were it not paused.
    #[must_use]
    pub fn begins(&self) -> f64 {
        self.score.origin + self.score.animation.delay
    }

    /// Program time in ms at which it is over; infinite while it is paused, or for ever.
    #[must_use]
    pub fn ends(&self) -> f64 {
        match (self.score.paused, self.score.animation.repeat) {
            (None, Repeat::Times(times)) => self.begins() + self.score.duration * (f64::from(times) + 1.0),
            _ => f64::INFINITY,
        }
    }

    /// Its own time at a program time, in ms, delay included.
    #[must_use]
    pub fn own_time(&self, now: f64) -> f64 {
        self.score.paused.unwrap_or(now - self.score.origin)
    }

    pub(crate) fn phase(&self, now: f64) -> Phase {
        let Animation { delay, repeat, yoyo, .. } = self.score.animation;
        let duration = self.score.duration;
        let since = self.own_time(now) - delay;
        if since < 0.0 {
            return Phase::Waiting;
        }
        let turned = |round: f64, time: f64| if yoyo && round % 2.0 == 1.0 { duration - time } else { time };
        if let Repeat::Times(times) = repeat
            // The same sum as in `ends`, so that both are of one mind in the last bit.
            && (self.score.paused.is_none() && now >= self.ends()
                || since >= duration * (f64::from(times) + 1.0))
        {
            return Phase::Over(turned(f64::from(times), duration));
        }
        let round = (since / duration).floor();
        Phase::At(turned(round, (since - round * duration).clamp(0.0, duration)))
    }

    /// The same animation without these channels; `None` if none is left.
    pub(crate) fn without(&self, ended: impl Fn(&Channel) -> bool) -> Option<Self> {
        let (gone, left): (Vec<_>, Vec<_>) =
            self.channels.iter().cloned().partition(|channel| ended(channel));
        let mut score = self.score.clone();
        score.ended.extend(gone.into_iter().map(|channel| String::from(channel.name)));
        (!left.is_empty()).then(|| Self { score, channels: left.into() })
    }

    /// What it is doing at a program time.
    #[must_use]
    pub fn status(&self, now: f64) -> Status {
        match (self.score.paused, self.phase(now)) {
            (Some(_), _) => Status::Paused,
            (None, Phase::Waiting) => Status::Waiting,
            (None, Phase::At(_)) => Status::Running,
            (None, Phase::Over(_)) => Status::Over,
        }
    }

    /// The properties that it no longer writes, because a client or a later animation does.
    #[must_use]
    pub fn ended(&self) -> &[String] {
        &self.score.ended
    }

    /// As clients asked for it, with its ids and its beginning filled in.
    #[must_use]
    pub fn animation(&self) -> &Animation {
        &self.score.animation
    }
}

impl Channel {
    /// What it writes at a time of its tracks, where the layer's own value is `own`.
    pub(crate) fn value(&self, time: f64, own: SlotValue) -> SlotValue {
        match &self.keys {
            Keys::Numbers(keys) => SlotValue::Number(number(keys, time)),
            Keys::Colors(keys) => {
                let (from, to, part) = around(keys, time);
                SlotValue::Color(from.mix(to, part))
            }
            Keys::Along(keys, motion, axis) => {
                let (x, y, heading) = motion.at(number(keys, time));
                SlotValue::Number(match axis {
                    Axis::X => x,
                    Axis::Y => y,
                    Axis::Heading => match own {
                        SlotValue::Number(own) => own + heading,
                        SlotValue::Color(_) => heading,
                    },
                })
            }
        }
    }
}

fn number(keys: &[(f64, f64, Easing)], time: f64) -> f64 {
    let (from, to, part) = around(keys, time);
    // Exact at both ends.
    from * (1.0 - part) + to * part
}

/// The values before and after a time, and how far it is from one to the other.
fn around<T: Copy>(keys: &[(f64, T, Easing)], time: f64) -> (T, T, f64) {
    let next = keys.partition_point(|(t, ..)| *t <= time);
    match (next.checked_sub(1).map(|last| &keys[last]), keys.get(next)) {
        (Some((t0, from, easing)), Some((t1, to, _))) => (*from, *to, easing.at((time - t0) / (t1 - t0))),
        (Some((_, last, _)), None) => (*last, *last, 0.0),
        (None, _) => (keys[0].1, keys[0].1, 0.0),
    }
}

/// Lets a track that says nothing of its beginning begin from what is there.
fn begin(track: &mut Track, seen: &mut Layer) {
    if track.path.is_some() || track.keyframes.first().is_none_or(|key| key.t == 0.0) {
        return;
    }
    let mut number = |path: &[Box<str>]| match property::get(seen, path) {
        Some(SlotValue::Number(number)) => Some(number),
        _ => None,
    };
    let value = match Property::parse(&track.property) {
        Some(Property::Two(x, y)) => {
            number(&x).zip(number(&y)).map(|(x, y)| KeyValue::Pair(crate::Point { x, y }))
        }
        Some(Property::One(path)) => property::get(seen, &path).map(|value| match value {
            SlotValue::Number(number) => KeyValue::Number(number),
            SlotValue::Color(color) => KeyValue::Color(color),
        }),
        None => None,
    };
    if value.is_some() {
        track.keyframes.insert(0, super::wire::Keyframe { t: 0.0, value, easing: Easing::default() });
    }
}

/// Whether nothing is left of a track: what it wrote may not even be there any more.
fn is_over(track: &Track, ended: &[String]) -> bool {
    let has = |path: &[Box<str>]| ended.iter().any(|name| *name == path.join("."));
    let turned = !track.auto_rotate || has(&property::path("transform.rotation"));
    match Property::parse(&track.property) {
        Some(Property::One(path)) => has(&path),
        Some(Property::Two(x, y)) => has(&x) && has(&y) && turned,
        None => false,
    }
}

/// Makes a track's channels, or says why it has none.
fn prepare(track: &Track, layer: &mut Layer, channels: &mut Vec<Channel>, at: &mut At<'_>) {
    let Some(property) = Property::parse(&track.property) else {
        return at.wrong_in("property", property::ALLOWED);
    };
    let channel = |path: Path, keys: Keys| Channel { name: path.join(".").into(), path, keys };
    if let Some(d) = &track.path {
        if track.property != "position" {
            return at.wrong_in("path", "is for the property position only");
        }
        let motion = match Motion::parse(d) {
            Ok(motion) => Arc::new(motion),
            Err(message) => return at.wrong_in("path", message),
        };
        let Some(keys) = numbers(track, at, |value| match value {
            KeyValue::Number(part) if (0.0..=1.0).contains(&part) => Ok(part),
            _ => Err("must be a number from 0 to 1: how far along the path"),
        }) else {
            return;
        };
        let keys: Arc<[_]> = keys.into();
        let along = |path: &str, axis| {
            channel(property::path(path), Keys::Along(Arc::clone(&keys), Arc::clone(&motion), axis))
        };
        channels.push(along("transform.position.x", Axis::X));
        channels.push(along("transform.position.y", Axis::Y));
        if track.auto_rotate {
            channels.push(along("transform.rotation", Axis::Heading));
        }
        return;
    }
    if track.auto_rotate {
        return at.wrong_in("autoRotate", "is for a track with a path only");
    }
    match property {
        Property::Two(x, y) => {
            // One number for a scale means both sides.
            let uniform = track.property == "scale";
            let side = move |second: bool| {
                move |value| match value {
                    KeyValue::Pair(pair) => Ok(if second { pair.y } else { pair.x }),
                    KeyValue::Number(both) if uniform => Ok(both),
                    _ if uniform => Err("must be {x,y}, or a number for both"),
                    _ => Err("must be {x,y}"),
                }
            };
            if let (Some(xs), Some(ys)) = (numbers(track, at, side(false)), numbers(track, at, side(true))) {
                channels.push(channel(x, Keys::Numbers(xs.into())));
                channels.push(channel(y, Keys::Numbers(ys.into())));
            }
        }
        Property::One(path) => match property::get(layer, &path) {
            Some(SlotValue::Number(_)) => {
                let keys = numbers(track, at, |value| match value {
                    KeyValue::Number(number) => Ok(number),
                    _ => Err("must be a number"),
                });
                channels.extend(keys.map(|keys| channel(path, Keys::Numbers(keys.into()))));
            }
            Some(SlotValue::Color(_)) => {
                let keys = values(track, at, |value| match value {
                    KeyValue::Color(color) => Ok(color),
                    _ => Err("must be a colour"),
                });
                channels.extend(keys.map(|keys| channel(path, Keys::Colors(keys.into()))));
            }
            None => at.wrong_in("property", "must be a number or a colour that this layer has"),
        },
    }
}

type KeyOf<T> = (f64, T, Easing);

fn numbers(
    track: &Track,
    at: &mut At<'_>,
    read: impl Fn(KeyValue) -> Result<f64, &'static str>,
) -> Option<Vec<KeyOf<f64>>> {
    values(track, at, read)
}

fn values<T>(
    track: &Track,
    at: &mut At<'_>,
    read: impl Fn(KeyValue) -> Result<T, &'static str>,
) -> Option<Vec<KeyOf<T>>> {
    let mut keys = Vec::with_capacity(track.keyframes.len());
    for (index, key) in track.keyframes.iter().enumerate() {
        match read(key.value?) {
            Ok(value) => keys.push((key.t, value, key.easing.clone())),
            Err(message) => {
                at.key("keyframes", |at| at.index(index, |at| at.wrong_in("value", message)));
                return None;
            }
        }
    }
    Some(keys)
}
