//! Plays: what members say, line by line, and what the group does about it.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

/// Session and rebalance timeouts of everybody.
const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 60_000;

/// A group and the names under which its members play. Member `a` gets the ids `a1`, `a2`, …
struct Play {
    group: Group,
    limits: GroupLimits,
    now_ms: i64,
    ids: BTreeMap<String, String>,
    /// Whose request a ticket is.
    asked: BTreeMap<Ticket, String>,
    ids_given: u32,
    effects: Vec<Effect>,
}

impl Play {
    fn new() -> Self {
        Self {
            group: Group::new(0),
            limits: GroupLimits::default(),
            now_ms: 0,
            ids: BTreeMap::new(),
            asked: BTreeMap::new(),
            ids_given: 0,
            effects: Vec::new(),
        }
    }

    fn ticket(&mut self, who: &str) -> Ticket {
        let ticket = Ticket(u64::try_from(self.asked.len()).unwrap());
        self.asked.insert(ticket, who.to_owned());
        ticket
    }

    fn id(&self, who: &str) -> String {
        self.ids.get(who).cloned().unwrap_or_default()
    }

    /// Does what a line says; gives the phase and everything that was answered.
    fn line(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let who = words.get(1).copied().unwrap_or_default();
        let id = self.id(who);
        let instance = who.strip_prefix('@');
        let name = MemberName { id: &id, instance };
        let generation = self.group.generation;
        let said = match words[0] {
            "join" | "join4" | "join9" => {
                self.join(words[0], who, &words[2..]);
                String::new()
            }
            "forget" => {
                self.ids.remove(who);
                String::new()
            }
            "sync" => {
                let ticket = self.ticket(who);
                let shares = words[2..].iter().map(|word| {
                    let (who, share) = word.split_once('=').unwrap();
                    (self.id(who), Bytes::from(share.to_owned()))
                });
                let sync = Sync {
                    name,
                    generation,
                    protocol_type: Some("consumer"),
                    protocol: None,
                    assignments: shares.collect(),
                    ticket,
                };
                self.group.sync(sync, self.now_ms, &mut self.effects);
                String::new()
            }
            "beat" => shown(self.group.heartbeat(name, generation, self.now_ms)),
            "commit" => shown(self.group.check_commit(name, generation, self.now_ms)),
            "leave" => {
                let leaver = Leaver { id: &id, instance };
                let (limits, effects) = (&self.limits, &mut self.effects);
                shown(self.group.leave(&leaver, limits, self.now_ms, effects))
            }
            "wait" => {
                self.now_ms += who.parse::<i64>().unwrap();
                let (limits, effects) = (&self.limits, &mut self.effects);
                self.group.expire(limits, self.now_ms, effects);
                String::new()
            }
            "restart" => {
                let description = self.group.description();
                self.group = Group::restore(&description, self.now_ms);
                String::new()
            }
            other => panic!("nobody knows how to {other}"),
        };
        let mut told = vec![self.group.phase().name().to_owned()];
        told.extend(Some(said).filter(|said| !said.is_empty()));
        for effect in std::mem::take(&mut self.effects) {
            told.push(self.told(effect));
        }
        told.join("; ")
    }

    fn join(&mut self, word: &str, who: &str, protocols: &[&str]) {
        self.ids_given += 1;
        let plain = who.trim_start_matches('@');
        let join = Join {
            member_id: self.id(who),
            new_member_id: format!("{plain}{}", self.ids_given),
            instance: who.strip_prefix('@').map(str::to_owned),
            client_id: plain.to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            protocol_type: "consumer".to_owned(),
            protocols: protocols.iter().map(|name| protocol(name, plain)).collect(),
            needs_known_id: word != "join",
            can_skip_assignment: word == "join9",
            ticket: self.ticket(who),
        };
        let limits = self.limits.clone();
        self.group
            .join(join, &limits, self.now_ms, &mut self.effects);
    }

    fn told(&mut self, effect: Effect) -> String {
        match effect {
            Effect::Describe => "described".to_owned(),
            Effect::Joined(ticket, id, Ok(joined)) => {
                let who = self.asked[&ticket].clone();
                self.ids.insert(who.clone(), id);
                let members: Vec<_> = joined.members.iter().map(|it| it.id.as_str()).collect();
                let skips = if joined.skip_assignment { " skips" } else { "" };
                format!(
                    "{who}: {} {} of {} [{}]{skips}",
                    joined.generation,
                    joined.protocol.unwrap(),
                    joined.leader,
                    members.join(" ")
                )
            }
            Effect::Joined(ticket, id, Err(error)) => {
                let who = self.asked[&ticket].clone();
                if error == GroupError::MemberIdRequired {
                    self.ids.insert(who.clone(), id);
                }
                format!("{who} join {error:?}")
            }
            Effect::Synced(ticket, Ok(synced)) => {
                let share = String::from_utf8(synced.assignment.to_vec()).unwrap();
                format!("{} got '{share}'", self.asked[&ticket])
            }
            Effect::Synced(ticket, Err(error)) => {
                format!("{} sync {error:?}", self.asked[&ticket])
            }
        }
    }
}

fn shown(result: Result<(), GroupError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn protocol(name: &str, who: &str) -> Protocol {
    // A subscription of version 0 to the topic `t`.
    let mut metadata = vec![0, 0, 0, 0, 0, 1, 0, 1, b't'];
    metadata.extend(who.as_bytes());
    Protocol {
        name: name.to_owned(),
        metadata: metadata.into(),
    }
}

/// Plays `lines`: before `->` what is said, behind it what the group does.
fn check_in(play: &mut Play, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (said, expected) = line.split_once("->").unwrap();
        assert_eq!(play.line(said.trim()), expected.trim(), "after '{said}'");
    }
}

fn check(lines: &str) {
    check_in(&mut Play::new(), lines);
}

#[test]
fn members_join_share_and_leave() {
    check(
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        beat a              -> CompletingRebalance; ok
        commit a            -> CompletingRebalance; RebalanceInProgress
        sync a a=01         -> Stable; described; a got '01'
        commit a            -> Stable; ok
        join b range        -> PreparingRebalance
        beat a              -> PreparingRebalance; RebalanceInProgress
        commit a            -> PreparingRebalance; ok
        join a range        -> CompletingRebalance; a: 2 range of a1 [a1 b2]; b: 2 range of a1 []
        sync b              -> CompletingRebalance
        sync a a=0 b=1      -> Stable; described; a got '0'; b got '1'
        sync b              -> Stable; b got '1'
        leave a             -> PreparingRebalance; ok
        join b range        -> CompletingRebalance; b: 3 range of b2 [b2]
        leave b             -> Empty; ok; described
        beat b              -> Empty; UnknownMember
        ",
    );
}

#[test]
fn a_member_without_an_id_is_given_one_first() {
    check(
        "
        join4 a range       -> Empty; a join MemberIdRequired
        join4 a range       -> CompletingRebalance; a: 1 range of a1 [a1]
        sync a a=x          -> Stable; described; a got 'x'
        join4 b range       -> Stable; b join MemberIdRequired
        wait 5000           -> Stable
        beat a              -> Stable; ok
        wait 5000           -> Stable
        join4 b range       -> Stable; b join UnknownMember
        ",
    );
}

#[test]
fn silent_members_are_gone_and_waiting_ones_are_not() {
    check(
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        sync a a=x          -> Stable; described; a got 'x'
        join b range        -> PreparingRebalance
        wait 9000           -> PreparingRebalance
        beat a              -> PreparingRebalance; RebalanceInProgress
        wait 9999           -> PreparingRebalance
        wait 1              -> CompletingRebalance; b: 2 range of b2 [b2]
        wait 9999           -> CompletingRebalance
        wait 1              -> Empty; described
        ",
    );
}

#[test]
fn members_that_do_not_come_back_in_time_are_left_behind() {
    let mut play = Play::new();
    check_in(
        &mut play,
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        sync a a=x          -> Stable; described; a got 'x'
        join b range        -> PreparingRebalance
        ",
    );
    for _ in 0..7 {
        play.line("beat a");
        assert_eq!(play.line("wait 8000"), "PreparingRebalance");
    }
    check_in(
        &mut play,
        "
        beat a              -> PreparingRebalance; RebalanceInProgress
        wait 4000           -> CompletingRebalance; b: 2 range of b2 [b2]
        beat a              -> CompletingRebalance; UnknownMember
        ",
    );
}

#[test]
fn who_does_not_ask_for_its_share_is_gone() {
    let mut play = Play::new();
    check_in(
        &mut play,
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        sync a a=x          -> Stable; described; a got 'x'
        join b range        -> PreparingRebalance
        join a range        -> CompletingRebalance; a: 2 range of a1 [a1 b2]; b: 2 range of a1 []
        sync b              -> CompletingRebalance
        ",
    );
    for _ in 0..7 {
        play.line("beat a");
        assert_eq!(play.line("wait 8000"), "CompletingRebalance");
    }
    check_in(
        &mut play,
        "
        beat a              -> CompletingRebalance; ok
        wait 4000           -> PreparingRebalance; b sync RebalanceInProgress
        ",
    );
}

#[test]
fn the_protocol_is_one_that_all_know_and_most_like() {
    check(
        "
    join a r s -> CompletingRebalance; a: 1 r of a1 [a1]
    join b x   -> CompletingRebalance; b join InconsistentProtocol
    join c s r -> PreparingRebalance
    join d s r -> PreparingRebalance
    join a r s -> CompletingRebalance; a: 2 s of a1 [a1 c3 d4]; c: 2 s of a1 []; d: 2 s of a1 []
        ",
    );
}

#[test]
fn a_static_member_takes_its_place_back_without_a_rebalance() {
    check(
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        sync a a=0          -> Stable; described; a got '0'
        join @s range       -> PreparingRebalance
        join a range        -> CompletingRebalance; a: 2 range of a1 [a1 s2]; @s: 2 range of a1 []
        sync @s             -> CompletingRebalance
        sync a a=0 @s=1     -> Stable; described; a got '0'; @s got '1'
        forget @s           -> Stable
        join @s range       -> Stable; described; @s: 2 range of a1 []
        sync @s             -> Stable; @s got '1'
        forget @s           -> Stable
        beat @s             -> Stable; FencedInstance
        leave @s            -> PreparingRebalance; ok
        ",
    );
}

#[test]
fn a_static_leader_that_returns_learns_that_nothing_is_to_be_shared_out() {
    check(
        "
        join9 @l range      -> CompletingRebalance; @l: 1 range of l1 [l1]
        sync @l @l=7        -> Stable; described; @l got '7'
        forget @l           -> Stable
        join9 @l range      -> Stable; described; @l: 1 range of l2 [l2] skips
        forget @l           -> Stable
        join4 @l range      -> Stable; described; @l: 1 range of l2 []
        sync @l             -> Stable; @l got '7'
        ",
    );
}

#[test]
fn a_first_generation_may_wait_for_more_members() {
    let mut play = Play::new();
    play.limits.initial_delay_ms = 3_000;
    check_in(
        &mut play,
        "
        join a range        -> PreparingRebalance
        wait 2000           -> PreparingRebalance
        join b range        -> PreparingRebalance
        wait 1000           -> PreparingRebalance
        wait 2999           -> PreparingRebalance
        wait 1              -> CompletingRebalance; a: 1 range of a1 [a1 b2]; b: 1 range of a1 []
        ",
    );
}

#[test]
fn a_group_survives_its_broker() {
    check(
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        sync a a=0f         -> Stable; described; a got '0f'
        restart             -> Stable
        beat a              -> Stable; ok
        commit a            -> Stable; ok
        sync a              -> Stable; a got '0f'
        wait 10000          -> Empty; described
        restart             -> Empty
        join b range        -> CompletingRebalance; b: 3 range of b2 [b2]
        ",
    );
}

#[test]
fn a_group_has_as_many_members_as_it_may() {
    let mut play = Play::new();
    play.limits.members_max = 1;
    check_in(
        &mut play,
        "
        join a range        -> CompletingRebalance; a: 1 range of a1 [a1]
        join b range        -> CompletingRebalance; b join Full
        join4 c range       -> CompletingRebalance; c join Full
        sync a a=x          -> Stable; described; a got 'x'
        join a range        -> CompletingRebalance; a: 2 range of a1 [a1]
        ",
    );
}

#[test]
fn outsiders_commit_only_while_nobody_is_in() {
    let outsider = MemberName::default();
    let mut group = Group::new(0);
    assert_eq!(group.check_commit(outsider, -1, 0), Ok(()));
    let stranger = MemberName {
        id: "x",
        instance: None,
    };
    assert_eq!(
        group.check_commit(stranger, 1, 0),
        Err(GroupError::UnknownMember)
    );
    let mut play = Play::new();
    play.line("join a range");
    play.line("sync a a=x");
    let error = Err(GroupError::UnknownMember);
    assert_eq!(play.group.check_commit(outsider, -1, 0), error);
    let member = MemberName {
        id: "a1",
        instance: None,
    };
    let error = Err(GroupError::IllegalGeneration);
    assert_eq!(play.group.check_commit(member, 7, 0), error);
}

#[test]
fn what_members_read_is_known_when_they_say_so() {
    let mut play = Play::new();
    assert_eq!(play.group.subscribed_topics(), Some([].into()));
    play.line("join a range");
    assert_eq!(
        play.group.subscribed_topics(),
        Some(["t".to_owned()].into())
    );
    for (bytes, topics) in [
        (
            &b"\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x02bc..."[..],
            Some(vec!["a", "bc"]),
        ),
        (b"\x00\x03\x00\x00\x00\x00", Some(vec![])),
        (b"\x00\x00\x7f\xff\xff\xff\x00\x01a", None),
        (b"\x00\x00\x00\x00\x00\x01\xff\xff", None),
        (b"\x00\x00\xff\xff\xff\xff", None),
        (b"\x00", None),
    ] {
        let expected = topics.map(|topics| topics.into_iter().map(str::to_owned).collect());
        assert_eq!(
            subscription::topics(&Bytes::from_static(bytes)),
            expected,
            "{bytes:?}"
        );
    }
}
