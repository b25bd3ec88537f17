//! Synthetic transactions: JSON documents of 12 fields and 326 bytes on average.
//!
//! Row `n` is a function of `n` and the rows before it, so every run sends the same bytes.

use std::fmt::Write;

/// 2026-02-01T00:00:00Z.
const START_MS: i64 = 1_769_904_000_000;
const MINUTES: i64 = 60 * 1000;

/// Makes documents one after another.
pub(crate) struct Transactions {
    random: u64,
    time_ms: i64,
    cents: i64,
}

impl Default for Transactions {
    fn default() -> Self {
        Self {
            random: 14,
            time_ms: START_MS,
            cents: 4_000_000,
        }
    }
}

impl Transactions {
    /// Steele, Lea and Flood's SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// The time and the text of the next document; `out` is replaced.
    pub(crate) fn write_next(&mut self, out: &mut String) -> i64 {
        let hash = [self.next(), self.next(), self.next(), self.next()];
        let (from, to) = (self.next() % 1_000_000, self.next() % 1_000_000);
        let spread = self.next();
        self.time_ms += 1 + (spread % 600) as i64;
        self.cents += (spread >> 32 & 15) as i64 - 7;
        let (seconds, ms) = (self.time_ms.div_euclid(1000), self.time_ms % 1000);
        let (day, second) = (seconds / 86_400 - START_MS / 86_400_000, seconds % 86_400);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let [value, fee] = [40, 48].map(|shift| 1_u64 << (spread >> shift & 15) | spread & 0x3ff);
        out.clear();
        // February has 28 days; later days of a long run go on in it as the 28th.
        write!(
            out,
            "{{\"ts\":\"2026-02-{:02}T{hour:02}:{minute:02}:{:02}.{ms:03}Z\",\"hash\":\"{:016x}{:016x}{:016x}{:016x}\",\
             \"height\":{},\"position\":{},\"from\":\"bc1q{:034x}\",\"dest\":\"bc1q{:034x}\",\"value\":{},\"fee\":{fee},\
             \"size\":{},\"price\":{}.{:02},\"miner\":\"miner-{:03}\",\"coinbase\":{}}}",
            (day + 1).min(28),
            second % 60,
            hash[0], hash[1], hash[2], hash[3],
            680_000 + (self.time_ms - START_MS) / (10 * MINUTES),
            spread % 3000,
            address(from),
            address(to),
            value * 1000 + spread % 1000,
            180 + spread % 2000,
            self.cents / 100,
            // No zero at the end, which no printer of doubles writes.
            self.cents % 100 / 10 * 10 + 1 + self.cents % 9,
            spread % 200,
            spread.is_multiple_of(4096),
        )
        .expect("a string takes everything");
        self.time_ms
    }
}

/// 64 bits of an address, of which there are a million.
fn address(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number << 40
}
