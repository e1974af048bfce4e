//! Whatever happens to a scene, composing what changed gives what composing all gives.

use proptest::prelude::*;
use scene::{Command, Id};
use serde_json::{Value, json};

use crate::{Show, rectangle};

/// Names of the layers that come and go.
const NAMES: [&str; 5] = ["a", "b", "c", "group", "d"];
const COLORS: [&str; 4] = ["#f00", "#0f08", "#00f", "#fff4"];

#[derive(Clone, Debug)]
enum Deed {
    Add { name: usize, color: usize, at: (i32, i32), size: (u32, u32) },
    Patch { name: usize, patch: Value },
    Delete { name: usize },
    Animate { name: usize, animation: Value },
    Wait,
}

fn deed() -> impl Strategy<Value = Deed> {
    let name = 0..NAMES.len();
    let place = (-60..300, -40..170);
    let size = (1_u32..200, 1_u32..120);
    let patch = prop_oneof![
        (-40..300, -40..170).prop_map(|(x, y)| json!({"transform": {"position": {"x": x, "y": y}}})),
        (0.0..360.0)
            .prop_map(|angle: f64| json!({"transform": {"rotation": angle, "anchor": {"x": 0.5, "y": 0.5}}})),
        (0.2..2.0).prop_map(|scale: f64| json!({"transform": {"scale": {"x": scale, "y": scale}}})),
        (0.0..1.0).prop_map(|opacity: f64| json!({"opacity": opacity})),
        (-3..3).prop_map(|z| json!({"zIndex": z})),
        any::<bool>().prop_map(|visible| json!({"visible": visible})),
        any::<bool>().prop_map(|inside| json!({"parent": if inside { json!("group") } else { Value::Null }})),
        prop_oneof![Just("normal"), Just("multiply"), Just("add")]
            .prop_map(|mode| json!({"blendMode": mode})),
        prop_oneof![Just(Value::Null), Just(json!({"layerId": "a"}))].prop_map(|mask| json!({"mask": mask})),
    ];
    let animation = prop_oneof![
        Just(
            json!({"tracks": [{"property": "position.x", "keyframes": [{"t": 0, "value": 0}, {"t": 300, "value": 200}]}]})
        ),
        Just(
            json!({"tracks": [{"property": "opacity", "keyframes": [{"t": 0, "value": 0}, {"t": 200, "value": 1}]}]})
        ),
        Just(
            json!({"repeat": "forever", "tracks": [{"property": "rotation", "keyframes": [{"t": 0, "value": 0}, {"t": 900, "value": 360}]}]})
        ),
    ];
    prop_oneof![
        3 => (name.clone(), 0..COLORS.len(), place, size)
            .prop_map(|(name, color, at, size)| Deed::Add { name, color, at, size }),
        6 => (name.clone(), patch).prop_map(|(name, patch)| Deed::Patch { name, patch }),
        1 => name.clone().prop_map(|name| Deed::Delete { name }),
        2 => (name, animation).prop_map(|(name, animation)| Deed::Animate { name, animation }),
        2 => Just(Deed::Wait),
    ]
}

fn command(deed: &Deed) -> Option<Command> {
    let id = |name: usize| Id::parse(NAMES[name]).unwrap();
    Some(match deed {
        Deed::Add { name, .. } if NAMES[*name] == "group" => {
            Command::Create(json!({"id": "group", "type": "overlay", "content": {"kind": "group"}}))
        }
        Deed::Add { name, color, at, size } => {
            Command::Create(rectangle(NAMES[*name], COLORS[*color], *at, *size))
        }
        Deed::Patch { name, patch } => {
            Command::Patch { layer: id(*name), patch: patch.clone(), if_match: None }
        }
        Deed::Delete { name } => Command::Delete { layer: id(*name), if_match: None },
        Deed::Animate { name, animation } => {
            Command::Animate { layer: id(*name), animation: animation.clone() }
        }
        Deed::Wait => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn composing_what_changed_gives_what_composing_all_gives(deeds in proptest::collection::vec(deed(), 1..24)) {
        let mut show = Show::new(260, 150);
        let mut held = Vec::new();
        for (n, deed) in deeds.iter().enumerate() {
            let now = n as f64 * 50.0;
            if let Some(command) = command(deed) {
                // Some are refused: a layer that is not there, a circle of groups.
                let _ = show.apply(&command, now);
            }
            let frame = show.frame(now);
            let all = show.anew(now);
            prop_assert!(*frame == *all, "frame {} after {:?} differs", n, deed);
            // Frames that somebody holds must not be written over.
            if n % 3 == 0 {
                held.push((frame.clone(), (*frame).clone()));
            }
        }
        for (frame, copy) in &held {
            prop_assert!(**frame == *copy, "a frame that was held has changed");
        }
    }
}
