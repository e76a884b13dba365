//! Connections, and which page a request is for.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use partita_reports::escaped;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::paths::{Found, entries, open_beneath};
use super::query::{decode, encode, form};
use super::runs::{Runs, is_night, is_run};
use super::{archive, index, versus};

/// How long a client may take to send a request.
const IDLE: Duration = Duration::from_secs(60);
/// Connections at a time.
const CONNECTIONS: usize = 64;
/// How much of a file is sent at a time, in bytes.
const CHUNK: usize = 64 << 10;
/// Reports have their style and script within them, and want nothing else from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Response = hyper::Response<Body>;

/// Serves runs until it is ended from outside.
pub(crate) async fn serve(listener: TcpListener, root: File) {
    let runs = Arc::new(Runs::new(root));
    let local = listener
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let runs = Arc::clone(&runs);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&runs), local, request));
            // That a client went away is no concern of ours.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

async fn answer(
    runs: Arc<Runs>,
    local: bool,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    // A page of another site, whose name was made to lead here, gets nothing.
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let mut response = if local && !host.is_some_and(is_local) {
        refuse(StatusCode::FORBIDDEN, "this is served to this machine alone")
    } else if ![Method::GET, Method::HEAD].contains(request.method()) {
        refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "there is nothing here but to read",
        )
    } else {
        let (path, query) = (
            request.uri().path().to_owned(),
            request.uri().query().map(str::to_owned),
        );
        let found = tokio::task::spawn_blocking(move || find(&runs, &path, query.as_deref().unwrap_or("")));
        let broke = |_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "it can't be shown");
        found.await.unwrap_or_else(broke)
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Is this a name of this machine for itself, with a port or without?
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn find(runs: &Runs, path: &str, query: &str) -> Response {
    let nothing = || refuse(StatusCode::NOT_FOUND, "there is no such page");
    let Some(path) = decode(path) else {
        return nothing();
    };
    let form = form(query);
    if path == "/" {
        return html(index::page(runs, &form));
    }
    if path == "/compare" {
        let row = |name: &str| {
            let path = form.get(name)?;
            is_run(&runs.root, path).then(|| runs.row(path.clone()))
        };
        return match (row("a"), row("b")) {
            (Some(a), Some(b)) => html(versus::page(&a, &b)),
            _ => refuse(StatusCode::NOT_FOUND, "choose a run a and a run b"),
        };
    }
    if let Some(name) = path
        .strip_prefix("/archive/")
        .and_then(|name| name.strip_suffix(".tar"))
    {
        let directory = is_run(&runs.root, name).then(|| open_beneath(&runs.root, name).ok()?.directory());
        return directory.flatten().map_or_else(nothing, |directory| {
            let name = name.rsplit('/').next().unwrap_or(name).to_owned();
            streamed("application/x-tar", move |out| {
                archive::write(&directory, &name, out)
            })
        });
    }
    let Some(path) = path.strip_prefix("/files/") else {
        return nothing();
    };
    match open_beneath(&runs.root, path) {
        Ok(Found::Directory(directory)) => listing(&directory, path).map_or_else(|_| nothing(), html),
        Ok(Found::File(mut file)) => streamed(kind(&runs.root, path), move |out| {
            io::copy(&mut file, out).map(|_| ())
        }),
        Err(_) => nothing(),
    }
}

/// Only our own reports are pages; what a node wrote is text, whatever it looks like and is called.
fn kind(root: &File, path: &str) -> &'static str {
    if is_page(root, path) {
        "text/html; charset=utf-8"
    } else if path.ends_with(".gz") {
        "application/gzip"
    } else if path.ends_with(".zst") {
        "application/zstd"
    } else {
        "text/plain; charset=utf-8"
    }
}

/// Is it the report of a run, or the page of a night, in the place where we put it? Nodes write below that only, where
/// they may make whatever looks like a run.
fn is_page(root: &File, path: &str) -> bool {
    let (home, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parts: Vec<&str> = home.split('/').collect();
    let night_around = match parts.as_slice() {
        [_] => None,
        ["runs", _] => Some(""),
        [night, "runs", _] => Some(*night),
        _ => return false,
    };
    match name {
        "report.html" => is_run(root, home) && night_around.is_none_or(|night| is_night(root, night)),
        "index.html" => is_night(root, home) && night_around.is_none(),
        _ => false,
    }
}

/// The files of a directory.
fn listing(directory: &File, path: &str) -> io::Result<String> {
    let mut names = Vec::new();
    for (name, kind) in entries(directory)? {
        let slash = match kind {
            kind if kind.is_dir() => "/",
            kind if kind.is_file() => "",
            _ => continue,
        };
        names.extend(name.into_string().map(|name| name + slash));
    }
    let path = path.trim_end_matches('/');
    let mut page = index::head(path);
    let _ = write!(
        page,
        "<h1>{}</h1>\n<p><a href=\"/\">All runs</a>\n<ul>\n",
        escaped(path)
    );
    for name in names {
        let link = format!("{path}/{name}");
        // That of the root is empty.
        let link = escaped(&encode(link.trim_start_matches('/')));
        let _ = writeln!(page, "<li><a href=\"/files/{link}\">{}</a>", escaped(&name));
    }
    page.push_str("</ul>\n");
    Ok(page)
}

fn html(page: String) -> Response {
    whole(StatusCode::OK, "text/html; charset=utf-8", page)
}

fn refuse(status: StatusCode, why: &str) -> Response {
    whole(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

fn whole(status: StatusCode, kind: &'static str, text: String) -> Response {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = hyper::Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A body that is sent while it is made; if that breaks, so does the connection, and nobody takes half for all.
fn streamed(
    kind: &'static str,
    make: impl FnOnce(&mut io::BufWriter<Chunks>) -> io::Result<()> + Send + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(CHUNK, Chunks(sender.clone()));
        if let Err(error) = make(&mut out).and_then(|()| out.flush()) {
            // Who waited may be gone.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        let chunk: io::Result<Bytes> = receiver.recv().await?;
        Some((chunk.map(Frame::data), receiver))
    });
    let mut response = hyper::Response::new(StreamBody::new(chunks).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Sends what is written to it.
struct Chunks(mpsc::Sender<io::Result<Bytes>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens where it is told.
///
/// # Errors
/// When that can't be.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_knows_its_own_names() {
        for good in [
            "localhost",
            "localhost:8642",
            "127.0.0.1:1",
            "[::1]:8642",
            "127.9.9.9",
        ] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8642",
            "10.0.0.1",
            "localhost.evil.example",
            "",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_node_wrote_is_never_a_page() {
        let home = tempfile::tempdir().unwrap();
        let make = |directory: &str, name: &str| {
            let directory = home.path().join(directory);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(name), "").unwrap();
        };
        make("a", "plan.toml");
        make("night", "night.json");
        make("night/runs/a", "plan.toml");
        // Whatever a node makes.
        for hostile in ["a/nodes/n1/data", "a/nodes/n1/data/runs/b"] {
            make(hostile, "plan.toml");
            make(hostile, "night.json");
        }
        let root = File::open(home.path()).unwrap();
        for page in ["a/report.html", "night/index.html", "night/runs/a/report.html"] {
            assert_eq!(kind(&root, page), "text/html; charset=utf-8", "{page}");
        }
        for text in [
            "a/nodes/n1/node.log",
            "a/nodes/n1/data/report.html",
            "a/nodes/n1/data/index.html",
            "a/nodes/n1/data/runs/b/report.html",
            "a/index.html",
            "a/evil.html",
            "a/evil.svg",
            "a/report.html.txt",
            "night/report.html",
            "none/report.html",
        ] {
            assert_eq!(kind(&root, text), "text/plain; charset=utf-8", "{text}");
        }
    }
}
