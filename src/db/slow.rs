//! The slow log: searches and writes that reached a threshold of their index, in the server's log.

use storage::catalog::Topic;

use crate::elastic::{SlowLevel, SlowWork, slow_level};

/// Most of a request that is told.
const SOURCE_BYTES_MAX: usize = 1 << 10;

/// Tells about `work` on `topic` if it was slow. `opaque_id` is what the client calls its request.
pub(super) fn tell(
    topic: &Topic,
    work: SlowWork,
    took_ms: u64,
    opaque_id: Option<&str>,
    source: &[u8],
) {
    let Some(level) = slow_level(&topic.settings, work, took_ms) else {
        return;
    };
    let source = String::from_utf8_lossy(&source[..source.len().min(SOURCE_BYTES_MAX)]);
    let source = source.trim_end();
    let (index, id) = (topic.name.as_str(), opaque_id.unwrap_or(""));
    macro_rules! line {
        ($event:ident) => {
            match work {
                SlowWork::Search => tracing::$event!(index, took_ms, id, source, "slow search"),
                SlowWork::Write => tracing::$event!(index, took_ms, id, source, "slow write"),
            }
        };
    }
    match level {
        SlowLevel::Warn => line!(warn),
        SlowLevel::Info => line!(info),
        SlowLevel::Debug => line!(debug),
        SlowLevel::Trace => line!(trace),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::super::Db;
    use crate::elastic::SearchParams;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .expect("nobody panics")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn searches_over_a_threshold_are_told_with_the_name_of_their_request() {
        let db = Db::builder().in_memory().open().expect("a store in memory");
        let threshold = |level: &str, index: &str| {
            let body = format!(
                r#"{{"settings": {{"index.search.slowlog.threshold.query.{level}": "0ms"}}}}"#
            );
            db.create_index(index, body.as_bytes())
                .expect("a new index");
        };
        threshold("warn", "watched");
        db.create_index("other", b"").expect("a new index");
        let params = SearchParams {
            opaque_id: Some("panel-7".into()),
            ..SearchParams::default()
        };
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(log, || {
            for index in ["watched", "other"] {
                db.search_elastic(index, br#"{"size": 3}"#, &params)
                    .expect("an answer");
            }
        });
        let text = String::from_utf8(lines.0.lock().expect("nobody panics").clone());
        let text = text.expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in [
            "WARN",
            "slow search",
            "watched",
            "panel-7",
            r#"{\"size\": 3}"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
