//! Credentials written in an address, as the header that carries them (RFC 7617). Pure.

use url::Url;

/// The value of `Authorization` for `user:password@` in `url`.
pub(super) fn authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", base64(&credentials)))
}

/// What `%xx` stand for.
fn decoded(text: &str) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let coded = match after {
            [high, low, ..] if *first == b'%' => hex(high).zip(hex(low)),
            _ => None,
        };
        decoded.push(coded.map_or(*first, |(high, low)| high << 4 | low));
        rest = if coded.is_some() { &after[2..] } else { after };
    }
    decoded
}

/// In base 64 (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| usize::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let there = digit <= three.len();
            text.push(if there { char::from(DIGITS[bits >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_sent_as_the_standard_writes_them() {
        for (url, header) in [
            ("http://h/", None),
            ("http://Aladdin:open%20sesame@h/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("http://a@h/", Some("Basic YTo=")),
            ("http://:b@h/", Some("Basic OmI=")),
            ("http://ab:100%@h/", Some("Basic YWI6MTAwJQ==")),
        ] {
            assert_eq!(authorization(&url.parse().unwrap()).as_deref(), header, "{url}");
        }
    }
}
