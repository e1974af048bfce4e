//! The bodies of commands, and what is kept beside layers, as JSON has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::animation::Animation;
use crate::animation::playing::Score;
use crate::document::{Canvas, MOST_ANIMATIONS, MOST_LAYERS, Scene, Transition};
use crate::id::Id;
use crate::layer::Layer;
use crate::read::{
    Counted, Flag, Held, Inner, List, Maybe, Named, Needed, Said, Within, Word, line, record, words,
};
use crate::template::Scalar;

/// Messages that are kept.
pub(crate) const MOST_MESSAGES: usize = 200;
/// Values that are set over the API.
pub(crate) const MOST_VALUES: usize = 1000;
/// Named scenes.
pub(crate) const MOST_SCENES: usize = 200;

/// Program time, in ms.
const TIME: Within = Within(0.0, 1e13);

record! {
    /// `{"visible": bool}`.
    pub struct Visibility {
        visible "visible": Option<bool> = None, Needed(Flag);
    }
}

record! {
    /// Several animations that begin together.
    pub struct Timeline {
        /// Program time in ms at which those without a `startAt` begin; now unless it is said.
        at "at": Option<f64> = None, Maybe(TIME);
        animations "animations": Vec<Animation> = Vec::new(), List { least: 1, most: MOST_ANIMATIONS, each: Inner };
    }
}

words! {
    pub enum Action {
        Play "play",
        Pause "pause",
        Seek "seek",
    }
}

record! {
    /// Holds an animation, lets it go on, or sets it to a time.
    pub struct Control {
        action "action": Option<Action> = None, Needed(Word);
        /// For `seek`: ms since the animation began, its delay included.
        t "t": Option<f64> = None, Maybe(Within(0.0, 1e12));
    }
}

record! {
    /// `{"transition": {…}}`; a cut unless it is said.
    pub struct Activation {
        transition "transition": Transition = Transition::default(), Inner;
    }
}

record! {
    /// A line of chat.
    pub struct Message {
        id "id": Id = Id::default(), Said;
        author "author": String = String::new(), line(64);
        text "text": String = String::new(), crate::read::said(500);
        highlighted "highlighted": bool = false, Flag;
        /// Program time in ms at which it came. What a client writes here is not looked at.
        at "at": f64 = 0.0, TIME;
    }
}

record! {
    /// A value set over the API.
    pub struct Kept {
        value "value": Scalar = Scalar::default(), Said;
        /// Program time in ms at which it was set.
        at "at": f64 = 0.0, TIME;
    }
}

record! {
    /// Values by name; `null` takes one away.
    pub struct NewValues {
        values "values": BTreeMap<String, Scalar> = BTreeMap::new(), Named { most: MOST_VALUES, each: Said };
    }
}

record! {
    /// A scene was put on air.
    pub struct Entered {
        scene "scene": Id = Id::default(), Said;
        transition "transition": Transition = Transition::default(), Inner;
        /// Program time in ms at which the transition began.
        at "at": f64 = 0.0, TIME;
    }
}

record! {
    /// One revision: all that is other than before, enough to do the same again elsewhere.
    pub struct Change {
        revision "revision": u64 = 0, Counted;
        /// First of all: the layers and animations there were leave the stage.
        entered "entered": Option<Entered> = None, Maybe(Inner);
        /// The leaving scene is gone.
        left "left": bool = false, Flag;
        background "background": Option<crate::Color> = None, Maybe(Said);
        /// Layers as they now are; new ones in the order in which they were made.
        layers "layers": Vec<Arc<Layer>> = Vec::new(), List { least: 0, most: MOST_LAYERS, each: Held(Inner) };
        removed "removed": Vec<Id> = Vec::new(), List { least: 0, most: MOST_LAYERS, each: Said };
        /// Animations as they now are.
        animations "animations": Vec<Arc<Score>> = Vec::new(), List { least: 0, most: MOST_ANIMATIONS, each: Held(Inner) };
        /// Animations that are over or were taken away.
        ended "ended": Vec<Id> = Vec::new(), List { least: 0, most: MOST_ANIMATIONS, each: Said };
        scenes "scenes": Vec<Arc<Scene>> = Vec::new(), List { least: 0, most: MOST_SCENES, each: Held(Inner) };
        scenes_removed "scenesRemoved": Vec<Id> = Vec::new(), List { least: 0, most: MOST_SCENES, each: Said };
        chat "chat": Vec<Arc<Message>> = Vec::new(), List { least: 0, most: MOST_MESSAGES, each: Held(Inner) };
        values "values": BTreeMap<String, Kept> = BTreeMap::new(), Named { most: MOST_VALUES, each: Inner };
        values_removed "valuesRemoved": Vec<String> = Vec::new(), List { least: 0, most: MOST_VALUES, each: line(128) };
    }
}

record! {
    /// All that a store knows, to be kept and read back. A transition under way is not kept: it is over afterwards.
    pub struct State {
        revision "revision": u64 = 0, Counted;
        canvas "canvas": Canvas = Canvas::default(), Inner;
        /// The scene that was put on air last.
        scene "scene": Option<Id> = None, Maybe(Said);
        layers "layers": Vec<Arc<Layer>> = Vec::new(), List { least: 0, most: MOST_LAYERS, each: Held(Inner) };
        animations "animations": Vec<Arc<Score>> = Vec::new(), List { least: 0, most: MOST_ANIMATIONS, each: Held(Inner) };
        scenes "scenes": Vec<Arc<Scene>> = Vec::new(), List { least: 0, most: MOST_SCENES, each: Held(Inner) };
        chat "chat": Vec<Arc<Message>> = Vec::new(), List { least: 0, most: MOST_MESSAGES, each: Held(Inner) };
        values "values": BTreeMap<String, Kept> = BTreeMap::new(), Named { most: MOST_VALUES, each: Inner };
    }
}
