//! `/v1/cluster/members` and what lies below it.
//!
//! Each change is answered as soon as the cluster has agreed on it; the leader then works towards it, and
//! `GET /v1/cluster/members` shows how far it is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};
use quorate_api::query::{self, Parameters};
use quorate_api::{
    AddMemberBody, ErrorCode, MemberAnswer, MemberRole, MembersAnswer, PromoteMemberBody, ReplaceMemberBody,
    WantedRole,
};
use quorate_environment::Environment;
use quorate_replica::{MemberChange, MemberView, MembersView, Wanted};

use super::request::{self, JsonBody, Times, no_body, small_json_request};
use super::writing::json;
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

pub(super) const METHODS: &str = "GET, HEAD, POST, OPTIONS";
pub(super) const METHODS_OF_ONE: &str = "DELETE, OPTIONS";

/// Lists the members, or adds one.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let answered = match *request.method() {
        Method::GET | Method::HEAD => list(&application, &request),
        Method::POST => add(&application, request).await,
        Method::OPTIONS => Ok(super::options(METHODS)),
        _ => Err(Failure::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

/// Removes a member.
pub(crate) async fn answer_of_one<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let answered = match *request.method() {
        Method::DELETE => remove(&application, request).await,
        Method::OPTIONS => Ok(super::options(METHODS_OF_ONE)),
        _ => Err(Failure::method_not_allowed(METHODS_OF_ONE)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

/// Promotes a learner.
pub(crate) async fn promote<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_post(&request) {
        return response;
    }
    promote_one(&application, request).await.unwrap_or_else(Failure::into_response)
}

/// Puts another member in one's place.
pub(crate) async fn replace<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_post(&request) {
        return response;
    }
    replace_one(&application, request).await.unwrap_or_else(Failure::into_response)
}

fn list<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: &Request,
) -> Result<Response, Failure> {
    request::timeout_only(request.uri())?;
    Ok(json(&members_answer(application.store.members())))
}

async fn add<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let (times, body) = small_json_request(application, request, None).await?;
    let JsonBody { content: AddMemberBody { member, learner }, held: _held } = body;
    change(application, &times, MemberChange::Add { member: checked(member)?, learner }).await
}

async fn remove<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let member = member_in(request.uri(), 1)?;
    let (timeout, force) = timeout_and_force(request.uri())?;
    let times = Times::new(request::arrival(&request), timeout);
    change(application, &times, MemberChange::Remove { member, force }).await
}

async fn promote_one<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let member = member_in(request.uri(), 2)?;
    let if_empty = Some(PromoteMemberBody::default());
    let (times, body) = small_json_request(application, request, if_empty).await?;
    let JsonBody { content: PromoteMemberBody { force }, held: _held } = body;
    change(application, &times, MemberChange::Promote { member, force }).await
}

async fn replace_one<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let old = member_in(request.uri(), 2)?;
    let (times, body) = small_json_request(application, request, None).await?;
    let JsonBody { content: ReplaceMemberBody { with, force }, held: _held } = body;
    change(application, &times, MemberChange::Replace { old, new: checked(with)?, force }).await
}

async fn change<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    change: MemberChange,
) -> Result<Response, Failure> {
    Ok(json(&members_answer(agree(application, times, change).await?)))
}

/// Has the cluster agree on a change, and says who the members are then.
pub(crate) async fn agree<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    change: MemberChange,
) -> Result<MembersView, Failure> {
    let changing = application.store.change_members(&times.context, change);
    match application.environment.timeout_at(times.deadline, changing).await {
        Ok(members) => Ok(members?),
        // Dropping the change does not undo it.
        Err(_) => Err(Failure::new(
            ErrorCode::OutcomeUnknown,
            "the outcome is not known: the cluster did not agree on the change before the request's deadline; \
             to ask for it again does no harm",
        )),
    }
}

/// The member number in the path, `from_end` segments before its end.
fn member_in(uri: &Uri, from_end: usize) -> Result<u64, Failure> {
    let name = uri.path().rsplit('/').nth(from_end - 1).unwrap_or_default();
    query::number("", name).map_err(|_| {
        Failure::new(ErrorCode::MemberUnknown, format!("there is no such member: {name:?} is not a number"))
    })
}

/// A number that a new member may have.
fn checked(member: u64) -> Result<u64, Failure> {
    match member {
        0 => Err(Failure::new(ErrorCode::BadBody, "a member's number is 1 or greater")),
        member => Ok(member),
    }
}

fn timeout_and_force(uri: &Uri) -> Result<(Option<Duration>, bool), Failure> {
    let (mut timeout, mut force) = (None, None);
    for (name, value) in Parameters::of(uri.query().unwrap_or_default()) {
        match name {
            query::TIMEOUT => query::once(name, &mut timeout, query::timeout(value)?)?,
            query::FORCE => query::once(name, &mut force, query::flag(name, value)?)?,
            _ => return Err(query::unknown(name).into()),
        }
    }
    Ok((timeout, force.unwrap_or(false)))
}

fn members_answer(view: MembersView) -> MembersAnswer {
    let members = view.members.into_iter().map(member_answer).collect();
    MembersAnswer { index: view.index, leader: view.leader, joint: view.is_joint, members }
}

fn member_answer(view: MemberView) -> MemberAnswer {
    let (wanted, replaces) = match view.wanted {
        Wanted::Voter => (WantedRole::Voter, None),
        Wanted::Learner => (WantedRole::Learner, None),
        Wanted::Replacement(replaced) => (WantedRole::Voter, Some(replaced.member)),
        Wanted::Removed => (WantedRole::Removed, None),
    };
    MemberAnswer {
        member: view.member,
        incarnation: view.node.map(|node| format!("{:016x}", node.incarnation)),
        role: match view.role {
            quorate_replica::MemberRole::Unclaimed => MemberRole::Unclaimed,
            quorate_replica::MemberRole::Learner => MemberRole::Learner,
            quorate_replica::MemberRole::Voter => MemberRole::Voter,
            quorate_replica::MemberRole::Leaving => MemberRole::Leaving,
        },
        wanted,
        replaces,
        peer_address: Some(view.peer_address).filter(|address| !address.is_empty()),
        client_url: Some(view.client_url).filter(|url| !url.is_empty()),
        matched_index: view.matched_index,
        lag: view.lag,
        reachable: view.is_reachable,
    }
}
