//! A group as a value that outlives the process, so that a restart of the broker is no rebalance.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Assignor, ConsumerGroup, ConsumerLimits, ConsumerMember, Heartbeat, Progress, Shares};

/// The member of a description that says that it is one of these groups.
const KEY: &str = "consumer";

#[derive(Serialize, Deserialize)]
struct Described {
    group_epoch: i32,
    target_epoch: i32,
    empty_since_ms: i64,
    members: Vec<DescribedMember>,
}

#[derive(Serialize, Deserialize)]
struct DescribedMember {
    id: String,
    instance: Option<String>,
    rack: Option<String>,
    client_id: String,
    client_host: String,
    epoch: i32,
    last_epoch: i32,
    names: BTreeSet<String>,
    pattern: Option<String>,
    assignor: Option<String>,
    rebalance_timeout_ms: i32,
    assigned: Written,
    target: Written,
    revoking: Written,
}

/// Partitions by the topic's identity.
type Written = Vec<(String, BTreeSet<i32>)>;

fn written(shares: &Shares) -> Written {
    let shares = shares.iter();
    shares
        .map(|(topic, partitions)| (Uuid::from_bytes(*topic).to_string(), partitions.clone()))
        .collect()
}

fn read(shares: Written) -> Shares {
    let shares = shares.into_iter();
    shares
        .filter_map(|(topic, partitions)| Some((Uuid::parse_str(&topic).ok()?, partitions)))
        .map(|(topic, partitions)| (topic.into_bytes(), partitions))
        .collect()
}

impl ConsumerGroup {
    /// What must outlive the process.
    #[must_use]
    pub fn description(&self) -> Value {
        let members = self.members.iter().map(|(id, member)| DescribedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            rack: member.rack.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            epoch: member.epoch,
            last_epoch: member.last_epoch,
            names: member.names.clone(),
            pattern: member.pattern.clone(),
            assignor: member.assignor.map(|it| it.name().to_owned()),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            assigned: written(&member.assigned),
            target: written(&member.target),
            revoking: written(&member.revoking),
        });
        json!({ KEY: Described {
            group_epoch: self.group_epoch,
            target_epoch: self.target_epoch,
            empty_since_ms: self.empty_since_ms,
            members: members.collect(),
        }})
    }

    /// The group of a description, if it is of this kind: its members are alive until their
    /// sessions end, counted from now.
    #[must_use]
    pub fn restore(description: &Value, limits: &ConsumerLimits, now_ms: i64) -> Option<Self> {
        let described = Described::deserialize(description.get(KEY)?).ok()?;
        let mut group = Self::new(described.empty_since_ms);
        group.group_epoch = described.group_epoch;
        group.target_epoch = described.target_epoch;
        for it in described.members {
            let mut member = ConsumerMember::new(&Heartbeat {
                instance: it.instance,
                client_id: it.client_id,
                client_host: it.client_host,
                ..Heartbeat::default()
            });
            member.rack = it.rack;
            member.epoch = it.epoch;
            member.last_epoch = it.last_epoch;
            member.names = it.names;
            member.pattern = it.pattern;
            member.assignor = it.assignor.as_deref().and_then(Assignor::named);
            member.rebalance_timeout_ms = it.rebalance_timeout_ms;
            member.assigned = read(it.assigned);
            member.target = read(it.target);
            member.revoking = read(it.revoking);
            member.progress = progress(&member);
            member.deadline_ms = now_ms.saturating_add(i64::from(limits.session_ms));
            if member.progress == Progress::Unrevoked {
                let timeout_ms = i64::from(member.rebalance_timeout_ms);
                member.revoke_deadline_ms = Some(now_ms.saturating_add(timeout_ms));
            }
            group.members.insert(it.id, member);
        }
        Some(group)
    }
}

fn progress(member: &ConsumerMember) -> Progress {
    if !member.revoking.is_empty() {
        Progress::Unrevoked
    } else if member.assigned == member.target {
        Progress::Stable
    } else {
        Progress::Unreleased
    }
}
