use proptest::prelude::{Strategy, any, prop_assert, proptest};

use super::Easing;
use super::motion::Motion;

const SMOOTH: [&str; 27] = [
    "linear",
    "ease",
    "ease-in",
    "ease-out",
    "ease-in-out",
    "cubic-bezier(0.1, -2, 0.9, 3)",
    "cubic-bezier(1,0,0,1)",
    "sine-in-out",
    "quad-in",
    "cubic",
    "quart-out",
    "quint-in-out",
    "expo",
    "expo-in",
    "circ-out",
    "back",
    "back-in",
    "back-in-out",
    "elastic",
    "elastic-in",
    "elastic-in-out",
    "bounce",
    "bounce-in",
    "bounce-in-out",
    "spring",
    "spring(1, 100, 2, 5)",
    "spring(1, 10, 100)",
];

#[test]
fn every_easing_begins_at_0_and_ends_at_1() {
    for text in SMOOTH {
        let easing = Easing::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert!(easing.at(0.0).abs() < 1e-9, "{text} begins at {}", easing.at(0.0));
        assert!((easing.at(1.0) - 1.0).abs() < 1e-9, "{text} ends at {}", easing.at(1.0));
    }
}

#[test]
fn easings_are_those_of_css() {
    for (text, part, expected) in [
        ("ease", 0.25, 0.408_511_590_4),
        ("ease-in", 0.5, 0.315_356_5),
        ("ease-out", 0.5, 0.684_643_5),
        ("ease-in-out", 0.5, 0.5),
        ("steps(4)", 0.49, 0.25),
        ("steps(4, jump-start)", 0.49, 0.5),
        ("steps(3, jump-none)", 0.5, 0.5),
        ("steps(1, jump-both)", 0.5, 0.5),
        ("step-start", 0.0, 1.0),
        ("step-end", 0.99, 0.0),
    ] {
        let at = Easing::parse(text).unwrap().at(part);
        assert!((at - expected).abs() < 1e-4, "{text} at {part} is {at}");
    }
}

#[test]
fn what_is_no_easing_is_refused() {
    let long = "x".repeat(1 << 20);
    for bad in [
        "",
        "Ease",
        "ease in",
        "cubic-bezier(2,0,0,1)",
        "cubic-bezier(0,0,1)",
        "cubic-bezier(0,nan,1,1)",
        "cubic-bezier(0,inf,1,1)",
        "steps(0)",
        "steps(1,jump-none)",
        "steps(2000)",
        "steps(2, sideways)",
        "spring()",
        "spring(0)",
        "spring(1,2,3,4,5)",
        "bounce-sideways",
        "wobble",
        "linear(",
        "linear)",
        "()",
        &long,
    ] {
        assert_eq!(Easing::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_path_is_followed_at_an_even_speed() {
    for d in [
        "M0,0 L300,400",
        "M0,0 C0,300 500,-200 400,400 S 10 10 800 0",
        "M10 10 A 50 80 30 1 1 200 100 Q 0 0 5 5 Z",
    ] {
        let motion = Motion::parse(d).unwrap();
        let places: Vec<_> = (0..=1000).map(|part| motion.at(f64::from(part) / 1000.0)).collect();
        let steps: Vec<_> = places.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).collect();
        let mean = steps.iter().sum::<f64>() / 1000.0;
        // A chord over a sharp turn is shorter than the way around it, never longer.
        assert!(steps.iter().all(|step| *step < mean * 1.02), "{d}");
        assert!(steps.iter().filter(|step| **step < mean * 0.98).count() < 30, "{d}");
    }
    let line = Motion::parse("M10,20 L110,120").unwrap();
    assert_eq!(line.at(0.5), (60.0, 70.0, 45.0));
}

#[test]
fn what_is_no_path_is_refused() {
    for bad in ["", "M0,0", "M0,0 L0,0", "hello", "M0,0 L1e9,0", "M0,0 Lnan,0", "L5,5", "M0,0 L1,1 L"] {
        assert!(Motion::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn easings_do_not_jump(index in 0..SMOOTH.len(), part in 0.0..0.9999_f64) {
        let easing = Easing::parse(SMOOTH[index]).unwrap();
        // The steepest of them, a circle, rises by sqrt(2h) over h.
        let jump = (easing.at(part + 1e-6) - easing.at(part)).abs();
        prop_assert!(jump < 2e-3, "{} jumps by {jump} at {part}", SMOOTH[index]);
    }

    #[test]
    fn any_text_is_an_easing_or_is_not(text in ".{0,60}", part in any::<f64>()) {
        if let Some(easing) = Easing::parse(&text) {
            prop_assert!(easing.at(part).is_finite() || part.is_nan());
        }
    }

    #[test]
    fn any_numbers_make_a_bezier_or_a_spring_that_is_finite(
        numbers in proptest::collection::vec((-1000.0..1000.0_f64).prop_map(|n| n / 10.0), 4),
        part in 0.0..=1.0_f64,
    ) {
        let [a, b, c, d] = numbers[..] else { unreachable!() };
        for name in ["cubic-bezier", "spring"] {
            if let Some(easing) = Easing::parse(&format!("{name}({a}, {b}, {c}, {d})")) {
                prop_assert!(easing.at(part).is_finite());
                prop_assert!((easing.at(1.0) - 1.0).abs() < 1e-6);
                prop_assert!(easing.at(0.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn any_text_is_a_path_or_is_not(d in "[MLCQAZmlcqaz0-9 ,.eE-]{0,60}", part in 0.0..=1.0_f64) {
        if let Ok(motion) = Motion::parse(&d) {
            let (x, y, heading) = motion.at(part);
            prop_assert!(x.is_finite() && y.is_finite() && heading.is_finite());
        }
    }
}
