//! The page: a frame, a style, a script, and the data in columns.

use std::io::{self, Write};

use serde::Serialize;

use super::lanes::lanes;
use super::{Picture, PictureConflict, PictureEnding, PictureVerdict};

const STYLE: &str = include_str!("picture.css");
const SCRIPT: &str = include_str!("picture.js");

/// What the script reads. Times count from the first event, because a number of a script holds 53 bits.
#[derive(Serialize)]
struct Data<'a> {
    keys: &'a [String],
    lanes: u32,
    /// The operations by lane, and in a lane by their beginnings.
    lane: Vec<u32>,
    process: Vec<u64>,
    key: Vec<&'a [u32]>,
    label: Vec<&'a str>,
    begin: Vec<u64>,
    /// -1 if it was open at the end.
    end: Vec<i64>,
    /// 0 ok, 1 failed, 2 unknown.
    ending: Vec<u8>,
    /// -1 if there is none.
    point: Vec<i64>,
    lines: Vec<(u32, u32)>,
    /// Label, beginning, end (-1 if it lasted).
    bands: Vec<(&'a str, u64, i64)>,
    conflicts: Vec<Conflict<'a>>,
}

#[derive(Serialize)]
struct Conflict<'a> {
    title: &'a str,
    explanation: &'a str,
    operations: Vec<usize>,
}

/// Writes a picture as one page of HTML that refers to nothing outside.
pub fn write_html(picture: &Picture, output: &mut impl Write) -> io::Result<()> {
    let data = serde_json::to_string(&data(picture))?;
    let (class, word) = match picture.verdict {
        PictureVerdict::Kept => ("kept", "in order"),
        PictureVerdict::Broken => ("broken", "broken"),
        PictureVerdict::Unknown => ("unknown", "unknown"),
    };
    let title = escaped(&picture.title);
    let summary = escaped(&picture.summary);
    writeln!(output, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(output, "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>")?;
    writeln!(output, "<style>\n{STYLE}</style>\n</head>\n<body>")?;
    writeln!(output, "<header>\n<h1>{title}</h1>\n<span class=\"verdict {class}\">{word}</span>")?;
    writeln!(
        output,
        "<label>key <input id=\"key\" type=\"search\" placeholder=\"all\" list=\"keys\"></label>"
    )?;
    writeln!(output, "<datalist id=\"keys\"></datalist>\n<button id=\"out\">&minus;</button>")?;
    writeln!(output, "<button id=\"in\">+</button>\n<button id=\"all\">all</button>")?;
    writeln!(output, "<span id=\"status\"></span>\n</header>\n<canvas id=\"overview\"></canvas>")?;
    writeln!(output, "<main>\n<canvas id=\"lanes\"></canvas>\n<aside>\n<p>{summary}</p>")?;
    writeln!(output, "<div id=\"conflicts\"></div>\n</aside>\n</main>\n<div id=\"tip\"></div>")?;
    // Within a script element nothing is escaped but what could end it.
    let data = data.replace('<', "\\u003c");
    writeln!(output, "<script id=\"data\" type=\"application/json\">{data}</script>")?;
    writeln!(output, "<script>\n{SCRIPT}</script>\n</body>\n</html>")
}

fn data(picture: &Picture) -> Data<'_> {
    let operations = &picture.operations;
    let bands_begin = picture.bands.iter().map(|band| band.begin);
    let origin = operations.iter().map(|operation| operation.begin).chain(bands_begin).min().unwrap_or(0);
    let relative = |time: u64| time.saturating_sub(origin);
    let optional = |time: Option<u64>| {
        time.map_or(-1, |time| i64::try_from(relative(time)).expect("a run is shorter than 292 years"))
    };
    let (lane, lanes) = lanes(operations);
    let mut order: Vec<usize> = (0..operations.len()).collect();
    order.sort_by_key(|index| (lane[*index], operations[*index].begin));
    let mut position = vec![0; operations.len()];
    for (place, index) in order.iter().enumerate() {
        position[*index] = place;
    }
    let conflict = |conflict: &'_ PictureConflict| {
        conflict.operations.iter().map(|index| position[*index]).collect::<Vec<_>>()
    };
    let sorted = || order.iter().map(|index| &operations[*index]);
    Data {
        keys: &picture.keys,
        lanes,
        lane: order.iter().map(|index| lane[*index]).collect(),
        process: sorted().map(|operation| operation.process).collect(),
        key: sorted().map(|operation| &operation.keys[..]).collect(),
        label: sorted().map(|operation| operation.label.as_str()).collect(),
        begin: sorted().map(|operation| relative(operation.begin)).collect(),
        end: sorted().map(|operation| optional(operation.end)).collect(),
        ending: sorted()
            .map(|operation| match operation.ending {
                PictureEnding::Ok => 0,
                PictureEnding::Failed => 1,
                PictureEnding::Unknown => 2,
            })
            .collect(),
        point: sorted().map(|operation| optional(operation.point)).collect(),
        lines: sorted().map(|operation| operation.lines).collect(),
        bands: (picture.bands.iter())
            .map(|band| (band.label.as_str(), relative(band.begin), optional(band.end)))
            .collect(),
        conflicts: (picture.conflicts.iter())
            .map(|found| Conflict {
                title: &found.title,
                explanation: &found.explanation,
                operations: conflict(found),
            })
            .collect(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
