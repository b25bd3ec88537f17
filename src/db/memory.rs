//! What a store keeps in memory.

use storage::memory::MemoryUse;

use super::Db;

impl Db {
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
