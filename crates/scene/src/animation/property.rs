//! Properties: the numbers and colours of a layer by name, as animations and bindings call them.

use crate::color::Color;
use crate::layer::Layer;
use crate::read::{Record, Slot};

/// Which names there are, for a message.
pub(crate) const ALLOWED: &str = "must be opacity, position, position.x, position.y, scale, scale.x, scale.y, \
    rotation, zIndex, content.<a number or colour of the content>, or effects.<index>.<parameter>";

/// The way to one number or colour of a layer, as keys of its JSON.
pub(crate) type Path = Box<[Box<str>]>;

/// One number or two that a property names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Property {
    One(Path),
    /// x and y of `position` or `scale`.
    Two(Path, Path),
}

impl Property {
    /// `None` for a name that no layer could have.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        const DEEPEST: usize = 8;
        let one = |name: &str| Self::One(path(name));
        let two = |name: &str| Self::Two(path(&format!("{name}.x")), path(&format!("{name}.y")));
        Some(match name {
            "opacity" | "zIndex" => one(name),
            "position" => two("transform.position"),
            "scale" => two("transform.scale"),
            "rotation" | "position.x" | "position.y" | "scale.x" | "scale.y" => {
                one(&format!("transform.{name}"))
            }
            _ => {
                let inside = name.starts_with("content.") || name.starts_with("effects.");
                let path = path(name);
                if !inside || path.len() > DEEPEST || path.iter().any(|key| key.is_empty()) {
                    return None;
                }
                Self::One(path)
            }
        })
    }
}

pub(crate) fn path(name: &str) -> Path {
    name.split('.').map(Box::from).collect()
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SlotValue {
    Number(f64),
    Color(Color),
}

/// What a layer has at a path; `None` if there is neither a number nor a colour.
pub(crate) fn get(layer: &mut Layer, path: &[Box<str>]) -> Option<SlotValue> {
    Some(match layer.slot_in(path)? {
        Slot::Number { value, .. } => SlotValue::Number(*value),
        #[expect(clippy::cast_precision_loss, reason = "whole numbers of a scene are far below 2^53")]
        Slot::Whole { value, .. } => SlotValue::Number(*value as f64),
        Slot::Color(color) => SlotValue::Color(*color),
    })
}

/// Writes into a layer, drawn into the bounds of what is written. Nothing happens where the kinds differ.
pub(crate) fn set(layer: &mut Layer, path: &[Box<str>], value: SlotValue) {
    match (layer.slot_in(path), value) {
        (Some(Slot::Number { value, least, most }), SlotValue::Number(new)) if !new.is_nan() => {
            *value = new.clamp(least, most);
        }
        (Some(Slot::Whole { value, least, most }), SlotValue::Number(new)) if !new.is_nan() => {
            *value = whole(new).clamp(least, most);
        }
        (Some(Slot::Color(color)), SlotValue::Color(new)) => *color = new,
        _ => {}
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounded first, and a float that does not fit saturates")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}
