//! What the system says about this process.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

static STARTED_SECONDS: OnceLock<i64> = OnceLock::new();

/// When the process began, about: the first call decides.
pub(super) fn started_seconds() -> i64 {
    *STARTED_SECONDS.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    })
}

/// Memory that is resident, in bytes; `None` where the system does not say.
pub(super) fn resident_bytes() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Files and sockets that are open.
pub(crate) fn open_files() -> Option<i64> {
    let files = std::fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(files).ok()
}

/// Most files and sockets that may be open; `None` where the system does not say.
pub(crate) fn open_files_max() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How many threads of the system wanted to run in the last minute, five and fifteen, as texts;
/// empty ones where the system does not say.
pub(crate) fn load_averages() -> [String; 3] {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut words = text.split_whitespace().map(str::to_owned);
    std::array::from_fn(|_| words.next().unwrap_or_default())
}
