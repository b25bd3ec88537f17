// What applications do with opensearch-go 4, unmodified: `opensearch HOST:PORT`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"github.com/opensearch-project/opensearch-go/v4/opensearchutil"
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

func bulk(client *opensearchapi.Client) {
	indexer, err := opensearchutil.NewBulkIndexer(opensearchutil.BulkIndexerConfig{
		Client: client, Index: "go", NumWorkers: 2, FlushBytes: 10_000, Refresh: "true",
	})
	must(err)
	for n := range documents {
		body, err := json.Marshal(map[string]any{"n": n, "host": fmt.Sprint("h", n%3), "@timestamp": 1_700_000_000_000 + 60_000*n})
		must(err)
		must(indexer.Add(everything, opensearchutil.BulkIndexerItem{
			Action: "index", DocumentID: strconv.Itoa(n), Body: bytes.NewReader(body),
			OnFailure: func(_ context.Context, item opensearchutil.BulkIndexerItem, _ opensearchapi.BulkRespItem, err error) {
				log.Fatalln("FAILED:", item.DocumentID, err)
			},
		}))
	}
	must(indexer.Close(everything))
	check(indexer.Stats().NumFlushed == documents, "bulk indexer", indexer.Stats())
}

func search(client *opensearchapi.Client, index []string, body string) *opensearchapi.SearchResp {
	found, err := client.Search(everything, &opensearchapi.SearchReq{Indices: index, Body: strings.NewReader(body)})
	must(err)
	return found
}

func searches(client *opensearchapi.Client) {
	body := `{"size":0,"query":{"range":{"n":{"lt":600}}},"aggs":{"sum":{"sum":{"field":"n"}}}}`
	found := search(client, []string{"go"}, body)
	check(string(found.Aggregations) == `{"sum":{"value":179700.0}}`, "sum", string(found.Aggregations))
	lines := "{\"index\":\"go\"}\n{\"size\":1}\n{\"index\":\"none\"}\n{}\n"
	answers, err := client.MSearch(everything, opensearchapi.MSearchReq{Body: strings.NewReader(lines)})
	must(err)
	check(answers.Responses[0].Status == 200 && answers.Responses[1].Status == 404, "msearch")
	count, err := client.Indices.Count(everything, &opensearchapi.IndicesCountReq{Indices: []string{"go"}})
	must(err)
	check(count.Count == documents, "count")
}

func pages(client *opensearchapi.Client) {
	seen := map[string]bool{}
	size, scroll := 300, time.Minute
	first, err := client.Search(everything, &opensearchapi.SearchReq{
		Indices: []string{"go"}, Params: opensearchapi.SearchParams{Size: &size, Scroll: scroll},
	})
	must(err)
	hits, id := first.Hits.Hits, *first.ScrollID
	for len(hits) > 0 {
		for _, hit := range hits {
			seen[hit.ID] = true
		}
		next, err := client.Scroll.Get(everything, opensearchapi.ScrollGetReq{
			ScrollID: id, Params: opensearchapi.ScrollGetParams{Scroll: scroll},
		})
		must(err)
		hits, id = next.Hits.Hits, *next.ScrollID
	}
	check(len(seen) == documents, "scroll")

	pit, err := client.PointInTime.Create(everything, opensearchapi.PointInTimeCreateReq{
		Indices: []string{"go"}, Params: opensearchapi.PointInTimeCreateParams{KeepAlive: scroll},
	})
	must(err)
	seen = map[string]bool{}
	after := ""
	for {
		body := fmt.Sprintf(`{"size":300,"pit":{"id":%q,"keep_alive":"1m"},"sort":[{"n":"asc"}]%s}`, pit.PitID, after)
		found := search(client, nil, body)
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
	_, err = client.PointInTime.Delete(everything, opensearchapi.PointInTimeDeleteReq{PitID: []string{pit.PitID}})
	must(err)
}

func main() {
	client, err := opensearchapi.NewClient(opensearchapi.Config{
		Client: opensearch.Config{Addresses: []string{"http://" + os.Args[1]}},
	})
	must(err)
	response, err := client.Ping(everything, nil)
	must(err)
	check(response.StatusCode == 200, "ping")
	mapping := `{"mappings":{"properties":{"@timestamp":{"type":"date"},"host":{"type":"keyword"},"n":{"type":"long"}}}}`
	_, err = client.Indices.Create(everything, opensearchapi.IndicesCreateReq{Index: "go", Body: strings.NewReader(mapping)})
	must(err)
	bulk(client)
	searches(client)
	pages(client)
	deleted, err := client.Document.DeleteByQuery(everything, opensearchapi.DocumentDeleteByQueryReq{
		Indices: []string{"go"}, Body: strings.NewReader(`{"query":{"term":{"host":"h1"}}}`),
	})
	must(err)
	check(deleted.Deleted == 333, "delete by query", deleted.Deleted)
	_, err = client.Indices.Delete(everything, opensearchapi.IndicesDeleteReq{Indices: []string{"go"}})
	must(err)
	_, err = client.Search(everything, &opensearchapi.SearchReq{Indices: []string{"go"}})
	var wrong *opensearch.StructError
	check(errors.As(err, &wrong) && wrong.Status == 404 && wrong.Err.Type == "index_not_found_exception", "not found", err)
}
