"""kafka-python against a Siltstone server: `kafka_python_client.py HOST:PORT`."""

import sys
import time
import uuid

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

RECORDS = 300
# Not older than topics keep records.
FIRST_MS = int(time.time() - 3600) * 1000
PARTITIONS = 3
IS_OLD = kafka.__version__.startswith("2.0.")


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def consume(address, topic, partition, count, **options):
    consumer = KafkaConsumer(
        bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=10_000, **options
    )
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    records = []
    for record in consumer:
        records.append(record)
        if len(records) == count:
            break
    consumer.close()
    return records


def codecs(address, tag):
    names = [None, "gzip", "snappy", "lz4"] + ([] if IS_OLD else ["zstd"])
    for codec in names:
        topic = f"codec-{codec}-{tag}"
        producer = KafkaProducer(
            bootstrap_servers=address, acks="all", compression_type=codec, linger_ms=20
        )
        sent = [f"{codec} value {number} {'x' * 100}".encode() for number in range(RECORDS)]
        futures = [
            producer.send(
                topic, value, key=str(number).encode(), headers=[("n", b"1")], timestamp_ms=FIRST_MS + number,
                partition=0,
            )
            for number, value in enumerate(sent)
        ]
        offsets = [future.get(timeout=30).offset for future in futures]
        producer.close()
        check(offsets == list(range(RECORDS)), f"{codec}: offsets of {RECORDS} records in order")
        records = consume(address, topic, 0, RECORDS)
        check([record.value for record in records] == sent, f"{codec}: values come back")
        first = records[0]
        check(
            (first.key, list(map(tuple, first.headers)), first.timestamp) == (b"0", [("n", b"1")], FIRST_MS),
            f"{codec}: key, headers and time come back",
        )


def acks(address, tag):
    for level in (0, 1, "all"):
        topic = f"acks-{level}-{tag}"
        options = {} if IS_OLD else {"enable_idempotence": False}
        producer = KafkaProducer(bootstrap_servers=address, acks=level, **options)
        producer.partitions_for(topic)
        for number in range(20):
            producer.send(topic, str(number).encode(), partition=0)
        producer.flush(30)
        producer.close()
        values = [int(record.value) for record in consume(address, topic, 0, 20)]
        check(values == list(range(20)), f"acks={level}: every record is there")


def admin(address, tag):
    client = KafkaAdminClient(bootstrap_servers=address)
    topic = f"admin-{tag}"
    client.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs={"retention.ms": "60000"})])
    try:
        client.create_topics([NewTopic(topic, PARTITIONS, 1)])
        check(False, "a second topic of the same name is refused")
    except TopicAlreadyExistsError:
        check(True, "a second topic of the same name is refused")
    check(topic in client.list_topics(), "the topic is listed")
    consumer = KafkaConsumer(bootstrap_servers=address)
    check(consumer.partitions_for_topic(topic) == set(range(PARTITIONS)), "it has its partitions")
    consumer.close()
    client.delete_topics([topic])
    check(topic not in client.list_topics(), "a deleted topic is gone")
    client.close()


def times(address, tag):
    topic = f"times-{tag}"
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    start = FIRST_MS
    for number in range(100):
        producer.send(topic, b"v", partition=0, timestamp_ms=start + 1_000 * number).get(30)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=address)
    place = TopicPartition(topic, 0)
    found = consumer.offsets_for_times({place: start + 41_500})[place]
    check((found.offset, found.timestamp) == (42, start + 42_000), "an offset by time")
    nothing = consumer.offsets_for_times({place: start + 10_000_000})[place]
    check(nothing is None, "no offset behind the last time")
    check(consumer.beginning_offsets([place])[place] == 0, "the first offset")
    check(consumer.end_offsets([place])[place] == 100, "the end offset")
    consumer.close()


def long_poll(address, tag):
    topic = f"poll-{tag}"
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    producer.send(topic, b"first", partition=0).get(30)
    consumer = KafkaConsumer(bootstrap_servers=address, fetch_max_wait_ms=5_000)
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek_to_end(place)
    consumer.poll(200)
    producer.send(topic, b"second", partition=0).get(30)
    start = time.monotonic()
    records = consumer.poll(4_000).get(place, [])
    took = time.monotonic() - start
    check([record.value for record in records] == [b"second"] and took < 2, f"a waiting fetch wakes ({took * 1000:.0f} ms)")
    consumer.close()
    producer.close()


def main():
    address = sys.argv[1]
    tag = uuid.uuid4().hex[:8]
    print(f"kafka-python {kafka.__version__}")
    codecs(address, tag)
    acks(address, tag)
    admin(address, tag)
    times(address, tag)
    long_poll(address, tag)


main()
