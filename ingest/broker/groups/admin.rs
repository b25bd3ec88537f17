//! What tools ask: ListGroups, DescribeGroups, DeleteGroups.

use std::collections::HashSet;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;
use storage::groups::GroupChange;

use super::code;
use super::coordinator::Held;
use crate::broker::{Broker, Reply};
use crate::group::{Group, Phase};
use crate::wire::{KafkaError, Response};

/// The type of groups whose members share out.
const CLASSIC: &str = "classic";

/// The type of groups in which the broker shares out, and their protocol type.
const CONSUMER: &str = "consumer";

/// The state of a group that does not exist.
const DEAD: &str = "Dead";

/// "Not asked for" in the field of authorized operations.
const NO_OPERATIONS: i32 = i32::MIN;

/// Read, delete and describe, which everybody may, as bits.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8;

impl Broker {
    pub(in crate::broker) fn list_groups(&self, request: &ListGroupsRequest, now_ms: i64) -> Reply {
        let matches = |filter: &[StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|it| it.eq_ignore_ascii_case(value))
        };
        let desk = self.desk(now_ms);
        let type_of = |held: &Held| match held.consumer {
            Some(_) => CONSUMER,
            None => CLASSIC,
        };
        let groups = desk.groups.iter().filter(|(_, held)| {
            matches(&request.types_filter, type_of(held))
                && matches(&request.states_filter, held.state())
        });
        let groups = groups.map(|(name, held)| {
            ListedGroup::default()
                .with_group_id(GroupId(text(name)))
                .with_protocol_type(text(match held.consumer {
                    Some(_) => CONSUMER,
                    None => held.group.protocol_type().unwrap_or_default(),
                }))
                .with_group_state(StrBytes::from_static_str(held.state()))
                .with_group_type(StrBytes::from_static_str(type_of(held)))
        });
        let response = ListGroupsResponse::default().with_groups(groups.collect());
        Reply::Ready(Response::ListGroups(response))
    }

    pub(in crate::broker) fn describe_groups(
        &self,
        request: &DescribeGroupsRequest,
        now_ms: i64,
    ) -> Reply {
        let operations = operations(request.include_authorized_operations);
        let desk = self.desk(now_ms);
        let mut seen = HashSet::new();
        let asked = request.groups.iter().filter(|name| seen.insert(*name));
        let groups = asked.map(|name| {
            let described = match desk.groups.get(name.as_str()) {
                Some(held) if held.consumer.is_none() => described(&held.group),
                // One of the other kind is no group of this kind.
                Some(_) | None => DescribedGroup::default().with_group_state(text(DEAD)),
            };
            described
                .with_group_id(name.clone())
                .with_authorized_operations(operations)
        });
        let response = DescribeGroupsResponse::default().with_groups(groups.collect());
        Reply::Ready(Response::DescribeGroups(response))
    }

    pub(in crate::broker) fn delete_groups(
        &self,
        request: &DeleteGroupsRequest,
        now_ms: i64,
    ) -> Reply {
        let mut desk = self.desk(now_ms);
        let mut seen = HashSet::new();
        let mut changes = Vec::new();
        let mut results = Vec::new();
        for name in request.groups_names.iter().filter(|it| seen.insert(*it)) {
            let result = match desk.groups.get(name.as_str()) {
                None => Err(KafkaError::GroupIdNotFound),
                Some(held) if !held.is_empty() => Err(KafkaError::NonEmptyGroup),
                Some(_) => {
                    desk.remove(name);
                    changes.push(GroupChange::Delete {
                        group: name.to_string(),
                    });
                    Ok(())
                }
            };
            results.push(
                DeletableGroupResult::default()
                    .with_group_id(name.clone())
                    .with_error_code(code(result)),
            );
        }
        let response = DeleteGroupsResponse::default().with_results(results);
        let response = Response::DeleteGroups(response);
        if changes.is_empty() {
            return Reply::Ready(response);
        }
        match self.store.stage_groups(changes) {
            Ok(lsn) => Reply::AfterDurable(lsn, response),
            Err(_) => Reply::Close,
        }
    }
}

/// What everybody may do, if that was asked for.
pub(super) fn operations(is_asked: bool) -> i32 {
    match is_asked {
        true => ALL_OPERATIONS,
        false => NO_OPERATIONS,
    }
}

fn described(group: &Group) -> DescribedGroup {
    let protocol = group.protocol().unwrap_or_default();
    // Between generations what members said and were given means nothing.
    let is_stable = group.phase() == Phase::Stable;
    let members = group.members().map(|(id, member)| {
        let described = DescribedGroupMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(member.instance.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host));
        if !is_stable {
            return described;
        }
        described
            .with_member_metadata(member.metadata(protocol).cloned().unwrap_or_default())
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.phase().name()))
        .with_protocol_type(text(group.protocol_type().unwrap_or_default()))
        .with_protocol_data(text(if is_stable { protocol } else { "" }))
        .with_members(members.collect())
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
