//! What the adapters of HTTP/JSON targets share.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientError;

/// An HTTP client with nothing hidden: it neither retries nor follows redirects nor uses a proxy, for any of
/// these would falsify when an operation began and what came of it.
pub(crate) fn client(timeout: Duration, source: Option<IpAddr>) -> Result<reqwest::Client, ClientError> {
    Ok(reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(1)
        .tcp_nodelay(true)
        .local_address(source)
        .build()?)
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// No connection was made, so the request was never sent.
    NotSent(String),
    /// It may have been sent, and may have had its effect.
    Unknown(String),
}

/// Posts JSON; gives the status code and the body.
pub(crate) async fn post(
    http: &reqwest::Client,
    to: SocketAddr,
    path: &str,
    body: &impl Serialize,
) -> Result<(u16, Vec<u8>), NoAnswer> {
    let response = http
        .post(format!("http://{to}{path}"))
        .json(body)
        .send()
        .await
        .map_err(no_answer)?;
    let status = response.status().as_u16();
    let body = response
        .bytes()
        .await
        .map_err(|error| NoAnswer::Unknown(explain(&error)))?;
    Ok((status, body.into()))
}

/// Gets or posts something that changes nothing; any trouble is told in words.
pub(crate) async fn ask<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, String> {
    let response = request.send().await.map_err(|error| explain(&error))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| explain(&error))?;
    if !status.is_success() {
        return Err(format!(
            "HTTP {status}: {}",
            String::from_utf8_lossy(&body).trim()
        ));
    }
    serde_json::from_slice(&body).map_err(|error| format!("an answer that can't be read: {error}"))
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    if error.is_connect() {
        NoAnswer::NotSent(explain(&error))
    } else {
        NoAnswer::Unknown(explain(&error))
    }
}

/// The innermost cause: reqwest's own text names only the address.
fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return if error.is_connect() {
            "timed out connecting".into()
        } else {
            "timed out".into()
        };
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
