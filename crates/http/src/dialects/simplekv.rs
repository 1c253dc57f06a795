//! The dialect of simplekv: `PUT`, `GET` and `DELETE /{key}`, and `GET /` for all keys.

use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use quorate_api::key::encode_key;
use quorate_environment::Environment;
use quorate_kv::{KeyRange, RangeForm, RangeQuery};
use quorate_replica::Consistency;

use super::{Asked, EMPTY_KEY_IN_PATH, empty, key_in_path, other_method};
use crate::application::Application;
use crate::failure::Failure;
use crate::paged_body::{NoPage, PAGE, Pages};
use crate::routes::kv_request::decoded_key;
use crate::routes::request::timeout_only;
use crate::routes::{in_time, paged};
use crate::store::Store;

const METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) async fn answer<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let encoded = key_in_path(&request);
    match *request.method() {
        Method::GET | Method::HEAD => {
            let asked = Asked::reading(application, &request, timeout_only(request.uri())?)?;
            if encoded.is_empty() {
                return keys(&asked).await;
            }
            asked.raw_value(&decoded_key(encoded, EMPTY_KEY_IN_PATH)?).await
        }
        Method::PUT => {
            let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
            let key = decoded_key(encoded, EMPTY_KEY_IN_PATH)?;
            asked.put_body(key, request.into_body()).await?;
            // The original says so of every key, be it new or not.
            Ok(empty(StatusCode::CREATED))
        }
        Method::DELETE => {
            let asked = Asked::writing(application, &request, timeout_only(request.uri())?)?;
            asked.delete_existing(decoded_key(encoded, EMPTY_KEY_IN_PATH)?).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => other_method(&request, METHODS),
    }
}

/// All keys as they are at one moment, each on a line of its own.
async fn keys<E: Environment, S: Store>(asked: &Asked<'_, E, S>) -> Result<Response, Failure> {
    let Asked { application, times } = asked;
    let view = application.store.view(&times.context, Consistency::Linearizable);
    let view = in_time(application, times.deadline, view).await?;
    let query = RangeQuery {
        form: RangeForm::Keys,
        revision: Some(view.revision),
        ..RangeQuery::new(KeyRange::all())
    };
    paged(application, TEXT, KeyLines { store: application.store.clone(), query })
}

/// Writes keys line by line, each as it stands in a path: so any key can be listed, and asked for.
struct KeyLines<S> {
    store: S,
    /// What is still to be read.
    query: RangeQuery,
}

impl<S: Store> Pages for KeyLines<S> {
    fn write_next(&mut self, lines: &mut Vec<u8>) -> Result<bool, NoPage> {
        let page = self.store.range_page(&self.query, PAGE)??;
        for entry in &page.entries {
            lines.extend_from_slice(encode_key(&entry.key).as_bytes());
            lines.push(b'\n');
        }
        match self.query.rest(&page) {
            Some(rest) => {
                self.query = rest;
                Ok(false)
            }
            None => Ok(true),
        }
    }
}
