//! A group as a value that outlives the process.
//!
//! Members are kept as well, so that a restart of the broker is no rebalance: they go on with
//! their heartbeats in the generation that they know.

use std::fmt::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::{Group, Phase};
use super::{Member, Protocol};

#[derive(Serialize, Deserialize)]
struct Described {
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    empty_since_ms: i64,
    members: Vec<DescribedMember>,
}

#[derive(Serialize, Deserialize)]
struct DescribedMember {
    id: String,
    instance: Option<String>,
    client_id: String,
    client_host: String,
    session_timeout_ms: i32,
    rebalance_timeout_ms: i32,
    /// What it said in the chosen protocol, and its share: hex digits.
    metadata: String,
    assignment: String,
}

impl Group {
    /// What must outlive the process.
    ///
    /// # Panics
    /// Never: everything in it is text and numbers.
    #[must_use]
    pub fn description(&self) -> Value {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|(_, member)| member.order);
        let members = members.into_iter().map(|(id, member)| DescribedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            session_timeout_ms: member.session_timeout_ms,
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            metadata: member.metadata(protocol).map(hex).unwrap_or_default(),
            assignment: hex(&member.assignment),
        });
        let described = Described {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            empty_since_ms: self.empty_since_ms,
            members: members.collect(),
        };
        serde_json::to_value(described).expect("a description has only text keys")
    }

    /// The group of a description: its members are alive until their sessions end, counted from
    /// now. One that makes no sense is a group without members.
    #[must_use]
    pub fn restore(description: &Value, now_ms: i64) -> Self {
        let mut group = Self::new(now_ms);
        let Ok(described) = Described::deserialize(description) else {
            return group;
        };
        group.generation = described.generation;
        group.protocol_type = described.protocol_type;
        group.empty_since_ms = described.empty_since_ms;
        let Some(protocol) = described.protocol else {
            return group;
        };
        for (order, member) in (0..).zip(described.members) {
            let mut restored = Member {
                instance: member.instance,
                client_id: member.client_id,
                client_host: member.client_host,
                session_timeout_ms: member.session_timeout_ms,
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                protocols: vec![Protocol {
                    name: protocol.clone(),
                    metadata: unhex(&member.metadata),
                }],
                assignment: unhex(&member.assignment),
                order,
                join: None,
                sync: None,
                has_synced: true,
                is_new: false,
                deadline_ms: now_ms,
            };
            restored.touch(now_ms);
            group.members.insert(member.id, restored);
            group.next_order = order + 1;
        }
        if !group.members.is_empty() {
            group.phase = Phase::Stable;
            group.protocol = Some(protocol);
            group.leader = described.leader;
        }
        group
    }
}

fn hex(bytes: &Bytes) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to text succeeds");
    }
    text
}

/// Whatever is no pair of hex digits is left out.
fn unhex(text: &str) -> Bytes {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().filter_map(|[high, low]| {
        let value = digit(*high)? * 16 + digit(*low)?;
        u8::try_from(value).ok()
    });
    bytes.collect()
}
