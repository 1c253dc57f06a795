//! How many bytes of writes this node works on at once.

use quorate_environment::{Environment, Moment};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A budget that writes take their share of, from the moment they are admitted until they end.
#[derive(Debug)]
pub(crate) struct BytesInFlight {
    left: Semaphore,
    total: u32,
}

impl BytesInFlight {
    /// A budget of `total` bytes, 4 GiB at most.
    pub(crate) fn new(total: usize) -> Self {
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        Self { left: Semaphore::new(total as usize), total }
    }

    /// A share of `bytes`, given back when dropped. Nothing if there is not as much left.
    pub(crate) fn take(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        self.left.try_acquire_many(u32::try_from(bytes).ok()?).ok()
    }

    /// Bytes that are taken.
    pub(crate) fn used(&self) -> usize {
        (self.total as usize).saturating_sub(self.left())
    }

    /// Bytes that could still be taken.
    pub(crate) fn left(&self) -> usize {
        self.left.available_permits()
    }

    /// Waits until every share has been given back, but not past `deadline`. Returns whether all came back;
    /// meanwhile, and from then on, none is to be had.
    pub(crate) async fn drain<E: Environment>(&self, environment: &E, deadline: Moment) -> bool {
        match environment.timeout_at(deadline, self.left.acquire_many(self.total)).await {
            Ok(all) => {
                all.expect("the semaphore is never closed").forget();
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_environment::TokioEnvironment;

    use super::*;

    #[tokio::test]
    async fn draining_waits_for_every_share_and_then_none_is_to_be_had() {
        let environment = TokioEnvironment::new();
        let budget = BytesInFlight::new(100);
        let share = budget.take(60).expect("there is as much");
        assert!(budget.take(60).is_none());
        assert!(!budget.drain(&environment, environment.now() + Duration::from_millis(20)).await);
        let deadline = environment.now() + Duration::from_secs(20);
        let (all, ()) = futures::join!(budget.drain(&environment, deadline), async { drop(share) });
        assert!(all);
        assert!(budget.take(1).is_none());
    }
}
