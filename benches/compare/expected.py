"""The right answers, from the data alone: numpy over the columns of t20.parquet, with integer sums. No engine takes part."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from questions import HOUR_MS, MINER, PERCENTS, ZONE, Table

DAY_MS = 24 * HOUR_MS

# The address whose rows are counted is that of this row.
ADDR_ROW = 4_242


class Columns:
    """The table in memory; texts as codes into their distinct values, which ascend."""

    def __init__(self, folder: Path) -> None:
        table = pq.read_table(folder / "t20.parquet", columns=["ts", "value", "fee", "price", "miner", "addr"], read_dictionary=["miner", "addr"])
        number = lambda name: table[name].combine_chunks().to_numpy()
        # Files differ in how finely they count time; T20 has whole milliseconds.
        milliseconds = table["ts"].cast(pa.timestamp("ms", tz=table["ts"].type.tz))
        self.ts = milliseconds.cast(pa.int64()).combine_chunks().to_numpy()
        self.value, self.fee = number("value"), number("fee")
        # Two decimals: sums of cents are exact, sums of doubles are not.
        self.cents = np.rint(number("price") * 100).astype(np.int64)
        self.miner, self.miners = codes(table["miner"])
        self.addr, self.addrs = codes(table["addr"])
        self.rows = len(self.ts)
        assert np.all(np.diff(self.ts) >= 0), "t20 ascends by time"

    def table(self) -> Table:
        return Table(addr=self.addrs[self.addr[ADDR_ROW]])


def codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    encoded = column.combine_chunks() if column.num_chunks == 1 else column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    terms = encoded.dictionary
    order = pc.sort_indices(terms).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[encoded.indices.to_numpy()], terms.take(pa.array(order)).to_pylist()


def sums(groups: np.ndarray, values: np.ndarray, count: int) -> list[int]:
    """Exact sums by group: 64-bit integers do not overflow here, and nothing is a float."""
    out = np.zeros(count, dtype=np.int64)
    np.add.at(out, groups, values)
    return out.tolist()


def starts(first_ms: int, last_ms: int, zone: str, months: bool) -> np.ndarray:
    """Starts of the calendar's days or months that cover the data, and one behind."""
    local = datetime.fromtimestamp(first_ms // 1000, ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    local = local.replace(day=1) if months else local
    found = []
    while True:
        instant = local.replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)
        found.append(int(instant.timestamp()) * 1000)
        if found[-1] > last_ms:
            return np.array(found)
        local = (local + timedelta(days=32)).replace(day=1) if months else local + timedelta(days=1)


def buckets(columns: Columns, edges: np.ndarray) -> list:
    groups = np.searchsorted(edges, columns.ts, side="right") - 1
    counts = np.bincount(groups, minlength=len(edges)).tolist()
    totals = sums(groups, columns.value, len(edges))
    return [[start, count, total] for start, count, total in zip(edges.tolist(), counts, totals) if count]


def answers(columns: Columns) -> dict[str, list]:
    """Every question's rows."""
    ts, first, last = columns.ts, int(columns.ts[0]), int(columns.ts[-1])
    hours = np.arange(first // HOUR_MS, last // HOUR_MS + 1) * HOUR_MS
    days = np.arange(first // DAY_MS, last // DAY_MS + 1) * DAY_MS
    # Rows ascend, so a bucket is a slice.
    cuts = lambda edges, width_ms: zip(edges.tolist(), np.searchsorted(ts, edges).tolist(), np.searchsorted(ts, edges + width_ms).tolist())

    hour_stats = []
    for start, a, b in cuts(hours, HOUR_MS):
        if a < b:
            cents = columns.cents[a:b]
            mean = int(cents.sum()) / (b - a) / 100
            hour_stats.append([start, int(cents.min()) / 100, int(cents.max()) / 100, mean, int(columns.fee[a:b].sum())])

    percentiles = [[start, *np.percentile(columns.fee[a:b], PERCENTS).tolist()] for start, a, b in cuts(days, DAY_MS) if a < b]

    width = len(columns.miners)
    cells = (ts - days[0]) // DAY_MS * width + columns.miner
    counts = np.bincount(cells, minlength=len(days) * width).tolist()
    totals = sums(cells, columns.value, len(days) * width)
    named = lambda cell: [columns.miners[cell % width], int(days[cell // width]), counts[cell], totals[cell]]
    miner_day = sorted(named(cell) for cell in range(len(counts)) if counts[cell])

    by_addr = sums(columns.addr, columns.value, len(columns.addrs))
    best = sorted(range(len(by_addr)), key=lambda addr: (-by_addr[addr], columns.addrs[addr]))[:10]
    latest = np.flatnonzero(columns.miner == columns.miners.index(MINER))[-100:][::-1]
    return {
        "hour_sum": buckets(columns, hours),
        "day_tz_sum": buckets(columns, starts(first, last, ZONE, months=False)),
        "month_sum": buckets(columns, starts(first, last, "UTC", months=True)),
        "miner_day_sum": miner_day,
        "hour_stats": hour_stats,
        "fee_pct_day": percentiles,
        "distinct_addr_exact": [[int(np.count_nonzero(np.bincount(columns.addr)))]],
        "top10_addr_sum": [[columns.addrs[addr], by_addr[addr]] for addr in best],
        "count_one_addr": [[int(np.count_nonzero(columns.addr == columns.addr[ADDR_ROW]))]],
        "last100_miner": [[int(ts[row]), int(columns.value[row]), columns.addrs[columns.addr[row]]] for row in latest],
    }
