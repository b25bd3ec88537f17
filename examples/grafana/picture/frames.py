#!/usr/bin/env python3
"""Asks a server what Grafana would ask for the panels of a dashboard, and writes the frames that
its panel components draw.

    frames.py --url http://127.0.0.1:9200 [--dashboard ../dashboards/bitcoin.json] --out dist/panels.json

Requests have the form of Grafana's Elasticsearch data source: one `_msearch` a panel, buckets
inside buckets, numbers of buckets and metrics as names. Standard library only.
"""
import argparse
import datetime
import json
import os
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
DASHBOARD = os.path.join(HERE, "..", "dashboards", "bitcoin.json")
CALENDAR_INTERVALS = ("1w", "1M", "1q", "1y")


def millis(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def metric_body(metric):
    body = {"field": metric["field"]}
    if metric["type"] == "percentiles":
        body["percents"] = metric["settings"]["percents"]
    return {metric["type"]: body}


def bucket_body(bucket, times):
    settings = bucket["settings"]
    least = int(settings["min_doc_count"])
    if bucket["type"] == "date_histogram":
        interval = settings["interval"]
        kind = "calendar_interval" if interval in CALENDAR_INTERVALS else "fixed_interval"
        bounds = {"min": times[0], "max": times[1]}
        return {"date_histogram": {"field": bucket["field"], kind: interval, "min_doc_count": least,
                                   "extended_bounds": bounds, "format": "epoch_millis"}}
    order = {"_count" if settings["orderBy"] == "_count" else settings["orderBy"]: settings["order"]}
    return {"terms": {"field": bucket["field"], "size": int(settings["size"]), "order": order,
                      "min_doc_count": least}}


def request(target, index, times):
    """The two lines of a `_msearch` for one target."""
    inner = {m["id"]: metric_body(m) for m in target["metrics"] if m["type"] != "count"}
    for bucket in reversed(target["bucketAggs"]):
        body = bucket_body(bucket, times)
        if "terms" in body and body["terms"]["order"].get("1") and target["metrics"][0]["type"] == "count":
            # Grafana orders by the count where the metric it is told to order by is the count.
            body["terms"]["order"] = {"_count": body["terms"]["order"]["1"]}
        if inner:
            body["aggs"] = inner
        inner = {bucket["id"]: body}
    in_range = {"range": {target["timeField"]: {"format": "epoch_millis", "gte": times[0], "lte": times[1]}}}
    head = {"ignore_unavailable": True, "index": index, "search_type": "query_then_fetch"}
    return head, {"aggs": inner, "query": {"bool": {"filter": in_range}}, "size": 0}


def ask(url, head, body):
    lines = "".join(json.dumps(line) + "\n" for line in (head, body))
    sent = urllib.request.Request(url + "/_msearch?max_concurrent_shard_requests=5", lines.encode(),
                                  {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(sent) as reply:
        answer = json.load(reply)["responses"][0]
    if "error" in answer:
        sys.exit(f"{head['index']}: {answer['error']}")
    return answer["aggregations"]


def columns(metrics):
    """What a bucket says: a name, and how to read it."""
    for metric in metrics:
        number, kind = metric["id"], metric["type"]
        if kind == "count":
            yield "Count", lambda bucket: bucket["doc_count"]
        elif kind == "percentiles":
            for percent in metric["settings"]["percents"]:
                key = f"{float(percent)}"
                yield f"p{key} {metric['field']}", lambda bucket, n=number, k=key: bucket[n]["values"][k]
        else:
            name = {"sum": "Sum", "max": "Max", "min": "Min", "avg": "Average"}[kind]
            yield f"{name} {metric['field']}", lambda bucket, n=number: bucket[n]["value"]


def frames(target, aggregations):
    bucket = target["bucketAggs"][0]
    rows = aggregations[bucket["id"]]["buckets"]
    read = list(columns(target["metrics"]))
    if bucket["type"] == "date_histogram":
        times = [row["key"] for row in rows]
        return [frame([("Time", "time", times), (name, "number", [value(row) for row in rows])])
                for name, value in read]
    keys = [row["key"] for row in rows]
    kind = "string" if all(isinstance(key, str) for key in keys) else "number"
    fields = [(bucket["field"], kind, keys)]
    fields += [(name, "number", [value(row) for row in rows]) for name, value in read]
    return [frame(fields)]


def frame(fields):
    schema = [{"name": field, "type": kind} for field, kind, _ in fields]
    return {"schema": {"fields": schema}, "data": {"values": [values for _, _, values in fields]}}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--url", default="http://127.0.0.1:9200")
    arguments.add_argument("--dashboard", default=DASHBOARD)
    arguments.add_argument("--out", required=True)
    chosen = arguments.parse_args()
    with open(chosen.dashboard, encoding="utf-8") as file:
        dashboard = json.load(file)
    times = millis(dashboard["time"]["from"]), millis(dashboard["time"]["to"])
    panels = []
    for panel in dashboard["panels"]:
        target = panel["targets"][0]
        index = target["datasource"]["uid"].removeprefix("siltstone-")
        answer = ask(chosen.url, *request(target, index, times))
        panels.append({"title": panel["title"], "description": panel["description"], "times": times,
                       "defaults": panel["fieldConfig"]["defaults"], "frames": frames(target, answer)})
    with open(chosen.out, "w", encoding="utf-8") as file:
        json.dump(panels, file)
    print(f"{len(panels)} panels")


if __name__ == "__main__":
    main()
