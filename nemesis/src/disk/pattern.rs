//! Which files are meant: `*.wal`.

use std::fmt;
use std::path::Path;

/// Paths below a node's data directory: `*` stands for any text, of any length and with slashes in it, `?` for any one
/// character; all else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: &str) -> Pattern {
        Pattern(text.to_owned())
    }

    /// Whether this path is meant; of one that is no text, what can be read of it.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = path.to_string_lossy().chars().collect();
        let (mut at, mut in_text) = (0, 0);
        // Where the last star stands, and where in the text what it stands for ends, so far.
        let mut star: Option<(usize, usize)> = None;
        while in_text < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, in_text));
                    at += 1;
                }
                Some(&wanted) if wanted == '?' || wanted == text[in_text] => {
                    at += 1;
                    in_text += 1;
                }
                _ => {
                    // It takes one character more.
                    let Some((place, end)) = star else { return false };
                    star = Some((place, end + 1));
                    (at, in_text) = (place + 1, end + 1);
                }
            }
        }
        pattern[at..].iter().all(|&left| left == '*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text_and_question_marks_for_one_character() {
        for (pattern, path, is_meant) in [
            ("*.wal", "a.wal", true),
            ("*.wal", "member/wal/0.wal", true),
            ("*.wal", "a.wal.tmp", false),
            ("*.wal", "b.snap", false),
            ("*.wal", ".wal", true),
            ("a?.log", "a1.log", true),
            ("a?.log", "a.log", false),
            ("a?.log", "a12.log", false),
            ("wal/*-*.wal", "wal/0-1-2.wal", true),
            ("wal/*-*.wal", "wal/0.wal", false),
            ("*a*b", "aab-ab", true),
            ("*a*b", "aab-aba", false),
            ("log", "log", true),
            ("log", "logs", false),
            ("log*", "log", true),
            ("*", "", true),
            ("*", "any/thing", true),
            ("?", "ä", true),
            ("[a]", "a", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(Path::new(path)),
                is_meant,
                "{pattern} {path}"
            );
        }
    }
}
