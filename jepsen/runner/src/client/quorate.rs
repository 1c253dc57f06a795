//! Our own API, as docs/api.md describes it.

mod answer;
mod request;

pub use answer::told;
pub use request::request;
