//! The index of all runs: searched, filtered, sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use partita_reports::escaped;

use super::paths::{Found, as_path, open_beneath};
use super::query::encode;
use super::runs::{Row, Runs};
use super::trend;
use crate::cli::units;
use crate::markup::{STYLE, mark};
use crate::run::directory;

/// Rows on a page.
const PAGE: usize = 100;

/// The columns that rows can be sorted by.
const SORTS: [&str; 5] = ["newest", "oldest", "verdict", "target", "throughput"];

/// `/`.
pub(super) fn page(runs: &Runs, form: &BTreeMap<String, String>) -> String {
    let all = runs.all();
    let mut rows: Vec<&Row> = all.iter().filter(|row| is_wanted(row, form)).collect();
    let sort = form.get("sort").map_or("newest", String::as_str);
    match sort {
        "oldest" => rows.reverse(),
        "verdict" => rows.sort_by_key(|row| std::cmp::Reverse(row.verdict())),
        "target" => rows.sort_by(|a, b| (&a.target, &a.workload).cmp(&(&b.target, &b.workload))),
        "throughput" => rows.sort_by(|a, b| b.rate.ok.total_cmp(&a.rate.ok)),
        _ => {}
    }
    let number = form
        .get("page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(1_usize)
        .max(1);
    let pages = rows.len().div_ceil(PAGE).max(1);
    let shown = rows.iter().skip((number - 1).saturating_mul(PAGE)).take(PAGE);
    let mut out = head("Runs");
    out.push_str("<h1>Runs</h1>\n");
    out.push_str(&trend::section(&runs.nights()));
    out.push_str(&filters(&all, form, sort));
    let _ = write!(
        out,
        "<p>{} of {} runs\n<form action=\"/compare\"><div class=\"wide\"><table><thead><tr><th>a<th>b<th scope=\"col\">run\
         <th scope=\"col\">verdict<th scope=\"col\">why<th scope=\"col\">faults<th scope=\"col\" class=\"number\">ok/s\
         <th scope=\"col\" class=\"number\">size<th scope=\"col\"></thead>\n",
        rows.len(),
        all.len()
    );
    for row in shown {
        line(&mut out, runs, row);
    }
    out.push_str("</table></div><button>Compare a with b</button></form>\n");
    if pages > 1 {
        out.push_str("<p>Pages:");
        for page in 1..=pages {
            let fields = form.iter().filter(|(name, _)| *name != "page");
            let fields: String = fields
                .map(|(name, value)| format!("{}={}&", encode(name), encode(value)))
                .collect();
            let _ = write!(out, " <a href=\"/?{}page={page}\">{page}</a>", escaped(&fields));
        }
    }
    out
}

/// How every page begins.
pub(super) fn head(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Partita: {}</title>\n<style>{STYLE}</style>\n",
        escaped(title)
    )
}

/// What the filters call the verdict.
fn verdict_name(row: &Row) -> String {
    row.verdict()
        .map_or_else(|| "none".to_owned(), |verdict| verdict.to_string())
}

fn is_wanted(row: &Row, form: &BTreeMap<String, String>) -> bool {
    let is = |name: &str, has: &dyn Fn(&str) -> bool| form.get(name).is_none_or(|wanted| has(wanted));
    is("verdict", &|wanted| verdict_name(row) == wanted)
        && is("target", &|wanted| row.target == wanted)
        && is("fault", &|wanted| row.faults.contains_key(wanted))
        && is("defect", &|wanted| {
            row.defect.as_deref().unwrap_or("none") == wanted
        })
        && is("q", &|wanted| {
            let anomalies = row.anomalies().join(" ");
            let texts = [&row.path, &row.reason, &row.command, &row.workload, &anomalies];
            let text = texts.map(|text| text.to_lowercase()).join("\n");
            wanted
                .to_lowercase()
                .split_whitespace()
                .all(|word| text.contains(word))
        })
}

fn filters(rows: &[Row], form: &BTreeMap<String, String>, sort: &str) -> String {
    let value = |name: &str| form.get(name).map_or("", String::as_str);
    let mut out = format!(
        "<form action=\"/\"><label>Search <input name=\"q\" type=\"search\" value=\"{}\"></label>",
        escaped(value("q"))
    );
    let all =
        |field: &dyn Fn(&Row) -> Vec<String>| -> BTreeSet<String> { rows.iter().flat_map(field).collect() };
    let fields: [(&str, BTreeSet<String>); 4] = [
        ("verdict", all(&|row| vec![verdict_name(row)])),
        ("target", all(&|row| vec![row.target.clone()])),
        ("fault", all(&|row| row.faults.keys().cloned().collect())),
        (
            "defect",
            all(&|row| vec![row.defect.clone().unwrap_or_else(|| "none".into())]),
        ),
    ];
    for (name, values) in fields {
        let _ = write!(
            out,
            "<label>{name} <select name=\"{name}\"><option value=\"\">any</option>"
        );
        for it in values.iter().filter(|it| !it.is_empty()) {
            let selected = if it == value(name) { " selected" } else { "" };
            let it = escaped(it);
            let _ = write!(out, "<option value=\"{it}\"{selected}>{it}</option>");
        }
        out.push_str("</select></label>");
    }
    out.push_str("<label>sort by <select name=\"sort\">");
    for it in SORTS {
        let selected = if it == sort { " selected" } else { "" };
        let _ = write!(out, "<option{selected}>{it}</option>");
    }
    out.push_str("</select></label><button>Show</button></form>\n");
    out
}

fn line(out: &mut String, runs: &Runs, row: &Row) {
    let path = escaped(&encode(&row.path));
    let faults: Vec<_> = row
        .faults
        .iter()
        .map(|(name, count)| format!("{} {name}", count.took))
        .collect();
    let size = open_beneath(&runs.root, &row.path)
        .ok()
        .and_then(Found::directory)
        .and_then(|run| directory::size(&as_path(&run)).ok());
    let size = size.map_or_else(|| "?".into(), units::size);
    let verdict = row.verdict().map_or_else(|| "none".to_owned(), mark);
    let name = escaped(&row.path);
    let _ = writeln!(
        out,
        "<tr><td><input type=\"radio\" name=\"a\" value=\"{name}\" aria-label=\"a: {name}\"><td><input type=\"radio\" name=\"b\" \
         value=\"{name}\" aria-label=\"b: {name}\"><th scope=\"row\"><a href=\"/files/{path}/report.html\">{name}</a>\
         <td>{verdict}<td>{}<td>{}<td class=\"number\">{:.0}<td class=\"number\">{size}<td>\
         <a href=\"/files/{path}/\">files</a> <a href=\"/archive/{path}.tar\">download</a>",
        escaped(&row.reason),
        escaped(&faults.join(", ")),
        row.rate.ok,
    );
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::super::runs::tests::verdict;
    use super::*;
    use crate::matrix::tally::tests::place;

    #[test]
    fn an_index_of_runs_and_nights_as_a_page() {
        let home = tempfile::tempdir().unwrap();
        for (name, told) in [
            ("one-<1>", Some("valid")),
            ("two", Some("invalid")),
            ("killed", None),
        ] {
            let run = home.path().join(name);
            fs::create_dir(&run).unwrap();
            fs::write(run.join("plan.toml"), "seed = 7\n").unwrap();
            if let Some(told) = told {
                fs::write(run.join("verdict.json"), verdict(told).to_string()).unwrap();
            }
        }
        place(home.path());
        let runs = Runs::new(File::open(home.path()).unwrap());
        let form = BTreeMap::from([("sort".to_owned(), "oldest".to_owned())]);
        let page = page(&runs, &form).replace(STYLE, "");
        assert!(!page.contains("<1>") && !page.contains("<script>"), "{page}");
        insta::assert_snapshot!(page);
    }
}
