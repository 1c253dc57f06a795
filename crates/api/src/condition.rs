//! Conditional requests: entity tags that are revisions.
//!
//! A key's entity tag is the revision of its newest change, in quotes: `"17"`. A write takes at most
//! one condition: `If-Match: "17"`, `If-Match: *` or `If-None-Match: *`. Lists and weak tags (`W/"17"`)
//! are refused there, because a client that sends one expects something that a revision cannot mean.
//!
//! The JSON form of a key has a tag of its own, `"17+json"`: the same revision, in other bytes. A write takes it
//! for the revision; a read takes it for that form.

pub use quorate_kv::Condition;

/// A header that is not of the form a write takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// `If-Match` is something else.
    #[error(
        "If-Match takes one revision in quotes, like \"17\", or *; lists and weak tags are not supported"
    )]
    IfMatch,
    /// `If-None-Match` is something else.
    #[error("If-None-Match takes only * on a write: the key must not exist")]
    IfNoneMatch,
}

/// A revision as an entity tag.
pub fn format_entity_tag(revision: u64) -> String {
    format!("\"{revision}\"")
}

/// The revision in a strong entity tag, if it is one that [`format_entity_tag`] could have made.
pub fn parse_entity_tag(tag: &[u8]) -> Option<u64> {
    let digits = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let canonical = !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || digits[0] != b'0');
    if !canonical {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A revision as the entity tag of the JSON form of a key.
pub fn format_json_entity_tag(revision: u64) -> String {
    format!("\"{revision}{JSON_SUFFIX}\"")
}

/// The revision in the entity tag of a JSON form, if it is one that [`format_json_entity_tag`] could have made.
fn parse_json_entity_tag(tag: &[u8]) -> Option<u64> {
    let start = tag.strip_suffix(b"\"")?.strip_suffix(JSON_SUFFIX.as_bytes())?;
    parse_entity_tag(&[start, b"\""].concat())
}

const JSON_SUFFIX: &str = "+json";

/// The condition that a write's `If-Match` value states.
pub fn condition_of_if_match(value: &[u8]) -> Result<Condition, BadCondition> {
    match value {
        b"*" => Ok(Condition::Exists),
        tag => parse_entity_tag(tag)
            .or_else(|| parse_json_entity_tag(tag))
            .map(Condition::RevisionIs)
            .ok_or(BadCondition::IfMatch),
    }
}

/// The condition that a write's `If-None-Match` value states.
pub fn condition_of_if_none_match(value: &[u8]) -> Result<Condition, BadCondition> {
    match value {
        b"*" => Ok(Condition::Absent),
        _ => Err(BadCondition::IfNoneMatch),
    }
}

/// The header, name and value, that states a write's condition. None for [`Condition::Always`].
pub fn header_of_condition(condition: Condition) -> Option<(&'static str, String)> {
    match condition {
        Condition::Always => None,
        Condition::Absent => Some(("if-none-match", "*".to_owned())),
        Condition::Exists => Some(("if-match", "*".to_owned())),
        Condition::RevisionIs(revision) => Some(("if-match", format_entity_tag(revision))),
    }
}

/// Whether a read's `If-None-Match` value covers the raw form of a key whose newest change has `revision`: the
/// client has that version already. A read is lenient: lists, weak tags and foreign tags are allowed, as
/// caches send them; the latter match nothing. `None` if the value is not of the header's form.
pub fn if_none_match_covers(value: &[u8], revision: u64) -> Option<bool> {
    covers(value, |tag| parse_entity_tag(tag) == Some(revision))
}

/// The same for the JSON form.
pub fn if_none_match_covers_json(value: &[u8], revision: u64) -> Option<bool> {
    covers(value, |tag| parse_json_entity_tag(tag) == Some(revision))
}

fn covers(value: &[u8], is_ours: impl Fn(&[u8]) -> bool) -> Option<bool> {
    if value == b"*" {
        return Some(true);
    }
    let mut covers = false;
    for tag in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        let strong = tag.strip_prefix(b"W/").unwrap_or(tag);
        if strong.len() < 2 || !strong.starts_with(b"\"") || !strong.ends_with(b"\"") {
            return None;
        }
        covers |= is_ours(strong);
    }
    Some(covers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_come_back_from_their_headers() {
        for condition in [Condition::Absent, Condition::Exists, Condition::RevisionIs(u64::MAX)] {
            let (name, value) = header_of_condition(condition).expect("a condition has a header");
            let parsed = match name {
                "if-match" => condition_of_if_match(value.as_bytes()),
                _ => condition_of_if_none_match(value.as_bytes()),
            };
            assert_eq!(parsed, Ok(condition));
        }
        assert_eq!(header_of_condition(Condition::Always), None);
    }

    #[test]
    fn other_forms_are_refused() {
        for value in [
            "",
            "17",
            "\"\"",
            "\"017\"",
            "\"+1\"",
            "W/\"17\"",
            "\"1\", \"2\"",
            "\"a\"",
            "**",
            "\"18446744073709551616\"",
            "\"1",
            "\"",
        ] {
            assert_eq!(condition_of_if_match(value.as_bytes()), Err(BadCondition::IfMatch), "{value}");
        }
        assert_eq!(condition_of_if_none_match(b"\"1\""), Err(BadCondition::IfNoneMatch));
        assert_eq!(condition_of_if_match(b"\"0\""), Ok(Condition::RevisionIs(0)));
    }

    #[test]
    fn each_form_has_its_tag() {
        let tag = format_json_entity_tag(17);
        assert_eq!(tag, "\"17+json\"");
        assert_eq!(condition_of_if_match(tag.as_bytes()), Ok(Condition::RevisionIs(17)));
        assert_eq!(if_none_match_covers(tag.as_bytes(), 17), Some(false));
        assert_eq!(if_none_match_covers_json(tag.as_bytes(), 17), Some(true));
        assert_eq!(if_none_match_covers_json(b"\"17\"", 17), Some(false));
        assert_eq!(if_none_match_covers_json(b"\"16+json\", W/\"17+json\"", 17), Some(true));
        for tag in ["\"+json\"", "\"017+json\"", "17+json", "\"17+json+json\""] {
            assert_eq!(condition_of_if_match(tag.as_bytes()), Err(BadCondition::IfMatch), "{tag}");
        }
    }

    #[test]
    fn a_read_takes_lists_and_weak_tags() {
        for (value, covers) in [
            ("*", Some(true)),
            ("\"17\"", Some(true)),
            ("W/\"17\"", Some(true)),
            ("\"abc\", \"17\"", Some(true)),
            ("\"16\",\"18\"", Some(false)),
            ("17", None),
            ("\"16\",", None),
            ("", None),
        ] {
            assert_eq!(if_none_match_covers(value.as_bytes(), 17), covers, "{value}");
        }
    }
}
