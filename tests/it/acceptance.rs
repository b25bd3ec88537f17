//! Recorded answers of a real OpenSearch on real data, when the folder that holds them is there.

use std::process::Command;

use tempfile::TempDir;

use crate::server::{self, Server};

/// `(family, recorded answers that must be equal)`. Numbers may only rise.
const FLOORS: &[(&str, usize)] = &[
    ("bulk", 11),
    ("calendar_interval", 11),
    ("cardinality", 3),
    ("composite", 4),
    ("date_histogram_params", 15),
    ("document_apis", 13),
    ("errors", 34),
    ("filter", 7),
    ("fixed_interval", 7),
    ("grafana", 14),
    ("histogram", 7),
    ("hits", 14),
    ("metrics", 8),
    ("msearch", 2),
    ("multi_terms", 1),
    ("percentiles", 2),
    ("pipeline_parent", 15),
    ("pipeline_sibling", 5),
    ("query", 23),
    ("query_string", 24),
    ("range", 4),
    ("terms", 19),
    ("top_hits", 2),
];

#[test]
fn recorded_answers_are_equal() {
    let Some(shared) = server::shared() else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let mut command = Command::new("python3");
    command
        .arg(shared.join("golden/opensearch/verify.py"))
        .arg("--quiet");
    command.args(["--url", &format!("http://{}", server.http)]);
    for (family, _) in FLOORS {
        command.args(["--only", family]);
    }
    let output = command.output().expect("python3 is there");
    let text = String::from_utf8_lossy(&output.stdout);
    for (family, floor) in FLOORS {
        let passed = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(family))
            .find_map(|rest| rest.trim().split('/').next()?.parse::<usize>().ok());
        assert!(
            passed >= Some(*floor),
            "{family}: {passed:?} of at least {floor}\n{text}"
        );
    }
}
