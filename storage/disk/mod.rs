//! The disk as an argument: a narrow trait, and three things that behave like one.
//!
//! [`FileDisk`] is a folder of the operating system, [`MemoryDisk`] forgets everything at the end
//! of the process, and [`FaultyDisk`] remembers what a power cut would leave and fails on command.
//! Everything above reaches bytes only through [`Disk`], so that every crash can be rehearsed.
//! Nothing here knows what the bytes mean.

mod faulty;
mod file;
mod memory;
mod path;
mod read_only;
mod remains;
mod seeded;
#[cfg(test)]
mod tests;
mod traits;

pub use faulty::{Fault, FaultyDisk};
pub use file::{FileDisk, open_file};
pub use memory::MemoryDisk;
pub use path::{FilePath, PathError};
pub use read_only::ReadOnlyDisk;
pub use traits::{AppendFile, Disk, ReadFile};
