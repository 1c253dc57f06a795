//! Requests about the members.

use bytes::Bytes;
use http::Method;
use quorate_api::{AddMemberBody, MEMBERS_PATH, MembersAnswer, PromoteMemberBody, ReplaceMemberBody, query};
use quorate_environment::Environment;
use serde::Serialize;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// Each change is done when the cluster has agreed on it; the leader works towards it from then on, and
/// [`Client::members`] shows how far it is. To ask for the same change again does no harm, so that lost answers
/// are asked for again.
impl<E: Environment> Client<E> {
    /// The members, as the node that answers knows them.
    pub async fn members(&self) -> Result<MembersAnswer, ClientError> {
        self.ask(&Call::get(MEMBERS_PATH, String::new())).await?.json()
    }

    /// Adds a member number, which the first node that presents it claims: one that is started with the number
    /// and with the address of a member to join. It becomes a voter when it has caught up, or stays a learner.
    pub async fn add_member(&self, member: u64, learner: bool) -> Result<MembersAnswer, ClientError> {
        self.change_members(Method::POST, MEMBERS_PATH.to_owned(), &AddMemberBody { member, learner }).await
    }

    /// Makes a learner a voter. Refused with [`quorate_api::ErrorCode::MemberLagging`] if it has not caught up,
    /// unless `force`.
    pub async fn promote_member(&self, member: u64, force: bool) -> Result<MembersAnswer, ClientError> {
        let path = format!("{MEMBERS_PATH}/{member}/promote");
        self.change_members(Method::POST, path, &PromoteMemberBody { force }).await
    }

    /// Puts the member `with`, which is added if it is new, in the place of `old`, which is removed as soon as the
    /// other votes. Refused with [`quorate_api::ErrorCode::QuorumAtRisk`] if too few voters would be
    /// reachable, unless `force`.
    pub async fn replace_member(
        &self,
        old: u64,
        with: u64,
        force: bool,
    ) -> Result<MembersAnswer, ClientError> {
        let path = format!("{MEMBERS_PATH}/{old}/replace");
        self.change_members(Method::POST, path, &ReplaceMemberBody { with, force }).await
    }

    /// Removes a member. Its node stops by itself. Refused with [`quorate_api::ErrorCode::QuorumAtRisk`] if too
    /// few voters would be reachable, unless `force`.
    /// [`quorate_api::ErrorCode::MemberUnknown`] if there is no such member, be it because an earlier attempt has
    /// removed it, whose answer was lost.
    pub async fn remove_member(&self, member: u64, force: bool) -> Result<MembersAnswer, ClientError> {
        let query = if force { format!("{}=true", query::FORCE) } else { String::new() };
        let path = format!("{MEMBERS_PATH}/{member}");
        self.ask(&Call::new(Method::DELETE, path, query, Bytes::new()).repeatable()).await?.json()
    }

    async fn change_members(
        &self,
        method: Method,
        path: String,
        body: &impl Serialize,
    ) -> Result<MembersAnswer, ClientError> {
        let body = serde_json::to_vec(body).expect("wire types can be written as JSON");
        self.ask(&Call::new(method, path, String::new(), body.into()).repeatable()).await?.json()
    }
}
