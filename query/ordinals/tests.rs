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
    let all: BTreeSet<&str> = sources.iter().flatten().map(String::as_str).collect();
    assert_eq!(map.len(), all.len());
    for (ordinal, term) in (0..).zip(&all) {
        assert_eq!(map.term(ordinal).expect("a term"), term.as_bytes());
        assert_eq!(map.find(term.as_bytes()).expect("readable"), Some(ordinal));
        let absent = format!("{term}\0");
        assert_eq!(map.find(absent.as_bytes()).expect("readable"), None);
    }
    for (index, column) in columns.iter().enumerate() {
        let codes = map.codes(index);
        for code in 0..column.source.term_count(column.column).expect("texts") as u32 {
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
            &[names(30_000, 1, 0), names(20_000, 3, 0), names(9_000, 2, 7)],
            pool,
        );
        // The largest has none of the others' terms.
        let low: Vec<String> = (0..500).map(|index| format!("a{index}")).collect();
        check(&[low, names(20_000, 1, 0)], pool);
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
