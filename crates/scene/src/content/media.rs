//! Contents that are pictures made elsewhere: images, sprites, videos, streams.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::read::{
    At, Flag, Inner, List, Maybe, Named, Rule, Schemas, Text, Whole, Within, Word, id, label, line, record,
    words,
};
use crate::style::MOST_PX;

/// What `src` and its kin may be.
pub(crate) const fn asset() -> Text {
    label("the id of an asset, or in a scene file a path beside it")
}

/// A side of a box, in canvas px.
pub(crate) const SIDE: Within = Within(1.0, MOST_PX);

words! {
    pub enum Fit {
        /// Whole, as large as the box allows.
        Contain "contain",
        /// Fills the box, and is cut where it is larger.
        Cover "cover",
        /// Stretched to the box.
        Fill "fill",
    }
}

record! {
    /// A still picture: PNG, JPEG, WebP, SVG, or the first picture of an animation.
    pub struct Image {
        src "src": String = String::new(), asset();
        /// Canvas px; as wide as the picture is, or as its height asks for, unless it is said.
        width "width": Option<f64> = None, Maybe(SIDE);
        height "height": Option<f64> = None, Maybe(SIDE);
        fit "fit": Fit = Fit::Contain, Word;
    }
}

record! {
    /// A small animation with states that can be switched.
    pub struct Sprite checked by has_a_picture {
        /// The only picture there is; or use `states`.
        src "src": Option<String> = None, Maybe(asset());
        /// Pictures shown one after the other, numbered frames; in the place of `src`.
        frames "frames": Vec<String> = Vec::new(), List { least: 0, most: 600, each: asset() };
        /// How `src` is cut into frames; without it, it is an animated GIF, PNG or WebP, or a still.
        sheet "sheet": Option<Sheet> = None, Maybe(Inner);
        /// Frames a second, for sheets and numbered frames; an animated file has its own pace.
        fps "fps": f64 = 12.0, Within(0.1, 60.0);
        looped "loop": bool = true, Flag;
        /// Names for what it can show; each an asset, or an object with fields as above.
        states "states": BTreeMap<String, SpriteClip> = BTreeMap::new(), Named { most: 32, each: ClipRule };
        /// The one shown now.
        state "state": String = String::new(), line(128);
        /// Switches the state by how loud something is.
        driven_by "drivenBy": Option<LevelDriver> = None, Maybe(Inner);
        width "width": Option<f64> = None, Maybe(SIDE);
        height "height": Option<f64> = None, Maybe(SIDE);
        fit "fit": Fit = Fit::Contain, Word;
    }
}

record! {
    /// What a sprite shows in one state.
    pub struct SpriteClip checked by clip_has_a_picture {
        src "src": Option<String> = None, Maybe(asset());
        frames "frames": Vec<String> = Vec::new(), List { least: 0, most: 600, each: asset() };
        sheet "sheet": Option<Sheet> = None, Maybe(Inner);
        fps "fps": f64 = 12.0, Within(0.1, 60.0);
        looped "loop": bool = true, Flag;
    }
}

record! {
    /// Frames of one size in rows, read as a page is.
    #[derive(Copy)]
    pub struct Sheet {
        columns "columns": i64 = 1, Whole(1, 256);
        rows "rows": i64 = 1, Whole(1, 256);
        /// Frames that there are, if the last row is not full.
        count "count": Option<i64> = None, Maybe(Whole(1, 65_536));
    }
}

record! {
    /// Shows one state while a source of sound is loud, another while it is not.
    pub struct LevelDriver {
        /// A stream or another source of the mixer.
        source "source": String = String::new(), label("the name of a source of sound");
        /// Peak level from which it is loud, 1 being full scale.
        threshold "threshold": f64 = 0.05, Within(0.0, 1.0);
        loud "loud": String = "talking".to_owned(), line(128);
        quiet "quiet": String = "idle".to_owned(), line(128);
        /// How long it stays loud after the last sound, in ms.
        hold "hold": f64 = 150.0, Within(0.0, 10_000.0);
    }
}

record! {
    /// A file with moving pictures.
    pub struct Video {
        src "src": String = String::new(), asset();
        looped "loop": bool = false, Flag;
        /// Whether its alpha is used, where it has one.
        alpha "alpha": bool = true, Flag;
        /// Program time of its first picture, in ms; when the layer was made unless it is said.
        start_at "startAt": Option<f64> = None, Maybe(Within(0.0, 1e13));
        width "width": Option<f64> = None, Maybe(SIDE);
        height "height": Option<f64> = None, Maybe(SIDE);
        fit "fit": Fit = Fit::Contain, Word;
    }
}

record! {
    /// What a stream of the hub shows now.
    pub struct StreamPicture checked by names_a_stream {
        name "name": String = String::new(), id();
        width "width": Option<f64> = None, Maybe(SIDE);
        height "height": Option<f64> = None, Maybe(SIDE);
        fit "fit": Fit = Fit::Contain, Word;
        /// The part that is shown; all of it unless it is said.
        crop "crop": Crop = Crop::default(), Inner;
        /// px, of the corners of the box.
        corner_radius "cornerRadius": f64 = 0.0, Within(0.0, MOST_PX);
        when_lost "whenLost": WhenLost = WhenLost::default(), Inner;
    }
}

record! {
    /// A part of a picture, in fractions of its sides.
    #[derive(Copy)]
    pub struct Crop checked by within_the_picture {
        x "x": f64 = 0.0, Within(0.0, 1.0);
        y "y": f64 = 0.0, Within(0.0, 1.0);
        width "width": f64 = 1.0, Within(0.001, 1.0);
        height "height": f64 = 1.0, Within(0.001, 1.0);
    }
}

words! {
    pub enum Lost {
        /// The last picture stays.
        Hold "hold",
        /// Another picture is shown.
        Slate "slate",
        /// The layer is not drawn.
        Hide "hide",
    }
}

record! {
    /// What is shown once a stream has sent nothing for a while.
    pub struct WhenLost checked by has_its_slate {
        show "show": Lost = Lost::Hold, Word;
        /// Seconds without a picture.
        after "after": f64 = 3.0, Within(0.0, 86_400.0);
        /// The picture for `slate`.
        slate "slate": Option<String> = None, Maybe(asset());
    }
}

fn has_a_picture(sprite: &Sprite, at: &mut At<'_>) {
    let ways = usize::from(sprite.src.is_some())
        + usize::from(!sprite.frames.is_empty())
        + usize::from(!sprite.states.is_empty());
    if ways != 1 {
        at.wrong_in("src", "must be there, or else frames or states; one of the three");
    }
    let known = |state: &String| sprite.states.contains_key(state);
    if !sprite.states.is_empty() && !known(&sprite.state) {
        let states: Vec<_> = sprite.states.keys().map(String::as_str).collect();
        at.wrong_in("state", format!("must be one of its states: {}", states.join(", ")));
    }
    if let Some(driver) = &sprite.driven_by
        && !(known(&driver.loud) && known(&driver.quiet))
    {
        at.wrong_in("drivenBy", "must name two of the sprite's states as loud and quiet");
    }
}

fn clip_has_a_picture(clip: &SpriteClip, at: &mut At<'_>) {
    if clip.src.is_some() != clip.frames.is_empty() {
        at.wrong("must be an asset, or an object with either src or frames");
    }
}

fn names_a_stream(stream: &StreamPicture, at: &mut At<'_>) {
    if stream.name.is_empty() {
        at.wrong_in("name", "is missing; it must be the name of a stream");
    }
}

fn within_the_picture(crop: &Crop, at: &mut At<'_>) {
    const ROUNDING: f64 = 1e-9;
    if crop.x + crop.width > 1.0 + ROUNDING {
        at.wrong_in("width", "must end within the picture: x + width is at most 1");
    }
    if crop.y + crop.height > 1.0 + ROUNDING {
        at.wrong_in("height", "must end within the picture: y + height is at most 1");
    }
}

fn has_its_slate(lost: &WhenLost, at: &mut At<'_>) {
    if lost.show == Lost::Slate && lost.slate.is_none() {
        at.wrong_in("slate", "is missing; it must be the asset to show");
    }
}

/// A state is an asset, or an object for what is more than that.
struct ClipRule;

impl Rule<SpriteClip> for ClipRule {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        json!({"anyOf": [asset().schema(schemas), schemas.of::<SpriteClip>()]})
    }

    fn read<'v>(&self, target: &mut SpriteClip, value: &'v Value, at: &mut At<'v>) {
        if value.is_string() {
            *target = SpriteClip::default();
            asset().read(target.src.insert(String::new()), value, at);
        } else if value.is_object() {
            Inner.read(target, value, at);
        } else {
            at.wrong("must be an asset, or an object with either src or frames");
        }
    }

    fn check(&self, target: &SpriteClip, at: &mut At<'_>) {
        Inner.check(target, at);
    }
}

impl Sprite {
    /// The pictures of all its states.
    pub(crate) fn sources(&self) -> Vec<&str> {
        let own = self.src.iter().chain(&self.frames);
        let of_states = self.states.values().flat_map(|clip| clip.src.iter().chain(&clip.frames));
        own.chain(of_states).map(String::as_str).collect()
    }

    /// What it shows now, be it by a state or by its own fields.
    #[must_use]
    pub fn clip(&self, state: &str) -> SpriteClip {
        self.states.get(state).cloned().unwrap_or_else(|| SpriteClip {
            src: self.src.clone(),
            frames: self.frames.clone(),
            sheet: self.sheet,
            fps: self.fps,
            looped: self.looped,
        })
    }
}
