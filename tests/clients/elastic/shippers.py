"""What shippers of logs and metrics send before and while they ship: `shippers.py HOST:PORT`.

The sequences are those of their Elasticsearch outputs, request by request, with the headers that
matter; the checks are what each of them looks at in the answers before it goes on.
"""

import gzip
import http.client
import json
import sys

NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}


class Shipper:
    def __init__(self, address, name, headers):
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.name, self.headers = name, headers

    def ask(self, method, path, body=None, zipped=False, **headers):
        headers = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            headers = (JSON if isinstance(body, dict) else NDJSON) | headers
            body = (json.dumps(body) if isinstance(body, dict) else body).encode()
        if zipped:
            body, headers = gzip.compress(body), headers | {"content-encoding": "gzip"}
        self.connection.request(method, path, body, headers)
        reply = self.connection.getresponse()
        text = reply.read()
        # Official clients below most shippers check it on every answer.
        self.check(reply.headers["x-elastic-product"] == "Elasticsearch", f"{method} {path} is from the product")
        return reply.status, json.loads(text) if text else None

    def check(self, holds, what, found=None):
        if not holds:
            sys.exit(f"FAILED: {self.name}: {what}: {found}")

    def done(self, what):
        print(f"ok: {self.name}: {what}", flush=True)

    def expect(self, statuses, method, path, body=None, **more):
        status, answer = self.ask(method, path, body, **more)
        self.check(status in statuses, f"{method} {path} -> {status}", answer)
        return answer


def lines(operation, metadata, documents):
    pairs = ([json.dumps({operation: metadata}), json.dumps(document)] for document in documents)
    return "\n".join(line for pair in pairs for line in pair) + "\n"


def logs(count, broken=()):
    for number in range(count):
        line = {"@timestamp": f"2026-01-02T03:04:{number % 60:02}.123Z", "message": f"line {number}", "status": number}
        yield line | ({"status": "no number"} if number in broken else {})


def beats(address):
    shipper = Shipper(address, "Filebeat 8", {"user-agent": "Elastic-filebeat/8.19.0", "accept": "application/json"})
    info = shipper.expect([200], "GET", "/")
    major = int(info["version"]["number"].split(".")[0])
    shipper.check(major >= 8 and info["version"]["build_flavor"] == "default", "the server is not older", info)
    license_ = shipper.expect([200], "GET", "/_license?human=false")["license"]
    shipper.check((license_["status"], license_["type"]) == ("active", "basic"), "a licence is active", license_)
    shipper.expect([404], "GET", "/_ilm/policy/filebeat")
    shipper.expect([200], "PUT", "/_ilm/policy/filebeat", {"policy": {"phases": {"hot": {"actions": {
        "rollover": {"max_age": "30d", "max_primary_shard_size": "50gb"}}}}}})
    shipper.check("filebeat" in shipper.expect([200], "GET", "/_ilm/policy/filebeat"), "the policy is kept")
    shipper.expect([404], "HEAD", "/_index_template/filebeat-8.19.0")
    shipper.expect([200], "PUT", "/_index_template/filebeat-8.19.0", {
        "index_patterns": ["filebeat-8.19.0"], "data_stream": {}, "priority": 150,
        "template": {
            "settings": {"index": {"lifecycle": {"name": "filebeat"}, "codec": "best_compression",
                                   "mapping": {"total_fields": {"limit": 12500}},
                                   "query": {"default_field": ["message"]}}},
            "mappings": {
                "date_detection": False, "_meta": {"beat": "filebeat", "version": "8.19.0"},
                "dynamic_templates": [{"strings_as_keyword": {
                    "match_mapping_type": "string", "mapping": {"ignore_above": 1024, "type": "keyword"}}}],
                "properties": {"@timestamp": {"type": "date"}, "message": {"type": "text"}, "status": {"type": "long"}},
            },
        },
    })
    shipper.expect([404], "GET", "/_data_stream/filebeat-8.19.0")
    shipper.expect([200], "PUT", "/_data_stream/filebeat-8.19.0")
    shipper.expect([404], "GET", "/_ingest/pipeline/filebeat-8.19.0-nginx-access")
    shipper.expect([200], "PUT", "/_ingest/pipeline/filebeat-8.19.0-nginx-access", {"processors": [{"set": {"field": "a", "value": 1}}]})
    path = "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status"
    body = lines("create", {"_index": "filebeat-8.19.0"}, logs(50, broken=[7]))
    kind = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"
    answer = shipper.expect([200], "POST", path, body, zipped=True, content_type=kind)
    statuses = [item["create"]["status"] for item in answer["items"]]
    shipper.check(answer["errors"] is True and statuses.count(201) == 49, "49 of 50 lines are stored", answer)
    shipper.check(statuses[7] == 400 and "error" in answer["items"][7]["create"], "the broken line alone fails", answer["items"][7])
    shipper.expect([200], "POST", "/filebeat-8.19.0/_refresh")
    shipper.check(shipper.expect([200], "GET", "/filebeat-8.19.0/_count")["count"] == 49, "they are found")
    shipper.done("probes, policy, template, data stream, pipeline, bulk")


def logstash(address):
    shipper = Shipper(address, "Logstash 8", {"user-agent": "logstash/8.19.0 (OS=Linux; JVM=Eclipse Adoptium) logstash-output-elasticsearch/11.22.12",
                                              "x-elastic-product-origin": "logstash-output-elasticsearch"})
    shipper.expect([200], "HEAD", "/")
    shipper.check(shipper.expect([200], "GET", "/")["tagline"] == "You Know, for Search", "it is what it seems")
    shipper.expect([200], "GET", "/_license")
    shipper.expect([404], "HEAD", "/_index_template/ecs-logstash")
    shipper.expect([200], "PUT", "/_index_template/ecs-logstash", {
        "index_patterns": ["ecs-logstash-*"], "priority": 200,
        "template": {"settings": {"index.refresh_interval": "5s", "index.mapping.total_fields.limit": 10000},
                     "mappings": {"properties": {"@timestamp": {"type": "date"}, "@version": {"type": "keyword"}}}}})
    shipper.expect([200], "HEAD", "/_index_template/ecs-logstash")
    path = "/_bulk?filter_path=errors,items.*.error,items.*.status"
    body = lines("index", {"_index": "ecs-logstash-2026.01.02", "routing": None}, logs(20))
    answer = shipper.expect([200], "POST", path, body, zipped=True, content_type="application/json")
    shipper.check(answer["errors"] is False and len(answer["items"]) == 20, "all events are stored", answer)
    # A health check of the pool while it idles.
    shipper.expect([200], "HEAD", "/")
    shipper.done("checks, template, bulk")


def fluent_bit(address):
    shipper = Shipper(address, "Fluent Bit", {"user-agent": "Fluent-Bit"})
    body = lines("create", {"_index": "logstash-2026.01.02"}, logs(10))
    answer = shipper.expect([200], "POST", "/_bulk/?filter_path=errors,items.*.error", body)
    shipper.check(answer == {"errors": False}, "nothing but that nothing failed", answer)
    body = lines("create", {"_index": "logstash-2026.01.02", "_id": "same"}, logs(2))
    answer = shipper.expect([200], "POST", "/_bulk", body, zipped=True)
    statuses = [item["create"]["status"] for item in answer["items"]]
    # It retries neither: a conflict means that the record is there.
    shipper.check(statuses == [201, 409] and answer["errors"] is True, "a record twice is a conflict", answer)
    shipper.done("bulk with and without ids")


def vector(address):
    shipper = Shipper(address, "Vector", {"user-agent": "Vector/0.50.0", "accept-encoding": "identity"})
    shipper.check(shipper.expect([200], "GET", "/")["version"]["number"], "a version is told")
    health = shipper.expect([200], "GET", "/_cluster/health")
    shipper.check(health["status"] in ("green", "yellow"), "the cluster is well", health)
    body = lines("create", {"_index": "logs-generic-default"}, logs(30))
    answer = shipper.expect([200], "POST", "/_bulk?timeout=60s", body, zipped=True)
    shipper.check(answer["errors"] is False and len(answer["items"]) == 30, "all events are stored", answer)
    shipper.done("health, bulk")


def telegraf(address):
    shipper = Shipper(address, "Telegraf", {"user-agent": "elastic/5.0.86 (linux-amd64)"})
    shipper.expect([200], "HEAD", "/")
    shipper.expect([200], "GET", "/")
    nodes = shipper.expect([200], "GET", "/_nodes/http")["nodes"]
    shipper.check(all(node["http"]["publish_address"] for node in nodes.values()), "nodes tell where they are", nodes)
    shipper.expect([404], "HEAD", "/_template/telegraf")
    shipper.expect([200], "PUT", "/_template/telegraf", {
        "index_patterns": ["telegraf-*"],
        "settings": {"index": {"refresh_interval": "10s", "mapping.total_fields.limit": 5000, "auto_expand_replicas": "0-1", "codec": "best_compression"}},
        "mappings": {"properties": {"@timestamp": {"type": "date"}, "measurement_name": {"type": "keyword"}},
                     "dynamic_templates": [{"tags": {"match_mapping_type": "string", "path_match": "tag.*",
                                                     "mapping": {"ignore_above": 512, "type": "keyword"}}}]}})
    points = ({"@timestamp": "2026-01-02T03:04:05Z", "measurement_name": "cpu", "tag": {"host": "a"}, "cpu": {"usage": n / 4}} for n in range(10))
    answer = shipper.expect([200], "POST", "/_bulk", lines("index", {"_index": "telegraf-2026.01.02"}, points))
    shipper.check(answer["errors"] is False and answer["took"] >= 0, "all points are stored", answer)
    shipper.expect([200], "POST", "/telegraf-*/_refresh")
    body = {"size": 0, "aggs": {"hosts": {"terms": {"field": "tag.host"}, "aggs": {"mean": {"avg": {"field": "cpu.usage"}}}}}}
    found = shipper.expect([200], "POST", "/telegraf-*/_search", body)["aggregations"]["hosts"]["buckets"]
    shipper.check([(b["key"], b["mean"]["value"]) for b in found] == [("a", 1.125)], "tags are keywords, as the template says", found)
    shipper.done("sniffing, template, bulk")


def main():
    for run in (beats, logstash, fluent_bit, vector, telegraf):
        run(sys.argv[1])


if __name__ == "__main__":
    main()
