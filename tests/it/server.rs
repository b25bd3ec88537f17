//! A server process of the real binary, as a user starts it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

/// The binary under test: the one of this build, or the released one that `make test` names.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("SILTSTONE_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_siltstone").into(), PathBuf::from)
}

/// The Python with the demo's packages, when it has been set up (`make test` does).
pub(crate) fn python() -> Option<PathBuf> {
    python_at(".venv/bin/python")
}

/// The Python at `path` below the repository, when it has been set up.
pub(crate) fn python_at(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("SILTSTONE_BINARY").is_none(),
        "{} is missing though a release is under test; run `make test`",
        path.display()
    );
    eprintln!(
        "skipped: {} is missing; `make test` makes it",
        path.display()
    );
    None
}

/// The folder of larger data and recorded answers beside the repository, when it is there.
pub(crate) fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if path.join("data").exists() {
        return Some(path);
    }
    eprintln!("skipped: no folder {}", path.display());
    None
}

/// Two addresses that were free a moment ago, for servers that must come back on the same ones.
pub(crate) fn free_addresses() -> (SocketAddr, SocketAddr) {
    let free = || TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let (http, kafka) = (free(), free());
    let address = |socket: &TcpListener| socket.local_addr().expect("a bound socket has one");
    (address(&http), address(&kafka))
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it answers HTTP.
    pub(crate) http: SocketAddr,
    /// Where it answers Kafka clients.
    pub(crate) kafka: SocketAddr,
}

impl Server {
    /// Starts on `data` with free ports and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_on(data, any, any)
    }

    /// Starts on `data` with these addresses and waits until it is ready.
    pub(crate) fn start_on(data: &Path, http: SocketAddr, kafka: SocketAddr) -> Self {
        Self::start_with(data, http, kafka, &[])
    }

    /// As [`Server::start_on`], with further arguments.
    pub(crate) fn start_with(
        data: &Path,
        http: SocketAddr,
        kafka: SocketAddr,
        arguments: &[&str],
    ) -> Self {
        let mut child = Command::new(binary())
            .args([
                "serve",
                "--http",
                &http.to_string(),
                "--kafka",
                &kafka.to_string(),
                "--data",
            ])
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("the server prints to its standard output");
        let address = |name: &str| {
            let word = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix(name));
            word.and_then(|word| word.parse().ok())
                .unwrap_or_else(|| panic!("no {name}ADDRESS in the ready line {line:?}"))
        };
        assert!(line.starts_with("ready "), "the first line is {line:?}");
        Self {
            http: address("http="),
            kafka: address("kafka="),
            child,
        }
    }

    /// Sends a request; the status and the body as JSON (`Null` when it is none).
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.http))
            .header("Content-Type", "application/json")
            .body(body.to_owned())
            .expect("a request of valid parts");
        let mut response = agent.run(request).expect("the server answers");
        let text = response
            .body_mut()
            .read_to_string()
            .expect("bodies are text");
        (
            response.status().as_u16(),
            serde_json::from_str(&text).unwrap_or(Value::Null),
        )
    }

    /// As [`Server::ask`]; anything but a 2xx fails the test.
    pub(crate) fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// Ends it as a power cut would, as far as a process can: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to end (SIGTERM) and waits.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill(1) is there");
        assert!(status.success());
        self.child.wait().expect("a child ends")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
