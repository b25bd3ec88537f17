"""librdkafka's consumer groups against a Siltstone server: `confluent_groups.py HOST:PORT before|after`.

`before` leaves a group with commits and members behind, the server is killed, `after` goes on.
"""

import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, AlterConfigOpType, ConfigEntry, NewPartitions, NewTopic

TOPIC, GROUP, PARTITIONS, RECORDS = "rd-shared", "rd-readers", 4, 400


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def consumer(address, group=GROUP, **options):
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 10_000,
            "heartbeat.interval.ms": 500,
            **options,
        }
    )


def produce(address, first, count):
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    for number in range(first, first + count):
        producer.produce(TOPIC, str(number).encode(), partition=number % PARTITIONS)
    check(producer.flush(30) == 0, f"{count} records are acknowledged")


def until(what, consumers, done, seconds=120):
    """Polls the consumers in turn until `done`; gives what they read."""
    records = {member: [] for member in consumers}
    deadline = time.monotonic() + seconds
    while not done(records):
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what}, in {seconds} s")
        for member in consumers:
            for record in member.consume(100, 0.05):
                if record.error() is None:
                    records[member].append(record)
    print(f"ok: {what}", flush=True)
    return records


def shares(consumers):
    return [{place.partition for place in member.assignment()} for member in consumers]


def before(address):
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(TOPIC, num_partitions=PARTITIONS)])[TOPIC].result(10)
    produce(address, 0, RECORDS)
    first = consumer(address)
    first.subscribe([TOPIC])
    until("one consumer gets every partition", [first], lambda _: shares([first]) == [set(range(PARTITIONS))])
    second = consumer(address)
    second.subscribe([TOPIC])
    both = [first, second]
    until("two consumers share", both, lambda _: sorted(map(len, shares(both))) == [2, 2])
    check(set.union(*shares(both)) == set(range(PARTITIONS)), "every partition belongs to one of them")
    first.close()
    until("who is left takes all", [second], lambda _: shares([second]) == [set(range(PARTITIONS))])
    for index in range(PARTITIONS):
        second.seek(TopicPartition(TOPIC, index, 0))
    records = until("it reads everything again after a seek", [second], lambda got: len(got[second]) >= RECORDS)
    values = {int(record.value()) for record in records[second]}
    check(values == set(range(RECORDS)), "every record is among them")
    commits = [TopicPartition(TOPIC, index, 50 + index, metadata=f"note {index}") for index in range(PARTITIONS)]
    second.commit(offsets=commits, asynchronous=False)
    committed = second.committed(commits, timeout=10)
    check([place.offset for place in committed] == [50, 51, 52, 53], "commits are read back")
    described = admin.describe_consumer_groups([GROUP])[GROUP].result(10)
    check(described.state.name == "STABLE" and len(described.members) == 1, "the group is described")
    tooling(address, admin)


def tooling(address, admin):
    listed = {group.group_id: group.state.name for group in admin.list_consumer_groups().result(10).valid}
    check(listed.get(GROUP) == "STABLE", f"the group is listed: {listed}")
    resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
    entry = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ConfigResource.Type.TOPIC, TOPIC, incremental_configs=[entry])
    admin.incremental_alter_configs([changed])[changed].result(10)
    configs = admin.describe_configs([resource])[resource].result(10)
    check(configs["max.message.bytes"].value == "2000", "a config is changed")
    refused = []
    producer = Producer({"bootstrap.servers": address})
    producer.produce(TOPIC, b"x" * 3_000, partition=0, on_delivery=lambda error, _: refused.append(error))
    producer.flush(10)
    check(refused and refused[0] is not None, "and obeyed")
    admin.create_topics([NewTopic("rd-grows", num_partitions=1)])["rd-grows"].result(10)
    admin.create_partitions([NewPartitions("rd-grows", 3)])["rd-grows"].result(10)
    check(len(admin.list_topics("rd-grows", 10).topics["rd-grows"].partitions) == 3, "a topic gets more partitions")
    moved = admin.delete_records([TopicPartition(TOPIC, 3, 10)])
    check(all(done.result(10).low_watermark == 10 for done in moved.values()), "records are deleted")
    place = TopicPartition(TOPIC, 3)
    probe = consumer(address, "nobody")
    check(probe.get_watermark_offsets(place, 10) == (10, RECORDS // PARTITIONS), "the log starts behind them")
    probe.close()


def after(address):
    admin = AdminClient({"bootstrap.servers": address})
    member = consumer(address)
    places = [TopicPartition(TOPIC, index) for index in range(PARTITIONS)]
    committed = member.committed(places, timeout=20)
    check([place.offset for place in committed] == [50, 51, 52, 53], "commits survive the kill")
    lag = [member.get_watermark_offsets(place, 10)[1] - place.offset for place in committed]
    check(lag == [50, 49, 48, 47], f"the lag is what is left: {lag}")
    member.subscribe([TOPIC])
    records = until("the group goes on where it was", [member], lambda got: len(got[member]) >= sum(lag), 60)
    firsts = {}
    for record in records[member]:
        firsts.setdefault(record.partition(), record.offset())
    check(firsts == {0: 50, 1: 51, 2: 52, 3: 53}, f"from the committed offsets: {firsts}")
    check(len(records[member]) == sum(lag), "each record once")
    try:
        admin.delete_consumer_groups([GROUP])[GROUP].result(10)
        check(False, "a group with members cannot be deleted")
    except KafkaException as error:
        check(error.args[0].name() == "NON_EMPTY_GROUP", "a group with members cannot be deleted")
    member.close()
    wanted = ConsumerGroupTopicPartitions(GROUP, [TopicPartition(TOPIC, 0, 5)])
    admin.alter_consumer_group_offsets([wanted])[GROUP].result(10)
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])[GROUP].result(10)
    check({it.partition: it.offset for it in found.topic_partitions}[0] == 5, "a tool resets the group")
    admin.delete_consumer_groups([GROUP])[GROUP].result(10)
    listed = [group.group_id for group in admin.list_consumer_groups().result(10).valid]
    check(GROUP not in listed, "the group is deleted")


if __name__ == "__main__":
    {"before": before, "after": after}[sys.argv[2]](sys.argv[1])
