//! From the rules as they are written to those that are followed, with every mistake by its path.

use std::sync::Arc;

use super::condition::{Change, Condition, Subject, parse_guard};
use super::data::Template;
use super::{Rule, Ruleset, millis};
use crate::raw;

/// Events of a pack, and conditions of its reset.
const MOST_RULES: usize = 200;
/// Readings for one event.
const MOST_CONFIRM: u32 = 20;
/// Seconds before an event that its clip shows, unless said.
const BEFORE: f64 = 20.0;

struct Check<'a> {
    known: &'a [Arc<str>],
    clock: Option<&'a str>,
    wrong: Vec<(String, String)>,
}

pub(super) fn check(
    rules: &raw::Rules,
    events: &[raw::Event],
    known: &[Arc<str>],
) -> Result<Ruleset, Vec<(String, String)>> {
    let mut check = Check { known, clock: rules.clock.as_deref(), wrong: Vec::new() };
    if let Some(clock) = &rules.clock
        && !check.knows(clock)
    {
        check.unknown("rules.clock", clock);
    }
    check.share(rules.min_confidence, "rules.min_confidence");
    for (path, count) in [("event", events.len()), ("rules.reset", rules.reset.len())] {
        if count > MOST_RULES {
            check.wrong(path, format!("there are {count}; {MOST_RULES} are the most"));
            return Err(check.wrong);
        }
    }
    let (mut back, mut reset) = (None, Vec::new());
    for (number, text) in rules.reset.iter().enumerate() {
        let path = format!("rules.reset[{number}]");
        let Some(mut condition) = check.condition(&path, text) else { continue };
        let clock = matches!(&condition.subject, Subject::Value(id) if Some(&**id) == check.clock);
        match &mut condition.change {
            // By so much or more: a new match begins wherever it begins.
            Change::By { up, least, most } => {
                *most = f64::MAX;
                if clock && *up != rules.countdown {
                    check.wrong(&path, "a new match does not set the clock forward");
                }
                if clock {
                    if condition.guard.is_some() {
                        check.wrong(&path, "a reset by the clock takes no `and`");
                    }
                    back = Some(millis(least.clamp(1.0, 86_400.0)) / 1000);
                    continue;
                }
            }
            Change::Begins | Change::Ends(_) => {
                check.wrong(&path, "a match begins with a reset; what brings one?");
            }
            _ if clock => {
                check.wrong(&path, "the clock changes all the time: say `decreases by` how many seconds");
            }
            _ => {}
        }
        reset.push(condition);
    }
    let rules_of: Vec<_> =
        events.iter().enumerate().filter_map(|(n, event)| check.rule(n, event, rules)).collect();
    if !check.wrong.is_empty() {
        return Err(check.wrong);
    }
    Ok(Ruleset {
        clock: rules.clock.as_deref().map(Arc::from),
        countdown: rules.countdown,
        back,
        reset,
        screens: rules.screens.iter().map(|screen| screen.as_str().into()).collect(),
        min_confidence: rules.min_confidence,
        rules: rules_of,
        print: print(rules, events),
    })
}

impl Check<'_> {
    fn wrong(&mut self, path: &str, message: impl Into<String>) {
        self.wrong.push((path.to_owned(), message.into()));
    }

    fn unknown(&mut self, path: &str, name: &str) {
        let all: Vec<_> = self.known.iter().map(|id| &**id).collect();
        self.wrong(path, format!("there is no value {name:?}; there are {}", all.join(", ")));
    }

    fn share(&mut self, share: f32, path: &str) {
        if !(0.0..=1.0).contains(&share) {
            self.wrong(path, format!("{share} is not 0 to 1"));
        }
    }

    /// Whether there is such a value; an item of a list by its number, too.
    fn knows(&self, name: &str) -> bool {
        let item = |(list, number): (&str, &str)| {
            number.parse::<u16>().is_ok() && self.known.iter().any(|id| id.strip_suffix(".*") == Some(list))
        };
        self.known.iter().any(|id| **id == *name) || name.rsplit_once('.').is_some_and(item)
    }

    fn condition(&mut self, path: &str, text: &str) -> Option<Condition> {
        let condition = Condition::parse(text).map_err(|message| self.wrong(path, message)).ok()?;
        match &condition.subject {
            Subject::Value(id) if !self.knows(id) => self.unknown(path, id),
            Subject::Slots(list) if !self.knows(&format!("{list}.*")) => {
                self.unknown(path, &format!("{list}.*"))
            }
            Subject::Match if self.clock.is_none() && condition.change == Change::Begins => {
                self.wrong(path, "`match begins` needs the rules' clock");
            }
            _ => {}
        }
        let names: Vec<String> =
            condition.guard.iter().flat_map(|guard| guard.names().map(str::to_owned)).collect();
        self.names(path, names.iter().map(String::as_str), &condition.subject, false);
        Some(condition)
    }

    /// Whether all names of a guard or a text are there.
    fn names<'n>(&mut self, path: &str, names: impl Iterator<Item = &'n str>, of: &Subject, text: bool) {
        let slots = matches!(of, Subject::Slots(_));
        for name in names {
            let plain = name.strip_prefix("before.").unwrap_or(name);
            let own = match plain {
                "value" | "slot.number" if text => plain == "value" || slots,
                "change" if text => true,
                "screen" => true,
                _ if text && slots && plain.starts_with("slot.") => true,
                _ => match plain.strip_suffix(".*") {
                    // Which slot, only a rule of slots can say.
                    Some(list) => matches!(of, Subject::Slots(own) if **own == *list),
                    None => self.knows(plain),
                },
            };
            if !own {
                self.unknown(path, name);
            }
        }
    }

    fn rule(&mut self, number: usize, raw: &raw::Event, rules: &raw::Rules) -> Option<Rule> {
        let path = |key: &str| format!("event[{number}].{key}");
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if raw.kind.is_empty() || raw.kind.len() > 32 || !raw.kind.bytes().all(letter) {
            self.wrong(&path("type"), format!("{:?} is not 1 to 32 of a-z, 0-9 and _", raw.kind));
        }
        if !(1..=MOST_CONFIRM).contains(&raw.confirm) {
            self.wrong(&path("confirm"), format!("{} is not 1 to {MOST_CONFIRM} readings", raw.confirm));
        }
        let day = |seconds: f64| (0.0..=86_400.0).contains(&seconds);
        for (key, seconds) in [("cooldown", Some(raw.cooldown)), ("before", raw.before), ("after", raw.after)]
        {
            let most = if key == "cooldown" { 86_400.0 } else { 600.0 };
            if let Some(seconds) = seconds.filter(|seconds| !day(*seconds) || *seconds > most) {
                self.wrong(&path(key), format!("{seconds} is not 0 to {most} seconds"));
            }
        }
        if let Some(share) = raw.min_confidence {
            self.share(share, &path("min_confidence"));
        }
        if raw.clock_forward && rules.clock.is_none() {
            self.wrong(&path("clock_forward"), "there is no clock: name it in [rules]");
        }
        let condition = self.condition(&path("when"), &raw.when)?;
        let clock = matches!(&condition.subject, Subject::Value(id) if Some(&**id) == self.clock);
        if clock && matches!(condition.change, Change::By { .. } | Change::Changes) {
            self.wrong(
                &path("when"),
                "the clock changes all the time: wait for it to pass a value, or to become one",
            );
        }
        let guard = raw.only_if.as_deref().and_then(|text| match parse_guard(text) {
            Ok(guard) => Some((Arc::from(text), guard)),
            Err(message) => {
                self.wrong(&path("if"), message);
                None
            }
        });
        if let Some((_, guard)) = &guard {
            self.names(&path("if"), guard.names(), &condition.subject, false);
        }
        let mut data = Vec::new();
        for (key, text) in &raw.data {
            let path = path(&format!("data.{key}"));
            match Template::parse(text) {
                Ok(template) => {
                    self.names(&path, template.names(), &condition.subject, true);
                    data.push((key.clone(), template));
                }
                Err(message) => self.wrong(&path, message),
            }
        }
        Some(Rule {
            kind: raw.kind.as_str().into(),
            when: raw.when.as_str().into(),
            condition,
            guard,
            confirm: raw.confirm,
            cooldown: millis(raw.cooldown.clamp(0.0, 86_400.0)),
            once: raw.once,
            min_confidence: raw.min_confidence.unwrap_or(rules.min_confidence),
            clock_forward: raw.clock_forward,
            data,
            clip: (raw.before.unwrap_or(BEFORE), raw.after.unwrap_or(0.0)),
        })
    }
}

/// A number that differs when the rules do (FNV-1a of their text).
fn print(rules: &raw::Rules, events: &[raw::Event]) -> u64 {
    let text = format!("{rules:?} {events:?}");
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
