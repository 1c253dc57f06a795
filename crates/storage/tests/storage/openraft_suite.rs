//! openraft's own storage suite, in the production environment.

use quorate_environment::TokioEnvironment;

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_storage_suite_passes() {
    quorate_storage::testing::openraft_suite(TokioEnvironment::new()).await;
}
