//! Easings: how far a way is gone when a part of its time has passed. Pure functions, nothing kept.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::read::Spoken;

/// A curve from 0 at 0 to 1 at 1, that may overshoot in between.
#[derive(Clone, Debug, PartialEq)]
pub struct Easing {
    /// As the client wrote it.
    text: Box<str>,
    curve: Curve,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Linear,
    Bezier([f64; 4]),
    Steps(u16, Jump),
    Family(Family, Way),
    Spring { mass: f64, stiffness: f64, damping: f64, velocity: f64 },
}

/// Where `steps()` jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    Start,
    End,
    None,
    Both,
}

/// Curves known by name, as they leave: fast first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Sine,
    Quad,
    Cubic,
    Quart,
    Quint,
    Expo,
    Circ,
    Back,
    Elastic,
    Bounce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    In,
    Out,
    InOut,
}

const ALLOWED: &str = "must be linear, ease, ease-in, ease-out, ease-in-out, step-start, step-end, \
    cubic-bezier(x1, y1, x2, y2) with x from 0 to 1, steps(n, jump-start|jump-end|jump-none|jump-both), \
    spring, spring(mass, stiffness, damping, velocity), \
    or sine, quad, cubic, quart, quint, expo, circ, back, elastic, bounce, each with -in, -out or -in-out";

impl Default for Easing {
    fn default() -> Self {
        Self { text: "linear".into(), curve: Curve::Linear }
    }
}

impl Easing {
    /// `None` for what is no easing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const MOST: usize = 200;
        if text.len() > MOST {
            return None;
        }
        let curve = match text.strip_suffix(')').and_then(|call| call.split_once('(')) {
            Some((name, arguments)) => called(name.trim(), arguments)?,
            None => named(text)?,
        };
        Some(Self { text: text.into(), curve })
    }

    /// Where it is once `part` (0 to 1) of the time has passed.
    #[must_use]
    pub fn at(&self, part: f64) -> f64 {
        let part = part.clamp(0.0, 1.0);
        match self.curve {
            Curve::Linear => part,
            Curve::Bezier(curve) => bezier(curve, part),
            Curve::Steps(count, jump) => steps(f64::from(count), jump, part),
            Curve::Family(family, Way::Out) => family.out(part),
            Curve::Family(family, Way::In) => 1.0 - family.out(1.0 - part),
            Curve::Family(family, Way::InOut) if part < 0.5 => (1.0 - family.out(1.0 - 2.0 * part)) / 2.0,
            Curve::Family(family, Way::InOut) => (1.0 + family.out(2.0 * part - 1.0)) / 2.0,
            Curve::Spring { mass, stiffness, damping, velocity } => {
                super::spring::at(mass, stiffness, damping, velocity, part)
            }
        }
    }

    /// Whether it jumps.
    #[must_use]
    pub fn is_stepped(&self) -> bool {
        matches!(self.curve, Curve::Steps(..))
    }
}

fn named(text: &str) -> Option<Curve> {
    let curve = match text {
        "linear" => Curve::Linear,
        "ease" => Curve::Bezier([0.25, 0.1, 0.25, 1.0]),
        "ease-in" => Curve::Bezier([0.42, 0.0, 1.0, 1.0]),
        "ease-out" => Curve::Bezier([0.0, 0.0, 0.58, 1.0]),
        "ease-in-out" => Curve::Bezier([0.42, 0.0, 0.58, 1.0]),
        "step-start" => Curve::Steps(1, Jump::Start),
        "step-end" => Curve::Steps(1, Jump::End),
        "spring" => Curve::Spring { mass: 1.0, stiffness: 100.0, damping: 10.0, velocity: 0.0 },
        _ => {
            let (family, way) = match text.split_once('-') {
                None => (text, Way::Out),
                Some((family, "in")) => (family, Way::In),
                Some((family, "out")) => (family, Way::Out),
                Some((family, "in-out")) => (family, Way::InOut),
                Some(_) => return None,
            };
            Curve::Family(Family::named(family)?, way)
        }
    };
    Some(curve)
}

fn called(name: &str, arguments: &str) -> Option<Curve> {
    let arguments: Vec<_> = arguments.split(',').map(str::trim).collect();
    let number = |at: usize, least: f64, most: f64| {
        let number = arguments.get(at)?.parse::<f64>().ok()?;
        (least..=most).contains(&number).then_some(number)
    };
    match (name, arguments.len()) {
        ("cubic-bezier", 4) => {
            let y = |at| number(at, -100.0, 100.0);
            Some(Curve::Bezier([number(0, 0.0, 1.0)?, y(1)?, number(2, 0.0, 1.0)?, y(3)?]))
        }
        ("steps", 1 | 2) => {
            let jump = match arguments.get(1).copied() {
                None | Some("end" | "jump-end") => Jump::End,
                Some("start" | "jump-start") => Jump::Start,
                Some("jump-none") => Jump::None,
                Some("jump-both") => Jump::Both,
                Some(_) => return None,
            };
            let count = arguments[0].parse::<u16>().ok()?;
            let least = if jump == Jump::None { 2 } else { 1 };
            (least..=1000).contains(&count).then_some(Curve::Steps(count, jump))
        }
        ("spring", 1..=4) => {
            let or = |at: usize, least: f64, most: f64, default: f64| match arguments.get(at) {
                None => Some(default),
                Some(_) => number(at, least, most),
            };
            Some(Curve::Spring {
                mass: or(0, 0.01, 1000.0, 1.0)?,
                stiffness: or(1, 0.01, 100_000.0, 100.0)?,
                damping: or(2, 0.01, 10_000.0, 10.0)?,
                velocity: or(3, -1000.0, 1000.0, 0.0)?,
            })
        }
        _ => None,
    }
}

/// CSS Easing 1: the y of the curve where its x is `part`.
fn bezier([x1, y1, x2, y2]: [f64; 4], part: f64) -> f64 {
    let on = |p1: f64, p2: f64, t: f64| {
        let u = 1.0 - t;
        3.0 * u * u * t * p1 + 3.0 * u * t * t * p2 + t * t * t
    };
    if part <= 0.0 || part >= 1.0 {
        return part;
    }
    // Newton's steps are quick where the curve is steep; halving always ends, where it is flat.
    let (mut low, mut high, mut t) = (0.0, 1.0, part);
    for _ in 0..60 {
        let off = on(x1, x2, t) - part;
        if off.abs() < 1e-12 {
            break;
        }
        if off > 0.0 {
            high = t;
        } else {
            low = t;
        }
        let u = 1.0 - t;
        let slope = 3.0 * u * u * x1 + 6.0 * u * t * (x2 - x1) + 3.0 * t * t * (1.0 - x2);
        let next = t - off / slope;
        t = if next > low && next < high { next } else { low + (high - low) / 2.0 };
    }
    on(y1, y2, t)
}

/// CSS Easing 1.
fn steps(count: f64, jump: Jump, part: f64) -> f64 {
    let (first, jumps) = match jump {
        Jump::Start => (1.0, count),
        Jump::End => (0.0, count),
        Jump::None => (0.0, count - 1.0),
        Jump::Both => (1.0, count + 1.0),
    };
    (((part * count).floor() + first) / jumps).min(1.0)
}

impl Family {
    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "sine" => Self::Sine,
            "quad" => Self::Quad,
            "cubic" => Self::Cubic,
            "quart" => Self::Quart,
            "quint" => Self::Quint,
            "expo" => Self::Expo,
            "circ" => Self::Circ,
            "back" => Self::Back,
            "elastic" => Self::Elastic,
            "bounce" => Self::Bounce,
            _ => return None,
        })
    }

    /// From 0 at 0 to 1 at 1 without a jump.
    fn out(self, part: f64) -> f64 {
        let left = 1.0 - part;
        match self {
            Self::Sine => (part * std::f64::consts::FRAC_PI_2).sin(),
            Self::Quad => 1.0 - left * left,
            Self::Cubic => 1.0 - left.powi(3),
            Self::Quart => 1.0 - left.powi(4),
            Self::Quint => 1.0 - left.powi(5),
            // What is left of the decay at the end is shared out over the way.
            Self::Expo => (1.0 - (-10.0 * part).exp2()) / (1.0 - (-10.0_f64).exp2()),
            Self::Circ => (1.0 - left * left).max(0.0).sqrt(),
            Self::Back => {
                // Overshoots by a tenth.
                const OVER: f64 = 1.70158;
                1.0 - (OVER + 1.0) * left.powi(3) + OVER * left * left
            }
            Self::Elastic => {
                let swing = |part: f64| {
                    (-10.0 * part).exp2() * ((10.0 * part - 0.75) * std::f64::consts::TAU / 3.0).sin()
                };
                1.0 + swing(part) - part * swing(1.0)
            }
            Self::Bounce => bounce(part),
        }
    }
}

/// Four parabolas, each rebound half as long and a quarter as high as the one before.
fn bounce(part: f64) -> f64 {
    const PARABOLAS: [(f64, f64, f64); 4] =
        [(1.0, 0.0, 0.0), (2.0, 1.5, 0.75), (2.5, 2.25, 0.9375), (2.75, 2.625, 0.984_375)];
    let x = part * 2.75;
    let (_, middle, rest) = PARABOLAS.into_iter().find(|(end, ..)| x < *end).unwrap_or(PARABOLAS[3]);
    (x - middle) * (x - middle) + rest
}

impl Serialize for Easing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Spoken for Easing {
    fn schema() -> Value {
        json!({"type": "string", "maxLength": 200, "examples": ["linear", "ease-in-out", "cubic-bezier(0.2, 0.9, 0.2, 1)", "steps(4)", "bounce", "spring(1, 100, 10)"]})
    }

    fn hear(value: &Value) -> Result<Self, String> {
        value.as_str().and_then(Self::parse).ok_or_else(|| ALLOWED.to_owned())
    }
}
