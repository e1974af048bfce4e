//! Settings at run time: show them with their origin, change those that may change.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::extract::Body;
use crate::base::config::SettingView;
use crate::base::error::Result;
use crate::controls::Controls;

/// Every setting, in the order of `config.example.yaml`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Settings {
    settings: Vec<Setting>,
}

/// One setting, where it comes from and what it may hold.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Setting {
    key: &'static str,
    /// Secrets are `***`.
    value: Value,
    default: Value,
    /// `default`, a file and line, `stored by PUT /api/config`, `environment NAME` or `command line`.
    origin: String,
    /// Whether `PUT /api/config` may change it while the program runs.
    live: bool,
    doc: &'static str,
    allowed: String,
}

impl From<SettingView> for Setting {
    fn from(view: SettingView) -> Self {
        let SettingView { key, value, default, origin, live, doc, allowed } = view;
        Self { key, value, default, origin, live, doc, allowed }
    }
}

/// All settings
#[utoipa::path(
    get, path = "/api/config", tag = "operation",
    responses((status = 200, body = Settings), (status = 401, body = Problem))
)]
pub(super) async fn show(State(api): State<Api>) -> Json<Settings> {
    Json(shape(&api.controls))
}

/// Change settings
///
/// The body names settings (`{"streams.timeout_seconds": 60}`, or nested as in the file). All are changed, or none;
/// changes survive a restart. A setting given on the command line or in the environment keeps winning.
#[utoipa::path(
    put, path = "/api/config", tag = "operation", request_body = Object,
    responses(
        (status = 200, body = Settings), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn change(
    State(api): State<Api>,
    Body(changes): Body<Map<String, Value>>,
) -> Result<Json<Settings>> {
    api.controls.change(&changes).await?;
    Ok(Json(shape(&api.controls)))
}

fn shape(controls: &Controls) -> Settings {
    Settings { settings: controls.settings().into_iter().map(Setting::from).collect() }
}
