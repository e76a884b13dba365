//! `partita doctor`: what this machine allows, and how to get more.

use partita_checker::Verdict;
use partita_nemesis::lab::{self, SearchPath};

use super::{Failure, print};

pub(super) fn main() -> Result<Verdict, Failure> {
    let findings = lab::probe(&SearchPath::from_environment());
    let width = findings
        .iter()
        .map(|finding| finding.name.len())
        .max()
        .unwrap_or(0);
    for finding in &findings {
        let mark = if finding.ok { "yes" } else { "no " };
        print(&format!("{mark}  {:width$}  {}\n", finding.name, finding.detail));
        if !finding.ok && !finding.remedy.is_empty() {
            print(&format!("     {:width$}  to mend: {}\n", "", finding.remedy));
        }
    }
    Ok(Verdict::Valid)
}
