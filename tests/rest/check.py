#!/usr/bin/env python3
"""Runs OpenSearch's YAML REST tests against a server of its own, and holds what passes.

    check.py BINARY SPEC [--raise]

SPEC is the unpacked package `org.opensearch:rest-api-spec` (folders `api` and `test`). For each
directory of tests `floors.json` says how many passed at least; fewer is a failure, more is a reason
to run it with --raise, which writes the new numbers. Floors may only rise.
"""
import collections
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
FLOORS = os.path.join(HERE, "floors.json")
VERSION = "3.1.0"
# These want a document to stay hidden until a refresh. Here it becomes visible by itself within
# milliseconds, so that they pass or fail by chance.
RACES = "_refresh.yml"
START_SECONDS_MAX = 60


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def await_answer(url, server):
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server does not answer")
            time.sleep(0.1)


def run(binary, spec, folder):
    """Counts passed and judged tests by directory."""
    url = "http://127.0.0.1:%d" % free_port()
    server = subprocess.Popen(
        [binary, "serve", "--data", os.path.join(folder, "data"), "--http", url[len("http://"):],
         "--kafka", "127.0.0.1:0", "--personality", "opensearch", "--log", "error"])
    try:
        await_answer(url, server)
        report = os.path.join(folder, "report.json")
        subprocess.run(
            [sys.executable, os.path.join(HERE, "runner.py"), "--url", url,
             "--spec", os.path.join(spec, "api"), os.path.join(spec, "test"),
             "--version", VERSION, "--wipe", "wildcard", "--json", report],
            stdout=subprocess.DEVNULL, check=False)
        with open(report, encoding="utf-8") as text:
            results = json.load(text)
    finally:
        server.terminate()
        server.wait()
    if isinstance(results, dict):
        results = results.get("tests") or results["results"]
    passed, judged = collections.Counter(), collections.Counter()
    for result in results:
        if RACES in result["test"]:
            continue
        directory = result["test"].split("/")[0]
        if result["status"] != "skipped":
            judged[directory] += 1
        if result["status"] == "passed":
            passed[directory] += 1
    return passed, judged


def main():
    binary, spec = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        passed, judged = run(binary, spec, folder)
    floors = {}
    if os.path.exists(FLOORS):
        with open(FLOORS, encoding="utf-8") as text:
            floors = json.load(text)
    below = [(name, floor) for name, floor in floors.items() if passed[name] < floor]
    for name, floor in below:
        print("%s: %d passed, the floor is %d" % (name, passed[name], floor))
    print("%d of %d passed in %d directories" % (sum(passed.values()), sum(judged.values()), len(judged)))
    if "--raise" in sys.argv[3:]:
        for name, count in passed.items():
            floors[name] = max(count, floors.get(name, 0))
        with open(FLOORS, "w", encoding="utf-8") as text:
            json.dump(dict(sorted(floors.items())), text, indent=1)
            text.write("\n")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
