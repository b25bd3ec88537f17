//! Quantiles and ranks against sorted values.

use proptest::prelude::*;

use super::*;

fn of(values: &[f64]) -> Distribution {
    let mut all = Distribution::default();
    for value in values {
        all.add(*value);
    }
    all.sorted()
}

#[test]
fn few_values_are_exact() {
    let all = of(&[151.0, 1.0, 101.0, 51.0]);
    let percentiles = [1.0, 25.0, 50.0, 75.0, 99.0, 100.0].map(|percent| all.percentile(percent));
    assert_eq!(
        percentiles,
        [1.0, 51.0, 101.0, 151.0, 151.0, 151.0].map(Some)
    );
    assert_eq!(all.rank(0.5), Some(0.0));
    assert_eq!(all.rank(1.0), Some(12.5));
    assert_eq!(all.rank(60.0), Some(50.0));
    assert_eq!(all.rank(200.0), Some(100.0));
    assert_eq!(all.median_absolute_deviation(), Some(50.0));
    assert!(!all.is_approximate());
    assert_eq!(of(&[]).percentile(50.0), None);
    assert_eq!(of(&[]).rank(50.0), None);
    assert_eq!(of(&[]).median_absolute_deviation(), None);
}

#[test]
fn buckets_ascend_with_their_values() {
    let values = [
        f64::MIN,
        -1e300,
        -2.0,
        -1.999,
        -1.0,
        -1e-300,
        0.0,
        1e-300,
        1.0,
        1.0078125,
        1.999,
        2.0,
        f64::MAX,
    ];
    let place = |value: f64| match bucket_of(value) {
        Bucket::Negative(number) => -(number as i64),
        Bucket::Zero => 0,
        Bucket::Positive(number) => number as i64,
    };
    for pair in values.windows(2) {
        assert!(place(pair[0]) < place(pair[1]), "{pair:?}");
    }
    for value in values.into_iter().filter(|value| *value != 0.0) {
        let error = (middle_of(number_of(value.abs())) - value.abs()).abs();
        assert!(error <= value.abs() / 256.0, "{value}: {error}");
    }
    assert_eq!(of(&[-0.0]), of(&[0.0]));
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1e3..1e3,
        (-300_i32..300, 1.0..10.0_f64).prop_map(|(power, digits)| digits * 10_f64.powi(power)),
        (-300_i32..300, 1.0..10.0_f64).prop_map(|(power, digits)| -digits * 10_f64.powi(power)),
        Just(0.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any order and any cut into parts gives the same, and it is close to the exact answer.
    #[test]
    fn many_values_are_close(
        few in prop::collection::vec(value(), 1..200),
        cut in 0_usize..60_000,
        percent in 0.0..100.0,
    ) {
        let values: Vec<f64> = few.iter().copied().cycle().take(VALUES_MAX + 1 + cut / 2).collect();
        let whole = of(&values);
        prop_assert!(whole.is_approximate());
        let (one, two) = values.split_at(cut.min(values.len()));
        let mut parts = of(two);
        parts.merge(&of(one));
        prop_assert_eq!(&parts.sorted(), &whole);

        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let place = place_of(percent, whole.count()).expect("values");
        let exact = sorted[place_in(place, &sorted)];
        let found = whole.percentile(percent).expect("values");
        prop_assert!((found - exact).abs() <= exact.abs() / 256.0, "{} {}", found, exact);
    }
}

#[test]
fn values_count_alike_together_and_one_by_one() {
    // Near each other, around zero, in cents, beyond what doubles hold, and far from any other.
    let near = |index: i64| index % 700 * 137 + 300;
    let signed = |index: i64| index % 901 - 450;
    let large = |index: i64| i64::MAX - index * 12_345_678_901;
    let kinds: [(&dyn Fn(i64) -> i64, i16); 6] = [
        (&near, 0),
        (&near, -2),
        (&near, 25),
        (&signed, -3),
        (&large, 0),
        (&large, -300),
    ];
    for (kind, exponent) in kinds {
        let mantissas: Vec<i64> = (0..100_000).map(kind).collect();
        let mut one_by_one = Distribution::default();
        for mantissa in &mantissas {
            let decimal = Decimal {
                mantissa: *mantissa,
                exponent,
            };
            one_by_one.add(decimal.to_f64());
        }
        let mut together = Distribution::default();
        for mantissas in mantissas.chunks(3_001) {
            together.add_all(mantissas, exponent);
        }
        assert_eq!(together, one_by_one);
    }
}

#[test]
fn percentiles_with_so_many_digits() {
    // What a real OpenSearch answers for `hdr`.
    let all = of(&[1.0, 51.0, 101.0, 151.0]);
    let check = |percent: f64, expected: f64| {
        assert_eq!(all.high_dynamic_percentile(percent, 3), Some(expected));
    };
    check(0.0, 1.0);
    check(25.0, 1.0);
    check(50.0, 51.030_273_437_5);
    check(75.0, 101.061_523_437_5);
    check(95.0, 151.124_023_437_5);
    assert_eq!(of(&[]).high_dynamic_percentile(50.0, 3), None);
    assert_eq!(of(&[-1.0, 5.0]).high_dynamic_percentile(50.0, 3), None);
    assert_eq!(of(&[0.0]).high_dynamic_percentile(50.0, 3), Some(0.0));
}
