"""librdkafka against a Siltstone server: `confluent_client.py HOST:PORT`."""

import sys
import time
import uuid

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

RECORDS = 2_000


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def consume(address, topic, count, start=0):
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, 0, start)])
    records = []
    deadline = time.monotonic() + 30
    while len(records) < count and time.monotonic() < deadline:
        for record in consumer.consume(500, 1.0):
            if record.error() is None:
                records.append(record)
    consumer.close()
    return records


def produce(address, topic, values, **options):
    failures = []
    producer = Producer({"bootstrap.servers": address, "linger.ms": 5, **options})
    for value in values:
        producer.produce(topic, value, key=b"k", partition=0, on_delivery=lambda e, _: e and failures.append(e))
        producer.poll(0)
    left = producer.flush(60)
    return failures, left


def codecs(address, tag):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        for idempotent in (False, True):
            topic = f"rd-{codec}-{idempotent}-{tag}"
            values = [f"{codec} {number} {'y' * 100}".encode() for number in range(RECORDS)]
            failures, left = produce(
                address, topic, values, **{"compression.type": codec, "enable.idempotence": idempotent}
            )
            what = f"{codec}, idempotent {idempotent}"
            check(not failures and left == 0, f"{what}: {RECORDS} records are acknowledged")
            records = consume(address, topic, RECORDS)
            check([record.value() for record in records] == values, f"{what}: they come back in order, once")
            check([record.offset() for record in records] == list(range(RECORDS)), f"{what}: with their offsets")


def large(address, tag):
    topic = f"rd-large-{tag}"
    failures, _ = produce(address, topic, [b"z" * 900_000] * 5)
    check(not failures, "records of 900 kB are acknowledged")
    check([len(record.value()) for record in consume(address, topic, 5)] == [900_000] * 5, "and come back")
    failures, _ = produce(address, topic, [b"z" * 2_000_000], **{"message.max.bytes": 8_000_000})
    check([failure.name() for failure in failures] == ["MSG_SIZE_TOO_LARGE"], "one of 2 MB is refused")


def admin(address, tag):
    client = AdminClient({"bootstrap.servers": address})
    topic = f"rd-admin-{tag}"
    new = NewTopic(topic, 2, 1, config={"max.message.bytes": "2000000"})
    client.create_topics([new])[topic].result(30)
    described = client.list_topics(topic).topics[topic]
    check(sorted(described.partitions) == [0, 1], "a topic of two partitions")
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = client.describe_configs([resource])[resource].result(30)
    check(configs["max.message.bytes"].value == "2000000", "its own config is shown")
    check(configs["retention.ms"].value == "604800000" and configs["retention.ms"].is_default, "and a default")
    try:
        client.create_topics([NewTopic(f"{topic}-3", 1, 3)])[f"{topic}-3"].result(30)
        check(False, "three replicas are refused")
    except KafkaException as error:
        check(error.args[0].name() == "INVALID_REPLICATION_FACTOR", "three replicas are refused")
    produce(address, topic, [b"1", b"2", b"3"])
    place = TopicPartition(topic, 0)
    for spec, offset in ((OffsetSpec.latest(), 3), (OffsetSpec.earliest(), 0)):
        found = client.list_offsets({place: spec})[place].result(30)
        check(found.offset == offset, f"offset {offset} by {type(spec).__name__}")
    client.delete_topics([topic])[topic].result(30)
    check(topic not in client.list_topics().topics, "a deleted topic is gone")


def main():
    address = sys.argv[1]
    tag = uuid.uuid4().hex[:8]
    print(f"confluent-kafka {confluent_kafka.version()}, librdkafka {confluent_kafka.libversion()[0]}")
    codecs(address, tag)
    large(address, tag)
    admin(address, tag)


main()
