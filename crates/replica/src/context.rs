//! What every call into the store carries besides its arguments.

use quorate_environment::Moment;

/// Who asks. Only one answer today; authentication will add others without touching each call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular: authentication is off.
    #[default]
    Anonymous,
}

/// The context of one request, from the moment it arrives until its answer leaves.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Who asks.
    pub principal: Principal,
    /// By when the answer must leave, whatever it is. One deadline for the whole request, hops and
    /// retries included.
    pub deadline: Moment,
    /// Names the request in logs of every node that it passes through.
    pub request_id: u64,
    /// How many times a node has passed it on already.
    pub hops: u8,
}

impl RequestContext {
    /// A request that a client has just sent to this node.
    pub fn new(deadline: Moment, request_id: u64) -> Self {
        Self { principal: Principal::Anonymous, deadline, request_id, hops: 0 }
    }
}
