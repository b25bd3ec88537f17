// franz-go against a Siltstone server: `franz HOST:PORT`.
package main

import (
	"context"
	"errors"
	"os"
	"sort"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"siltstone.dev/tests/clients/kafka/internal/expect"
)

var address = os.Args[1]

func client(options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(address)}, options...)...)
	expect.NoError(err, "a client")
	return made
}

// read polls until it has `count` records.
func read(reader *kgo.Client, count int) []*kgo.Record {
	limit, cancel := context.WithTimeout(context.Background(), expect.Wait)
	defer cancel()
	var records []*kgo.Record
	for len(records) < count {
		fetches := reader.PollFetches(limit)
		expect.NoError(fetches.Err0(), "a poll")
		records = append(records, fetches.Records()...)
	}
	return records
}

func codecs(admin *kadm.Client) string {
	all := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range all {
		topic := "franz-" + name + "-" + expect.Tag
		_, err := admin.CreateTopic(context.Background(), expect.Partitions, 1, nil, topic)
		expect.NoError(err, "create a topic")
		writer := client(kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic))
		for number := range expect.Records {
			err := writer.ProduceSync(context.Background(), &kgo.Record{
				Key: []byte(expect.Key(number)), Value: []byte(expect.Value(number)), Timestamp: expect.At(number),
				Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte("test")}},
			}).FirstErr()
			expect.NoError(err, "produce")
		}
		writer.Close()
		reader := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		records := read(reader, expect.Records)
		reader.Close()
		sort.Slice(records, func(a, b int) bool { return records[a].Timestamp.Before(records[b].Timestamp) })
		same := true
		for number, record := range records {
			same = same && string(record.Key) == expect.Key(number) && string(record.Value) == expect.Value(number) &&
				record.Timestamp.Equal(expect.At(number)) && len(record.Headers) == 1 && string(record.Headers[0].Value) == "test"
		}
		expect.That(same, name+": keys, values, headers and timestamps come back")
	}
	return "franz-none-" + expect.Tag
}

func times(admin *kadm.Client, topic string) {
	later, err := admin.ListOffsetsAfterMilli(context.Background(), expect.At(30).UnixMilli(), topic)
	expect.NoError(err, "offsets by time")
	ends, err := admin.ListEndOffsets(context.Background(), topic)
	expect.NoError(err, "end offsets")
	count := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		from, _ := later.Lookup(topic, end.Partition)
		count += end.Offset - from.Offset
	})
	expect.That(count == expect.Records-30, "offsets by time split the records")
}

func groups(admin *kadm.Client, topic string) {
	background := context.Background()
	group := "franz-readers-" + expect.Tag
	member := func() *kgo.Client {
		return client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(300_000_000))
	}
	first := member()
	records := read(first, expect.Records)
	expect.That(len(records) == expect.Records, "one member reads everything")
	expect.NoError(first.CommitRecords(background, records...), "commit")
	second := member()
	limit, cancel := context.WithTimeout(background, expect.Wait)
	defer cancel()
	for shared := false; !shared; {
		expect.NoError(limit.Err(), "two members share")
		for _, one := range []*kgo.Client{first, second} {
			poll, stop := context.WithTimeout(limit, 200_000_000)
			one.PollFetches(poll)
			stop()
		}
		described, err := admin.DescribeGroups(background, group)
		expect.NoError(err, "describe a group")
		shared = described[group].State == "Stable" && len(described[group].Members) == 2
	}
	expect.That(true, "two members share after a rebalance")
	first.Close()
	second.Close()
	lag, err := admin.Lag(background, group)
	expect.NoError(err, "lag")
	expect.That(lag[group].Lag.Total() == 0, "everything is committed")
	moved := kadm.Offsets{}
	moved.AddOffset(topic, 0, 1, -1)
	expect.NoError(admin.CommitAllOffsets(background, group, moved), "commit by hand")
	third := member()
	end, err := admin.ListEndOffsets(background, topic)
	expect.NoError(err, "end offsets")
	last, _ := end.Lookup(topic, 0)
	again := read(third, int(last.Offset)-1)
	expect.That(again[0].Offset == 1 && again[0].Partition == 0, "the group goes on from the committed offset")
	third.Close()
	_, err = admin.DeleteGroup(background, group)
	expect.NoError(err, "delete the group")
}

func transactions(admin *kadm.Client) {
	background := context.Background()
	topic := "franz-transactions-" + expect.Tag
	_, err := admin.CreateTopic(background, 1, 1, nil, topic)
	expect.NoError(err, "create a topic")
	writer := client(kgo.TransactionalID("franz-"+expect.Tag), kgo.DefaultProduceTopic(topic))
	for _, round := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"kept", kgo.TryCommit}, {"dropped", kgo.TryAbort}, {"last", kgo.TryCommit}} {
		expect.NoError(writer.BeginTransaction(), "begin")
		expect.NoError(writer.ProduceSync(background, kgo.StringRecord(round.value)).FirstErr(), "produce")
		expect.NoError(writer.EndTransaction(background, round.end), "end")
	}
	writer.Close()
	values := func(level kgo.IsolationLevel, count int) string {
		reader := client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(level), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer reader.Close()
		text := ""
		for _, record := range read(reader, count) {
			text += string(record.Value) + " "
		}
		return text
	}
	expect.That(values(kgo.ReadCommitted(), 2) == "kept last ", "committed records alone are read")
	expect.That(values(kgo.ReadUncommitted(), 3) == "kept dropped last ", "aborted ones are there for who asks")
}

func administration(admin *kadm.Client, topic string) {
	background := context.Background()
	configs, err := admin.DescribeTopicConfigs(background, topic)
	expect.NoError(err, "describe a topic")
	expect.That(len(configs) == 1 && len(configs[0].Configs) > 5, "the configuration is described")
	value := "1000000"
	altered, err := admin.AlterTopicConfigs(background, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, topic)
	expect.NoError(errors.Join(err, altered[0].Err), "alter a topic")
	remove := kadm.Offsets{}
	remove.AddOffset(topic, 0, 1, -1)
	_, err = admin.DeleteRecords(background, remove)
	expect.NoError(err, "delete records")
	starts, err := admin.ListStartOffsets(background, topic)
	expect.NoError(err, "start offsets")
	start, _ := starts.Lookup(topic, 0)
	expect.That(start.Offset == 1, "records are deleted")
	_, err = admin.DeleteTopic(background, topic)
	expect.NoError(err, "delete the topic")
	expect.That(true, "topics are altered and deleted")
}

func main() {
	admin := kadm.NewClient(client())
	defer admin.Close()
	topic := codecs(admin)
	times(admin, topic)
	groups(admin, topic)
	transactions(admin)
	administration(admin, topic)
}
