//! Which form of a key a client accepts.

/// The media type of JSON.
pub const JSON: &str = "application/json";
/// The media type of a value, which may be anything.
pub const RAW: &str = "application/octet-stream";

/// Whether the values of `Accept` headers prefer JSON to the raw value. JSON has to be named: a client that
/// takes anything gets the value as it is.
pub fn prefers_json<'header>(accept: impl Iterator<Item = &'header [u8]>) -> bool {
    let (mut json, mut raw) = (None, None);
    for range in accept.flat_map(|value| value.split(|byte| *byte == b',')) {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let media = parts.next().unwrap_or_default();
        let weight = parts.find_map(weight).unwrap_or(1000);
        if media.eq_ignore_ascii_case(JSON.as_bytes()) {
            json = Some(weight);
        } else if media.eq_ignore_ascii_case(RAW.as_bytes()) {
            raw = Some(weight);
        } else if (media == b"*/*" || media.eq_ignore_ascii_case(b"application/*")) && raw.is_none() {
            // Not as good as what is named with the same weight.
            raw = weight.checked_sub(1);
        }
    }
    json.is_some_and(|json| json > 0 && raw.is_none_or(|raw| json > raw))
}

/// The weight of a parameter `q=0.5`, in thousandths.
fn weight(parameter: &[u8]) -> Option<u16> {
    let (name, value) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let weight: f32 = value.trim().parse().ok()?;
    // Also right for what is no number: the cast gives 0.
    Some((weight.clamp(0.0, 1.0) * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_to_be_preferred_by_name() {
        for (accept, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json, */*", true),
            ("text/html, application/json;q=0.9, */*;q=0.8", true),
            ("application/octet-stream;q=0.5, application/json", true),
            ("", false),
            ("*/*", false),
            ("application/*", false),
            ("text/html", false),
            ("application/json;q=0", false),
            ("application/json;q=0.5, */*", false),
            ("application/json, application/octet-stream", false),
            ("application/json;q=nan", false),
        ] {
            assert_eq!(prefers_json([accept.as_bytes()].into_iter()), json, "{accept}");
        }
        assert!(!prefers_json(std::iter::empty()));
        assert!(prefers_json([&b"*/*"[..], b"application/json"].into_iter()));
    }
}
