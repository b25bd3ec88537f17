//! What disks promise, checked.
