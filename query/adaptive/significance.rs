//! Scores of terms that stand out (Manning, Raghavan, Schütze, "Introduction to Information
//! Retrieval", chapter 13.5; formulas as Elasticsearch has them).

use super::request::SignificanceScore;

/// How often a term is where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frequencies {
    /// Rows that match and have it.
    pub(super) inside: u64,
    /// Rows that match.
    pub(super) inside_all: u64,
    /// Rows that have it.
    pub(super) everywhere: u64,
    /// All rows.
    pub(super) everywhere_all: u64,
}

impl SignificanceScore {
    /// Zero or less where a term does not stand out.
    pub(super) fn of(self, of: Frequencies) -> f64 {
        if of.inside_all == 0 || of.everywhere_all == 0 || of.everywhere == 0 {
            return 0.0;
        }
        match self {
            Self::Jlh => jlh(of),
            Self::Percentage => of.inside as f64 / of.everywhere as f64,
            Self::NormalizedDistance => normalized_distance(of),
            Self::MutualInformation if is_more_frequent(of) => mutual_information(of),
            Self::ChiSquare if is_more_frequent(of) => chi_square(of),
            Self::MutualInformation | Self::ChiSquare => 0.0,
        }
    }
}

fn jlh(of: Frequencies) -> f64 {
    let inside = of.inside as f64 / of.inside_all as f64;
    let everywhere = of.everywhere as f64 / of.everywhere_all as f64;
    let change = inside - everywhere;
    if change <= 0.0 {
        return 0.0;
    }
    change * (inside / everywhere)
}

/// Whether rows that match have the term more often than the others.
fn is_more_frequent(of: Frequencies) -> bool {
    let others = of.everywhere_all.saturating_sub(of.inside_all);
    let outside = of.everywhere.saturating_sub(of.inside);
    others == 0 || of.inside as f64 / of.inside_all as f64 >= outside as f64 / others as f64
}

/// Rows by whether they have the term and whether they match: neither, match alone, term alone,
/// both.
fn table(of: Frequencies) -> [f64; 4] {
    let outside = of.everywhere as f64 - of.inside as f64;
    let without = of.inside_all as f64 - of.inside as f64;
    let neither = of.everywhere_all as f64 - of.everywhere as f64 - without;
    [neither, without, outside, of.inside as f64]
}

fn mutual_information(of: Frequencies) -> f64 {
    let [neither, without, outside, both] = table(of);
    let all = of.everywhere_all as f64;
    let (no_term, term) = (all - of.everywhere as f64, of.everywhere as f64);
    let (no_match, matches) = (all - of.inside_all as f64, of.inside_all as f64);
    let part = |rows: f64, one: f64, other: f64| match rows == 0.0 {
        true => 0.0,
        false => (rows / all) * ((all * rows) / (one * other)).ln(),
    };
    let sum = part(neither, no_term, no_match)
        + part(without, no_term, matches)
        + part(outside, term, no_match)
        + part(both, term, matches);
    sum / std::f64::consts::LN_2
}

fn chi_square(of: Frequencies) -> f64 {
    let [neither, without, outside, both] = table(of);
    let all = of.everywhere_all as f64;
    let (no_term, term) = (all - of.everywhere as f64, of.everywhere as f64);
    let (no_match, matches) = (all - of.inside_all as f64, of.inside_all as f64);
    let product = matches * term * no_term * no_match;
    match product == 0.0 {
        true => 0.0,
        false => all * (both * neither - without * outside).powi(2) / product,
    }
}

fn normalized_distance(of: Frequencies) -> f64 {
    let (term, rows, both) = (of.everywhere as f64, of.inside_all as f64, of.inside as f64);
    if of.inside == 0 {
        return 0.0;
    }
    if of.everywhere == of.inside_all && of.inside_all == of.inside {
        return 1.0;
    }
    let all = (of.everywhere_all as f64).ln();
    let distance = (term.ln().max(rows.ln()) - both.ln()) / (all - term.ln().min(rows.ln()));
    (-distance).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_opensearch() {
        let of = |inside, everywhere| Frequencies {
            inside,
            inside_all: 839,
            everywhere,
            everywhere_all: 1368,
        };
        assert_eq!(
            SignificanceScore::Jlh.of(of(123, 175)),
            0.021_406_598_589_492_69
        );
        assert_eq!(
            SignificanceScore::Jlh.of(of(214, 322)),
            0.021_331_780_411_094_12
        );
        assert_eq!(SignificanceScore::Jlh.of(of(10, 500)), 0.0);
        assert_eq!(SignificanceScore::Percentage.of(of(50, 100)), 0.5);
        assert_eq!(SignificanceScore::ChiSquare.of(of(10, 500)), 0.0);
        // Independent of the rows: nothing is learnt.
        let even = Frequencies {
            inside: 10,
            inside_all: 100,
            everywhere: 100,
            everywhere_all: 1_000,
        };
        assert!(SignificanceScore::MutualInformation.of(even).abs() < 1e-12);
        assert!(SignificanceScore::ChiSquare.of(even).abs() < 1e-12);
        let same = Frequencies {
            inside: 7,
            inside_all: 7,
            everywhere: 7,
            everywhere_all: 50,
        };
        assert_eq!(SignificanceScore::NormalizedDistance.of(same), 1.0);
    }
}
