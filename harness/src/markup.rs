//! What our own pages have in common.

use partita_checker::Verdict;

/// Their style: dark and light, and of use on a phone. Verdicts differ in more than colour.
pub(crate) const STYLE: &str = "
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem }
table { border-collapse: collapse } th, td { padding: .3rem .6rem; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #8884 } th[scope=row] { font-weight: normal }
.number { text-align: right; font-variant-numeric: tabular-nums }
.dim { opacity: .75 } .wide { overflow-x: auto } code { overflow-wrap: anywhere }
.mark { border: 1px solid; border-radius: .3rem; padding: 0 .3rem; white-space: nowrap }
.valid { color: #0072b2 } .invalid, .harness-failure { color: #c44900; font-weight: bold }
@media (prefers-color-scheme: dark) { .valid { color: #56b4e9 } .invalid, .harness-failure { color: #ff8a3d } }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end } label { display: grid; font-size: .85rem }
";

/// A verdict, with its sign.
pub(crate) fn mark(verdict: Verdict) -> String {
    let sign = match verdict {
        Verdict::Valid => '✓',
        Verdict::Invalid => '✗',
        Verdict::Unknown => '?',
        Verdict::NotExercised => '○',
        Verdict::HarnessFailure => '!',
    };
    let name = verdict.to_string();
    format!(
        "<span class=\"mark {}\">{sign} {name}</span>",
        name.replace(' ', "-")
    )
}
