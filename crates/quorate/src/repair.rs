//! `quorate repair`: looks at the data directory of a node that is down, and asks for its repair.

use quorate_storage::{Examination, StorageOptions, examine};
use tokio::io::AsyncWriteExt;

use crate::arguments::RepairArguments;
use crate::error::CommandError;

/// Reads the whole state. If it is damaged, the node makes it anew when it starts next.
pub async fn run(arguments: RepairArguments) -> Result<(), CommandError> {
    let RepairArguments { data_dir } = arguments;
    let path = data_dir.display();
    // Nothing else goes on in this process that it could keep waiting.
    let text = match examine(&data_dir, &StorageOptions::default())? {
        Examination::Sound { revision } => {
            format!("{path}: every record is sound, up to revision {revision}; nothing was changed\n")
        }
        Examination::RepairRequested { reason } => format!(
            "{path}: {reason}\n\
             Start the node again: it keeps its log, its vote and its identity, and makes its state anew, with the \
             help of the other nodes if it needs it.\n"
        ),
    };
    tokio::io::stdout().write_all(text.as_bytes()).await?;
    Ok(())
}
