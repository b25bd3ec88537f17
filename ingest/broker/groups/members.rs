//! What members say: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use bytes::Bytes;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use uuid::Uuid;

use super::coordinator::{Desk, Held, join_refusal};
use super::{code, kafka_error};
use crate::broker::{Broker, Reply, Session};
use crate::group::{Group, Join, Leaver, MemberName, Protocol, Sync};
use crate::wire::{KafkaError, RequestHeader, Response};

/// First version of JoinGroup in which a member without an id is only given one.
const KNOWN_ID_FROM: i16 = 4;
/// First version of JoinGroup with a rebalance timeout.
const REBALANCE_TIMEOUT_FROM: i16 = 1;
/// First version of JoinGroup in which a leader may have nothing to share out.
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// First version of LeaveGroup that names several members.
const BATCHED_LEAVE_FROM: i16 = 3;

/// Bytes that one member may say about itself, or all shares of a generation take.
const MEMBER_BYTES_MAX: usize = 1 << 20;
const SHARES_BYTES_MAX: usize = 4 << 20;

impl Broker {
    pub(in crate::broker) fn join_group(
        &self,
        session: &Session,
        header: &RequestHeader,
        request: &JoinGroupRequest,
        now_ms: i64,
    ) -> Reply {
        let version = header.version;
        let name = request.group_id.as_str();
        let refused = |error: KafkaError| {
            let response = join_refusal(request.member_id.clone(), error.code(), version);
            Reply::Ready(Response::JoinGroup(response))
        };
        if name.is_empty() {
            return refused(KafkaError::InvalidGroupId);
        }
        let limits = &self.options.groups.limits;
        let session_ms = limits.session_ms_min..=limits.session_ms_max;
        if !session_ms.contains(&request.session_timeout_ms) {
            return refused(KafkaError::InvalidSessionTimeout);
        }
        let said = request.protocols.iter();
        let bytes: usize = said.map(|it| it.name.len() + it.metadata.len()).sum();
        let mut desk = self.desk(now_ms);
        let bytes_max = self.options.groups.member_bytes_max;
        if bytes > MEMBER_BYTES_MAX || desk.member_bytes + bytes > bytes_max {
            return refused(KafkaError::UnknownServerError);
        }
        if !desk.groups.contains_key(name) {
            if !request.member_id.is_empty() {
                return refused(KafkaError::UnknownMemberId);
            }
            if desk.groups.len() >= self.options.groups.groups_max {
                return refused(KafkaError::GroupMaxSizeReached);
            }
            let held = Held::new(Group::new(now_ms), now_ms);
            desk.groups.insert(name.to_owned(), held);
        }
        if let Some(held) = desk.groups.get_mut(name) {
            if !held.is_empty() && held.consumer.is_some() {
                return refused(KafkaError::InconsistentGroupProtocol);
            }
            // Nobody is left of the other protocol.
            held.consumer = None;
        }
        let (ticket, later) = desk.ticket(version);
        let mut effects = Vec::new();
        let join = Join {
            ticket,
            ..self.join_of(session, header, request)
        };
        if let Some(held) = desk.groups.get_mut(name) {
            held.group.join(join, limits, now_ms, &mut effects);
        }
        desk.carry_out(&self.store, name, effects);
        drop(desk);
        later.take().unwrap_or(Reply::Later(later))
    }

    fn join_of(
        &self,
        session: &Session,
        header: &RequestHeader,
        request: &JoinGroupRequest,
    ) -> Join {
        let version = header.version;
        let client_id = header.client_id.clone().unwrap_or_default();
        let instance = request.group_instance_id.as_ref().map(ToString::to_string);
        let called = instance.as_deref().unwrap_or(&client_id);
        let new_uuid = &self.options.new_uuid;
        let rebalance_timeout_ms = if version >= REBALANCE_TIMEOUT_FROM {
            request.rebalance_timeout_ms
        } else {
            request.session_timeout_ms
        };
        // Copied, since a piece of the request would keep all of it in memory.
        let protocols = request.protocols.iter().map(|protocol| Protocol {
            name: protocol.name.to_string(),
            metadata: Bytes::copy_from_slice(&protocol.metadata),
        });
        Join {
            member_id: request.member_id.to_string(),
            new_member_id: format!("{called}-{}", Uuid::from_bytes(new_uuid())),
            instance,
            client_id,
            client_host: format!("/{}", session.host),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms,
            protocol_type: request.protocol_type.to_string(),
            protocols: protocols.collect(),
            needs_known_id: version >= KNOWN_ID_FROM,
            can_skip_assignment: version >= SKIP_ASSIGNMENT_FROM,
            ticket: crate::group::Ticket(0),
        }
    }

    pub(in crate::broker) fn sync_group(
        &self,
        request: &SyncGroupRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        let refused = |error: KafkaError| {
            let response = SyncGroupResponse::default().with_error_code(error.code());
            Reply::Ready(Response::SyncGroup(response))
        };
        let name = request.group_id.as_str();
        if name.is_empty() {
            return refused(KafkaError::InvalidGroupId);
        }
        let shares = request.assignments.iter();
        let bytes: usize = shares.map(|it| it.assignment.len()).sum();
        let mut desk = self.desk(now_ms);
        let bytes_max = self.options.groups.member_bytes_max;
        if bytes > SHARES_BYTES_MAX || desk.member_bytes + bytes > bytes_max {
            return refused(KafkaError::UnknownServerError);
        }
        if !desk.groups.contains_key(name) {
            return refused(KafkaError::UnknownMemberId);
        }
        let (ticket, later) = desk.ticket(version);
        let assignments = request.assignments.iter().map(|it| {
            let assignment = Bytes::copy_from_slice(&it.assignment);
            (it.member_id.to_string(), assignment)
        });
        let sync = Sync {
            name: MemberName {
                id: &request.member_id,
                instance: request.group_instance_id.as_deref(),
            },
            generation: request.generation_id,
            protocol_type: request.protocol_type.as_deref(),
            protocol: request.protocol_name.as_deref(),
            assignments: assignments.collect(),
            ticket,
        };
        let mut effects = Vec::new();
        if let Some(held) = desk.groups.get_mut(name) {
            held.group.sync(sync, now_ms, &mut effects);
        }
        desk.carry_out(&self.store, name, effects);
        drop(desk);
        later.take().unwrap_or(Reply::Later(later))
    }

    pub(in crate::broker) fn heartbeat(&self, request: &HeartbeatRequest, now_ms: i64) -> Reply {
        let name = request.group_id.as_str();
        let member = MemberName {
            id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
        };
        let mut desk = self.desk(now_ms);
        let result = match desk.groups.get_mut(name) {
            _ if name.is_empty() => Err(KafkaError::InvalidGroupId),
            None => Err(KafkaError::UnknownMemberId),
            // Deadlines only move back, so the timer may stay where it is.
            Some(held) => {
                let beat = held.group.heartbeat(member, request.generation_id, now_ms);
                beat.map_err(kafka_error)
            }
        };
        let response = HeartbeatResponse::default().with_error_code(code(result));
        Reply::Ready(Response::Heartbeat(response))
    }

    pub(in crate::broker) fn leave_group(
        &self,
        request: &LeaveGroupRequest,
        version: i16,
        now_ms: i64,
    ) -> Reply {
        let name = request.group_id.as_str();
        let response = LeaveGroupResponse::default();
        if name.is_empty() {
            let error = KafkaError::InvalidGroupId.code();
            let response = response.with_error_code(error);
            return Reply::Ready(Response::LeaveGroup(response));
        }
        let mut desk = self.desk(now_ms);
        let response = if version < BATCHED_LEAVE_FROM {
            let leaver = Leaver {
                id: &request.member_id,
                instance: None,
            };
            response.with_error_code(code(self.leave(&mut desk, name, &leaver, now_ms)))
        } else {
            let left = request.members.iter().map(|member| {
                let leaver = Leaver {
                    id: &member.member_id,
                    instance: member.group_instance_id.as_deref(),
                };
                let result = self.leave(&mut desk, name, &leaver, now_ms);
                MemberResponse::default()
                    .with_member_id(member.member_id.clone())
                    .with_group_instance_id(member.group_instance_id.clone())
                    .with_error_code(code(result))
            });
            response.with_members(left.collect())
        };
        Reply::Ready(Response::LeaveGroup(response))
    }

    fn leave(
        &self,
        desk: &mut Desk,
        name: &str,
        leaver: &Leaver<'_>,
        now_ms: i64,
    ) -> Result<(), KafkaError> {
        let held = desk.groups.get_mut(name);
        let held = held.ok_or(KafkaError::UnknownMemberId)?;
        let mut effects = Vec::new();
        let limits = &self.options.groups.limits;
        let left = held.group.leave(leaver, limits, now_ms, &mut effects);
        desk.carry_out(&self.store, name, effects);
        left.map_err(kafka_error)
    }
}
