//! What the routes of the program have in common: bodies for the scene's reader, revisions, answers with them, and the
//! names of the scene's types for the document. The types themselves are described by `scene::schemas`.

use std::borrow::Cow;

use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use scene::Id;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::extract::whole;
use crate::base::error::{Error, Kind, Result};
use crate::compose::Done;

/// The schemas that `scene::schemas` makes take the place of these.
macro_rules! described_by_the_scene {
    ($($name:ident),+) => {$(
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Schema::Object(Object::default()).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

described_by_the_scene!(
    Activation, Animation, Control, Kept, Layer, Message, NewValues, Scene, Timeline, Visibility
);

/// A JSON body, read by the scene itself so that each mistake is named by its field, and its length in bytes.
pub(super) struct Asked(pub(super) Value, pub(super) usize);

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type =
            media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let bytes = whole(request).await?;
        if media_type != "application/json" && !media_type.ends_with("+json") {
            let detail = "the body must be JSON, sent with Content-Type: application/json";
            return Err(Error::new(Kind::WrongType, detail));
        }
        parsed(&bytes)
    }
}

fn parsed(bytes: &[u8]) -> Result<Asked> {
    let value = serde_json::from_slice(bytes)
        .map_err(|e| Error::new(Kind::Malformed, format!("the body is no JSON: {e}")))?;
    Ok(Asked(value, bytes.len()))
}

/// The same where a body may be left out.
pub(super) struct MayAsk(pub(super) Value, pub(super) usize);

impl<S: Send + Sync> FromRequest<S> for MayAsk {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        if request.headers().contains_key(CONTENT_TYPE) {
            let Asked(value, bytes) = Asked::from_request(request, state).await?;
            return Ok(Self(value, bytes));
        }
        let bytes = whole(request).await?;
        if bytes.is_empty() {
            return Ok(Self(Value::Object(serde_json::Map::new()), 0));
        }
        Err(Error::new(Kind::WrongType, "the body must be JSON, sent with Content-Type: application/json"))
    }
}

/// The id in a path; one that no `what` can have is one that is not there.
pub(super) fn id(what: &str, text: &str) -> Result<Id> {
    Id::parse(text).ok_or_else(|| Error::not_found(format!("there is no {what} of that name")))
}

/// The revision that the client saw last.
///
/// # Errors
/// `Malformed` for anything but a revision, with or without quotes, or `*`.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let revision = digits
        .parse()
        .map_err(|_| Error::new(Kind::Malformed, "If-Match must be a revision, such as \"7\""))?;
    Ok(Some(revision))
}

/// JSON with its revision as `ETag`, and a word when it is not stored yet.
pub(super) fn answer(status: StatusCode, body: &impl Serialize, revision: u64, stored: bool) -> Response {
    let text = serde_json::to_vec(body).expect("what the scene holds is plain data");
    let mut response =
        (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response();
    let tag = HeaderValue::try_from(format!("\"{revision}\"")).expect("a number is plain ASCII");
    response.headers_mut().insert(ETAG, tag);
    if !stored {
        response.headers_mut().insert("x-stored", HeaderValue::from_static("later"));
    }
    response
}

/// What a command left of the layer it was for.
pub(super) fn layer(done: &Done, wanted: Option<&Id>, status: StatusCode) -> Result<Response> {
    let layers = &done.change.layers;
    let layer = layers.iter().find(|layer| wanted.is_none_or(|id| layer.id == *id));
    let layer = layer.ok_or_else(|| Error::new(Kind::Internal, "the change lacks its layer"))?;
    Ok(answer(status, &**layer, layer.revision, done.stored))
}
