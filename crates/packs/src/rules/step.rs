//! One reading: what it changes in the memory, and the events that come of it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::clock::{Clock, Mark, Run, Verdict};
use super::condition::{Change, Condition, Subject};
use super::state::{Opening, Recent, State};
use super::track::{Need, Sighting, Step};
use super::{Event, Rule, Ruleset};
use crate::expr::Expr;
use crate::value::{Read, Reading, Value};

/// Milliseconds by which pictures may come late; beyond it they are of another time.
const LATE: i64 = 60_000;
/// Milliseconds without a reading after which it is another match.
const SILENCE: i64 = 20 * 60_000;
/// Milliseconds for which a value that can't be read now still counts in a guard.
const RECENT: i64 = 60_000;
/// Seconds of the game's clock that are still its beginning.
const EARLY: i64 = 120;
/// Readings that are kept until it is known of when they are.
const ASIDE: usize = 32;
/// Readings that make a match which can end.
pub(super) const MATCH: u32 = 10;
/// Readings for a reset by another value than the clock.
const RESET: u32 = 4;

pub(super) fn step(
    rules: &Ruleset,
    state: &mut State,
    reading: Option<&Arc<Reading>>,
    at: i64,
) -> Vec<Event> {
    if state.print != rules.print {
        *state = State { print: rules.print, ..State::default() };
    }
    if state.last.is_some_and(|last| at <= last && last.saturating_sub(at) < LATE) {
        return Vec::new();
    }
    if state.last.is_some_and(|last| at < last) {
        *state = State { print: rules.print, ..State::default() };
    }
    state.tracks.resize_with(rules.rules.len(), Default::default);
    state.resets.resize_with(rules.reset.len(), Default::default);
    let mut now = Now { rules, at, moment: at, previous: state.last.replace(at), state, events: Vec::new() };
    if let Some(heard) = now.state.read.filter(|heard| at.saturating_sub(*heard) > SILENCE) {
        now.state.gone.get_or_insert(at);
        now.over(heard);
        *now.state = State { print: rules.print, last: Some(at), ..State::default() };
        now.state.tracks.resize_with(rules.rules.len(), Default::default);
        now.state.resets.resize_with(rules.reset.len(), Default::default);
    }
    if let Some(reading) = reading {
        now.state.readings.insert(at, Arc::clone(reading));
        now.screen(reading);
    }
    match reading.filter(|reading| counts(rules, reading)) {
        Some(reading) => now.read(reading),
        None => now.nothing(),
    }
    let mut events = now.events;
    state.tidy();
    events.sort_by_key(|event| event.at);
    events
}

/// Whether rules look at such a screen.
fn counts(rules: &Ruleset, reading: &Reading) -> bool {
    rules.screens.is_empty() || rules.screens.contains(&reading.screen)
}

/// One reading and what it is held against.
struct Now<'a> {
    rules: &'a Ruleset,
    state: &'a mut State,
    at: i64,
    /// The reading's that is taken now, which may have been put aside before.
    moment: i64,
    /// The picture before, whatever it showed.
    previous: Option<i64>,
    events: Vec<Event>,
}

impl Now<'_> {
    /// A picture without a screen that counts: perhaps the match is over.
    fn nothing(&mut self) {
        if let Some(heard) = self.state.read {
            self.state.gone.get_or_insert(self.at);
            self.over(heard);
        }
    }

    /// Events of a match whose screen has been gone since it was last seen at `heard`.
    fn over(&mut self, heard: i64) {
        let Some(gone) = self.state.gone.filter(|_| !self.state.ended && self.state.count >= MATCH) else {
            return;
        };
        let silent = self.at.saturating_sub(heard);
        let ends = |rule: &&Rule| matches!(rule.condition.change, Change::Ends(after) if silent >= after);
        let rules = self.rules;
        for rule in rules.rules.iter().filter(ends) {
            let trace = vec![format!("nothing of it for {} s", seconds(silent))];
            self.state.ended |= self.whole(rule, gone, self.state.sure.or(Some(heard)), trace);
        }
    }

    /// An event of the match as a whole; whether it is one.
    fn whole(&mut self, rule: &Rule, at: i64, after: Option<i64>, trace: Vec<String>) -> bool {
        let step = Step {
            from: None,
            to: None,
            after: after.unwrap_or(at),
            at,
            hits: Vec::new(),
            misses: 0,
            uncertain: None,
        };
        self.fire(rule, "", &step, trace)
    }

    /// A reading of a screen that counts: of now, or put aside until it is known of when it is.
    fn read(&mut self, reading: &Arc<Reading>) {
        let before = self.state.read.replace(self.at);
        self.state.left = self.state.gone.take().or(self.state.left);
        let Some(mark) = self.mark(reading) else {
            if !self.state.clock.is_astray() {
                self.take(reading, None);
            }
            return;
        };
        let last = self.state.clock.newest();
        let agrees = self.agrees(reading);
        let unborne = self.state.clock.is_unborne() && last.is_some_and(|last| !last.leads_to(mark));
        let verdict = self.state.clock.judge(mark, agrees, self.rules.back);
        let aside = std::mem::take(&mut self.state.aside);
        match verdict {
            Verdict::Now if last.is_some_and(|last| last.leads_to(mark)) => {}
            Verdict::Now => {
                if unborne {
                    self.state.forget_clock(self.rules);
                }
                self.catch_up(&aside);
            }
            Verdict::Anew => {
                self.state.forget();
                self.catch_up(&aside);
            }
            Verdict::Reset(run) => {
                self.another(run.first.at, last.map(|last| last.at), Some(&run));
                self.catch_up(&aside);
            }
            Verdict::Astray => {
                let run = self.state.clock.run();
                self.state.aside = aside;
                self.state.aside.retain(|at| run.is_some_and(|run| *at >= run.first.at));
                if run.is_some_and(|run| run.last == mark) && self.state.aside.len() < ASIDE {
                    self.state.aside.push(self.at);
                }
                return;
            }
        }
        self.take(reading, Some(mark));
        self.opening(mark, before, last.is_some_and(|last| last.leads_to(mark)));
    }

    /// Takes what was put aside and turns out to be of now.
    fn catch_up(&mut self, aside: &[i64]) {
        for at in aside {
            if let Some(reading) = self.state.readings.get(at).cloned() {
                self.moment = *at;
                let mark = self.mark(&reading);
                self.take(&reading, mark);
            }
        }
        self.moment = self.at;
    }

    /// A reading of now.
    fn take(&mut self, reading: &Arc<Reading>, mark: Option<Mark>) {
        // Where no clock has been read in this match, there is none to ask.
        let clock = mark.is_some() || self.rules.clock.is_none() || self.state.clock.newest().is_none();
        let rules = self.rules;
        for (number, condition) in rules.reset.iter().enumerate() {
            if condition.subject == Subject::Screen {
                continue;
            }
            let need = Need { confirm: RESET, first: RESET, clock: false };
            let steps = self.watch(condition, true, number, need, rules.min_confidence, reading, clock);
            if let Some((_, step)) = steps.into_iter().find(|(slot, step)| self.resets(condition, slot, step))
            {
                self.reset(&step, mark);
                break;
            }
        }
        self.state.sure = Some(self.moment);
        self.state.count = self.state.count.saturating_add(1);
        for (id, read) in &reading.values {
            if read.confidence >= self.rules.min_confidence {
                self.state.recent.insert(Arc::clone(id), Recent { at: self.moment, read: read.clone() });
            }
        }
        for (number, rule) in rules.rules.iter().enumerate() {
            if !matches!(rule.condition.subject, Subject::Match | Subject::Screen) {
                // What a clock showed is borne out by how it goes on.
                let first = if rules.about_clock(&rule.condition) { 1 } else { rule.confirm };
                let need = Need { confirm: rule.confirm, first, clock: rule.clock_forward };
                let steps =
                    self.watch(&rule.condition, false, number, need, rule.min_confidence, reading, clock);
                for (slot, step) in steps {
                    self.fire(rule, &slot, &step, Vec::new());
                }
            }
        }
    }

    /// Whether what else a reset waits for holds, too.
    fn resets(&self, condition: &Condition, slot: &str, step: &Step) -> bool {
        let Some(guard) = &condition.guard else { return true };
        let reading = |at: i64| self.state.readings.get(&at);
        let Some(after) = reading(step.at) else { return false };
        let before = reading(step.after).filter(|_| step.after < step.at).map(|reading| &**reading);
        let (subject, floor) = (&condition.subject, self.rules.min_confidence);
        self.holds(guard, &Scene { subject, floor, slot, step, before, after })
    }

    /// Another match by something else than its clock. The readings that showed it were taken for the match before; now they
    /// are the first of this one.
    fn reset(&mut self, step: &Step, mark: Option<Mark>) {
        let earlier = step.hits.iter().map(|(at, _)| *at).filter(|at| *at < self.moment);
        let known = |at: i64| Some((at, Arc::clone(self.state.readings.get(&at)?)));
        let earlier: Vec<(i64, Arc<Reading>)> =
            earlier.filter_map(known).filter(|(_, reading)| counts(self.rules, reading)).collect();
        let run = mark.map(|mark| Run::of(Mark { clock: mark.clock, at: step.at }));
        self.state.clock = Clock::default();
        self.another(step.at, Some(step.after), run.as_ref());
        let moment = self.moment;
        for (at, reading) in earlier {
            self.moment = at;
            let mark = self.mark(&reading);
            self.take(&reading, mark);
        }
        self.moment = moment;
    }

    fn mark(&self, reading: &Reading) -> Option<Mark> {
        let read = reading.values.get(self.rules.clock.as_ref()?)?;
        let number = read.value.number().filter(|_| read.confidence >= self.rules.min_confidence)?;
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let clock = number.clamp(-1e9, 1e9) as i64;
        Some(Mark { clock: if self.rules.countdown { -clock } else { clock }, at: self.moment })
    }

    /// Whether a reading shows nothing but what holds, of all that can go up or down.
    fn agrees(&self, reading: &Reading) -> bool {
        let rules = self.rules.rules.iter().zip(&self.state.tracks);
        rules.filter(|(rule, _)| matches!(rule.condition.change, Change::By { .. })).all(|(rule, tracks)| {
            slots(&rule.condition.subject, reading).iter().all(|(slot, id)| {
                let read = reading.values.get(id).filter(|read| read.confidence >= rule.min_confidence);
                let seen = read.and_then(|read| rule.condition.view(&read.value)).zip(tracks.get(slot));
                seen.is_none_or(|(value, track)| track.agrees(&value))
            })
        })
    }

    /// Another match began at `at`, with a clock that goes on as `run` does; the one before was last seen at `before`.
    fn another(&mut self, at: i64, before: Option<i64>, run: Option<&Run>) {
        let rules = self.rules;
        if !self.state.ended && self.state.count >= MATCH {
            // Over when its screen went, if it went.
            let between = |left: &i64| *left < at && before.is_none_or(|before| *left > before);
            let over = self.state.left.filter(between).unwrap_or(at);
            for rule in rules.rules.iter().filter(|rule| matches!(rule.condition.change, Change::Ends(_))) {
                self.whole(rule, over, before, vec!["another match began".to_owned()]);
            }
        }
        self.state.begin();
        if let Some(run) = run.filter(|run| rules.countdown || run.first.clock <= EARLY) {
            self.state.opening = Opening::Watched { before, first: at, last: run.last, count: run.count };
        }
    }

    /// Whether a match begins: a clock that was not there before and has just begun to run.
    /// `borne`: the clock of the reading before bears this one out.
    fn opening(&mut self, mark: Mark, before: Option<i64>, borne: bool) {
        let rules = self.rules;
        let begins = |rule: &&Rule| rule.condition.change == Change::Begins;
        let confirm = rules.rules.iter().filter(begins).map(|rule| rule.confirm).max().unwrap_or(1);
        let early = mark.clock <= EARLY && !rules.countdown;
        // What was there before: the match before, or a picture without any.
        let before = self.previous.max(before);
        self.state.opening = match self.state.opening {
            Opening::Open if early => Opening::Watched { before, first: self.at, last: mark, count: 1 },
            Opening::Late(_) if early => Opening::Open,
            Opening::Open => Opening::Late(1),
            Opening::Late(1) => Opening::Late(2),
            Opening::Late(_) | Opening::Done => Opening::Done,
            Opening::Watched { before, first, last, count } if last.leads_to(mark) => {
                Opening::Watched { before, first, last: mark, count: count + 1 }
            }
            // One that nothing bears out may be misread.
            watched @ Opening::Watched { .. } if !borne => watched,
            Opening::Watched { .. } => Opening::Open,
        };
        let Opening::Watched { before, first, count, .. } = self.state.opening else { return };
        if count < confirm {
            return;
        }
        self.state.opening = Opening::Done;
        if before.is_some() {
            for rule in rules.rules.iter().filter(begins) {
                self.whole(rule, first, before, vec![format!("the clock began; {count} readings")]);
            }
        }
    }

    /// Rules about which screen it is; those see all screens.
    fn screen(&mut self, reading: &Arc<Reading>) {
        let rules = self.rules;
        let read = shown(&reading.screen);
        for (number, condition) in rules.reset.iter().enumerate() {
            if condition.subject == Subject::Screen {
                let sighting = Sighting {
                    value: condition.view(&read.value),
                    at: self.at,
                    confidence: 1.0,
                    clock: true,
                };
                let track = self.state.resets[number].entry("".into()).or_default();
                let steps =
                    track.see(sighting, Need { confirm: RESET, first: RESET, clock: false }, condition);
                if let Some(step) = steps.iter().find(|step| self.resets(condition, "", step)) {
                    self.reset(step, None);
                    break;
                }
            }
        }
        for (number, rule) in rules.rules.iter().enumerate() {
            if rule.condition.subject == Subject::Screen {
                let need = Need { confirm: rule.confirm, first: rule.confirm, clock: false };
                let sighting = Sighting {
                    value: rule.condition.view(&read.value),
                    at: self.at,
                    confidence: 1.0,
                    clock: true,
                };
                let track = self.state.tracks[number].entry("".into()).or_default();
                for step in track.see(sighting, need, &rule.condition) {
                    self.fire(rule, "", &step, Vec::new());
                }
            }
        }
    }

    /// What a condition makes of a reading: the changes, with the slot of each.
    #[expect(clippy::too_many_arguments, reason = "rules and resets differ in all of it")]
    fn watch(
        &mut self,
        condition: &Condition,
        reset: bool,
        number: usize,
        need: Need,
        floor: f32,
        reading: &Reading,
        clock: bool,
    ) -> Vec<(Arc<str>, Step)> {
        let tracks = if reset { &mut self.state.resets[number] } else { &mut self.state.tracks[number] };
        let absence = match condition.change {
            Change::Appears | Change::Disappears => Some(None),
            Change::Becomes(_) => Some(Some(Value::Flag(false))),
            _ => None,
        };
        let mut steps = Vec::new();
        let seen = slots(&condition.subject, reading);
        if let (Subject::Slots(_), Some(absent)) = (&condition.subject, &absence) {
            // Slots that were never seen share a memory, and take a copy of it along when they are.
            let blank = tracks.entry("".into()).or_default().clone();
            for (slot, _) in &seen {
                tracks.entry(Arc::clone(slot)).or_insert_with(|| blank.clone());
            }
            for (slot, track) in
                tracks.iter_mut().filter(|(slot, _)| !seen.iter().any(|(seen, _)| seen == *slot))
            {
                let sighting = Sighting { value: absent.clone(), at: self.moment, confidence: 1.0, clock };
                let found = track.see(sighting, need, condition);
                steps.extend(found.into_iter().map(|step| (Arc::clone(slot), step)));
            }
        }
        for (slot, id) in seen {
            let (value, confidence) = match reading.values.get(&id) {
                Some(read) if read.confidence < floor => continue,
                Some(read) => (condition.view(&read.value), read.confidence),
                None => match &absence {
                    Some(absent) => (absent.clone(), 1.0),
                    None => continue,
                },
            };
            // A text where a number should be is misread.
            if value.is_none() && reading.values.contains_key(&id) {
                continue;
            }
            let sighting = Sighting { value, at: self.moment, confidence, clock };
            let found = tracks.entry(Arc::clone(&slot)).or_default().see(sighting, need, condition);
            steps.extend(found.into_iter().map(|step| (Arc::clone(&slot), step)));
        }
        steps.retain(|(slot, _)| !(slot.is_empty() && matches!(condition.subject, Subject::Slots(_))));
        steps
    }

    /// Makes an event of a change, unless something speaks against it; whether it did.
    fn fire(&mut self, rule: &Rule, slot: &str, step: &Step, mut trace: Vec<String>) -> bool {
        let before = self.state.readings.get(&step.after).filter(|_| step.after < step.at).cloned();
        let ends = matches!(rule.condition.change, Change::Ends(_));
        let after = if ends { &before } else { &self.state.readings.get(&step.at).cloned() };
        let Some(after) = after.clone().or_else(|| self.state.readings.get(&self.at).cloned()) else {
            return false;
        };
        let scene = Scene {
            subject: &rule.condition.subject,
            floor: rule.min_confidence,
            slot,
            step,
            before: before.as_deref(),
            after: &after,
        };
        let guards = rule.condition.guard.iter().map(|guard| (&*rule.when, guard));
        for (text, guard) in guards.chain(rule.guard.iter().map(|(text, guard)| (&**text, guard))) {
            if !self.holds(guard, &scene) {
                return false;
            }
            trace.push(format!("holds: {text}"));
        }
        let name = match rule.condition.subject {
            Subject::Slots(_) => format!("{} {slot}", rule.kind),
            _ => rule.kind.to_string(),
        };
        let last = self.state.fired.get(&name);
        if last.is_some_and(|last| rule.cooldown > 0 && step.at.saturating_sub(*last) < rule.cooldown) {
            return false;
        }
        let place = format!("{} {slot}", rule.when);
        if rule.once && !self.state.done.insert(place) {
            return false;
        }
        self.state.fired.insert(name, step.at);
        let mut lines = scene.lines(rule);
        lines.append(&mut trace);
        let mut data: serde_json::Map<String, Json> = rule
            .data
            .iter()
            .map(|(key, template)| (key.clone(), template.fill(|name| self.said(name, &scene))))
            .collect();
        let mut confidence = step.hits.iter().map(|(_, confidence)| *confidence).fold(1.0, f32::min);
        if let Some(steps) = step.uncertain {
            data.insert("uncertain".to_owned(), json!(true));
            data.insert("steps".to_owned(), json!(steps));
            confidence /= 2.0;
        }
        let known = (step.after < step.at).then_some(step.after);
        let values = scene.values(rule, self.rules.clock.as_deref());
        self.events.push(Event {
            kind: Arc::clone(&rule.kind),
            at: step.at,
            after: known,
            confirmed: self.at,
            data,
            before_reading: before,
            values,
            after_reading: after,
            confidence,
            trace: lines,
            clip: rule.clip,
        });
        true
    }

    /// Whether a guard holds: by what the reading says, and where it says nothing, by what was read lately.
    fn holds(&self, guard: &Expr, scene: &Scene<'_>) -> bool {
        // A screen is no value of a reading, but the reading's own.
        let screen = |reading: Option<&Reading>| reading.map(|reading| shown(&reading.screen));
        let screens = (screen(scene.before), screen(Some(scene.after)));
        let look = |name: &str| {
            let (reading, own, until) = match name.strip_prefix("before.") {
                Some("screen") => return screens.0.as_ref(),
                Some(name) => (scene.before, scene.own(name), scene.step.after),
                None if name == "screen" => return screens.1.as_ref(),
                None => (Some(scene.after), scene.own(name), self.at),
            };
            let read = reading.and_then(|reading| reading.values.get(&*own));
            let lately = |recent: &&Recent| recent.at <= until && until.saturating_sub(recent.at) <= RECENT;
            let recent = || self.state.recent.get(&*own).filter(lately).map(|recent| &recent.read);
            read.filter(|read| read.confidence >= scene.floor).or_else(recent)
        };
        guard.holds(&look) == Some(true)
    }

    /// What stands for a name in an event's text.
    fn said(&self, name: &str, scene: &Scene<'_>) -> Option<Json> {
        let (earlier, plain) = match name.strip_prefix("before.") {
            Some(plain) => (true, plain),
            None => (false, name),
        };
        let item = |reading: Option<&Reading>| match reading?.value(&scene.id())? {
            Value::Item(item) => Some(Arc::clone(item)),
            _ => None,
        };
        let (before, after) = (scene.before, Some(scene.after));
        match plain {
            "slot.number" => scene.slot.parse::<u32>().ok().map(|number| json!(number)),
            "value" => {
                let reading = if earlier { before } else { after };
                reading?.value(&scene.id()).map(Value::json)
            }
            "change" => {
                let number = |value: &Option<Value>| value.as_ref().and_then(Value::number);
                let by = number(&scene.step.to)? - number(&scene.step.from)?;
                #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
                Some(if by.fract() == 0.0 && by.abs() < 1e9 { json!(by as i64) } else { json!(by) })
            }
            "screen" if earlier => before.map(|reading| json!(&*reading.screen)),
            "screen" => Some(json!(&*scene.after.screen)),
            _ => match plain.strip_prefix("slot.") {
                Some(field) if earlier => item(before)?.fields.get(field).cloned(),
                Some(field) => item(after).or_else(|| item(before))?.fields.get(field).cloned(),
                None if earlier => before?.value(&scene.own(plain)).map(Value::json),
                None => {
                    let own = scene.own(plain);
                    let recent = || self.state.recent.get(&*own).map(|recent| recent.read.value.json());
                    scene.after.value(&own).map(Value::json).or_else(recent)
                }
            },
        }
    }
}

/// A change and the readings around it.
struct Scene<'a> {
    subject: &'a Subject,
    /// The least confidence that counts.
    floor: f32,
    slot: &'a str,
    step: &'a Step,
    before: Option<&'a Reading>,
    after: &'a Reading,
}

impl Scene<'_> {
    /// The id of the value that changed.
    fn id(&self) -> String {
        match self.subject {
            Subject::Value(id) => id.to_string(),
            Subject::Slots(list) => format!("{list}.{}", self.slot),
            Subject::Screen => "screen".to_owned(),
            Subject::Match => String::new(),
        }
    }

    /// The id that a name means here: `*` is the slot that changed.
    fn own(&self, name: &str) -> String {
        name.strip_suffix(".*").map_or_else(|| name.to_owned(), |list| format!("{list}.{}", self.slot))
    }

    /// The ids of all values that the rule, what it says, and the game's clock are about.
    fn values(&self, rule: &Rule, clock: Option<&str>) -> Vec<String> {
        let guards = rule.condition.guard.iter().chain(rule.guard.iter().map(|(_, guard)| guard));
        let said = rule.data.iter().flat_map(|(_, text)| text.names());
        let plain = |name: &str| self.own(name.strip_prefix("before.").unwrap_or(name));
        let mut values: Vec<String> = guards.flat_map(Expr::names).chain(said).map(plain).collect();
        values.extend(clock.map(str::to_owned));
        values.push(self.id());
        values.retain(|id| !id.is_empty());
        values.sort();
        values.dedup();
        values
    }

    /// What led to it.
    fn lines(&self, rule: &Rule) -> Vec<String> {
        let step = self.step;
        let mut lines = vec![format!("rule: {} when {}", rule.kind, rule.when)];
        if step.hits.is_empty() {
            return lines;
        }
        let id = self.id();
        let shown = |reading: Option<&Reading>| {
            reading
                .and_then(|reading| reading.value(&id))
                .map_or_else(|| "not there".to_owned(), Value::to_string)
        };
        lines.push(format!(
            "{id} was {}, last read {} s before",
            shown(self.before),
            seconds(step.at - step.after)
        ));
        for (at, confidence) in &step.hits {
            let later = seconds(at - step.at);
            lines.push(format!(
                "{id} is {}, read after {later} s (confidence {confidence:.2})",
                shown(Some(self.after))
            ));
        }
        if step.misses > 0 {
            lines.push(format!("{} readings in between said something else", step.misses));
        }
        if let Some(steps) = step.uncertain {
            lines.push(format!("{steps} steps at once while nothing could be read: uncertain"));
        }
        lines
    }
}

/// The name of a screen, as a value.
fn shown(screen: &Arc<str>) -> Read {
    Read { value: Value::Text(Arc::clone(screen)), confidence: 1.0 }
}

/// The slots a subject has in a reading, with the ids of their values; one value is one slot called "".
fn slots(subject: &Subject, reading: &Reading) -> Vec<(Arc<str>, Arc<str>)> {
    match subject {
        Subject::Value(id) => vec![("".into(), Arc::clone(id))],
        Subject::Slots(list) => {
            let number = |id: &Arc<str>| {
                let number = id.strip_prefix(&**list)?.strip_prefix('.')?;
                number.parse::<u16>().ok().map(|_| (Arc::from(number), Arc::clone(id)))
            };
            reading.values.keys().filter_map(number).collect()
        }
        Subject::Screen | Subject::Match => Vec::new(),
    }
}

fn seconds(millis: i64) -> String {
    format!("{}.{}", millis / 1000, millis.rem_euclid(1000) / 100)
}
