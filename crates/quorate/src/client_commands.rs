//! `quorate put`, `get`, `delete`, `status`.
