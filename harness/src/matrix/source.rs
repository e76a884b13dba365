//! Where in a file something stands.

use std::ops::Range;
use std::path::Path;

use anyhow::anyhow;

/// A file that was read, for messages about it.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A message about what stands there: `nightly.toml:12: unknown target ...`.
    pub(super) fn error(&self, span: Range<usize>, what: &str) -> anyhow::Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        anyhow!("{}:{line}: {what}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let source = Source {
            path: Path::new("a.toml"),
            text: "x\ny\nz\n",
        };
        assert_eq!(source.error(0..1, "bad").to_string(), "a.toml:1: bad");
        assert_eq!(source.error(4..5, "bad").to_string(), "a.toml:3: bad");
        assert_eq!(source.error(99..100, "bad").to_string(), "a.toml:4: bad");
    }
}
