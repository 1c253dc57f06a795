//! The plots of the page: what ended how, how fast, and what was done to the cluster meanwhile, one below the other
//! over the same time.

use std::fmt::Write;

use super::escaped;
use super::measures::{Measures, Outcomes, Plot};
use super::text::seconds;
use crate::fault::{Fault, FaultState};

/// Sizes in pixels.
const WIDTH: f64 = 1100.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 8.0;
const HEIGHT: f64 = 170.0;
const LANE: f64 = 20.0;
const BOTTOM: f64 = 22.0;
/// The latencies between which the second plot has its lines, in nanoseconds: 100 microseconds to 10 seconds.
const LATENCY_MIN: f64 = 1e5;
const LATENCY_MAX: f64 = 1e10;
/// Colours of bands, one after the other.
const COLOURS: [&str; 12] = [
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#b6992d", "#b07aa1", "#d37295", "#9c755f",
    "#79706e", "#86bcb6", "#5b5ea6",
];

/// The plots.
pub fn plots(measures: &Measures, faults: &[Fault]) -> String {
    let mut page = String::new();
    let frame = Frame { length: measures.length.max(1), kinds: measures.kinds.keys().copied().collect() };
    write_throughput(&frame, &measures.plot, faults, &mut page).expect("memory takes all");
    write_latency(&frame, &measures.plot, faults, &mut page).expect("memory takes all");
    write_lanes(&frame, faults, &mut page).expect("memory takes all");
    page
}

/// What the plots have in common.
struct Frame {
    length: u64,
    kinds: Vec<&'static str>,
}

impl Frame {
    /// Where a moment is.
    fn x(&self, moment: u64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (moment.min(self.length) as f64 / self.length as f64)
    }

    fn colour(&self, nemesis: &str) -> &'static str {
        let place = self.kinds.iter().position(|kind| *kind == nemesis).unwrap_or(0);
        COLOURS[place % COLOURS.len()]
    }

    /// The rectangle of a fault, as high as it is told.
    fn band(
        &self,
        fault: &Fault,
        (top, height): (f64, f64),
        opacity: f64,
        page: &mut String,
    ) -> std::fmt::Result {
        let (from, until) = (self.x(fault.began), self.x(fault.healed.unwrap_or(fault.began)));
        let (width, colour) = ((until - from).max(2.0), self.colour(fault.nemesis));
        let healed = fault.healed.map_or(String::new(), |healed| format!(" to {}", seconds(healed)));
        let title = format!("{}: {} ({}{healed})", fault.nemesis, fault.action, seconds(fault.began));
        writeln!(
            page,
            "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\" \
             opacity=\"{opacity}\"><title>{}</title></rect>",
            escaped(&title)
        )
    }

    fn bands(&self, faults: &[Fault], page: &mut String) -> std::fmt::Result {
        was_tried(faults).try_for_each(|fault| self.band(fault, (0.0, HEIGHT), 0.16, page))
    }

    /// The lines and numbers of time.
    fn time(&self, height: f64, page: &mut String) -> std::fmt::Result {
        let whole = self.length as f64 / 1e9;
        let step = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
        let step = step.into_iter().find(|step| whole / step <= 14.0).unwrap_or(7_200.0);
        let mut second = 0.0;
        while second <= whole {
            let x = self.x((second * 1e9) as u64);
            writeln!(page, "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{height:.1}\"/>")?;
            writeln!(
                page,
                "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"middle\">{second} s</text>",
                height + 15.0
            )?;
            second += step;
        }
        Ok(())
    }
}

fn was_tried(faults: &[Fault]) -> impl Iterator<Item = &Fault> {
    faults.iter().filter(|fault| !matches!(fault.state, FaultState::Skipped { .. }))
}

fn open(title: &str, height: f64, page: &mut String) -> std::fmt::Result {
    let whole = TOP + height + BOTTOM;
    writeln!(page, "<h3>{title}</h3>")?;
    writeln!(page, "<svg viewBox=\"0 -{TOP} {WIDTH} {whole}\" role=\"img\" aria-label=\"{title}\">")
}

fn line_of(y: f64, label: &str, page: &mut String) -> std::fmt::Result {
    let end = WIDTH - RIGHT;
    writeln!(page, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>")?;
    writeln!(page, "<text x=\"{}\" y=\"{:.1}\" class=\"end\">{label}</text>", LEFT - 6.0, y + 4.0)
}

fn write_throughput(frame: &Frame, plot: &Plot, faults: &[Fault], page: &mut String) -> std::fmt::Result {
    open("Requests a second", HEIGHT, page)?;
    frame.bands(faults, page)?;
    let per_second = |count: usize| count as f64 * 1e9 / plot.slice as f64;
    let all = |outcomes: &Outcomes| outcomes.ok + outcomes.failed + outcomes.unknown;
    let most = per_second(plot.outcomes.iter().map(all).max().unwrap_or(0)).max(1.0);
    let power = 10_f64.powf(most.log10().floor());
    let steps = [0.2, 0.5, 1.0, 2.0].map(|part| part * power);
    let step = steps.into_iter().find(|step| most / step <= 6.0).unwrap_or(power);
    let top = (most / step).ceil() * step;
    for part in 0..=(top / step).round() as u32 {
        let value = f64::from(part) * step;
        line_of(HEIGHT * (1.0 - value / top), &format!("{value}"), page)?;
    }
    frame.time(HEIGHT, page)?;
    for (place, outcomes) in plot.outcomes.iter().enumerate() {
        let (from, until) = (place as u64 * plot.slice, (place as u64 + 1) * plot.slice);
        let (x, width) = (frame.x(from), (frame.x(until) - frame.x(from) - 0.3).max(0.3));
        let mut y = HEIGHT;
        let parts = [("ok", outcomes.ok), ("failed", outcomes.failed), ("unknown", outcomes.unknown)];
        for (class, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
            let height = HEIGHT * per_second(count) / top;
            y -= height;
            writeln!(
                page,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            )?;
        }
    }
    writeln!(page, "</svg>")?;
    writeln!(
        page,
        "<p class=\"legend\"><i class=\"ok\"></i>answered <i class=\"failed\"></i>certainly without effect \
         <i class=\"unknown\"></i>unknown</p>"
    )
}

fn write_latency(frame: &Frame, plot: &Plot, faults: &[Fault], page: &mut String) -> std::fmt::Result {
    open("Latency of what was answered", HEIGHT, page)?;
    frame.bands(faults, page)?;
    let y = |latency: f64| {
        let part =
            (latency.clamp(LATENCY_MIN, LATENCY_MAX) / LATENCY_MIN).ln() / (LATENCY_MAX / LATENCY_MIN).ln();
        HEIGHT * (1.0 - part)
    };
    for (latency, label) in
        [(1e5, "0.1 ms"), (1e6, "1 ms"), (1e7, "10 ms"), (1e8, "100 ms"), (1e9, "1 s"), (1e10, "10 s")]
    {
        line_of(y(latency), label, page)?;
    }
    frame.time(HEIGHT, page)?;
    for (quantile, class) in [(2, "slowest"), (1, "slow"), (0, "half")] {
        let mut path = String::new();
        let mut is_drawing = false;
        for (place, latencies) in plot.latencies.iter().enumerate() {
            let Some(latencies) = latencies else {
                is_drawing = false;
                continue;
            };
            let x = frame.x(place as u64 * plot.slice + plot.slice / 2);
            let command = if is_drawing { 'L' } else { 'M' };
            write!(path, "{command}{x:.1} {:.1}", y(latencies[quantile] as f64))?;
            is_drawing = true;
        }
        writeln!(page, "<path class=\"{class}\" d=\"{path}\"/>")?;
    }
    writeln!(page, "</svg>")?;
    writeln!(
        page,
        "<p class=\"legend\"><i class=\"half\"></i>half were faster <i class=\"slow\"></i>99 of 100 were faster \
         <i class=\"slowest\"></i>the slowest</p>"
    )
}

fn write_lanes(frame: &Frame, faults: &[Fault], page: &mut String) -> std::fmt::Result {
    if frame.kinds.is_empty() {
        return Ok(());
    }
    let height = LANE * frame.kinds.len() as f64;
    open("What was done to the cluster", height, page)?;
    frame.time(height, page)?;
    for (lane, kind) in frame.kinds.iter().enumerate() {
        let top = lane as f64 * LANE;
        let label = top + 14.0;
        writeln!(page, "<text x=\"{}\" y=\"{label:.1}\" class=\"end\">{}</text>", LEFT - 6.0, escaped(kind))?;
        for fault in was_tried(faults).filter(|fault| fault.nemesis == *kind) {
            frame.band(fault, (top + 2.0, LANE - 4.0), 0.9, page)?;
        }
    }
    writeln!(page, "</svg>")
}
