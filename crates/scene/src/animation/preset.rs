//! Presets: tracks made for a layer as it is.

use super::Easing;
use super::wire::{Animation, Direction, KeyValue, Keyframe, Preset, Side, Track};
use crate::document::Canvas;
use crate::layer::{Layer, Point};

/// The tracks that `preset` stands for on this layer and canvas.
pub(super) fn tracks(animation: &Animation, preset: Preset, layer: &Layer, canvas: &Canvas) -> Vec<Track> {
    let position = layer.transform.position;
    let scale = layer.transform.scale;
    let track = |property: &str, own: KeyValue, away: KeyValue| {
        let (first, last) = match animation.direction {
            Direction::In => (away, own),
            Direction::Out => (own, away),
        };
        let easing = animation.easing.clone().unwrap_or_else(|| own_easing(preset, animation.direction));
        let keyframes = vec![
            Keyframe { t: 0.0, value: Some(first), easing },
            Keyframe { t: animation.duration, value: Some(last), easing: Easing::default() },
        ];
        Track { property: property.to_owned(), path: None, auto_rotate: false, keyframes }
    };
    let opacity = || track("opacity", KeyValue::Number(layer.opacity), KeyValue::Number(0.0));
    let shrunk = || {
        track(
            "scale",
            KeyValue::Pair(Point { x: scale.x, y: scale.y }),
            KeyValue::Pair(Point { x: 0.0, y: 0.0 }),
        )
    };
    match preset {
        Preset::Fade => vec![opacity()],
        Preset::Slide => {
            #[expect(clippy::cast_precision_loss, reason = "a side of the canvas has four digits")]
            let (width, height) = (canvas.width as f64, canvas.height as f64);
            let (x, y) = match animation.side {
                Side::Left => (-width, 0.0),
                Side::Right => (width, 0.0),
                Side::Top => (0.0, -height),
                Side::Bottom => (0.0, height),
            };
            let away = Point { x: position.x + x, y: position.y + y };
            vec![track("position", KeyValue::Pair(position), KeyValue::Pair(away))]
        }
        Preset::Scale | Preset::Bounce => vec![shrunk()],
        Preset::Rotate => {
            let (own, turn) =
                (layer.transform.rotation, if animation.direction == Direction::In { -360.0 } else { 360.0 });
            vec![opacity(), track("rotation", KeyValue::Number(own), KeyValue::Number(own + turn))]
        }
    }
}

fn own_easing(preset: Preset, direction: Direction) -> Easing {
    let name = match (preset, direction) {
        (Preset::Bounce, Direction::In) => "bounce-out",
        (Preset::Bounce, Direction::Out) => "back-in",
        (_, Direction::In) => "ease-out",
        (_, Direction::Out) => "ease-in",
    };
    Easing::parse(name).expect("these are easings")
}
