"""The questions, in the words of each engine, and the shape that all answers are brought to.

The table `t20` has the columns ts (UTC milliseconds, ascending), height, value, fee, price, miner and addr. A question is a name
and a function for each engine that makes its text; `shape_*` turns what the engine says into rows of plain numbers and strings.
"""

from dataclasses import dataclass
from datetime import datetime

HOUR_MS = 3_600_000
ZONE = "Europe/Berlin"
MINER = "miner-007"
PERCENTS = (50, 95, 99)

NAMES = (
    "hour_sum",
    "day_tz_sum",
    "month_sum",
    "miner_day_sum",
    "hour_stats",
    "fee_pct_day",
    "distinct_addr_exact",
    "top10_addr_sum",
    "count_one_addr",
    "last100_miner",
)

# How far an answer may be from the expected one, relatively. Percentiles are sketched by some engines; means are rounded doubles.
TOLERANCE = {"fee_pct_day": 0.02, "hour_stats": 1e-9}


@dataclass(frozen=True)
class Table:
    """What questions need to know about the data."""

    addr: str
    """The address whose rows are counted."""


def duckdb_sql(name: str, table: Table) -> str:
    """One question for DuckDB, whose `ts` is a TIMESTAMP in UTC."""
    hour, day, month = (f"date_trunc('{unit}', ts)" for unit in ("hour", "day", "month"))
    local = f"date_trunc('day', ts AT TIME ZONE 'UTC' AT TIME ZONE '{ZONE}')"
    local_ms = f"epoch_ms(b AT TIME ZONE '{ZONE}')"
    by = lambda bucket, values, ms="epoch_ms(b)": (
        f"SELECT {ms}, * EXCLUDE b FROM (SELECT {bucket} b, {values} FROM t20 GROUP BY b) ORDER BY 1"
    )
    quantiles = ", ".join(f"quantile_cont(fee, {p / 100})" for p in PERCENTS)
    return {
        "hour_sum": by(hour, "count(*), sum(value)"),
        "day_tz_sum": by(local, "count(*), sum(value)", local_ms),
        "month_sum": by(month, "count(*), sum(value)"),
        "miner_day_sum": f"SELECT miner, epoch_ms({day}), count(*), sum(value) FROM t20 GROUP BY ALL ORDER BY ALL",
        "hour_stats": by(hour, "min(price), max(price), avg(price), sum(fee)"),
        "fee_pct_day": by(day, quantiles),
        "distinct_addr_exact": "SELECT count(DISTINCT addr) FROM t20",
        "top10_addr_sum": "SELECT addr, sum(value) s FROM t20 GROUP BY addr ORDER BY s DESC, addr LIMIT 10",
        "count_one_addr": f"SELECT count(*) FROM t20 WHERE addr = '{table.addr}'",
        "last100_miner": f"SELECT epoch_ms(ts), value, addr FROM t20 WHERE miner = '{MINER}' ORDER BY ts DESC LIMIT 100",
    }[name]


def chdb_sql(name: str, table: Table) -> str:
    """One question for chdb, whose `ts` is a DateTime64(3, 'UTC')."""
    ms = lambda bucket: f"toUnixTimestamp(toDateTime({bucket}, 'UTC')) * 1000"
    by = lambda bucket, values: (
        f"SELECT {ms('b')}, * EXCEPT b FROM (SELECT {bucket} b, {values} FROM t20 GROUP BY b) ORDER BY 1"
    )
    quantiles = ", ".join(f"quantileTDigest({p / 100})(fee) p{p}" for p in PERCENTS)
    local = f"SELECT toUnixTimestamp(b) * 1000, n, s FROM (SELECT toStartOfDay(ts, '{ZONE}') b, count() n, sum(value) s FROM t20 GROUP BY b) ORDER BY 1"
    return {
        "hour_sum": by("toStartOfHour(ts)", "count() n, sum(value) s"),
        "day_tz_sum": local,
        "month_sum": by("toStartOfMonth(ts)", "count() n, sum(value) s"),
        "miner_day_sum": f"SELECT miner, {ms('toStartOfDay(ts)')} d, count(), sum(value) FROM t20 GROUP BY miner, d ORDER BY miner, d",
        "hour_stats": by("toStartOfHour(ts)", "min(price) lo, max(price) hi, avg(price) mean, sum(fee) f"),
        "fee_pct_day": by("toStartOfDay(ts)", quantiles),
        "distinct_addr_exact": "SELECT uniqExact(addr) FROM t20",
        "top10_addr_sum": "SELECT addr, sum(value) s FROM t20 GROUP BY addr ORDER BY s DESC, addr LIMIT 10",
        "count_one_addr": f"SELECT count() FROM t20 WHERE addr = '{table.addr}'",
        "last100_miner": f"SELECT toUnixTimestamp64Milli(ts), value, addr FROM t20 WHERE miner = '{MINER}' ORDER BY ts DESC LIMIT 100",
    }[name]


def search_body(name: str, table: Table, keyword: str) -> dict:
    """One question as a search; `keyword` is what must follow a text field's name."""
    addr, miner = f"addr{keyword}", f"miner{keyword}"
    total = {"s": {"sum": {"field": "value"}}}

    def histogram(interval: dict, children: dict) -> dict:
        return {"b": {"date_histogram": {"field": "ts", **interval}, "aggs": children}}

    hour = {"fixed_interval": "1h"}
    day = {"calendar_interval": "day"}
    stats = {"price": {"stats": {"field": "price"}}, "fee": {"sum": {"field": "fee"}}}
    best = {"field": addr, "size": 10, "order": {"s": "desc"}}
    aggregations = {
        "hour_sum": histogram(hour, total),
        "day_tz_sum": histogram({**day, "time_zone": ZONE}, total),
        "month_sum": histogram({"calendar_interval": "month"}, total),
        "miner_day_sum": {"m": {"terms": {"field": miner, "size": 1000}, "aggs": histogram(day, total)}},
        "hour_stats": histogram(hour, stats),
        "fee_pct_day": histogram(day, {"p": {"percentiles": {"field": "fee", "percents": list(PERCENTS)}}}),
        "distinct_addr_exact": {"d": {"cardinality": {"field": addr}}},
        "top10_addr_sum": {"t": {"terms": best, "aggs": total}},
    }
    if name in aggregations:
        return {"size": 0, "track_total_hits": False, "aggs": aggregations[name]}
    if name == "count_one_addr":
        return {"size": 0, "track_total_hits": True, "query": {"term": {addr: table.addr}}}
    return {
        "size": 100,
        "track_total_hits": False,
        "sort": [{"ts": "desc"}],
        "query": {"bool": {"filter": [{"term": {miner: MINER}}]}},
    }


def shape_rows(name: str, rows: list) -> list:
    """What an SQL engine answers, as lists of integers, floats and strings."""
    exact = name not in TOLERANCE
    plain = lambda value: value if isinstance(value, (str, float)) and not (exact and isinstance(value, float)) else int(value)
    return [[plain(value) for value in row] for row in rows]


def shape_search(name: str, answer: dict) -> list:
    """What a search answers, in the same rows."""
    if name == "count_one_addr":
        return [[answer["hits"]["total"]["value"]]]
    if name == "last100_miner":
        documents = (hit["_source"] for hit in answer["hits"]["hits"])
        return [[instant_ms(document["ts"]), document["value"], document["addr"]] for document in documents]
    found = answer["aggregations"]
    if name == "distinct_addr_exact":
        return [[found["d"]["value"]]]
    if name == "top10_addr_sum":
        return [[bucket["key"], int(bucket["s"]["value"])] for bucket in found["t"]["buckets"]]
    if name == "miner_day_sum":
        cells = ((miner["key"], cell) for miner in found["m"]["buckets"] for cell in filled(miner["b"]))
        return sorted([miner, cell["key"], cell["doc_count"], int(cell["s"]["value"])] for miner, cell in cells)
    buckets = filled(found["b"])
    if name == "hour_stats":
        stats = lambda bucket: [bucket["price"][of] for of in ("min", "max", "avg")]
        return [[bucket["key"], *stats(bucket), int(bucket["fee"]["value"])] for bucket in buckets]
    if name == "fee_pct_day":
        return [[bucket["key"], *bucket["p"]["values"].values()] for bucket in buckets]
    return [[bucket["key"], bucket["doc_count"], int(bucket["s"]["value"])] for bucket in buckets]


def filled(histogram: dict) -> list:
    """The buckets that have rows: SQL has no others."""
    return [bucket for bucket in histogram["buckets"] if bucket["doc_count"]]


def instant_ms(text: str) -> int:
    """`2026-02-01T00:00:00.488Z` as milliseconds, without passing through a float of seconds."""
    instant = datetime.fromisoformat(text)
    return int(instant.replace(microsecond=0).timestamp()) * 1000 + instant.microsecond // 1000


def difference(name: str, found: list, expected: list) -> str | None:
    """What is wrong with an answer, or nothing."""
    if len(found) != len(expected):
        return f"{len(found)} rows instead of {len(expected)}"
    tolerance = TOLERANCE.get(name, 0)
    for row, wanted in zip(found, expected):
        for value, want in zip(row, wanted, strict=True):
            close = value == want if isinstance(want, str) else abs(value - want) <= tolerance * abs(want)
            if not close:
                return f"{row} instead of {wanted}"
    return None
