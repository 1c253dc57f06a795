//! What clients ask of the whole store, and what they are told.

use super::Recorder;
use crate::oracles::store::{self, Asked, NoReference, StoreOperation, Told};

impl Recorder {
    /// A client sends a request. Gives the number of the operation.
    pub fn ask(&self, client: u64, member: u64, asked: Asked) -> usize {
        let invoked_ns = self.now_ns();
        let operations = &mut self.seen().store.operations;
        let told = Told::Unknown;
        operations.push(StoreOperation { client, member, invoked_ns, completed_ns: None, asked, told });
        operations.len() - 1
    }

    /// A client is told what became of a request, or gives up on it.
    pub fn told(&self, operation: usize, told: Told) {
        let now_ns = self.now_ns();
        let operation = &mut self.seen().store.operations[operation];
        operation.completed_ns = Some(now_ns);
        operation.told = told;
    }

    /// One more request was answered.
    pub fn count_answered(&self) {
        self.seen().answered += 1;
    }

    /// Judges what all clients were told, now that the run is over.
    pub fn judge_store(&self) -> Result<(), NoReference> {
        let mut seen = self.seen();
        let now_ns = seen.last_time_ns;
        match store::check(&seen.store)? {
            Ok(coverage) => seen.coverage = coverage,
            Err(violation) => seen.judge(now_ns, Err(violation)),
        }
        Ok(())
    }
}
