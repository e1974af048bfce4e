use std::f32::consts::PI;

use super::*;
use crate::{CEILING, Duck};

const EXACT: Timing = Timing::Exact;

fn mixer() -> Mixer {
    Mixer::new(0)
}

fn mixed(mixer: &mut Mixer, frames: usize) -> Vec<Sample> {
    let mut out = vec![[9.0; 2]; frames];
    mixer.mix(frames, &mut out);
    out
}

/// A tone of that many Hz and that height, from sample `from` on.
fn tone(hertz: f32, height: f32, from: i64, count: usize) -> Vec<Sample> {
    (from..).take(count).map(|n| [height * (n as f32 * 2.0 * PI * hertz / RATE as f32).sin(); 2]).collect()
}

fn constant(value: f32, count: usize) -> Vec<Sample> {
    vec![[value; 2]; count]
}

fn peak(samples: &[Sample]) -> f32 {
    samples.as_flattened().iter().fold(0.0, |peak, value| peak.max(value.abs()))
}

/// The largest step from a sample to the next.
fn step(samples: &[Sample]) -> f32 {
    samples.windows(2).fold(0.0, |step, pair| step.max((pair[1][0] - pair[0][0]).abs()))
}

/// `seconds` of `sound` at once and heard; settings are changed at a second.
fn change(sound: &[Sample], before: Settings, after: Settings) -> Vec<Sample> {
    let mut mixer = mixer();
    mixer.add("a", EXACT, before).unwrap();
    mixer.push("a", 0, sound).unwrap();
    let mut out = mixed(&mut mixer, 48_000);
    mixer.set("a", after).unwrap();
    out.extend(mixed(&mut mixer, sound.len() - 48_000));
    out
}

#[test]
fn nothing_is_silence_and_any_length_is_that_long() {
    let mut mixer = mixer();
    for frames in [0, 1, 255, 256, 257, 1024, 10_000] {
        assert_eq!(mixed(&mut mixer, frames), constant(0.0, frames));
    }
    assert_eq!(mixer.loudness().integrated, -120.0);
}

#[test]
fn a_sample_is_heard_at_its_number_and_as_it_was() {
    let mut mixer = Mixer::new(-500);
    mixer.add("a", EXACT, Settings::default()).unwrap();
    let sound = tone(440.0, 0.3, 0, 3000);
    mixer.push("a", 100, &sound[..1000]).unwrap();
    mixer.push("a", 1100, &sound[1000..]).unwrap();
    let out = mixed(&mut mixer, 4000);
    assert_eq!(out[..600], constant(0.0, 600));
    // Its first five milliseconds are faded in.
    assert_eq!(out[600 + 240..600 + 3000], sound[240..]);
}

#[test]
fn a_fade_is_straight_takes_its_time_to_the_sample_and_ends_where_it_should() {
    let fade = Settings { volume: 0.5, fade_ms: 100, ..Settings::default() };
    let out = change(&constant(0.4, 96_000), Settings::default(), fade);
    let began = 48_000 + Mixer::DELAY;
    assert_eq!(out[began - 1], [0.4; 2]);
    for n in 0..4800 {
        let expected = 0.4 * (1.0 - 0.5 * (n + 1) as f32 / 4800.0);
        assert!(
            (out[began + n][0] - expected).abs() < 1e-6,
            "sample {n}: {:?}, not {expected}",
            out[began + n]
        );
    }
    assert!(out[began + 4799..].iter().all(|sample| *sample == [0.2; 2]));
}

#[test]
fn a_mute_and_every_other_jump_make_no_click() {
    let loud = tone(100.0, 0.5, 0, 96_000);
    let usual = step(&loud);
    let mute = Settings { mute: true, ..Settings::default() };
    for (before, after) in [
        (Settings::default(), mute.clone()),
        (mute, Settings::default()),
        (Settings::default(), Settings { pan: -1.0, ..Settings::default() }),
        (Settings { volume: 0.0, ..Settings::default() }, Settings { volume: 1.5, ..Settings::default() }),
    ] {
        let out = change(&loud, before, after.clone());
        // The ramp of ten milliseconds adds a 480th of the height to each step.
        assert!(step(&out) <= usual * 1.5 + 0.5 * 1.5 / 480.0, "{after:?}: {}", step(&out));
    }
}

#[test]
fn sound_that_is_missing_is_silence_with_soft_edges() {
    let mut mixer = mixer();
    mixer.add("a", EXACT, Settings::default()).unwrap();
    mixer.push("a", 0, &constant(0.5, 10_000)).unwrap();
    mixer.push("a", 15_000, &constant(0.5, 5000)).unwrap();
    // Half of it is from before where the last ended.
    mixer.push("a", 18_000, &constant(0.5, 4000)).unwrap();
    let out = mixed(&mut mixer, 30_000);
    assert!(step(&out) <= 0.5 / 240.0 + 1e-4, "{}", step(&out));
    assert!(out[10_240..15_000].iter().all(|sample| *sample == [0.0; 2]));
    assert!(out[15_240..22_000].iter().all(|sample| *sample == [0.5; 2]));
    // Too late altogether, then for a far future, then garbage.
    mixer.push("a", 20_000, &constant(0.5, 100)).unwrap();
    mixer.push("a", 48_000_000, &constant(0.5, 100)).unwrap();
    mixer.push("a", i64::MIN, &constant(0.5, 100)).unwrap();
    mixer.push("a", i64::MAX, &constant(0.5, 100)).unwrap();
    mixer.push("a", mixer.next(), &constant(f32::NAN, 100)).unwrap();
    let counts = mixer.sources().next().unwrap().2;
    assert_eq!(
        (counts.gaps, counts.late, counts.early, counts.underruns),
        (1, 2000 + 200 + Mixer::DELAY as u64, 200, 1)
    );
    assert_eq!(mixed(&mut mixer, 1000), constant(0.0, 1000));
}

#[test]
fn more_than_fits_is_left_out_and_counted() {
    let mut mixer = mixer();
    mixer.add("a", EXACT, Settings::default()).unwrap();
    for part in 0..5 {
        mixer.push("a", part * 48_000, &constant(0.1, 48_000)).unwrap();
    }
    assert_eq!(mixer.waiting("a"), Some(3 * 48_000));
    // What is heard first is on its way already when the first of it comes.
    assert_eq!(mixer.sources().next().unwrap().2.early, 2 * 48_000 - Mixer::DELAY as u64);
}

#[test]
fn pan_keeps_the_power() {
    for pan in [-1.0, -0.5, 0.0, 0.3, 1.0] {
        let out = change(
            &constant(0.2, 49_000),
            Settings { pan, ..Settings::default() },
            Settings { pan, ..Settings::default() },
        );
        let [left, right] = out[40_000];
        assert!((left.powi(2) + right.powi(2) - 2.0 * 0.04).abs() < 1e-5, "{pan}: {left} {right}");
        assert!((right - left) * pan >= 0.0);
    }
}

#[test]
fn a_source_lowers_another_while_it_is_loud() {
    let mut mixer = mixer();
    let duck = Some(Duck { by: "voice".to_owned(), amount_db: -12.0 });
    mixer.add("music", EXACT, Settings { duck, ..Settings::default() }).unwrap();
    mixer.add("voice", EXACT, Settings::default()).unwrap();
    mixer.push("music", 0, &constant(0.4, 144_000)).unwrap();
    // Left and right cancel to nothing that is heard here: the music is seen alone.
    let voice: Vec<_> = (0..24_000).map(|n| [if n % 2 == 0 { 0.02 } else { -0.02 }; 2]).collect();
    mixer.push("voice", 48_000, &voice).unwrap();
    let out = mixed(&mut mixer, 144_000);
    let around = |at: usize| (out[at][0] + out[at + 1][0]) / 2.0;
    let low = 0.4 * 10_f32.powf(-12.0 / 20.0);
    assert!((around(40_000) - 0.4).abs() < 1e-3);
    // Lowered within a tenth of a second, as long as the voice goes on, and back two seconds later.
    assert!((around(48_000 + 7200) - low).abs() < 0.005, "{}", around(48_000 + 7200));
    assert!((around(48_000 + 23_000) - low).abs() < 0.005);
    assert!((around(143_000) - 0.4).abs() < 0.02, "{}", around(143_000));
    // Softly: no step is more than the voice's own and a little.
    assert!(step(&out) < 0.045);
}

#[test]
fn nothing_comes_out_above_the_ceiling_not_even_between_samples() {
    let mut noise = 1_u32;
    let mut hiss = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    let square = |n: usize| if (n / 37).is_multiple_of(2) { 2.0 } else { -2.0 };
    // A quarter of the rate, between its samples at its height.
    let between = |n: usize| [1.0, 1.0, -1.0, -1.0][n % 4] * 0.88;
    let sounds: [Vec<Sample>; 4] = [
        (0..96_000).map(|_| [hiss() * 2.0, hiss() * 2.0]).collect(),
        (0..96_000).map(|n| [square(n); 2]).collect(),
        (0..96_000).map(|n| [between(n); 2]).collect(),
        tone(997.0, 4.0, 0, 96_000),
    ];
    for (n, sound) in sounds.iter().enumerate() {
        let mut mixer = mixer();
        mixer.add("a", EXACT, Settings { volume: 2.0, ..Settings::default() }).unwrap();
        mixer.add("b", EXACT, Settings { volume: 0.7, ..Settings::default() }).unwrap();
        mixer.push("a", 0, sound).unwrap();
        mixer.push("b", 48_000, &sound[..48_000]).unwrap();
        let out = mixed(&mut mixer, 96_000);
        assert!(peak(&out) <= CEILING, "{n}: {}", peak(&out));
        let mut meter = ebur128::EbuR128::new(2, RATE, ebur128::Mode::TRUE_PEAK).unwrap();
        meter.add_frames_f32(out.as_flattened()).unwrap();
        let true_peak = meter.true_peak(0).unwrap().max(meter.true_peak(1).unwrap());
        // Hiss has all that a square has between its samples, at once.
        let allowed = if n < 2 { 1.0 } else { f64::from(CEILING) };
        assert!(true_peak <= allowed, "{n}: {true_peak}");
        assert!(mixer.loudness().limited_db > 3.0 || n == 2);
    }
}

#[test]
fn loudness_is_what_the_standard_says() {
    // EBU Tech 3341, test 1 and 2: a tone of 1 kHz at -23 and -33 dBFS in both channels.
    for lufs in [-23.0_f32, -33.0] {
        let mut mixer = mixer();
        mixer.add("a", EXACT, Settings::default()).unwrap();
        for second in 0..20 {
            let height = 10_f32.powf(lufs / 20.0);
            mixer.push("a", second * 48_000, &tone(1000.0, height, second * 48_000, 48_000)).unwrap();
            mixed(&mut mixer, 48_000);
        }
        let heard = mixer.loudness();
        for (name, value) in
            [("momentary", heard.momentary), ("short", heard.short_term), ("integrated", heard.integrated)]
        {
            assert!((value - lufs).abs() < 0.2, "{name}: {value}");
        }
        assert!((heard.peak_db - lufs).abs() < 0.1 && heard.limited_db == 0.0);
        let level = mixer.level("a").unwrap();
        assert!((level.momentary - lufs).abs() < 0.2 && (level.peak_db - lufs).abs() < 0.1);
        assert_eq!(mixer.level("a").unwrap().peak_db, -120.0);
    }
}

#[test]
fn a_live_source_whose_clock_is_off_keeps_its_delay_and_its_tone() {
    for ppm in [-200_i64, 200] {
        let mut mixer = mixer();
        mixer.add("a", Timing::Live { delay_ms: 100 }, Settings::default()).unwrap();
        let (mut pushed, mut out, mut worst) = (0, vec![[0.0; 2]; 480], 0);
        for block in 0..12_000_i64 {
            let due = block * 480 * (1_000_000 + ppm) / 1_000_000;
            while pushed + 1024 <= due + 4800 + 512 {
                mixer.push("a", pushed, &tone(440.0, 0.3, pushed % 1200, 1024)).unwrap();
                pushed += 1024;
            }
            mixer.mix(480, &mut out);
            if block > 3000 {
                let off = mixer.waiting("a").unwrap().abs_diff(4800);
                worst = worst.max(off);
                assert!(step(&out) < 0.02 && peak(&out) < 0.31, "block {block}: {}", step(&out));
            }
        }
        // Two minutes; ten milliseconds, and a block of what comes.
        assert!(worst <= 480 + 1024, "{ppm}: {worst}");
        let counts = mixer.sources().next().unwrap().2;
        assert_eq!((counts.underruns, counts.gaps, counts.late, counts.early), (0, 0, 0, 0));
    }
}

#[test]
fn a_live_source_that_stops_jumps_or_floods_is_heard_again_without_a_click() {
    let mut mixer = mixer();
    mixer.add("a", Timing::Live { delay_ms: 50 }, Settings::default()).unwrap();
    mixer.push("a", 1_000_000, &constant(0.5, 9600)).unwrap();
    let mut out = mixed(&mut mixer, 20_000);
    assert_eq!(mixer.sources().next().unwrap().2.underruns, 1);
    // Its clock begins anew, and it goes on.
    mixer.push("a", 0, &constant(0.5, 4800)).unwrap();
    mixer.push("a", 4801, &constant(0.5, 4799)).unwrap();
    out.extend(mixed(&mut mixer, 4000));
    assert!((out.last().unwrap()[0] - 0.5).abs() < 1e-4);
    // More than two seconds at once.
    for part in 0..3 {
        mixer.push("a", 9600 + part * 48_000, &constant(0.5, 48_000)).unwrap();
    }
    assert!(mixer.waiting("a").unwrap() < 100_000);
    out.extend(mixed(&mut mixer, 48_000));
    assert!(step(&out) <= 0.5 / 240.0 + 2e-3, "{}", step(&out));
    let counts = mixer.sources().next().unwrap().2;
    assert!(counts.gaps == 1 && counts.early > 40_000, "{counts:?}");
}

#[test]
fn what_is_out_of_bounds_is_refused_and_changes_nothing() {
    let mut mixer = mixer();
    mixer.add("a", EXACT, Settings::default()).unwrap();
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings
    };
    let duck = |by: &str, amount_db| Some(Duck { by: by.to_owned(), amount_db });
    for (settings, expected) in [
        (with(&|s| s.volume = 2.1), Error::Volume),
        (with(&|s| s.volume = f32::NAN), Error::Volume),
        (with(&|s| s.volume = -0.1), Error::Volume),
        (with(&|s| s.pan = 1.1), Error::Pan),
        (with(&|s| s.pan = f32::NAN), Error::Pan),
        (with(&|s| s.fade_ms = 60_001), Error::Fade),
        (with(&|s| s.duck = duck("b", 61.0)), Error::Amount),
        (with(&|s| s.duck = duck("a", 6.0)), Error::DucksItself),
    ] {
        assert_eq!(mixer.set("a", settings), Err(expected));
    }
    assert_eq!(mixer.sources().next().unwrap().1, &Settings::default());
    assert_eq!(mixer.add("a", EXACT, Settings::default()), Err(Error::Taken));
    assert_eq!(mixer.push("b", 0, &[]), Err(Error::Unknown));
    for n in 1..MOST_SOURCES {
        mixer.add(&n.to_string(), EXACT, Settings::default()).unwrap();
    }
    assert_eq!(mixer.add("more", EXACT, Settings::default()), Err(Error::TooMany));
    // One that is taken away is gone after its fade, and its name is free at once.
    mixer.remove("a").unwrap();
    assert_eq!(mixer.remove("a"), Err(Error::Unknown));
    mixed(&mut mixer, 1000);
    mixer.add("a", EXACT, Settings::default()).unwrap();
}

#[test]
fn nothing_is_allocated_while_it_goes_on() {
    let mut mixer = mixer();
    mixer.add("file", EXACT, Settings::default()).unwrap();
    let duck = Some(Duck { by: "file".to_owned(), amount_db: 6.0 });
    mixer.add("live", Timing::Live { delay_ms: 50 }, Settings { duck, ..Settings::default() }).unwrap();
    let (sound, mut out) = (tone(300.0, 0.9, 0, 1024), vec![[0.0; 2]; 1024]);
    let mut number = 0;
    let mut go = |mixer: &mut Mixer, blocks: i64| {
        for _ in 0..blocks {
            mixer.push("file", number + 1024, &sound).unwrap();
            mixer.push("live", number, &sound).unwrap();
            mixer.mix(1024, &mut out);
            mixer.level("file");
            mixer.loudness();
            number += 1024;
        }
    };
    go(&mut mixer, 1000);
    let allocated = allocation_counter::measure(|| go(&mut mixer, 1000));
    assert_eq!(allocated.count_total, 0);
}
