//! Who gets memory, who gives way, and who is refused.

use std::sync::{Arc, Mutex, Weak};

use super::*;

/// A cache of one piece, which gives way as a whole.
struct OnePiece(Mutex<Option<Held>>);

impl GivesWay for OnePiece {
    fn give_way(&self, _bytes: usize) -> usize {
        let piece = self.0.lock().expect("nobody panics").take();
        piece.map_or(0, |piece| piece.bytes())
    }
}

fn cache(budget: &Arc<MemoryBudget>, bytes: usize) -> Arc<OnePiece> {
    let piece = budget.hold_if_room(MemoryUse::Pages, bytes);
    let cache = Arc::new(OnePiece(Mutex::new(piece)));
    let known: Weak<OnePiece> = Arc::downgrade(&cache);
    budget.add_cache(known);
    cache
}

#[test]
fn what_is_dropped_counts_no_more() {
    let budget = MemoryBudget::new(100);
    let rows = budget.hold(MemoryUse::ActiveRows, 30);
    let search = budget.try_hold(MemoryUse::Searches, 50).expect("room");
    assert_eq!(budget.used_bytes(), 80);
    search.shrink(20);
    let taken = rows.take();
    drop(rows);
    assert_eq!(budget.used_bytes_for(MemoryUse::ActiveRows), 30);
    drop((taken, search));
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_search_gets_what_caches_give_and_no_more() {
    let budget = MemoryBudget::new(100);
    let (one, other) = (cache(&budget, 30), cache(&budget, 30));
    let rows = budget.hold(MemoryUse::ActiveRows, 20);
    let search = budget.try_hold(MemoryUse::Searches, 40).expect("one cache");
    assert!(one.0.lock().expect("nobody panics").is_none());
    assert!(other.0.lock().expect("nobody panics").is_some());
    let refused = search.try_grow(50).expect_err("rows stay");
    assert_eq!(
        refused.to_string(),
        "50 bytes are needed beside the 60 in use, and the limit is 100; ask for less, or raise \
         memory_bytes"
    );
    assert_eq!(search.bytes(), 40, "what was refused is not counted");
    assert!(other.0.lock().expect("nobody panics").is_none());
    search.try_grow(40).expect("exactly the limit");
    drop(rows);
}

#[test]
fn rows_are_counted_beyond_the_limit_and_caches_take_no_room_from_others() {
    let budget = MemoryBudget::new(100);
    let cached = cache(&budget, 60);
    assert!(budget.hold_if_room(MemoryUse::Ordinals, 50).is_none());
    assert!(cached.0.lock().expect("nobody panics").is_some());
    assert!(!budget.is_full(MemoryUse::ActiveRows));
    let rows = budget.hold(MemoryUse::ActiveRows, 120);
    assert_eq!(budget.used_bytes(), 120, "the cache gave way");
    assert!(budget.is_full(MemoryUse::ActiveRows));
    assert!(budget.is_full(MemoryUse::Waiting), "nothing is left");
    drop(rows);
    assert!(!budget.is_full(MemoryUse::Waiting));
}
