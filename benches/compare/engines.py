"""The engines. DuckDB and chdb run in a process of their own each, so that peak memory is theirs and one's caches never help
another; Siltstone is a server that runs already. All are asked one question at a time and answer with milliseconds and rows.

As a program, `engines.py ENGINE PARQUET FOLDER THREADS` is such a process: a question a line in, an answer a line out.
"""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from questions import Table, chdb_sql, duckdb_sql, search_body, shape_rows, shape_search


class Siltstone:
    """A running server with the table in an index."""

    name = "Siltstone"

    def __init__(self, url: str, index: str, rollup: bool, pid: int | None, data: Path | None) -> None:
        self.url, self.index, self.pid, self.data = url.rstrip("/"), index, pid, data
        self.suffix = "" if rollup else "?rollup=false"
        root = self.request("GET", "/")
        self.version = root["version"].get("siltstone", root["version"]["number"])
        properties = self.request("GET", f"/{index}/_mapping")[index]["mappings"]["properties"]
        self.keyword = ".keyword" if properties["addr"]["type"] == "text" else ""
        self.load_s = None

    def request(self, method: str, path: str, body: bytes | None = None) -> dict:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def ask(self, name: str, table: Table) -> tuple[float, list]:
        body = json.dumps(search_body(name, table, self.keyword)).encode()
        began = time.perf_counter()
        answer = self.request("POST", f"/{self.index}/_search{self.suffix}", body)
        took_ms = (time.perf_counter() - began) * 1000
        return took_ms, shape_search(name, answer)

    def conditions(self) -> dict:
        facts = {"version": self.version, "load_s": None, "rss_mb": None, "disk_bytes": None, "parts": None}
        if self.pid is not None:
            facts["rss_mb"] = peak_rss_mb(self.pid)
        if self.data is not None:
            segments = list(self.data.glob("segments/*/*.segment"))
            facts["disk_bytes"] = sum(path.stat().st_size for path in segments)
            facts["parts"] = len(segments)
        return facts

    def close(self) -> None:
        """The server is not ours."""


class Embedded:
    """An engine in a process of its own."""

    def __init__(self, engine: str, parquet: Path, folder: Path, threads: int) -> None:
        self.name = {"duckdb": "DuckDB", "chdb": "chdb"}[engine]
        arguments = [sys.executable, __file__, engine, str(parquet), str(folder), str(threads)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended")
        return json.loads(line)

    def send(self, question: dict) -> dict:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def ask(self, name: str, table: Table) -> tuple[float, list]:
        answer = self.send({"name": name, "addr": table.addr})
        return answer["ms"], shape_rows(name, answer["rows"])

    def conditions(self) -> dict:
        return {**self.facts, **self.send({"name": None})}

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def peak_rss_mb(process: int | str) -> int:
    """The most memory that a process had. The system's count for a child begins with its parent's, so this is read instead."""
    status = Path(f"/proc/{process}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) // 1024


def open_duckdb(parquet: str, folder: str, threads: str):
    import duckdb

    database = duckdb.connect(f"{folder}/t20.duckdb")
    database.execute(f"SET threads = {int(threads)}; SET TimeZone = 'UTC'")
    database.execute(f"CREATE TABLE t20 AS SELECT * REPLACE (CAST(ts AS TIMESTAMP) AS ts) FROM read_parquet('{parquet}')")
    database.execute("CHECKPOINT")
    size = "SELECT used_blocks * block_size FROM pragma_database_size()"
    facts = {"version": duckdb.__version__, "disk_bytes": database.execute(size).fetchone()[0], "parts": 1}
    return facts, lambda name, table: database.execute(duckdb_sql(name, table)).fetchall()


def open_chdb(parquet: str, folder: str, threads: str):
    from chdb import session

    opened = session.Session(f"{folder}/chdb")
    opened.query("CREATE DATABASE IF NOT EXISTS compare ENGINE = Atomic")
    opened.query("USE compare")
    opened.query(
        "CREATE TABLE t20 (ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)), height Int32 CODEC(Delta, ZSTD(1)), "
        "value Int64 CODEC(T64, ZSTD(1)), fee Int64 CODEC(T64, ZSTD(1)), price Float64 CODEC(ZSTD(1)), "
        "miner LowCardinality(String) CODEC(ZSTD(1)), addr LowCardinality(String) CODEC(ZSTD(1))) ENGINE = MergeTree ORDER BY ts"
    )
    bound = f"SETTINGS max_threads = {int(threads)}"
    opened.query(f"INSERT INTO t20 SELECT * FROM file('{parquet}', Parquet) {bound}")
    opened.query("OPTIMIZE TABLE t20 FINAL")

    def rows(text: str) -> list:
        # A cache of conditions would answer a repeated question without reading.
        settings = f"{bound}, use_query_condition_cache = 0, output_format_json_quote_64bit_integers = 0"
        return json.loads(opened.query(f"{text} {settings}", "JSONCompact").bytes())["data"]

    parts = rows("SELECT sum(bytes_on_disk), count() FROM system.parts WHERE active AND table = 't20'")[0]
    facts = {"version": rows("SELECT version()")[0][0], "disk_bytes": int(parts[0]), "parts": int(parts[1])}
    return facts, lambda name, table: rows(chdb_sql(name, table))


def serve(engine: str, *place: str) -> None:
    began = time.perf_counter()
    facts, ask = {"duckdb": open_duckdb, "chdb": open_chdb}[engine](*place)
    say = lambda answer: print(json.dumps(answer, default=float), flush=True)
    say({**facts, "load_s": round(time.perf_counter() - began, 1)})
    for line in sys.stdin:
        question = json.loads(line)
        if question["name"] is None:
            say({"rss_mb": peak_rss_mb("self")})
            continue
        began = time.perf_counter()
        rows = ask(question["name"], Table(addr=question["addr"]))
        say({"ms": (time.perf_counter() - began) * 1000, "rows": rows})


if __name__ == "__main__":
    serve(*sys.argv[1:])
