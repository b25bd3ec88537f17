"""aiokafka against a Siltstone server: `aiokafka_client.py HOST:PORT`."""

import asyncio
import sys
import uuid

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

RECORDS = 500


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


async def round_trip(address, topic, **options):
    values = [f"value {number}".encode() for number in range(RECORDS)]
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all", **options) as producer:
        futures = [await producer.send(topic, value, partition=0) for value in values]
        offsets = [(await future).offset for future in futures]
    check(offsets == list(range(RECORDS)), f"{options}: offsets in order")
    consumer = AIOKafkaConsumer(bootstrap_servers=address)
    await consumer.start()
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    received = []
    while len(received) < RECORDS:
        received.append((await asyncio.wait_for(consumer.getone(), 20)).value)
    await consumer.stop()
    check(received == values, f"{options}: values come back")


async def main():
    address = sys.argv[1]
    tag = uuid.uuid4().hex[:8]
    print(f"aiokafka {aiokafka.__version__}")
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        await round_trip(address, f"aio-{codec}-{tag}", compression_type=codec)
    await round_trip(address, f"aio-idempotent-{tag}", enable_idempotence=True)


asyncio.run(main())
