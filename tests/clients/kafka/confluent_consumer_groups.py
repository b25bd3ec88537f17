"""librdkafka's consumer groups of KIP-848 against a Siltstone server:
`confluent_consumer_groups.py HOST:PORT before|after`.

`before` leaves a group with commits behind, the server is killed, `after` goes on.
"""

import sys
import time

from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupType, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

TOPIC, GROUP, PARTITIONS, RECORDS = "c848-shared", "c848-readers", 4, 400


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def consumer(address, **options):
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": GROUP,
            "group.protocol": "consumer",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "metadata.recovery.strategy": "none",
            "topic.metadata.refresh.interval.ms": 2_000,
            **options,
        }
    )


def until(what, consumers, done, seconds=120):
    """Polls the consumers in turn until `done`; gives what they read."""
    records = {member: [] for member in consumers}
    deadline = time.monotonic() + seconds
    while not done(records):
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what}, in {seconds} s: {shares(consumers)}")
        for member in consumers:
            for record in member.consume(100, 0.05):
                if record.error() is None:
                    records[member].append(record)
    print(f"ok: {what}", flush=True)
    return records


def shares(consumers):
    return [{place.partition for place in member.assignment()} for member in consumers]


def produce(address, count):
    producer = Producer({"bootstrap.servers": address})
    for number in range(count):
        producer.produce(TOPIC, str(number).encode(), partition=number % PARTITIONS)
    check(producer.flush(30) == 0, f"{count} records are acknowledged")


def before(address):
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(TOPIC, num_partitions=PARTITIONS)])[TOPIC].result(10)
    produce(address, RECORDS)
    first = consumer(address)
    first.subscribe([TOPIC])
    read = until("one consumer reads everything", [first], lambda got: len(got[first]) >= RECORDS)
    check({int(it.value()) for it in read[first]} == set(range(RECORDS)), "every record is among it")
    second = consumer(address)
    second.subscribe([TOPIC])
    both = [first, second]
    until("two consumers share", both, lambda _: sorted(map(len, shares(both))) == [2, 2])
    check(set.union(*shares(both)) == set(range(PARTITIONS)), "every partition belongs to one of them")
    described = admin.describe_consumer_groups([GROUP])[GROUP].result(10)
    check(described.type == ConsumerGroupType.CONSUMER and len(described.members) == 2, "the group is described")
    check(described.state == ConsumerGroupState.STABLE, f"as {described.state}")
    third = consumer(address, **{"group.instance.id": "third", "group.remote.assignor": "range"})
    third.subscribe(["^c848-.*"])
    until("a third one subscribes to a pattern", [*both, third], lambda _: all(shares([*both, third])))
    third.close()
    until("it is away and its share waits", both, lambda _: True)
    third = consumer(address, **{"group.instance.id": "third"})
    third.subscribe(["^c848-.*"])
    until("it comes back", [*both, third], lambda _: all(shares([*both, third])))
    for member in (first, third):
        member.unsubscribe()
    until("who is left takes all", [second, first, third], lambda _: len(shares([second])[0]) == PARTITIONS, 90)
    commits = [TopicPartition(TOPIC, index, 50 + index, metadata=f"note {index}") for index in range(PARTITIONS)]
    second.commit(offsets=commits, asynchronous=False)
    check([it.offset for it in second.committed(commits, timeout=10)] == [50, 51, 52, 53], "commits are read back")
    admin.create_partitions([NewPartitions(TOPIC, PARTITIONS + 1)])[TOPIC].result(10)
    until("a new partition is shared out", [second], lambda _: len(shares([second])[0]) == PARTITIONS + 1)
    listed = {group.group_id: group.type for group in admin.list_consumer_groups().result(10).valid}
    check(listed.get(GROUP) == ConsumerGroupType.CONSUMER, f"the group is listed: {listed}")


def after(address):
    member = consumer(address)
    member.subscribe([TOPIC])
    left = sum(RECORDS // PARTITIONS - 50 - index for index in range(PARTITIONS))
    read = until("the group goes on where it was", [member], lambda got: len(got[member]) >= left, 120)
    firsts = {}
    for record in read[member]:
        firsts.setdefault(record.partition(), record.offset())
    check(firsts == {0: 50, 1: 51, 2: 52, 3: 53}, f"from the committed offsets: {firsts}")
    check(len(read[member]) == left, "each record once")
    member.close()


if __name__ == "__main__":
    {"before": before, "after": after}[sys.argv[2]](sys.argv[1])
