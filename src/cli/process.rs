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
