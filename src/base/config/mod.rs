//! Settings: where they come from, which of them win, and what is wrong with them.
//!
//! [`SETTINGS`] lists every setting once. [`resolve`] gathers values from the command line, the environment, the YAML
//! file and the defaults (the first that has one wins), checks them all, also those that lose, and gives a typed
//! [`Config`] or every mistake at once. What `PUT /api/config` stored, which wins over the file, is put in by
//! [`Resolved::restored`] once the store can be read. Called before any port is bound. Values of secrets
//! appear in no message and no view.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

mod change;
mod dotenv;
mod file;
mod kind;
mod mistakes;
mod net;
mod resolved;
mod setting;
mod table;
mod typed;
mod values;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;

pub use change::validate_change;
pub use kind::Kind;
pub use mistakes::{Mistake, Mistakes, Origin};
pub use net::{Cidr, NotACidr, Port, origin};
pub use resolved::{Resolved, SettingView};
pub use setting::{Effect, Setting};
pub use table::{LATER_SECTIONS, SETTINGS, find};
pub use typed::{
    Auth, Bus, Capture, Cleanup, Codec, Compositor, Config, Egress, Level, Limits, LogFormat, Logging,
    Outputs, Preset, Recording, Server, Store, Streams, Twitch, Twitter,
};

use resolved::{Given, Layers, finish};

/// The file read when none is named.
const DEFAULT_FILE: &str = "config.yaml";

/// Everything that may set something.
#[derive(Clone, Default)]
pub struct Inputs {
    /// `None`: `./config.yaml` if it exists.
    pub file: Option<PathBuf>,
    pub env: BTreeMap<String, String>,
    /// Key and text, from the command line; the last of two wins.
    pub overrides: Vec<(String, String)>,
}

impl Inputs {
    /// With the environment of this process, under it the `.env` file of the working folder.
    pub fn from_process(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Result<Self, Mistakes> {
        let own = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        let mut env = dotenv_file(Path::new(".env"))?;
        // An empty variable sets nothing, here or in the file.
        env.extend(std::env::vars_os().filter_map(own).filter(|(_, value)| !value.is_empty()));
        Ok(Self { file, env, overrides })
    }
}

fn dotenv_file(path: &Path) -> Result<BTreeMap<String, String>, Mistakes> {
    let mistake = |line, problem: String| Mistake::new(Origin::File { path: path.to_owned(), line }, problem);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Mistakes(vec![mistake(0, format!("can't be read: {error}"))])),
    };
    dotenv::parse(&text).map_err(|lines| {
        let not_one = "not a line such as NAME=value";
        Mistakes(lines.into_iter().map(|line| mistake(line as u64, not_one.to_owned())).collect())
    })
}

/// Gathers, checks, and builds; or says everything that is wrong.
pub fn resolve(inputs: &Inputs) -> Result<Resolved, Mistakes> {
    let path = inputs.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let file::Contents { values, notes, mut mistakes } = file::read(path, inputs.file.is_some());
    let mut gathered = Gathered::default();
    for (setting, value, origin) in values {
        gathered.add(setting, &value, origin);
    }
    gathered.environment(&inputs.env);
    gathered.command_line(&inputs.overrides);
    mistakes.append(&mut gathered.mistakes);
    finish(gathered.layers, notes, mistakes)
}

#[derive(Default)]
struct Gathered {
    layers: Layers,
    mistakes: Vec<Mistake>,
}

impl Gathered {
    fn add(&mut self, setting: &'static Setting, value: &Value, origin: Origin) {
        match setting.check(value) {
            Some(value) => {
                let given = self.layers.entry(setting.key).or_default();
                given.retain(|given| given.origin != origin);
                given.push(Given { value, origin });
            }
            None => self.mistakes.push(Mistake::bad_value(origin, setting, value)),
        }
    }

    fn environment(&mut self, env: &BTreeMap<String, String>) {
        let set = |name: &&str| env.get(*name).map(|text| text.trim()).filter(|text| !text.is_empty());
        for setting in SETTINGS {
            if let Some((name, text)) = setting.env.iter().find_map(|name| Some((name, set(name)?))) {
                self.add(setting, &setting.read(text), Origin::Environment((*name).to_owned()));
            }
        }
        let production = set(&table::NODE_ENV).is_some_and(|text| text.eq_ignore_ascii_case("production"));
        if production {
            let format = self.layers.entry("logging.format").or_default();
            let origin = Origin::Environment(table::NODE_ENV.to_owned());
            // Only a default: whatever else is set wins.
            format.insert(0, Given { value: json!(LogFormat::Json.word()), origin });
        }
    }

    fn command_line(&mut self, overrides: &[(String, String)]) {
        for (key, text) in overrides {
            match find(key) {
                Some(setting) => self.add(setting, &setting.read(text), Origin::CommandLine),
                None => {
                    let meant = mistakes::closest(key, SETTINGS.iter().map(|setting| setting.key));
                    let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
                    let problem = format!("{key} is not a setting{hint}");
                    self.mistakes.push(Mistake::new(Origin::CommandLine, problem));
                }
            }
        }
    }
}
