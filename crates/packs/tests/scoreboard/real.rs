//! Real boards of `../shared/media`, one pack a layout: skipped where that folder is not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use packs::{Pack, Session, Tools, picture};
use pixels::{I420, Matrix, Range, jpeg};
use serde_json::Value;

/// The beginning of a picture's name and the pack of its layout.
const LAYOUTS: [(&str, &str); 20] = [
    ("fifa15_bar_che", "fifa15"),
    ("fifa_che_ars", "fifa15_title"),
    ("fifa_che_bar", "fifa15_low"),
    ("fifa14_bar_rea", "fifa14"),
    ("fifa13_ars_che", "fifa13"),
    ("fifa16_ger_usa", "fifa16"),
    ("fifa17_mun_npc", "fifa17"),
    ("fifa17_aym_lef", "fifa17_gold"),
    ("fifa_mc_ars", "fifa12"),
    ("fifa21_facts_7_4", "fifa21_facts"),
    ("fifa21_facts_disconnect", "fifa21_facts"),
    ("r6siege_soniqs_tsm", "siege"),
    ("r6siege_TgzomX1ZYO0_1000", "siege"),
    ("r6siege_TgzomX1ZYO0_83", "siege"),
    ("r6siege_TgzomX1ZYO0_64", "siege_ban"),
    ("frc2017_02", "frc2017"),
    ("frc2018_01", "frc2018"),
    ("frc2018_11", "frc2018"),
    ("frc2019_01", "frc2019"),
    ("goal_sensor/", "broadcast"),
];

/// The pack of a layout, of `tests/scoreboards`.
pub(crate) fn layout(name: &str) -> Arc<Pack> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scoreboards/{name}.toml"));
    let files = BTreeMap::from([("pack.toml".to_owned(), std::fs::read(path).unwrap())]);
    Arc::new(Pack::load(&files, &BTreeMap::new()).unwrap_or_else(|problems| panic!("{name}: {problems:?}")))
}

pub(crate) fn load(path: &Path) -> I420 {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|ending| ending == "png") {
        return picture::from_png(&bytes).unwrap();
    }
    let mut picture = I420::new(0, 0, Range::Full, Matrix::Bt601);
    let header = jpeg::inspect(&bytes, 8192).unwrap();
    jpeg::Decoder::new().unwrap().decode(&bytes, &header, &mut picture).unwrap();
    picture
}

fn media() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media");
    folder.is_dir().then_some(folder)
}

/// Ids and what a label says of them; `None` is nothing, or not to be known.
fn wanted(label: &Value, values: &BTreeMap<String, String>) -> Vec<(&'static str, Option<String>)> {
    let text = |key: &str| match &label[key] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    if label["kind"] == "frc_overlay" {
        // The colours say whose side is where.
        let mirrored = values.get("side.left").is_some_and(|side| side == "blue");
        let (left, right) = if mirrored { ("blue_score", "red_score") } else { ("red_score", "blue_score") };
        return vec![
            ("score.left", text(left)),
            ("score.right", text(right)),
            ("clock", text("time_remaining")),
        ];
    }
    let clock = if values.contains_key("clock.time") { "clock.time" } else { "clock" };
    vec![("score.home", text("home_score")), ("score.away", text("away_score")), (clock, text("clock"))]
}

#[test]
fn real_scores_and_clocks_are_read_right_or_not_at_all() {
    let Some(media) = media() else { return };
    let folder = media.join("scoreboard");
    let labels: Value = serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    let mut tools = Tools::default();
    let (mut right, mut all, mut wrong) = (0, 0, Vec::new());
    for (name, label) in labels.as_object().unwrap() {
        let Some((_, pack)) = LAYOUTS.iter().find(|(start, _)| name.starts_with(start)) else { continue };
        let picture = load(&folder.join(name));
        let outcome = Session::default().read(&[layout(pack)], &picture, &mut tools, &|| Duration::ZERO);
        let reading = outcome.reading.map(|reading| reading.values).unwrap_or_default();
        let values = reading.iter().map(|(id, read)| (id.to_string(), read.value.to_string())).collect();
        let mut line = format!("{name:<50}");
        for (id, want) in wanted(label, &values) {
            let got = values.get(id);
            // One clock can't be told apart by eye either.
            let open = label["extra_text"].as_str().is_some_and(|text| text.contains("not decidable"));
            if open && id == "clock" && got.is_none_or(|got| got == "05:11" || got == "06:11") {
                continue;
            }
            all += usize::from(want.is_some());
            right += usize::from(want.is_some() && got == want.as_ref());
            if got.is_some() && got != want.as_ref() {
                wrong.push(format!("{name}: {id} is {got:?}, not {want:?}"));
            }
            let shown = |text: Option<&String>| text.map_or("nothing", String::as_str).to_owned();
            line += &format!(" {id} {} of {};", shown(got), shown(want.as_ref()));
        }
        println!("{line}");
    }
    println!("{right} of {all} right, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(right * 100 >= all * 95, "{right} of {all}");
}

#[test]
fn pictures_of_other_things_have_no_score() {
    let Some(media) = media() else { return };
    let packs: Vec<_> = LAYOUTS.iter().map(|(_, pack)| layout(pack)).collect();
    let mut tools = Tools::default();
    let mut seen = 0;
    let folders = ["dota/screens", "dota/negatives", "twitch", "corrupt"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(media.join(folder)).into_iter().flatten());
    let own = media.join("scoreboard/fifa_no_scoreboard_a.jpg");
    for path in files.map(|file| file.unwrap().path()).chain([own]) {
        if !path.extension().is_some_and(|ending| ending == "jpg" || ending == "jpeg" || ending == "png") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut picture = I420::new(0, 0, Range::Full, Matrix::Bt601);
        let decoded = match path.extension().is_some_and(|ending| ending == "png") {
            true => picture::from_png(&bytes).map(|png| picture = png).is_ok(),
            false => jpeg::inspect(&bytes, 8192).is_ok_and(|header| {
                jpeg::Decoder::new().unwrap().decode(&bytes, &header, &mut picture).is_ok()
            }),
        };
        if !decoded {
            continue;
        }
        seen += 1;
        for pack in &packs {
            let outcome =
                Session::default().read(std::slice::from_ref(pack), &picture, &mut tools, &|| Duration::ZERO);
            let read = outcome.reading.map(|reading| reading.values_json().to_string());
            assert_eq!(read, None, "{} with {}", path.display(), pack.id);
        }
    }
    assert!(seen > 10, "{seen} pictures");
}
