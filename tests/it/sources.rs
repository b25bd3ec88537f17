//! The repository's own files, for the tests that hold its shape.

use std::fs;
use std::path::Path;

/// A file of the repository.
pub(crate) struct Source {
    /// Path below the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// Whether it holds tests alone.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.starts_with("tests/")
            || self.path.ends_with("tests.rs")
            || self.path.contains("_tests.rs")
            || self.path.contains("testing")
    }

    /// Numbered lines of code: no comments, no blank lines, and nothing from the inline test module
    /// on, which stands last by convention.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self
            .text
            .find("\n#[cfg(test)]\nmod ")
            .unwrap_or(self.text.len());
        self.text[..end]
            .lines()
            .enumerate()
            .filter_map(|(index, line)| {
                let trimmed = line.trim();
                (!trimmed.is_empty() && !trimmed.starts_with("//")).then_some((index + 1, line))
            })
    }
}

/// The text of the file at `path`.
pub(crate) fn read(path: &str) -> String {
    let read = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    read.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether there is a file or a folder at `path`.
pub(crate) fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

/// All Rust files below `folder`.
pub(crate) fn rust(folder: &str) -> Vec<Source> {
    with_ending(folder, ".rs")
}

/// All files below `folder` whose name ends so; build output and hidden folders left out.
pub(crate) fn with_ending(folder: &str, ending: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository can be read") {
            let path = entry.expect("a folder entry can be read").path();
            let name = path
                .file_name()
                .expect("entries have names")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(Source {
                    path: path
                        .strip_prefix(root)
                        .expect("found below the root")
                        .to_string_lossy()
                        .replace('\\', "/"),
                    text: fs::read_to_string(&path).expect("sources are UTF-8"),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
