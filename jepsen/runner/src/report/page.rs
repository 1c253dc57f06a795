//! The report as one page of HTML that refers to nothing outside.

use std::fmt::{self, Write};

use quorate_jepsen::picture::write_html;

use super::escaped;
use super::plots::plots;
use super::summary::{Summary, Verdict, WorkloadSummary};
use super::text::{convergence, seconds};
use crate::fault::FaultState;
use crate::judge::Judgement;

const STYLE: &str = include_str!("page.css");

/// The page. The judgement has the pictures.
pub fn page(summary: &Summary<'_>, judgement: &Judgement) -> String {
    let mut page = String::new();
    write_page(summary, judgement, &mut page).expect("memory takes all");
    page
}

fn write_page(summary: &Summary<'_>, judgement: &Judgement, page: &mut String) -> fmt::Result {
    let class = match summary.verdict {
        Verdict::Kept => "kept",
        Verdict::Convicted => "broken",
        Verdict::Unknown | Verdict::HarnessFailed => "unsure",
    };
    let title = format!("{}, seed {}", summary.version, summary.arguments.seed);
    writeln!(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(
        page,
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>",
        escaped(&title)
    )?;
    writeln!(page, "<style>\n{STYLE}</style>\n</head>\n<body>")?;
    writeln!(
        page,
        "<h1>Real processes, real faults: <span class=\"{class}\">{}</span></h1>",
        summary.verdict.words()
    )?;
    write_run(summary, page)?;
    write_wrong(summary, judgement, page)?;
    writeln!(page, "<h2>The run</h2>")?;
    page.push_str(&plots(&summary.measures, summary.faults));
    write_workloads(summary, page)?;
    write_kinds(summary, page)?;
    write_faults(summary, page)?;
    write_logs(summary, page)?;
    writeln!(page, "</body>\n</html>")
}

fn write_run(summary: &Summary<'_>, page: &mut String) -> fmt::Result {
    let (measures, arguments) = (&summary.measures, summary.arguments);
    let requests = measures.requests();
    let (since, until) = measures.longest_absence;
    let rows = [
        ("Store", summary.version.to_owned()),
        ("Cluster", format!("{} nodes", arguments.nodes)),
        ("Time", format!("{} of work from {}", seconds(measures.length), summary.began)),
        ("Operations judged", summary.operations.to_string()),
        (
            "Requests",
            format!(
                "{} answered, {} certainly without effect, {} unknown",
                requests.ok, requests.failed, requests.unknown
            ),
        ),
        (
            "Longest time without an acknowledged write",
            format!("{}, from {}", seconds(until - since), seconds(since)),
        ),
        ("At the end", convergence(summary.convergence)),
    ];
    writeln!(page, "<table class=\"facts\">")?;
    for (name, value) in rows {
        writeln!(page, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value))?;
    }
    writeln!(
        page,
        "<tr><th>Repeat it</th><td><code>{}</code></td></tr>\n</table>",
        escaped(summary.command)
    )?;
    write_list("The harness failed", summary.harness_failures, page)?;
    write_list("Left out on this system", summary.left_out, page)
}

fn write_list(title: &str, items: &[String], page: &mut String) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(page, "<h3>{title}</h3>\n<ul>")?;
    items.iter().try_for_each(|item| writeln!(page, "<li>{}</li>", escaped(item)))?;
    writeln!(page, "</ul>")
}

/// What convicts the store, with the pictures of the checker.
fn write_wrong(summary: &Summary<'_>, judgement: &Judgement, page: &mut String) -> fmt::Result {
    let is_wrong = |workload: &&WorkloadSummary| workload.conclusion != "kept";
    if summary.broken_rules.is_empty() && !summary.workloads.iter().any(|workload| is_wrong(&workload)) {
        return Ok(());
    }
    writeln!(page, "<h2>What is wrong</h2>")?;
    for rule in summary.broken_rules {
        writeln!(page, "<p class=\"wrong\">At {}: {}</p>", seconds(rule.when), escaped(&rule.what))?;
    }
    for workload in summary.workloads.iter().filter(is_wrong) {
        writeln!(page, "<h3>Workload {}</h3>\n<pre>{}</pre>", workload.name, escaped(&workload.explanation))?;
    }
    for workload in &judgement.workloads {
        let Some(picture) = &workload.picture else { continue };
        let mut drawn = Vec::new();
        write_html(picture, &mut drawn).expect("memory takes all");
        let drawn = escaped(&String::from_utf8(drawn).expect("a page is text"));
        writeln!(page, "<iframe title=\"workload {}\" srcdoc=\"{drawn}\"></iframe>", workload.workload)?;
    }
    Ok(())
}

fn write_workloads(summary: &Summary<'_>, page: &mut String) -> fmt::Result {
    writeln!(page, "<h2>What clients did</h2>\n<table>")?;
    writeln!(page, "<tr><th>workload</th><th>operations</th><th>verdict</th><th></th><th>history</th></tr>")?;
    for workload in &summary.workloads {
        let WorkloadSummary { name, operations, conclusion, description, file, .. } = workload;
        let class = if *conclusion == "kept" { "kept" } else { "broken" };
        writeln!(
            page,
            "<tr><td>{name}</td><td class=\"number\">{operations}</td><td class=\"{class}\">{conclusion}</td>\
             <td>{description}</td><td><a href=\"{file}\">{file}</a></td></tr>"
        )?;
    }
    writeln!(page, "</table>")
}

fn write_kinds(summary: &Summary<'_>, page: &mut String) -> fmt::Result {
    writeln!(page, "<h2>What was done to the cluster</h2>")?;
    if summary.measures.kinds.is_empty() {
        return writeln!(page, "<p>Nothing.</p>");
    }
    writeln!(
        page,
        "<p>Away: the longest time without an acknowledged write. Back: from a healing to the next acknowledged write. \
         Everywhere: until every node has acknowledged one. The worst of each kind; of faults that came together, the last to be healed counts.</p>\n<table>\n<tr><th>nemesis</th>\
         <th>installed</th><th>skipped</th><th>indeterminate</th><th>away</th><th>back</th><th>everywhere</th></tr>"
    )?;
    for (name, kind) in &summary.measures.kinds {
        write!(page, "<tr><td>{name}</td>")?;
        for count in [kind.installed, kind.skipped, kind.indeterminate] {
            write!(page, "<td class=\"number\">{count}</td>")?;
        }
        for time in [Some(kind.away_max), kind.back_max, kind.everywhere_max] {
            write!(page, "<td class=\"number\">{}</td>", optional(time))?;
        }
        writeln!(page, "</tr>")?;
    }
    writeln!(page, "</table>")
}

fn optional(time: Option<u64>) -> String {
    time.map_or("&ndash;".to_owned(), seconds)
}

fn write_faults(summary: &Summary<'_>, page: &mut String) -> fmt::Result {
    if summary.faults.is_empty() {
        return Ok(());
    }
    writeln!(page, "<details>\n<summary>Every fault</summary>\n<table>")?;
    writeln!(
        page,
        "<tr><th>nemesis</th><th>what</th><th>nodes</th><th>from</th><th>to</th><th>away</th><th>back</th>\
         <th>everywhere</th><th>went</th></tr>"
    )?;
    for (fault, recovery) in summary.faults.iter().zip(&summary.measures.recoveries) {
        let nodes: Vec<String> = fault.nodes.iter().map(u8::to_string).collect();
        let state = match &fault.state {
            FaultState::Installed => "installed".to_owned(),
            FaultState::Skipped { why } => format!("skipped: {why}"),
            FaultState::Indeterminate { why } => format!("indeterminate: {why}"),
        };
        writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            escaped(fault.nemesis),
            escaped(&fault.action),
            nodes.join(", "),
            seconds(fault.began),
            optional(fault.healed),
            seconds(recovery.away),
            optional(recovery.back),
            optional(recovery.everywhere),
            escaped(&state)
        )?;
    }
    writeln!(page, "</table>\n</details>")
}

fn write_logs(summary: &Summary<'_>, page: &mut String) -> fmt::Result {
    if summary.logs.is_empty() {
        return Ok(());
    }
    writeln!(page, "<h2>What the nodes said</h2>")?;
    for excerpt in &summary.logs {
        let lines = escaped(&excerpt.lines.join("\n"));
        writeln!(
            page,
            "<details>\n<summary>Node {}</summary>\n<pre>{lines}</pre>\n</details>",
            excerpt.node
        )?;
    }
    Ok(())
}
