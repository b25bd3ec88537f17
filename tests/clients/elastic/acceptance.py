"""What the replaced systems asked Elasticsearch, asked again: `acceptance.py HTTP_HOST:PORT DATA`.

Numbers in front are rows of the catalogue of acceptance. DATA is the folder of real data; answers
that are not beside it are computed here from the same files, row by row.
"""

import csv
import datetime
import http.client
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict

UTC = datetime.timezone.utc
BULK_DOCUMENTS = 5_000


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def near(found, expected, relative=1e-9, absolute=0.0):
    return math.isclose(found, expected, rel_tol=relative, abs_tol=absolute)


class Server:
    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=600)

    def ask(self, method, path, body=None, kind="application/json"):
        if not isinstance(body, (str, type(None))):
            body = json.dumps(body)
        headers = {"content-type": kind} if body is not None else {}
        self.connection.request(method, path, body and body.encode(), headers)
        reply = self.connection.getresponse()
        text = reply.read().decode()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text

    def ok(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        if status not in (200, 201):
            sys.exit(f"FAILED: {method} {path}: {status} {str(answer)[:2000]}")
        return answer

    def bulk(self, documents, operation="index"):
        """`documents` are (index, id or None, document); gives the answers' items."""
        documents, items = list(documents), []
        for start in range(0, len(documents), BULK_DOCUMENTS):
            lines = []
            for index, name, document in documents[start : start + BULK_DOCUMENTS]:
                action = {"_index": index} | ({"_id": name} if name is not None else {})
                lines += [json.dumps({operation: action}), json.dumps(document)]
            status, answer = self.ask("POST", "/_bulk?refresh=true", "\n".join(lines) + "\n", "application/x-ndjson")
            if status != 200:
                sys.exit(f"FAILED: bulk: {status} {str(answer)[:2000]}")
            items += [item[operation] for item in answer["items"]]
        return items

    def load(self, documents):
        items = self.bulk(documents)
        wrong = [item for item in items if item["status"] != 201]
        if wrong:
            sys.exit(f"FAILED: {len(wrong)} of {len(items)} documents: {wrong[0]}")
        return len(items)

    def aggregate(self, index, **aggregations):
        query = aggregations.pop("query", {"match_all": {}})
        body = {"size": 0, "query": query, "aggs": aggregations}
        return self.ok("POST", f"/{index}/_search", body)["aggregations"]

    def count(self, index, query=None):
        body = {"query": query} if query else None
        return self.ok("POST", f"/{index}/_count", body)["count"]


def lines(path):
    if path.endswith(".zst"):
        text = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout.decode()
    else:
        text = open(path, encoding="utf-8").read()
    return text.splitlines()


def table(path):
    return list(csv.DictReader(io.StringIO("\n".join(lines(path)))))


def by_hour(field, **metrics):
    histogram = {"field": field, "fixed_interval": "1h", "min_doc_count": 1}
    return {"date_histogram": histogram, "aggs": metrics}


def metric(kind, field):
    return {kind: {"field": field}}


def buckets(result):
    return result["buckets"]


def of_seed_0(server, data):
    messages = [json.loads(line) for line in lines(f"{data}/replay-seed0/topics_2017-08-24.ndjson")]
    documents = [json.loads(line) for line in lines(f"{data}/replay-seed0/expected_docs_2017-08-24.ndjson.zst")]
    golden = [row for row in table(f"{data}/btc-blocks-decoded/expected_hourly.csv") if row["eur_per_btc"]]
    golden = {int(row["hour_unix"]) * 1000: row for row in golden if row["hour_utc"].startswith("2017-08-24")}

    # Time of processing named the index there; any day does.
    days = ["2018-03-15", "2018-03-16", "2018-03-17"]
    named = [
        (f"bitcoin_monitoring-{days[number % 3]}", document["_id"], document["_source"] | {"kind": document["_type"]})
        for number, document in enumerate(documents)
    ]
    items = server.bulk(named, "create")
    conflicts = Counter(item["status"] for item in items)
    # The same hash can come twice, and then on another day's index too.
    stored = server.count("bitcoin_monitoring-*")
    check(stored == conflicts[201], f"0-20 {stored} documents are created, {conflicts[409]} were there")
    with_id = [document for document in named if document[1] is not None]
    again = Counter(item["status"] for item in server.bulk(with_id, "create"))
    check(again == {409: len(with_id)}, "0-20 a replay of all ids is refused with 409")
    check(server.count("bitcoin_monitoring-*") == stored, "0-20 and changes no count")
    server.load(("one_day", None, document) for _, _, document in named)

    for row, index in (("0-21", "bitcoin_monitoring-*"), ("0-04", "one_day")):
        found = server.aggregate(
            index,
            query={"term": {"kind.keyword": "btc_tx"}},
            hours=by_hour(
                "btc_timestamp",
                eur=metric("sum", "tx_eur_amount"),
                btc=metric("sum", "tx_btc_amount"),
                most_eur=metric("max", "tx_eur_amount"),
                most_btc=metric("max", "tx_btc_amount"),
            ),
        )
        hours = {bucket["key"]: bucket for bucket in buckets(found["hours"])}
        check(hours.keys() == golden.keys(), f"{row} {index} has the three hours")
        for key, expected in golden.items():
            hour, name = hours[key], expected["hour_utc"]
            satoshi = int(expected["volume_sat"])
            check(hour["doc_count"] == int(expected["n_tx"]), f"0-02 {index} {name}: {expected['n_tx']} transactions")
            check(near(hour["btc"]["value"], satoshi / 1e8), f"0-03 {index} {name}: {satoshi / 1e8} BTC")
            check(near(hour["eur"]["value"], float(expected["volume_eur"]), 0, 0.01), f"0-04 {index} {name}: EUR")
            check(near(hour["most_btc"]["value"], int(expected["max_tx_sat"]) / 1e8), f"0-05 {index} {name}: most BTC")
            check(near(hour["most_eur"]["value"], float(expected["max_tx_eur"]), 0, 0.01), f"0-06 {index} {name}: most EUR")

    mapping = server.ok("GET", "/one_day/_mapping")["one_day"]["mappings"]["properties"]
    kinds = {name: field["type"] for name, field in mapping.items()}
    check(kinds["btc_timestamp"] == "date", "0-22 times are dates")
    check(kinds["tx_btc_amount"] in ("float", "double"), "0-22 amounts are numbers with a fraction")
    check(mapping["blk_owner"]["fields"]["keyword"]["type"] == "keyword", "0-22 texts have a keyword")
    server.load([("numbers", None, json.loads(text)) for text in ('{"n": 1.2345678E7}', '{"n": 1e-05}', '{"n": 3}')])
    total = server.aggregate("numbers", sum=metric("sum", "n"))["sum"]["value"]
    check(total == 12345681.00001, f"0-22 exponents and whole numbers are one column: {total}")

    owners = Counter(d["blk_owner"] for _, _, d in named if "blk_owner" in d)
    found = server.aggregate("one_day", owners={"terms": {"field": "blk_owner.keyword"}})["owners"]
    check({b["key"]: b["doc_count"] for b in buckets(found)} == owners, f"0-22 owners by keyword: {dict(owners)}")
    word = re.split(r"\W+", max(owners))[0]
    expected = sum(count for owner, count in owners.items() if word.lower() in re.split(r"\W+", owner.lower()))
    found = server.count("one_day", {"query_string": {"query": f"blk_owner:{word.upper()}"}})
    check(found == expected, f"0-23 words of owners are found: {word}")
    server.load(("raw_messages", None, {"raw": json.dumps(m["value"])}) for m in messages)
    one = next(m["value"]["tx_id"] for m in messages if m["topic"] == "btc_tx")
    check(server.count("raw_messages", {"query_string": {"query": f'raw:"{one}"'}}) == 1, "0-23 a hash is found in raw messages")


def of_decoded_blocks(server, data):
    golden = table(f"{data}/btc-blocks-decoded/expected_hourly.csv")
    rows = [row for row in table(f"{data}/btc-blocks-decoded/tx.csv.zst") if row["tx_pos"] != "0"]
    server.ok("PUT", "/decoded", {"mappings": {"properties": {"time": {"type": "date", "format": "epoch_second"}}}})
    documents = []
    for row in rows:
        document = {"time": int(row["time"]), "btc": int(row["out_total_sat"]) / 1e8, "satoshi": int(row["out_total_sat"])}
        if row["fee_sat"]:
            document |= {"fee_rate": int(row["fee_sat"]) / int(row["size"])}
        documents.append(("decoded", row["txid"], document))
    items = Counter(item["status"] for item in server.bulk(documents))
    # Twice the same transaction is one document: hours are compared where all ids are different.
    hours = by_hour("time", btc=metric("sum", "btc"), satoshi=metric("sum", "satoshi"))
    found = {b["key"] // 1000: b for b in buckets(server.aggregate("decoded", hours=hours)["hours"])}
    check(sum(items.values()) == len(rows) and items.keys() <= {200, 201}, f"0-02 {len(rows)} transactions are taken")
    check(len(found) == len(golden), f"0-02 {len(golden)} hours")
    for row in golden:
        hour = found[int(row["hour_unix"])]
        holds = hour["doc_count"] == int(row["n_tx"]) and hour["satoshi"]["value"] == int(row["volume_sat"])
        holds = holds and near(hour["btc"]["value"], int(row["volume_sat"]) / 1e8)
        check(holds, f"0-02 0-03 2-24 {row['hour_utc']}: {row['n_tx']} transactions, {row['volume_sat']} satoshi")
    units = {"bucket_script": {"buckets_path": {"s": "satoshi"}, "script": "params.s / 100000000"}}
    hours["aggs"]["coins"] = units
    for bucket in buckets(server.aggregate("decoded", hours=hours)["hours"]):
        if not near(bucket["coins"]["value"], bucket["btc"]["value"]):
            sys.exit(f"FAILED: 2-24 {bucket}")
    check(True, "2-24 a script turns satoshi into coins, hour by hour")

    rates = defaultdict(list)
    for _, _, document in documents:
        if "fee_rate" in document:
            rates[document["time"] // 3600 * 3600].append(document["fee_rate"])
    percents = [5, 50, 95]
    hours = by_hour("time", fees={"percentiles": {"field": "fee_rate", "percents": percents}})
    found = buckets(server.aggregate("decoded", query={"exists": {"field": "fee_rate"}}, hours=hours)["hours"])
    check(len(found) == len(rates), f"2-37 {len(rates)} hours with fees")
    for bucket in found:
        values = sorted(rates[bucket["key"] // 1000])
        for percent in percents:
            value = bucket["fees"]["values"][f"{percent:.1f}"]
            # Between the neighbours of the rank: definitions differ by less than a value.
            place = percent / 100 * (len(values) - 1)
            low = values[max(0, math.floor(place) - 1)]
            high = values[min(len(values) - 1, math.ceil(place) + 1)]
            if not low <= value <= high:
                sys.exit(f"FAILED: 2-37 {bucket['key_as_string']} {percent}: {value} is not in {low}..{high}")
    check(True, "2-37 fee rates by hour lie at their ranks")

    days = Counter(int(row["time"]) // 86400 * 86400 for row in rows)
    histogram = {"date_histogram": {"field": "time", "calendar_interval": "day", "min_doc_count": 1, "format": "yyyyMMdd"}}
    found = {b["key_as_string"]: b["doc_count"] for b in buckets(server.aggregate("decoded", days=histogram)["days"])}
    expected = {datetime.datetime.fromtimestamp(day, UTC).strftime("%Y%m%d"): n for day, n in days.items()}
    check(found == expected, "2-23 seconds since 1970 are grouped by day")

    layers = [("1m", 60), ("1h", 3600), ("1d", 86400)]
    totals = []
    for interval, _ in layers:
        histogram = {"date_histogram": {"field": "time", "fixed_interval": interval, "min_doc_count": 1}}
        histogram["aggs"] = {"s": metric("sum", "satoshi")}
        found = buckets(server.aggregate("decoded", t=histogram)["t"])
        totals.append(sum(bucket["s"]["value"] for bucket in found))
    whole = server.aggregate("decoded", s=metric("sum", "satoshi"))["s"]["value"]
    check(set(totals) == {whole}, f"2-25 2-19 minutes, hours and days sum to the rows: {whole}")


def of_prices(server, data):
    messages = [json.loads(line) for line in lines(f"{data}/btc-price/bpi_coindesk.ndjson.zst")]
    expected = {}
    documents = []
    for message in messages:
        moment = datetime.datetime.fromisoformat(message["time"]["updatedISO"])
        expected[int(moment.timestamp()) * 1000] = message["bpi"]["EUR"]["rate_float"]
        value = {"bpi_time": moment.isoformat(), "bpi_eur_rate": message["bpi"]["EUR"]["rate_float"]}
        documents.append(("btc-value", None, {"bpi": value}))
        raw = {"raw": {"raw_time": moment.isoformat(), "raw-data": json.dumps(message), "unknown": [{"deep": 1}]}}
        documents.append(("btc-raw-bpi", None, raw))
    server.load(documents)
    histogram = {"field": "bpi.bpi_time", "fixed_interval": "1m", "min_doc_count": 1}
    aggregation = {"date_histogram": histogram, "aggs": {"rate": metric("avg", "bpi.bpi_eur_rate")}}
    found = server.aggregate("btc-value", minutes=aggregation)
    found = {b["key"]: b["rate"]["value"] for b in buckets(found["minutes"])}
    check(found == expected, f"0-01 1-08 the rate of {len(expected)} minutes is the input")

    hits, after = [], None
    while True:
        body = {"size": 1000, "sort": [{"raw.raw_time": "asc"}, {"_doc": "asc"}]}
        page = server.ok("POST", "/btc-raw-bpi/_search", body | ({"search_after": after} if after else {}))["hits"]["hits"]
        if not page:
            break
        hits, after = hits + page, page[-1]["sort"]
    sources = [document for index, _, document in documents if index == "btc-raw-bpi"]
    check([hit["_source"] for hit in hits] == sources, f"1-07 {len(hits)} raw messages come back as they were")
    one = next(hit for hit in hits if "32" in hit["_source"]["raw"]["raw-data"])
    found = server.ok("GET", f"/btc-raw-bpi/_doc/{one['_id']}?_source=raw.raw-data")
    check(found["_source"] == {"raw": {"raw-data": one["_source"]["raw"]["raw-data"]}}, "1-07 hyphens in names")


def of_miners(server, data):
    daily = {row["date"]: row for row in table(f"{data}/btc-blocks-miners-2016-2018/btc_daily.csv")}
    rows = table(f"{data}/btc-blocks-miners-2016-2018/blocks_miners.csv.zst")
    server.ok("PUT", "/btc-miner", {"mappings": {"properties": {"best-miner": {"properties": {
        "blocks_time": {"type": "date", "format": "epoch_second"}}}}}})
    documents, sums = [], defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for row in rows:
        day = daily[row["day"]]
        btc = float(row["subsidy_btc"])
        eur = btc * float(day["price_usd"]) / float(day["usd_per_eur"])
        inner = {"blocks_time": int(row["time_interp"]), "blocks_foundBy": row["miner"],
                 "block_reward_btc": btc, "block_reward_eur": eur}
        documents.append(("btc-miner", None, {"best-miner": inner}))
        moment = datetime.datetime.fromtimestamp(int(row["time_interp"]), UTC)
        for key in (moment.strftime("%Y-%m-%d"), moment.strftime("%Y-%m")):
            total = sums[key][row["miner"]]
            total[0] += btc
            total[1] += eur
    server.load(documents)
    server.ok("POST", "/btc-miner/_flush")

    def ask(unit, coin):
        field = f"best-miner.block_reward_{coin}"
        terms = {"field": "best-miner.blocks_foundBy.keyword", "size": 3, "order": {"sum": "desc"}}
        histogram = {"field": "best-miner.blocks_time", "calendar_interval": unit, "min_doc_count": 1}
        inner = {"top": {"terms": terms, "aggs": {"sum": metric("sum", field)}}}
        return server.aggregate("btc-miner", times={"date_histogram": histogram, "aggs": inner})["times"]

    for row, unit, form, coin, place in (
        ("0-07", "day", "%Y-%m-%d", "btc", 0), ("0-08", "month", "%Y-%m", "btc", 0),
        ("0-09", "day", "%Y-%m-%d", "eur", 1), ("0-10", "month", "%Y-%m", "eur", 1),
    ):
        found = buckets(ask(unit, coin))
        for bucket in found:
            key = datetime.datetime.fromtimestamp(bucket["key"] / 1000, UTC).strftime(form)
            totals = sums[key]
            # Equal sums go by name.
            best = sorted(totals, key=lambda miner: (-round(totals[miner][place], 6), miner))[:3]
            top = [(b["key"], b["sum"]["value"]) for b in buckets(bucket["top"])]
            holds = all(near(value, totals[name][place]) for name, value in top)
            holds = holds and all(near(value, totals[name][place]) for (_, value), name in zip(top, best))
            if not holds or len(top) != len(best) or place == 0 and [name for name, _ in top] != best:
                sys.exit(f"FAILED: {row} {key}: {top}, expected {[(name, totals[name][place]) for name in best]}")
        check(len(found) == (33 if unit == "month" else 967), f"{row} 1-11 top 3 of {len(found)} {unit}s in {coin.upper()}")

    best = math.inf
    for _ in range(3):
        began = time.monotonic()
        ask("day", "btc")
        best = min(best, time.monotonic() - began)
    # A bound on time belongs to the benches: this only says it.
    print(f"   0-24 top 3 by day over {len(rows)} blocks: {best * 1000:.0f} ms")

    histogram = {"field": "best-miner.blocks_time", "calendar_interval": "day", "time_zone": "Europe/Paris",
                 "format": "strict_date_optional_time"}
    window = {"range": {"best-miner.blocks_time": {"gte": "2018-03-24", "lt": "2018-03-27", "format": "yyyy-MM-dd", "time_zone": "Europe/Paris"}}}
    found = buckets(server.aggregate("btc-miner", query=window, days={"date_histogram": histogram})["days"])
    starts = [bucket["key_as_string"] for bucket in found]
    lengths = [(b["key"] - a["key"]) // 3_600_000 for a, b in zip(found, found[1:])]
    check(lengths == [24, 23] and all("T00:00:00" in start for start in starts), f"1-14 days of Paris: {starts}")


def of_seed_1(server, data):
    answer = server.ok("PUT", "/console", {"settings": {"number_of_shards": 3, "number_of_replicas": 2}})
    check(answer == {"acknowledged": True, "shards_acknowledged": True, "index": "console"}, "1-05 an index is made")
    settings = server.ok("GET", "/console/_settings")["console"]["settings"]["index"]
    check((settings["number_of_shards"], settings["number_of_replicas"]) == ("3", "2"), "1-05 its settings are read back")
    health = server.ok("GET", "/_cluster/health")
    fields = ["cluster_name", "status", "timed_out", "number_of_nodes", "number_of_data_nodes", "active_primary_shards",
              "active_shards", "relocating_shards", "initializing_shards", "unassigned_shards", "delayed_unassigned_shards",
              "number_of_pending_tasks", "number_of_in_flight_fetch", "task_max_waiting_in_queue_millis",
              "active_shards_percent_as_number"]
    check(all(field in health for field in fields), f"1-04 1-15 health has its {len(fields)} fields, one node: {health['status']}")
    indices = ["btc-value", "btc-volume", "btc-miner", "btc-raw-bpi", "btc-raw-blocks", "btc-raw-transactions"]
    transactions = []
    for document in (json.loads(line) for line in lines(f"{data}/replay-seed0/expected_docs_2017-08-24.ndjson.zst")):
        source = document["_source"]
        if document["_type"] == "btc_tx":
            volume = {"transactions_time": source["btc_timestamp"] + "+00:00", "volume_exchange": source["tx_btc_amount"],
                      "volume_exchange_eur": source["tx_eur_amount"]}
            transactions.append(("btc-volume", None, {"volume": volume}))
            transactions.append(("btc-raw-transactions", None, {"raw": {"raw_time": volume["transactions_time"]}}))
        elif document["_type"] == "btc_blk":
            transactions.append(("btc-raw-blocks", None, {"raw": {"raw_time": source["btc_timestamp"] + "+00:00"}}))
    server.load(transactions)
    shown = {row["index"]: row for row in server.ok("GET", "/_cat/indices/btc-*?format=json")}
    counts = {name: server.count(name) for name in indices}
    check(all(int(shown[name]["docs.count"]) == counts[name] > 0 for name in indices), f"1-06 six indices: {counts}")
    hours = by_hour("volume.transactions_time", btc=metric("sum", "volume.volume_exchange"),
                    eur=metric("sum", "volume.volume_exchange_eur"), most=metric("max", "volume.volume_exchange"),
                    most_eur=metric("max", "volume.volume_exchange_eur"))
    found = buckets(server.aggregate("btc-volume", hours=hours)["hours"])
    eur = [round(bucket["eur"]["value"], 2) for bucket in found]
    check(eur == [34494766.83, 18173207.23, 60712305.15], f"1-09 0-04 volumes by hour: {eur}")
    most = [bucket["most"]["value"] for bucket in found]
    expected = [300.56716667, 953.82670975, 421.27697792]
    check(all(near(a, b) for a, b in zip(most, expected)), f"1-10 0-05 the largest by hour: {most}")
    check([round(b["most_eur"]["value"], 2) for b in found] == [1054884.84, 3345592.01, 1480482.06], "1-10 0-06 in EUR")
    status, made = server.ask("POST", "/btc-volume/_doc", {"volume": {"volume_exchange": 1}})
    check(status == 201 and made["result"] == "created" and made["_shards"]["failed"] == 0, "1-16 a document without an id")


def of_events(server, data):
    orders = [json.loads(line) for line in lines(f"{data}/events-top5/coffee_orders.ndjson")]
    server.load(("orders", None, order) for order in orders)
    found = server.aggregate("orders", top={"terms": {"field": "beverage.keyword", "size": 5}})
    found = {b["key"]: b["doc_count"] for b in buckets(found["top"])}
    expected = {"Latte": 322, "Other": 253, "Cappuccino": 238, "Mocha": 176, "Espresso": 175}
    check(found == expected, f"2-03 the five best: {found}")
    aggregation = {
        "date_histogram": {"field": "@timestamp", "fixed_interval": "6h", "min_doc_count": 1},
        "aggs": {
            "of": {"filters": {"filters": {"hot": {"term": {"beverageClass.keyword": "Hot Beverages"}},
                                           "latte": {"term": {"beverage.keyword": "Latte"}}}}},
            "share": {"bucket_script": {"buckets_path": {"a": "of['latte']>_count", "b": "of['hot']>_count"},
                                        "script": "params.b == 0 ? 0 : params.a / params.b"}},
        },
    }
    counted = defaultdict(Counter)
    for order in orders:
        moment = datetime.datetime.fromisoformat(order["@timestamp"].replace("Z", "+00:00")).timestamp()
        counted[int(moment // 21600 * 21600) * 1000].update(
            hot=order["beverageClass"] == "Hot Beverages", latte=order["beverage"] == "Latte")
    for bucket in buckets(server.aggregate("orders", times=aggregation)["times"]):
        expected = counted[bucket["key"]]
        share = expected["latte"] / expected["hot"] if expected["hot"] else 0
        found = {name: of["doc_count"] for name, of in bucket["of"]["buckets"].items()}
        if found != {"hot": expected["hot"], "latte": expected["latte"]} or not near(bucket["share"]["value"], share):
            sys.exit(f"FAILED: 2-02 {bucket}, expected {expected}")
    check(True, "2-02 shares of two counts by interval")
    last = {"size": 5, "query": {"term": {"entityID.keyword": "zwave.quad2"}}, "sort": [{"@timestamp": "desc"}]}
    found = [hit["_source"]["@timestamp"] for hit in server.ok("POST", "/orders/_search", last)["hits"]["hits"]]
    expected = sorted((o["@timestamp"] for o in orders if o["entityID"] == "zwave.quad2"), reverse=True)[:5]
    check(found == expected, "2-05 the last events of a key, newest first")
    window = {"range": {"@timestamp": {"gte": "2018-02-28", "lt": "2018-03-01"}}}
    label = {"term": {"quadId": 1}}
    found = server.count("orders", {"bool": {"filter": [window, label]}})
    expected = sum(o["quadId"] == 1 and o["@timestamp"].startswith("2018-02-28") for o in orders)
    check(found == expected, f"2-06 a label and an interval: {found}")


def of_logs(server, data):
    pattern = re.compile(r'^(\S+) \S+ \S+ \[([^]]+)\] "(\S+) (\S+)[^"]*" (\d+) (\d+|-) "([^"]*)" "([^"]*)"?')
    documents, paths, hours = [], Counter(), Counter()
    for line in lines(f"{data}/observability/apache_access.log.zst"):
        parts = pattern.match(line)
        path = parts[4].split("?")[0]
        moment = datetime.datetime.strptime(parts[2], "%d/%b/%Y:%H:%M:%S %z")
        documents.append(("access", None, {"@timestamp": moment.isoformat(), "client": parts[1], "method": parts[3],
                                           "path": path, "status": int(parts[5]), "message": line}))
        paths[path] += 1
        hours[int(moment.timestamp()) // 3600 * 3_600_000] += 1
    server.load(documents[:5000])
    before = server.aggregate("access", hours=by_hour("@timestamp"))
    server.load(documents[5000:])
    check(server.count("access") == 10_000, "2-04 10,000 lines")
    found = [b["doc_count"] for b in buckets(server.aggregate("access", top={"terms": {"field": "path.keyword", "size": 5}})["top"])]
    expected = [count for _, count in paths.most_common(5)]
    check(found == expected == [807, 575, 546, 538, 533], f"2-04 the five most asked: {found}")
    found = {b["key"]: b["doc_count"] for b in buckets(server.aggregate("access", hours=by_hour("@timestamp"))["hours"])}
    check(found == hours, "2-18 hours of lines out of order are those of sorted ones")
    late = sum(found[b["key"]] != b["doc_count"] for b in buckets(before["hours"]))
    check(late > 0, f"2-18 late lines changed {late} hours that were answered before")
    server.ok("PUT", "/access/_doc/fresh?refresh=wait_for", {"@timestamp": "2015-05-21T00:00:00Z", "message": "fresh line"})
    check(server.count("access", {"match_phrase": {"message": "fresh line"}}) == 1, "2-07 a line is found once it is acknowledged")
    found = server.count("access", {"range": {"status": {"gte": 400, "lt": 500}}})
    check(found == sum(400 <= d["status"] < 500 for _, _, d in documents), "2-07 parsed fields are numbers")

    blocks = table(f"{data}/btc-blocks-2021-06-07/blocks.csv")
    server.ok("PUT", "/blocks-2021", {"mappings": {"properties": {"time": {"type": "date", "format": "epoch_second"}}}})
    server.load(("blocks-2021", b["hash"], {"time": int(b["time"]), "n_tx": int(b["n_tx"])}) for b in blocks)
    expected = Counter()
    for block in blocks:
        expected[int(block["time"]) // 3600 * 3_600_000] += int(block["n_tx"])
    hours = by_hour("time", n=metric("sum", "n_tx"))
    found = {b["key"]: b["n"]["value"] for b in buckets(server.aggregate("blocks-2021", hours=hours)["hours"])}
    check(found == expected, f"2-18 {len(found)} hours of blocks with five out of order")
    server.ok("POST", "/blocks-2021/_flush")
    rolled = buckets(server.aggregate("blocks-2021", hours=hours)["hours"])
    status, raw = server.ask("POST", "/blocks-2021/_search?rollup=false", {"size": 0, "aggs": {"hours": hours}})
    check(status == 200 and buckets(raw["aggregations"]["hours"]) == rolled, "2-19 rollup and rows agree")


def of_stocks(server, data):
    reference = [row for row in table(f"{data}/stocks/reference/rsi_macd_by_convention_2010_2012.csv")]
    server.load(("bars", f"{r['symbol']}-{r['date']}", {"symbol": r["symbol"], "date": r["date"], "close": float(r["close"])})
                for r in reference)

    def ewma(path, alpha):
        # The whole history is the window, this day included.
        script = f"MovingFunctions.ewma(values, {alpha!r})"
        return {"moving_fn": {"buckets_path": path, "window": 1000, "shift": 1, "script": script}}

    def script(expression, **paths):
        return {"bucket_script": {"buckets_path": paths, "script": expression, "gap_policy": "skip"}}

    days = {
        "date_histogram": {"field": "date", "calendar_interval": "day", "min_doc_count": 1},
        "aggs": {
            "close": metric("avg", "close"),
            "change": {"derivative": {"buckets_path": "close"}},
            "up": script("params.c > 0 ? params.c : 0", c="change"),
            "down": script("params.c < 0 ? -params.c : 0", c="change"),
            "ups": ewma("up", 1 / 14),
            "downs": ewma("down", 1 / 14),
            "rsi": script("100 - 100 / (1 + params.u / params.d)", u="ups", d="downs"),
            "fast": ewma("close", 2 / 13),
            "slow": ewma("close", 2 / 27),
            "macd": script("params.f - params.s", f="fast", s="slow"),
            "signal": ewma("macd", 2 / 10),
            "histogram": script("params.m - params.s", m="macd", s="signal"),
        },
    }
    for symbol in ("AAPL", "BAC", "IBM", "SPY"):
        rows = [row for row in reference if row["symbol"] == symbol]
        found = buckets(server.aggregate("bars", query={"term": {"symbol.keyword": symbol}}, days=days)["days"])
        check(len(found) == len(rows), f"3-05 {symbol}: {len(rows)} days")
        # Averages start with the first value here and with a mean of 14 or 26 days there: what is
        # left of that after 400 days is below the bound.
        for place in range(400, len(rows)):
            row, bucket = rows[place], found[place]
            pairs = [("rsi", "rsi14_talib"), ("macd", "macd_talib"), ("signal", "macd_signal_talib"), ("histogram", "macd_hist_talib")]
            for name, column in pairs:
                if not near(bucket[name]["value"], float(row[column]), 0, 1e-8):
                    sys.exit(f"FAILED: 3-05 3-06 {symbol} {row['date']} {name}: {bucket[name]['value']}, expected {row[column]}")
        check(True, f"3-05 3-06 {symbol}: RSI, MACD, signal and histogram are TA-Lib's from day 400 on")


def of_bank(server, data):
    events = [json.loads(line) for line in lines(f"{data}/bank/project_bigdata_events.ndjson")]
    server.ok("PUT", "/transactions", {"mappings": {"properties": {
        "transaction_date": {"type": "date", "format": "yyyy-MM-dd HH:mm:ss"}}}})
    server.load(("transactions", None, event) for event in events)
    by_date = {"size": 100, "sort": [{"transaction_date": "asc"}]}
    found = [hit["_source"] for hit in server.ok("POST", "/transactions/_search", by_date)["hits"]["hits"]]
    check(found == events, "4-08 six rows with all their fields, by date")
    window = {"range": {"transaction_date": {"gte": "2024-01-02 00:00:00", "lte": "2024-01-04 23:59:59"}}}
    check(server.count("transactions", window) == 3, "4-09 three rows in a range of dates")
    ends = server.aggregate("transactions", first=metric("min", "transaction_date"), last=metric("max", "transaction_date"))
    found = (ends["first"]["value_as_string"], ends["last"]["value_as_string"])
    check(found == ("2024-01-01 00:00:00", "2024-05-02 21:31:29"), "4-09 first and last date")
    inner = {"terms": {"field": "transaction_type.keyword"}, "aggs": {"sum": metric("sum", "transaction_value")}}
    accounts = {"terms": {"field": "account.keyword", "order": {"_key": "asc"}},
                "aggs": {"types": inner, "last": {"top_hits": {"size": 1, "sort": [{"transaction_date": "desc"}]}}}}
    found = buckets(server.aggregate("transactions", accounts=accounts)["accounts"])
    shown = {b["key"]: {t["key"]: (t["doc_count"], t["sum"]["value"]) for t in b["types"]["buckets"]} for b in found}
    expected = {"C100": {"deposit": (2, 1100), "withdrawal": (2, 170)}, "C200": {"deposit": (1, 2500), "withdrawal": (1, 200)}}
    check(shown == expected, f"4-10 4-11 counts and amounts: {shown}")
    last = {b["key"]: b["last"]["hits"]["hits"][0]["_source"]["balance"] for b in found}
    check(last == {"C100": 930, "C200": 2300}, f"4-13 current balances: {last}")
    body = by_date | {"query": {"term": {"account.keyword": "C100"}}}
    found = [hit["_source"]["balance"] for hit in server.ok("POST", "/transactions/_search", body)["hits"]["hits"]]
    check(found == [1000, 975, 830, 930], "4-12 the balance of an account over time")

    rows = table(f"{data}/bank/berka_transactions.csv.zst")
    counts, cents = Counter(), Counter()
    documents = []
    for row in rows:
        key = (row["account"], row["transaction_type"])
        counts[key] += 1
        cents[key] += round(float(row["transaction_value"]) * 100)
        documents.append(("berka", row["trans_id"], {"date": row["transaction_date"], "account": row["account"],
                                                     "type": row["transaction_type"], "value": float(row["transaction_value"])}))
    server.load(documents)
    accounts = {"terms": {"field": "account.keyword", "size": 1000},
                "aggs": {"types": {"terms": {"field": "type.keyword"}, "aggs": {"sum": metric("sum", "value")}}}}
    found = buckets(server.aggregate("berka", accounts=accounts)["accounts"])
    shown = {(a["key"], t["key"]): (t["doc_count"], t["sum"]["value"]) for a in found for t in a["types"]["buckets"]}
    check({key: n for key, (n, _) in shown.items()} == counts, f"4-10 {len(rows)} rows of 354 accounts")
    check(all(sum_ == cents[key] / 100 for key, (_, sum_) in shown.items()), "4-11 sums are exact to the cent")


def main():
    server, data = Server(sys.argv[1]), sys.argv[2]
    for part in (of_seed_0, of_decoded_blocks, of_prices, of_miners, of_seed_1, of_events, of_logs, of_stocks, of_bank):
        part(server, data)


if __name__ == "__main__":
    main()
