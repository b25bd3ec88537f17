//! What the server is doing: requests under way, and work that goes on after its answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use query::Stop;
use serde_json::Value;

use super::Db;
use crate::background::Pool;
use crate::elastic::ElasticError;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Stopwatch;

/// Ended tasks whose results are kept; the oldest goes first.
const ENDED_MAX: usize = 100;

/// Tasks that go on after their answer, at once.
const THREADS: usize = 2;

/// Tasks that wait for a thread.
const WAITING_MAX: usize = 64;

/// All tasks by number. Numbers are used once until the next start.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    state: Mutex<State>,
    ended: Condvar,
    /// Threads for what goes on after its answer, started when first needed.
    crew: Mutex<Option<Pool>>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    running: BTreeMap<u64, Arc<Task>>,
    ended: VecDeque<Arc<Ended>>,
}

/// What is told of a task at its start.
#[derive(Debug, Default)]
pub(crate) struct TaskStart {
    /// What kind of work it is, in Elasticsearch's words.
    pub(crate) action: &'static str,
    /// The request's path.
    pub(crate) path: String,
    /// The request's body.
    pub(crate) body: Bytes,
    /// `X-Opaque-Id` of the request.
    pub(crate) opaque_id: Option<String>,
    /// Whether it heeds a wish to end.
    pub(crate) is_cancellable: bool,
    /// The wish to end.
    pub(crate) stop: Stop,
}

/// Something under way.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) number: u64,
    pub(crate) start: TaskStart,
    pub(crate) started_ms: i64,
    watch: Stopwatch,
    status: Mutex<Option<Value>>,
}

/// A task whose work is done.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) task: Arc<Task>,
    pub(crate) running_ns: u64,
    pub(crate) result: Result<Value, ElasticError>,
}

/// A task as it is found.
#[derive(Debug)]
pub(crate) enum Found {
    Running(Arc<Task>),
    Ended(Arc<Ended>),
}

/// A task until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    tasks: Arc<Tasks>,
    pub(crate) task: Arc<Task>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.lock().running.remove(&self.task.number);
        self.tasks.ended.notify_all();
    }
}

impl Task {
    pub(crate) fn running_ns(&self) -> u64 {
        self.watch.elapsed_ns()
    }

    /// Says how far it is.
    pub(crate) fn report(&self, status: Value) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// How far it is, if it says so.
    pub(crate) fn status(&self) -> Option<Value> {
        let status = self.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a task until the value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, start: TaskStart, now_ms: i64) -> Running {
        let mut state = self.lock();
        state.last += 1;
        let task = Arc::new(Task {
            number: state.last,
            start,
            started_ms: now_ms,
            watch: Stopwatch::start(),
            status: Mutex::default(),
        });
        state.running.insert(task.number, Arc::clone(&task));
        Running {
            tasks: Arc::clone(self),
            task,
        }
    }

    /// Has `work` done after the answer; its number. Its result is kept for a while.
    ///
    /// # Errors
    /// When too much waits already.
    pub(super) fn spawn(
        self: &Arc<Self>,
        start: TaskStart,
        now_ms: i64,
        work: impl FnOnce(&Task) -> Result<Value, ElasticError> + Send + 'static,
    ) -> Result<u64> {
        let running = self.begin(start, now_ms);
        let number = running.task.number;
        let tasks = Arc::clone(self);
        self.submit(move || {
            let result = match running.task.start.stop.is_set() {
                true => Err(ElasticError::canceled(
                    "the task was cancelled before it ran",
                )),
                false => work(&running.task),
            };
            let ended = Ended {
                task: Arc::clone(&running.task),
                running_ns: running.task.running_ns(),
                result,
            };
            let mut state = tasks.lock();
            state.ended.push_back(Arc::new(ended));
            if state.ended.len() > ENDED_MAX {
                state.ended.pop_front();
            }
            drop(state);
            drop(running);
        })?;
        Ok(number)
    }

    /// Has `work` done by a thread for what goes on after its answer.
    ///
    /// # Errors
    /// When too much waits already.
    pub(super) fn submit(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let mut crew = self.crew.lock().unwrap_or_else(PoisonError::into_inner);
        let crew = match &mut *crew {
            Some(crew) => crew,
            none => {
                let started = Pool::start("task", THREADS, WAITING_MAX);
                none.insert(started.map_err(|error| Error::caused(ErrorKind::Unavailable, error))?)
            }
        };
        crew.submit(work).map_err(|_| {
            let reason = "rejected execution: too many tasks wait already";
            ElasticError::new(429, "es_rejected_execution_exception", reason).into()
        })
    }

    /// What is under way, in the order of its start.
    pub(crate) fn running(&self) -> Vec<Arc<Task>> {
        self.lock().running.values().map(Arc::clone).collect()
    }

    /// The task of this number, waiting for its end up to `wait`.
    pub(crate) fn find(&self, number: u64, wait: Duration) -> Option<Found> {
        let state = self.lock();
        let waited = self.ended.wait_timeout_while(state, wait, |state| {
            !wait.is_zero() && state.running.contains_key(&number)
        });
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = state.running.get(&number) {
            return Some(Found::Running(Arc::clone(task)));
        }
        let ended = state.ended.iter();
        let mut ended = ended.filter(|ended| ended.task.number == number);
        ended.next().map(|ended| Found::Ended(Arc::clone(ended)))
    }

    /// Asks all that is under way to end, and waits for what goes on after its answer.
    pub(super) fn stop_all(&self) {
        for task in self.running() {
            task.start.stop.set();
        }
        let crew = self
            .crew
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(crew);
    }
}

impl Db {
    /// What the server is doing.
    pub(crate) fn tasks(&self) -> &Arc<Tasks> {
        &self.core().tasks
    }

    /// Lists a request until the value is dropped.
    pub(crate) fn begin_task(&self, start: TaskStart) -> Running {
        self.tasks().begin(start, self.core().now_ms())
    }
}

impl From<Error> for ElasticError {
    fn from(error: Error) -> Self {
        error.into_elastic()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use serde_json::json;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn requests_are_listed_while_they_run() {
        let tasks = Arc::new(Tasks::default());
        let first = tasks.begin(TaskStart::default(), 1);
        let second = tasks.begin(TaskStart::default(), 2);
        let numbers = || -> Vec<u64> {
            let running = tasks.running();
            running.iter().map(|task| task.number).collect()
        };
        assert_eq!(numbers(), [1, 2]);
        drop(first);
        assert_eq!(numbers(), [2]);
        drop(second);
        assert!(
            tasks.find(2, LONG).is_none(),
            "an answer was given, no result is kept"
        );
    }

    #[test]
    fn results_are_kept_and_ends_can_be_awaited() {
        let tasks = Arc::new(Tasks::default());
        let (go, gate) = channel::<()>();
        let work = move |task: &Task| {
            task.report(json!({ "total": 3 }));
            gate.recv().expect("the test lives");
            match task.start.stop.is_set() {
                true => Err(ElasticError::canceled("by the test")),
                false => Ok(json!("done")),
            }
        };
        let number = tasks.spawn(TaskStart::default(), 1, work).expect("room");
        assert!(matches!(
            tasks.find(number, Duration::ZERO),
            Some(Found::Running(_))
        ));
        go.send(()).expect("the task lives");
        let Some(Found::Ended(ended)) = tasks.find(number, LONG) else {
            panic!("it has ended");
        };
        assert_eq!(ended.result, Ok(json!("done")));
        assert_eq!(ended.task.status(), Some(json!({ "total": 3 })));

        let (_go, gate) = channel::<()>();
        let stopped = tasks.spawn(TaskStart::default(), 1, move |task| {
            while !task.start.stop.is_set() {
                std::thread::yield_now();
            }
            drop(gate);
            Err(ElasticError::canceled("by the test"))
        });
        let stopped = stopped.expect("room");
        tasks.stop_all();
        let Some(Found::Ended(ended)) = tasks.find(stopped, LONG) else {
            panic!("it has ended");
        };
        assert!(ended.result.is_err());
    }
}
