// sarama against a Siltstone server: `sarama HOST:PORT`.
package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"siltstone.dev/tests/clients/kafka/internal/expect"
)

var addresses = []string{os.Args[1]}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	return config
}

// reader is a member of a group that marks what it reads.
type reader struct {
	records chan *sarama.ConsumerMessage
	claims  chan int
}

func (r *reader) Setup(session sarama.ConsumerGroupSession) error {
	count := 0
	for _, partitions := range session.Claims() {
		count += len(partitions)
	}
	r.claims <- count
	return nil
}

func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case record, open := <-claim.Messages():
			if !open {
				return nil
			}
			session.MarkMessage(record, "")
			r.records <- record
		case <-session.Context().Done():
			return nil
		}
	}
}

// join makes a member; the function that it gives leaves the group.
func join(group, topic string, options *sarama.Config) (*reader, func()) {
	member, err := sarama.NewConsumerGroup(addresses, group, options)
	expect.NoError(err, "a group")
	made := &reader{records: make(chan *sarama.ConsumerMessage, 1000), claims: make(chan int, 100)}
	running, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for running.Err() == nil {
			if err := member.Consume(running, []string{topic}, made); err != nil && running.Err() == nil {
				expect.NoError(err, "consume")
			}
		}
	}()
	return made, func() {
		cancel()
		done.Wait()
		expect.NoError(member.Close(), "leave")
	}
}

func (r *reader) read(count int) []*sarama.ConsumerMessage {
	var records []*sarama.ConsumerMessage
	limit := time.After(expect.Wait)
	for len(records) < count {
		select {
		case record := <-r.records:
			records = append(records, record)
		case <-limit:
			expect.That(false, "records in time")
		}
	}
	return records
}

// awaitClaims waits until it has at least so many partitions and at most so many.
func (r *reader) awaitClaims(least, most int) {
	limit := time.After(expect.Wait)
	for {
		select {
		case claims := <-r.claims:
			if least <= claims && claims <= most {
				return
			}
		case <-limit:
			expect.That(false, "partitions in time")
		}
	}
}

func codecs(admin sarama.ClusterAdmin) string {
	for _, codec := range []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	} {
		topic := "sarama-" + codec.String() + "-" + expect.Tag
		err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: expect.Partitions, ReplicationFactor: 1}, false)
		expect.NoError(err, "create a topic")
		options := config()
		options.Producer.Compression = codec
		options.Producer.Idempotent = true
		options.Net.MaxOpenRequests = 1
		writer, err := sarama.NewSyncProducer(addresses, options)
		expect.NoError(err, "a producer")
		for number := range expect.Records {
			_, _, err := writer.SendMessage(&sarama.ProducerMessage{
				Topic: topic, Key: sarama.StringEncoder(expect.Key(number)), Value: sarama.StringEncoder(expect.Value(number)),
				Timestamp: expect.At(number), Headers: []sarama.RecordHeader{{Key: []byte("kind"), Value: []byte("test")}},
			})
			expect.NoError(err, "produce")
		}
		expect.NoError(writer.Close(), "close")
		member, leave := join("sarama-read-"+topic, topic, config())
		same, seen := true, map[string]bool{}
		for _, record := range member.read(expect.Records) {
			number := int(record.Timestamp.UnixMilli()-expect.FirstMs) / 1000
			seen[string(record.Value)] = true
			same = same && string(record.Key) == expect.Key(number) && string(record.Value) == expect.Value(number) &&
				len(record.Headers) == 1 && string(record.Headers[0].Value) == "test"
		}
		leave()
		expect.That(same && len(seen) == expect.Records, codec.String()+": keys, values, headers and timestamps come back")
	}
	return "sarama-none-" + expect.Tag
}

func times(client sarama.Client, topic string) {
	count := int64(0)
	for partition := range int32(expect.Partitions) {
		from, err := client.GetOffset(topic, partition, expect.At(30).UnixMilli())
		expect.NoError(err, "an offset by time")
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		expect.NoError(err, "an end")
		if from >= 0 {
			count += end - from
		}
	}
	expect.That(count == expect.Records-30, "offsets by time split the records")
}

func groups(admin sarama.ClusterAdmin, topic string) {
	group := "sarama-readers-" + expect.Tag
	first, leaveFirst := join(group, topic, config())
	first.read(expect.Records)
	expect.That(true, "one member reads everything")
	second, leaveSecond := join(group, topic, config())
	second.awaitClaims(1, expect.Partitions-1)
	expect.That(true, "two members share after a rebalance")
	described, err := admin.DescribeConsumerGroups([]string{group})
	expect.NoError(err, "describe")
	expect.That(len(described) == 1 && len(described[0].Members) == 2, "the group is described")
	leaveFirst()
	second.awaitClaims(expect.Partitions, expect.Partitions)
	expect.That(true, "who is left takes all")
	leaveSecond()
	offsets, err := admin.ListConsumerGroupOffsets(group, nil)
	expect.NoError(err, "offsets")
	committed := int64(0)
	for _, block := range offsets.Blocks[topic] {
		committed += block.Offset
	}
	expect.That(committed == expect.Records, "everything is committed")
	third, leaveThird := join(group, topic, config())
	third.awaitClaims(expect.Partitions, expect.Partitions)
	leaveThird()
	expect.That(len(third.records) == 0, "the group goes on where it was")
	expect.NoError(admin.DeleteConsumerGroup(group), "delete the group")
}

func transactions(admin sarama.ClusterAdmin) {
	topic := "sarama-transactions-" + expect.Tag
	expect.NoError(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false), "create a topic")
	options := config()
	options.Producer.Idempotent = true
	options.Producer.Transaction.ID = "sarama-" + expect.Tag
	options.Net.MaxOpenRequests = 1
	writer, err := sarama.NewSyncProducer(addresses, options)
	expect.NoError(err, "a producer")
	for _, value := range []string{"kept", "dropped", "last"} {
		expect.NoError(writer.BeginTxn(), "begin")
		_, _, err := writer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
		expect.NoError(err, "produce")
		if value == "dropped" {
			expect.NoError(writer.AbortTxn(), "abort")
		} else {
			expect.NoError(writer.CommitTxn(), "commit")
		}
	}
	expect.NoError(writer.Close(), "close")
	committed := config()
	committed.Consumer.IsolationLevel = sarama.ReadCommitted
	member, leave := join("sarama-committed-"+expect.Tag, topic, committed)
	records := member.read(2)
	leave()
	expect.That(string(records[0].Value) == "kept" && string(records[1].Value) == "last", "committed records alone are read")
}

func administration(admin sarama.ClusterAdmin, topic string) {
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	expect.NoError(err, "describe")
	expect.That(len(entries) > 5, "the configuration is described")
	expect.NoError(admin.CreatePartitions(topic, expect.Partitions+1, nil, false), "add partitions")
	metadata, err := admin.DescribeTopics([]string{topic})
	expect.NoError(err, "describe a topic")
	expect.That(len(metadata[0].Partitions) == expect.Partitions+1, "partitions are added")
	expect.NoError(admin.DeleteRecords(topic, map[int32]int64{0: 1}), "delete records")
	expect.NoError(admin.DeleteTopic(topic), "delete the topic")
	topics, err := admin.ListTopics()
	expect.NoError(err, "list topics")
	_, isThere := topics[topic]
	expect.That(!isThere, "the topic is deleted")
}

func main() {
	client, err := sarama.NewClient(addresses, config())
	expect.NoError(err, "a client")
	admin, err := sarama.NewClusterAdmin(addresses, config())
	expect.NoError(err, "an administrator")
	topic := codecs(admin)
	times(client, topic)
	groups(admin, topic)
	transactions(admin)
	administration(admin, topic)
}
