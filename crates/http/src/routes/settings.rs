//! `/v1/settings`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Method;
use quorate_api::{ErrorCode, SettingAnswer, SettingsAnswer, SettingsBody};
use quorate_environment::Environment;
use quorate_kv::{Command, Outcome, Setting, SettingChange, Settings};
use quorate_replica::Consistency;

use super::request::{self, JsonBody, Times, no_body, small_json_request};
use super::writing::{json, write};
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

pub(super) const METHODS: &str = "GET, HEAD, PUT, OPTIONS";

/// Shows or changes the settings.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let answered = match *request.method() {
        Method::GET | Method::HEAD => get(&application, request).await,
        Method::PUT => put(&application, request).await,
        Method::OPTIONS => Ok(super::options(METHODS)),
        _ => Err(Failure::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

async fn get<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let times = Times::new(request::arrival(&request), request::timeout_only(request.uri())?);
    let view = application.store.view(&times.context, Consistency::Linearizable);
    super::in_time(application, times.deadline, view).await?;
    Ok(json(&settings_answer(application.store.settings()?)))
}

async fn put<E: Environment, S: Store>(
    application: &Application<E, S>,
    request: Request,
) -> Result<Response, Failure> {
    let (times, body) = small_json_request(application, request, None).await?;
    let JsonBody { content: SettingsBody(named), held: _held } = body;
    let changes = named.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
    let written =
        write(application, &times, Command::ChangeSettings { changes: changes.clone() }, None).await?;
    if written.outcome != Outcome::SettingsChanged {
        return Err(written.into_failure());
    }
    // This node may be behind; what was changed is known all the same.
    let changed = application.store.settings()?.changed(&changes);
    let changed = changed.map_err(|wrong| Failure::bad_setting(wrong.setting, wrong.value))?;
    Ok(json(&settings_answer(changed)))
}

fn change((name, value): (String, u64)) -> Result<SettingChange, Failure> {
    let setting = Setting::from_name(&name).ok_or_else(|| {
        let known = Setting::ALL.map(|setting| setting.description().name).join(", ");
        Failure::new(ErrorCode::BadSetting, format!("there is no setting {name:?}; there are {known}"))
    })?;
    match setting.allows(value) {
        true => Ok(SettingChange { setting, value }),
        false => Err(Failure::bad_setting(setting, value)),
    }
}

fn settings_answer(settings: Settings) -> SettingsAnswer {
    SettingsAnswer { settings: settings.all().map(SettingAnswer::from).collect() }
}
