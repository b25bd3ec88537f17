#!/usr/bin/env python3
"""Sends the demo's real Bitcoin data to a Kafka port, with a client that Siltstone did not write.

    produce.py --bootstrap 127.0.0.1:9092 [--part 1/2] [--shuffle SEED] [--acks all]

Topics: `transactions` and `blocks` (36 blocks from 2009 to 2024), `btc_tx`, `btc_blk` and
`bpi_eur` (three of these blocks as an older system published them). `--part 1/2` sends the first
half of each topic. Progress goes to standard error; the last line of standard output counts what
was acknowledged. Exit code 0 only if every message was.
"""
import argparse
import csv
import json
import lzma
import os
import random
import sys
import time

from confluent_kafka import Producer

HERE = os.path.dirname(os.path.abspath(__file__))
SATOSHI = 100_000_000


def bitcoin(satoshi):
    """Satoshi as a decimal text in BTC: exact, never through a float."""
    return "%d.%08d" % divmod(int(satoshi), SATOSHI)


def transactions():
    """Every transaction but the coinbase of each block."""
    with lzma.open(os.path.join(HERE, "data", "transactions.csv.xz"), "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["tx_pos"] != "0":
                yield "transactions", (
                    '{"time":%s,"txid":"%s","height":%s,"size":%s,"amount_btc":%s}'
                    % (row["time"], row["txid"], row["height"], row["size"], bitcoin(row["out_total_sat"]))
                )


def blocks():
    with open(os.path.join(HERE, "data", "blocks.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield "blocks", (
                '{"time":%s,"height":%d,"hash":"%s","transactions":%s,"miner":%s,"reward_btc":%s}'
                % (
                    row["time"],
                    int(row["height"]),
                    row["hash"],
                    row["n_tx"],
                    json.dumps(row["miner"]),
                    bitcoin(int(row["subsidy_sat"]) + int(row["fees_sat"] or 0)),
                )
            )


def replay():
    with lzma.open(os.path.join(HERE, "data", "replay.ndjson.xz"), "rt", encoding="utf-8") as file:
        for line in file:
            # The value goes out as its writer printed it: digits are data.
            start = line.index('"value": ') + len('"value": ')
            yield json.loads(line)["topic"], line.rstrip()[start:-1]


def lines_of(topic_and_file):
    topic, path = topic_and_file.split("=", 1)
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield topic, line.rstrip("\n")


def part_of(messages, part):
    number, count = (int(x) for x in part.split("/"))
    if not 1 <= number <= count:
        raise SystemExit("--part %s: say 1/2 for the first of two parts" % part)
    size = len(messages)
    return messages[size * (number - 1) // count : size * number // count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--part", default="1/1", metavar="N/M")
    parser.add_argument("--acks", default="all")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="send in random order")
    parser.add_argument("--topics", help="only these, separated by commas")
    parser.add_argument("--rate", type=int, metavar="N", help="send at most N messages a second")
    parser.add_argument("--compression", default="lz4", choices=["none", "gzip", "snappy", "lz4", "zstd"])
    parser.add_argument("--lines", metavar="TOPIC=FILE", help="send each line of a file instead of the demo's data")
    options = parser.parse_args()

    messages = []
    sources = [lines_of(options.lines)] if options.lines else [transactions(), blocks(), replay()]
    for source in sources:
        messages.extend(part_of(list(source), options.part))
    if options.topics:
        wanted = set(options.topics.split(","))
        messages = [message for message in messages if message[0] in wanted]
    if options.shuffle is not None:
        random.Random(options.shuffle).shuffle(messages)

    failures = []
    start = time.monotonic()
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "acks": options.acks,
            "enable.idempotence": options.acks in ("all", "-1"),
            # The broker bounds what arrives, which is compressed; the client bounds what it is given.
            "compression.type": options.compression,
            "message.max.bytes": 10_000_000,
            "linger.ms": 5,
            "message.timeout.ms": 60000,
        }
    )

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    for number, (topic, value) in enumerate(messages, 1):
        if options.rate and number % 100 == 0:
            producer.poll(max(0, start + number / options.rate - time.monotonic()))
        while True:
            try:
                producer.produce(topic, value.encode(), on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        if number % 2000 == 0 or number == len(messages):
            print("\rsent %6d of %d messages" % (number, len(messages)), end="", file=sys.stderr, flush=True)
    left = producer.flush(60)
    print(file=sys.stderr)
    if failures or left:
        print("%d not acknowledged; first error: %s" % (len(failures) + left, (failures or ["time-out"])[0]), file=sys.stderr)
        return 1
    print("acknowledged %d" % len(messages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
