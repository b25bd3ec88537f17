//! The mean of values by their weights: exact sums of products and weights, divided once.

use storage::model::{Decimal, ExactSum};

use super::members::Members;
use super::wide_sum::WideSum;
use crate::QueryError;
use crate::filter::Binder;
use crate::frame::{Frame, NumberSlot};
use crate::request::{Input, WeightedAvg};

/// A weighted mean over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundWeighted {
    value: BoundInput,
    weight: BoundInput,
    weight_column: std::sync::Arc<str>,
}

#[derive(Debug, Clone, Copy)]
struct BoundInput {
    slot: Option<NumberSlot>,
    missing: Option<Decimal>,
}

impl BoundInput {
    fn bind(input: &Input, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let slot = match &input.field {
            None => None,
            Some(field) => binder.numbers(field)?,
        };
        Ok(Self {
            slot,
            missing: input.missing,
        })
    }
}

/// What is kept of one group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weighted {
    products: WideSum,
    weights: ExactSum,
}

impl Weighted {
    pub(super) fn merge(&mut self, other: &Self) {
        self.products.merge(&other.products);
        self.weights.merge(&other.weights);
    }

    /// The mean; `None` when all weights together are nothing.
    pub(super) fn value(&self) -> Option<f64> {
        let weights = self.weights.to_f64();
        (weights != 0.0).then(|| self.products.to_f64() / weights)
    }
}

impl BoundWeighted {
    pub(super) fn bind(by: &WeightedAvg, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let column = by.weight.field.as_ref().map(|field| field.column.clone());
        Ok(Self {
            value: BoundInput::bind(&by.value, binder)?,
            weight: BoundInput::bind(&by.weight, binder)?,
            weight_column: column.unwrap_or_else(|| "".into()),
        })
    }

    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut [Weighted],
        members: &Members,
        frame: &mut F,
    ) -> Result<(), QueryError> {
        let weights = self.weights(members, frame)?;
        let values = match self.value.slot {
            None => None,
            Some(slot) => Some(frame.numbers(slot)?),
        };
        for ((entry, group), weight) in members.pairs().zip(&weights) {
            let Some(weight) = weight else { continue };
            let state = &mut states[group as usize];
            let mut add = |value: Decimal| {
                state.products.add(value, *weight);
                state.weights.add(*weight);
            };
            let places = values.map_or(0..0, |values| values.index.values(entry));
            match (&values, self.value.missing) {
                (Some(values), _) if !places.is_empty() => {
                    for place in places {
                        add(values.value(place));
                    }
                }
                (_, Some(missing)) => add(missing),
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// The weight of each member; a row has at most one.
    fn weights<F: Frame>(
        &self,
        members: &Members,
        frame: &mut F,
    ) -> Result<Vec<Option<Decimal>>, QueryError> {
        let Some(slot) = self.weight.slot else {
            return Ok(vec![self.weight.missing; members.len()]);
        };
        let numbers = frame.numbers(slot)?;
        let mut weights = Vec::with_capacity(members.len());
        for (entry, _) in members.pairs() {
            let places = numbers.index.values(entry);
            weights.push(match places.len() {
                0 => self.weight.missing,
                1 => Some(numbers.value(places.start)),
                _ => {
                    return Err(QueryError::SeveralWeights {
                        column: self.weight_column.clone(),
                    });
                }
            });
        }
        Ok(weights)
    }
}
