//! The join against sorting everything.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::Arc;

use super::*;
use crate::testing::text_source;

fn check(sources: &[Vec<String>], pool: &ScanPool) {
    let columns: Vec<TermColumn> = sources
        .iter()
        .enumerate()
        .map(|(index, terms)| text_source(terms, index % 3 != 2))
        .collect();
    let map = OrdinalMap::build(&columns, pool).expect("a map");
    check_map(&map, &columns, sources);
    // The same, one source after another: each grows the map that is there.
    let cache = OrdinalCache::default();
    for count in 1..=columns.len() {
        let map = cache.map(&columns[..count], pool).expect("a map");
        check_map(&map, &columns[..count], &sources[..count]);
    }
    // And from the last one on, in another order of sources.
    let (mut columns, mut sources) = (columns, sources.to_vec());
    columns.reverse();
    sources.reverse();
    let map = cache.map(&columns, pool).expect("a map");
    check_map(&map, &columns, &sources);
}

fn check_map(map: &OrdinalMap, columns: &[TermColumn], sources: &[Vec<String>]) {
    let all: BTreeSet<&str> = sources.iter().flatten().map(String::as_str).collect();
    assert_eq!(map.len(), all.len());
    // Of many terms, some hundreds.
    let step = 1 + all.len() / 500;
    for (ordinal, term) in (0..).zip(&all).step_by(step) {
        assert_eq!(map.term(ordinal).expect("a term"), term.as_bytes());
        assert_eq!(map.find(term.as_bytes()).expect("readable"), Some(ordinal));
        let absent = format!("{term}\0");
        assert_eq!(map.find(absent.as_bytes()).expect("readable"), None);
    }
    for (index, column) in columns.iter().enumerate() {
        let codes = map.codes(index);
        let count = column.term_count().expect("texts") as u32;
        for code in (0..count).step_by(step) {
            let term = column.source.term(column.column, code).expect("a term");
            let ordinal = codes.ordinal(code);
            assert_eq!(map.term(ordinal).expect("a term"), term);
        }
    }
    let odd = map
        .ordinals_where(|term| term.len() % 2 == 1)
        .expect("readable");
    for (ordinal, term) in (0..).zip(&all) {
        assert_eq!(odd.contains(ordinal), term.len() % 2 == 1);
    }
}

fn names(count: usize, step: usize, start: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("n{:x}", (start + index * step).wrapping_mul(0x9e37_79b9)))
        .collect()
}

#[test]
fn ordinals_are_places_among_all_terms() {
    let pools = [
        ScanPool::single(),
        ScanPool::new(NonZero::new(3).expect("not 0")).expect("threads"),
    ];
    for pool in &pools {
        check(&[names(3, 1, 0), names(5, 2, 0), names(4, 1, 100)], pool);
        check(&[vec![String::new()], vec!["a".into(), "b".into()]], pool);
        // More than one range, most terms in all sources.
        check(
            &[names(18_000, 1, 0), names(9_000, 3, 0), names(4_000, 2, 7)],
            pool,
        );
        // The largest has none of the others' terms.
        let low: Vec<String> = (0..500).map(|index| format!("a{index}")).collect();
        check(&[low, names(9_000, 1, 0)], pool);
    }
}

#[test]
fn the_extra_term_has_its_place_in_the_order() {
    let columns = [text_source(&["b".into(), "d".into()], true)];
    let map = OrdinalMap::build(&columns, &ScanPool::single()).expect("a map");
    let mut space = TermSpace::new(Arc::new(map));
    assert_eq!(space.with(b"d").expect("readable"), 1);
    assert_eq!(space.with(b"c").expect("readable"), 2);
    assert_eq!(
        (space.len(), &*space.term(2).expect("a term")),
        (3, &b"c"[..])
    );
    let ranks = space.ranks().expect("readable");
    let mut keys = [0, 1, 2];
    keys.sort_by(|a, b| ranks.compare(*a, *b));
    assert_eq!(keys, [0, 2, 1]);
    // Further ones stand among themselves, too, and each is there once.
    assert_eq!(space.with(b"a").expect("readable"), 3);
    assert_eq!(space.with(b"bb").expect("readable"), 4);
    assert_eq!(space.with(b"c").expect("readable"), 2);
    let ranks = space.ranks().expect("readable");
    let mut keys = [0, 1, 2, 3, 4];
    keys.sort_by(|a, b| ranks.compare(*a, *b));
    assert_eq!(keys, [3, 0, 4, 2, 1]);
    assert_eq!(&*space.term(4).expect("a term"), b"bb");
}

#[test]
fn maps_are_kept_up_to_a_number() {
    let cache = OrdinalCache::default();
    let pool = ScanPool::single();
    let columns: Vec<_> = (0..3).map(|_| text_source(&["a".into()], true)).collect();
    let first = cache.map(&columns, &pool).expect("a map");
    let again = cache.map(&columns, &pool).expect("a map");
    assert!(Arc::ptr_eq(&first, &again));
    for _ in 0..2 * 256 {
        let other = [text_source(&["a".into()], true), columns[0].clone()];
        cache.map(&other, &pool).expect("a map");
    }
    let later = cache.map(&columns, &pool).expect("a map");
    assert!(!Arc::ptr_eq(&first, &later));
}

#[test]
fn a_map_grows_by_what_is_new() {
    let pool = ScanPool::single();
    let cache = OrdinalCache::default();
    let first = [
        text_source(&names(500, 1, 0), true),
        text_source(&names(500, 1, 300), true),
    ];
    let map = cache.map(&first, &pool).expect("a map");
    assert_eq!((map.len(), map.terms.depth()), (800, 0));
    // Known terms alone cost no texts.
    let known = [&first[..], &[text_source(&names(50, 2, 0), true)]].concat();
    let same = cache.map(&known, &pool).expect("a map");
    assert!(Arc::ptr_eq(&same.terms, &map.terms));
    let more = [&known[..], &[text_source(&names(9, 1, 795), true)]].concat();
    let grown = cache.map(&more, &pool).expect("a map");
    assert_eq!((grown.len(), grown.terms.depth()), (804, 1));
    // Active rows come and go upon one map of segments; only the newest of theirs is kept.
    let kept = || cache.lock().len();
    let before = kept();
    for _ in 0..3 {
        let active = [&more[..], &[text_source(&names(3, 1, 900), false)]].concat();
        let map = cache.map(&active, &pool).expect("a map");
        assert!(map.terms.is_grown_from(&grown.terms));
        assert_eq!(kept(), before + 1);
    }
    // What has grown often does not grow any more: an earlier one does.
    let mut all = more;
    let mut depths = Vec::new();
    for start in (1_000..1_200).step_by(20) {
        all.push(text_source(&names(5, 1, start), true));
        depths.push(cache.map(&all, &pool).expect("a map").terms.depth());
    }
    assert_eq!(depths, [2, 3, 4, 5, 6, 6, 6, 6, 6, 6]);
}
