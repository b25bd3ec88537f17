//! What the process asks of the system before it does anything else.

#![expect(
    unsafe_code,
    reason = "there is no safe way to say this to the C library"
)]

/// Blocks from this size on are mapped one by one, so that freeing them gives them back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES: i32 = 256 << 10;
/// Free memory at the end of a heap that is kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 1 << 20;

/// Heaps that threads share. Each keeps what its threads have freed, and there are eight a core
/// otherwise; large blocks, which decoding and merging work with, are mapped one by one anyway.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS_MAX: i32 = 4;
/// Time between two looks for free pages inside heaps, in seconds.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIM_INTERVAL_S: u64 = 5;

/// Says what follows. No other thread may exist yet.
pub(super) fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    give_memory_back();
    allow_files();
}

/// Keeps the C library from raising these two bounds by itself. It raises them to the size of
/// the largest block ever freed, 32 MiB at most; decoding, folding and sealing then leave their
/// large columns as holes between small blocks, and the process grows to two or three times what
/// it uses.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_memory_back() {
    // SAFETY: nobody else sets these, and a refused value changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS_MAX);
    }
}

/// From now on gives free pages inside heaps back from time to time, on a thread of its own, as
/// long as the process runs: blocks that live on hold the heaps of a load open.
pub(super) fn keep_trimming() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let trim = || {
            loop {
                // Nobody wakes it: it is nobody's work.
                std::thread::park_timeout(std::time::Duration::from_secs(TRIM_INTERVAL_S));
                // SAFETY: it may be called at any time; nothing that is in use moves.
                unsafe {
                    libc::malloc_trim(0);
                }
            }
        };
        // Without it the process is larger, and nothing else.
        let _ = std::thread::Builder::new().name("trim".into()).spawn(trim);
    }
}

/// Raises the number of open files to what the system allows this user. Each partition takes two,
/// each client one; the usual 1,024 would end at 500 partitions.
fn allow_files() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls only use the struct behind the pointer.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
