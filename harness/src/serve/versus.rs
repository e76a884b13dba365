//! Two runs side by side.

use std::fmt::Write as _;

use partita_reports::escaped;

use super::index::head;
use super::query::encode;
use super::runs::Row;
use crate::markup::mark;

/// `/compare?a=...&b=...`.
pub(super) fn page(a: &Row, b: &Row) -> String {
    let mut out = head("two runs");
    out.push_str("<h1>Two runs side by side</h1>\n<p><a href=\"/\">All runs</a>\n<div class=\"wide\"><table><thead><tr><td>");
    for row in [a, b] {
        let path = escaped(&encode(&row.path));
        let _ = write!(
            out,
            "<th scope=\"col\"><a href=\"/files/{path}/report.html\">{}</a>",
            escaped(&row.path)
        );
    }
    out.push_str("</thead>\n");
    let mut line = |name: &str, text: &dyn Fn(&Row) -> String| {
        let (left, right) = (text(a), text(b));
        // What differs is what one looks for.
        let (on, off) = if left == right { ("", "") } else { ("<b>", "</b>") };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}<td>{on}{left}{off}<td>{on}{right}{off}",
            escaped(name)
        );
    };
    let text = |text: &str| escaped(text);
    line("verdict", &|row| {
        row.verdict().map_or_else(|| "none".into(), mark)
    });
    line("why", &|row| text(&row.reason));
    line("anomalies", &|row| text(&row.anomalies().join(", ")));
    line("target", &|row| text(&row.target));
    line("workload", &|row| text(&row.workload));
    line("defect", &|row| text(row.defect.as_deref().unwrap_or("none")));
    line("nodes", &|row| row.nodes.len().to_string());
    line("seed", &|row| row.seed.to_string());
    line("begun", &|row| text(&row.started));
    line("seconds", &|row| {
        format!("{:.1}", row.duration_ms as f64 / 1000.0)
    });
    line("asked, operations a second", &|row| {
        format!("{:.0}", row.rate.asked)
    });
    line("invoked, operations a second", &|row| {
        format!("{:.0}", row.rate.invoked)
    });
    line("ok, operations a second", &|row| format!("{:.0}", row.rate.ok));
    let names = |of: &dyn Fn(&Row) -> Vec<String>| {
        let mut names = of(a);
        names.extend(of(b));
        names.sort();
        names.dedup();
        names
    };
    for f in names(&|row| row.operations.keys().cloned().collect()) {
        line(&format!("{f}: ok, failed, unknown"), &|row| {
            let count = row.operations.get(&f).cloned().unwrap_or_default();
            format!("{}, {}, {}", count.ok, count.fail, count.info)
        });
    }
    for fault in names(&|row| row.faults.keys().cloned().collect()) {
        line(&format!("{fault}: took of planned"), &|row| {
            let count = row.faults.get(&fault).cloned().unwrap_or_default();
            format!("{} of {}", count.took, count.planned)
        });
    }
    for fact in names(&|row| row.facts.keys().cloned().collect()) {
        line(&fact, &|row| {
            text(row.facts.get(&fact).map_or("", String::as_str))
        });
    }
    line("again", &|row| format!("<code>{}</code>", text(&row.command)));
    out.push_str("</table></div>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::runs::tests::row;
    use super::*;
    use crate::markup::STYLE;

    #[test]
    fn two_runs_as_a_page() {
        let page = page(&row("20261121T020000Z-<raft>-7", "valid"), &row("b", "invalid"));
        assert!(!page.contains("<raft>") && !page.contains("<script>"), "{page}");
        insta::assert_snapshot!(page.replace(STYLE, ""));
    }
}
