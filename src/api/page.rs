//! The pages, embedded in the binary: they work without any other host.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;

/// Everything comes from here, sockets too: `'self'` covers them (Safari before 16 leaves them out; the page then does
/// with polling). No form is sent anywhere, and no other site shows the pages in a frame.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! script {
    ($name:literal) => {
        (concat!("/assets/", $name), SCRIPT, include_str!(concat!("../../web/", $name)))
    };
}

const FILES: [(&str, &str, &str); 24] = [
    ("/", HTML, include_str!("../../web/index.html")),
    ("/api/docs", HTML, include_str!("../../web/docs.html")),
    ("/assets/style.css", "text/css; charset=utf-8", include_str!("../../web/style.css")),
    ("/assets/icon.svg", "image/svg+xml", include_str!("../../web/icon.svg")),
    script!("main.js"),
    script!("wall.js"),
    script!("stream.js"),
    script!("captures.js"),
    script!("events.js"),
    script!("follow.js"),
    script!("reading.js"),
    script!("recordings.js"),
    script!("player.js"),
    script!("push.js"),
    script!("controls.js"),
    script!("pictures.js"),
    script!("poll.js"),
    script!("toast.js"),
    script!("dialog.js"),
    script!("api.js"),
    script!("format.js"),
    script!("dom.js"),
    script!("docs.js"),
    script!("schema.js"),
];

pub(super) fn routes() -> Router<Api> {
    FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        let answer = move || async move { file(content_type, text) };
        router.route(path, get(answer))
    })
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers =
        [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, text).into_response()
}

pub(super) fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FILES, HTML, SCRIPT};

    /// The paths a file names: in attributes, and in imports, which are relative to `/assets/`.
    fn named(text: &'static str) -> impl Iterator<Item = String> {
        let quoted = text.split(['"', '\'']);
        quoted.filter_map(|part| match part.strip_prefix("./") {
            Some(module) if module.ends_with(".js") => Some(format!("/assets/{module}")),
            _ => part.starts_with("/assets/").then(|| part.to_owned()),
        })
    }

    #[test]
    fn every_file_a_page_names_is_served() {
        let served: BTreeSet<&str> = FILES.iter().map(|file| file.0).collect();
        for (path, _, text) in FILES {
            for name in named(text) {
                assert!(served.contains(name.as_str()), "{path} names {name}");
            }
        }
    }

    /// A chain of imports would cost a round trip each.
    #[test]
    fn every_script_is_named_by_a_page() {
        let pages = FILES.iter().filter(|file| file.1 == HTML);
        let named: BTreeSet<String> = pages.flat_map(|file| named(file.2)).collect();
        for (path, ..) in FILES.iter().filter(|file| file.1 == SCRIPT) {
            assert!(named.contains(*path), "{path}");
        }
    }

    #[test]
    fn nothing_comes_from_another_host() {
        for (path, _, text) in FILES {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
        }
    }
}
