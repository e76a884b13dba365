//! Durations and sizes as people type them.

use std::time::Duration;

/// `30s`, `500ms`, `2m`, `1h`, `1.5s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("expected a number and a unit (ms, s, m or h), such as 30s".into()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "expected a number and a unit, such as 30s".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

/// Bytes: `4GiB`, `512MiB`, `100MB`, `1000`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err("expected bytes, such as 4GiB or 512MiB".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a whole number of bytes, such as 4GiB".to_owned())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "is more than can be counted".into())
}

/// `1.2 GB`, `340 kB`, `17 B`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.iter().find(|(_, factor)| bytes >= *factor) {
        Some((unit, factor)) => format!("{:.1} {unit}", bytes as f64 / *factor as f64),
        None => format!("{bytes} B"),
    }
}

/// `1 key`, `2 keys`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "30", "s", "-1s", "30 s", "1.2.3s", "3d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("100MB"), Ok(100_000_000));
        assert_eq!(bytes("17"), Ok(17));
        assert_eq!(
            [17, 340_000, 1_240_000_000].map(size),
            ["17 B", "340.0 kB", "1.2 GB"]
        );
        for bad in ["", "GiB", "1.5GiB", "99999999999999GiB", "4Gib"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
