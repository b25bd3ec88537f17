//! One scrape: what was counted, and what the store says now.

use prometheus::{
    Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::{EventCounts, Metrics, SERIES_MAX, process};
use crate::db::{Db, Figures, TopicFigures};

impl Metrics {
    /// All numbers as text.
    pub(crate) fn scrape(&self, db: &Db) -> String {
        let store = Registry::new_custom(Some("siltstone".into()), None);
        let store = store.expect("the prefix is a name");
        let plain = Registry::new();
        let mut scrape = Scrape {
            registry: store,
            left_out: 0,
        };
        scrape.store(&db.figures());
        scrape.memory(db);
        scrape.log();
        describe_process(&plain);
        let mut families = self.registry.gather();
        families.extend(scrape.registry.gather());
        families.extend(plain.gather());
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&families, &mut text);
        encoded.expect("families have names and memory takes what is written");
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// First offset, high watermark, and how far records are rows.
type Offsets = (u64, u64, u64);

/// A family's name and help, and how its number is found.
type Number<T> = (&'static str, &'static str, fn(T) -> u64);

/// How names of numbers end that only grow.
const COUNTER_SUFFIX: &str = "_total";

/// Families of one moment.
struct Scrape {
    registry: Registry,
    /// Series beyond [`SERIES_MAX`].
    left_out: usize,
}

impl Scrape {
    fn store(&mut self, figures: &Figures) {
        let topics = &figures.topics;
        self.gauge(
            "up",
            "Whether the store works",
            i64::from(figures.is_healthy),
        );
        let starts = "Starts behind a process that did not close the store";
        self.gauge("restarts_total", starts, signed(figures.unclean_starts));
        self.gauge(
            "merges_total",
            "Merges of segments since the start",
            signed(figures.merges),
        );
        self.gauge("groups", "Groups of consumers", signed(figures.groups));
        self.gauge("topics", "Topics", signed(topics.len() as u64));
        let under = "Partitions with fewer copies than asked for; a node alone has none";
        self.gauge("under_replicated_partitions", under, 0);
        self.topics(topics);
        self.partitions(topics);
        self.groups(figures);
        let help = "Series that a family of this scrape left out because there are too many";
        self.gauge("series_left_out", help, signed(self.left_out as u64));
    }

    fn memory(&mut self, db: &Db) {
        let uses = db.memory_uses().into_iter();
        let series = uses.map(|(memory_use, bytes)| ([memory_use], bytes as u64));
        let help = "Memory by what it is used for, as it is counted against the limit";
        self.vector("memory_bytes", help, ["use"], series);
        let limit_bytes = signed(db.memory_limit_bytes() as u64);
        let help = "Most memory of all uses together";
        self.gauge("memory_limit_bytes", help, limit_bytes);
    }

    fn topics(&mut self, topics: &[TopicFigures]) {
        let numbers: [Number<&TopicFigures>; 6] = [
            ("topic_partitions", "Partitions", |topic| {
                topic.partitions.len() as u64
            }),
            ("topic_rows", "Rows that searches see", |topic| topic.rows),
            ("topic_segments", "Segments", |topic| topic.segments),
            ("topic_segment_bytes", "Bytes of segments", |topic| {
                topic.segment_bytes
            }),
            ("topic_log_bytes", "Bytes of the log", |topic| {
                topic.log_bytes
            }),
            ("topic_log_records", "Offsets that the log holds", |topic| {
                topic
                    .partitions
                    .iter()
                    .map(|(start, end, _)| end - start)
                    .sum()
            }),
        ];
        for (name, help, number) in numbers {
            let series = topics
                .iter()
                .map(|topic| ([topic.name.as_str()], number(topic)));
            self.vector(name, help, ["topic"], series);
        }
        let kinds = |kinds: fn(&TopicFigures) -> &Vec<(&'static str, u64)>| {
            topics.iter().flat_map(move |topic| {
                let kinds = kinds(topic).iter();
                kinds.map(|(kind, count)| ([topic.name.as_str(), *kind], *count))
            })
        };
        let labels = ["topic", "reason"];
        let help = "Records that could not become rows";
        self.vector(
            "rejected_records_total",
            help,
            labels,
            kinds(|topic| &topic.rejected),
        );
        let help = "Records that were appended to the topic of dead letters";
        self.vector(
            "dead_letters_total",
            help,
            labels,
            kinds(|topic| &topic.dead_letters),
        );
    }

    fn groups(&mut self, figures: &Figures) {
        let lags = figures.lags.iter();
        let lags: Vec<_> = lags.map(|lag| (lag.2.to_string(), lag)).collect();
        let series = lags.iter().map(|(partition, (group, topic, _, lag))| {
            ([group.as_str(), topic.as_str(), partition.as_str()], *lag)
        });
        let help = "Records that the group has not read: high watermark less committed offset";
        self.vector("group_lag", help, ["group", "topic", "partition"], series);
    }

    fn partitions(&mut self, topics: &[TopicFigures]) {
        let partitions: Vec<(&str, String, Offsets)> = topics
            .iter()
            .flat_map(|topic| {
                let partitions = topic.partitions.iter().enumerate();
                partitions.map(|(id, offsets)| (topic.name.as_str(), id.to_string(), *offsets))
            })
            .collect();
        let numbers: [Number<Offsets>; 3] = [
            (
                "partition_high_watermark",
                "The first offset that is not durable",
                |it| it.1,
            ),
            (
                "partition_log_start",
                "The first offset that can be read",
                |it| it.0,
            ),
            (
                "materialize_lag",
                "Durable records that are no rows yet",
                |it| it.1.saturating_sub(it.2),
            ),
        ];
        for (name, help, number) in numbers {
            let series = partitions.iter();
            let series = series.map(|(topic, id, it)| ([*topic, id.as_str()], number(*it)));
            self.vector(name, help, ["topic", "partition"], series);
        }
    }

    fn log(&mut self) {
        self.gauge(
            "warnings_total",
            "Warnings in the log",
            signed(EventCounts::warnings()),
        );
        self.gauge(
            "errors_total",
            "Errors in the log",
            signed(EventCounts::errors()),
        );
        let Some(last) = EventCounts::last_error() else {
            return;
        };
        let help = "The last error in the log; its value is when it was, in seconds";
        let family = prometheus::GaugeVec::new(Opts::new("last_error", help), &["message"]);
        let family = family.expect("names and labels are sound");
        family
            .with_label_values(&[&last.message])
            .set(last.time_seconds);
        self.add(Box::new(family));
    }

    /// What only grows says so in its name.
    fn gauge(&mut self, name: &str, help: &str, value: i64) {
        if name.ends_with(COUNTER_SUFFIX) {
            let counter = IntCounter::new(name, help).expect("names are sound");
            counter.inc_by(u64::try_from(value).unwrap_or(0));
            return self.add(Box::new(counter));
        }
        let gauge = IntGauge::new(name, help).expect("names are sound");
        gauge.set(value);
        self.add(Box::new(gauge));
    }

    /// A family with a series for each of `series`, or as many as may be.
    fn vector<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl Iterator<Item = ([&'a str; N], u64)>,
    ) {
        let (opts, sound) = (Opts::new(name, help), "names and labels are sound");
        let mut series = series;
        let shown = series.by_ref().take(SERIES_MAX);
        if name.ends_with(COUNTER_SUFFIX) {
            let family = IntCounterVec::new(opts, &labels).expect(sound);
            shown.for_each(|(values, number)| family.with_label_values(&values).inc_by(number));
            self.add(Box::new(family));
        } else {
            let family = IntGaugeVec::new(opts, &labels).expect(sound);
            shown.for_each(|(values, number)| {
                family.with_label_values(&values).set(signed(number));
            });
            self.add(Box::new(family));
        }
        self.left_out += series.count();
    }

    fn add(&mut self, family: Box<dyn prometheus::core::Collector>) {
        self.registry
            .register(family)
            .expect("each name is used once");
    }
}

/// The names that Prometheus's own libraries use.
fn describe_process(registry: &Registry) {
    let numbers = [
        (
            "process_resident_memory_bytes",
            "Resident memory",
            process::resident_bytes(),
        ),
        (
            "process_open_fds",
            "Open files and sockets",
            process::open_files(),
        ),
    ];
    for (name, help, value) in numbers {
        if let Some(value) = value {
            let gauge = IntGauge::new(name, help).expect("names are sound");
            gauge.set(value);
            registry
                .register(Box::new(gauge))
                .expect("each name is used once");
        }
    }
    let help = "When the process began, in seconds since 1970";
    let started = Gauge::new("process_start_time_seconds", help).expect("names are sound");
    started.set(process::started_seconds() as f64);
    registry
        .register(Box::new(started))
        .expect("each name is used once");
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
