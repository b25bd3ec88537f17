//! Members come, go and fall silent; nobody ever reads what another one may read.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const HEARTBEAT_MS: i64 = 5_000;

/// Topics by name, each named `<letter><partitions>`, such as `a4`.
fn topics(names: &[&str]) -> KnownTopics {
    let topics = names.iter().map(|name| {
        let topic = KnownTopic {
            uuid: [name.as_bytes()[0]; 16],
            partitions: name[1..].parse().expect("a number of partitions"),
        };
        ((*name).to_owned(), topic)
    });
    KnownTopics {
        version: names.join(" ").bytes().map(u64::from).sum(),
        topics: topics.collect(),
    }
}

/// What clients believe.
#[derive(Debug, Clone, Default)]
struct Client {
    epoch: i32,
    owned: Shares,
    instance: Option<String>,
}

struct World {
    group: ConsumerGroup,
    limits: ConsumerLimits,
    topics: KnownTopics,
    clients: BTreeMap<String, Client>,
    now_ms: i64,
}

impl World {
    fn new(names: &[&str]) -> Self {
        Self {
            group: ConsumerGroup::new(0),
            limits: ConsumerLimits::default(),
            topics: topics(names),
            clients: BTreeMap::new(),
            now_ms: 0,
        }
    }

    fn beat(&mut self, id: &str, change: impl FnOnce(&mut Heartbeat)) -> Result<(), ConsumerError> {
        let client = self.clients.entry(id.to_owned()).or_default();
        let mut said = Heartbeat {
            member_id: id.to_owned(),
            epoch: client.epoch,
            instance: client.instance.clone(),
            owned: Some(client.owned.clone()),
            ..Heartbeat::default()
        };
        if client.epoch == 0 {
            said.rebalance_timeout_ms = Some(60_000);
            said.owned = Some(Shares::new());
        }
        change(&mut said);
        let beaten = self
            .group
            .heartbeat(said, &self.topics, &self.limits, self.now_ms);
        match beaten {
            Ok(beaten) => {
                client.epoch = beaten.epoch;
                if let Some(assignment) = beaten.assignment {
                    client.owned = assignment;
                }
                Ok(())
            }
            Err(error) => {
                *client = Client::default();
                Err(error)
            }
        }
    }

    fn join(&mut self, id: &str, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let joined = self.beat(id, |said| said.names = Some(names));
        assert_eq!(joined, Ok(()), "{id} joins");
    }

    fn leave(&mut self, id: &str) {
        self.clients.remove(id);
        let leaving = Leaving {
            member_id: id,
            instance: None,
            will_return: false,
        };
        let left = self.group.leave(leaving, &self.limits, self.now_ms);
        assert_eq!(left, Ok(()), "{id} leaves");
    }

    /// Everybody beats until nothing changes.
    fn settle(&mut self) {
        for _ in 0..20 {
            self.now_ms += HEARTBEAT_MS;
            for id in self.clients.keys().cloned().collect::<Vec<_>>() {
                assert_eq!(self.beat(&id, |_| {}), Ok(()), "{id} beats");
                self.check();
            }
            if self.group.phase() == ConsumerPhase::Stable {
                return;
            }
        }
        panic!("never stable: {}", self.shown());
    }

    /// Nobody may read, or still reads, what another one may read.
    fn check(&self) {
        let mut held = BTreeSet::new();
        for (id, member) in self.group.members() {
            let client = &self.clients[id];
            let mut all = member.assigned.clone();
            for (topic, partitions) in client.owned.iter().chain(&member.revoking) {
                all.entry(*topic).or_default().extend(partitions);
            }
            for (topic, partitions) in all {
                for partition in partitions {
                    assert!(
                        held.insert((topic, partition)),
                        "{partition} is held twice: {}",
                        self.shown()
                    );
                }
            }
        }
    }

    fn shown(&self) -> String {
        let clients = self.clients.iter().map(|(id, client)| {
            let owned = client.owned.iter().map(|(topic, partitions)| {
                let partitions: Vec<String> = partitions.iter().map(i32::to_string).collect();
                format!("{}{}", char::from(topic[0]), partitions.join(""))
            });
            format!(
                "{id}/{}:{}",
                client.epoch,
                owned.collect::<Vec<_>>().join("+")
            )
        });
        let clients: Vec<String> = clients.collect();
        format!("{} {}", self.group.phase().name(), clients.join(" "))
    }

    fn expect(&self, expected: &Expect) {
        expected.assert_eq(&self.shown());
    }
}

#[test]
fn shares_are_given_up_before_others_get_them() {
    let mut world = World::new(&["a4"]);
    world.join("m1", &["a4"]);
    world.expect(&expect!["Stable m1/2:a0123"]);
    world.join("m2", &["a4"]);
    world.expect(&expect!["Reconciling m1/2:a0123 m2/3:"]);
    world.beat("m1", |_| {}).expect("a member");
    world.expect(&expect!["Reconciling m1/2:a01 m2/3:"]);
    world.beat("m2", |_| {}).expect("a member");
    world.expect(&expect!["Reconciling m1/2:a01 m2/3:"]);
    world.beat("m1", |_| {}).expect("a member");
    world.beat("m2", |_| {}).expect("a member");
    world.expect(&expect!["Stable m1/3:a01 m2/3:a23"]);
    world.leave("m1");
    world.settle();
    world.expect(&expect!["Stable m2/4:a0123"]);
}

#[test]
fn topics_come_grow_and_match_patterns() {
    let mut world = World::new(&["a2"]);
    world.join("m1", &["a2", "b3"]);
    let joined = world.beat("m2", |said| said.pattern = Some("[bc].*".to_owned()));
    assert_eq!(joined, Ok(()));
    world.settle();
    world.expect(&expect!["Stable m1/3:a01 m2/3:"]);
    world.topics = topics(&["a2", "b3", "c1"]);
    world.settle();
    world.expect(&expect!["Stable m1/4:a01+b2 m2/4:b01+c0"]);
    let refused = world.beat("m3", |said| said.pattern = Some("(".to_owned()));
    assert!(matches!(refused, Err(ConsumerError::Pattern(_))));
}

#[test]
fn ranges_of_topics_meet_at_the_same_member() {
    let mut world = World::new(&["a3", "b3"]);
    for id in ["m1", "m2"] {
        let joined = world.beat(id, |said| {
            said.names = Some(["a3".to_owned(), "b3".to_owned()].into());
            said.assignor = Some(Assignor::Range);
        });
        assert_eq!(joined, Ok(()));
    }
    world.settle();
    world.expect(&expect!["Stable m1/3:a01+b01 m2/3:a2+b2"]);
}

#[test]
fn the_silent_are_gone_and_the_late_are_fenced() {
    let mut world = World::new(&["a2"]);
    world.join("m1", &["a2"]);
    world.join("m2", &["a2"]);
    world.settle();
    world.now_ms += 40_000;
    world.beat("m2", |_| {}).expect("a member");
    assert!(!world.group.expire(world.now_ms));
    world.now_ms += 6_000;
    assert!(world.group.expire(world.now_ms));
    let late = world.beat("m1", |_| {});
    assert_eq!(late, Err(ConsumerError::UnknownMember));
    let ahead = world.beat("m2", |said| said.epoch += 5);
    assert_eq!(ahead, Err(ConsumerError::FencedEpoch));
    world.clients.remove("m1");
    world.join("m2", &["a2"]);
    world.settle();
    world.expect(&expect!["Stable m2/4:a01"]);
    assert_eq!(
        world.group.check_member("m2", 1),
        Err(ConsumerError::StaleEpoch)
    );
    let epoch = world.clients["m2"].epoch;
    assert_eq!(world.group.check_member("m2", epoch), Ok(()));
}

#[test]
fn who_gives_nothing_up_is_gone() {
    let mut world = World::new(&["a2"]);
    world.join("m1", &["a2"]);
    world.join("m2", &["a2"]);
    let kept = world.clients["m1"].owned.clone();
    for _ in 0..12 {
        world
            .beat("m1", |said| said.owned = Some(kept.clone()))
            .expect("a member");
        world.beat("m2", |_| {}).expect("a member");
        world.now_ms += HEARTBEAT_MS;
        assert!(!world.group.expire(world.now_ms - 1));
    }
    assert!(world.group.expire(world.now_ms));
    assert_eq!(world.group.members().count(), 1);
}

#[test]
fn a_static_member_comes_back_to_its_share() {
    let mut world = World::new(&["a4"]);
    for id in ["m1", "m2"] {
        world.clients.entry(id.to_owned()).or_default().instance = Some(format!("i-{id}"));
        world.join(id, &["a4"]);
    }
    world.settle();
    let before = world.clients["m1"].clone();
    let join = |said: &mut Heartbeat| {
        said.instance = Some("i-m1".to_owned());
        said.names = Some(["a4".to_owned()].into());
    };
    assert_eq!(
        world.beat("n1", join),
        Err(ConsumerError::UnreleasedInstance)
    );
    let leaving = Leaving {
        member_id: "m1",
        instance: Some("i-m1"),
        will_return: true,
    };
    world
        .group
        .leave(leaving, &world.limits, world.now_ms)
        .expect("a member");
    world.clients.remove("m1");
    assert_eq!(world.beat("n1", join), Ok(()));
    assert_eq!(world.clients["n1"].owned, before.owned);
    assert_eq!(world.clients["n1"].epoch, before.epoch, "no rebalance");
    let old = world.beat("m1", |said| {
        said.instance = Some("i-m1".to_owned());
        said.epoch = before.epoch;
    });
    assert_eq!(old, Err(ConsumerError::FencedInstance));
}

#[test]
fn a_description_is_the_same_group() {
    let mut world = World::new(&["a3", "b2"]);
    world.join("m1", &["a3", "b2"]);
    world.join("m2", &["a3"]);
    world.beat("m1", |_| {}).expect("a member");
    let description = world.group.description();
    let restored = ConsumerGroup::restore(&description, &world.limits, world.now_ms);
    world.group = restored.expect("a description");
    assert_eq!(world.group.description(), description);
    world.settle();
    world.expect(&expect!["Stable m1/4:a0+b01 m2/4:a12"]);
    assert!(ConsumerGroup::restore(&serde_json::json!({}), &world.limits, 0).is_none());
}

proptest! {
    #[test]
    fn every_partition_finds_one_reader(steps in prop::collection::vec((0_u8..5, 0_u8..6), 1..60)) {
        let mut world = World::new(&["a7", "b3"]);
        for (step, who) in steps {
            let id = format!("m{who}");
            let is_member = world.clients.get(&id).is_some_and(|client| client.epoch > 0);
            match step {
                0 if is_member => world.leave(&id),
                1 | 2 if !is_member => {
                    let names: &[&str] = if who == 0 { &["a7"] } else { &["a7", "b3"] };
                    world.join(&id, names);
                }
                _ if is_member => prop_assert_eq!(world.beat(&id, |_| {}), Ok(())),
                _ => {}
            }
            world.check();
        }
        world.clients.retain(|_, client| client.epoch > 0);
        if world.clients.is_empty() {
            return Ok(());
        }
        world.settle();
        let count = |topic: &[u8; 16]| -> usize {
            let clients = world.clients.values();
            clients.filter_map(|client| client.owned.get(topic)).map(BTreeSet::len).sum()
        };
        prop_assert_eq!(count(&[b'a'; 16]), 7, "{}", world.shown());
        let reads_b = world.clients.keys().any(|id| id != "m0");
        prop_assert_eq!(count(&[b'b'; 16]), if reads_b { 3 } else { 0 });
        // Who reads the same has as much, but for one.
        let sizes: Vec<usize> = world.clients.iter()
            .filter(|(id, _)| *id != "m0")
            .map(|(_, client)| client.owned.values().map(BTreeSet::len).sum())
            .collect();
        let (min, max) = (sizes.iter().min(), sizes.iter().max());
        prop_assert!(max <= min.map(|min| min + 1).as_ref(), "uneven: {}", world.shown());
    }
}
