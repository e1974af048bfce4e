//! One frame after the other.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pixels::compose::{Affine, Canvas, Colour, Rect};
use pixels::{I420, Matrix, Range};
use rayon::prelude::*;
use scene::content::Content;
use scene::frame::{Drawn, List};
use scene::{Color, Frame, Id, Layer, Store};

use crate::damage::{Damage, TILE};
use crate::face::{Face, Moment};
use crate::op::{Key, Op, share};
use crate::plan::Plan;
use crate::scope::{After, Scope};
use crate::studio::{Made, Studio};
use crate::world::{Source, Want, World};

/// Composes a scene, frame by frame. Owns the canvas and everything that is kept from one frame to the next.
#[derive(Debug)]
pub struct Engine {
    frame: Frame,
    stages: [Stage; 2],
    /// When the transition that is under way began.
    turn: Option<f64>,
    plan: Plan,
    canvas: Canvas,
    damage: Damage,
    ground: Colour,
    out: Outlet,
    owners: u64,
    /// Bytes that pictures of layers may take.
    room: usize,
    figures: Figures,
}

/// The faces and scopes of one scene: the one on air, or the one that leaves.
#[derive(Debug, Default)]
struct Stage {
    faces: BTreeMap<Id, Face>,
    scopes: BTreeMap<Id, Scope>,
    masks: BTreeMap<Id, Scope>,
    /// The whole scene, where a transition does not simply show it.
    whole: Option<Scope>,
}

/// What the last frame took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Frames since the start.
    pub frames: u64,
    /// Pictures of layers that were drawn, since the start.
    pub drawn: u64,
    /// Pixels of the canvas that the last frame composed again.
    pub composed: u64,
    /// Pictures that were laid.
    pub laid: usize,
    /// Bytes held by pictures, canvases and frames.
    pub memory: usize,
}

/// A layer that can't be shown as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    pub layer: &'a Id,
    pub why: &'a str,
}

impl Engine {
    /// Bytes of the pictures of all layers together.
    const ROOM: usize = 1 << 30;
    /// Pixels laid that one thread does alone: some two milliseconds.
    const ALONE: u64 = 8_000_000;

    /// For a canvas of that many px; odd sides are rounded up.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        // Bands end where tiles do, and are many enough for all cores to be busy to the end.
        let bands = height.div_ceil(TILE.1 * 4).max(1);
        let mut canvas = Canvas::new(width, height, bands);
        let aligned = canvas.as_bands().iter().all(|band| band.area().top.unsigned_abs() % TILE.1 == 0);
        if !aligned {
            canvas = Canvas::new(width, height, 1);
        }
        let (width, height) = (canvas.width(), canvas.height());
        let mut damage = Damage::new(width, height);
        damage.mark_all();
        Self {
            frame: Frame::default(),
            stages: Default::default(),
            turn: None,
            plan: Plan::default(),
            canvas,
            out: Outlet::new(&damage),
            damage,
            ground: Colour::CLEAR,
            owners: 0,
            room: Self::ROOM,
            figures: Figures::default(),
        }
    }

    /// With room for so many bytes of pictures of layers: what would take more keeps its last picture, with a trouble.
    #[must_use]
    pub fn with_room(self, room: usize) -> Self {
        Self { room, ..self }
    }

    /// The scene at program time `now` (ms), as a picture that stays as it is for as long as somebody holds it.
    ///
    /// What layers show is asked of `world`, what has to be drawn is handed to `studio`. A frame in which nothing has
    /// changed is the one before.
    pub fn step(&mut self, store: &Store, world: &dyn World, studio: &mut dyn Studio, now: f64) -> Arc<I420> {
        self.frame.evaluate(store, world, now);
        self.turn_stages();
        let moment = Moment { world, now, store, width: f64::from(self.canvas.width()) };
        self.look(&moment, studio);
        self.collect(studio);
        self.lay(&moment);
        self.compose()
    }

    /// Pixels of a frame.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.canvas.width(), self.canvas.height())
    }

    /// Layers that can't be shown as they should be.
    pub fn troubles(&self) -> impl Iterator<Item = Trouble<'_>> {
        let faces = self.stages[0].faces.iter();
        faces.filter_map(|(layer, face)| face.error.as_deref().map(|why| Trouble { layer, why }))
    }

    /// Figures; `memory` is counted when it is asked for.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let scopes = self.stages.iter().flat_map(|stage| {
            stage.scopes.values().chain(stage.masks.values()).chain(&stage.whole).map(Scope::memory)
        });
        let faces = self.stages.iter().flat_map(|stage| stage.faces.values().map(Face::memory));
        let canvas = self.canvas.width() as usize * self.canvas.height() as usize * 3 / 2;
        let memory = scopes.sum::<usize>() + faces.sum::<usize>() + canvas * (1 + self.out.frames.len());
        Figures { memory, ..self.figures }
    }

    /// Lets the stage that was on air be the one that leaves, when a transition begins, as the frame does.
    fn turn_stages(&mut self) {
        let turn = self.frame.turn().map(|(turn, _)| turn.began);
        if turn != self.turn && turn.is_some() {
            self.stages.swap(0, 1);
            self.stages[0] = Stage::default();
        }
        if turn.is_none() && self.turn.is_some() {
            self.stages[1] = Stage::default();
        }
        self.turn = turn;
    }

    /// Tells every face of the frame, and lets go those whose layers are gone.
    fn look(&mut self, moment: &Moment<'_>, studio: &mut dyn Studio) {
        let number = self.frame.number();
        let lists = [Some(self.frame.layers()), self.frame.turn().map(|(_, list)| list)];
        for (stage, list) in self.stages.iter_mut().zip(lists) {
            let Some(list) = list else { continue };
            let mut hidden = 0;
            for (at, drawn) in list.iter().enumerate() {
                // What is in a hidden group is hidden, but a hidden layer may be a mask.
                if at < hidden {
                    continue;
                }
                if !drawn.layer.visible && !is_mask(list, &drawn.layer.id) {
                    hidden = at + 1 + drawn.inside;
                    keep(stage, &drawn, number);
                    continue;
                }
                if !stage.faces.contains_key(&drawn.layer.id) {
                    self.owners += 1;
                    stage.faces.insert(drawn.layer.id.clone(), Face::new(self.owners));
                }
                let face = stage.faces.get_mut(&drawn.layer.id).expect("it was just made");
                face.seen = number;
                // One layer's trouble is its own.
                if !face.gave_up(drawn.versions)
                    && catch_unwind(AssertUnwindSafe(|| face.look(&drawn, moment, studio))).is_err()
                {
                    face.fail(drawn.versions);
                }
            }
            stage.faces.retain(|_, face| face.seen == number);
        }
    }

    fn collect(&mut self, studio: &mut dyn Studio) {
        let (stages, figures, room) = (&mut self.stages, &mut self.figures, self.room);
        studio.collect(&mut |made: Made| {
            figures.drawn += 1;
            let owner = made.ticket.owner;
            let used: usize = stages.iter().flat_map(|stage| stage.faces.values()).map(Face::memory).sum();
            let face = stages.iter_mut().flat_map(|stage| stage.faces.values_mut());
            // Its layer may be gone by now.
            if let Some(face) = face.into_iter().find(|face| face.owner == owner) {
                let others = used.saturating_sub(face.memory());
                face.take(made, room.saturating_sub(others));
            }
        });
    }

    /// Plans the frame.
    fn lay(&mut self, moment: &Moment<'_>) {
        self.plan.begin();
        let number = self.frame.number();
        let area = Rect::at(0, 0, self.canvas.width(), self.canvas.height());
        let mut ground = colour(self.frame.background());
        let Self { frame, stages, plan, owners, canvas, .. } = self;
        let size = (canvas.width(), canvas.height());
        if let Some((turn, leaving)) = frame.turn() {
            let sides = [
                (1, leaving, turn.sides.leaving, turn.background),
                (0, frame.layers(), turn.sides.entering, frame.background()),
            ];
            ground = Colour::BLACK;
            for (at, list, side, background) in sides {
                let mut layer = Layout { list, number, moment, size, owners };
                layer.side(&mut stages[at], side, colour(background), area, &mut plan.ops);
            }
            if let Some(src) = &turn.transition.src {
                stinger(src, moment, turn.began, plan, area);
            }
        } else {
            stages[0].whole = None;
            let list = frame.layers();
            let mut layout = Layout { list, number, moment, size, owners };
            let place = Place { map: Affine::IDENTITY, opacity: 1.0, clip: area };
            layout.all(&mut stages[0], 0..list.len(), place, &mut plan.ops);
        }
        for stage in stages.iter_mut() {
            stage.scopes.retain(|_, scope| scope.seen == number);
            stage.masks.retain(|_, scope| scope.seen == number);
        }
        self.damage.clear();
        if ground != self.ground || self.figures.frames == 0 {
            self.ground = ground;
            self.damage.mark_all();
        }
        self.plan.compare(&mut self.damage);
    }

    /// Composes what changed and hands it out: a large change on all threads of the pool that this one belongs to. Waking them and
    /// handing over caches costs more than it saves where one thread is done in a millisecond or two.
    fn compose(&mut self) -> Arc<I420> {
        let Self { plan, canvas, damage, ground, .. } = self;
        if plan.work(damage.pixels()) > Self::ALONE {
            canvas.bands().par_iter_mut().for_each(|band| plan.compose(band, damage, *ground));
        } else if !damage.is_empty() {
            canvas.bands().iter_mut().for_each(|band| plan.compose(band, damage, *ground));
        }
        self.figures.frames += 1;
        self.figures.composed = damage.pixels();
        self.figures.laid = plan.ops.len();
        self.out.hand_over(canvas, damage)
    }
}

/// Where layers are laid.
#[derive(Clone, Copy)]
struct Place {
    map: Affine,
    opacity: f64,
    clip: Rect,
}

/// Makes ops of layers.
struct Layout<'a> {
    list: &'a List,
    number: u64,
    moment: &'a Moment<'a>,
    size: (u32, u32),
    owners: &'a mut u64,
}

impl Layout<'_> {
    /// A side of a transition.
    fn side(
        &mut self,
        stage: &mut Stage,
        side: scene::transition::Side,
        ground: Colour,
        area: Rect,
        ops: &mut Vec<Op>,
    ) {
        if side.opacity <= 0.0 || side.scale <= 0.0 {
            return;
        }
        let owner = self.owner(stage.whole.as_ref());
        let (width, height) = self.size;
        let mut scope = stage.whole.take().unwrap_or_else(|| Scope::new(owner, width, height));
        scope.plan.begin();
        let place = Place { map: Affine::IDENTITY, opacity: 1.0, clip: area };
        self.all(stage, 0..self.list.len(), place, &mut scope.plan.ops);
        let composed = scope.compose(ground);
        scope.finish(composed, &After { effects: &[], mask: None, version: 0 });
        let (across, down) = (f64::from(width), f64::from(height));
        let middle = (across / 2.0, down / 2.0);
        let map = Affine::placed(
            (middle.0 + side.offset.0 * across, middle.1 + side.offset.1 * down),
            0.0,
            (side.scale, side.scale),
            middle,
        );
        let clip = Rect {
            left: px(side.clip[0] * across),
            top: px(side.clip[1] * down),
            right: px(side.clip[2] * across),
            bottom: px(side.clip[3] * down),
        };
        ops.push(laid(&scope, Place { map, opacity: side.opacity, clip }, scene::BlendMode::Normal));
        stage.whole = Some(scope);
    }

    /// The layers of a part of the list, each with what is inside it.
    fn all(&mut self, stage: &mut Stage, range: std::ops::Range<usize>, place: Place, ops: &mut Vec<Op>) {
        let mut at = range.start;
        while at < range.end {
            let Some(drawn) = self.list.get(at) else { return };
            if drawn.layer.visible {
                self.one(stage, at, &drawn, place, ops);
            }
            at += 1 + drawn.inside;
        }
    }

    fn one(&mut self, stage: &mut Stage, at: usize, drawn: &Drawn<'_>, place: Place, ops: &mut Vec<Op>) {
        let layer = drawn.layer;
        let is_group = matches!(layer.content, Content::Group(_));
        let masked = layer.mask.as_ref().and_then(|mask| mask.layer_id.as_ref()).is_some();
        let apart = masked
            || (is_group
                && (layer.opacity < 1.0
                    || layer.blend_mode != scene::BlendMode::Normal
                    || !layer.effects.is_empty()
                    || layer.mask.is_some()));
        if layer.opacity <= 0.0 {
            return;
        }
        if stage.faces.get(&layer.id).is_some_and(|face| face.gave_up(drawn.versions)) {
            return;
        }
        if apart {
            let scope = AssertUnwindSafe(|| self.scope(stage, at, drawn, place, ops));
            if catch_unwind(scope).is_err()
                && let Some(face) = stage.faces.get_mut(&layer.id)
            {
                face.fail(drawn.versions);
            }
            return;
        }
        if is_group {
            let map = self.map(stage, layer).then(&place.map);
            self.all(stage, at + 1..at + 1 + drawn.inside, Place { map, ..place }, ops);
            return;
        }
        self.face(stage, layer, place, ops);
    }

    fn face(&self, stage: &Stage, layer: &Layer, place: Place, ops: &mut Vec<Op>) {
        let Some(face) = stage.faces.get(&layer.id) else { return };
        let map = self.map(stage, layer).then(&place.map);
        let opacity = layer.opacity * place.opacity;
        face.lay(layer, self.moment, (&map, opacity, place.clip), &mut |op| ops.push(op));
    }

    /// What takes the layer's box to the canvas, or to its group.
    fn map(&self, stage: &Stage, layer: &Layer) -> Affine {
        let canvas = (f64::from(self.size.0), f64::from(self.size.1));
        let (width, height) = stage.faces.get(&layer.id).map_or(canvas, |face| face.size(layer, canvas));
        let [a, b, c, d, e, f] = layer.transform.matrix(width, height);
        Affine { a, b, c, d, e, f }
    }

    /// A layer that is composed by itself.
    fn scope(&mut self, stage: &mut Stage, at: usize, drawn: &Drawn<'_>, place: Place, ops: &mut Vec<Op>) {
        let layer = drawn.layer;
        let is_group = matches!(layer.content, Content::Group(_));
        let (width, height) = self.size;
        let owner = self.owner(stage.scopes.get(&layer.id));
        let mut scope = stage.scopes.remove(&layer.id).unwrap_or_else(|| Scope::new(owner, width, height));
        scope.seen = self.number;
        scope.plan.begin();
        // Everything is composed where it will stand: what is in a group may lie anywhere around it.
        let inner = Place { map: place.map, opacity: 1.0, clip: scope.area() };
        let mut own = std::mem::take(&mut scope.plan.ops);
        if is_group {
            let map = self.map(stage, layer).then(&place.map);
            self.all(stage, at + 1..at + 1 + drawn.inside, Place { map, ..inner }, &mut own);
        } else {
            self.face(stage, layer, inner, &mut own);
            own.iter_mut().for_each(|op| (op.opacity, op.blend) = (255, scene::BlendMode::Normal));
        }
        scope.plan.ops = own;
        let composed = scope.compose(Colour::CLEAR);
        let mode = layer.mask.as_ref().map(|mask| mask.mode);
        let mask = layer.mask.as_ref().and_then(|mask| mask.layer_id.as_ref());
        let mask = mask.and_then(|mask| self.mask(stage, mask, place.map));
        let effects: &[scene::Effect] = if is_group { &layer.effects } else { &[] };
        let version = drawn.versions.effects;
        match mask {
            Some(id) => {
                let mask = &stage.masks[&id];
                let mask = Some((mask.canvas(), mask.version, mode.unwrap_or(scene::MaskMode::Alpha)));
                scope.finish(composed, &After { effects, mask, version });
            }
            None => scope.finish(composed, &After { effects, mask: None, version }),
        }
        let opacity = layer.opacity * place.opacity;
        ops.push(laid(&scope, Place { map: Affine::IDENTITY, opacity, clip: place.clip }, layer.blend_mode));
        stage.scopes.insert(layer.id.clone(), scope);
    }

    /// Composes a layer that is a mask, where it stands.
    fn mask(&mut self, stage: &mut Stage, id: &Id, map: Affine) -> Option<Id> {
        let at = self.list.position(id)?;
        let drawn = self.list.get(at)?;
        let (width, height) = self.size;
        let owner = self.owner(stage.masks.get(id));
        let mut scope = stage.masks.remove(id).unwrap_or_else(|| Scope::new(owner, width, height));
        if scope.seen != self.number {
            scope.seen = self.number;
            scope.plan.begin();
            let inner = Place { map, opacity: 1.0, clip: scope.area() };
            let mut ops = std::mem::take(&mut scope.plan.ops);
            match &drawn.layer.content {
                Content::Group(_) => {
                    let map = self.map(stage, drawn.layer).then(&map);
                    self.all(stage, at + 1..at + 1 + drawn.inside, Place { map, ..inner }, &mut ops);
                }
                _ => self.face(stage, drawn.layer, inner, &mut ops),
            }
            scope.plan.ops = ops;
            if scope.compose(Colour::CLEAR) {
                scope.version += 1;
            }
        }
        stage.masks.insert(id.clone(), scope);
        Some(id.clone())
    }

    fn owner(&mut self, known: Option<&Scope>) -> u64 {
        known.map_or_else(
            || {
                *self.owners += 1;
                *self.owners
            },
            |scope| scope.owner,
        )
    }
}

/// A scope's picture, laid.
fn laid(scope: &Scope, place: Place, blend: scene::BlendMode) -> Op {
    Op {
        key: Key { owner: scope.owner, piece: 0 },
        picture: Arc::clone(scope.picture()),
        version: scope.version,
        map: place.map,
        opacity: share(place.opacity),
        blend,
        clip: place.clip,
        failed: Arc::default(),
    }
}

/// The video that hides a change of scenes.
fn stinger(src: &str, moment: &Moment<'_>, began: f64, plan: &mut Plan, area: Rect) {
    let want = Want {
        source: Source::Video { src, looped: false, alpha: true, at: moment.now - began },
        size: (Some(f64::from(area.right)), Some(f64::from(area.bottom))),
        fit: scene::content::Fit::Fill,
        crop: scene::content::Crop::default(),
        corner_radius: 0.0,
        effects: &[],
        owner: 0,
    };
    let feed = moment.world.feed(&want);
    if let Some(picture) = feed.picture {
        plan.ops.push(Op {
            key: Key { owner: 0, piece: 0 },
            picture,
            version: feed.version,
            map: Affine::IDENTITY,
            opacity: 255,
            blend: scene::BlendMode::Normal,
            clip: area,
            failed: Arc::default(),
        });
    }
}

/// Whether another layer shows through this one.
fn is_mask(list: &List, id: &Id) -> bool {
    list.iter().any(|drawn| drawn.layer.mask.as_ref().and_then(|mask| mask.layer_id.as_ref()) == Some(id))
}

/// Keeps what hidden layers show: it will be wanted again.
fn keep(stage: &mut Stage, drawn: &Drawn<'_>, number: u64) {
    if let Some(face) = stage.faces.get_mut(&drawn.layer.id) {
        face.seen = number;
    }
}

fn colour(color: Color) -> Colour {
    // A canvas's alpha is not looked at.
    Colour::of_rgba([color.r, color.g, color.b, 255])
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn px(n: f64) -> i32 {
    n.round() as i32
}

/// Frames that were handed out, to be used again when nobody holds them any more.
#[derive(Debug)]
struct Outlet {
    /// Each with what has changed since it was made. The newest is last.
    frames: Vec<(Arc<I420>, Damage)>,
    none: Damage,
}

impl Outlet {
    /// Frames that are kept for use again. Whoever holds on to more makes new ones necessary.
    const KEPT: usize = 6;

    fn new(all: &Damage) -> Self {
        Self { frames: Vec::with_capacity(Self::KEPT + 1), none: all.clone() }
    }

    fn hand_over(&mut self, canvas: &mut Canvas, damage: &Damage) -> Arc<I420> {
        if damage.is_empty()
            && let Some((newest, _)) = self.frames.last()
        {
            return Arc::clone(newest);
        }
        for (_, missing) in &mut self.frames {
            missing.join(damage);
        }
        let free = self.frames.iter().position(|(frame, _)| Arc::strong_count(frame) == 1);
        let (mut frame, mut missing) = match free {
            Some(free) => self.frames.remove(free),
            None => {
                if self.frames.len() >= Self::KEPT {
                    self.frames.remove(0);
                }
                let made = I420::new(canvas.width(), canvas.height(), Range::Limited, Matrix::Bt709);
                (Arc::new(made), self.none.clone())
            }
        };
        let target = Arc::get_mut(&mut frame).expect("nobody holds it");
        missing.areas(0, canvas.height(), |area| canvas.copy_to(area, target));
        missing.clear();
        self.frames.push((Arc::clone(&frame), missing));
        frame
    }
}
