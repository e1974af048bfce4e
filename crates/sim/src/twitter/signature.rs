//! Whether a request is signed as OAuth 1.0a wants it (RFC 5849), with HMAC-SHA1. Pure.
//!
//! Written after the standard and apart from who signs, so that a mistake there is not made here again.

use std::collections::BTreeMap;

use ring::hmac;

use super::Keys;

/// A signature that is right.
pub(super) struct Signed {
    pub(super) nonce: String,
    /// Since 1970.
    pub(super) seconds: i64,
}

/// What `header` says, if the signature in it is that of `keys` for this request.
pub(super) fn check(header: &str, keys: &Keys, method: &str, url: &str) -> Option<Signed> {
    let mut said = BTreeMap::new();
    for part in header.strip_prefix("OAuth ")?.split(',') {
        let (name, value) = part.trim().split_once('=')?;
        said.insert(name, decoded(value.strip_prefix('"')?.strip_suffix('"')?)?);
    }
    let signature = said.remove("oauth_signature")?;
    let is = |name: &str, value: &str| said.get(name).is_some_and(|said| said == value);
    let ours = is("oauth_consumer_key", &keys.consumer) && is("oauth_token", &keys.token);
    if !ours || !is("oauth_signature_method", "HMAC-SHA1") || !is("oauth_version", "1.0") {
        return None;
    }
    let parameters: Vec<String> =
        said.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let base = [method, &encoded(url), &encoded(&parameters.join("&"))].join("&");
    let key = [encoded(&keys.consumer_secret), encoded(&keys.token_secret)].join("&");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    hmac::verify(&key, base.as_bytes(), &bytes(&signature)?).ok()?;
    Some(Signed {
        nonce: said.get("oauth_nonce")?.clone(),
        seconds: said.get("oauth_timestamp")?.parse().ok()?,
    })
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        out.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(out).ok()
}

/// Of base 64.
fn bytes(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        held = (held << 6 | u32::try_from(digit).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            consumer: "xvz1evFS4wEEPTGEFPHBog".into(),
            consumer_secret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw".into(),
            token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".into(),
            token_secret: "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE".into(),
        }
    }

    #[test]
    fn a_signature_is_right_or_it_is_not() {
        // The base string is the method, the address and the sorted parameters; signed with another implementation.
        let header = |signature: &str| {
            format!(
                "OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", oauth_nonce=\"abc\", oauth_signature=\"{signature}\", \
                 oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"1318622958\", \
                 oauth_token=\"370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb\", oauth_version=\"1.0\""
            )
        };
        let url = "https://api.twitter.com/2/tweets";
        let right = "xGE7bIzjumVF5oLU8Cm%2FeiSS0ak%3D";
        assert!(check(&header(right), &keys(), "POST", url).is_some_and(|signed| signed.nonce == "abc"));
        for (header, url) in [
            (header(right), "https://api.twitter.com/2/other"),
            (header("AAAA"), url),
            (header(right).replace("abc", "abd"), url),
            (String::new(), url),
            ("OAuth x".to_owned(), url),
            ("OAuth a=\"%zz\"".to_owned(), url),
        ] {
            assert!(check(&header, &keys(), "POST", url).is_none(), "{header}");
        }
    }
}
