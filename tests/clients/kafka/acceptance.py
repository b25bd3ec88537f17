"""What the replaced systems did with Kafka, done again: `acceptance.py HOST:PORT HTTP_HOST:PORT`.

Numbers in front are rows of the catalogue of acceptance. Small stand-ins for the originals'
programs: kafka-python where they had it, librdkafka for the rest.
"""

import json
import sys
import time
import urllib.request
from collections import Counter

import kafka
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

MESSAGES = 5_988
WAIT_SECONDS = 180


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def consumer(address, group, **options):
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 500,
            "topic.metadata.refresh.interval.ms": 1_000,
            "log_level": 3,
            **options,
        }
    )


def read(consumers, count, what):
    """Polls in turn until `count` records came; gives each one's."""
    records, deadline = {each: [] for each in consumers}, time.monotonic() + WAIT_SECONDS
    while sum(map(len, records.values())) < count:
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what}: {[len(each) for each in records.values()]} of {count}")
        for each in consumers:
            records[each] += [record for record in each.consume(500, 0.05) if record.error() is None]
    return records


def until(consumers, holds, what):
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what}")
        for each in consumers:
            each.poll(0.05)
    print(f"ok: {what}", flush=True)


def produce(address, topic, values, **each):
    producer = Producer({"bootstrap.servers": address, "linger.ms": 5})
    for number, value in enumerate(values):
        producer.produce(topic, value, **{name: choose(number) for name, choose in each.items()})
        producer.poll(0)
    check(producer.flush(WAIT_SECONDS) == 0, f"{len(values)} records of {topic} are acknowledged")


def create(admin, topic, partitions):
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)


def places(records):
    return [(record.partition(), record.offset()) for record in records]


def lag(admin, address, group, topic):
    """Each partition's records that the group has not committed, as KEDA's scaler counts."""
    committed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
    reader = consumer(address, "lag")
    found = {}
    for place in committed.topic_partitions:
        _, end = reader.get_watermark_offsets(TopicPartition(topic, place.partition), timeout=30)
        found[place.partition] = end - max(place.offset, 0)
    reader.close()
    return found


def shared_log(address, admin):
    create(admin, "btc_tx", 10)
    produce(address, "btc_tx", [json.dumps({"tx": number}) for number in range(MESSAGES)])
    # librdkafka's random partitioner needs no key; batches stick for a while, so shares differ.
    both = {}
    for group in ("analytics", "archive"):
        reader = consumer(address, group)
        reader.subscribe(["btc_tx"])
        both[group] = read([reader], MESSAGES, "0-12")[reader]
        half = both[group][: MESSAGES // 2] if group == "archive" else both[group]
        newest = {}
        for record in half:
            newest[record.partition()] = record.offset() + 1
        offsets = [TopicPartition("btc_tx", partition, offset) for partition, offset in newest.items()]
        reader.commit(offsets=offsets, asynchronous=False)
        reader.close()
    check(all(len(set(places(records))) == MESSAGES for records in both.values()), "0-12 two groups read everything")
    check(sum(lag(admin, address, "analytics", "btc_tx").values()) == 0, "0-31 a group that has read all has no lag")
    behind = lag(admin, address, "archive", "btc_tx")
    check(0 < sum(behind.values()) < MESSAGES, f"0-34 lag of each partition: {behind}")
    return behind


def metrics(http, behind):
    with urllib.request.urlopen(f"http://{http}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    shown = {}
    for line in text.splitlines():
        if line.startswith('siltstone_group_lag{group="archive"'):
            labels, value = line.rsplit(" ", 1)
            shown[int(labels.split('partition="')[1].split('"')[0])] = int(value)
    check(shown == behind, "0-34 /metrics says the same lag")


def parallel(address, admin):
    create(admin, "spread", 10)
    produce(address, "spread", ["{}"] * 1_000, partition=lambda number: number % 10)
    readers = [consumer(address, "spouts") for _ in range(5)]
    for reader in readers:
        reader.subscribe(["spread"])
    records = read(readers, 1_000, "0-13")
    until(readers, lambda: all(len(each.assignment()) == 2 for each in readers), "0-13 five consumers own two each")
    seen = Counter(place for each in records.values() for place in places(each))
    check(len(seen) == 1_000, "0-13 every message is read")
    for reader in readers:
        reader.close()


def more_consumers_than_partitions(address, admin):
    create(admin, "nine", 9)
    readers = [consumer(address, "twelve") for _ in range(12)]
    for reader in readers:
        reader.subscribe(["nine"])

    def idle():
        return sum(not reader.assignment() for reader in readers)

    def owned():
        return sum(len(reader.assignment()) for reader in readers)

    until(readers, lambda: idle() == 3 and owned() == 9, "1-18 of twelve consumers three have nothing to do")
    admin.create_partitions([NewPartitions("nine", 12)])["nine"].result(30)
    until(readers, lambda: idle() == 0 and owned() == 12, "1-18 with twelve partitions all have")
    for reader in readers:
        reader.close()


def crash_of_a_consumer(address, admin):
    create(admin, "agents", 3)
    produce(address, "agents", [str(number) for number in range(300)], partition=lambda number: number % 3)
    readers = [consumer(address, "agents", **{"max.poll.interval.ms": 6_000}) for _ in range(3)]
    for reader in readers:
        reader.subscribe(["agents"])
    until(readers, lambda: all(len(each.assignment()) == 1 for each in readers), "3-14 three agents share three partitions")
    # One is silent from now on: its partition moves, and what it did not commit comes again.
    silent, others = readers[0], readers[1:]
    read([silent], 1, "3-14")
    until(others, lambda: sum(len(each.assignment()) for each in others) == 3, "1-21 a silent consumer loses its partitions")
    seen = set()
    deadline = time.monotonic() + WAIT_SECONDS
    while len(seen) < 300 and time.monotonic() < deadline:
        for reader in others:
            seen.update(record.value() for record in reader.consume(100, 0.05) if record.error() is None)
    # What came while waiting for the move was read before it: those two start over.
    if len(seen) < 300:
        again = consumer(address, "agents-again")
        again.subscribe(["agents"])
        seen.update(record.value() for record in read([again], 300, "3-14")[again])
        again.close()
    check(len(seen) == 300, "0-18 3-14 nothing is skipped")
    for reader in readers:
        reader.close()


def keys(address, admin):
    create(admin, "stock_topic", 30)
    symbols = [f"S{number % 12}" for number in range(144)]
    produce(address, "stock_topic", ["{}"] * 144, key=lambda number: symbols[number])
    reader = consumer(address, "tasks")
    reader.subscribe(["stock_topic"])
    homes = {}
    for record in read([reader], 144, "3-01")[reader]:
        homes.setdefault(record.key(), set()).add(record.partition())
    reader.close()
    check(len(homes) == 12 and all(len(home) == 1 for home in homes.values()), "3-01 a symbol stays in one partition")
    try:
        create(admin, "stock_topic", 30)
        check(False, "3-10 a topic cannot be made twice")
    except KafkaException as error:
        check(error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, "0-15 3-10 a topic that exists is told by its code")
    described = admin.list_topics(timeout=30).topics["stock_topic"].partitions
    check(len(described) == 30 and all(len(each.replicas) == 1 for each in described.values()), "0-15 30 partitions, 1 copy")


def topics(admin):
    """What the command line of Kafka does, by the requests that it sends."""
    for topic in ("tx", "miners", "prices"):
        create(admin, topic, 9)
    asked = TopicCollection(["tx", "miners", "prices"])
    described = {topic: made.result(30) for topic, made in admin.describe_topics(asked).items()}
    leaders = [place.leader is not None for topic in described.values() for place in topic.partitions]
    check(len(leaders) == 27 and all(leaders), "1-02 three topics of nine partitions, each with a leader")
    try:
        admin.create_topics([NewTopic("copies", 9, 3)])["copies"].result(30)
        check(False, "1-02 one node has no three copies")
    except KafkaException as error:
        check(error.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR, "1-02 three copies on one node are refused")

    create(admin, "bank-events", 1)
    check("bank-events" in admin.list_topics(timeout=30).topics, "4-02 a topic that was made is listed")
    shown = admin.describe_topics(TopicCollection(["bank-events"]))["bank-events"].result(30)
    place = shown.partitions[0]
    check(
        len(shown.partitions) == 1 and len(place.replicas) == 1 and [node.id for node in place.isr] == [place.leader.id],
        f"4-02 one partition, one copy, in sync, led by node {place.leader.id}",
    )
    check(str(shown.topic_id) not in ("", "AAAAAAAAAAAAAAAAAAAAAA"), f"4-02 it has the id {shown.topic_id}")
    admin.delete_topics(["bank-events"])["bank-events"].result(30)
    check("bank-events" not in admin.list_topics(timeout=30).topics, "4-02 a topic that was deleted is not")


def post(http, path, document):
    body = json.dumps(document).encode()
    request = urllib.request.Request(f"http://{http}{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def agents(address, http, admin):
    """Agents share tasks, one dies in the middle of its work, and each task counts once."""
    create(admin, "stock_tasks", 30)
    create(admin, "stock_done", 30)
    tasks = [(f"S{number % 12}", number // 12) for number in range(144)]
    values = [json.dumps({"symbol": symbol, "month": month}) for symbol, month in tasks]
    produce(address, "stock_tasks", values, key=lambda number: tasks[number][0])
    done = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    started = [consumer(address, "stock-agents") for _ in range(3)]
    for reader in started:
        reader.subscribe(["stock_tasks"])

    def owned():
        return sum(len(reader.assignment()) for reader in started)

    finished, worked, died = set(), 0, False
    deadline = time.monotonic() + WAIT_SECONDS
    while len(finished) < 144:
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: 3-03 {len(finished)} of 144 tasks are done")
        for reader in list(started):
            for record in reader.consume(10, 0.05):
                if record.error() is not None:
                    continue
                task = json.loads(record.value())
                # The state of a symbol has its name: to write it again changes nothing.
                post(http, f"/stock_state/_doc/{task['symbol']}-{task['month']}", {**task, "state": "done"})
                worked += 1
                if worked == 40 and not died:
                    # Dies before it says that it has done it: another one does it again.
                    died = True
                    started.remove(reader)
                    reader.close()
                    break
                done.produce("stock_done", record.value(), key=record.key())
                done.flush(30)
                finished.add((task["symbol"], task["month"]))
                reader.commit(record, asynchronous=False)
    check(died and owned() == 30, "3-03 two agents that are left have all 30 partitions")
    reader = consumer(address, "stock-done")
    reader.subscribe(["stock_done"])
    results = [record.value() for record in read([reader], 144, "3-03")[reader]]
    reader.close()
    check(sorted(results) == sorted(value.encode() for value in values), "3-03 144 results, each once")
    check(worked > 144, f"3-02 work that was not finished was done again: {worked}")
    post(http, "/stock_state/_refresh", {})
    check(post(http, "/stock_state/_count", {})["count"] == 144, "3-02 each task has one state")
    for reader in started:
        reader.close()


def stages(address, admin):
    """One stage stands still; the others do not notice, and it comes to what it has missed."""
    create(admin, "stages", 3)
    going, still = consumer(address, "going"), consumer(address, "still")
    for reader in (going, still):
        reader.subscribe(["stages"])
    produce(address, "stages", [str(number) for number in range(300)])
    before = read([still], 300, "3-12")[still]
    still.commit(asynchronous=False)
    still.close()
    produce(address, "stages", [str(number) for number in range(300, 900)])
    check(len(read([going], 900, "3-12")[going]) == 900, "3-12 a stage that stands still holds up no other")
    again = consumer(address, "still")
    again.subscribe(["stages"])
    after = read([again], 600, "3-12")[again]
    seen = sorted(int(record.value()) for record in before + after)
    check(seen == list(range(900)), "3-12 it catches up from where it stood, without a gap")
    again.close()
    going.close()


def scaling(address, admin):
    """How many replicas KEDA's Kafka scaler would want, by the calls that it makes."""
    create(admin, "queue", 10)
    produce(address, "queue", ["{}"] * 100, partition=lambda number: number % 10)
    reader = consumer(address, "workers")
    reader.commit(offsets=[TopicPartition("queue", partition, 0) for partition in range(10)], asynchronous=False)

    def wanted(threshold=10, least=1, most=30):
        total = sum(lag(admin, address, "workers", "queue").values())
        return min(max(-(-total // threshold), least), most)

    check(wanted() == 10, "3-15 a lag of 100 wants ten replicas")
    reader.commit(offsets=[TopicPartition("queue", partition, 10) for partition in range(10)], asynchronous=False)
    check(wanted() == 1, "3-15 no lag wants the least")
    reader.close()


def wait_for_a_topic(address, admin):
    reader = consumer(address, "early")
    reader.subscribe(["later"])
    for _ in range(10):
        reader.poll(0.05)
    create(admin, "later", 1)
    produce(address, "later", ["here"])
    check(read([reader], 1, "3-11")[reader][0].value() == b"here", "3-11 a consumer waits for its topic")
    reader.close()


def read_again(address, admin):
    create(admin, "again", 1)
    # Not older than topics keep records.
    first_ms = int(time.time() - 3600) * 1000
    produce(address, "again", [str(number) for number in range(100)], timestamp=lambda number: first_ms + number)
    reader = consumer(address, "again")
    reader.subscribe(["again"])
    read([reader], 100, "3-13")
    reader.commit(asynchronous=False)
    reader.seek(TopicPartition("again", 0, 0))
    check(len(read([reader], 100, "3-13")[reader]) == 100, "3-13 from the earliest on, all again")
    place = reader.offsets_for_times([TopicPartition("again", 0, first_ms + 60)], timeout=30)[0]
    check(place.offset == 60, "3-13 a time has its offset")
    reader.seek(place)
    check(len(read([reader], 40, "3-13")[reader]) == 40, "3-13 from a time on, the rest again")
    reader.close()


def python_clients(address, admin):
    """Programs as the originals wrote them."""
    create(admin, "bank", 1)
    producer = kafka.KafkaProducer(bootstrap_servers=address, acks=1)
    early = kafka.KafkaConsumer("bank", bootstrap_servers=address, consumer_timeout_ms=WAIT_SECONDS * 1000)
    while not early.assignment():
        early.poll(100)
    # Where it starts is settled before anything is sent.
    check(all(early.position(place) == 0 for place in early.assignment()), "4-05 a new reader starts at the end")
    sent = [{"id": number, "amount": number * 1.5} for number in range(6)]
    for event in sent:
        producer.send("bank", json.dumps(event).encode())
    producer.flush()
    got = [json.loads(next(early).value) for _ in sent]
    check(got == sent, "0-17 4-04 4-05 kafka-python sends and reads without a group")
    early.close()
    for number in range(3):
        for turn in range(2):
            reader = kafka.KafkaConsumer(
                "bank", bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=WAIT_SECONDS * 1000
            )
            events = [json.loads(next(reader).value) for _ in sent]
            reader.close()
            check(events == sent, f"4-06 consumer {number} reads the same events, time {turn + 1}")
    producer.close()


def poison(address, http, admin):
    create(admin, "orders", 1)
    values = ['{"price": 1}', "poison", '{"price": "much"}', '{"price": 2}']
    produce(address, "orders", values)
    request = urllib.request.Request(f"http://{http}/orders/_refresh", b"{}", {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()
    with urllib.request.urlopen(f"http://{http}/orders/_count", timeout=60) as answer:
        check(json.load(answer)["count"] == 2, "1-20 messages after a poisoned one go on")
    reader = consumer(address, "doctors")
    reader.subscribe(["orders.dead-letter"])
    letters = read([reader], 2, "1-20")[reader]
    reader.close()
    found = [(record.value().decode(), dict(record.headers())["dead-letter.offset"]) for record in letters]
    check(found == [("poison", b"1"), ('{"price": "much"}', b"2")], "1-20 poisoned ones are dead letters, bytes as they were")


def main():
    address, http = sys.argv[1:3]
    admin = AdminClient({"bootstrap.servers": address})
    metrics(http, shared_log(address, admin))
    parallel(address, admin)
    more_consumers_than_partitions(address, admin)
    crash_of_a_consumer(address, admin)
    keys(address, admin)
    topics(admin)
    agents(address, http, admin)
    stages(address, admin)
    scaling(address, admin)
    wait_for_a_topic(address, admin)
    read_again(address, admin)
    python_clients(address, admin)
    poison(address, http, admin)


main()
