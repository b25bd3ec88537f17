//! Decimals of one vector in the form that does not show how they were written.

use crate::model::{Decimal, Exponents, NumberVector};

/// The powers of ten that 64 bits hold.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut place = 1;
    while place < powers.len() {
        powers[place] = powers[place - 1] * 10;
        place += 1;
    }
    powers
};

/// Brings all values to one power of ten, the highest at which they are integers; where 64 bits do
/// not hold them there, each loses its trailing zeros and keeps a power of its own.
pub(in crate::segment) fn make_canonical(vector: &mut NumberVector) {
    if vector.mantissas.is_empty() {
        vector.exponents = Exponents::Uniform(0);
        return;
    }
    if make_uniform(vector) {
        strip_zeros(vector);
        return;
    }
    normalize_each(vector);
    if make_uniform(vector) {
        strip_zeros(vector);
    }
}

/// Brings all values to the lowest power among those that are not 0; says whether they fit.
fn make_uniform(vector: &mut NumberVector) -> bool {
    let Exponents::Each(each) = &vector.exponents else {
        return true;
    };
    let values = || vector.mantissas.iter().zip(each);
    let exponents = || values().filter(|value| *value.0 != 0).map(|value| *value.1);
    let (Some(lowest), Some(highest)) = (exponents().min(), exponents().max()) else {
        // All are 0.
        vector.exponents = Exponents::Uniform(0);
        return true;
    };
    if i32::from(highest) - i32::from(lowest) >= POWERS.len() as i32 {
        return false;
    }
    let scaled = |(mantissa, exponent): (&i64, &i16)| match mantissa {
        0 => Some(0),
        // The distance lies between 0 and 18.
        mantissa => mantissa.checked_mul(POWERS[(exponent - lowest) as usize]),
    };
    if lowest != highest {
        let Some(mantissas) = values().map(scaled).collect::<Option<Vec<_>>>() else {
            return false;
        };
        vector.mantissas = mantissas;
    }
    vector.exponents = Exponents::Uniform(lowest);
    true
}

/// Moves zeros that all values end with into their power.
fn strip_zeros(vector: &mut NumberVector) {
    let Exponents::Uniform(exponent) = &mut vector.exponents else {
        return;
    };
    if vector.mantissas.iter().all(|mantissa| *mantissa == 0) {
        *exponent = 0;
        return;
    }
    while vector.mantissas.iter().all(|mantissa| mantissa % 10 == 0) {
        vector
            .mantissas
            .iter_mut()
            .for_each(|mantissa| *mantissa /= 10);
        *exponent += 1;
    }
}

fn normalize_each(vector: &mut NumberVector) {
    let values: Vec<Decimal> = vector
        .mantissas
        .iter()
        .enumerate()
        .map(|(index, mantissa)| Decimal {
            mantissa: *mantissa,
            exponent: vector.exponents.get(index),
        })
        .map(Decimal::normalized)
        .collect();
    vector.mantissas.clear();
    vector
        .mantissas
        .extend(values.iter().map(|value| value.mantissa));
    let each = vector.exponents.make_each();
    each.extend(values.iter().map(|value| value.exponent));
}
