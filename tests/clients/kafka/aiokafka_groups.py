"""aiokafka's consumer groups against a Siltstone server: `aiokafka_groups.py HOST:PORT before|after`.

`before` leaves a group with commits behind, the server is killed, `after` goes on.
"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

TOPIC, GROUP, PARTITIONS, RECORDS = "aio-shared", "aio-readers", 4, 200


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


async def consumer(address, **options):
    member = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=address,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=500,
        **options,
    )
    await member.start()
    return member


def shares(consumers):
    return [{place.partition for place in member.assignment()} for member in consumers]


async def until(what, consumers, done, seconds=120):
    """Polls the consumers in turn until `done`; gives what they read."""
    records = []
    deadline = asyncio.get_running_loop().time() + seconds
    while not done(records):
        if asyncio.get_running_loop().time() > deadline:
            sys.exit(f"FAILED: {what}, in {seconds} s")
        for member in consumers:
            for batch in (await member.getmany(timeout_ms=100)).values():
                records.extend(batch)
    print(f"ok: {what}", flush=True)
    return records


async def before(address):
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for number in range(RECORDS):
            await producer.send(TOPIC, str(number).encode(), partition=number % PARTITIONS)
    first = await consumer(address)
    await until("one consumer gets every partition", [first], lambda _: shares([first]) == [set(range(PARTITIONS))])
    second = await consumer(address, group_instance_id="a-name")
    both = [first, second]
    await until("two consumers share", both, lambda _: sorted(map(len, shares(both))) == [2, 2])
    await first.stop()
    await until("who is left takes all", [second], lambda _: shares([second]) == [set(range(PARTITIONS))])
    await second.seek_to_beginning()
    records = await until("it reads everything after a seek", [second], lambda got: len(got) >= RECORDS)
    check({int(record.value) for record in records} == set(range(RECORDS)), "every record is among them")
    places = [TopicPartition(TOPIC, index) for index in range(PARTITIONS)]
    await second.commit({place: (30 + place.partition, "note") for place in places})
    check([await second.committed(place) for place in places] == [30, 31, 32, 33], "commits are read back")
    check(GROUP in str(await admin.list_consumer_groups()), "the group is listed")
    await second.stop()
    await admin.close()


async def after(address):
    member = await consumer(address, group_instance_id="a-name")
    count = RECORDS - sum(30 + index for index in range(PARTITIONS))
    records = await until("the group goes on where it was", [member], lambda got: len(got) >= count)
    firsts = {}
    for record in records:
        firsts.setdefault(record.partition, record.offset)
    check(firsts == {0: 30, 1: 31, 2: 32, 3: 33}, f"from the committed offsets: {firsts}")
    await member.commit()
    check([await member.committed(place) for place in member.assignment()] == [50] * PARTITIONS, "and commits")
    await member.stop()


if __name__ == "__main__":
    asyncio.run({"before": before, "after": after}[sys.argv[2]](sys.argv[1]))
