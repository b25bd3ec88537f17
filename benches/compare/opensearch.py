"""The same documents and the same questions in Siltstone and in a real OpenSearch, in one run.

    python opensearch.py load --url URL --documents T20.NDJSON [--index t20]
    python opensearch.py ask --ours URL --our-pid PID --our-data DIR --theirs URL --their-pid PID [--output table.md]

`load` creates the index with a mapping of its own, one shard, no replicas, no refresh, sends the documents 5,000 a `_bulk`
request, then refreshes and merges all into one segment. `ask` asks both in turn, so that what else the machine does hits both;
each first answer is thrown away, and the median of the others counts. Caches of requests are off. Siltstone is asked twice: with
its hourly cells, as it comes, and with rows alone. Both answers must be equal; where OpenSearch estimates (distinct counts,
percentiles) or rounds (sums in double), they may differ by what is written in `TOLERANCE`. Nothing but Python is needed.
"""

import argparse
import http.client
import json
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

BULK_DOCUMENTS = 5_000
PROPERTIES = {
    "ts": {"type": "date"},
    "height": {"type": "integer"},
    "value": {"type": "long"},
    "fee": {"type": "long"},
    "price": {"type": "double"},
    "miner": {"type": "keyword"},
    "addr": {"type": "keyword"},
}


def histogram(interval: dict, metrics: dict) -> dict:
    return {"b": {"date_histogram": {"field": "ts", **interval}, "aggs": metrics}}


TOTAL = {"m": {"sum": {"field": "value"}}}
QUESTIONS = {
    "1 h, sum": histogram({"fixed_interval": "1h"}, TOTAL),
    "day in Berlin, sum": histogram({"calendar_interval": "1d", "time_zone": "Europe/Berlin"}, TOTAL),
    "month, sum": histogram({"calendar_interval": "1M"}, TOTAL),
    "200 terms × day, sum": {"t": {"terms": {"field": "miner", "size": 200, "order": {"_key": "asc"}}, "aggs": histogram({"fixed_interval": "1d"}, TOTAL)}},
    "percentiles by day": histogram({"calendar_interval": "1d"}, {"m": {"percentiles": {"field": "fee", "percents": [50, 95, 99]}}}),
    "distinct count of 1 M terms": {"m": {"cardinality": {"field": "addr", "precision_threshold": 40_000}}},
    "top 10 of 1 M terms by sum": {"t": {"terms": {"field": "addr", "size": 10, "order": {"m": "desc"}}, "aggs": TOTAL}},
}
# How far two answers may be from each other, relatively: sketches of OpenSearch, and sums in double of one order or another.
TOLERANCE = {"percentiles by day": 0.03, "distinct count of 1 M terms": 0.03}
ROUNDING = 1e-12


class Server:
    """A server over one kept connection."""

    def __init__(self, url: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=1800)

    def ask(self, method: str, path: str, body: str | bytes | None = None, kind: str = "application/json") -> dict:
        self.connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:400]!r}")
        return json.loads(text)

    def search(self, index: str, aggregations: dict, parameters: str) -> tuple[float, dict]:
        body = json.dumps({"size": 0, "aggs": aggregations})
        began = time.perf_counter()
        answer = self.ask("POST", f"/{index}/_search?{parameters}", body)
        return (time.perf_counter() - began) * 1000, answer["aggregations"]


def load(options: argparse.Namespace) -> None:
    server = Server(options.url)
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    server.ask("PUT", f"/{options.index}", json.dumps({"settings": settings, "mappings": {"properties": PROPERTIES}}))
    began, lines, sent = time.monotonic(), [], 0

    def send() -> None:
        answer = server.ask("POST", f"/{options.index}/_bulk", b"".join(lines), "application/x-ndjson")
        if answer["errors"]:
            raise RuntimeError(f"documents are refused: {json.dumps(answer)[:400]}")

    with open(options.documents, "rb") as documents:
        for line in documents:
            lines += [b'{"index":{}}\n', line]
            if len(lines) == 2 * BULK_DOCUMENTS:
                send()
                sent += BULK_DOCUMENTS
                lines.clear()
    if lines:
        send()
        sent += len(lines) // 2
    server.ask("POST", f"/{options.index}/_refresh")
    loaded = time.monotonic() - began
    server.ask("POST", f"/{options.index}/_flush")
    server.ask("POST", f"/{options.index}/_forcemerge?max_num_segments=1")
    server.ask("POST", f"/{options.index}/_refresh")
    print(json.dumps({"documents": sent, "seconds": round(loaded, 1), "with_merge": round(time.monotonic() - began, 1)}))


def difference(name: str, one: object, other: object, path: str = "") -> str | None:
    """Where two answers differ, looking only at what both speak of."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in one if key not in ("doc_count_error_upper_bound",)]
        differences = (difference(name, one[key], other.get(key), f"{path}.{key}") for key in keys)
        return next(filter(None, differences), None)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path}: {len(one)} and {len(other)} elements"
        differences = (difference(name, left, right, f"{path}[{place}]") for place, (left, right) in enumerate(zip(one, other)))
        return next(filter(None, differences), None)
    if isinstance(one, int | float) and isinstance(other, int | float) and not path.endswith(("doc_count", "key")):
        near = max(TOLERANCE.get(name, 0), ROUNDING) * max(abs(one), abs(other), 1)
        return None if abs(one - other) <= near else f"{path}: {one} and {other}"
    return None if one == other else f"{path}: {one!r} and {other!r}"


def memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"no {name} of {pid}")


def compare(options: argparse.Namespace) -> str:
    ours, theirs = Server(options.ours), Server(options.theirs)
    names = ("cells", "rows", "theirs")
    lines = ["| question | Siltstone | Siltstone, rows alone | OpenSearch | ratio | rows alone |", "|---|---:|---:|---:|---:|---:|"]
    problems = []
    for question, aggregations in QUESTIONS.items():
        times = {name: [] for name in names}
        for turn in range(options.rounds + 1):
            answers = {
                "cells": ours.search(options.index, aggregations, "request_cache=false"),
                "rows": ours.search(options.index, aggregations, "request_cache=false&rollup=false"),
                "theirs": theirs.search(options.index, aggregations, "request_cache=false"),
            }
            for name in names:
                if turn > 0:
                    times[name].append(answers[name][0])
        if answers["cells"][1] != answers["rows"][1]:
            problems.append(f"{question}: cells and rows differ")
        if problem := difference(question, answers["theirs"][1], answers["rows"][1]):
            problems.append(f"{question}: {problem} (OpenSearch, Siltstone)")
        cells, rows, other = (statistics.median(times[name]) for name in names)
        lines.append(f"| {question} | {cells:.1f} ms | {rows:.1f} ms | {other:.0f} ms | {other / cells:.0f}× | {other / rows:.0f}× |")
        print(lines[-1], file=sys.stderr)
    count = ours.ask("GET", f"/{options.index}/_count")["count"]
    assert count == theirs.ask("GET", f"/{options.index}/_count")["count"], "not the same number of documents"
    segments = sum(path.stat().st_size for path in Path(options.our_data).glob("segments/*/*"))
    log = sum(path.stat().st_size for path in Path(options.our_data).glob("log/**/*") if path.is_file())
    store = theirs.ask("GET", f"/{options.index}/_stats/store")["_all"]["primaries"]["store"]["size_in_bytes"]
    lines.append(f"| bytes a document | {segments / count:.1f} | | {store / count:.1f} | 1/{store / segments:.1f} | |")
    lines.append(f"| of the log beside it | {log / count:.1f} | | | | |")
    for text, name in (("resident memory", "VmRSS:"), ("at most", "VmHWM:")):
        mine, other = memory_mb(options.our_pid, name), memory_mb(options.their_pid, name)
        lines.append(f"| {text} | {mine:.0f} MB | | {other:.0f} MB | 1/{other / mine:.1f} | |")
    load_average = Path("/proc/loadavg").read_text().split()[0]
    lines += ["", f"{count:,} documents, medians of {options.rounds} warm answers in turn, load average {load_average} at the end."]
    return "\n".join(lines + [f"- {problem}" for problem in problems]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    loading = commands.add_parser("load", help="send documents to a server")
    loading.add_argument("--url", required=True)
    loading.add_argument("--documents", type=Path, required=True)
    loading.set_defaults(run=load)
    asking = commands.add_parser("ask", help="ask both servers")
    asking.add_argument("--ours", required=True, help="URL of Siltstone")
    asking.add_argument("--our-pid", type=int, required=True)
    asking.add_argument("--our-data", required=True)
    asking.add_argument("--theirs", required=True, help="URL of OpenSearch")
    asking.add_argument("--their-pid", type=int, required=True)
    asking.add_argument("--rounds", type=int, default=5)
    asking.add_argument("--output", type=Path)
    asking.set_defaults(run=lambda options: (options.output.write_text if options.output else print)(compare(options)))
    for command in (loading, asking):
        command.add_argument("--index", default="t20")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
