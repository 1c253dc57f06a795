//! The query of `GET /v1/kv` and `DELETE /v1/kv`.
//!
//! `prefix`, `start` and `end` are percent-encoded bytes, as keys in paths are ([`crate::key`]). All other
//! parameters are plain.

use std::time::Duration;

use bytes::Bytes;
use quorate_kv::{KeyRange, RangeForm, RangeQuery};
use xxhash_rust::xxh3::xxh3_64;

use crate::bounds;
use crate::consistency::Consistency;
use crate::cursor::Cursor;
use crate::key::{decode_key, encode_key};
use crate::order::{Order, range_form};
use crate::query::{self, BadQuery, Parameters};

/// The keys that begin with this.
pub const PREFIX: &str = "prefix";
/// The first key.
pub const START: &str = "start";
/// The first key that is not meant any more.
pub const END: &str = "end";
/// How many keys at most.
pub const LIMIT: &str = "limit";
/// A name of [`Order`].
pub const ORDER: &str = "order";
/// `true`: no values.
pub const KEYS_ONLY: &str = "keys_only";
/// `true`: only how many keys there are.
pub const COUNT_ONLY: &str = "count_only";
/// Where to go on: the `next_cursor` of an answer to the same query.
pub const CURSOR: &str = "cursor";

/// What `GET /v1/kv` asks for. The default is every key there is, with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeParameters {
    /// Which keys; `None` for all.
    pub range: Option<KeyRange>,
    /// How many keys at most, or all.
    pub limit: Option<u64>,
    /// In which order.
    pub order: Order,
    /// No values.
    pub keys_only: bool,
    /// Only how many keys there are.
    pub count_only: bool,
    /// At which revision, or at the newest.
    pub revision: Option<u64>,
    /// Where to go on, as it came in an answer.
    pub cursor: Option<String>,
    /// How fresh the answer has to be.
    pub consistency: Option<Consistency>,
    /// Of a stale read: how old the state may have been when the request arrived.
    pub max_staleness: Option<Duration>,
    /// How long the request may take.
    pub timeout: Option<Duration>,
}

impl RangeParameters {
    /// Reads a raw query.
    pub fn parse(raw_query: &str) -> Result<Self, BadQuery> {
        let mut parsed = Self::default();
        let mut bounds = BoundsParameters::default();
        let (mut order, mut keys_only, mut count_only) = (None, None, None);
        for (name, value) in Parameters::of(raw_query) {
            match name {
                PREFIX | START | END => bounds.take(name, value)?,
                LIMIT => query::once(name, &mut parsed.limit, query::number(name, value)?)?,
                ORDER => query::once(name, &mut order, parse_order(value)?)?,
                KEYS_ONLY => query::once(name, &mut keys_only, query::flag(name, value)?)?,
                COUNT_ONLY => query::once(name, &mut count_only, query::flag(name, value)?)?,
                query::REVISION => query::once(name, &mut parsed.revision, query::number(name, value)?)?,
                CURSOR => query::once(name, &mut parsed.cursor, value.to_owned())?,
                query::CONSISTENCY => {
                    query::once(name, &mut parsed.consistency, query::consistency(value)?)?;
                }
                query::MAX_STALENESS => {
                    query::once(name, &mut parsed.max_staleness, query::max_staleness(value)?)?;
                }
                query::TIMEOUT => query::once(name, &mut parsed.timeout, query::timeout(value)?)?,
                _ => return Err(query::unknown(name)),
            }
        }
        parsed.range = bounds.range()?;
        parsed.order = order.unwrap_or_default();
        parsed.keys_only = keys_only.unwrap_or(false);
        parsed.count_only = count_only.unwrap_or(false);
        parsed.check()
    }

    /// Whether the parameters go together.
    fn check(self) -> Result<Self, BadQuery> {
        range_form(self.keys_only, self.count_only).map_err(BadQuery::new)?;
        query::check_staleness(self.consistency, self.max_staleness)?;
        let message = match (&self.cursor, self.count_only, self.revision) {
            (Some(_), true, _) => "cursor and count_only exclude each other",
            (Some(_), _, Some(_)) => "cursor and revision exclude each other: a cursor has its revision",
            _ if self.limit == Some(0) => "limit is 1 or more",
            _ => return Ok(self),
        };
        Err(BadQuery::new(message))
    }

    /// Writes them as a raw query that [`RangeParameters::parse`] reads; empty for the default.
    pub fn to_query(&self) -> String {
        let mut query = query::Writer::default();
        if let Some(range) = &self.range {
            write_bounds(&mut query, range);
        }
        if let Some(limit) = self.limit {
            query.add(LIMIT, &limit.to_string());
        }
        if self.order != Order::default() {
            query.add(ORDER, self.order.name());
        }
        for (name, flag) in [(KEYS_ONLY, self.keys_only), (COUNT_ONLY, self.count_only)] {
            if flag {
                query.add(name, "true");
            }
        }
        if let Some(revision) = self.revision {
            query.add(query::REVISION, &revision.to_string());
        }
        if let Some(cursor) = &self.cursor {
            query.add(CURSOR, &encode_key(cursor.as_bytes()));
        }
        if let Some(consistency) = self.consistency {
            query.add(query::CONSISTENCY, consistency.name());
        }
        if let Some(max_staleness) = self.max_staleness {
            query.add(query::MAX_STALENESS, &query::format_duration(max_staleness));
        }
        if let Some(timeout) = self.timeout {
            query.add(query::TIMEOUT, &query::format_timeout(timeout));
        }
        query.finish()
    }

    /// The query for the state machine, without regard to the cursor.
    pub fn range_query(&self) -> RangeQuery {
        RangeQuery {
            range: self.range.clone().unwrap_or_else(KeyRange::all),
            direction: self.order.into(),
            limit: self.limit,
            form: match (self.keys_only, self.count_only) {
                (_, true) => RangeForm::Count,
                (true, false) => RangeForm::Keys,
                (false, false) => RangeForm::KeysAndValues,
            },
            revision: self.revision,
        }
    }

    /// What the query is for its cursors: a hash over keys, order and form. The limit may change from page to
    /// page.
    pub fn query_hash(&self) -> u64 {
        let query = self.range_query();
        let mut bytes = vec![self.order as u8, query.form as u8, u8::from(query.range.end().is_some())];
        bytes.extend_from_slice(&(query.range.start().len() as u64).to_be_bytes());
        bytes.extend_from_slice(query.range.start());
        bytes.extend_from_slice(query.range.end().map_or(&[], |end| &end[..]));
        xxh3_64(&bytes)
    }

    /// The cursor that goes on behind `last_key` at `revision`.
    pub fn cursor_behind(&self, group: u32, revision: u64, last_key: Bytes) -> Cursor {
        Cursor { group, revision, query_hash: self.query_hash(), last_key }
    }
}

/// What `DELETE /v1/kv` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRangeParameters {
    /// Which keys.
    pub range: KeyRange,
    /// How long the request may take.
    pub timeout: Option<Duration>,
}

impl DeleteRangeParameters {
    /// Reads a raw query. Which keys has to be said: `prefix=` for all.
    pub fn parse(raw_query: &str) -> Result<Self, BadQuery> {
        let mut bounds = BoundsParameters::default();
        let mut timeout = None;
        for (name, value) in Parameters::of(raw_query) {
            match name {
                PREFIX | START | END => bounds.take(name, value)?,
                query::TIMEOUT => query::once(name, &mut timeout, query::timeout(value)?)?,
                _ => return Err(query::unknown(name)),
            }
        }
        let missing = || BadQuery::new("prefix, start or end is missing; prefix= means every key");
        Ok(Self { range: bounds.range()?.ok_or_else(missing)?, timeout })
    }

    /// Writes them as a raw query that [`DeleteRangeParameters::parse`] reads.
    pub fn to_query(&self) -> String {
        let mut query = query::Writer::default();
        write_bounds(&mut query, &self.range);
        if let Some(timeout) = self.timeout {
            query.add(query::TIMEOUT, &query::format_timeout(timeout));
        }
        query.finish()
    }
}

#[derive(Debug, Default)]
struct BoundsParameters {
    prefix: Option<Bytes>,
    start: Option<Bytes>,
    end: Option<Bytes>,
}

impl BoundsParameters {
    fn take(&mut self, name: &str, value: &str) -> Result<(), BadQuery> {
        let bytes = decode_key(value.as_bytes())
            .map_err(|_| BadQuery::new(format!("{name} is not properly percent-encoded: {value:?}")))?;
        let place = match name {
            PREFIX => &mut self.prefix,
            START => &mut self.start,
            _ => &mut self.end,
        };
        query::once(name, place, Bytes::from(bytes))
    }

    fn range(self) -> Result<Option<KeyRange>, BadQuery> {
        bounds::range(self.prefix, self.start, self.end).map_err(BadQuery::new)
    }
}

fn parse_order(value: &str) -> Result<Order, BadQuery> {
    Order::from_name(value)
        .ok_or_else(|| BadQuery::new(format!("order is ascending or descending, not {value:?}")))
}

fn write_bounds(query: &mut query::Writer, range: &KeyRange) {
    query.add(START, &encode_key(range.start()));
    if let Some(end) = range.end() {
        query.add(END, &encode_key(end));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Bytes::from)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            bounds in prop::option::of((key(), prop::option::of(key()))),
            limit in prop::option::of(1..=u64::MAX),
            descending: bool,
            amount in 0..3,
            revision in prop::option::of(any::<u64>()),
            stale: bool,
        ) {
            let parameters = RangeParameters {
                range: bounds.map(|(start, end)| KeyRange::new(start, end)),
                limit,
                order: if descending { Order::Descending } else { Order::Ascending },
                keys_only: amount == 1,
                count_only: amount == 2,
                revision,
                cursor: None,
                consistency: stale.then_some(Consistency::Stale),
                max_staleness: stale.then_some(Duration::from_secs(2)),
                timeout: stale.then_some(Duration::from_secs(3)),
            };
            prop_assert_eq!(RangeParameters::parse(&parameters.to_query()), Ok(parameters));
        }

        #[test]
        fn any_query_is_read_or_refused(query in "[a-z=&%0-9_]{0,40}") {
            let _ = RangeParameters::parse(&query);
            let _ = DeleteRangeParameters::parse(&query);
        }
    }

    #[test]
    fn bytes_are_percent_decoded_and_plus_is_plus() {
        let parameters = RangeParameters::parse("prefix=a+b%2F%ff&limit=5").expect("is a query");
        assert_eq!(parameters.range, Some(KeyRange::prefix(Bytes::from_static(b"a+b/\xff"))));
        assert_eq!(parameters.limit, Some(5));
        let all = RangeParameters::parse("prefix=").expect("is a query");
        assert_eq!(all.range, Some(KeyRange::all()));
    }

    #[test]
    fn bad_queries_are_refused_by_name() {
        for (query, mention) in [
            ("prefix=a&start=b", "prefix goes with neither"),
            ("prefix=a&prefix=b", "\"prefix\" is given twice"),
            ("prefix=%f", "prefix is not properly percent-encoded"),
            ("limit=0", "limit is 1 or more"),
            ("limit=-1", "limit"),
            ("limit=18446744073709551616", "limit"),
            ("order=up", "\"up\""),
            ("order=ascending&order=ascending", "\"order\" is given twice"),
            ("keys_only=yes", "keys_only is true or false"),
            ("keys_only=true&count_only=true", "exclude"),
            ("cursor=a&count_only=true", "exclude"),
            ("cursor=a&revision=1", "exclude"),
            ("revision=", "revision"),
            ("fresh=1", "\"fresh\""),
        ] {
            let found = RangeParameters::parse(query).expect_err(query).to_string();
            assert!(found.contains(mention), "{query}: {found}");
        }
        let found = DeleteRangeParameters::parse("timeout=1s").expect_err("which keys").to_string();
        assert!(found.contains("prefix="), "{found}");
        assert!(DeleteRangeParameters::parse("prefix=&limit=1").is_err());
    }

    #[test]
    fn a_cursor_is_of_the_keys_the_order_and_the_form() {
        let hash = |query| RangeParameters::parse(query).expect(query).query_hash();
        let queries =
            ["", "order=descending", "keys_only=true", "prefix=a", "start=a", "end=a", "start=a&end=c"];
        for (index, one) in queries.iter().enumerate() {
            for other in &queries[index + 1..] {
                assert_ne!(hash(one), hash(other), "{one} and {other}");
            }
        }
        assert_eq!(hash("prefix=a&limit=3&timeout=1s"), hash("start=a&end=b&revision=4&consistency=stale"));
    }
}
