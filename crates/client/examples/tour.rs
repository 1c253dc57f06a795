//! What a client can do, from the first put to a transaction. The nodes are the arguments.

use futures::TryStreamExt;
use quorate_client::{Client, ClientError, Condition, Keys, TransactionBuilder, compare, operation};

#[tokio::main]
async fn main() -> Result<(), ClientError> {
    tour(std::env::args().skip(1).collect()).await
}

/// Run by a test, with the nodes of a new cluster.
pub async fn tour(nodes: Vec<String>) -> Result<(), ClientError> {
    let client = Client::new(nodes)?;

    let written = client.put("greeting", "hello").await?;
    let entry = client.get("greeting").await?.expect("it was just put");
    assert_eq!((&entry.value[..], entry.mod_revision), (&b"hello"[..], written.revision));

    // Change it only if nobody else has meanwhile.
    let condition = Condition::RevisionIs(entry.mod_revision);
    match client.put_if("greeting", "hello again", condition).await {
        Ok(written) => println!("revision {}", written.revision),
        Err(error) if error.is_conflict() => println!("somebody was faster"),
        Err(error) if error.is_outcome_unknown() => println!("read it again to learn what happened: {error}"),
        Err(error) => return Err(error),
    }

    // What was is still there, until it is compacted.
    let earlier = client.read_at("greeting", written.revision).await?.found.expect("it was there");
    assert_eq!(&earlier.value[..], b"hello");

    // Several keys at one moment.
    let transaction = TransactionBuilder::new()
        .when(compare::key("stock").is_absent())
        .then(operation::put("stock", "3"))
        .then(operation::put("fruit/apple", "red"))
        .then(operation::put("fruit/plum", "blue"))
        .otherwise(operation::get("stock"));
    let done = client.transact(transaction).await?;
    assert!(done.succeeded);

    // However many there are: they come page by page, and all show the same revision.
    let mut fruit = std::pin::pin!(client.range(Keys::prefix("fruit/")).stream());
    while let Some(item) = fruit.try_next().await? {
        println!("{:?} is {:?}", item.key, item.value);
    }
    assert_eq!(client.delete_range(Keys::prefix("fruit/")).await?.deleted, 2);

    client.close().await
}
