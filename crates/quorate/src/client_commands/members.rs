//! `quorate member`.

use std::time::{Duration, Instant};

use quorate_api::{MemberRole, MembersAnswer};
use quorate_client::{Client, ErrorCode};

use super::client;
use super::printing::{Table, json, print, print_line};
use crate::client_arguments::Output;
use crate::error::CommandError;
use crate::member_arguments::{MemberArguments, MemberCommand, Patience};

/// How often the cluster is asked how far it is.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Lists the members, or changes who is one and prints them then.
pub async fn member(arguments: MemberArguments) -> Result<(), CommandError> {
    match arguments.command {
        MemberCommand::List { connection } => {
            let output = connection.output;
            print_members(&client(connection)?.members().await?, output).await
        }
        MemberCommand::Add { member, learner, connection } => {
            let output = connection.output;
            print_members(&client(connection)?.add_member(member, learner).await?, output).await
        }
        MemberCommand::Promote { member, force, patience, connection } => {
            let output = connection.output;
            let client = client(connection)?;
            let members = client.promote_member(member, force).await?;
            print_when(&client, members, Goal::Voter(member), patience, output).await
        }
        MemberCommand::Replace { old, new, force, patience, connection } => {
            let output = connection.output;
            let client = client(connection)?;
            let goal = Goal::Replaced { old, new };
            let members = match client.replace_member(old, new, force).await {
                // Under its own number it cannot be seen from the outside whether it was done before.
                Err(error) if old == new && error.code() == Some(ErrorCode::MemberExists) => {
                    let members = client.members().await?;
                    if !goal.is_reached(&members) {
                        return Err(error.into());
                    }
                    eprintln!(
                        "member {new} has a vote and its node answers: there is nothing left to replace"
                    );
                    members
                }
                answered => answered?,
            };
            print_when(&client, members, goal, patience, output).await
        }
        MemberCommand::Remove { member, force, patience, connection } => {
            let output = connection.output;
            let client = client(connection)?;
            let members = client.remove_member(member, force).await?;
            print_when(&client, members, Goal::Gone(member), patience, output).await
        }
    }
}

/// What a command waits for, from when its change was answered on.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Voter(u64),
    Gone(u64),
    Replaced { old: u64, new: u64 },
}

impl Goal {
    fn is_reached(self, members: &MembersAnswer) -> bool {
        // Of two with the same number, one is on its way out.
        let votes = |member| {
            let roles: Vec<_> = members.with_number(member).map(|found| found.role).collect();
            roles == [MemberRole::Voter]
        };
        let is_gone = |member| members.with_number(member).next().is_none();
        !members.joint
            && match self {
                Goal::Voter(member) => votes(member),
                Goal::Gone(member) => is_gone(member),
                Goal::Replaced { old, new } => votes(new) && (old == new || is_gone(old)),
            }
    }

    /// How far it is, in words.
    fn progress(self, members: &MembersAnswer) -> String {
        let (Goal::Voter(member) | Goal::Gone(member) | Goal::Replaced { new: member, .. }) = self;
        let roles: Vec<_> = members.with_number(member).map(|found| found.role).collect();
        match roles.iter().find(|role| **role != MemberRole::Voter).or(roles.first()) {
            None => format!("member {member} is not known to the node that was asked"),
            Some(MemberRole::Unclaimed) => {
                format!(
                    "member {member} is unclaimed: start its node with `quorate serve --id {member} --join …`"
                )
            }
            Some(MemberRole::Leaving) => format!("member {member} is being removed"),
            Some(MemberRole::Learner) => format!("member {member} is catching up"),
            Some(MemberRole::Voter) => format!("member {member} has a vote"),
        }
    }
}

/// Waits for the goal as long as patience lasts, telling how far it is, and prints the members.
async fn print_when(
    client: &Client,
    mut members: MembersAnswer,
    goal: Goal,
    patience: Patience,
    output: Option<Output>,
) -> Result<(), CommandError> {
    let deadline = Instant::now() + patience.wait;
    let mut told = String::new();
    while !patience.no_wait && !goal.is_reached(&members) {
        let progress = goal.progress(&members);
        if progress != told {
            eprintln!("{progress}");
            told = progress;
        }
        if Instant::now() >= deadline {
            return Err(CommandError::NotDoneYet { after: patience.wait, progress: told });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        members = match client.members().await {
            Ok(answer) => newer_of(members, answer),
            // The node that was asked may be the one that is removed.
            Err(error) if error.code().is_none_or(ErrorCode::is_retryable) => continue,
            Err(error) => return Err(error.into()),
        };
    }
    print_members(&members, output).await
}

/// A node that is behind shows what was long ago: whoever waits for a change would take that for done which is not begun.
fn newer_of(known: MembersAnswer, answer: MembersAnswer) -> MembersAnswer {
    if answer.index >= known.index { answer } else { known }
}

async fn print_members(members: &MembersAnswer, output: Option<Output>) -> Result<(), CommandError> {
    match output.unwrap_or(Output::Table) {
        Output::Json | Output::Raw => print_line(json(members)).await,
        Output::Table => print(describe(members)).await,
    }
}

/// The members for people.
fn describe(members: &MembersAnswer) -> String {
    let mut table = Table::new(["MEMBER", "ROLE", "IS TO BE", "CLIENTS", "PEERS"]);
    for member in &members.members {
        let is_leader = members.leader == Some(member.member);
        let role =
            if is_leader { format!("{}, leads", member.role.name()) } else { member.role.name().to_owned() };
        let wanted = match member.replaces {
            Some(replaced) if !member.is_settled() => format!("{} for {replaced}", member.wanted.name()),
            _ if member.is_settled() => "-".to_owned(),
            _ => member.wanted.name().to_owned(),
        };
        let url = member.client_url.clone().unwrap_or_else(|| "-".to_owned());
        let peer_address = member.peer_address.clone().unwrap_or_else(|| "-".to_owned());
        table.row([member.member.to_string(), role, wanted, url, peer_address]);
    }
    table.with_titles()
}

#[cfg(test)]
mod tests {
    use quorate_api::{MemberAnswer, WantedRole};

    use super::*;

    fn member(member: u64, role: MemberRole, wanted: WantedRole) -> MemberAnswer {
        MemberAnswer {
            member,
            incarnation: None,
            role,
            wanted,
            replaces: None,
            peer_address: Some("a:1".to_owned()),
            client_url: None,
            matched_index: None,
            lag: None,
            reachable: None,
        }
    }

    fn members(members: Vec<MemberAnswer>) -> MembersAnswer {
        MembersAnswer { index: 1, leader: Some(1), joint: false, members }
    }

    #[test]
    fn a_node_that_is_behind_does_not_say_that_it_is_done() {
        let before =
            MembersAnswer { index: 7, ..members(vec![member(2, MemberRole::Voter, WantedRole::Voter)]) };
        let leaving =
            MembersAnswer { index: 8, ..members(vec![member(2, MemberRole::Leaving, WantedRole::Removed)]) };
        assert_eq!(newer_of(leaving.clone(), before.clone()).index, 8);
        assert_eq!(newer_of(before, leaving).index, 8);
    }

    #[test]
    fn what_is_waited_for_is_seen_when_it_is_there() {
        let learner = member(2, MemberRole::Learner, WantedRole::Voter);
        let voter = member(2, MemberRole::Voter, WantedRole::Voter);
        assert!(!Goal::Voter(2).is_reached(&members(vec![learner.clone()])));
        assert!(Goal::Voter(2).is_reached(&members(vec![voter.clone()])));
        let joint = MembersAnswer { joint: true, ..members(vec![voter.clone()]) };
        assert!(!Goal::Voter(2).is_reached(&joint), "majorities of the old ones still count");
        assert!(!Goal::Gone(2).is_reached(&members(vec![voter.clone()])));
        assert!(Goal::Gone(1).is_reached(&members(vec![voter.clone()])));
        let replaced = Goal::Replaced { old: 1, new: 2 };
        assert!(!replaced.is_reached(&members(vec![learner])));
        let leaving = |number| member(number, MemberRole::Leaving, WantedRole::Removed);
        assert!(!replaced.is_reached(&members(vec![leaving(1), voter.clone()])));
        assert!(replaced.is_reached(&members(vec![voter.clone()])));
        let renewed = Goal::Replaced { old: 2, new: 2 };
        assert!(!renewed.is_reached(&members(vec![leaving(2), voter.clone()])), "the old one is still there");
        assert!(renewed.is_reached(&members(vec![voter])));
    }

    #[test]
    fn a_table_says_who_leads_and_what_is_to_be_done() {
        let swapping =
            MemberAnswer { replaces: Some(3), ..member(4, MemberRole::Learner, WantedRole::Voter) };
        let table = describe(&members(vec![
            member(1, MemberRole::Voter, WantedRole::Voter),
            member(3, MemberRole::Leaving, WantedRole::Removed),
            swapping,
        ]));
        assert_eq!(
            table,
            "MEMBER  ROLE          IS TO BE     CLIENTS  PEERS\n\
             1       voter, leads  -            -        a:1\n\
             3       leaving       removed      -        a:1\n\
             4       learner       voter for 3  -        a:1\n"
        );
    }
}
