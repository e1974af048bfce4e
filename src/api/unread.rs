//! Bodies of requests that were answered early: read and thrown away, within bounds.
//!
//! A client that sends everything before it reads would otherwise see a broken connection instead of the refusal.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::EXPECT;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::base::tasks::Tasks;

/// What is read of a body that nobody wants any more.
const MOST_BYTES: usize = 16 << 20;
const MOST_TIME: Duration = Duration::from_secs(2);

/// The request, with a body whose rest is thrown away once its handler lets go of it.
pub(super) fn thrown_away(request: Request, tasks: &Tasks) -> Request {
    let waits = request.headers().contains_key(EXPECT);
    let tasks = tasks.clone();
    request.map(|body| Body::new(Wanted { body: Some(body), waits, tasks }))
}

/// A body as long as somebody reads it.
struct Wanted {
    body: Option<Body>,
    /// The client sends nothing before somebody reads (`Expect: 100-continue`), so that nothing need be thrown away.
    waits: bool,
    tasks: Tasks,
}

impl http_body::Body for Wanted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let unread = self.body.take().filter(|body| !self.waits && !body.is_end_stream());
        if let Some(body) = unread {
            self.tasks.spawn("throw away", throw_away(body));
        }
    }
}

async fn throw_away(mut body: Body) {
    let reading = async {
        let mut left = MOST_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Whether the rest came in time or not, nobody needs it.
    let _ = timeout(MOST_TIME, reading).await;
}
