//! Rules of the house that no compiler checks: sizes, opening words, who may use whom, what may appear where.
//!
//! Each rule is a function from a file to what is wrong with it, and is shown a bad sample before it is believed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines of a file, tests not counted.
const MOST_LINES: usize = 700;

struct Source {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of ours with one of these endings.
fn files(endings: &[&str]) -> Vec<Source> {
    const NOT_OURS: [&str; 6] = ["target", "corpus", "artifacts", "node_modules", "data", "recordings"];
    let (mut folders, mut found) = (vec![root().to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders
                    .extend((!name.starts_with('.') && !NOT_OURS.contains(&name.as_str())).then_some(path));
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(root().join(&path)).unwrap();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn sources() -> Vec<Source> {
    files(&[".rs"])
}

impl Source {
    fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Nothing but tests.
    fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    fn within(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// The text without comments, and without what stands in quotes; lines stay lines.
    fn code(&self) -> String {
        let text: Vec<char> = self.text.chars().collect();
        let starts =
            |at: usize, word: &str| word.chars().enumerate().all(|(i, c)| text.get(at + i) == Some(&c));
        let (mut out, mut at) = (String::new(), 0);
        let skip_to = |out: &mut String, from: usize, to: usize| {
            out.extend(text[from..to.min(text.len())].iter().filter(|c| **c == '\n'));
            to
        };
        let end_of =
            |from: usize, word: &str| (from..text.len()).find(|at| starts(*at, word)).unwrap_or(text.len());
        while at < text.len() {
            let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
            at = if starts(at, "//") {
                skip_to(&mut out, at, end_of(at, "\n"))
            } else if starts(at, "/*") {
                skip_to(&mut out, at, end_of(at, "*/") + 2)
            } else if text[at] == 'r' && text.get(at + 1 + hashes) == Some(&'"') {
                let end = format!("\"{}", "#".repeat(hashes));
                skip_to(&mut out, at, end_of(at + 2 + hashes, &end) + 1 + hashes)
            } else if text[at] == '"' {
                let mut end = at + 1;
                while end < text.len() && text[end] != '"' {
                    end += if text[end] == '\\' { 2 } else { 1 };
                }
                skip_to(&mut out, at, end + 1)
            } else if starts(at, "'\"'") || starts(at, "'\\\"'") {
                end_of(at + 2, "'") + 1
            } else {
                out.push(text[at]);
                at + 1
            };
        }
        out
    }

    /// Whole words of the code.
    fn words(&self) -> BTreeSet<String> {
        let code = self.code();
        code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
    }

    /// What stands behind `crate::` somewhere in the code.
    fn uses(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut used = BTreeSet::new();
        let word = |text: &str| {
            text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()
        };
        for (at, found) in code.match_indices("crate::") {
            if code[..at].ends_with('$') {
                continue;
            }
            match code[at + found.len()..].strip_prefix('{') {
                None => drop(used.insert(word(&code[at + found.len()..]))),
                Some(group) => {
                    let (mut depth, mut item) = (1, String::new());
                    for c in group.chars() {
                        match c {
                            '{' => depth += 1,
                            '}' => depth -= 1,
                            ',' if depth == 1 => drop(used.insert(word(&std::mem::take(&mut item)))),
                            _ => item.push(c),
                        }
                        if depth == 0 {
                            break;
                        }
                    }
                    used.insert(word(&item));
                }
            }
        }
        used.remove("");
        used
    }
}

/// Applies a rule to everything; `bad` are samples it must refuse, `good` such that it must not.
fn check(
    rule: impl Fn(&Source) -> Option<String>,
    all: &[Source],
    bad: &[(&str, &str)],
    good: &[(&str, &str)],
) {
    for (path, text) in bad {
        assert!(rule(&Source::sample(path, text)).is_some(), "the rule lets {path} pass:\n{text}");
    }
    for (path, text) in good {
        assert_eq!(rule(&Source::sample(path, text)), None, "the rule refuses {path}:\n{text}");
    }
    let wrong: Vec<_> =
        all.iter().filter_map(|file| Some(format!("{}: {}", file.path, rule(file)?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn code_is_told_from_what_only_looks_like_it() {
    let text = "a // unsafe\n/* unsafe\n */ b \"unsafe \\\" unsafe\" c r#\"unsafe \" unsafe\"# d '\"' e \"x\" 'f' r\"\\\" g";
    let words = Source::sample("x.rs", text).words();
    assert_eq!(words.into_iter().collect::<String>(), "abcdefg");
    let used = "use crate::a::b; use crate::{c::{d, e}, f}; $crate::g; // crate::h\ncrate::i::j()";
    assert_eq!(Source::sample("x.rs", used).uses().into_iter().collect::<String>(), "acfi");
}

fn too_long(file: &Source) -> Option<String> {
    let lines = file.text.split("\n#[cfg(test)]\nmod tests {").next()?.lines().count();
    (!file.is_test() && lines > MOST_LINES).then(|| format!("{lines} lines; {MOST_LINES} are the most"))
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let (long, tests) =
        ("x\n".repeat(701), "\n#[cfg(test)]\nmod tests {\n".to_owned() + &"x\n".repeat(999) + "}\n");
    let good = [("src/x.rs", tests.as_str()), ("src/x/tests.rs", &long), ("tests/it/x.rs", &long)];
    check(too_long, &sources(), &[("src/x.rs", &long)], &good);
}

fn unopened(file: &Source) -> Option<String> {
    let named_tests = file.path.ends_with("/tests.rs") || file.path.ends_with("/tests/mod.rs");
    let opens = file.text.starts_with("//! ") || named_tests;
    (!opens).then(|| "does not open with what it owns, who calls it, what it must never do (//!)".to_owned())
}

#[test]
fn every_file_says_first_what_it_is() {
    let bad = [("src/x.rs", "use std::fs;\n"), ("src/x.rs", "// Owns x.\n"), ("src/x.rs", "//!\n")];
    check(
        unopened,
        &sources(),
        &bad,
        &[("src/x.rs", "//! Owns x.\n"), ("src/x/tests.rs", "use super::*;\n")],
    );
}

/// The flow goes from left to right; each folder or file of `src` with those it may use.
const ARROWS: [(&str, &[&str]); 18] = [
    ("src/base/", &["base"]),
    ("src/egress/", &["base", "egress"]),
    ("src/streams/", &["base", "streams"]),
    ("src/sources/", &["base", "egress", "streams", "sources"]),
    ("src/store/", &["base", "store"]),
    ("src/bus/", &["base", "bus"]),
    ("src/reading/", &["base", "streams", "reading"]),
    ("src/capture/", &["base", "egress", "streams", "sources", "store", "reading", "capture"]),
    ("src/events/", &["base", "bus", "streams", "reading", "capture", "events"]),
    ("src/record/", &["base", "streams", "record"]),
    ("src/players/", &["base", "streams", "players"]),
    ("src/compose/", &["base", "streams", "store", "players", "compose"]),
    ("src/outputs/", &["base", "egress", "store", "players", "compose", "outputs"]),
    ("src/bindings.rs", &["base", "streams", "events", "compose"]),
    ("src/cleanup.rs", &["base", "streams", "record"]),
    ("src/controls.rs", &["base", "store"]),
    ("src/roster.rs", &["base", "egress", "streams", "sources", "capture", "controls"]),
    (
        "src/api/",
        &[
            "base", "bus", "egress", "streams", "sources", "reading", "capture", "events", "record", "store",
            "players", "compose", "outputs", "cleanup", "controls", "api",
        ],
    ),
];

fn wrong_way(file: &Source) -> Option<String> {
    let (_, allowed) = ARROWS.iter().find(|(part, _)| file.path.starts_with(part))?;
    let used = file.uses();
    let wrong: Vec<_> = used.iter().filter(|used| !allowed.contains(&used.as_str())).collect();
    (!wrong.is_empty()).then(|| format!("uses {wrong:?}; it may use {allowed:?}"))
}

#[test]
fn modules_use_only_those_upstream_of_them() {
    let bad = [
        ("src/base/x.rs", "use crate::streams::Stream;"),
        ("src/streams/x.rs", "fn f() { crate::record::start() }"),
        ("src/sources/x.rs", "use crate::{base::clock::Clock, record};"),
        ("src/record/x.rs", "use crate::sources::push::Push;"),
        ("src/api/x.rs", "use crate::app::App;"),
        ("src/controls.rs", "use crate::streams::Registry;"),
    ];
    let good = [
        ("src/base/x.rs", "use crate::base::clock::Clock; // unlike crate::api"),
        ("src/app.rs", "use crate::api;"),
        ("src/cli/x.rs", "use crate::{api, app};"),
    ];
    check(wrong_way, &sources(), &bad, &good);
    let modules = std::fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().file_name());
    for module in modules {
        let module = module.to_string_lossy().into_owned();
        let free = ["app.rs", "cli", "main.rs", "lib.rs"].contains(&module.as_str());
        let bound = ARROWS.iter().any(|(part, _)| part.trim_end_matches('/') == format!("src/{module}"));
        assert!(free || bound, "src/{module} has no arrow here: say what it may use");
    }
}

/// Words that may be written in these folders only.
const ONLY_IN: [(&str, &[&str]); 3] = [
    ("ffmpeg_next", &["crates/media/"]),
    ("unsafe", &["crates/media/", "crates/pixels/", "crates/packs/src/readers/one_thread.rs"]),
    ("turbojpeg", &["crates/pixels/", "tests/it/", "fuzz/", "bench/"]),
];

fn out_of_place(file: &Source) -> Option<String> {
    let words = file.words();
    let wrong = ONLY_IN.iter().find(|(word, folders)| words.contains(*word) && !file.within(folders))?;
    Some(format!("{} is for {:?} only", wrong.0, wrong.1))
}

#[test]
fn foreign_libraries_and_unsafe_code_stay_behind_their_seams() {
    let bad = [
        ("src/record/x.rs", "use ffmpeg_next as ffmpeg;"),
        ("src/api/x.rs", "unsafe { f() }"),
        ("crates/sim/src/x.rs", "unsafe fn f() {}"),
        ("src/api/x.rs", "let x = turbojpeg::decompress();"),
    ];
    let good = [
        ("crates/media/src/x.rs", "use ffmpeg_next as f; unsafe { f() }"),
        ("src/x.rs", "#![deny(unsafe_code)] // unsafe, ffmpeg_next"),
    ];
    check(out_of_place, &sources(), &bad, &good);
}

/// What decides without the world: no sockets, no files, no clock, no threads.
const PURE: [&str; 29] = [
    "crates/draw/src/",
    "crates/render/src/",
    "crates/scene/src/",
    "crates/sound/src/",
    "crates/pixels/src/",
    "crates/sim/src/fault.rs",
    "crates/sim/src/picture/",
    "crates/sim/src/playlist.rs",
    "crates/media/src/multipart/",
    "crates/media/src/fmp4/",
    "crates/media/src/air/fmp4.rs",
    "crates/media/src/air/segmenter.rs",
    "crates/media/src/bitstream/",
    "crates/media/src/m3u8/",
    "crates/media/src/mux/",
    "crates/media/src/rtmp/",
    "crates/media/src/segment/",
    "crates/media/src/ts/",
    "crates/media/src/time.rs",
    "src/record/cut.rs",
    "src/record/overload.rs",
    "src/record/retention.rs",
    "src/record/timeline.rs",
    "src/streams/name.rs",
    "src/streams/publishers.rs",
    "src/api/rate.rs",
    "src/capture/schedule/",
    "src/compose/world/beat.rs",
    "src/players/timeline.rs",
];

fn impure(file: &Source) -> Option<String> {
    const WORLD: [&str; 7] = ["tokio", "TcpStream", "File", "Instant", "SystemTime", "thread", "sleep"];
    let words = file.words();
    let touched =
        WORLD.iter().find(|word| file.within(&PURE) && !file.is_test() && words.contains(**word))?;
    Some(format!("is pure and must not touch {touched}"))
}

#[test]
fn what_decides_touches_nothing_of_the_world() {
    let bad = [
        ("src/record/cut.rs", "use tokio::time::sleep;"),
        ("crates/pixels/src/x.rs", "let now = std::time::Instant::now();"),
        ("crates/media/src/multipart/x.rs", "std::fs::File::open(path)"),
    ];
    check(impure, &sources(), &bad, &[("src/record/disk.rs", "std::fs::File::open(path)")]);
    for part in PURE {
        assert!(root().join(part).exists(), "{part} is gone: mend this list");
    }
}

fn unfinished(file: &Source) -> Option<String> {
    let marks = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:"), concat!("HA", "CK")];
    let calls = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[igno", "re"),
    ];
    let found = marks.into_iter().chain(calls).find(|mark| file.text.contains(mark))?;
    Some(format!("has {found}"))
}

#[test]
fn nothing_is_left_for_later_in_the_sources() {
    let late = concat!("// TO", "DO: think");
    let ignored = concat!("#[igno", "re]\nfn f() {}");
    let bad = [("src/x.rs", late), ("src/x.rs", concat!("todo", "!()")), ("tests/it/x.rs", ignored)];
    check(unfinished, &files(&[".rs", ".py", ".js", ".css"]), &bad, &[("src/x.rs", "// Done.")]);
}

fn sleeps(file: &Source) -> Option<String> {
    let waits = file.path.starts_with("tests/it/") && file.words().contains("sleep");
    waits.then(|| "sleeps; wait for a condition (harness::eventually)".to_owned())
}

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let bad = [("tests/it/x.rs", "tokio::time::sleep(SECOND).await")];
    check(sleeps, &sources(), &bad, &[("tests/it/x.rs", "eventually(\"sleep\", look).await")]);
}

/// Paths that a page of the docs names: links to other files, and in `ARCHITECTURE.md` also what stands in backticks.
fn named(page: &Source) -> Vec<String> {
    let links = page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.map(|link| link.split('#').next().unwrap_or_default());
    let folder = Path::new(&page.path).parent().unwrap().to_string_lossy().into_owned();
    let links =
        links.filter(|link| !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:"));
    let mut paths: Vec<String> =
        links.map(|link| format!("{folder}/{link}").trim_start_matches('/').to_owned()).collect();
    if page.path == "ARCHITECTURE.md" {
        let quoted = page.text.split('`').skip(1).step_by(2);
        let path = |word: &&str| {
            let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
            let is_file = [".rs", ".md", ".toml", ".yml", ".yaml", ".py", ".js"]
                .iter()
                .any(|ending| word.ends_with(ending));
            plain && !word.starts_with('/') && (word.contains('/') || is_file)
        };
        paths.extend(quoted.filter(path).map(str::to_owned));
    }
    paths
}

fn dead_link(page: &Source) -> Option<String> {
    let dead: Vec<_> = named(page).into_iter().filter(|path| !root().join(path).exists()).collect();
    (!dead.is_empty()).then(|| format!("names {dead:?}, which are not there"))
}

#[test]
fn the_docs_name_files_that_exist() {
    let bad = [
        ("README.md", "see [how](docs/no-such-page.md)"),
        ("docs/x.md", "see [how](docs/time.md)"),
        ("ARCHITECTURE.md", "`src/no_such_file.rs` does it"),
    ];
    let good = [
        ("README.md", "see [how](docs/time.md#rules), [there](https://example.com/x.md) and `src/any.rs`"),
        ("docs/x.md", "see [how](time.md)"),
        ("ARCHITECTURE.md", "`src/app.rs`, `/health`, `kill -9`, `rec-<stream>/x`"),
    ];
    check(dead_link, &files(&[".md"]), &bad, &good);
}

/// The feature sets that cost minutes to build for nothing, and dependencies nobody can look up.
fn heavy(manifest: &Source) -> Option<String> {
    for line in manifest.text.lines() {
        let of = |name: &str| line.starts_with(&format!("{name} = ")) && !line.contains("workspace");
        let trimmed = |name: &str| of(name) && !line.contains("default-features = false");
        if line.contains("\"full\"") || line.contains("git = ") {
            return Some(format!("{line}: name the features, and a published version"));
        }
        if ["axum", "reqwest", "rustls", "turbojpeg", "proptest", "futures-util"].into_iter().any(trimmed) {
            return Some(format!("{line}: takes default features"));
        }
    }
    None
}

#[test]
fn dependencies_are_lean() {
    let bad = [
        ("Cargo.toml", "tokio = { version = \"1\", features = [\"full\"] }"),
        ("Cargo.toml", "axum = \"0.8\""),
        ("Cargo.toml", "x = { git = \"https://example.com/x\" }"),
    ];
    let good =
        [("Cargo.toml", "axum = { version = \"0.8\", default-features = false }\nproptest.workspace = true")];
    check(heavy, &files(&["Cargo.toml"]), &bad, &good);
    let pixels = std::fs::read_to_string(root().join("crates/pixels/Cargo.toml")).unwrap();
    assert!(!pixels.contains("tokio") && !pixels.contains("ffmpeg"), "pixels is pure");
}

#[test]
fn there_is_one_integration_test_binary() {
    let tests = std::fs::read_dir(root().join("tests")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(tests.collect::<Vec<_>>(), ["it"], "one binary links once, eight link eight times");
}
