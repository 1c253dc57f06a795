//! The answer to a range read, page by page.

use bytes::Bytes;
use quorate_api::RangeParameters;
use quorate_kv::{RangeForm, RangePage, RangeQuery};

use crate::item_json;
use crate::paged_body::{NoPage, PAGE, Pages};
use crate::store::Store;

/// Writes a [`quorate_api::RangeAnswer`].
#[derive(Debug)]
pub(super) struct RangePages<S> {
    store: S,
    parameters: RangeParameters,
    /// What is still to be read.
    query: RangeQuery,
    group: u32,
    revision: u64,
    is_begun: bool,
    has_items: bool,
}

impl<S: Store> RangePages<S> {
    /// The answer to `parameters`, of which `query` is to be read, all at `revision`.
    pub(super) fn new(
        store: S,
        parameters: RangeParameters,
        query: RangeQuery,
        group: u32,
        revision: u64,
    ) -> Self {
        Self { store, parameters, query, group, revision, is_begun: false, has_items: false }
    }

    /// Where a reader may go on behind a page that used up the limit: the last key, if there are more.
    fn cut_at(&self, page: &RangePage) -> Result<Option<Bytes>, NoPage> {
        let Some(last) = &page.next else { return Ok(None) };
        let mut query =
            RangeQuery { limit: Some(1), form: RangeForm::Count, ..self.query.after(self.revision, last) };
        loop {
            let page = self.store.range_page(&query, PAGE)??;
            if page.count > 0 {
                return Ok(Some(last.clone()));
            }
            match query.rest(&page) {
                Some(rest) => query = rest,
                None => return Ok(None),
            }
        }
    }

    fn write_items(&mut self, page: &RangePage, json: &mut Vec<u8>) {
        item_json::reserve(json, &page.entries);
        for entry in &page.entries {
            if self.has_items {
                json.push(b',');
            }
            self.has_items = true;
            item_json::write(json, entry);
        }
    }
}

impl<S: Store> Pages for RangePages<S> {
    fn write_next(&mut self, json: &mut Vec<u8>) -> Result<bool, NoPage> {
        let page = self.store.range_page(&self.query, PAGE)??;
        let rest = self.query.rest(&page);
        let cut_at = if rest.is_none() { self.cut_at(&page)? } else { None };
        if !self.is_begun {
            self.is_begun = true;
            json.extend_from_slice(format!("{{\"revision\":\"{}\",\"items\":[", self.revision).as_bytes());
        }
        self.write_items(&page, json);
        if let Some(rest) = rest {
            self.query = rest;
            return Ok(false);
        }
        json.push(b']');
        if let Some(last_key) = cut_at {
            let cursor = self.parameters.cursor_behind(self.group, self.revision, last_key).encode();
            json.extend_from_slice(format!(",\"next_cursor\":\"{cursor}\"").as_bytes());
        }
        json.push(b'}');
        Ok(true)
    }
}
