//! The contract of [`crate::Environment`] as tests that every implementation passes.
