//! Spans of time as people write them: `90s`, `30m`, `2h`.

use std::time::Duration;

/// The longest span that can be meant: a sweep of a month describes no one state of a host.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads `90s`, `30m`, `2h`, `1h 30m`, and `0`.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err(format!("{text:?} is more than 30 days")),
        Err(_) => Err(format!("{text:?} is no time; expected one such as 90s, 30m or 2h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_and_nonsense_is_not() {
        let seconds = |text| parse(text).map(|d| d.as_secs());
        assert_eq!(
            ["0", "0s", "90s", "30m", "2h", "1h 30m"].map(seconds).map(Result::unwrap_or_default),
            [0, 0, 90, 1800, 7200, 5400]
        );
        for nonsense in ["", "30", "-1s", "soon", "30 parsecs", "900000h"] {
            assert!(seconds(nonsense).is_err(), "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", number: u64, unit in "[a-zA-Z]{0,8}") {
            let _ = parse(&text);
            let _ = parse(&format!("{number}{unit}"));
        }
    }
}
