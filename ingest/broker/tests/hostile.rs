//! Requests that no client sends, over every API and version.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;

use super::fixture::{Fixture, NOW_MS, batch, compressed, produce_request, text};
use crate::broker::Reply;
use crate::wire::{Api, decode_request, encode_response};

fn header(api: Api, version: i16) -> BytesMut {
    let mut out = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_client_id(Some(text("nobody")))
        .encode(&mut out, if version >= api.flexible_from() { 2 } else { 1 })
        .unwrap();
    out
}

/// Handles a frame to its end; nothing may panic.
fn survive(fixture: &mut Fixture, frame: &Bytes) {
    let Ok((header, request)) = decode_request(frame) else {
        return;
    };
    let response = match fixture
        .broker
        .handle(&mut fixture.session, &header, request, NOW_MS)
    {
        Reply::Ready(response) => response,
        Reply::AfterDurable(lsn, response) => {
            fixture.broker.store().wait_durable(lsn).unwrap();
            response
        }
        Reply::Fetch(mut fetch) => {
            let deadline_ms = fetch.deadline_ms();
            fixture
                .broker
                .poll_fetch(&mut fetch, usize::MAX, deadline_ms)
                .unwrap()
        }
        Reply::Later(_) | Reply::None | Reply::Close => return,
    };
    encode_response(&header, &response).unwrap();
}

fn any_version() -> impl Strategy<Value = (Api, i16)> {
    let versions = |api: Api| (api.served().min..=api.served().max).map(move |v| (api, v));
    prop::sample::select(Api::ALL.into_iter().flat_map(versions).collect::<Vec<_>>())
}

fn mean_byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0_u8), 2 => 1_u8..5, 1 => Just(b't'), 1 => Just(0xff), 1 => any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_requests_are_answered_or_refused(
        requests in prop::collection::vec(
            (any_version(), prop::collection::vec(mean_byte(), 0..120)),
            1..8,
        ),
    ) {
        let mut fixture = Fixture::with_topic("t", &[]);
        for ((api, version), body) in requests {
            let mut frame = header(api, version);
            frame.put_slice(&body);
            survive(&mut fixture, &frame.freeze());
        }
    }

    #[test]
    fn broken_batches_are_refused_and_whole_ones_come_back(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        codec in prop::sample::select(vec![0_u8, 1, 2, 3, 4]),
        fix_checksum in any::<bool>(),
    ) {
        let codec = storage::log::Codec::from_number(i16::from(codec)).unwrap();
        let mut records = compressed(&["one", "two", "three"], codec).to_vec();
        for (place, byte) in changes {
            let place = place.index(records.len());
            records[place] = byte;
        }
        if fix_checksum {
            let checksum = crc32c::crc32c(&records[21..]);
            records[17..21].copy_from_slice(&checksum.to_be_bytes());
        }
        let mut fixture = Fixture::with_topic("t", &[]);
        let answer = fixture.ask(&produce_request("t", 0, -1, Some(Bytes::from(records))), 9);
        let is_accepted = answer.responses[0].partition_responses[0].error_code == 0;
        let stored = fixture.fetch("t", 0);
        prop_assert_eq!(stored.high_watermark > 0, is_accepted);
        if is_accepted {
            // Whatever was accepted can be read to its last record.
            let mut scratch = storage::log::DecompressionBuffer::new();
            for batch in storage::log::Batches::new(stored.records.unwrap()) {
                let batch = batch.unwrap();
                for record in batch.records(&mut scratch).unwrap() {
                    record.unwrap();
                }
            }
        }
        // And the partition goes on.
        prop_assert_eq!(fixture.produce("t", batch(&["next"])).error_code, 0);
    }
}
