//! What members say, and what they are told.

use std::collections::BTreeSet;

use super::topics::pattern;
use super::{
    AWAY, Assignor, ConsumerError, ConsumerGroup, ConsumerLimits, ConsumerMember, KnownTopics,
    Progress, Shares,
};

/// What a member says; what is `None` is as it said before.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat {
    /// Its id, which it chose itself.
    pub member_id: String,
    /// Its epoch, 0 when it joins.
    pub epoch: i32,
    /// The name that it keeps over restarts, if it has one.
    pub instance: Option<String>,
    /// Where it stands in the building.
    pub rack: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may take to give something up.
    pub rebalance_timeout_ms: Option<i32>,
    /// Topics that it wants to read.
    pub names: Option<BTreeSet<String>>,
    /// A pattern of further topics; empty for none.
    pub pattern: Option<String>,
    /// How it would like to share out.
    pub assignor: Option<Assignor>,
    /// What it holds.
    pub owned: Option<Shares>,
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beaten {
    /// Its epoch.
    pub epoch: i32,
    /// What it may read from now on, when that must be said.
    pub assignment: Option<Shares>,
    /// Whether the group has changed, so that it must be described anew.
    pub is_changed: bool,
}

/// Who leaves, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// The member's id.
    pub member_id: &'a str,
    /// Its instance name, if it has one.
    pub instance: Option<&'a str>,
    /// Whether it will be back soon and wants to keep its share.
    pub will_return: bool,
}

impl ConsumerGroup {
    /// Notes what a member says, and tells it what to do.
    ///
    /// # Errors
    /// When it is no member, or not what it believes to be.
    pub fn heartbeat(
        &mut self,
        said: Heartbeat,
        topics: &KnownTopics,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<Beaten, ConsumerError> {
        if let Some(text) = said.pattern.as_deref().filter(|it| !it.is_empty()) {
            pattern(text)?;
        }
        let before = self.epochs();
        let is_join = said.epoch == 0;
        let is_new = self.admit(&said, limits)?;
        let is_full = is_join || (said.rebalance_timeout_ms.is_some() && said.owned.is_some());
        let id = said.member_id.clone();
        let owned = said.owned.clone();
        let member = self.members.get_mut(&id).expect("it was just admitted");
        let (epoch, assigned, progress) = (member.epoch, member.assigned.clone(), member.progress);
        if member.update(said) || is_new {
            self.group_epoch += 1;
            self.seen = None;
        }
        self.look_at(topics);
        self.share_out();
        self.reconcile(&id, owned.as_ref(), now_ms);
        let is_same = before == self.epochs();
        let member = self.members.get_mut(&id).expect("it stays");
        member.deadline_ms = now_ms.saturating_add(i64::from(limits.session_ms));
        let is_moved = member.assigned != assigned;
        let is_changed = !is_same || is_moved || member.epoch != epoch;
        Ok(Beaten {
            epoch: member.epoch,
            assignment: (is_full || is_moved).then(|| member.assigned.clone()),
            is_changed: is_changed || member.progress != progress,
        })
    }

    /// Lets a member go.
    ///
    /// # Errors
    /// When it is none.
    pub fn leave(
        &mut self,
        leaving: Leaving<'_>,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<(), ConsumerError> {
        if let Some(instance) = leaving.instance {
            match self.id_of_instance(instance) {
                None => return Err(ConsumerError::UnknownMember),
                Some(id) if id != leaving.member_id => return Err(ConsumerError::FencedInstance),
                Some(_) => {}
            }
        }
        let member = self.members.get_mut(leaving.member_id);
        let member = member.ok_or(ConsumerError::UnknownMember)?;
        if leaving.will_return {
            member.epoch = AWAY;
            member.deadline_ms = now_ms.saturating_add(i64::from(limits.session_ms));
            member.revoke_deadline_ms = None;
            // What it gave up is free; what it may read waits for it.
            member.revoking.clear();
            return Ok(());
        }
        self.members.remove(leaving.member_id);
        self.someone_left(now_ms);
        Ok(())
    }

    fn epochs(&self) -> (i32, i32, usize) {
        (self.group_epoch, self.target_epoch, self.members.len())
    }

    /// Checks who speaks; makes a member of who joins. Whether it is a new one.
    fn admit(&mut self, said: &Heartbeat, limits: &ConsumerLimits) -> Result<bool, ConsumerError> {
        let is_join = said.epoch == 0;
        let known = match &said.instance {
            None => self.members.contains_key(&said.member_id),
            Some(instance) => match self.id_of_instance(instance).map(str::to_owned) {
                None => false,
                Some(id) if id == said.member_id => true,
                Some(_) if !is_join => return Err(ConsumerError::FencedInstance),
                Some(id) => {
                    self.replace(&id, &said.member_id)?;
                    true
                }
            },
        };
        if known {
            let member = &self.members[&said.member_id];
            if !is_join {
                member.check_epoch(said)?;
            }
            return Ok(false);
        }
        if !is_join {
            return Err(ConsumerError::UnknownMember);
        }
        if self.members.len() >= limits.members_max {
            return Err(ConsumerError::Full);
        }
        let member = ConsumerMember::new(said);
        self.members.insert(said.member_id.clone(), member);
        Ok(true)
    }

    /// A process with the instance name of a member that is away takes its place.
    fn replace(&mut self, old_id: &str, new_id: &str) -> Result<(), ConsumerError> {
        if self.members.get(old_id).is_none_or(|it| it.epoch != AWAY) {
            return Err(ConsumerError::UnreleasedInstance);
        }
        if let Some(mut member) = self.members.remove(old_id) {
            member.epoch = 0;
            member.last_epoch = 0;
            self.members.insert(new_id.to_owned(), member);
        }
        Ok(())
    }
}

impl ConsumerMember {
    pub(super) fn new(said: &Heartbeat) -> Self {
        Self {
            instance: said.instance.clone(),
            rack: None,
            client_id: said.client_id.clone(),
            client_host: said.client_host.clone(),
            epoch: 0,
            names: BTreeSet::new(),
            pattern: None,
            assignor: None,
            assigned: Shares::new(),
            target: Shares::new(),
            revoking: Shares::new(),
            rebalance_timeout_ms: 0,
            last_epoch: 0,
            progress: Progress::Stable,
            topics: BTreeSet::new(),
            deadline_ms: i64::MAX,
            revoke_deadline_ms: None,
        }
    }

    /// An older epoch is right when the answer that had the newer one was lost.
    fn check_epoch(&self, said: &Heartbeat) -> Result<(), ConsumerError> {
        if said.epoch == self.epoch {
            return Ok(());
        }
        let holds_its_own = said.owned.as_ref().is_some_and(|owned| {
            owned.iter().all(|(topic, partitions)| {
                let assigned = self.assigned.get(topic);
                assigned.is_some_and(|assigned| partitions.is_subset(assigned))
            })
        });
        if said.epoch == self.last_epoch && said.epoch < self.epoch && holds_its_own {
            Ok(())
        } else {
            Err(ConsumerError::FencedEpoch)
        }
    }

    /// Notes what it says about itself. Whether it wants to read something else.
    fn update(&mut self, said: Heartbeat) -> bool {
        self.client_id = said.client_id;
        self.client_host = said.client_host;
        self.rack = said.rack.or(self.rack.take());
        if let Some(timeout_ms) = said.rebalance_timeout_ms {
            self.rebalance_timeout_ms = timeout_ms;
        }
        let mut is_changed = false;
        if let Some(names) = said.names {
            is_changed |= names != self.names;
            self.names = names;
        }
        if let Some(pattern) = said.pattern {
            let pattern = (!pattern.is_empty()).then_some(pattern);
            is_changed |= pattern != self.pattern;
            self.pattern = pattern;
        }
        if let Some(assignor) = said.assignor {
            is_changed |= self.assignor.is_some_and(|before| before != assignor);
            self.assignor = Some(assignor);
        }
        is_changed
    }
}
