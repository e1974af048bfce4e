//! `config.example.yaml` and `.env.example` say what the table says: written from it, and compared with it here.
//!
//! After a change of the table: `UPDATE_EXAMPLES=1 cargo test --lib examples`.

use std::fmt::Write as _;

use super::*;

const YAML_HEAD: &str = "\
# Every setting of onair with its default. Copy this file to config.yaml, or start with --config <file>, and keep only
# what you change. What wins, first to last: command line, environment (with the .env file), what PUT /api/config has
# set, this file, default. A bad value stops the start with a line for each mistake.
# GB and MB are 1024³ and 1024² bytes. \"Live\" settings may also be changed while onair runs, through PUT /api/config.
";

const ENV_HEAD: &str = "\
# Environment variables of onair, each with its default. Copy this file to .env in the folder onair is started in, and
# take the # from what you change. Variables that are really set win over that file; an empty one counts as not set.
# What is set here can't be changed through PUT /api/config.
";

fn yaml() -> String {
    let (mut text, mut current) = (YAML_HEAD.to_owned(), "");
    for setting in SETTINGS {
        let (section, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        let depth = if section.is_empty() { 0 } else { section.split('.').count() };
        let indent = "  ".repeat(depth);
        if section != current {
            match section.split_once('.') {
                Some((outer, inner)) => {
                    assert_eq!(outer, current, "an inner section follows its outer one");
                    writeln!(text, "  {inner}:").unwrap();
                }
                None if section.is_empty() => text.push('\n'),
                None => writeln!(text, "\n{section}:").unwrap(),
            }
            current = section;
        }
        let environment =
            if setting.env.is_empty() { String::new() } else { format!(" {}.", setting.env.join(", ")) };
        let live = if setting.live { " Live." } else { "" };
        writeln!(text, "{indent}# {}", setting.doc).unwrap();
        writeln!(text, "{indent}# Takes {}.{environment}{live}", setting.allowed()).unwrap();
        let value = setting.default();
        match value.as_str().filter(|text| !text.contains(':')) {
            Some(plain) => writeln!(text, "{indent}{name}: {plain}").unwrap(),
            None => writeln!(text, "{indent}{name}: {value}").unwrap(),
        }
    }
    text
}

fn env() -> String {
    let mut text = ENV_HEAD.to_owned();
    for setting in SETTINGS {
        let value = match setting.default() {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        for name in setting.env {
            write!(text, "\n# {} ({})\n#{name}={value}\n", setting.doc, setting.key).unwrap();
        }
    }
    writeln!(text, "\n# production makes json the default of logging.format.\n#{}=", table::NODE_ENV)
        .unwrap();
    text
}

/// The file in the root of the project; brought up to date first if that is asked for.
fn file(name: &str, expected: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_example_file_is_what_the_table_says() {
    let text = file("config.example.yaml", &yaml());
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(140), "a line of {longest:?} characters");
    assert!(text == yaml(), "config.example.yaml is out of date: see the head of this test's file");
}

#[test]
fn the_example_file_has_every_setting_at_its_default_and_nothing_else() {
    let text = file("config.example.yaml", &yaml());
    let contents = super::file::parse(Path::new("config.example.yaml"), text.as_bytes());
    assert_eq!((contents.mistakes.as_slice(), contents.notes.as_slice()), ([].as_slice(), [].as_slice()));
    let keys: Vec<_> = contents.values.iter().map(|(setting, ..)| setting.key).collect();
    let expected: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    assert_eq!(keys, expected);
    for (setting, value, origin) in &contents.values {
        assert_eq!(setting.check(value), Some(setting.default()), "{origin}");
    }
}

#[test]
fn the_example_environment_has_every_name_at_its_default() {
    let text = file(".env.example", &env());
    assert!(text == env(), ".env.example is out of date: see the head of this test's file");
    let set = dotenv::parse(&text.replace("\n#", "\n").replace("\n ", "\n# ")).unwrap();
    for setting in SETTINGS {
        for name in setting.env {
            let text = &set[*name];
            let value = if text.is_empty() { Value::Null } else { setting.read(text) };
            assert_eq!(setting.check(&value), Some(setting.default()), "{name}");
        }
    }
    assert!(dotenv::parse(&text).unwrap().is_empty(), "a copy sets nothing");
}
