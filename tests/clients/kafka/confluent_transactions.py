"""librdkafka's transactions against a Siltstone server that is killed meanwhile.

    confluent_transactions.py HOST:PORT seed        topics, and numbers to be read
    confluent_transactions.py HOST:PORT run         consume, transform, produce, commit; until all is read
    confluent_transactions.py HOST:PORT verify URL  each number once, in order, and the same as rows

`run` prints a line for each transaction that is committed, goes on when the server is gone for a
while, and aborts some transactions on purpose.
"""

import json
import sys
import time
import urllib.request

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SOURCE, TARGET, GROUP = "ctp-source", "ctp-target", "ctp-readers"
PARTITIONS, RECORDS, BATCH = 4, 6_000, 100
ABORT_EACH = 5

# When its only broker is gone, librdkafka 2.11 and later start anew from the bootstrap address and then
# wait minutes for the leaders of partitions; told not to, they come back at once.
STAY = {"reconnect.backoff.max.ms": 500, "metadata.recovery.strategy": "none"}


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def seed(address):
    admin = AdminClient({"bootstrap.servers": address})
    for name in (SOURCE, TARGET):
        admin.create_topics([NewTopic(name, num_partitions=PARTITIONS)])[name].result(10)
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    for number in range(RECORDS):
        producer.produce(SOURCE, str(number).encode(), partition=number % PARTITIONS)
    check(producer.flush(30) == 0, f"{RECORDS} numbers are acknowledged")


def reader(address, isolation="read_committed", group=GROUP):
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "session.timeout.ms": 10_000,
            "heartbeat.interval.ms": 500,
            **STAY,
        }
    )


def writer(address):
    producer = Producer(
        {
            "bootstrap.servers": address,
            "transactional.id": "ctp",
            "transaction.timeout.ms": 20_000,
            **STAY,
        }
    )
    producer.init_transactions(60)
    return producer


def rewind(consumer):
    """Back to what is committed: what an aborted transaction has read is read again."""
    places = consumer.committed(consumer.assignment(), timeout=30)
    for place in places:
        if place.offset < 0:
            place.offset = 0
        consumer.seek(place)


def is_done(consumer):
    places = [TopicPartition(SOURCE, index) for index in range(PARTITIONS)]
    committed = sum(max(place.offset, 0) for place in consumer.committed(places, timeout=30))
    return committed >= RECORDS


def step(producer, consumer, count):
    """One transaction; whether it is committed."""
    records = [record for record in consumer.consume(BATCH, 0.5) if record.error() is None]
    if not records:
        return False
    producer.begin_transaction()
    for record in records:
        number = int(record.value())
        document = json.dumps({"number": number, "square": number * number})
        producer.produce(TARGET, document.encode(), key=str(number).encode(), partition=record.partition())
    if count % ABORT_EACH == 0:
        producer.flush(10)
        producer.abort_transaction(30)
        rewind(consumer)
        return False
    places = consumer.position(consumer.assignment())
    producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), 30)
    producer.commit_transaction(30)
    return True


def run(address):
    consumer = reader(address)
    consumer.subscribe([SOURCE])
    producer, count = writer(address), 0
    while True:
        count += 1
        try:
            if step(producer, consumer, count):
                print(f"committed {count}", flush=True)
            elif is_done(consumer):
                break
        except KafkaException as failure:
            error = failure.args[0]
            print(f"trouble {error.name()}: {error.str()}", flush=True)
            time.sleep(0.1)
            producer = recover(address, producer, consumer, error)
    consumer.close()
    print("done", flush=True)


def recover(address, producer, consumer, error):
    """A producer that can go on: the same after an abort, or a new one that fences it."""
    while True:
        try:
            if error.txn_requires_abort():
                producer.abort_transaction(30)
            else:
                producer = writer(address)
            rewind(consumer)
            return producer
        except KafkaException as failure:
            error = failure.args[0]
            print(f"again {error.name()}: {error.str()}", flush=True)
            time.sleep(0.2)


def read_all(address, isolation):
    consumer = reader(address, isolation, f"ctp-{isolation}")
    places = [TopicPartition(TARGET, index, 0) for index in range(PARTITIONS)]
    ends = {place.partition: consumer.get_watermark_offsets(place, 20)[1] for place in places}
    consumer.assign(places)
    numbers = {index: [] for index in range(PARTITIONS)}
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 10:
        for record in consumer.consume(500, 0.2):
            if record.error() is None:
                numbers[record.partition()].append(json.loads(record.value())["number"])
                quiet_since = time.monotonic()
        positions = consumer.position(places)
        if all(place.offset >= ends[place.partition] for place in positions):
            break
    consumer.close()
    return numbers


def verify(address, url):
    numbers = read_all(address, "read_committed")
    expected = {index: list(range(index, RECORDS, PARTITIONS)) for index in range(PARTITIONS)}
    for index in range(PARTITIONS):
        found = numbers[index]
        check(found == expected[index], f"partition {index}: each of {len(found)} numbers once, in order")
    seen = sum(map(len, read_all(address, "read_uncommitted").values()))
    check(seen > RECORDS, f"{seen - RECORDS} records were aborted, and only readers that ask see them")
    urllib.request.urlopen(urllib.request.Request(f"{url}/{TARGET}/_refresh", method="POST")).read()
    query = {"size": 0, "track_total_hits": True, "aggs": {"all": {"sum": {"field": "number"}}}}
    request = urllib.request.Request(
        f"{url}/{TARGET}/_search", json.dumps(query).encode(), {"Content-Type": "application/json"}
    )
    answer = json.load(urllib.request.urlopen(request))
    found = (answer["hits"]["total"]["value"], answer["aggregations"]["all"]["value"])
    check(found == (RECORDS, sum(range(RECORDS))), f"rows are made of committed records alone: {found}")


if __name__ == "__main__":
    address, part = sys.argv[1:3]
    {"seed": seed, "run": run, "verify": verify}[part](address, *sys.argv[3:])
