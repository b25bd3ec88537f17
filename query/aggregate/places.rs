//! Where places lie: their bounds and their middle.

use storage::model::GeoPoint;

use super::members::Members;
use crate::QueryError;
use crate::filter::Binder;
use crate::frame::{Frame, NumberSlot};
use crate::request::FieldRef;
use crate::response::PlacesResult;

/// Places over the entries of one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundPlaces {
    slot: Option<NumberSlot>,
}

/// What is kept of the places of one group, in steps of their codes.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    count: u64,
    latitude_sum: i128,
    longitude_sum: i128,
    south: i32,
    north: i32,
    /// The extremes west of Greenwich, and those east of it.
    west: Option<(i32, i32)>,
    east: Option<(i32, i32)>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            count: 0,
            latitude_sum: 0,
            longitude_sum: 0,
            south: i32::MAX,
            north: i32::MIN,
            west: None,
            east: None,
        }
    }
}

fn widened(known: Option<(i32, i32)>, more: Option<(i32, i32)>) -> Option<(i32, i32)> {
    match (known, more) {
        (Some(known), Some(more)) => Some((known.0.min(more.0), known.1.max(more.1))),
        (known, more) => known.or(more),
    }
}

impl Places {
    fn add(&mut self, code: i64) {
        let [latitude, longitude] = GeoPoint::steps_of_code(code);
        self.count += 1;
        self.latitude_sum += i128::from(latitude);
        self.longitude_sum += i128::from(longitude);
        self.south = self.south.min(latitude);
        self.north = self.north.max(latitude);
        let half = match longitude < 0 {
            true => &mut self.west,
            false => &mut self.east,
        };
        *half = widened(*half, Some((longitude, longitude)));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.latitude_sum += other.latitude_sum;
        self.longitude_sum += other.longitude_sum;
        self.south = self.south.min(other.south);
        self.north = self.north.max(other.north);
        self.west = widened(self.west, other.west);
        self.east = widened(self.east, other.east);
    }

    /// What the answer carries.
    pub(super) fn result(&self) -> PlacesResult {
        let longitude = |steps: i32| GeoPoint::of_steps([0, steps]).longitude;
        let pair = |(first, last): (i32, i32)| (longitude(first), longitude(last));
        let mean = |sum: i128| sum as f64 / self.count.max(1) as f64;
        let latitude = |steps: i32| GeoPoint::of_steps([steps, 0]).latitude;
        let is_any = self.count > 0;
        PlacesResult {
            count: self.count,
            south_north: is_any.then(|| (latitude(self.south), latitude(self.north))),
            west: self.west.map(pair),
            east: self.east.map(pair),
            middle: is_any.then(|| {
                let steps = [self.latitude_sum, self.longitude_sum].map(mean);
                // A mean of steps is a number of steps.
                GeoPoint::of_steps(steps.map(|steps| steps.floor() as i32))
            }),
        }
    }
}

impl BoundPlaces {
    pub(super) fn bind(
        field: Option<&FieldRef>,
        binder: &mut Binder<'_>,
    ) -> Result<Self, QueryError> {
        let slot = match field {
            None => None,
            Some(field) => binder.numbers(field)?,
        };
        Ok(Self { slot })
    }

    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut [Places],
        members: &Members,
        frame: &mut F,
    ) -> Result<(), QueryError> {
        let Some(slot) = self.slot else {
            return Ok(());
        };
        let numbers = frame.numbers(slot)?;
        for (entry, group) in members.pairs() {
            for value in numbers.index.values(entry) {
                states[group as usize].add(numbers.mantissas[value]);
            }
        }
        Ok(())
    }
}
