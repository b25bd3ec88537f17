//! Rows that are answered, sorted one by one.

use super::*;

pub(super) fn top_rows(by: &TopRows, rows: &[&Row]) -> RowsResult {
    let request = HitsRequest {
        size: by.size,
        from: by.from,
        sort: by.sort.clone(),
        ..HitsRequest::default()
    };
    let shown = hits(&request, rows);
    let row_of = |id: &str| rows.iter().find(|row| row.name() == id).expect("a row");
    let value =
        |row: &Row, field: &Option<FieldRef>| sort_value(row, &SortBy::Field(field.clone()), false);
    RowsResult {
        matched: rows.len() as u64,
        fields: shown
            .iter()
            .map(|(id, ..)| {
                by.fields
                    .iter()
                    .map(|field| value(row_of(id), field))
                    .collect()
            })
            .collect(),
        hits: shown
            .into_iter()
            .map(|(id, partition, offset, source, sort)| Hit {
                part: 0,
                id,
                partition,
                offset,
                version: 1,
                routing: None,
                ignored: Vec::new(),
                source: if by.documents { source } else { Vec::new() },
                sort,
                score: None,
                group: None,
                named: Vec::new(),
            })
            .collect(),
    }
}

pub(super) fn sort_value(row: &Row, by: &SortBy, descending: bool) -> Option<SortValue> {
    let field = match by {
        SortBy::Row => return Some(SortValue::Row),
        SortBy::Score | SortBy::Distance { .. } => panic!("they have tests of their own"),
        SortBy::Field(None) => return None,
        SortBy::Field(Some(field)) => field,
    };
    let mut texts = row.texts(&field.column);
    if !texts.is_empty() {
        texts.sort_unstable();
        let text = if descending {
            texts[texts.len() - 1]
        } else {
            texts[0]
        };
        return Some(SortValue::Text(Arc::from(text.as_bytes())));
    }
    let mut values = numbers(row, field);
    values.sort_by(|a, b| a.compare(*b));
    let value = if descending {
        values.last()
    } else {
        values.first()
    };
    value.map(|value| match field.field_type {
        FieldType::Double => SortValue::Decimal(value.normalized()),
        _ => SortValue::Integer(value.mantissa),
    })
}

pub(super) fn hits(request: &HitsRequest, rows: &[&Row]) -> Vec<ShownHit> {
    let mut sorted: Vec<(Vec<Option<SortValue>>, &Row)> = rows
        .iter()
        .map(|row| {
            let values = request
                .sort
                .iter()
                .map(|key| sort_value(row, &key.by, key.descending));
            (values.collect(), *row)
        })
        .collect();
    sorted.sort_by(|(a_values, a), (b_values, b)| {
        let place = |row: &Row| (row.partition, row.offset);
        for (index, key) in request.sort.iter().enumerate() {
            let turn = |ordering: Ordering| match key.descending {
                true => ordering.reverse(),
                false => ordering,
            };
            let ordering = match (&a_values[index], &b_values[index]) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) if key.missing_first => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) if key.missing_first => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a_value), Some(b_value)) => turn(match (a_value, b_value) {
                    (SortValue::Integer(a), SortValue::Integer(b)) => a.cmp(b),
                    (SortValue::Decimal(a), SortValue::Decimal(b)) => a.compare(*b),
                    (SortValue::Text(a), SortValue::Text(b)) => a.cmp(b),
                    (SortValue::Row, SortValue::Row) => place(a).cmp(&place(b)),
                    _ => panic!("values of one field are of one kind"),
                }),
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        place(a).cmp(&place(b))
    });
    sorted
        .into_iter()
        .skip(request.from)
        .take(request.size)
        .map(|(values, row)| {
            let source = row.name().into_bytes();
            (row.name(), row.partition, row.offset, source, values)
        })
        .collect()
}
