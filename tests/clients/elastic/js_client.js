// What applications do with the official JavaScript clients, unmodified.
//
//     node js_client.js HOST:PORT elasticsearch|opensearch
import assert from 'node:assert'
import { Client as Elasticsearch } from '@elastic/elasticsearch'
import { Client as OpenSearch } from '@opensearch-project/opensearch'

const [address, name] = process.argv.slice(2)
const isElastic = name === 'elasticsearch'
const client = isElastic
  ? new Elasticsearch({ node: `http://${address}` })
  : new OpenSearch({ node: `http://${address}` })

// Answers of one client are bodies, those of the other hold them.
const body = (answer) => (isElastic ? answer : answer.body)
const checked = (what, holds) => {
  assert.ok(holds, what)
  console.log('ok', what)
}

const count = 500
checked('ping', await client.ping())
checked('info', body(await client.info()).version.number)
await client.indices.create({
  index: 'js',
  body: { mappings: { properties: { n: { type: 'long' }, host: { type: 'keyword' } } } },
})
const bulk = await client.helpers.bulk({
  datasource: Array.from({ length: count }, (_, n) => ({ n, host: `h${n % 5}` })),
  onDocument: (document) => ({ index: { _index: 'js', _id: String(document.n) } }),
  refreshOnCompletion: 'js',
})
checked('bulk helper', bulk.successful === count && bulk.failed === 0)

const answer = body(await client.search({
  index: 'js',
  body: { size: 0, aggs: { hosts: { terms: { field: 'host' }, aggs: { sum: { sum: { field: 'n' } } } } } },
}))
const buckets = answer.aggregations.hosts.buckets
checked('aggregations', buckets.length === 5 && buckets[0].doc_count === count / 5)

let seen = 0
for await (const documents of client.helpers.scrollDocuments({ index: 'js', body: { size: 99 } })) {
  assert.ok('n' in documents)
  seen += 1
}
checked('scroll helper', seen === count)

const m = client.helpers.msearch()
const { body: found } = await m.search({ index: 'js' }, { query: { term: { n: 7 } } })
checked('msearch helper', found.hits.total.value === 1)
m.stop()

const pit = isElastic
  ? (await client.openPointInTime({ index: 'js', keep_alive: '1m' })).id
  : body(await client.createPit({ index: 'js', keep_alive: '1m' })).pit_id
const page = body(await client.search({ body: { size: 3, pit: { id: pit }, sort: [{ n: 'desc' }] } }))
checked('point in time', page.hits.hits[0]._source.n === count - 1)
if (isElastic) await client.closePointInTime({ id: pit })
else await client.deletePit({ body: { pit_id: [pit] } })

await client.delete({ index: 'js', id: '1', refresh: true })
checked('count', body(await client.count({ index: 'js' })).count === count - 1)
await client.indices.delete({ index: 'js' })
await assert.rejects(client.search({ index: 'js' }), /index_not_found_exception/)
checked('not found', true)
await client.close()
