//! Attribute lists (RFC 8216, 4.2): `NAME=value,NAME="quoted, value"`.

/// The attributes in `text`, in order, without quotes. What has no `=` is passed over; a quote that doesn't end reaches to the
/// end of the line.
pub(super) fn attributes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([',', ' ', '\t']);
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(['=', ',']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let Some(value) = after.strip_prefix('=') else {
                rest = after;
                continue;
            };
            let value = value.trim_start_matches([' ', '\t']);
            if let Some(quoted) = value.strip_prefix('"') {
                let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                rest = after.find(',').map_or("", |comma| &after[comma..]);
                return Some((name.trim(), value));
            }
            let end = value.find(',').unwrap_or(value.len());
            rest = &value[end..];
            return Some((name.trim(), value[..end].trim()));
        }
    })
}

/// The attribute `name`.
pub(super) fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    attributes(text).find(|found| found.0 == name).map(|found| found.1)
}
