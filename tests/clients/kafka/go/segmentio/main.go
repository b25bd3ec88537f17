// kafka-go against a Siltstone server: `segmentio HOST:PORT`. It has no transactions.
package main

import (
	"context"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"

	"siltstone.dev/tests/clients/kafka/internal/expect"
)

var (
	address = os.Args[1]
	client  = &kafka.Client{Addr: kafka.TCP(address), Timeout: 20 * time.Second}
)

func create(topic string, partitions int) {
	made, err := client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	expect.NoError(err, "create a topic")
	expect.NoError(made.Errors[topic], "create a topic")
}

func member(group, topic string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{address}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 300 * time.Millisecond, MaxWait: 200 * time.Millisecond,
	})
}

func read(reader *kafka.Reader, count int) []kafka.Message {
	limit, cancel := context.WithTimeout(context.Background(), expect.Wait)
	defer cancel()
	var records []kafka.Message
	for len(records) < count {
		record, err := reader.FetchMessage(limit)
		expect.NoError(err, "a record")
		records = append(records, record)
	}
	return records
}

func codecs() string {
	for name, codec := range map[string]kafka.Compression{
		"none": compress.None, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	} {
		topic := "segmentio-" + name + "-" + expect.Tag
		create(topic, expect.Partitions)
		writer := &kafka.Writer{Addr: kafka.TCP(address), Topic: topic, RequiredAcks: kafka.RequireAll, Compression: codec, BatchTimeout: time.Millisecond}
		var records []kafka.Message
		for number := range expect.Records {
			records = append(records, kafka.Message{
				Key: []byte(expect.Key(number)), Value: []byte(expect.Value(number)), Time: expect.At(number),
				Headers: []kafka.Header{{Key: "kind", Value: []byte("test")}},
			})
		}
		expect.NoError(writer.WriteMessages(context.Background(), records...), "produce")
		expect.NoError(writer.Close(), "close")
		reader := member("segmentio-read-"+topic, topic)
		same, seen := true, map[string]bool{}
		for _, record := range read(reader, expect.Records) {
			number := int(record.Time.UnixMilli()-expect.FirstMs) / 1000
			seen[string(record.Value)] = true
			same = same && string(record.Key) == expect.Key(number) && string(record.Value) == expect.Value(number) &&
				len(record.Headers) == 1 && string(record.Headers[0].Value) == "test"
		}
		expect.NoError(reader.Close(), "close")
		expect.That(same && len(seen) == expect.Records, name+": keys, values, headers and timestamps come back")
	}
	return "segmentio-none-" + expect.Tag
}

func offsets(topic string, at func(partition int) kafka.OffsetRequest) map[int]int64 {
	var requests []kafka.OffsetRequest
	for partition := range expect.Partitions {
		requests = append(requests, at(partition))
	}
	listed, err := client.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
	expect.NoError(err, "offsets")
	found := map[int]int64{}
	for _, partition := range listed.Topics[topic] {
		expect.NoError(partition.Error, "offsets")
		found[partition.Partition] = max(partition.LastOffset, 0)
		for offset := range partition.Offsets {
			found[partition.Partition] = offset
		}
	}
	return found
}

func times(topic string) {
	from := offsets(topic, func(partition int) kafka.OffsetRequest { return kafka.TimeOffsetOf(partition, expect.At(30)) })
	ends := offsets(topic, kafka.LastOffsetOf)
	count := int64(0)
	for partition, end := range ends {
		count += end - from[partition]
	}
	expect.That(count == expect.Records-30, "offsets by time split the records")
}

func groups(topic string) {
	background := context.Background()
	group := "segmentio-readers-" + expect.Tag
	first := member(group, topic)
	records := read(first, expect.Records)
	expect.That(true, "one member reads everything")
	expect.NoError(first.CommitMessages(background, records...), "commit")
	second := member(group, topic)
	for limit, members := time.Now().Add(expect.Wait), 0; members != 2; {
		if time.Now().After(limit) {
			expect.That(false, "two members in time")
		}
		described, err := client.DescribeGroups(background, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		expect.NoError(err, "describe")
		if described.Groups[0].GroupState == "Stable" {
			members = len(described.Groups[0].Members)
		}
		time.Sleep(300 * time.Millisecond)
	}
	expect.That(true, "two members share after a rebalance")
	expect.NoError(first.Close(), "leave")
	expect.NoError(second.Close(), "leave")
	writer := &kafka.Writer{Addr: kafka.TCP(address), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	expect.NoError(writer.WriteMessages(background, kafka.Message{Value: []byte("new")}), "produce")
	expect.NoError(writer.Close(), "close")
	third := member(group, topic)
	next := read(third, 1)
	expect.That(string(next[0].Value) == "new", "the group goes on where it was")
	expect.NoError(third.Close(), "leave")
	deleted, err := client.DeleteGroups(background, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	expect.NoError(err, "delete")
	expect.NoError(deleted.Errors[group], "delete the group")
}

func administration(topic string) {
	background := context.Background()
	described, err := client.DescribeConfigs(background, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}},
	})
	expect.NoError(err, "describe")
	expect.That(len(described.Resources[0].ConfigEntries) > 5, "the configuration is described")
	grown, err := client.CreatePartitions(background, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: expect.Partitions + 1}},
	})
	expect.NoError(err, "add partitions")
	expect.NoError(grown.Errors[topic], "add partitions")
	deleted, err := client.DeleteTopics(background, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	expect.NoError(err, "delete")
	expect.NoError(deleted.Errors[topic], "delete the topic")
	expect.That(true, "topics grow and are deleted")
}

func main() {
	topic := codecs()
	times(topic)
	groups(topic)
	administration(topic)
}
