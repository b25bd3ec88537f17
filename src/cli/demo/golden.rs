//! The figures to compare with: counted from decoded blocks by a program that shares nothing with
//! this one.

/// One hour's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hour {
    /// `2017-08-24T00:00:00Z`
    pub(super) name: String,
    /// Its start, in milliseconds.
    pub(super) start_ms: i64,
    /// Number of transactions.
    pub(super) count: u64,
    /// Their sum in BTC, eight decimals.
    pub(super) volume: String,
    /// The largest in BTC, eight decimals.
    pub(super) largest: String,
}

/// All hours with transactions, ascending.
pub(super) fn hours() -> Vec<Hour> {
    parse(include_str!(
        "../../../examples/demo/data/expected_hourly.csv"
    ))
}

/// Columns: hour, its Unix second, transactions, volume and largest in satoshi, its id.
fn parse(csv: &str) -> Vec<Hour> {
    csv.lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |index: usize| -> i64 {
                let cell = cells.get(index).and_then(|cell| cell.parse().ok());
                cell.expect("the golden file has whole numbers in columns 2 to 5")
            };
            Hour {
                name: cells[0].into(),
                start_ms: number(1) * 1000,
                count: number(2).unsigned_abs(),
                volume: bitcoin(number(3)),
                largest: bitcoin(number(4)),
            }
        })
        .collect()
}

/// Satoshi as BTC: exact, never through a float.
fn bitcoin(satoshi: i64) -> String {
    format!("{}.{:08}", satoshi / 100_000_000, satoshi % 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn satoshi_become_bitcoin() {
        assert_eq!(bitcoin(1), "0.00000001");
        assert_eq!(bitcoin(21_168_104_419_251), "211681.04419251");
    }

    #[test]
    fn the_golden_file_can_be_read() {
        let hours = hours();
        assert_eq!(hours.len(), 30);
        assert!(hours.is_sorted_by_key(|hour| hour.start_ms));
    }
}
