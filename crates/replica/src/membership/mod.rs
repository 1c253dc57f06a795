//! Who is in the cluster, and how that changes while it runs.
//!
//! All of it lives in one replicated place: Raft's membership. Of each node it says what the node *is* (a voter
//! or not, by Raft's configuration) and what is *wanted* of it ([`quorate_consensus::Wanted`]). A verb
//! ([`MemberChange`]) writes an intention, as one entry of the log ([`plan`]); the leader's *keeper*
//! ([`keeper`]) does the next step towards what is wanted, again and again: it promotes a learner that has
//! caught up, swaps a replacement for the node that it replaces, takes leadership off a node that leaves,
//! finishes what a leader that is gone has left half done. So a verb may be interrupted anywhere and run again,
//! and no node remembers anything of it but the log.
//!
//! # Places and nodes
//!
//! A verb speaks of member *numbers*; Raft needs nodes, a number and an incarnation. Adding a number makes a
//! *place*: a learner with incarnation 0, which nobody dials. The first node that presents the number ([`Joining`])
//! takes the place, in one entry that binds its incarnation; a node that presents a number for which
//! there is no place asks to be added. From then on the number is taken: another directory that presents it
//! is refused, and has to take the node's place by [`MemberChange::Replace`], be it under the same number.
//!
//! # Addresses
//!
//! A node that finds the membership to give other addresses for it than its own presents itself again
//! ([`announce`]). Addresses are hints: a connection is only made with the exact incarnation that was meant.
//!
//! # Leaving
//!
//! A node that has been removed learns of it from the log, if it is still there when that happens, or asks
//! ([`standing`]). It notes it in its directory, which does not start again, and ends ([`departure`]).

mod anew;
mod announce;
mod change;
mod contacts;
mod departure;
mod error;
mod joining;
mod keeper;
mod plan;
mod requests;
mod situation;
mod standing;
mod steps;
mod view;
mod wire;

pub(crate) use anew::begin_anew;
pub(crate) use announce::keep_announced;
pub use change::MemberChange;
pub(crate) use change::MemberRequest;
pub(crate) use contacts::Contacts;
pub(crate) use departure::watch_membership;
pub use error::MemberError;
pub(crate) use joining::Joiner;
pub(crate) use keeper::keep_membership;
pub(crate) use standing::keep_standing;
pub use view::{MemberRole, MemberView, MembersView};
pub(crate) use wire::{ForwardedMemberRequest, MemberReply};
