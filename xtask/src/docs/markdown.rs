//! A page taken apart: its links and the places that links can point to.
//!
//! This is no parser of Markdown. It knows blocks and spans of code, links in their place and headings, and that
//! is enough for the pages that we write.

use std::ops::Range;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its links, in their order.
    pub links: Vec<Link>,
    /// The places within it that have a name: its headings, as forges and mdBook name them.
    pub anchors: Vec<String>,
}

/// A link of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// The line, counted from 1.
    pub line: usize,
    /// Where it leads, as it is written.
    pub target: String,
    /// Where in the text the target stands.
    pub range: Range<usize>,
    /// Whether it is shown in its place, as pictures are.
    pub is_picture: bool,
}

impl Page {
    /// Takes `text` apart.
    pub fn read(text: &str) -> Self {
        let visible = without_code(text);
        Self { links: links(text, &visible), anchors: anchors(text, &visible) }
    }
}

/// The text, as long as it was, with what is code blank.
fn without_code(text: &str) -> Vec<u8> {
    let mut visible = text.as_bytes().to_vec();
    let mut fence: Option<&str> = None;
    let mut prose_from = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let marks = line.trim_start();
        let closes = fence.is_some_and(|fence| marks.starts_with(fence));
        if fence.is_some() || marks.starts_with("```") {
            blank(&mut visible[at..end]);
            if fence.is_none() {
                blank_spans(&mut visible[prose_from..at]);
            }
            prose_from = end;
            fence = if closes { None } else { fence.or(Some(&marks[..fence_length(marks)])) };
        }
        at = end;
    }
    blank_spans(&mut visible[prose_from..]);
    visible
}

fn fence_length(line: &str) -> usize {
    line.bytes().take_while(|&byte| byte == b'`').count()
}

/// Blanks what stands between as many back quotes as have opened it.
fn blank_spans(prose: &mut [u8]) {
    let mut at = 0;
    while at < prose.len() {
        let length = prose[at..].iter().take_while(|&&byte| byte == b'`').count();
        if length == 0 {
            at += 1;
            continue;
        }
        let inside = at + length;
        match end_of_span(prose, inside, length) {
            Some(end) => {
                blank(&mut prose[at..end]);
                at = end;
            }
            None => at = inside,
        }
    }
}

/// Behind the next run of exactly `length` back quotes.
fn end_of_span(prose: &[u8], from: usize, length: usize) -> Option<usize> {
    let mut at = from;
    while at < prose.len() {
        let run = prose[at..].iter().take_while(|&&byte| byte == b'`').count();
        if run == length {
            return Some(at + run);
        }
        at += run.max(1);
    }
    None
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn links(text: &str, visible: &[u8]) -> Vec<Link> {
    let mut links = Vec::new();
    for at in 0..visible.len() {
        if !visible[at..].starts_with(b"](") {
            continue;
        }
        let start = at + 2;
        let length = visible[start..].iter().position(|&byte| byte == b')' || byte.is_ascii_whitespace());
        let (Some(length), Some(opening)) = (length, opening_bracket(visible, at)) else { continue };
        links.push(Link {
            line: 1 + visible[..start].iter().filter(|&&byte| byte == b'\n').count(),
            target: text[start..start + length].to_owned(),
            range: start..start + length,
            is_picture: opening > 0 && visible[opening - 1] == b'!',
        });
    }
    links
}

/// The bracket that is closed at `at`.
fn opening_bracket(visible: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0;
    for position in (0..at).rev() {
        match visible[position] {
            b']' => depth += 1,
            b'[' if depth == 0 => return Some(position),
            b'[' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn anchors(text: &str, visible: &[u8]) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let heading = line.trim_start_matches('#');
        if visible[at] == b'#' && heading.len() < line.len() && heading.starts_with(' ') {
            let name = anchor(heading);
            let earlier = anchors.iter().filter(|anchor| is_numbered(anchor, &name)).count();
            anchors.push(if earlier == 0 { name } else { format!("{name}-{earlier}") });
        }
        at += line.len();
    }
    anchors
}

/// Whether `anchor` is `name`, or one of its repetitions.
fn is_numbered(anchor: &str, name: &str) -> bool {
    let rest = anchor.strip_prefix(name);
    rest.is_some_and(|rest| {
        let number = rest.strip_prefix('-').unwrap_or(rest);
        rest.is_empty() || (number.len() < rest.len() && number.parse::<usize>().is_ok())
    })
}

/// The name of a heading as a place.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        _ if character.is_alphanumeric() => Some(character.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_targets(text: &str, expected: &[(usize, &str)]) {
        let page = Page::read(text);
        let found: Vec<_> = page.links.iter().map(|link| (link.line, link.target.as_str())).collect();
        assert_eq!(found, expected, "{text}");
        for link in &page.links {
            assert_eq!(text[link.range.clone()], link.target);
        }
    }

    #[test]
    fn links_are_found_wherever_they_break() {
        check_targets("a [b](c.md) [d\ne](f.md#g)\n", &[(1, "c.md"), (2, "f.md#g")]);
        check_targets("[`code`](a.md \"title\") and [b](<c>)", &[(1, "a.md"), (1, "<c>")]);
        check_targets("“ü” [ä](ö.md)", &[(1, "ö.md")]);
    }

    #[test]
    fn what_is_code_has_no_links() {
        check_targets("`[a](b)` ``[`](c)`` [d](e)", &[(1, "e")]);
        check_targets("```console\n$ [a](b)\n```\n[c](d)\n", &[(4, "d")]);
        check_targets("````md\n```\n[a](b)\n```\n[c](d)\n````\n[e](f)", &[(7, "f")]);
        check_targets("a ` alone [b](c)", &[(1, "c")]);
    }

    #[test]
    fn pictures_are_told_from_links() {
        let page = Page::read("![a picture](a.svg) [a link](b.md)");
        let found: Vec<_> = page.links.iter().map(|link| (link.target.as_str(), link.is_picture)).collect();
        assert_eq!(found, [("a.svg", true), ("b.md", false)]);
    }

    #[test]
    fn headings_are_places() {
        let text = "# One: `two`, 3\n\n```sh\n# no heading\n```\n## Same\n## Same\n#hash\n## Same-1\n";
        assert_eq!(Page::read(text).anchors, ["one-two-3", "same", "same-1", "same-1-1"]);
    }
}
