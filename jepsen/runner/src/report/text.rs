//! The report as text.

use std::fmt::Write;

use super::Convergence;
use super::measures::NEVER;
use super::summary::Summary;

/// The report as text, for terminals and logs.
pub fn text(summary: &Summary<'_>) -> String {
    let mut text = String::new();
    write_text(summary, &mut text).expect("memory takes all");
    text
}

fn write_text(summary: &Summary<'_>, text: &mut String) -> std::fmt::Result {
    let Summary { arguments, measures, .. } = summary;
    let requests = measures.requests();
    writeln!(text, "Verdict: {}", summary.verdict.words())?;
    if !summary.convicted_of.is_empty() {
        let properties: Vec<_> = summary.convicted_of.iter().map(ToString::to_string).collect();
        writeln!(text, "Convicted of: {}", properties.join(", "))?;
    }
    writeln!(
        text,
        "{}, {} nodes, {} of work from {}, seed {}",
        summary.version,
        arguments.nodes,
        seconds(measures.length),
        summary.began,
        arguments.seed
    )?;
    writeln!(text, "Repeat it: {}", summary.command)?;
    writeln!(text)?;
    writeln!(
        text,
        "{} operations were judged; {} requests: {} answered, {} certainly without effect, {} unknown",
        summary.operations,
        requests.ok + requests.failed + requests.unknown,
        requests.ok,
        requests.failed,
        requests.unknown
    )?;
    for workload in &summary.workloads {
        writeln!(text, "  {:<14} {:>8}  {}", workload.name, workload.operations, workload.conclusion)?;
    }
    let wrong = summary.workloads.iter().filter(|workload| workload.conclusion != "kept");
    for workload in wrong {
        writeln!(text, "\n{}: {}", workload.name, workload.explanation)?;
    }
    if !summary.broken_rules.is_empty() {
        writeln!(text, "\nBroken rules:")?;
        for rule in summary.broken_rules {
            writeln!(text, "  at {}: {}", seconds(rule.when), rule.what)?;
        }
    }
    write_faults(summary, text)?;
    writeln!(text, "\n{}", convergence(summary.convergence))?;
    list(text, "Left out here:", summary.left_out)?;
    list(text, "The harness failed:", summary.harness_failures)?;
    for excerpt in &summary.logs {
        writeln!(text, "\nLog of node {}:", excerpt.node)?;
        excerpt.lines.iter().try_for_each(|line| writeln!(text, "  {line}"))?;
    }
    Ok(())
}

fn write_faults(summary: &Summary<'_>, text: &mut String) -> std::fmt::Result {
    let measures = &summary.measures;
    let (since, until) = measures.longest_absence;
    writeln!(
        text,
        "\nLongest time without an acknowledged write: {}, from {}",
        seconds(until - since),
        seconds(since)
    )?;
    if measures.kinds.is_empty() {
        return writeln!(text, "Nothing was done to the cluster.");
    }
    writeln!(
        text,
        "\n  {:<22} {:>9} {:>7} {:>13}  {:>9} {:>9} {:>11}",
        "faults", "installed", "skipped", "indeterminate", "away", "back", "everywhere"
    )?;
    for (name, kind) in &measures.kinds {
        writeln!(
            text,
            "  {:<22} {:>9} {:>7} {:>13}  {:>9} {:>9} {:>11}",
            name,
            kind.installed,
            kind.skipped,
            kind.indeterminate,
            seconds(kind.away_max),
            optional(kind.back_max),
            optional(kind.everywhere_max)
        )?;
    }
    writeln!(
        text,
        "  away: the longest time without an acknowledged write; back: from a healing to the next one;"
    )?;
    writeln!(
        text,
        "  everywhere: until every node has acknowledged one. The worst of each kind; of faults that came"
    )?;
    writeln!(text, "  together, the last to be healed counts.")
}

fn optional(time: Option<u64>) -> String {
    time.map_or("-".to_owned(), seconds)
}

fn list(text: &mut String, title: &str, items: &[String]) -> std::fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{title}")?;
    items.iter().try_for_each(|item| writeln!(text, "  - {item}"))
}

/// How the cluster came back, in a sentence.
pub fn convergence(convergence: &Convergence) -> String {
    match convergence {
        Convergence::Converged { took, revision } => {
            format!(
                "All nodes served and agreed on revision {revision} {} after the last healing.",
                seconds(*took)
            )
        }
        Convergence::Diverged { why } | Convergence::NotReached { why } => {
            format!("The cluster did not come back: {why}")
        }
    }
}

/// A time in seconds, to the millisecond.
pub fn seconds(nanoseconds: u64) -> String {
    match nanoseconds {
        NEVER => "never".to_owned(),
        other => format!("{:.3} s", other as f64 / 1e9),
    }
}
