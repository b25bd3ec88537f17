// What applications do with go-elasticsearch 8, unmodified: `elasticsearch HOST:PORT`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/elastic/go-elasticsearch/v8/esutil"
	"github.com/elastic/go-elasticsearch/v8/typedapi/types"
)

const documents = 1000

var everything = context.Background()

func check(holds bool, what string, found ...any) {
	if !holds {
		log.Fatalln("FAILED:", what, found)
	}
	fmt.Println("ok", what)
}

func must(err error) {
	if err != nil {
		log.Fatalln("FAILED:", err)
	}
}

type hit struct {
	ID     string            `json:"_id"`
	Source map[string]any    `json:"_source"`
	Sort   []json.RawMessage `json:"sort"`
}

type answer struct {
	ID       string `json:"id"`
	Count    int    `json:"count"`
	Deleted  int    `json:"deleted"`
	ScrollID string `json:"_scroll_id"`
	Hits     struct {
		Hits []hit `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]struct {
		Value   float64 `json:"value"`
		Buckets []struct {
			Count int `json:"doc_count"`
		} `json:"buckets"`
	} `json:"aggregations"`
	Responses []struct {
		Status int `json:"status"`
	} `json:"responses"`
}

// read takes what a call of the client returned.
func read(response *esapi.Response, err error) answer {
	must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(err)
	if response.IsError() {
		log.Fatalln("FAILED:", response.Status(), string(body))
	}
	var found answer
	must(json.Unmarshal(body, &found))
	return found
}

func bulk(client *elasticsearch.Client) {
	indexer, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{
		Client: client, Index: "go", NumWorkers: 2, FlushBytes: 10_000, Refresh: "true",
	})
	must(err)
	for n := range documents {
		body, err := json.Marshal(map[string]any{"n": n, "host": fmt.Sprint("h", n%3), "@timestamp": 1_700_000_000_000 + 60_000*n})
		must(err)
		must(indexer.Add(everything, esutil.BulkIndexerItem{
			Action: "index", DocumentID: strconv.Itoa(n), Body: bytes.NewReader(body),
			OnFailure: func(_ context.Context, item esutil.BulkIndexerItem, _ esutil.BulkIndexerResponseItem, err error) {
				log.Fatalln("FAILED:", item.DocumentID, err)
			},
		}))
	}
	must(indexer.Close(everything))
	check(indexer.Stats().NumFlushed == documents, "bulk indexer", indexer.Stats())
}

func searches(client *elasticsearch.Client) {
	body := `{"size":0,"query":{"range":{"n":{"lt":600}}},"aggs":{"hosts":{"terms":{"field":"host"}},"sum":{"sum":{"field":"n"}}}}`
	found := read(client.Search(client.Search.WithIndex("go"), client.Search.WithBody(strings.NewReader(body))))
	check(len(found.Aggregations["hosts"].Buckets) == 3, "terms")
	check(found.Aggregations["sum"].Value == 600*599/2, "sum")
	lines := "{\"index\":\"go\"}\n{\"size\":1}\n{\"index\":\"none\"}\n{}\n"
	found = read(client.Msearch(strings.NewReader(lines)))
	check(found.Responses[0].Status == 200 && found.Responses[1].Status == 404, "msearch")
	check(read(client.Count(client.Count.WithIndex("go"))).Count == documents, "count")
}

func pages(client *elasticsearch.Client) {
	seen := map[string]bool{}
	found := read(client.Search(client.Search.WithIndex("go"), client.Search.WithSize(300), client.Search.WithScroll(time.Minute)))
	for len(found.Hits.Hits) > 0 {
		for _, hit := range found.Hits.Hits {
			seen[hit.ID] = true
		}
		found = read(client.Scroll(client.Scroll.WithScrollID(found.ScrollID), client.Scroll.WithScroll(time.Minute)))
	}
	read(client.ClearScroll(client.ClearScroll.WithScrollID(found.ScrollID)))
	check(len(seen) == documents, "scroll")

	seen = map[string]bool{}
	pit := read(client.OpenPointInTime([]string{"go"}, "1m")).ID
	after := ""
	for {
		body := fmt.Sprintf(`{"size":300,"pit":{"id":%q,"keep_alive":"1m"},"sort":[{"n":"asc"}]%s}`, pit, after)
		found := read(client.Search(client.Search.WithBody(strings.NewReader(body))))
		if len(found.Hits.Hits) == 0 {
			break
		}
		for _, hit := range found.Hits.Hits {
			seen[hit.ID] = true
		}
		last, err := json.Marshal(found.Hits.Hits[len(found.Hits.Hits)-1].Sort)
		must(err)
		after = `,"search_after":` + string(last)
	}
	check(len(seen) == documents, "point in time")
	body := strings.NewReader(fmt.Sprintf(`{"id":%q}`, pit))
	read(client.ClosePointInTime(client.ClosePointInTime.WithBody(body)))
}

func typed(address string) {
	client, err := elasticsearch.NewTypedClient(elasticsearch.Config{Addresses: []string{"http://" + address}})
	must(err)
	field := "n"
	found, err := client.Search().Index("go").Size(2).Aggregations(map[string]types.Aggregations{
		"most": {Max: &types.MaxAggregation{Field: &field}},
	}).Do(everything)
	must(err)
	most, is := found.Aggregations["most"].(*types.MaxAggregate)
	check(is && most.Value != nil && float64(*most.Value) == documents-1, "typed client", found.Aggregations)
	check(len(found.Hits.Hits) == 2 && found.Hits.Total.Value == documents, "typed hits")
}

func main() {
	client, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{"http://" + os.Args[1]}})
	must(err)
	response, err := client.Ping()
	must(err)
	check(response.StatusCode == 200, "ping")
	mapping := `{"mappings":{"properties":{"@timestamp":{"type":"date"},"host":{"type":"keyword"},"n":{"type":"long"}}}}`
	read(client.Indices.Create("go", client.Indices.Create.WithBody(strings.NewReader(mapping))))
	bulk(client)
	searches(client)
	pages(client)
	typed(os.Args[1])
	query := strings.NewReader(`{"query":{"term":{"host":"h1"}}}`)
	deleted := read(client.DeleteByQuery([]string{"go"}, query, client.DeleteByQuery.WithRefresh(true))).Deleted
	check(deleted == 333, "delete by query", deleted)
	read(client.Indices.Delete([]string{"go"}))
	response, err = client.Search(client.Search.WithIndex("go"))
	must(err)
	check(response.StatusCode == 404, "not found")
}
