//! Requests signed as OAuth 1.0a wants it (RFC 5849), with HMAC-SHA1. Pure.
//!
//! A JSON body is not part of what is signed. Called by [`super`] only.

use std::fmt::Write as _;

use ring::hmac;

use crate::base::secret::Secret;

/// Whose name is spoken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    pub consumer: Secret,
    pub consumer_secret: Secret,
    pub token: Secret,
    pub token_secret: Secret,
}

/// The header `Authorization` of one request; `parameters` are those of the query, or of a form.
pub(super) fn authorization(
    keys: &Keys,
    method: &str,
    url: &str,
    parameters: &[(&str, &str)],
    (nonce, seconds): (&str, i64),
) -> String {
    let stamp = seconds.to_string();
    let mut oauth = vec![
        ("oauth_consumer_key", keys.consumer.reveal()),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &stamp),
        ("oauth_token", keys.token.reveal()),
        ("oauth_version", "1.0"),
    ];
    let signature = signature(keys, method, url, oauth.iter().chain(parameters).copied());
    oauth.push(("oauth_signature", &signature));
    oauth.sort_unstable();
    let said: Vec<_> = oauth.iter().map(|(name, value)| format!("{name}=\"{}\"", encoded(value))).collect();
    format!("OAuth {}", said.join(", "))
}

/// Sections 3.4.1 and 3.4.2.
fn signature<'a>(
    keys: &Keys,
    method: &str,
    url: &str,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut pairs: Vec<_> = parameters.map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let base = format!("{method}&{}&{}", encoded(url), encoded(&pairs.join("&")));
    let key = format!("{}&{}", encoded(keys.consumer_secret.reveal()), encoded(keys.token_secret.reveal()));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    crate::egress::base64(hmac::sign(&key, base.as_bytes()).as_ref())
}

/// Section 3.6: everything but letters, digits and `-._~`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of the example that the service's own documentation works through.
    fn published() -> Keys {
        Keys {
            consumer: Secret::new("xvz1evFS4wEEPTGEFPHBog"),
            consumer_secret: Secret::new("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            token: Secret::new("370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            token_secret: Secret::new("LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"),
        }
    }

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let parameters =
            [("status", "Hello Ladies + Gentlemen, a signed OAuth request!"), ("include_entities", "true")];
        let once = ("kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", 1_318_622_958);
        for (url, expected) in [
            ("https://api.twitter.com/1/statuses/update.json", "tnnArxj06cWHq44gCs1OSKk%2FjLY%3D"),
            ("https://api.twitter.com/1.1/statuses/update.json", "hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"),
        ] {
            let header = authorization(&published(), "POST", url, &parameters, once);
            assert!(header.contains(&format!("oauth_signature=\"{expected}\"")), "{header}");
            assert!(header.starts_with("OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", oauth_nonce="));
            assert!(!header.contains("kAcSOqF21") && !header.contains("LswwdoUa"), "no secret is sent");
        }
    }

    #[test]
    fn what_is_signed_is_encoded_as_the_standard_says() {
        for (text, expected) in [
            ("Ladies + Gentlemen", "Ladies%20%2B%20Gentlemen"),
            ("An encoded string!", "An%20encoded%20string%21"),
            ("Dogs, Cats & Mice", "Dogs%2C%20Cats%20%26%20Mice"),
            ("☃", "%E2%98%83"),
            ("a-b._~", "a-b._~"),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }
}
