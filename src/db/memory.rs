//! What a store keeps in memory.

use storage::memory::MemoryUse;

use super::Db;

impl Db {
    /// Bytes that are counted, and how many may be.
    pub(crate) fn memory_account(&self) -> (u64, u64) {
        let memory = self.core().store.memory();
        (memory.used_bytes() as u64, memory.limit_bytes() as u64)
    }

    /// Bytes in memory by use, as they are counted against [`crate::Options::memory_bytes`].
    #[must_use]
    pub fn memory_uses(&self) -> Vec<(&'static str, usize)> {
        let memory = self.core().store.memory();
        let uses = MemoryUse::ALL.into_iter();
        uses.map(|one| (one.name(), memory.used_bytes_for(one)))
            .collect()
    }

    /// Most bytes of all uses together.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> usize {
        self.core().store.memory().limit_bytes()
    }
}
