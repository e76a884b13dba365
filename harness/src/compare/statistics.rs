//! Confidence intervals for differences.

use crate::calibrate::interval::wilson;

/// Quantiles of Student's t distribution at 0.975, for 1 to 30 degrees of freedom: for intervals of 95 %.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// For more degrees of freedom: that of 30, which is a little too careful.
const T_MANY: f64 = 2.042;

/// A mean, and its interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How a measure changes from `a` to `b`, over all pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// How many times as large it is: the geometric mean of the ratios.
    Ratio(Interval),
    /// By how much it is larger. So where there is a 0, such as of who served nothing: then there is no ratio, and to
    /// leave such pairs out would hide the greatest difference of all.
    Difference(Interval),
}

/// How `b` differs from `a`. None for fewer than two pairs.
pub(crate) fn change(pairs: &[(f64, f64)]) -> Option<Change> {
    if pairs.iter().all(|(a, b)| *a > 0.0 && *b > 0.0) {
        let logs: Vec<f64> = pairs.iter().map(|(a, b)| (b / a).ln()).collect();
        let Interval { mean, low, high } = interval(&logs)?;
        return Some(Change::Ratio(Interval {
            mean: mean.exp(),
            low: low.exp(),
            high: high.exp(),
        }));
    }
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| b - a).collect();
    interval(&differences).map(Change::Difference)
}

/// Student's interval for the mean.
fn interval(values: &[f64]) -> Option<Interval> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let t = T.get(n - 2).copied().unwrap_or(T_MANY);
    let spread = t * (variance / n as f64).sqrt();
    Some(Interval {
        mean,
        low: mean - spread,
        high: mean + spread,
    })
}

/// By how much the chance of a hit is higher with `b` than with `a`, from and to, with 95 % confidence: Newcombe's
/// interval from two of Wilson's (Statistics in Medicine 17, 1998, p. 873, method 10).
pub(crate) fn difference(a: (u64, u64), b: (u64, u64)) -> Option<(f64, f64)> {
    if a.1 == 0 || b.1 == 0 {
        return None;
    }
    let part = |(hits, trials): (u64, u64)| hits as f64 / trials as f64;
    let (p_a, p_b) = (part(a), part(b));
    let ((low_a, high_a), (low_b, high_b)) = (wilson(a.0, a.1), wilson(b.0, b.1));
    let delta = p_b - p_a;
    let low = delta - ((p_b - low_b).powi(2) + (high_a - p_a).powi(2)).sqrt();
    let high = delta + ((high_b - p_b).powi(2) + (p_a - low_a).powi(2)).sqrt();
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_pairs() {
        let ratio = |pairs: &[(f64, f64)]| match change(pairs).unwrap() {
            Change::Ratio(it) => it,
            Change::Difference(it) => panic!("{it:?}"),
        };
        assert_eq!(change(&[(1.0, 2.0)]), None);
        assert_eq!(change(&[]), None);
        let Interval { mean, low, high } = ratio(&[(100.0, 200.0), (10.0, 20.0)]);
        assert!((mean - 2.0).abs() < 1e-9 && (low - 2.0).abs() < 1e-9 && (high - 2.0).abs() < 1e-9);
        let Interval { mean, low, high } = ratio(&[(100.0, 110.0), (100.0, 90.0), (100.0, 101.0)]);
        assert!(low < 1.0 && 1.0 < high && (mean - 1.0).abs() < 0.01);
    }

    #[test]
    fn who_served_nothing_differs() {
        let Some(Change::Difference(it)) = change(&[(400.0, 0.0), (390.0, 0.0), (410.0, 0.0)]) else {
            panic!("there is no ratio to 0");
        };
        // Mean 400, standard deviation 10, t 4.303: 4.303 * 10 / sqrt 3 = 24.84.
        assert!((it.mean + 400.0).abs() < 1e-9 && (it.high + 375.16).abs() < 0.01);
    }

    #[test]
    fn differences_are_as_the_literature_has_them() {
        // Newcombe, table II: 56/70 and 48/80, method 10: 0.0524 to 0.3339.
        let (low, high) = difference((48, 80), (56, 70)).unwrap();
        assert!(
            (low - 0.0524).abs() < 5e-4 && (high - 0.3339).abs() < 5e-4,
            "{low} {high}"
        );
        // 0/10 and 10/10 could hardly be chance; 1/2 and 1/2 says nothing.
        assert!(difference((0, 10), (10, 10)).unwrap().0 > 0.0);
        assert!(difference((1, 2), (1, 2)).unwrap().0 < 0.0);
        assert_eq!(difference((0, 0), (1, 2)), None);
    }
}
