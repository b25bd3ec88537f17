//! Dashboards over a topic that is written to: how long panels wait, what is refused, memory.
//!
//! `cargo run --profile quick -p siltstone-ingest --example dashboards -- [OPTION=VALUE]...`
//!
//! | option | default | |
//! |---|---|---|
//! | `http`, `kafka` | `127.0.0.1:9200`, `127.0.0.1:9092` | a server that has T20 in `index` |
//! | `index` | `t20` | |
//! | `pid` | | the server's process, for its memory and processor time |
//! | `rows` | | a file of T20's rows: what is written takes its fields but the time from there |
//! | `rate` | 50000 | documents a second; 0 writes nothing |
//! | `dashboards` | 50 | |
//! | `in_flight` | 6 | panels of one dashboard that are asked at once, as many as a browser does |
//! | `days` | 7 | the time range of every dashboard, up to now |
//! | `seconds` | 60 | |
//! | `rollup` | `yes` | `no` adds `rollup=false`: rows answer instead of cells |
//!
//! Time goes on where T20 ends: rows that are written are of the instant in which they are sent, and *now* of a
//! dashboard is that instant too. Every dashboard is refreshed each 5 s, at a phase of its own that a seed decides, and
//! then asks its 20 panels as Grafana's back end does: one `_msearch` each, the range from now less seven days to now
//! in milliseconds, `date_histogram` with `extended_bounds`. Half of the panels are of one miner, another one for each
//! dashboard. A wait is counted from the sending of a request to its last byte; *due* counts from the refresh, so it
//! has the queueing of a browser in it. Afterwards, when nobody writes any more, each kind of panel is asked with
//! cells and without: both answers must be the same.

use std::error::Error;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod client;
mod feed;
mod panels;
mod process;

use client::Client;
use panels::{KINDS, Kind, PANELS, Window};
use process::Process;

const REFRESH: Duration = Duration::from_secs(5);
const DAY_MS: i64 = 86_400_000;
/// How long nothing is counted at first: connections, pages and caches warm up.
const WARM: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, Clone)]
struct Options {
    http: String,
    kafka: String,
    index: String,
    pid: Option<u32>,
    rows: Option<String>,
    rate: usize,
    dashboards: usize,
    in_flight: usize,
    days: i64,
    seconds: u64,
    rollup: bool,
}

/// When the run began, by the clock and in the time of the rows.
#[derive(Debug, Clone, Copy)]
struct Clock {
    began: Instant,
    began_ms: i64,
}

impl Clock {
    fn now_ms(&self) -> i64 {
        let elapsed_ms = self.began.elapsed().as_millis();
        self.began_ms + i64::try_from(elapsed_ms).expect("a run is short")
    }
}

/// One answer.
#[derive(Debug, Clone, Copy)]
struct Wait {
    kind: Kind,
    sent_ms: f64,
    due_ms: f64,
    outcome: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Right,
    Rejected,
    Failed,
}

fn main() -> Outcome<()> {
    let options = options()?;
    let last_ms = Client::new(&options.http).last_time_ms(&options.index)?;
    let clock = Clock {
        began: Instant::now(),
        began_ms: last_ms + 1,
    };
    let done = AtomicBool::new(false);
    let (waits, fed, used) = thread::scope(|scope| -> Outcome<_> {
        let feed = (options.rate > 0).then(|| scope.spawn(|| feed::run(&options, clock, &done)));
        let process = scope.spawn(|| process::watch(options.pid, &done));
        let waits = look(&options, clock);
        done.store(true, Ordering::Relaxed);
        let fed = feed.map(|feed| feed.join().expect("the feed does not panic"));
        let used = process.join().expect("watching does not panic");
        Ok((waits?, fed.transpose()?, used?))
    })?;
    report(&options, &waits);
    if let Some(fed) = fed {
        println!("{fed}");
    }
    if let Some(used) = used {
        println!("{used}");
    }
    println!(
        "client: {:.2} cores",
        Process::current()?.cores(clock.began.elapsed())
    );
    compare(&options, clock)
}

fn options() -> Outcome<Options> {
    let mut options = Options {
        http: "127.0.0.1:9200".into(),
        kafka: "127.0.0.1:9092".into(),
        index: "t20".into(),
        pid: None,
        rows: None,
        rate: 50_000,
        dashboards: 50,
        in_flight: 6,
        days: 7,
        seconds: 60,
        rollup: true,
    };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("options are NAME=VALUE")?;
        match name {
            "http" => options.http = value.into(),
            "kafka" => options.kafka = value.into(),
            "index" => options.index = value.into(),
            "pid" => options.pid = Some(value.parse()?),
            "rows" => options.rows = Some(value.into()),
            "rate" => options.rate = value.parse()?,
            "dashboards" => options.dashboards = value.parse()?,
            "in_flight" => options.in_flight = value.parse()?,
            "days" => options.days = value.parse()?,
            "seconds" => options.seconds = value.parse()?,
            "rollup" => options.rollup = value == "yes",
            _ => return Err(format!("no such option: {name}").into()),
        }
    }
    Ok(options)
}

/// Refreshes all dashboards until the time is over.
fn look(options: &Options, clock: Clock) -> Outcome<Vec<Wait>> {
    let rounds = usize::try_from(options.seconds / REFRESH.as_secs())?;
    let mut seed = 7_u64;
    let phases: Vec<Duration> = (0..options.dashboards)
        .map(|_| REFRESH.mul_f64(panels::random(&mut seed)))
        .collect();
    let next: Vec<AtomicUsize> = (0..options.dashboards * rounds)
        .map(|_| AtomicUsize::new(0))
        .collect();
    thread::scope(|scope| {
        let mut browsers = Vec::new();
        for (dashboard, phase) in phases.iter().enumerate() {
            for _ in 0..options.in_flight {
                let next = &next[dashboard * rounds..][..rounds];
                browsers.push(scope.spawn(move || browse(options, clock, dashboard, *phase, next)));
            }
        }
        let mut waits = Vec::new();
        for browser in browsers {
            waits.extend(browser.join().expect("browsers do not panic")?);
        }
        Ok(waits)
    })
}

/// One connection of one dashboard: takes panels of a round until all are taken.
fn browse(
    options: &Options,
    clock: Clock,
    dashboard: usize,
    phase: Duration,
    rounds: &[AtomicUsize],
) -> Outcome<Vec<Wait>> {
    let mut client = Client::new(&options.http);
    let mut waits = Vec::new();
    for (round, next) in rounds.iter().enumerate() {
        let due = phase + REFRESH * u32::try_from(round)?;
        thread::sleep(due.saturating_sub(clock.began.elapsed()));
        let due_ms = clock.began_ms + i64::try_from(due.as_millis())?;
        let window = Window {
            from_ms: due_ms - options.days * DAY_MS,
            to_ms: due_ms,
        };
        loop {
            let panel = next.fetch_add(1, Ordering::Relaxed);
            if panel >= PANELS {
                break;
            }
            let kind = Kind::of(panel);
            let body = panels::request(&options.index, dashboard, panel, window);
            let began = Instant::now();
            let (status, answer) = client.search(&body, options.rollup)?;
            let outcome = match status {
                200 if kind.is_answered_by(&answer) => Answer::Right,
                429 => Answer::Rejected,
                200 if answer.contains("\"status\":429") => Answer::Rejected,
                _ => Answer::Failed,
            };
            if due >= WARM {
                waits.push(Wait {
                    kind,
                    sent_ms: began.elapsed().as_secs_f64() * 1e3,
                    due_ms: (clock.began.elapsed() - due).as_secs_f64() * 1e3,
                    outcome,
                });
            }
        }
    }
    Ok(waits)
}

fn report(options: &Options, waits: &[Wait]) {
    let seconds = (options.seconds - WARM.as_secs().min(options.seconds)) as f64;
    let count = |outcome| waits.iter().filter(|wait| wait.outcome == outcome).count();
    println!(
        "{} panels in {seconds:.0} s, {:.0} a second: {} rejected, {} failed",
        waits.len(),
        waits.len() as f64 / seconds,
        count(Answer::Rejected),
        count(Answer::Failed),
    );
    println!("| panel | answers | p50, ms | p90 | p99 | max | due p50 | due p99 |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for kind in [None].into_iter().chain(KINDS.map(Some)) {
        let of_kind = waits
            .iter()
            .filter(|wait| kind.is_none_or(|kind| kind == wait.kind));
        let mut sent: Vec<f64> = of_kind.clone().map(|wait| wait.sent_ms).collect();
        let mut due: Vec<f64> = of_kind.map(|wait| wait.due_ms).collect();
        sent.sort_by(f64::total_cmp);
        due.sort_by(f64::total_cmp);
        println!(
            "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            kind.map_or("all", Kind::name),
            sent.len(),
            at(&sent, 0.5),
            at(&sent, 0.9),
            at(&sent, 0.99),
            at(&sent, 1.0),
            at(&due, 0.5),
            at(&due, 0.99),
        );
    }
}

fn at(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).ceil() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// Asks every panel of a dashboard with cells and without.
fn compare(options: &Options, clock: Clock) -> Outcome<()> {
    let mut client = Client::new(&options.http);
    client.refresh(&options.index)?;
    let to_ms = clock.now_ms();
    let window = Window {
        from_ms: to_ms - options.days * DAY_MS,
        to_ms,
    };
    for panel in 0..PANELS {
        let body = panels::request(&options.index, 3, panel, window);
        let answers = [
            client.search(&body, true)?.1,
            client.search(&body, false)?.1,
        ];
        let [one, other] = answers.map(|answer| without_times(&answer));
        if one != other {
            return Err(format!("cells and rows differ on panel {panel}:\n{one}\n{other}").into());
        }
    }
    println!("all panels: cells and rows give one answer");
    Ok(())
}

/// An answer without what it took.
fn without_times(answer: &str) -> String {
    let mut parts = answer.split("\"took\":");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    text
}

fn connect(address: &str) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
