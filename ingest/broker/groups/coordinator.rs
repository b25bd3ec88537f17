//! All groups, their deadlines and the requests that wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;
use storage::groups::GroupChange;
use storage::store::{Lsn, Store, StoreError};

use super::kafka_error;
use super::later::{Later, Promise, later};
use crate::broker::{Broker, Reply};
use crate::group::consumer::{ConsumerGroup, ConsumerLimits};
use crate::group::{Effect, Group, GroupError, Joined, Phase, Synced, Ticket};
use crate::wire::Response;

/// First version of JoinGroup whose protocol name may be null.
const NULL_PROTOCOL_FROM: i16 = 7;

/// All groups of a broker.
#[derive(Debug, Default)]
pub(in crate::broker) struct Coordinator {
    desk: Mutex<Desk>,
}

/// What is under the lock.
#[derive(Debug, Default)]
pub(in crate::broker) struct Desk {
    /// Whether what the store knows is in here.
    is_open: bool,
    pub(super) groups: BTreeMap<String, Held>,
    /// Which group is to be looked at when.
    timers: BTreeSet<(i64, String)>,
    waiting: HashMap<Ticket, Waiting>,
    next_ticket: u64,
    /// Bytes of all members.
    pub(super) member_bytes: usize,
    pub(super) next_sweep_ms: i64,
}

/// A group and what is noted about it.
#[derive(Debug)]
pub(super) struct Held {
    /// Without members while those of `consumer` share the name.
    pub(super) group: Group,
    /// The group in which the broker shares out, if it is of this kind.
    pub(super) consumer: Option<ConsumerGroup>,
    /// Its entry among the timers.
    timer_ms: Option<i64>,
    /// What its members take.
    bytes: usize,
    /// When offsets were last committed, or the group was made.
    pub(super) active_ms: i64,
}

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    promise: Promise,
    version: i16,
}

impl Held {
    pub(super) fn new(group: Group, now_ms: i64) -> Self {
        Self {
            group,
            consumer: None,
            timer_ms: None,
            bytes: 0,
            active_ms: now_ms,
        }
    }
}

impl Held {
    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        let has_consumers = self.consumer.as_ref();
        let has_consumers = has_consumers.is_some_and(|it| it.members().len() > 0);
        self.group.phase() == Phase::Empty && !has_consumers
    }

    /// Whether nobody is in it, nor about to be.
    pub(super) fn is_vacant(&self) -> bool {
        self.is_empty() && self.group.is_vacant()
    }

    /// Since when it has no members; of meaning only while that is so.
    pub(super) fn empty_since_ms(&self) -> i64 {
        let consumer = self.consumer.as_ref();
        consumer.map_or(self.group.empty_since_ms(), ConsumerGroup::empty_since_ms)
    }

    /// The name of its state.
    pub(super) fn state(&self) -> &'static str {
        match &self.consumer {
            Some(group) => group.phase().name(),
            None => self.group.phase().name(),
        }
    }

    fn description(&self) -> Value {
        match &self.consumer {
            Some(group) => group.description(),
            None => self.group.description(),
        }
    }

    fn deadline_ms(&self) -> Option<i64> {
        let consumer = self.consumer.as_ref().and_then(ConsumerGroup::deadline_ms);
        consumer.into_iter().chain(self.group.deadline_ms()).min()
    }

    fn bytes(&self) -> usize {
        self.group.bytes() + self.consumer.as_ref().map_or(0, ConsumerGroup::bytes)
    }
}

impl Coordinator {
    /// The groups, with those that the store knows.
    pub(super) fn desk(
        &self,
        store: &Store,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> MutexGuard<'_, Desk> {
        // A step that panicked has at worst left a request without its answer.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if !desk.is_open {
            desk.is_open = true;
            desk.open(store, limits, now_ms);
        }
        desk
    }
}

impl Desk {
    fn open(&mut self, store: &Store, limits: &ConsumerLimits, now_ms: i64) {
        let stored = store.groups();
        for (name, state) in stored.iter() {
            let described = state.description.as_ref();
            let group = described.map(|it| Group::restore(it, now_ms));
            let mut held = Held::new(group.unwrap_or_else(|| Group::new(now_ms)), now_ms);
            held.consumer = described.and_then(|it| ConsumerGroup::restore(it, limits, now_ms));
            self.groups.insert(name.to_owned(), held);
        }
        drop(stored);
        for name in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.note(&name);
        }
        self.next_sweep_ms = now_ms;
    }

    /// A ticket for a request of `version`, and its answer to come.
    pub(super) fn ticket(&mut self, version: i16) -> (Ticket, Later) {
        let (promise, later) = later();
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.waiting.insert(ticket, Waiting { promise, version });
        (ticket, later)
    }

    /// Carries out what a step of the group `name` has decided.
    pub(super) fn carry_out(&mut self, store: &Store, name: &str, effects: Vec<Effect>) {
        let mut durable: Result<Option<Lsn>, StoreError> = Ok(None);
        for effect in effects {
            let (ticket, answer) = match effect {
                Effect::Describe => {
                    // One description serves the whole step: it is made of what came of it.
                    if let Ok(None) = durable {
                        durable = self.describe(store, name).map(Some);
                    }
                    continue;
                }
                Effect::Joined(ticket, id, joined) => (ticket, Answer::Join(id, joined)),
                Effect::Synced(ticket, synced) => (ticket, Answer::Sync(synced)),
            };
            let Some(waiting) = self.waiting.remove(&ticket) else {
                continue;
            };
            let response = answer.response(waiting.version);
            waiting.promise.keep(match &durable {
                Ok(None) => Reply::Ready(response),
                Ok(Some(lsn)) => Reply::AfterDurable(*lsn, response),
                Err(_) => Reply::Close,
            });
        }
        self.note(name);
    }

    pub(super) fn describe(&self, store: &Store, name: &str) -> Result<Lsn, StoreError> {
        let held = self.groups.get(name);
        let description = held.map(Held::description);
        let changes = description.map(|description| GroupChange::Describe {
            group: name.to_owned(),
            description: Arc::new(description),
        });
        store.stage_groups(changes.into_iter().collect())
    }

    /// Notes when the group is to be looked at, and what it takes.
    pub(super) fn note(&mut self, name: &str) {
        let Some(held) = self.groups.get_mut(name) else {
            return;
        };
        let bytes = held.bytes();
        self.member_bytes = self.member_bytes + bytes - held.bytes;
        held.bytes = bytes;
        let deadline_ms = held.deadline_ms();
        if held.timer_ms == deadline_ms {
            return;
        }
        if let Some(timer_ms) = held.timer_ms {
            self.timers.remove(&(timer_ms, name.to_owned()));
        }
        held.timer_ms = deadline_ms;
        self.timers
            .extend(deadline_ms.map(|deadline_ms| (deadline_ms, name.to_owned())));
    }

    /// Forgets a group, of which nobody waits for anything.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(held) = self.groups.remove(name) {
            self.member_bytes -= held.bytes;
            if let Some(timer_ms) = held.timer_ms {
                self.timers.remove(&(timer_ms, name.to_owned()));
            }
        }
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.timers.first().map(|(timer_ms, _)| *timer_ms)
    }
}

/// What a parked request is answered with.
enum Answer {
    Join(String, Result<Joined, GroupError>),
    Sync(Result<Synced, GroupError>),
}

impl Answer {
    fn response(self, version: i16) -> Response {
        match self {
            Self::Join(id, Ok(joined)) => Response::JoinGroup(join_response(id, joined)),
            Self::Join(id, Err(error)) => {
                let error = kafka_error(error).code();
                Response::JoinGroup(join_refusal(text(id), error, version))
            }
            Self::Sync(Ok(synced)) => Response::SyncGroup(
                SyncGroupResponse::default()
                    .with_protocol_type(synced.protocol_type.map(text))
                    .with_protocol_name(synced.protocol.map(text))
                    .with_assignment(synced.assignment),
            ),
            Self::Sync(Err(error)) => {
                let error = kafka_error(error).code();
                Response::SyncGroup(SyncGroupResponse::default().with_error_code(error))
            }
        }
    }
}

fn join_response(id: String, joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.id))
            .with_group_instance_id(member.instance.map(text))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.map(text))
        .with_protocol_name(Some(text(joined.protocol.unwrap_or_default())))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(id))
        .with_members(members.collect())
}

pub(super) fn join_refusal(id: StrBytes, error: i16, version: i16) -> JoinGroupResponse {
    let no_protocol = (version < NULL_PROTOCOL_FROM).then(StrBytes::default);
    JoinGroupResponse::default()
        .with_error_code(error)
        .with_generation_id(-1)
        .with_protocol_name(no_protocol)
        .with_member_id(id)
}

fn text(text: String) -> StrBytes {
    StrBytes::from_string(text)
}

impl Broker {
    /// Does what groups are due to do by `now_ms`; says when it wants to be called again at the
    /// latest.
    pub fn tick_groups(&self, now_ms: i64) -> i64 {
        let mut desk = self.desk(now_ms);
        while let Some((timer_ms, name)) = desk.timers.first().cloned() {
            if timer_ms > now_ms {
                break;
            }
            let mut effects = Vec::new();
            if let Some(held) = desk.groups.get_mut(&name) {
                let limits = &self.options.groups.limits;
                held.group.expire(limits, now_ms, &mut effects);
                let consumer = held.consumer.as_mut();
                if consumer.is_some_and(|group| group.expire(now_ms)) {
                    effects.push(Effect::Describe);
                }
            }
            desk.timers.remove(&(timer_ms, name.clone()));
            if let Some(held) = desk.groups.get_mut(&name) {
                held.timer_ms = None;
            }
            desk.carry_out(&self.store, &name, effects);
        }
        if now_ms >= desk.next_sweep_ms {
            self.sweep(&mut desk, now_ms);
        }
        let next_ms = desk.next_timer_ms().unwrap_or(i64::MAX);
        next_ms.min(desk.next_sweep_ms)
    }
}
