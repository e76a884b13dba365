//! The HTTP server.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use partita_protocols::{Defect, NodeId};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::json::Response;
use super::request::parse;
use super::{admin, status};
use crate::event::{ClientRequest, Event, Request, SharedView};

/// The longest body of a request, in bytes. Any command that it can hold fits into a log entry.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to send the head of a request, or its body; an idle connection counts as the
/// former.
const IDLE: Duration = Duration::from_secs(60);

/// What one connection too many is told.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    content-length: 22\r\nconnection: close\r\n\r\n{\"error\":\"overloaded\"}";

/// What requests need.
pub(crate) struct Api<M> {
    pub(crate) me: NodeId,
    pub(crate) defect: Option<&'static Defect>,
    pub(crate) view: SharedView,
    /// One for each request that may wait.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) connections_max: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) events: mpsc::Sender<Event<M>>,
}

/// Serves clients. Never ends by itself; the connections end with it.
pub(crate) async fn serve<M: Send + 'static>(listener: TcpListener, api: Arc<Api<M>>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "failed to accept a client's connection");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if connections.len() >= api.connections_max {
            warn!(%address, "too many connections: closed");
            // Nothing of it was read, so nothing had an effect. If this does not fit into the socket, nothing
            // is said.
            let _ = stream.try_write(OVERLOADED);
            continue;
        }
        let api = Arc::clone(&api);
        connections.spawn(async move {
            // Without this a response may wait for the client's delayed acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let service = service_fn(|request| answer(Arc::clone(&api), request));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                debug!(%address, %error, "a client's connection broke");
            }
        });
    }
}

async fn answer<M>(
    api: Arc<Api<M>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let response = match (request.uri().path(), request.method()) {
        ("/v1/op", &Method::POST) => operate(&api, request.into_body(), parse).await,
        ("/v1/admin", &Method::POST) => operate(&api, request.into_body(), admin::parse).await,
        ("/v1/checksum", &Method::GET) => operate(&api, request.into_body(), |_| Ok(Request::Checksum)).await,
        ("/v1/status", &Method::GET) => {
            let view = api.view.lock().unwrap_or_else(PoisonError::into_inner).clone();
            status::response(api.me, api.defect, &view)
        }
        ("/v1/op" | "/v1/admin" | "/v1/status" | "/v1/checksum", _) => {
            Response::malformed(StatusCode::METHOD_NOT_ALLOWED, PAGES)
        }
        _ => Response::malformed(StatusCode::NOT_FOUND, PAGES),
    };
    let mut http = hyper::Response::new(Full::new(Bytes::from(response.body)));
    *http.status_mut() = response.status;
    http.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(http)
}

/// What there is.
const PAGES: &str = "there are POST /v1/op, POST /v1/admin, GET /v1/status and GET /v1/checksum";

async fn operate<M>(api: &Api<M>, body: Incoming, parse: fn(&[u8]) -> Result<Request, String>) -> Response {
    let body = match timeout(IDLE, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return Response::malformed(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => return Response::malformed(StatusCode::BAD_REQUEST, "the body did not come in time"),
    };
    let what = match parse(&body) {
        Ok(what) => what,
        Err(message) => return Response::malformed(StatusCode::BAD_REQUEST, &message),
    };
    let Ok(permit) = Arc::clone(&api.permits).try_acquire_owned() else {
        return Response::overloaded();
    };
    let (outcome, settled) = oneshot::channel();
    if api
        .events
        .try_send(Event::Client(ClientRequest {
            what,
            outcome,
            permit,
        }))
        .is_err()
    {
        return Response::overloaded();
    }
    match timeout(api.request_timeout, settled).await {
        Ok(Ok(outcome)) => Response::outcome(outcome),
        Ok(Err(_)) => Response::unknown("the node is stopping"),
        Err(_) => Response::unknown("the cluster did not settle the request in time"),
    }
}
