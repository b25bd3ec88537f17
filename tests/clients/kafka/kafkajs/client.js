// KafkaJS against a Siltstone server: `node client.js HOST:PORT`.
import { randomUUID } from 'node:crypto';
import * as zstd from '@bokuweb/zstd-wasm';
import kafkajs from 'kafkajs';
import Snappy from 'kafkajs-snappy';
import lz4 from 'lz4js';

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
await zstd.init();
const codec = (compress, decompress) => () => ({
  compress: async (encoder) => Buffer.from(compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(decompress(buffer)),
});
// KafkaJS brings gzip alone.
CompressionCodecs[CompressionTypes.Snappy] = Snappy;
CompressionCodecs[CompressionTypes.LZ4] = codec(lz4.compress, lz4.decompress);
CompressionCodecs[CompressionTypes.ZSTD] = codec(zstd.compress, zstd.decompress);

const RECORDS = 60;
const PARTITIONS = 3;
// Not older than topics keep records.
const FIRST_MS = Date.now() - 3600 * 1000;
const WAIT_MS = 60000;

function check(holds, what) {
  if (!holds) {
    console.error(`FAILED: ${what}`);
    process.exit(1);
  }
  console.log(`ok: ${what}`);
}

const kafka = new Kafka({ clientId: 'siltstone-kafkajs', brokers: [process.argv[2]], logLevel: logLevel.ERROR });
const admin = kafka.admin();
const tag = randomUUID().slice(0, 8);

/** Reads `count` messages of `topic` from its start in a group of its own. */
async function readAll(topic, count, options = {}) {
  const consumer = kafka.consumer({ groupId: `read-${randomUUID()}`, ...options });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const messages = [];
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${messages.length} of ${count} messages of ${topic}`)), WAIT_MS);
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        messages.push({ partition, ...message });
        if (messages.length === count) {
          clearTimeout(timer);
          resolve();
        }
      },
    });
  });
  await consumer.disconnect();
  return messages;
}

function message(number) {
  return { key: `key ${number}`, value: `value ${number}`, headers: { number: `${number}`, kind: 'test' }, timestamp: `${FIRST_MS + number * 1000}` };
}

async function codecs() {
  for (const [name, compression] of Object.entries(CompressionTypes)) {
    const topic = `js-${name.toLowerCase()}-${tag}`;
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS }] });
    const producer = kafka.producer();
    await producer.connect();
    const sent = Array.from({ length: RECORDS }, (_, number) => message(number));
    await producer.send({ topic, compression, acks: -1, messages: sent });
    await producer.disconnect();
    const found = await readAll(topic, RECORDS);
    found.sort((a, b) => Number(a.timestamp) - Number(b.timestamp));
    const same = found.every((got, number) => got.key.toString() === `key ${number}` && got.value.toString() === `value ${number}`
      && got.headers.number.toString() === `${number}` && got.timestamp === `${FIRST_MS + number * 1000}`);
    check(same, `${name}: keys, values, headers and timestamps come back`);
  }
}

async function times() {
  const topic = `js-none-${tag}`;
  const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, FIRST_MS + 30 * 1000);
  const ends = await admin.fetchTopicOffsets(topic);
  const later = offsets.map(({ partition, offset }) => Number(ends.find((end) => end.partition === partition).offset) - Number(offset));
  check(later.reduce((sum, count) => sum + count, 0) === RECORDS - 30, 'offsets by time split the records');
}

async function groups() {
  const topic = `js-groups-${tag}`;
  const groupId = `js-readers-${tag}`;
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 4 }] });
  const producer = kafka.producer();
  await producer.connect();
  const send = (from) => producer.send({ topic, messages: Array.from({ length: 40 }, (_, n) => ({ partition: n % 4, value: `${from + n}` })) });
  await send(0);
  const seen = new Map();
  const waiting = [];
  const shares = new Map();
  const tell = () => waiting.splice(0).forEach((wake) => wake());
  const until = async (done) => {
    const end = Date.now() + WAIT_MS;
    while (!done()) {
      if (Date.now() > end) {
        check(false, `not in time: ${seen.size} messages, shares ${JSON.stringify([...shares])}`);
      }
      await Promise.race([new Promise((wake) => waiting.push(wake)), new Promise((wake) => setTimeout(wake, 1000))]);
    }
  };
  const join = async (name) => {
    const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, rebalanceTimeout: 20000, heartbeatInterval: 500 });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      shares.set(name, (payload.memberAssignment[topic] ?? []).length);
      tell();
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommitThreshold: 1,
      eachMessage: async ({ message: got }) => {
        const value = got.value.toString();
        seen.set(value, (seen.get(value) ?? 0) + 1);
        tell();
      },
    });
    return consumer;
  };
  const first = await join('first');
  await until(() => shares.get('first') === 4 && seen.size === 40);
  check(true, 'one member gets all partitions and reads everything');
  const second = await join('second');
  await until(() => shares.get('first') === 2 && shares.get('second') === 2);
  check(true, 'two members share after a rebalance');
  const described = await admin.describeGroups([groupId]);
  check(described.groups[0].state === 'Stable' && described.groups[0].members.length === 2, 'the group is described');
  await first.disconnect();
  await until(() => shares.get('second') === 4);
  check(true, 'who is left takes all');
  await second.disconnect();
  await send(40);
  const third = await join('third');
  await until(() => seen.size === 80);
  check([...seen.values()].every((count) => count === 1), 'the group goes on where it was, each message once');
  await third.disconnect();
  const committed = await admin.fetchOffsets({ groupId, topics: [topic] });
  check(committed[0].partitions.every(({ offset }) => offset === '20'), 'offsets were committed');
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '7' }] });
  const moved = await admin.fetchOffsets({ groupId, topics: [topic] });
  check(moved[0].partitions.find(({ partition }) => partition === 0).offset === '7', 'offsets are set by hand');
  await producer.disconnect();
  await admin.deleteGroups([groupId]);
  const { groups: left } = await admin.listGroups();
  check(!left.some((group) => group.groupId === groupId), 'the group is deleted');
}

async function transactions() {
  const topic = `js-transactions-${tag}`;
  const groupId = `js-transform-${tag}`;
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
  const producer = kafka.producer({ transactionalId: `js-${tag}`, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  const kept = await producer.transaction();
  await kept.send({ topic, messages: [{ value: 'kept 1' }, { value: 'kept 2' }] });
  await kept.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: `js-none-${tag}`, partitions: [{ partition: 0, offset: '5' }] }] });
  await kept.commit();
  const dropped = await producer.transaction();
  await dropped.send({ topic, messages: [{ value: 'dropped' }] });
  await dropped.abort();
  await producer.send({ topic, messages: [{ value: 'last' }] });
  await producer.disconnect();
  const values = (await readAll(topic, 3)).map(({ value }) => value.toString());
  check(values.join() === 'kept 1,kept 2,last', 'committed records alone are read');
  const all = (await readAll(topic, 4, { readUncommitted: true })).map(({ value }) => value.toString());
  check(all.includes('dropped'), 'aborted records are there for who reads uncommitted ones');
  const offsets = await admin.fetchOffsets({ groupId, topics: [`js-none-${tag}`] });
  check(offsets[0].partitions.find(({ partition }) => partition === 0).offset === '5', 'offsets of the transaction are committed');
}

async function administration() {
  const topic = `js-none-${tag}`;
  const cluster = await admin.describeCluster();
  check(cluster.brokers.length === 1 && cluster.controller === cluster.brokers[0].nodeId, 'the cluster is described');
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  check(topics[0].partitions.length === PARTITIONS, 'the topic is described');
  const configs = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }] });
  check(configs.resources[0].configEntries.some(({ configName }) => configName === 'retention.ms'), 'its configuration is described');
  await admin.createPartitions({ topicPartitions: [{ topic, count: PARTITIONS + 2 }] });
  const grown = await admin.fetchTopicMetadata({ topics: [topic] });
  check(grown.topics[0].partitions.length === PARTITIONS + 2, 'partitions are added');
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] });
  const offsets = await admin.fetchTopicOffsets(topic);
  check(offsets.find(({ partition }) => partition === 0).low === '1', 'records are deleted');
  await admin.deleteTopics({ topics: [topic] });
  check(!(await admin.listTopics()).includes(topic), 'the topic is deleted');
}

await admin.connect();
await codecs();
await times();
await groups();
await transactions();
await administration();
await admin.disconnect();
