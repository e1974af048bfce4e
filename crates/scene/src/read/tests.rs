use serde_json::json;

use super::*;
use crate::layer::Layer;

#[test]
fn every_mistake_is_named_at_once() {
    let layer = json!({
        "id": "a b", "opacity": 7, "zIndex": 1_i64 << 40, "colour": "red",
        "transform": {"scale": {"x": 1e9}, "position": 3},
        "content": {"kind": "text", "style": {"color": "reddish", "fontSize": 0}},
    });
    let problems = read_new::<Layer>(&layer).unwrap_err();
    let mut fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    fields.sort_unstable();
    let expected = [
        "colour",
        "content.style.color",
        "content.style.fontSize",
        "id",
        "opacity",
        "transform.position",
        "transform.scale.x",
        "zIndex",
    ];
    assert_eq!(fields, expected);
}
