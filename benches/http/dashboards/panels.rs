//! What the panels of a dashboard ask, in the words of Grafana's back end.

/// Panels of a dashboard.
pub(super) const PANELS: usize = 20;

/// Miners that dashboards are about.
const MINERS: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    HourlySum,
    TopMinersByDay,
    PercentilesByDay,
    LastDocuments,
}

pub(super) const KINDS: [Kind; 4] = [
    Kind::HourlySum,
    Kind::TopMinersByDay,
    Kind::PercentilesByDay,
    Kind::LastDocuments,
];

/// The time range of a dashboard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

impl Kind {
    /// 40 % hourly sums, 30 % top miners, 20 % percentiles, 10 % documents.
    pub(super) fn of(panel: usize) -> Self {
        match panel % 10 {
            0..=3 => Self::HourlySum,
            4..=6 => Self::TopMinersByDay,
            7..=8 => Self::PercentilesByDay,
            _ => Self::LastDocuments,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HourlySum => "1 h × sum",
            Self::TopMinersByDay => "top 10 miners × 1 d",
            Self::PercentilesByDay => "percentiles by day",
            Self::LastDocuments => "last 100 documents",
        }
    }

    /// Whether `answer` has what the panel shows.
    pub(super) fn is_answered_by(self, answer: &str) -> bool {
        let sign = match self {
            Self::HourlySum | Self::PercentilesByDay => "\"buckets\":[{\"key",
            Self::TopMinersByDay => "\"key\":\"miner-",
            Self::LastDocuments => "\"_source\":{\"ts\":",
        };
        answer.contains(sign) && answer.contains("\"status\":200")
    }
}

/// A number from 0 to 1.
pub(super) fn random(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// The body of one `_msearch`.
pub(super) fn request(index: &str, dashboard: usize, panel: usize, window: Window) -> String {
    let Window { from_ms, to_ms } = window;
    let kind = Kind::of(panel);
    let field = ["value", "fee", "price"][panel % 3];
    // The second half of a dashboard is of one miner, but for what ranks them.
    let text = match (kind, panel >= PANELS / 2) {
        (Kind::TopMinersByDay, _) | (_, false) => "*".into(),
        (_, true) => format!("miner:\\\"miner-{:03}\\\"", dashboard % MINERS),
    };
    let filter = format!(
        r#"{{"bool":{{"filter":[{{"range":{{"ts":{{"gte":{from_ms},"lte":{to_ms},"format":"epoch_millis"}}}}}},{{"query_string":{{"analyze_wildcard":true,"query":"{text}"}}}}]}}}}"#
    );
    let by_time = |interval: &str| {
        format!(
            r#""date_histogram":{{"field":"ts","fixed_interval":"{interval}","min_doc_count":0,"extended_bounds":{{"min":{from_ms},"max":{to_ms}}},"format":"epoch_millis"}}"#
        )
    };
    let what = match kind {
        Kind::HourlySum => format!(
            r#""size":0,"aggs":{{"2":{{{},"aggs":{{"1":{{"sum":{{"field":"{field}"}}}}}}}}}}"#,
            by_time("1h")
        ),
        Kind::TopMinersByDay => format!(
            r#""size":0,"aggs":{{"3":{{"terms":{{"field":"miner","size":10,"order":{{"1":"desc"}},"min_doc_count":1}},"aggs":{{"1":{{"sum":{{"field":"{field}"}}}},"2":{{{},"aggs":{{"1":{{"sum":{{"field":"{field}"}}}}}}}}}}}}}}"#,
            by_time("1d")
        ),
        Kind::PercentilesByDay => format!(
            r#""size":0,"aggs":{{"2":{{{},"aggs":{{"1":{{"percentiles":{{"field":"{field}","percents":["50","95","99"]}}}}}}}}}}"#,
            by_time("1d")
        ),
        // The time comes first: that is what people look at.
        Kind::LastDocuments => r#""size":100,"sort":{"ts":{"order":"desc","unmapped_type":"boolean"},"_doc":{"order":"desc"}},"docvalue_fields":["ts"],"script_fields":{},"fields":[{"field":"ts","format":"strict_date_optional_time_nanos"}]"#.into(),
    };
    let header = format!(
        r#"{{"ignore_unavailable":true,"index":"{index}","search_type":"query_then_fetch"}}"#
    );
    format!("{header}\n{{{what},\"query\":{filter}}}\n")
}
