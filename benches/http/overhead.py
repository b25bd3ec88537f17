"""What HTTP costs a panel of Grafana above the search itself: `overhead.py HOST:PORT [REQUESTS]`.

Writes a day of rows, then asks one panel's question again and again over one connection. The time of
a search without the socket is the server's own (`siltstone_search_seconds` of `/metrics`, from the
request being read to its answer being framed); what the client waits beyond that is HTTP. Both are
of the same requests. Medians and the best tenth are told because a busy machine makes means useless.
"""

import http.client
import json
import sys
import time

ROWS = 20_000
DAY_MS = 86_400_000
START_MS = 1_767_225_600_000


def ask(connection, method, path, body=None, kind="application/json"):
    connection.request(method, path, body, {"content-type": kind} if body else {})
    reply = connection.getresponse()
    text = reply.read().decode()
    assert reply.status in (200, 201), (reply.status, text[:500])
    return text


def searched(connection):
    """Seconds and number of searches so far."""
    lines = ask(connection, "GET", "/metrics").splitlines()
    value = lambda name: float(next(line.split()[1] for line in lines if line.startswith(f"siltstone_search_seconds_{name} ")))
    return value("sum"), value("count")


def panel():
    histogram = {"field": "@timestamp", "fixed_interval": "3600000ms", "min_doc_count": 0, "format": "epoch_millis",
                 "extended_bounds": {"min": START_MS, "max": START_MS + DAY_MS - 1}}
    window = {"range": {"@timestamp": {"gte": START_MS, "lte": START_MS + DAY_MS - 1, "format": "epoch_millis"}}}
    words = {"query_string": {"analyze_wildcard": True, "query": "*"}}
    body = {"size": 0, "query": {"bool": {"filter": [window, words]}},
            "aggs": {"2": {"date_histogram": histogram, "aggs": {"1": {"sum": {"field": "n"}}}}}}
    header = {"ignore_unavailable": True, "index": "panel", "search_type": "query_then_fetch"}
    return json.dumps(header) + "\n" + json.dumps(body) + "\n"


def main():
    connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    lines = []
    for row in range(ROWS):
        lines += ['{"index":{"_index":"panel"}}', json.dumps({"@timestamp": START_MS + row * DAY_MS // ROWS, "n": row})]
    ask(connection, "POST", "/_bulk?refresh=true", "\n".join(lines) + "\n", "application/x-ndjson")
    ask(connection, "POST", "/panel/_flush")
    question = panel()
    for _ in range(200):
        ask(connection, "POST", "/_msearch", question, "application/x-ndjson")
    overheads = []
    for _ in range(requests):
        seconds, count = searched(connection)
        began = time.perf_counter()
        ask(connection, "POST", "/_msearch", question, "application/x-ndjson")
        took = time.perf_counter() - began
        after, counted = searched(connection)
        assert counted == count + 1, "somebody else searches"
        overheads.append((took - (after - seconds), after - seconds))
    overheads.sort()
    searches = sorted(search for _, search in overheads)
    at = lambda share: 1e6 * overheads[int(share * (len(overheads) - 1))][0]
    print(f"HTTP above the search: best tenth {at(0.1):.0f} us, median {at(0.5):.0f} us, 9 of 10 within {at(0.9):.0f} us; "
          f"the search itself: median {1e6 * searches[len(searches) // 2]:.0f} us ({requests} requests)")


if __name__ == "__main__":
    main()
