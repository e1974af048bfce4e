//! Animations: what changes with program time, as clients write it.

mod easing;
mod spring;
mod wire;

pub use easing::{Easing, Jump};
pub use wire::{Animation, Direction, KeyValue, Keyframe, Preset, Repeat, Side, Track};

/// Whether an SVG path can be followed; an error says what is allowed.
pub(crate) fn check_path(d: &str) -> Result<(), String> {
    let path =
        kurbo::BezPath::from_svg(d).map_err(|_| "must be the data of an SVG path: M0,0 C10,0 20,10 20,20")?;
    let coordinates = path.elements().iter().filter_map(kurbo::PathEl::end_point);
    let far = |point: kurbo::Point| !(point.x.abs() <= 1e5 && point.y.abs() <= 1e5);
    if path.elements().is_empty() || coordinates.into_iter().any(far) {
        return Err("must be the data of an SVG path with coordinates from -100000 to 100000".to_owned());
    }
    Ok(())
}
