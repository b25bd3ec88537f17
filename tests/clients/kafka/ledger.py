"""Nothing acknowledged is lost: `ledger.py BINARY FOLDER KAFKA_HOST:PORT HTTP_HOST:PORT SECONDS [SEED]`.

Eight producers (plain, idempotent, transactional) and four groups work while the server is killed,
ended and frozen, its disk is full and its disk is slow. Then everything is read once more, by Kafka
and as rows, and compared with what the producers were told:

- no acknowledged record is missing; none of an idempotent or transactional producer is there twice;
- each producer's records stand in its order; a plain one may repeat some, as it tries again;
- offsets of a reader never skip a record: every group has seen each record that is in the log;
- a full disk ends nothing: the server goes on by itself once there is room;
- of a transaction all records are visible or none; an aborted one shows none, neither to
  read_committed nor as a row.
"""

import atexit
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "ledger"
PARTITIONS = 4
PLAIN, IDEMPOTENT, TRANSACTIONAL = range(3), range(3, 6), range(6, 8)
GROUPS = 4
# A record of a producer every so often: the faults are what is tested, not the speed.
PAUSE_SECONDS = 0.002
READ_WAIT_SECONDS = 90
# Room for all that a run of minutes writes; none of it is taken before it is written.
DISK_BYTES = 512 << 20
SLOW_SYNC_MICROSECONDS = 400_000


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


class Disk:
    """A disk of its own for the server, so that it can be filled. Only root may have one."""

    def __init__(self, folder):
        self.folder = Path(folder)
        options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "siltstone-ledger", folder]
        mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        self.is_own = mounted.returncode == 0
        if self.is_own:
            atexit.register(subprocess.run, ["umount", "--lazy", folder], check=False)
        else:
            print(f"left out, a full disk: {mounted.stderr.strip()}", flush=True)

    def fill(self):
        """Leaves room for nothing; gives the file that takes it all."""
        ballast = self.folder / "ballast"
        with ballast.open("wb") as file:
            free = os.statvfs(self.folder)
            taken = free.f_bavail * free.f_frsize
            while taken > 4096:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), taken)
                except OSError:
                    taken //= 2
        return ballast


class Server:
    """The process under test."""

    def __init__(self, binary, folder, kafka, http):
        self.disk = Disk(folder)
        self.http = http
        self.command = [binary, "serve", "--data", folder, "--kafka", kafka, "--http", http, "--log", "error"]
        # Seals, merges and checkpoints often, so that faults meet them.
        self.command += ["--seal-age-ms", "2000", "--checkpoint-interval-ms", "3000", "--seal-rows", "2000"]
        # So little is kept free that the disk itself may say no first.
        self.command += ["--disk-reserve-bytes", str(1 << 20)]
        self.process = None
        atexit.register(lambda: self.process and self.process.kill())

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit(f"FAILED: the server says {line!r}")

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait()

    def freeze(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def fill_disk(self, seconds):
        if not self.disk.is_own:
            return
        ballast = self.disk.fill()
        time.sleep(seconds)
        status = 0
        try:
            ask(self.http, "/elsewhere/_doc", {})
        except urllib.error.HTTPError as error:
            status = error.code
        ballast.unlink()
        check(status == 429, f"a full disk takes no document: {status}")

    def slow_disk(self, seconds):
        """Each sync takes long: a tracer holds it up. The rest of the server goes on."""
        if shutil.which("strace") is None:
            print("left out, a slow disk: there is no strace", flush=True)
            return
        delay = f"inject=fdatasync:delay_enter={SLOW_SYNC_MICROSECONDS}"
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", delay]
        tracer = subprocess.Popen([*command, "-p", str(self.process.pid)], stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        check(tracer.poll() is None, "syncs were held up")
        tracer.terminate()
        tracer.wait()


class Ledger:
    """What producers were told."""

    def __init__(self, number):
        self.number = number
        self.sent = 0
        self.acknowledged = set()
        self.aborted = set()

    def value(self):
        value = json.dumps({"producer": self.number, "n": self.sent})
        self.sent += 1
        return self.sent - 1, value


def produce(address, ledger, stop):
    options = {"bootstrap.servers": address, "linger.ms": 5, "acks": "all", "message.timeout.ms": 300_000}
    if ledger.number in IDEMPOTENT:
        options["enable.idempotence"] = True
    else:
        # Without numbers only one request at a time keeps the order when one is sent again.
        options["max.in.flight.requests.per.connection"] = 1
    producer = Producer(options)

    def told(n):
        return lambda error, _: error or ledger.acknowledged.add(n)

    while not stop.is_set():
        n, value = ledger.value()
        producer.produce(TOPIC, value, key=str(ledger.number), on_delivery=told(n))
        producer.poll(PAUSE_SECONDS)
    producer.flush(120)


def transact(address, ledger, stop, chance):
    options = {
        "bootstrap.servers": address,
        "transactional.id": f"ledger-{ledger.number}",
        "transaction.timeout.ms": 20_000,
    }
    producer = None
    while not stop.is_set():
        numbers = []
        try:
            if producer is None:
                producer = Producer(options)
                producer.init_transactions(60)
            producer.begin_transaction()
            for _ in range(chance.randrange(1, 20)):
                n, value = ledger.value()
                numbers.append(n)
                producer.produce(TOPIC, value, key=str(ledger.number))
                producer.poll(PAUSE_SECONDS)
            if chance.random() < 0.3:
                producer.abort_transaction(60)
                ledger.aborted.update(numbers)
            else:
                producer.commit_transaction(60)
                ledger.acknowledged.update(numbers)
        except KafkaException:
            # Nobody knows how it ended: it counts for neither side. A new instance fences it.
            producer = None


def follow(address, group, seen, stop):
    options = {
        "bootstrap.servers": address,
        "group.id": f"ledger-{group}",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "session.timeout.ms": 10_000,
    }
    consumer = Consumer(options)
    consumer.subscribe([TOPIC])
    while not stop.is_set():
        records = [record for record in consumer.consume(500, 0.5) if record.error() is None]
        seen.update((record.partition(), record.offset()) for record in records)
        if records:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException:
                pass  # Read again after the next rebalance.
    consumer.close()


def read_all(address):
    """Every committed record: partition, offset, document."""
    options = {"bootstrap.servers": address, "group.id": "reader", "isolation.level": "read_committed"}
    consumer = Consumer({**options, "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    records, ended, deadline = [], set(), time.monotonic() + READ_WAIT_SECONDS
    while len(ended) < PARTITIONS and time.monotonic() < deadline:
        for record in consumer.consume(1000, 1.0):
            if record.error() is None:
                records.append((record.partition(), record.offset(), json.loads(record.value())))
            elif record.error().name() == "_PARTITION_EOF":
                ended.add(record.partition())
    consumer.close()
    check(len(ended) == PARTITIONS, "all of the log can be read")
    return sorted(records, key=lambda record: record[:2])


def ask(http, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{http}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def trouble(server, seconds, chance):
    """Ends the server in some way every few seconds and starts it again, or makes its life hard."""
    kinds = ["kill", "kill", "end", "freeze", "full disk", "slow disk"]
    deadline, counts = time.monotonic() + seconds, dict.fromkeys(kinds, 0)
    while time.monotonic() < deadline:
        # Each kind comes in each round, in another order.
        for kind in chance.sample(kinds, len(kinds)):
            time.sleep(chance.uniform(2, 6))
            match kind:
                case "kill":
                    server.end(signal.SIGKILL)
                    server.start()
                case "end":
                    server.end(signal.SIGTERM)
                    server.start()
                case "freeze":
                    server.freeze(chance.uniform(0.5, 3))
                case "full disk":
                    server.fill_disk(chance.uniform(1, 4))
                case "slow disk":
                    server.slow_disk(chance.uniform(2, 5))
            counts[kind] += 1
            if time.monotonic() >= deadline:
                break
    return counts


def verify(records, ledgers):
    found = {ledger.number: [] for ledger in ledgers}
    for _, _, document in records:
        found[document["producer"]].append(document["n"])
    for ledger in ledgers:
        numbers, distinct = found[ledger.number], set(found[ledger.number])
        lost = ledger.acknowledged - distinct
        check(not lost, f"producer {ledger.number}: none of {len(ledger.acknowledged)} acknowledged is lost {sorted(lost)[:5]}")
        check(not ledger.aborted & distinct, f"producer {ledger.number}: none of {len(ledger.aborted)} aborted is seen")
        if ledger.number not in PLAIN:
            check(len(numbers) == len(distinct), f"producer {ledger.number}: none of {len(numbers)} is there twice")
        # The first time that each is there; a plain producer's repetitions come later.
        first = list(dict.fromkeys(numbers))
        check(first == sorted(first), f"producer {ledger.number}: its order is kept")


def main():
    binary, folder, kafka, http, seconds = sys.argv[1:6]
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else int.from_bytes(os.urandom(4))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    server = Server(binary, folder, kafka, http)
    server.start()
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)

    stop, stop_reading = threading.Event(), threading.Event()
    ledgers = [Ledger(number) for number in range(8)]
    seen = [set() for _ in range(GROUPS)]
    writers = [
        threading.Thread(target=transact, args=(kafka, ledger, stop, random.Random(chance.random())))
        if ledger.number in TRANSACTIONAL
        else threading.Thread(target=produce, args=(kafka, ledger, stop))
        for ledger in ledgers
    ]
    readers = [threading.Thread(target=follow, args=(kafka, group, seen[group], stop_reading)) for group in range(GROUPS)]
    for thread in writers + readers:
        # A failed check ends them too.
        thread.daemon = True
        thread.start()
    troubles = trouble(server, float(seconds), chance)
    stop.set()
    for thread in writers:
        thread.join()
    # What an instance that is gone has left open ends by its time-out.
    records = read_settled(kafka, readers, seen)
    stop_reading.set()
    for thread in readers:
        thread.join()

    check(any(troubles.values()), f"trouble: {troubles}, {len(records)} records")
    verify(records, ledgers)
    places = {record[:2] for record in records}
    for group, of_group in enumerate(seen):
        check(places <= of_group, f"group {group} has skipped nothing")
    ask(http, f"/{TOPIC}/_refresh", {})
    rows = ask(http, f"/{TOPIC}/_count")["count"]
    check(rows == len(records), f"each of {len(records)} records is one row, there are {rows}")
    server.end(signal.SIGTERM)
    check(server.process.returncode == 0, "the server ends in good order")


def read_settled(kafka, readers, seen):
    """Reads until no transaction is open and all groups have come to the end."""
    deadline = time.monotonic() + READ_WAIT_SECONDS
    before = None
    while True:
        records = read_all(kafka)
        places = {record[:2] for record in records}
        if places == before and all(places <= of_group for of_group in seen):
            return records
        if time.monotonic() > deadline:
            return records
        before = places
        time.sleep(2)


main()
