//! How each model's calls and answers stand in events.

mod counter;
mod key_value;
mod mutex;
mod set;
mod store;

pub(super) use counter::CounterDialect;
pub(super) use key_value::KeyValueDialect;
pub(super) use mutex::MutexDialect;
pub(super) use set::SetDialect;
pub(super) use store::StoreDialect;
