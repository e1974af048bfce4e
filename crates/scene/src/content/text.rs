//! Content that is text.

use crate::read::{Flag, Inner, Maybe, Whole, Within, prose, record};
use crate::style::{MOST_PX, TextStyle};

record! {
    /// Text in any script. `{{ … }}` in it stands for a value, see [`crate::template`].
    pub struct TextContent {
        text "text": String = String::new(), prose();
        /// Canvas px; lines are broken there, or cut if `wrap` is off.
        max_width "maxWidth": Option<f64> = None, Maybe(Within(1.0, MOST_PX));
        /// Lines that are shown.
        max_lines "maxLines": Option<i64> = None, Maybe(Whole(1, 1000));
        wrap "wrap": bool = true, Flag;
        /// Whether text that is cut ends in `…`.
        ellipsis "ellipsis": bool = true, Flag;
        style "style": TextStyle = TextStyle::default(), Inner;
    }
}
