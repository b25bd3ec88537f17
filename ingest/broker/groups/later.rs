//! An answer that somebody else's request, or time, will give.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::broker::Reply;

/// The reply to a request that waits; a future that any executor may poll.
#[derive(Debug)]
pub struct Later {
    slot: Arc<Mutex<Slot>>,
}

/// Where the reply is put.
#[derive(Debug)]
pub(super) struct Promise {
    slot: Arc<Mutex<Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    reply: Option<Box<Reply>>,
    waker: Option<Waker>,
}

/// A reply to be waited for, and the place to put it.
pub(super) fn later() -> (Promise, Later) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let promise = Promise {
        slot: Arc::clone(&slot),
    };
    (promise, Later { slot })
}

impl Promise {
    /// Gives the reply and wakes whoever waits for it.
    pub(super) fn keep(self, reply: Reply) {
        let mut slot = lock(&self.slot);
        slot.reply = Some(Box::new(reply));
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Later {
    /// The reply, if it is there already.
    #[must_use]
    pub fn take(&self) -> Option<Reply> {
        lock(&self.slot).reply.take().map(|reply| *reply)
    }
}

impl Future for Later {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        let mut slot = lock(&self.slot);
        match slot.reply.take() {
            Some(reply) => Poll::Ready(*reply),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
