//! `quorate recover`: a new cluster from what is left of one that has lost its majority.

use std::fmt::Write as _;

use quorate_environment::TokioEnvironment;
use quorate_storage::{Inspection, Recovered, StorageOptions, inspect, recover};
use tokio::io::AsyncWriteExt;

use crate::arguments::RecoverArguments;
use crate::error::CommandError;

/// Says what a survivor has, or makes a cluster out of it.
pub async fn run(arguments: RecoverArguments) -> Result<(), CommandError> {
    let RecoverArguments { data_dir, force, .. } = arguments;
    let (environment, options) = (TokioEnvironment::new(), StorageOptions::default());
    let text = match force {
        false => describe(&inspect(environment, &data_dir, &options).await?),
        true => report(&recover(environment, &data_dir, &options).await?),
    };
    tokio::io::stdout().write_all(text.as_bytes()).await?;
    Ok(())
}

fn describe(inspection: &Inspection) -> String {
    let Inspection { cluster_id, node_id, last, committed_index, members, .. } = inspection;
    let cluster = cluster_id.map_or_else(|| "none yet".to_owned(), |cluster_id| cluster_id.to_string());
    let (term, index) = last.unwrap_or((0, 0));
    let mut text = format!(
        "cluster    {cluster}\nnode       {node_id}\nlog end    term {term}, index {index}\n\
         committed  index {committed_index}, as far as this node knew\n"
    );
    for (node, votes) in members {
        let part = if *votes { "voter" } else { "learner" };
        // Writing into a string does not fail.
        let _ = writeln!(text, "member     {} {part}", node.member);
    }
    text
}

fn report(recovered: &Recovered) -> String {
    let Recovered { before, cluster_id } = recovered;
    let (term, index) = before.last.unwrap_or((0, 0));
    let unsure = index.saturating_sub(before.committed_index);
    let node = before.node_id;
    let kept = match unsure {
        0 => "No entry of its log was uncommitted as far as this node knew.\n".to_owned(),
        _ => format!(
            "The last {unsure} entries of its log were not known to be committed, and are kept: writes of which the \
             outcome was unknown may have been done.\n"
        ),
    };
    format!(
        "Node {node} is now the only member of the new cluster {cluster_id}, with its log up to term {term}, index \
         {index}.\n{kept}\
         Lost is what only the other nodes had: whatever they acknowledged behind that index.\n\
         Start this node, then have the others join it with --join and --force-new.\n"
    )
}
