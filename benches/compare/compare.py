"""T20 on Siltstone, DuckDB and chdb in one run, side by side, every answer checked.

    python compare.py --t20 DIR --url http://127.0.0.1:9200 --pid $(pidof siltstone) --data DIR --output table.md

Engines take turns at every question, so that what else the machine does hits all of them. The first answer of each is checked
against numpy and its time thrown away; the median of the others counts. A wrong answer has no time.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from datetime import date
from pathlib import Path

import expected
from engines import Embedded, Siltstone
from questions import NAMES, difference


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--t20", type=Path, required=True, help="folder with t20.parquet")
    parser.add_argument("--url", required=True, help="a server that has the table")
    parser.add_argument("--index", default="t20", help="its index")
    parser.add_argument("--rollup", action="store_true", help="let rollup cells answer; without, rows do")
    parser.add_argument("--pid", type=int, help="the server's process, for its peak memory")
    parser.add_argument("--data", type=Path, help="the server's directory, for bytes per row and the number of segments")
    parser.add_argument("--engines", default="duckdb,chdb", help="the others, with commas; may be empty")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of the others")
    parser.add_argument("--rounds", type=int, default=5, help="times that count, of each question")
    parser.add_argument("--output", type=Path, help="where the table goes; standard output without")
    return parser.parse_args()


def measure(engines: list, table, right: dict, rounds: int) -> dict:
    """{question: {engine: milliseconds, or what is wrong}}"""
    measured = {}
    for name in NAMES:
        times = {engine.name: [] for engine in engines}
        wrong = {}
        for turn in range(rounds + 1):
            for engine in engines:
                if engine.name in wrong:
                    continue
                try:
                    took_ms, rows = engine.ask(name, table)
                except Exception as error:  # An engine that cannot answer must not end the run of the others.
                    wrong[engine.name] = f"failed: {error}"
                    continue
                problem = difference(name, rows, right[name])
                if problem:
                    wrong[engine.name] = f"wrong: {problem}"
                elif turn > 0:
                    times[engine.name].append(took_ms)
        measured[name] = {engine.name: wrong.get(engine.name) or statistics.median(times[engine.name]) for engine in engines}
        print(name, measured[name], file=sys.stderr)
    return measured


def cell(value: float | str | None) -> str:
    match value:
        case None:
            return "-"
        case str():
            return value.split(":")[0]
        case _:
            return f"{value:.1f} ms"


def render(options: argparse.Namespace, rows: int, measured: dict, conditions: dict, load: tuple) -> str:
    names = list(conditions)
    others = [name for name in names if name != Siltstone.name]
    lines = [f"| question | {' | '.join(names)} | against the better of the others |", "|---|" + "---:|" * (len(names) + 1)]
    for question, times in measured.items():
        ours = times[Siltstone.name]
        rivals = [times[name] for name in others if isinstance(times[name], float)]
        ratio = f"{min(rivals) / ours:.1f}×" if rivals and isinstance(ours, float) else "-"
        lines.append(f"| `{question}` | {' | '.join(cell(times[name]) for name in names)} | {ratio} |")
    fact = lambda key, form: " | ".join("-" if conditions[name].get(key) is None else form(conditions[name][key]) for name in names)
    lines += [
        f"| bytes per row | {fact('disk_bytes', lambda n: f'{n / rows:.2f}')} | |",
        f"| segments or parts | {fact('parts', str)} | |",
        f"| peak RSS | {fact('rss_mb', lambda n: f'{n} MB')} | |",
        f"| version | {fact('version', str)} | |",
        "",
        f"{date.today()}: {rows:,} rows, {machine()}; load {load[0]:.1f} at the start, {load[1]:.1f} at the end. "
        f"Median of {options.rounds} warm answers, engines in turn; {options.threads} threads for the others; "
        f"{'cells and rows' if options.rollup else 'rows alone'} for Siltstone, over HTTP, everything else in process. "
        f"Bytes per row count the table and, for Siltstone, the original documents.",
    ]
    problems = [f"- `{question}`, {name}: {value}" for question, times in measured.items() for name, value in times.items() if isinstance(value, str)]
    return "\n".join([*lines, "", *problems]).rstrip() + "\n"


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} cores of {model}, {pages >> 30} GB"


def main() -> int:
    options = arguments()
    columns = expected.Columns(options.t20)
    table, right = columns.table(), expected.answers(columns)
    rows = columns.rows
    del columns
    folder = Path(tempfile.mkdtemp(prefix="compare-"))
    engines: list = [Siltstone(options.url, options.index, options.rollup, options.pid, options.data)]
    try:
        load = os.getloadavg()[0]
        for engine in filter(None, options.engines.split(",")):
            engines.append(Embedded(engine, options.t20 / "t20.parquet", folder, options.threads))
        measured = measure(engines, table, right, options.rounds)
        conditions = {engine.name: engine.conditions() for engine in engines}
        text = render(options, rows, measured, conditions, (load, os.getloadavg()[0]))
    finally:
        for engine in engines:
            engine.close()
        shutil.rmtree(folder, ignore_errors=True)
    if options.output:
        options.output.write_text(text)
    else:
        print(text)
    return int(any(isinstance(value, str) for times in measured.values() for value in times.values()))


if __name__ == "__main__":
    sys.exit(main())
