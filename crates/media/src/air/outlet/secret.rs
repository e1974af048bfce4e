//! Addresses without what only their owner may know.
//!
//! Called wherever an address or a text about it may be shown or logged.

/// `url` with `***` in the place of credentials, of the stream key and of everything behind a `?`.
#[must_use]
pub fn redacted(url: &str) -> String {
    let Some(parts) = Parts::of(url) else { return "***".to_owned() };
    let user = if parts.user.is_empty() { "" } else { "***@" };
    let key = if parts.key.is_empty() { "" } else { "***" };
    let query = if parts.query.is_empty() || !key.is_empty() { "" } else { "?***" };
    format!("{}://{user}{}{}{key}{query}", parts.scheme, parts.place, parts.open)
}

/// `text` without what is secret in `url`.
pub(super) fn scrubbed(text: &str, url: &str) -> String {
    let text = text.replace(url, &redacted(url));
    let Some(parts) = Parts::of(url) else { return text };
    let mut secrets = vec![parts.user.trim_end_matches('@'), parts.query, parts.key];
    secrets.extend(parts.user.trim_end_matches('@').split(':'));
    secrets.extend(parts.query.split('&'));
    secrets.extend(parts.query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1)));
    // Shorter ones would only garble the words around them.
    secrets.retain(|secret| secret.len() >= 3);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text, |text, secret| text.replace(secret, "***"))
}

struct Parts<'a> {
    scheme: &'a str,
    /// With its `@`.
    user: &'a str,
    /// Host and port.
    place: &'a str,
    /// The path without the key.
    open: &'a str,
    key: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, place) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (path, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        // The key is what follows the application: the last step, where there is more than one.
        let key_at = match path.trim_start_matches('/').find('/') {
            Some(_) => path.rfind('/').map_or(path.len(), |at| at + 1),
            None => path.len(),
        };
        let (open, key) = path.split_at(key_at);
        Some(Self { scheme, user, place, open, key, query: query.trim_start_matches(['?', '#']) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_credentials_are_not_shown() {
        for (url, shown) in [
            ("rtmp://a.example/live/key-1", "rtmp://a.example/live/***"),
            ("rtmp://a.example/app/inst/key?x=y", "rtmp://a.example/app/inst/***"),
            ("rtmps://u:secret@a.example:443/x/key", "rtmps://***@a.example:443/x/***"),
            ("rtmp://a.example/live", "rtmp://a.example/live"),
            ("rtmp://a.example/live?token=t", "rtmp://a.example/live?***"),
            ("srt://a.example:9000?streamid=s&passphrase=longenough", "srt://a.example:9000?***"),
            ("nonsense", "***"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn no_text_about_an_address_tells_its_secrets() {
        let url = "rtmp://me:pass-word@a.example/live/the-key?token=abcdef";
        let said = "can't open rtmp://me:pass-word@a.example/live/the-key?token=abcdef: the-key?token=abcdef is bad, \
                    abcdef of me:pass-word";
        let scrubbed = scrubbed(said, url);
        for secret in ["pass-word", "the-key", "abcdef"] {
            assert!(!scrubbed.contains(secret), "{scrubbed}");
        }
        assert!(scrubbed.contains("a.example/live/***"), "{scrubbed}");
    }
}
