//! One Raft replica of the store.

pub mod context;
pub mod errors;
pub mod replica;
pub mod status;

pub use context::{Principal, RequestContext};
pub use errors::{ReadError, WriteError};
pub use replica::{Consistency, ReadAnswer, Replica, ReplicaOptions, StartError};
pub use status::{MemberStatus, Role, Status};
