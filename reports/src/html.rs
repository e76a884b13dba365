//! The page: one file that needs nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::load::Run;
use crate::sequence::Diagram;
use crate::{text, view, words};

const PAGE: &str = include_str!("../assets/report.html");
const STYLE: &str = concat!(
    include_str!("../assets/report.css"),
    include_str!("../assets/sequence.css")
);
/// The parts of the one script, in the order in which they need one another.
const SCRIPT: [&str; 16] = [
    include_str!("../assets/dom.js"),
    include_str!("../assets/shared.js"),
    include_str!("../assets/columns.js"),
    include_str!("../assets/list.js"),
    include_str!("../assets/layout.js"),
    include_str!("../assets/drawing.js"),
    include_str!("../assets/cycle.js"),
    include_str!("../assets/anomaly.js"),
    include_str!("../assets/timeline.js"),
    include_str!("../assets/brush.js"),
    include_str!("../assets/measures.js"),
    include_str!("../assets/history.js"),
    include_str!("../assets/logs.js"),
    include_str!("../assets/messages.js"),
    include_str!("../assets/tables.js"),
    include_str!("../assets/report.js"),
];

/// The report as one HTML page, which needs no network and no other file. The same run gives the same bytes.
///
/// Everything from the run is put into the page as escaped JSON or escaped text, and the page's content
/// security policy names the digests of its one script and one style, so that nothing else can run.
pub fn html(run: &Run) -> String {
    let script = SCRIPT.concat();
    let title = format!("{}: {}", run.verdict(), run.summary.run);
    // A struct of strings and numbers always has a JSON form.
    let contents = view::contents(run);
    let data = serde_json::to_string(&contents.page).unwrap_or_default();
    fill(
        PAGE,
        &[
            ("policy", &policy(&script, STYLE)),
            ("title", &escape_text(&words::printable(&title))),
            ("style", STYLE),
            ("plain", &escape_text(&text::text(run, 100, false))),
            ("data", &escape_json(&data)),
            (
                "messages",
                &run.messages.as_ref().map(Diagram::figure).unwrap_or_default(),
            ),
            ("operations", &contents.operations),
            ("lines", &contents.lines),
            ("script", &script),
        ],
    )
}

/// Everything is forbidden, but the page's own script and style.
fn policy(script: &str, style: &str) -> String {
    let source = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        source(script),
        source(style)
    )
}

/// Replaces each `{{name}}` of the template, in one pass: what is put in is never looked at again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map_or("", |(_, value)| value),
        );
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Text that may stand in an element's content.
fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// JSON that may stand in a script element: outside of strings, JSON has none of these characters.
fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        assert_eq!(fill("<{{a}}|{{b}}>", &[("a", "{{b}}"), ("b", "x")]), "<{{b}}|x>");
    }

    #[test]
    fn json_loses_nothing_by_being_escaped() {
        let text = "</script><!-- & \u{2028}\u{2029} \" \\";
        let escaped = escape_json(&serde_json::to_string(text).unwrap());
        assert!(
            !escaped.contains(['<', '>', '&', '\u{2028}', '\u{2029}']),
            "{escaped}"
        );
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }
}
