//! What was logged, counted: how many warnings and errors, and which error was the last.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Longest text of an error that is kept.
const MESSAGE_BYTES_MAX: usize = 300;

static WARNINGS: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);
static LAST: Mutex<Option<LastError>> = Mutex::new(None);

/// The last error that was logged.
#[derive(Debug, Clone)]
pub(super) struct LastError {
    pub(super) message: String,
    pub(super) time_seconds: f64,
}

/// Counts the process's warnings and errors.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EventCounts;

impl EventCounts {
    pub(super) fn warnings() -> u64 {
        WARNINGS.load(Ordering::Relaxed)
    }

    pub(super) fn errors() -> u64 {
        ERRORS.load(Ordering::Relaxed)
    }

    pub(super) fn last_error() -> Option<LastError> {
        LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Subscriber> Layer<S> for EventCounts {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level == Level::WARN {
            WARNINGS.fetch_add(1, Ordering::Relaxed);
        }
        if level != Level::ERROR {
            return;
        }
        ERRORS.fetch_add(1, Ordering::Relaxed);
        let mut text = Text::default();
        event.record(&mut text);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut message = text.0;
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        let last = LastError {
            message,
            time_seconds: since.map_or(0.0, |since| since.as_secs_f64()),
        };
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

/// The message and the fields of an event in one line.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{name}={value:?}"),
        };
        written.expect("a text takes what is written to it");
    }
}
