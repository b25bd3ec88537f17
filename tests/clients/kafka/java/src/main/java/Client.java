import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.utils.AppInfoParser;

/** Kafka's Java clients against a Siltstone server: {@code Client HOST:PORT [NAME=VALUE of consumers...]}. */
public final class Client {
    private static final int RECORDS = 60;
    private static final int PARTITIONS = 3;
    /** Not older than topics keep records. */
    private static final long FIRST_MS = System.currentTimeMillis() - 3_600_000;
    private static final long WAIT_MS = 60_000;
    private static final String STRING_SERIALIZER = "org.apache.kafka.common.serialization.StringSerializer";
    private static final String STRING_DESERIALIZER = "org.apache.kafka.common.serialization.StringDeserializer";

    private final Properties consumers = new Properties();
    private final String address;
    private final String tag = Long.toHexString(System.nanoTime());
    private final Admin admin;

    private Client(String[] arguments) {
        address = arguments[0];
        for (int index = 1; index < arguments.length; index++) {
            String[] parts = arguments[index].split("=", 2);
            consumers.put(parts[0], parts[1]);
        }
        admin = Admin.create(Map.of("bootstrap.servers", address));
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            System.err.println("FAILED: " + what);
            System.exit(1);
        }
        System.out.println("ok: " + what);
    }

    private KafkaProducer<String, String> producer(Map<String, String> options) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", address);
        properties.put("acks", "all");
        properties.put("key.serializer", STRING_SERIALIZER);
        properties.put("value.serializer", STRING_SERIALIZER);
        properties.putAll(options);
        return new KafkaProducer<>(properties);
    }

    private KafkaConsumer<String, String> consumer(String group, Map<String, String> options) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", address);
        properties.put("group.id", group);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("key.deserializer", STRING_DESERIALIZER);
        properties.put("value.deserializer", STRING_DESERIALIZER);
        properties.putAll(consumers);
        properties.putAll(options);
        if (!"consumer".equals(properties.get("group.protocol"))) {
            properties.put("heartbeat.interval.ms", "300");
        }
        return new KafkaConsumer<>(properties);
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }

    /** Polls until there are so many records. */
    private static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long end = System.currentTimeMillis() + WAIT_MS;
        while (records.size() < count) {
            if (System.currentTimeMillis() > end) {
                check(false, records.size() + " of " + count + " records in time");
            }
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        return records;
    }

    private void codecs() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = "java-" + codec + "-" + tag;
            create(topic, PARTITIONS);
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            try (var producer = producer(Map.of("compression.type", codec, "enable.idempotence", "true"))) {
                for (int number = 0; number < RECORDS; number++) {
                    var record = new ProducerRecord<>(topic, null, FIRST_MS + number * 1000L, "key " + number, "value " + number);
                    record.headers().add("kind", "test".getBytes(StandardCharsets.UTF_8));
                    sent.add(producer.send(record));
                }
                for (var one : sent) {
                    one.get();
                }
            }
            try (var consumer = consumer("java-read-" + topic, Map.of())) {
                consumer.subscribe(List.of(topic));
                var records = read(consumer, RECORDS);
                records.sort(Comparator.comparingLong(ConsumerRecord::timestamp));
                boolean same = true;
                for (int number = 0; number < RECORDS; number++) {
                    var record = records.get(number);
                    same &= record.key().equals("key " + number) && record.value().equals("value " + number)
                        && record.timestamp() == FIRST_MS + number * 1000L
                        && new String(record.headers().lastHeader("kind").value(), StandardCharsets.UTF_8).equals("test");
                }
                check(same, codec + ": keys, values, headers and timestamps come back");
            }
        }
    }

    private void times(String topic) throws Exception {
        try (var consumer = consumer("java-times", Map.of())) {
            Map<TopicPartition, Long> asked = new HashMap<>();
            consumer.partitionsFor(topic).forEach(info -> asked.put(new TopicPartition(topic, info.partition()), FIRST_MS + 30_000));
            check(asked.size() == PARTITIONS, "the topic is described");
            var from = consumer.offsetsForTimes(asked);
            long later = 0;
            for (var end : consumer.endOffsets(asked.keySet()).entrySet()) {
                var start = from.get(end.getKey());
                later += start == null ? 0 : end.getValue() - start.offset();
            }
            check(later == RECORDS - 30, "offsets by time split the records");
        }
        var newest = admin.listOffsets(Map.of(new TopicPartition(topic, 0), OffsetSpec.latest())).all().get();
        check(newest.size() == 1, "the administrator lists offsets");
    }

    private void awaitShares(List<KafkaConsumer<String, String>> members, int partitions) {
        long end = System.currentTimeMillis() + WAIT_MS;
        while (true) {
            Set<TopicPartition> all = new HashSet<>();
            int sum = 0;
            boolean isShared = true;
            for (var member : members) {
                member.poll(Duration.ofMillis(100));
                all.addAll(member.assignment());
                sum += member.assignment().size();
                isShared &= !member.assignment().isEmpty();
            }
            if (isShared && all.size() == partitions && sum == partitions) {
                return;
            }
            if (System.currentTimeMillis() > end) {
                check(false, "members share in time");
            }
        }
    }

    private void groups(String topic) throws Exception {
        String group = "java-readers-" + tag;
        var first = consumer(group, Map.of());
        first.subscribe(List.of(topic));
        read(first, RECORDS);
        first.commitSync();
        check(true, "one member reads everything and commits");
        var second = consumer(group, Map.of());
        second.subscribe(List.of(topic));
        awaitShares(List.of(first, second), PARTITIONS);
        check(true, "two members share after a rebalance");
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check(described.members().size() == 2, "the group is described");
        first.close();
        awaitShares(List.of(second), PARTITIONS);
        check(true, "who is left takes all");
        second.close();
        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        long sum = committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum();
        check(sum == RECORDS, "offsets are committed");
        var place = new TopicPartition(topic, 0);
        admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(1, "by hand"))).all().get();
        try (var third = consumer(group, Map.of())) {
            third.subscribe(List.of(topic));
            var next = read(third, 1).get(0);
            check(next.partition() == 0 && next.offset() == 1, "the group goes on from the committed offset");
        }
        admin.deleteConsumerGroups(List.of(group)).all().get();
        check(true, "the group is deleted");
    }

    private void transactions() throws Exception {
        String topic = "java-transactions-" + tag;
        create(topic, 1);
        String group = "java-transform-" + tag;
        var place = new TopicPartition(topic, 0);
        try (var producer = producer(Map.of("transactional.id", "java-" + tag))) {
            producer.initTransactions();
            for (String value : List.of("kept", "dropped", "last")) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, value));
                if (value.equals("dropped")) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    var offsets = Map.of(place, new OffsetAndMetadata(value.length()));
                    producer.sendOffsetsToTransaction(offsets, new org.apache.kafka.clients.consumer.ConsumerGroupMetadata(group));
                    producer.commitTransaction();
                }
            }
            try (var later = producer(Map.of("transactional.id", "java-" + tag))) {
                later.initTransactions();
                boolean isFenced = false;
                try {
                    producer.beginTransaction();
                    producer.send(new ProducerRecord<>(topic, "fenced"));
                    producer.commitTransaction();
                } catch (org.apache.kafka.common.KafkaException error) {
                    isFenced = true;
                }
                check(isFenced, "a producer of the same name fences the older one");
            }
        }
        for (var level : Map.of("read_committed", 2, "read_uncommitted", 3).entrySet()) {
            try (var consumer = consumer("java-" + level.getKey() + tag, Map.of("isolation.level", level.getKey()))) {
                consumer.assign(List.of(place));
                var values = read(consumer, level.getValue()).stream().map(ConsumerRecord::value).toList();
                check(values.equals(level.getValue() == 2 ? List.of("kept", "last") : List.of("kept", "dropped", "last")), level.getKey());
            }
        }
        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        check(committed.get(place).offset() == "last".length(), "offsets of the transaction are committed");
    }

    private void administration(String topic) throws Exception {
        var nodes = admin.describeCluster().nodes().get();
        check(nodes.size() == 1, "the cluster is described");
        int node = nodes.iterator().next().id();
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var operation = new AlterConfigOp(new ConfigEntry("max.message.bytes", "1000000"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(operation))).all().get();
        var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        check(config.get("max.message.bytes").value().equals("1000000"), "the configuration is changed and described");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(PARTITIONS + 1))).all().get();
        admin.deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(1))).all().get();
        var start = admin.listOffsets(Map.of(new TopicPartition(topic, 0), OffsetSpec.earliest())).all().get();
        check(start.values().iterator().next().offset() == 1, "records are deleted");
        check(admin.describeLogDirs(List.of(node)).allDescriptions().get().size() == 1, "log directories are described");
        admin.deleteTopics(List.of(topic)).all().get();
        check(!admin.listTopics().names().get().contains(topic), "the topic is deleted");
    }

    /** Runs everything; the exit code says how it went. */
    public static void main(String[] arguments) throws Exception {
        System.out.println("kafka-clients " + AppInfoParser.getVersion());
        var client = new Client(arguments);
        String topic = "java-none-" + client.tag;
        client.codecs();
        client.times(topic);
        client.groups(topic);
        client.transactions();
        client.administration(topic);
        System.exit(0);
    }
}
