//! What a process takes, as Linux tells it.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Outcome;

/// Processor time so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    seconds: f64,
}

impl Process {
    pub(super) fn current() -> Outcome<Self> {
        Self::at("self")
    }

    fn at(process: &str) -> Outcome<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let (_, rest) = stat.rsplit_once(") ").ok_or("no name")?;
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks = ticks.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(Self {
            seconds: ticks / 100.0,
        })
    }

    /// Cores that were busy with it in `elapsed`.
    pub(super) fn cores(self, elapsed: Duration) -> f64 {
        self.seconds / elapsed.as_secs_f64()
    }
}

/// What a server took during the run.
#[derive(Debug)]
pub(super) struct Used {
    cores: f64,
    resident_max_mb: f64,
    resident_peak_mb: f64,
}

impl fmt::Display for Used {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            resident_max_mb,
            resident_peak_mb,
        } = self;
        write!(
            formatter,
            "server: {cores:.2} cores, resident {resident_max_mb:.0} MB at most in this run, \
             {resident_peak_mb:.0} MB since it started"
        )
    }
}

/// Looks at a process until `done`.
pub(super) fn watch(pid: Option<u32>, done: &AtomicBool) -> Outcome<Option<Used>> {
    let Some(pid) = pid.map(|pid| pid.to_string()) else {
        return Ok(None);
    };
    let began = Instant::now();
    let before = Process::at(&pid)?;
    let mut resident_max_mb: f64 = 0.0;
    while !done.load(Ordering::Relaxed) {
        resident_max_mb = resident_max_mb.max(megabytes(&pid, "VmRSS:")?);
        thread::sleep(Duration::from_millis(100));
    }
    let spent = Process {
        seconds: Process::at(&pid)?.seconds - before.seconds,
    };
    Ok(Some(Used {
        cores: spent.cores(began.elapsed()),
        resident_max_mb,
        resident_peak_mb: megabytes(&pid, "VmHWM:")?,
    }))
}

fn megabytes(pid: &str, name: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("no such line")?.parse::<f64>()? * 1024.0 / 1e6)
}
