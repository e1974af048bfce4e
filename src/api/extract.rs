//! What handlers are given: checked names, parsed queries and bodies, the client's address. A refusal is a problem,
//! never plain text.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::base::error::{Error, Kind};
use crate::streams::StreamName;

/// The `{name}` of the path, percent-decoded and checked.
pub(super) struct Name(pub(super) StreamName);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|e| Error::new(Kind::Malformed, e.body_text()))?;
        StreamName::parse(&name).map(Self)
    }
}

/// The `{stream}` and `{file}` of the path of a recording, percent-decoded; the file is not checked yet.
pub(super) struct File(pub(super) StreamName, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for File {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path((stream, file)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|e| Error::new(Kind::Malformed, e.body_text()))?;
        Ok(Self(StreamName::parse(&stream)?, file))
    }
}

/// The query string as `T`.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Query(params) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|e| Error::invalid("query", e.body_text()))?;
        Ok(Self(params))
    }
}

/// Time for a JSON body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A JSON body as `T`.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        match timeout(BODY_TIME, Json::<T>::from_request(request, state)).await {
            Ok(Ok(Json(body))) => Ok(Self(body)),
            Ok(Err(rejection)) => Err(refused_json(&rejection)),
            Err(_) => {
                let late = format!("the body was not whole after {} s", BODY_TIME.as_secs());
                Err(Error::new(Kind::Timeout, late))
            }
        }
    }
}

/// The whole body, as many bytes as the route allows.
pub(super) async fn whole(request: Request) -> Result<Bytes, Error> {
    match timeout(BODY_TIME, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Error::new(Kind::TooLarge, rejection.body_text()))
        }
        Ok(Err(rejection)) => Err(Error::new(Kind::Malformed, rejection.body_text())),
        Err(_) => {
            let late = format!("the body was not whole after {} s", BODY_TIME.as_secs());
            Err(Error::new(Kind::Timeout, late))
        }
    }
}

fn refused_json(rejection: &JsonRejection) -> Error {
    let text = rejection.body_text();
    match rejection {
        JsonRejection::JsonDataError(_) => Error::invalid("body", text),
        JsonRejection::MissingJsonContentType(_) => {
            Error::new(Kind::WrongType, "the body must be JSON, sent with Content-Type: application/json")
        }
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Error::new(Kind::TooLarge, text),
        _ => Error::new(Kind::Malformed, text),
    }
}

/// Who asks: the peer of the connection, or whom a trusted proxy names. Put there by `listener` and `guard`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let client = parts.extensions.get::<Self>().copied();
        client.ok_or_else(|| Error::new(Kind::Internal, "the request has no client address"))
    }
}
