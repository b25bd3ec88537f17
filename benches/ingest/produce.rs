//! From Kafka produce to durable and to queryable: documents a second, memory, processor time.
//!
//! `cargo run --profile quick -p siltstone-ingest --example produce -- [OPTION=VALUE]...`
//!
//! | option | default |
//! |---|---|
//! | `binary` | `target/release/siltstone` |
//! | `data` | a new folder below the system's temporary one |
//! | `documents` | 2000000 |
//! | `file` | synthetic transactions; a file of one JSON document a line |
//! | `codec` | `lz4`; `none`, `zstd` |
//! | `connections` | 2 |
//! | `dashboard` | `no`; `yes` asks for hourly sums all the time |
//!
//! Starts a server, makes all batches (500 documents each, 6 partitions), then sends them with
//! `acks=all` and five requests in flight a connection, while another connection asks how many
//! documents can be counted. What making the batches costs is the client's and is not measured.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use storage::log::{BatchBuilder, Codec, NewRecord};

mod transactions;

const TOPIC: &str = "bench";
const PARTITIONS: usize = 6;
const BATCH_DOCUMENTS: usize = 500;
const IN_FLIGHT: usize = 5;
const DISK_BYTES: usize = 512 << 20;
const DISK_WRITE_BYTES: usize = 8 << 20;
const TIME_MAX: Duration = Duration::from_secs(600);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Options {
    binary: PathBuf,
    data: PathBuf,
    documents: usize,
    file: Option<PathBuf>,
    codec: Codec,
    connections: usize,
    dashboard: bool,
}

/// Requests that are ready to be sent.
struct Load {
    requests: Vec<Vec<u8>>,
    documents: usize,
    json_bytes: usize,
    sent_bytes: usize,
}

struct Server {
    process: Child,
    http: String,
    kafka: String,
}

fn main() -> Outcome<()> {
    let options = options()?;
    let load = prepare(&options)?;
    let average = load.json_bytes as f64 / load.documents as f64;
    println!(
        "{} documents of {average:.0} bytes; batches of {BATCH_DOCUMENTS}, {} bytes a document on the wire ({})",
        load.documents,
        load.sent_bytes / load.documents,
        options.codec,
    );
    fs::create_dir_all(&options.data)?;
    let disk = disk_bytes_a_second(&options.data)?;
    println!(
        "disk alone: {:.0} MB/s, {:.2} M documents/s of these bytes written twice",
        disk / 1e6,
        disk / (2.0 * load.sent_bytes as f64 / load.documents as f64) / 1e6,
    );
    let mut server = Server::start(&options)?;
    let result = measure(&server, &options, &load);
    server.process.kill()?;
    server.process.wait()?;
    result
}

fn options() -> Outcome<Options> {
    let mut options = Options {
        binary: "target/release/siltstone".into(),
        data: std::env::temp_dir().join(format!("siltstone-produce-{}", std::process::id())),
        documents: 2_000_000,
        file: None,
        codec: Codec::Lz4,
        connections: 2,
        dashboard: false,
    };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("options are NAME=VALUE")?;
        match name {
            "binary" => options.binary = value.into(),
            "data" => options.data = value.into(),
            "documents" => options.documents = value.parse()?,
            "file" => options.file = Some(value.into()),
            "connections" => options.connections = value.parse()?,
            "dashboard" => options.dashboard = value == "yes",
            "codec" => {
                options.codec = match value {
                    "lz4" => Codec::Lz4,
                    "zstd" => Codec::Zstd,
                    "none" => Codec::None,
                    _ => return Err("no such codec".into()),
                }
            }
            _ => return Err(format!("no such option: {name}").into()),
        }
    }
    Ok(options)
}

/// All documents as requests, partition after partition.
fn prepare(options: &Options) -> Outcome<Load> {
    let mut load = Load {
        requests: Vec::new(),
        documents: 0,
        json_bytes: 0,
        sent_bytes: 0,
    };
    let mut lines = match &options.file {
        Some(path) => Some(BufReader::with_capacity(1 << 20, fs::File::open(path)?)),
        None => None,
    };
    let mut source = transactions::Transactions::default();
    let mut builders: Vec<BatchBuilder> = (0..PARTITIONS).map(|_| BatchBuilder::new()).collect();
    let mut text = String::new();
    while load.documents < options.documents {
        match &mut lines {
            None => {
                source.write_next(&mut text);
            }
            Some(lines) => {
                text.clear();
                if lines.read_line(&mut text)? == 0 {
                    break;
                }
            }
        }
        let document = text.trim_end();
        let partition = load.documents % PARTITIONS;
        let builder = &mut builders[partition];
        builder.push(NewRecord {
            timestamp_ms: 1_769_904_000_000,
            value: Some(document.as_bytes()),
            ..NewRecord::default()
        })?;
        load.documents += 1;
        load.json_bytes += document.len();
        if builder.record_count() == BATCH_DOCUMENTS {
            finish_batch(builder, partition, options, &mut load)?;
        }
    }
    for (partition, builder) in builders.iter_mut().enumerate() {
        if builder.record_count() > 0 {
            finish_batch(builder, partition, options, &mut load)?;
        }
    }
    Ok(load)
}

fn finish_batch(
    builder: &mut BatchBuilder,
    partition: usize,
    options: &Options,
    load: &mut Load,
) -> Outcome<()> {
    let batch = std::mem::take(builder).finish(options.codec);
    load.sent_bytes += batch.bytes().len();
    load.requests.push(request(partition, batch.bytes())?);
    Ok(())
}

/// A Produce request of version 7 with one batch.
fn request(partition: usize, batch: &[u8]) -> Outcome<Vec<u8>> {
    let mut body = Vec::with_capacity(batch.len() + 64);
    body.extend([0, 0, 0, 7]);
    body.extend(0_i32.to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.extend(30_000_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(u16::try_from(TOPIC.len())?.to_be_bytes());
    body.extend(TOPIC.as_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(u32::try_from(partition)?.to_be_bytes());
    body.extend(u32::try_from(batch.len())?.to_be_bytes());
    body.extend(batch);
    let mut framed = u32::try_from(body.len())?.to_be_bytes().to_vec();
    framed.append(&mut body);
    Ok(framed)
}

/// What this disk takes when nothing else is done.
fn disk_bytes_a_second(folder: &Path) -> Outcome<f64> {
    let path = folder.join("disk-alone");
    let mut file = fs::File::create(&path)?;
    let bytes = vec![0x5a; DISK_WRITE_BYTES];
    let start = Instant::now();
    for _ in 0..DISK_BYTES / DISK_WRITE_BYTES {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(DISK_BYTES as f64 / seconds)
}

impl Server {
    fn start(options: &Options) -> Outcome<Self> {
        let mut process = Command::new(&options.binary)
            .args([
                "serve",
                "--http",
                "127.0.0.1:0",
                "--kafka",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(options.data.join("store"))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let word = |name: &str| {
            let word = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix(name));
            word.map(String::from)
                .ok_or_else(|| format!("no {name} in {line:?}"))
        };
        Ok(Self {
            http: word("http=")?,
            kafka: word("kafka=")?,
            process,
        })
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect(&self.http)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn count(&self) -> Outcome<usize> {
        let answer = self.ask("GET", &format!("/{TOPIC}/_count"), "")?;
        let (_, rest) = answer.split_once("\"count\":").ok_or("no count")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse()?)
    }

    /// A line of `/proc/PID/status` in megabytes.
    fn memory_mb(&self, name: &str) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no line")?;
        Ok(kilobytes.parse::<f64>()? * 1024.0 / 1e6)
    }

    /// Processor seconds so far, of all its threads and of each kind of them.
    fn processor_seconds(&self) -> Outcome<Vec<(String, f64)>> {
        let mut kinds: Vec<(String, f64)> = vec![("all".into(), 0.0)];
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let stat = fs::read_to_string(task?.path().join("stat"))?;
            let (name, rest) = stat.rsplit_once(") ").ok_or("no name")?;
            let name = name.split_once('(').ok_or("no name")?.1.to_string();
            let mut ticks = rest.split_whitespace().skip(11);
            let mut next = || ticks.next().unwrap_or("0").parse::<f64>();
            let seconds = (next()? + next()?) / 100.0;
            kinds[0].1 += seconds;
            match kinds.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += seconds,
                None => kinds.push((name, seconds)),
            }
        }
        Ok(kinds)
    }
}

fn measure(server: &Server, options: &Options, load: &Load) -> Outcome<()> {
    let keyword = r#"{"type":"keyword"}"#;
    let mappings = format!(
        r#"{{"settings":{{"number_of_shards":{PARTITIONS}}},"mappings":{{"properties":{{"ts":{{"type":"date"}},
        "hash":{keyword},"from":{keyword},"dest":{keyword},"miner":{keyword},"addr":{keyword}}}}}}}"#
    );
    server.ask("PUT", &format!("/{TOPIC}"), &mappings)?;
    let next = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let before = server.processor_seconds()?;
    let start = Instant::now();
    let (durable, queryable, asked) = thread::scope(|scope| -> Outcome<_> {
        let senders: Vec<_> = (0..options.connections)
            .map(|_| scope.spawn(|| send(&server.kafka, load, &next)))
            .collect();
        let dashboard = options
            .dashboard
            .then(|| scope.spawn(|| look(server, &done)));
        let mut durable: Outcome<()> = Ok(());
        for sender in senders {
            durable = durable.and(sender.join().expect("senders do not panic"));
        }
        let durable = durable.map(|()| start.elapsed().as_secs_f64());
        let mut queryable: Outcome<f64> = Ok(0.0);
        while durable.is_ok() {
            let count = server.count()?;
            queryable = Ok(start.elapsed().as_secs_f64());
            if count >= load.documents {
                break;
            }
            if start.elapsed() > TIME_MAX {
                queryable = Err(format!("only {count} documents can be counted").into());
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
        let asked = dashboard.map(|thread| thread.join().expect("dashboards do not panic"));
        Ok((durable?, queryable?, asked))
    })?;
    report(server, load, durable, queryable, &before)?;
    if let Some(asked) = asked {
        println!("dashboard: {}", asked?);
    }
    Ok(())
}

fn report(
    server: &Server,
    load: &Load,
    durable: f64,
    queryable: f64,
    before: &[(String, f64)],
) -> Outcome<()> {
    let count = load.documents as f64;
    println!(
        "durable {:.3} M documents/s, queryable {:.3} M documents/s ({durable:.2} s, {queryable:.2} s)",
        count / durable / 1e6,
        count / queryable / 1e6,
    );
    let mut threads: Vec<_> = server.processor_seconds()?;
    threads.sort_by(|left, right| right.1.total_cmp(&left.1));
    let spent = |name: &str| {
        let known = before.iter().find(|(known, _)| known == name);
        known.map_or(0.0, |(_, seconds)| *seconds)
    };
    let shown = threads
        .iter()
        .take(7)
        .map(|(name, seconds)| format!("{name} {:.2}", (seconds - spent(name)) * 1e6 / count));
    println!(
        "server's processor time, µs a document: {}; resident {:.0} MB, at most {:.0} MB",
        shown.collect::<Vec<_>>().join(", "),
        server.memory_mb("VmRSS:")?,
        server.memory_mb("VmHWM:")?,
    );
    Ok(())
}

/// Sends requests until none is left, and waits for their answers.
fn send(address: &str, load: &Load, next: &AtomicUsize) -> Outcome<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut in_flight = 0;
    loop {
        let request = load.requests.get(next.fetch_add(1, Ordering::Relaxed));
        if let Some(request) = request {
            stream.write_all(request)?;
            in_flight += 1;
        }
        if in_flight == 0 {
            return Ok(());
        }
        if in_flight == IN_FLIGHT || request.is_none() {
            let throttle_ms = answer(&mut stream)?;
            in_flight -= 1;
            thread::sleep(Duration::from_millis(throttle_ms));
        }
    }
}

/// Reads one answer; says how long the server wants to hear nothing.
fn answer(stream: &mut TcpStream) -> Outcome<u64> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    stream.read_exact(&mut answer)?;
    // Correlation, topics, name, partitions, index.
    let code_at = 4 + 4 + 2 + TOPIC.len() + 4 + 4;
    if answer.get(code_at..code_at + 2) != Some(&[0, 0]) {
        return Err(format!("refused: {answer:?}").into());
    }
    let throttle = answer.last_chunk().copied().ok_or("a short answer")?;
    Ok(u64::try_from(i32::from_be_bytes(throttle))?)
}

/// Asks for hourly sums again and again; says how long that took.
fn look(server: &Server, done: &AtomicBool) -> Outcome<String> {
    let body = r#"{"size":0,"aggs":{"by":{"date_histogram":{"field":"ts","fixed_interval":"1h"},
        "aggs":{"sum":{"sum":{"field":"value"}}}}}}"#;
    let mut times_ms = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        server.ask("POST", &format!("/{TOPIC}/_search"), body)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        thread::sleep(Duration::from_millis(100));
    }
    times_ms.sort_by(f64::total_cmp);
    let at = |fraction: f64| times_ms.get((times_ms.len() as f64 * fraction) as usize);
    Ok(format!(
        "{} answers, median {:.1?} ms, p95 {:.1?} ms",
        times_ms.len(),
        at(0.5),
        at(0.95)
    ))
}
