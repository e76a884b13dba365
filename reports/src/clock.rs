//! Whose clock says what: the stamps of logs on the clock of the run.

use crate::run::Summary;

/// The name of the fact that says which wall-clock time the run's clock calls 0.
pub const TIME_ZERO: &str = "time zero";
/// How far into a line a stamp may begin, in bytes.
const STAMP_WITHIN: usize = 60;

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// A stamp found in a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Microseconds since 1970, in UTC.
    pub(crate) at_us: i64,
    /// Where it stands in the line, in bytes.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// When the run's clock read 0, in microseconds since 1970, if that was recorded.
pub(crate) fn zero_us(summary: &Summary) -> Option<i64> {
    stamp(summary.facts.get(TIME_ZERO)?).map(|stamp| stamp.at_us)
}

/// The first `2026-11-21T19:08:31.926906Z` near the beginning of a line; a blank may stand for the `T`, a comma for
/// the point, and an offset from UTC for the `Z`.
pub(crate) fn stamp(line: &str) -> Option<Stamp> {
    let bytes = line.as_bytes();
    let ends = bytes.len().min(STAMP_WITHIN);
    (0..ends).find_map(|from| at(bytes, from))
}

fn at(bytes: &[u8], from: usize) -> Option<Stamp> {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    let text = bytes.get(from..from + SHAPE.len())?;
    let fits = text.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b' '),
        other => byte == other,
    });
    if !fits || (from > 0 && bytes[from - 1].is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .fold(0_i64, |sum, byte| sum * 10 + i64::from(byte - b'0'))
    };
    let days = days_since_1970(number(0, 4), number(5, 7), number(8, 10));
    let seconds = number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
    let (fraction_us, to) = fraction(bytes, from + SHAPE.len());
    let (offset_us, to) = offset(bytes, to);
    Some(Stamp {
        at_us: days * MICROSECONDS_A_DAY + seconds * 1_000_000 + fraction_us - offset_us,
        from,
        to,
    })
}

/// What stands behind the point, in microseconds, and where it ends.
fn fraction(bytes: &[u8], from: usize) -> (i64, usize) {
    if !matches!(bytes.get(from), Some(b'.' | b',')) {
        return (0, from);
    }
    let digits = bytes[from + 1..].iter().take_while(|byte| byte.is_ascii_digit());
    let (mut us, mut unit, mut to) = (0, 100_000, from + 1);
    for digit in digits {
        us += i64::from(digit - b'0') * unit;
        unit /= 10;
        to += 1;
    }
    (us, to)
}

/// `Z`, `+0100` or `+01:00`: how far ahead of UTC, in microseconds, and where it ends.
fn offset(bytes: &[u8], from: usize) -> (i64, usize) {
    let sign = match bytes.get(from) {
        Some(b'Z') => return (0, from + 1),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, from),
    };
    let mut digits = [0_i64; 4];
    let mut to = from + 1;
    for digit in &mut digits {
        if bytes.get(to) == Some(&b':') {
            to += 1;
        }
        let Some(byte) = bytes.get(to).filter(|byte| byte.is_ascii_digit()) else {
            return (0, from);
        };
        *digit = i64::from(byte - b'0');
        to += 1;
    }
    let minutes = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3];
    (sign * minutes * 60_000_000, to)
}

/// Of the Gregorian calendar. Years are counted from March, so that the odd day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_all_our_targets_are_read() {
        let second = 1_795_288_111;
        let cases = [
            (
                "2026-11-21T19:08:31.926906Z  INFO now",
                second * 1_000_000 + 926_906,
            ),
            (
                r#"{"level":"info","ts":"2026-11-21T19:08:31.926+0000","#,
                second * 1_000_000 + 926_000,
            ),
            (
                "2026-11-21 19:08:31,926 [myid:1] - INFO",
                second * 1_000_000 + 926_000,
            ),
            ("2026-11-21T20:08:31+01:00 x", second * 1_000_000),
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ];
        for (line, expected) in cases {
            assert_eq!(stamp(line).map(|stamp| stamp.at_us), Some(expected), "{line}");
        }
        let first = stamp(cases[0].0).unwrap();
        assert_eq!((first.from, first.to), (0, 27));
        for line in ["", "no stamp", "2026-11-21", "12026-11-21T19:08:31"] {
            assert_eq!(stamp(line), None, "{line}");
        }
        assert!(stamp("2026-11-21T19:08:31.99999999999999999999+9").is_some());
    }
}
