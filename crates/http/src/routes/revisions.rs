//! `/v1/revisions`: what changed, revision by revision.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use quorate_api::{Change, ChangesParameters, media};
use quorate_environment::Environment;
use quorate_kv::ChangesPage;

use super::Answer;
use super::request::{self, Times, no_body};
use crate::application::Application;
use crate::failure::Failure;
use crate::paged_body::{NoPage, PAGE, Pages};
use crate::store::Store;

/// Lists the changes from a revision on.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_read_method(&request) {
        return response;
    }
    get(&application, request).await.unwrap_or_else(Failure::into_response)
}

async fn get<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let parameters = ChangesParameters::parse(request.uri().query().unwrap_or_default())?;
    let times = Times::new(request::arrival(&request), parameters.timeout);
    let consistency = request::consistency(parameters.consistency, parameters.max_staleness);
    let view = application.store.view(&times.context, consistency);
    let view = super::in_time(application, times.deadline, view).await?;
    let pages = RevisionPages {
        store: application.store.clone(),
        from: parameters.from,
        revisions_left: parameters.limit,
        newest: view.revision,
        is_begun: false,
        has_changes: false,
    };
    let answer = Answer { age: consistency.is_stale().then_some(view.age) };
    Ok(answer.of(view.revision, super::paged(application, media::JSON, pages)?))
}

/// Writes a [`quorate_api::ChangesAnswer`].
#[derive(Debug)]
struct RevisionPages<S> {
    store: S,
    /// The next revision to list.
    from: u64,
    revisions_left: Option<u64>,
    /// The last revision to list: what comes after it while the answer is sent is for the next request.
    newest: u64,
    is_begun: bool,
    has_changes: bool,
}

impl<S: Store> RevisionPages<S> {
    /// Writes the changes of the revisions that belong to the answer. True if no more do.
    fn write_changes(&mut self, page: ChangesPage, json: &mut Vec<u8>) -> bool {
        let mut last_written = None;
        for change in page.changes {
            let revision = change.revision;
            if last_written != Some(revision) {
                if revision > self.newest || self.revisions_left == Some(0) {
                    self.from = revision;
                    return true;
                }
                self.revisions_left = self.revisions_left.map(|left| left - 1);
                last_written = Some(revision);
            }
            if self.has_changes {
                json.push(b',');
            }
            self.has_changes = true;
            serde_json::to_writer(&mut *json, &Change::from(change))
                .expect("wire types can be written as JSON");
        }
        self.from = page.next_revision;
        self.from > self.newest || self.revisions_left == Some(0)
    }
}

impl<S: Store> Pages for RevisionPages<S> {
    fn write_next(&mut self, json: &mut Vec<u8>) -> Result<bool, NoPage> {
        let page = self.store.changes_page(self.from, PAGE)??;
        if !self.is_begun {
            self.is_begun = true;
            let head = format!("{{\"revision\":\"{}\",\"changes\":[", self.newest);
            json.extend_from_slice(head.as_bytes());
        }
        let is_last = self.write_changes(page, json);
        if is_last {
            json.extend_from_slice(format!("],\"next_from\":\"{}\"}}", self.from).as_bytes());
        }
        Ok(is_last)
    }
}
