//! Texts that would like to be markup, commands or terminal escapes.

use partita_reports::{html, junit, load, markdown, svg, text};

use crate::sample::HOSTILE;
use crate::{brief, data, sample, written};

#[test]
fn nothing_hostile_becomes_markup() {
    let run = load(&written(&sample::hostile()).directory).unwrap();
    let page = html(&run);
    assert!(!page.contains("<img"), "an element from data");
    assert_eq!(
        page.matches("function fillIn(").count(),
        1,
        "a placeholder from data is not filled in"
    );
    assert_eq!(
        page.matches("</script>").count(),
        4,
        "the data does not end its element"
    );
    assert_eq!(page.matches("<script").count(), 4);
    assert!(!page.contains(['\u{2028}', '\u{1b}']));
    let parsed: serde_json::Value = serde_json::from_str(data(&page)).unwrap();
    assert!(
        parsed["run"].as_str().unwrap().ends_with(HOSTILE),
        "and yet nothing was lost"
    );
}

#[test]
fn a_page_needs_nothing_from_anywhere() {
    for sample in [sample::valid(&brief()), sample::invalid(&brief())] {
        let page = html(&load(&written(&sample).directory).unwrap());
        let without_names = page.replace(r#""http://www.w3.org/2000/svg""#, "");
        for reach in [
            "http:", "https:", "//cdn", "src=", "@import", "url(", "<link", "fetch(",
        ] {
            assert!(!without_names.contains(reach), "{reach}");
        }
        for unsafe_way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!page.contains(unsafe_way), "{unsafe_way}");
        }
        assert!(page.contains("default-src 'none'; script-src 'sha256-") && !page.contains("unsafe-inline"));
    }
}

#[test]
fn no_terminal_obeys_a_history() {
    let run = load(&written(&sample::hostile()).directory).unwrap();
    let shown = text(&run, 80, false);
    assert!(
        !shown.contains(|char: char| char.is_control() && char != '\n'),
        "{shown:?}"
    );
}

#[test]
fn xml_stays_well_formed() {
    let run = load(&written(&sample::hostile()).directory).unwrap();
    let xml = junit(&run);
    assert!(!xml.contains("<img") && !xml.contains('\u{1b}'), "{xml}");
    let (mut open, mut rest) = (Vec::new(), xml.as_str());
    // Every tag is closed by its own name: the file's own tags have no `<` or `>` inside.
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else if !tag.ends_with('/') && !tag.starts_with('?') {
            open.push(tag.split(' ').next().unwrap().to_owned());
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn markdown_and_pictures_hold_no_markup_of_others() {
    let run = load(&written(&sample::hostile()).directory).unwrap();
    let page = markdown(&run);
    assert!(!page.contains('\u{1b}'));
    // The command alone is not escaped: it stands between fences.
    let outside: Vec<&str> = page.split("```").step_by(2).collect();
    assert_eq!(outside.len(), 2, "{page}");
    assert!(!outside.concat().contains("<img"), "{page}");
    let picture = svg(&run).unwrap();
    assert!(
        !picture.contains("<img") && !picture.contains("<script"),
        "{picture}"
    );
}
