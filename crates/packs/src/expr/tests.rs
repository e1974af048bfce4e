use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};
use serde_json::Map;

use super::{Expr, MOST_BYTES};
use crate::value::{Item, Read, Value};

fn values() -> BTreeMap<&'static str, Read> {
    let read = |value, confidence| Read { value, confidence };
    let item = Item { tag: "axe".into(), variant: "".into(), score: 0.9, fields: Map::new() };
    BTreeMap::from([
        ("score.home", read(Value::Int(2), 0.9)),
        ("score.away", read(Value::Int(1), 0.8)),
        ("zero", read(Value::Int(0), 1.0)),
        ("big", read(Value::Int(i64::MAX), 1.0)),
        ("half", read(Value::Real(0.5), 0.7)),
        ("clock", read(Value::Clock { seconds: 2712, shown: "45:12".into() }, 0.6)),
        ("team", read(Value::Text("ARS".into()), 0.95)),
        ("on", read(Value::Flag(true), 0.5)),
        ("heroes.3", read(Value::Item(Arc::new(item)), 0.9)),
    ])
}

fn work_out(text: &str) -> Option<Read> {
    let values = values();
    let expr = Expr::parse(text).unwrap_or_else(|(at, message)| panic!("{text} at {at}: {message}"));
    expr.value(&|name| values.get(name))
}

#[test]
fn expressions_are_worked_out() {
    let int = Value::Int;
    let flag = Value::Flag;
    for (text, value) in [
        ("1 + 2 * 3", int(7)),
        ("(1 + 2) * 3", int(9)),
        ("10 - 3 - 2", int(5)),
        ("-2 * -(3)", int(6)),
        ("7 / 2", Value::Real(3.5)),
        ("score.home + score.away", int(3)),
        ("half * 2", Value::Real(1.0)),
        ("clock - 2700", int(12)),
        ("clock >= 2700 and clock < \"46:00\"", flag(true)),
        ("clock == '45:12'", flag(true)),
        ("seconds(clock)", int(2712)),
        ("seconds(\"1:02:03\")", int(3723)),
        ("min(3, 1, 2)", int(1)),
        ("max(score.home, half)", int(2)),
        ("abs(-4)", int(4)),
        ("abs(score.away - score.home)", int(1)),
        ("team == \"ARS\" or missing > 3", flag(true)),
        ("team != 'ARS' and missing", flag(false)),
        ("not (score.home == 2)", flag(false)),
        ("not not on", flag(true)),
        ("heroes.3 == 'axe'", flag(true)),
        ("has(missing)", flag(false)),
        ("has(clock) and on", flag(true)),
        ("2 = 2", flag(true)),
    ] {
        assert_eq!(work_out(text).map(|read| read.value), Some(value), "{text}");
    }
}

#[test]
fn what_cannot_be_worked_out_is_no_value() {
    for text in [
        "missing",
        "missing + 1",
        "1 / zero",
        "1 / 0",
        "zero / zero",
        "big + 1",
        "big * 2",
        "-(-big - 2)",
        "team + 1",
        "team > 1",
        "on + 1",
        "heroes.3 > 2",
        "not team",
        "on and missing",
        "team or missing",
        "min(1, team)",
        "seconds(team)",
        "clock < team",
    ] {
        assert_eq!(work_out(text), None, "{text}");
    }
}

#[test]
fn an_expression_is_as_sure_as_the_least_sure_part_that_matters() {
    for (text, confidence) in [
        ("score.home + score.away", 0.8),
        ("7", 1.0),
        ("max(score.home, clock)", 0.6),
        ("score.home > 5 and on", 0.9),
        ("score.home == 2 and score.away == 1", 0.8),
    ] {
        assert_eq!(work_out(text).map(|read| read.confidence), Some(confidence), "{text}");
    }
}

#[test]
fn a_mistake_is_named_with_its_place() {
    for (text, place, part) in [
        ("", 0, "missing"),
        ("1 +", 3, "missing"),
        ("(1 + 2", 6, "letter 1 is not closed"),
        ("1 + )", 4, "before `)`"),
        ("a b", 2, "not expected"),
        ("\"abc", 0, "closing"),
        ("1 + \"a\"", 4, "takes a number; this is a text"),
        ("\"a\" < 3", 0, "compares numbers"),
        ("a and 3", 6, "takes true or false; this is a number"),
        ("not 3", 4, "takes true or false"),
        ("3 == 'x'", 5, "can't be compared"),
        ("1 < 2 < 3", 6, "two at a time"),
        ("sin(3)", 0, "there are abs, has, max, min, seconds"),
        ("min(1)", 0, "takes 2 to 16"),
        ("has(3)", 4, "name of a value"),
        ("a $ b", 2, "means nothing"),
        ("1.2.3", 0, "no number"),
        ("12abc", 0, "no number"),
        ("and 3", 0, "before `and`"),
    ] {
        let (at, message) = Expr::parse(text).expect_err(text);
        assert_eq!(at, place, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn names_are_told_once_each() {
    let expr = Expr::parse("a.b + a.b * heroes.3 - min(c, has_d)").unwrap();
    assert_eq!(expr.names().collect::<Vec<_>>(), ["a.b", "heroes.3", "c", "has_d"]);
    assert_eq!(Expr::parse("heroes.* == 'axe'").unwrap().names().collect::<Vec<_>>(), ["heroes.*"]);
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(Expr::parse(&deep(30)).is_ok());
    for text in [deep(40), "-".repeat(400) + "1", "not ".repeat(100) + "a", "1+".repeat(MOST_BYTES)] {
        assert!(Expr::parse(&text).is_err());
    }
    assert!(Expr::parse(&("1+".repeat(490) + "1")).is_ok());
}

fn fragment() -> impl Strategy<Value = String> {
    const WORDS: [&str; 29] = [
        "1", "0", "2.5", "\"a\"", "'45:00'", "clock", "on", "team", "big", "heroes.*", "+", "-", "*", "/",
        "(", ")", ",", "==", "<", "and", "or", "not", "min(", "abs(", "seconds(", "has(", " ", "é", "−",
    ];
    let word = proptest::sample::select(&WORDS[..]).prop_map(str::to_owned);
    prop_oneof![8 => word, 1 => any::<char>().prop_map(String::from), 1 => Just(" ".to_owned())]
}

proptest! {
    #[test]
    fn nothing_written_makes_it_panic(parts in proptest::collection::vec(fragment(), 0..60)) {
        let text = parts.concat();
        let values = values();
        match Expr::parse(&text) {
            Ok(expr) => {
                let worked_out = expr.value(&|name| values.get(name));
                let finite = worked_out.and_then(|read| read.value.number()).is_none_or(f64::is_finite);
                prop_assert!(finite);
            }
            Err((at, message)) => prop_assert!(at <= text.len() && !message.is_empty()),
        }
    }
}
