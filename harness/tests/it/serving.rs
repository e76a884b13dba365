//! `partita serve`: what is shown, and what is never given away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::partita;

/// A server of this directory, which ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn of(directory: &Path) -> Server {
        let mut child = partita(&["serve", "--listen", "127.0.0.1:0"])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Server { child, address }
    }

    /// Head and body, of a path that is sent as it stands.
    fn ask(&self, path: &str, host: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        (head, answer[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> (String, String) {
        let (head, body) = self.ask(path, "localhost");
        (head, String::from_utf8_lossy(&body).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that was never run, with this verdict.
fn make_run(directory: &Path, name: &str, verdict: &serde_json::Value) {
    let run = directory.join(name);
    std::fs::create_dir_all(run.join("nodes/n1")).unwrap();
    std::fs::write(run.join("plan.toml"), "seed = 7\n").unwrap();
    std::fs::write(run.join("verdict.json"), verdict.to_string()).unwrap();
    std::fs::write(run.join("report.html"), "<!doctype html>the report").unwrap();
    std::fs::write(run.join("nodes/n1/node.log"), "<script>alert(1)</script>").unwrap();
    std::fs::write(run.join("nodes/n1/report.html"), "<script>alert(1)</script>").unwrap();
}

/// Two runs, one of them hostile, beside a secret.
fn make_runs(home: &Path) -> std::path::PathBuf {
    let runs = home.join("runs");
    let verdict = |verdict: &str, target: &str, reason: &str| {
        serde_json::json!({
            "format": 1, "verdict": verdict, "reason": reason, "target": target, "workload": "register",
            "started": "2026-11-21T02:00:00Z", "rate": {"asked": 500.0, "invoked": 400.0, "ok": 390.0},
            "faults": {"kill": {"planned": 2, "took": 2, "skipped": 0, "uncertain": 0, "healed": 2, "roles": {}}},
            "defect": if verdict == "invalid" { Some("stale-reads") } else { None },
        })
    };
    make_run(
        &runs,
        "20261121T020000Z-raft-register-7",
        &verdict("valid", "raft", "all is well"),
    );
    let hostile = "<img src=x onerror=alert(1)>";
    make_run(
        &runs,
        hostile,
        &verdict("invalid", "etcd", "</td><script>alert(1)</script>"),
    );
    std::fs::write(home.join("secret"), "the secret").unwrap();
    std::os::unix::fs::symlink(home.join("secret"), runs.join("link")).unwrap();
    std::os::unix::fs::symlink("..", runs.join("up")).unwrap();
    runs
}

#[test]
fn runs_are_found_filtered_compared_and_downloaded() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::of(&make_runs(home.path()));
    let (head, index) = server.get("/");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("content-security-policy"),
        "{head}"
    );
    assert!(
        index.contains("2 of 2 runs") && index.contains("20261121T020000Z-raft-register-7"),
        "{index}"
    );
    for (query, found) in [
        ("verdict=invalid", "1 of 2 runs"),
        ("target=raft&fault=kill", "1 of 2 runs"),
        ("defect=stale-reads", "1 of 2 runs"),
        ("q=well+register", "1 of 2 runs"),
        ("q=nowhere", "0 of 2 runs"),
        ("sort=throughput&page=99999999999999", "2 of 2 runs"),
    ] {
        let (_, page) = server.get(&format!("/?{query}"));
        assert!(page.contains(found), "{query}: {page}");
    }
    let run = "20261121T020000Z-raft-register-7";
    let (head, report) = server.get(&format!("/files/{run}/report.html"));
    assert!(
        head.contains("text/html") && report.contains("the report"),
        "{head}"
    );
    let (head, log) = server.get(&format!("/files/{run}/nodes/n1/node.log"));
    assert!(
        head.contains("text/plain") && head.contains("nosniff") && log.contains("alert"),
        "{head}"
    );
    assert!(server.get(&format!("/files/{run}/")).1.contains("plan.toml"));
    let (head, _) = server.get(&format!("/files/{run}/nodes/n1/report.html"));
    assert!(head.contains("text/plain"), "{head}");
    let (_, listing) = server.get("/files/");
    assert!(listing.contains(&format!("\"/files/{run}/\"")), "{listing}");
    let (_, both) = server.get(&format!(
        "/compare?a={run}&b=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    ));
    assert!(
        both.contains("Two runs side by side") && both.contains("all is well"),
        "{both}"
    );

    let (head, tar) = server.ask(&format!("/archive/{run}.tar"), "localhost");
    assert!(
        head.contains("application/x-tar") && head.contains("chunked"),
        "{head}"
    );
    assert!(tar.windows(9).any(|bytes| bytes == b"plan.toml"));
}

#[test]
fn no_path_leads_out_and_no_name_is_markup() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::of(&make_runs(home.path()));
    for path in [
        "/files/../secret",
        "/files/%2e%2e/secret",
        "/files/%2e%2e%2fsecret",
        "/files/..%2fsecret",
        "/files/..\\secret",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/link",
        "/files/up/secret",
        "/files/%00",
        "/files/%zz",
        "/archive/...tar",
        "/archive/up.tar",
        "/archive/%2e%2e.tar",
        "/compare?a=..&b=up",
        "/secret",
    ] {
        let (head, body) = server.get(path);
        assert!(head.starts_with("HTTP/1.1 4"), "{path}: {head}");
        assert!(
            !body.contains("the secret") && !body.contains("root:"),
            "{path}: {body}"
        );
    }
    for page in [
        "/",
        "/?q=%3Cscript%3Ealert(1)%3C/script%3E",
        "/files/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E/",
    ] {
        let (head, body) = server.get(page);
        assert!(head.starts_with("HTTP/1.1 200"), "{page}: {head}");
        assert!(
            !body.contains("<script") && !body.contains("<img"),
            "{page}: {body}"
        );
    }
    let (head, _) = server.ask("/", "evil.example");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}

#[test]
fn what_can_not_be_served_is_a_usage_error() {
    for arguments in [
        &["serve", "/no/such/directory"][..],
        &["serve", ".", "--listen", "203.0.113.1:1"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_partita"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(254),
            "{}",
            crate::support::told(&output)
        );
    }
}
