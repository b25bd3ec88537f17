"""kafka-python's consumer groups against a Siltstone server: `kafka_python_groups.py HOST:PORT before|after`.

`before` leaves a group with commits behind, the server is killed, `after` goes on.
"""

import queue
import sys
import threading
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

TOPIC, GROUP, PARTITIONS, RECORDS = "kp-shared", "kp-readers", 4, 200
IS_OLD = kafka.__version__.startswith("2.0.")


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def consumer(address):
    return KafkaConsumer(
        TOPIC,
        bootstrap_servers=address,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=500,
    )


class Reader(threading.Thread):
    """A consumer in a thread of its own: a poll lasts as long as the others take to join."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.records, self.share, self.orders = address, [], set(), queue.Queue()
        self.start()

    def run(self):
        member = consumer(self.address)
        while True:
            for batch in member.poll(timeout_ms=100).values():
                self.records.extend(batch)
            self.share = {place.partition for place in member.assignment()}
            while not self.orders.empty():
                order, done = self.orders.get()
                done.put(order(member))
                if order is leave:
                    return

    def ask(self, order):
        """What `order` says of the consumer, between two of its polls."""
        done = queue.Queue()
        self.orders.put((order, done))
        return done.get(timeout=120)


def leave(member):
    member.close(autocommit=False)


def until(what, done, seconds=120):
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what}, in {seconds} s")
        time.sleep(0.05)
    print(f"ok: {what}", flush=True)


def committed(offset, note):
    return OffsetAndMetadata(offset, note) if IS_OLD else OffsetAndMetadata(offset, note, -1)


def before(address):
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    for number in range(RECORDS):
        producer.send(TOPIC, str(number).encode(), partition=number % PARTITIONS)
    producer.flush()
    everything = set(range(PARTITIONS))
    first = Reader(address)
    until("one consumer gets every partition", lambda: first.share == everything)
    second = Reader(address)
    until("two consumers share", lambda: sorted(map(len, (first.share, second.share))) == [2, 2])
    check(first.share | second.share == everything, "every partition belongs to one of them")
    first.ask(leave)
    until("who is left takes all", lambda: second.share == everything)
    second.ask(lambda member: (second.records.clear(), member.seek_to_beginning()))
    until("it reads everything again after a seek", lambda: len(second.records) >= RECORDS)
    check({int(record.value) for record in second.records} == set(range(RECORDS)), "every record is among them")
    places = [TopicPartition(TOPIC, index) for index in range(PARTITIONS)]
    commits = {place: committed(20 + place.partition, f"note {place.partition}") for place in places}
    second.ask(lambda member: member.commit(commits))
    read = second.ask(lambda member: [member.committed(place) for place in places])
    check(read == [20, 21, 22, 23], f"commits are read back: {read}")
    listed = admin.list_consumer_groups() if IS_OLD else admin.list_groups()
    check(GROUP in str(listed), f"the group is listed: {listed}")
    admin.create_topics([NewTopic("kp-grows", 1, 1)])
    admin.create_partitions({"kp-grows": NewPartitions(3)})
    consumer_of = KafkaConsumer("kp-grows", bootstrap_servers=address)
    check(consumer_of.partitions_for_topic("kp-grows") == {0, 1, 2}, "a topic gets more partitions")
    consumer_of.close()
    second.ask(leave)


def after(address):
    admin = KafkaAdminClient(bootstrap_servers=address)
    offsets = admin.list_consumer_group_offsets(GROUP) if IS_OLD else admin.list_group_offsets(GROUP)
    notes = str(offsets)
    check(all(f"note {index}" in notes for index in range(PARTITIONS)), f"commits and notes survive: {offsets}")
    reader = Reader(address)
    count = RECORDS - sum(20 + index for index in range(PARTITIONS))
    until("the group goes on where it was", lambda: len(reader.records) >= count)
    firsts = {}
    for record in reader.records:
        firsts.setdefault(record.partition, record.offset)
    check(firsts == {0: 20, 1: 21, 2: 22, 3: 23}, f"from the committed offsets: {firsts}")
    reader.ask(lambda member: member.commit())
    lag = reader.ask(
        lambda member: [end - member.committed(place) for place, end in member.end_offsets(member.assignment()).items()]
    )
    check(lag == [0] * PARTITIONS, f"nothing is left: {lag}")
    reader.ask(leave)


if __name__ == "__main__":
    {"before": before, "after": after}[sys.argv[2]](sys.argv[1])
