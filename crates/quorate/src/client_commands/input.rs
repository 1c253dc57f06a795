//! What commands read: values and transactions.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::CommandError;

/// The longest value that any cluster can be set to accept, in bytes. The cluster's own limit, which it
/// alone knows, is at most this. Transactions are no longer.
const INPUT_BYTES_MAX: u64 = 8 << 20;

/// Reads standard input to its end.
pub async fn standard_input() -> Result<Vec<u8>, CommandError> {
    read(tokio::io::stdin(), "standard input").await
}

/// Reads a file; `-` is standard input.
pub async fn file(path: &Path) -> Result<Vec<u8>, CommandError> {
    if path.as_os_str() == "-" {
        return standard_input().await;
    }
    let name = path.display().to_string();
    let unreadable = |source| CommandError::File { path: name.clone(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    read(tokio::fs::File::from_std(file), &name).await.map_err(|error| match error {
        CommandError::Stdio(source) => unreadable(source),
        error => error,
    })
}

/// Reads an input to its end, but no further than any cluster would accept.
async fn read(input: impl AsyncRead + Unpin, name: &str) -> Result<Vec<u8>, CommandError> {
    let mut value = Vec::new();
    input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut value).await?;
    if value.len() as u64 > INPUT_BYTES_MAX {
        return Err(CommandError::InputTooLong { name: name.to_owned(), bytes_max: INPUT_BYTES_MAX });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_input_that_no_cluster_accepts_is_not_read_to_its_end() {
        let longest = vec![7; INPUT_BYTES_MAX as usize];
        assert_eq!(read(&longest[..], "x").await.expect("is read").len(), longest.len());
        let refused = read(tokio::io::repeat(7), "standard input").await.expect_err("has no end");
        assert!(refused.to_string().contains("8388608"), "{refused}");
    }
}
