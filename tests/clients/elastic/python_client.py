"""What applications do with the official Python clients, unmodified: elasticsearch and opensearch-py.

    python_client.py HOST:PORT elasticsearch|opensearchpy
"""
import importlib
import sys


def checked(name, holds):
    assert holds, name
    print("ok", name)


def prepare(client):
    checked("ping", client.ping())
    checked("info", client.info()["version"]["number"])
    mappings = {"properties": {"@timestamp": {"type": "date"}, "host": {"type": "keyword"},
                               "n": {"type": "long"}, "text": {"type": "text"}}}
    client.indices.create(index="clients", body={"mappings": mappings, "aliases": {"also": {}}})
    checked("exists", client.indices.exists(index="clients"))
    checked("alias", client.indices.exists_alias(name="also"))


def documents(client, helpers):
    actions = ({"_index": "clients", "_id": str(n), "n": n, "host": "h%d" % (n % 3),
                "@timestamp": 1_700_000_000_000 + 60_000 * n, "text": "line %d of many" % n}
               for n in range(1000))
    done, errors = helpers.bulk(client, actions, chunk_size=100)
    checked("bulk helper", done == 1000 and not errors)
    again = [{"_op_type": "create", "_index": "clients", "_id": "1", "n": 1}]
    done, errors = helpers.bulk(client, again, raise_on_error=False)
    checked("create of what is there", done == 0 and errors[0]["create"]["status"] == 409)
    client.indices.refresh(index="clients")
    checked("count", client.count(index="clients")["count"] == 1000)
    found = client.get(index="clients", id="7")
    checked("get", found["_source"]["n"] == 7)
    client.index(index="clients", id="7", body={"n": -7}, params={
        "if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]})
    client.update(index="clients", id="7", body={"doc": {"n": 7}}, params={"refresh": "true"})
    checked("mget", client.mget(index="clients", body={"ids": ["7", "none"]})["docs"][1]["found"] is False)
    checked("exists", client.exists(index="clients", id="7") and not client.exists(index="clients", id="x"))


def searches(client, helpers):
    body = {"size": 0, "query": {"range": {"n": {"lt": 600}}}, "aggs": {"by_host": {
        "terms": {"field": "host"}, "aggs": {"hours": {
            "date_histogram": {"field": "@timestamp", "fixed_interval": "1h"},
            "aggs": {"sum": {"sum": {"field": "n"}}}}}}}}
    answer = client.search(index="clients", body=body)
    hosts = answer["aggregations"]["by_host"]["buckets"]
    checked("aggregations", sum(bucket["doc_count"] for bucket in hosts) == 599)
    total = sum(hour["sum"]["value"] for host in hosts for hour in host["hours"]["buckets"])
    checked("sums", total == sum(range(600)) - 7)
    header, search = {"index": "also"}, {"query": {"match": {"text": "line 5"}}, "size": 1}
    answers = client.msearch(body=[header, search, {"index": "none"}, search])["responses"]
    checked("msearch", answers[0]["hits"]["hits"] and answers[1]["status"] == 404)
    scanned = helpers.scan(client, index="clients", query={"query": {"match_all": {}}}, size=100)
    checked("scan helper", len({hit["_id"] for hit in scanned}) == 1000)


def pages(client, name):
    if name == "elasticsearch":
        pit = client.open_point_in_time(index="clients", keep_alive="1m")["id"]
    else:
        pit = client.create_pit(index="clients", params={"keep_alive": "1m"})["pit_id"]
    seen, after = [], None
    while True:
        body = {"size": 300, "pit": {"id": pit, "keep_alive": "1m"}, "sort": [{"@timestamp": "asc"}, {"_doc": "asc"}]}
        if after:
            body["search_after"] = after
        hits = client.search(body=body)["hits"]["hits"]
        if not hits:
            break
        seen += [hit["_id"] for hit in hits]
        after = hits[-1]["sort"]
    checked("point in time", len(set(seen)) == len(seen) == 1000)
    if name == "elasticsearch":
        client.close_point_in_time(body={"id": pit})
    else:
        client.delete_pit(body={"pit_id": [pit]})


def templates(client):
    client.cluster.put_component_template(name="part", body={"template": {"settings": {"number_of_replicas": 0}}})
    client.indices.put_index_template(name="streams", body={
        "index_patterns": ["streams-*"], "data_stream": {}, "composed_of": ["part"], "priority": 10})
    line = {"@timestamp": "2026-01-02T03:04:05Z", "message": "hello"}
    client.bulk(body=[{"create": {"_index": "streams-a"}}, line], params={"refresh": "true"})
    checked("data stream", client.count(index="streams-a")["count"] == 1)
    client.indices.delete_data_stream(name="streams-a")
    client.indices.delete_index_template(name="streams")
    checked("field caps", "long" in client.field_caps(index="clients", fields="n")["fields"]["n"])
    checked("health", client.cluster.health()["status"] in ("green", "yellow"))
    checked("cat", client.cat.indices(format="json"))


def ending(client, module):
    query = {"query": {"term": {"host": "h1"}}}
    deleted = client.delete_by_query(index="clients", body=query, params={"refresh": "true"})
    checked("delete by query", deleted["deleted"] == 332)
    client.delete(index="clients", id="0")
    client.indices.delete(index="clients")
    try:
        client.search(index="clients", body={})
        raise AssertionError("the index is gone")
    except module.NotFoundError as error:
        checked("not found", "index_not_found_exception" in str(error))


def main():
    address, name = sys.argv[1:3]
    module = importlib.import_module(name)
    helpers = importlib.import_module(name + ".helpers")
    if name == "elasticsearch":
        client = Bodies(module.Elasticsearch("http://" + address))
        raw = client.client
    else:
        raw = client = module.OpenSearch("http://" + address)
    prepare(client)
    documents(client, Helpers(helpers, raw))
    searches(client, Helpers(helpers, raw))
    pages(client, name)
    templates(client)
    ending(client, module)


class Helpers:
    """The helpers with the client that they know."""

    def __init__(self, helpers, client):
        self.helpers, self.client = helpers, client

    def bulk(self, _, actions, **options):
        return self.helpers.bulk(self.client, actions, **options)

    def scan(self, _, **options):
        return self.helpers.scan(self.client, **options)


class Bodies:
    """Elasticsearch's client takes what a body holds as arguments; this lets both be called alike."""

    LISTS = {"bulk": "operations", "msearch": "searches"}
    WHOLE = {"index": "document"}

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        found = getattr(self.client, name)
        if not callable(found):
            return Bodies(found)

        def call(body=None, params=None, **arguments):
            own = {} if body is None else body
            if name in self.LISTS and body is not None:
                own = {self.LISTS[name]: body}
            elif name in self.WHOLE and body is not None:
                own = {self.WHOLE[name]: body}
            return found(**own, **(params or {}), **arguments)

        return call


if __name__ == "__main__":
    main()
