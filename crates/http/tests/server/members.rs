//! The members, listed and changed.

use quorate_api::{ErrorCode, MemberRole, MembersAnswer, WantedRole};
use quorate_replica::{MemberChange, MemberError};

use crate::harness::Server;
use crate::refusals::assert_refused;

#[tokio::test]
async fn the_members_are_listed_with_what_they_are_to_become() {
    let server = Server::start().await;
    let answer = server.ask("GET /v1/cluster/members").await;
    assert_eq!(answer.status, 200);
    let members: MembersAnswer = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((members.index, members.leader, members.joint), (9, Some(1), false));
    let parts: Vec<_> = members
        .members
        .iter()
        .map(|member| (member.member, member.role, member.wanted, member.replaces))
        .collect();
    assert_eq!(
        parts,
        [
            (1, MemberRole::Voter, WantedRole::Voter, None),
            (2, MemberRole::Voter, WantedRole::Voter, None),
            (3, MemberRole::Unclaimed, WantedRole::Voter, Some(2)),
        ]
    );
    let unclaimed = &members.members[2];
    assert_eq!(
        (&unclaimed.incarnation, &unclaimed.peer_address, &unclaimed.client_url),
        (&None, &None, &None)
    );
    assert_eq!(members.members[0].incarnation.as_deref(), Some("0000000000000007"));
}

#[tokio::test]
async fn each_verb_asks_for_its_change_and_is_answered_with_the_members() {
    let server = Server::start().await;
    for (request, change) in [
        ("POST /v1/cluster/members\n\n{\"member\":4}", MemberChange::Add { member: 4, learner: false }),
        (
            "POST /v1/cluster/members\n\n{\"member\":\"4\",\"learner\":true}",
            MemberChange::Add { member: 4, learner: true },
        ),
        ("POST /v1/cluster/members/3/promote", MemberChange::Promote { member: 3, force: false }),
        (
            "POST /v1/cluster/members/3/promote\n\n{\"force\":true}",
            MemberChange::Promote { member: 3, force: true },
        ),
        (
            "POST /v1/cluster/members/2/replace?timeout=2s\n\n{\"with\":3}",
            MemberChange::Replace { old: 2, new: 3, force: false },
        ),
        ("DELETE /v1/cluster/members/2", MemberChange::Remove { member: 2, force: false }),
        ("DELETE /v1/cluster/members/2?force=true", MemberChange::Remove { member: 2, force: true }),
    ] {
        let answer = server.ask(request).await;
        assert_eq!(answer.status, 200, "{request}");
        let members: MembersAnswer = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(members.index, 9, "{request}");
        assert_eq!(server.store.state().member_changes.pop(), Some(change), "{request}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_changes_nothing() {
    let server = Server::start().await;
    for (request, code, mention) in [
        ("POST /v1/cluster/members", ErrorCode::BadBody, ""),
        ("POST /v1/cluster/members\n\n{\"member\":0}", ErrorCode::BadBody, "1 or greater"),
        ("POST /v1/cluster/members\n\n{\"member\":-1}", ErrorCode::BadBody, "member"),
        ("POST /v1/cluster/members/2/replace\n\n{\"with\":0}", ErrorCode::BadBody, "1 or greater"),
        ("POST /v1/cluster/members/2/replace\n\n{}", ErrorCode::BadBody, "with"),
        ("POST /v1/cluster/members/two/promote", ErrorCode::MemberUnknown, "two"),
        ("DELETE /v1/cluster/members/", ErrorCode::NotFound, ""),
        ("DELETE /v1/cluster/members/2?force=yes", ErrorCode::BadQuery, "force"),
        ("DELETE /v1/cluster/members/2?wait=true", ErrorCode::BadQuery, "wait"),
        ("DELETE /v1/cluster/members/2\n\nx", ErrorCode::BadBody, "no body"),
        ("PUT /v1/cluster/members", ErrorCode::MethodNotAllowed, ""),
        ("GET /v1/cluster/members/2", ErrorCode::MethodNotAllowed, ""),
        ("GET /v1/cluster/members/2/promote", ErrorCode::MethodNotAllowed, ""),
    ] {
        assert_refused(&server.ask(request).await, code, mention);
    }
    assert_eq!(server.store.state().member_changes, []);
}

#[tokio::test]
async fn a_change_whose_outcome_is_not_known_is_not_called_a_failure() {
    let server = Server::start().await;
    let reason = "seen".to_owned();
    server.store.state().member_errors.push_back(MemberError::OutcomeUnknown { reason });
    let answer = server.ask("DELETE /v1/cluster/members/2").await;
    assert_refused(&answer, ErrorCode::OutcomeUnknown, "not known");
}
