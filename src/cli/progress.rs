//! How far a long piece of work is: a line that moves on a terminal, nothing in a log file.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is drawn again.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Characters of a full bar.
const BAR_WIDTH: usize = 24;

/// A line on standard error. Where that is no terminal nothing is drawn, and the work itself says
/// at its end what it did.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    started: Instant,
    drawn: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    /// Counts `what`, in the plural.
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            started: Instant::now(),
            drawn: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// So many of so many are done.
    pub(super) fn show(&mut self, done: u64, total: u64) {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY);
        if !self.is_terminal || !is_due {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(self.what, done, total, self.started.elapsed());
        // A terminal that has gone away needs no progress.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }

    /// Removes the line. Returns how long it took, in seconds.
    pub(super) fn finish(self) -> f64 {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        self.started.elapsed().as_secs_f64()
    }
}

fn line(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let share = match total {
        0 => 0.0,
        _ => (done as f64 / total as f64).min(1.0),
    };
    let filled = (share * BAR_WIDTH as f64) as usize;
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR_WIDTH - filled));
    let seconds = elapsed.as_secs_f64();
    let rate = done as f64 / seconds.max(0.001);
    let left = (total.saturating_sub(done)) as f64 / rate.max(0.001);
    let left = match done {
        0 => String::new(),
        _ => format!(", {left:.0} s left"),
    };
    format!(
        "{bar} {:3.0} %  {done} of {total} {what}, {rate:.0}/s{left}",
        share * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let check = |done, total, seconds, text: &str| {
            assert_eq!(
                line("rows", done, total, Duration::from_secs(seconds)),
                text
            );
        };
        check(0, 0, 1, "░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 of 0 rows, 0/s");
        check(
            50,
            100,
            5,
            "████████████░░░░░░░░░░░░  50 %  50 of 100 rows, 10/s, 5 s left",
        );
        check(
            100,
            100,
            5,
            "████████████████████████ 100 %  100 of 100 rows, 20/s, 0 s left",
        );
    }
}
