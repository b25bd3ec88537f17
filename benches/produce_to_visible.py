#!/usr/bin/env python3
"""How long after its acknowledgement a record answers queries, under a light load.

    produce_to_visible.py [--binary target/release/siltstone] [--records 500] [--rate 20]

Starts a server on a temporary directory, produces one record at a time (librdkafka, acks=all) and
asks `_count` over one kept connection until the record is counted. Prints the times from send to
acknowledgement and from acknowledgement to visible; needs the packages of
examples/demo/requirements.txt.
"""
import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time

from confluent_kafka import Producer


def percentile(values, fraction):
    values = sorted(values)
    return values[min(len(values) - 1, int(fraction * len(values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", default="target/release/siltstone")
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--rate", type=float, default=20, help="records a second")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [options.binary, "serve", "--data", folder, "--http", "127.0.0.1:0", "--kafka", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            ready = dict(word.split("=") for word in server.stdout.readline().split()[1:])
            report(ready, options)
        finally:
            server.terminate()
            server.wait(20)


def report(ready, options):
    host, port = ready["http"].split(":")
    connection = http.client.HTTPConnection(host, int(port))

    def ask(method, path, body=None):
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())

    ask("PUT", "/bench", {"mappings": {"properties": {"@timestamp": {"type": "date"}, "value": {"type": "long"}}}})
    producer = Producer({"bootstrap.servers": ready["kafka"], "acks": "all", "linger.ms": 0})
    ack_ms, visible_ms = [], []
    for number in range(1, options.records + 1):
        start = time.perf_counter()
        document = {"@timestamp": int(time.time() * 1000), "value": number}
        producer.produce("bench", json.dumps(document).encode())
        if producer.flush(30):
            sys.exit("not acknowledged within 30 s")
        acked = time.perf_counter()
        while ask("GET", "/bench/_count")["count"] < number:
            if time.perf_counter() - acked > 30:
                sys.exit("record %d is not visible after 30 s" % number)
        seen = time.perf_counter()
        if number > 10:
            ack_ms.append((acked - start) * 1000)
            visible_ms.append((seen - acked) * 1000)
        time.sleep(max(0, 1 / options.rate - (seen - start)))
    for name, values in (("send to ack", ack_ms), ("ack to visible", visible_ms)):
        figures = "  ".join("p%g %.2f" % (p * 100, percentile(values, p)) for p in (0.5, 0.99))
        print("%-15s ms  %s  max %.2f  (%d records)" % (name, figures, max(values), len(values)))


if __name__ == "__main__":
    main()
