//! The seam to libraries that may panic on what strangers made.
//!
//! Called around every use of a font, a decoder or a rasteriser. What was being changed when one panicked is to be thrown
//! away by the caller.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Error;

/// Does `work`; a panic in it becomes an error that says `what` was being drawn.
pub(crate) fn guarded<T>(what: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::Failed { what, why: said(&*panic) }))
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason was given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_reason() {
        assert_eq!(guarded("text", || Ok(1)), Ok(1));
        let failed = guarded::<()>("text", || panic!("no glyph {}", 7));
        assert_eq!(failed, Err(Error::Failed { what: "text", why: "no glyph 7".to_owned() }));
        let failed = guarded::<()>("shape", || panic!("flat"));
        assert_eq!(failed, Err(Error::Failed { what: "shape", why: "flat".to_owned() }));
    }
}
