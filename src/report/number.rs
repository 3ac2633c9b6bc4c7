//! Numbers as people read them: three significant digits, sensible units, no `-0`.

/// Shown where there is no number.
pub const NONE: &str = "-";

/// With the printer's minus, which is as wide as the plus.
pub fn printed(text: &str) -> String {
    text.replace('-', "−")
}

/// Below this, a toll is called `~0`: percent. Nothing that Tollgate measures resolves less.
pub const NEGLIGIBLE_PCT: f64 = 0.5;

/// Three significant digits, with `k`, `M`, `G` from 10,000 upward: `84.3k`, `1.23`, `0.0126`, `950`, `2340`.
pub fn significant(x: f64) -> String {
    if !x.is_finite() {
        return NONE.to_owned();
    }
    let size = round3(x.abs());
    let (scale, suffix) = match size {
        s if s >= 1e9 => (1e9, "G"),
        s if s >= 1e6 => (1e6, "M"),
        s if s >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let scaled = size / scale;
    if scaled == 0.0 {
        return "0".to_owned();
    }
    let decimals = (2.0 - scaled.log10().floor()).clamp(0.0, 9.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=9")]
    let decimals = decimals as usize;
    let sign = if x < 0.0 { "-" } else { "" };
    format!("{sign}{scaled:.decimals$}{suffix}")
}

/// `x` rounded to three significant digits, so that the choice of a suffix sees what will be shown.
fn round3(x: f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    // Going through the decimal text is exact where powers of ten in f64 are not.
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// Steps between units of which one is shown instead of another: from, factor, to.
const LARGER: [(&str, f64, &str); 7] = [
    ("ns", 1e3, "us"),
    ("us", 1e3, "ms"),
    ("ms", 1e3, "s"),
    ("KB/s", 1e3, "MB/s"),
    ("MB/s", 1e3, "GB/s"),
    ("KiB", 1024.0, "MiB"),
    ("MiB", 1024.0, "GiB"),
];

/// A value with its unit, in the multiple of the unit that reads best: `1340 us` is `1.34 ms`, `84300 1/s`
/// is `84.3k/s`. `unit` is returned as given where it is not known; clean it first.
pub fn value(x: f64, unit: &str) -> String {
    if !x.is_finite() {
        return NONE.to_owned();
    }
    let (mut x, mut unit) = (x, unit);
    while let Some((_, factor, larger)) =
        LARGER.iter().find(|(from, factor, _)| *from == unit && x.abs() >= *factor)
    {
        (x, unit) = (x / factor, larger);
    }
    if x != 0.0
        && x.abs() < 1.0
        && let Some((smaller, factor, _)) = LARGER.iter().find(|(_, _, to)| *to == unit)
    {
        (x, unit) = (x * factor, smaller);
    }
    match unit {
        "" => significant(x),
        "1/s" => format!("{}/s", significant(x)),
        "%" => format!("{} %", significant(x)),
        _ => format!("{} {unit}", significant(x)),
    }
}

/// A percentage without sign of plus or percent: one decimal below `whole_from`, none above; never `-0`.
fn plain(pct: f64, whole_from: f64) -> String {
    if !pct.is_finite() {
        return NONE.to_owned();
    }
    let tenths = (pct * 10.0).round() / 10.0;
    // `+ 0.0` turns -0 into 0.
    if tenths.abs() < whole_from {
        format!("{:.1}", tenths + 0.0)
    } else {
        format!("{:.0}", pct.round() + 0.0)
    }
}

fn signed(plain: &str) -> String {
    if plain == NONE {
        return NONE.to_owned();
    }
    let sign = if plain.starts_with('-') || plain == "0.0" { "" } else { "+" };
    format!("{sign}{plain} %")
}

/// A change in percent: `+7.2 %`, `-0.3 %`, `+11.4 %`, `+140 %`.
pub fn change(pct: f64) -> String {
    signed(&plain(pct, 100.0))
}

/// A toll in percent: `+7.2 %`, `+14 %`, and `~0` where it is negligible.
pub fn toll(pct: f64) -> String {
    if pct.abs() < NEGLIGIBLE_PCT { "~0".to_owned() } else { signed(&plain(pct, 10.0)) }
}

/// A change with its 95 % interval: `+7.2 % [5.0, 9.4]`.
pub fn change_with_interval(pct: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match (pct, interval) {
        (None, _) => NONE.to_owned(),
        (Some(pct), None) => change(pct),
        (Some(pct), Some([low, high])) => {
            format!("{} [{}, {}]", change(pct), plain(low, 100.0), plain(high, 100.0))
        }
    }
}

/// A probability: `0.02`, `< 0.001`.
pub fn probability(p: f64) -> String {
    if !p.is_finite() {
        NONE.to_owned()
    } else if p < 0.001 {
        "< 0.001".to_owned()
    } else if p < 0.1 {
        format!("{p:.3}")
    } else {
        format!("{p:.2}")
    }
}

/// A time: `850 ms`, `12.3 s`, `4 min 50 s`, `1 h 3 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NONE.to_owned();
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    if seconds < 59.95 {
        return format!("{} s", significant(seconds));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite and not negative")]
    let whole = seconds.round() as u64;
    let (h, min, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (h, min, s) {
        (0, min, 0) => format!("{min} min"),
        (0, min, s) => format!("{min} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, min, _) => format!("{h} h {min} min"),
    }
}

/// `1 metric`, `2 metrics`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        let cases = [
            (84_312.0, "84.3k"),
            (9_996.0, "10.0k"),
            (999.6, "1000"),
            (2_340.4, "2340"),
            (1.234, "1.23"),
            (0.012_61, "0.0126"),
            (0.0, "0"),
            (-0.0, "0"),
            (-12.34, "-12.3"),
            (1_234_567.0, "1.23M"),
            (999_960.0, "1.00M"),
            (4.2e9, "4.20G"),
            (f64::NAN, "-"),
            (f64::INFINITY, "-"),
        ];
        for (x, text) in cases {
            assert_eq!(significant(x), text, "{x}");
        }
    }

    #[test]
    fn units_follow_the_size() {
        let cases = [
            (1_340.0, "us", "1.34 ms"),
            (0.05, "ms", "50.0 us"),
            (12.0, "us", "12.0 us"),
            (0.145, "ms", "145 us"),
            (2_500_000.0, "us", "2.50 s"),
            (84_312.0, "1/s", "84.3k/s"),
            (1_500.0, "MB/s", "1.50 GB/s"),
            (41.27, "CPU-s/GiB", "41.3 CPU-s/GiB"),
            (7.0, "", "7.00"),
            (0.0, "ms", "0 ms"),
        ];
        for (x, unit, text) in cases {
            assert_eq!(value(x, unit), text);
        }
    }

    #[test]
    fn percentages_have_signs_but_zero_has_none() {
        let cases = [
            (7.24, "+7.2 %"),
            (-0.04, "0.0 %"),
            (0.0, "0.0 %"),
            (9.96, "+10.0 %"),
            (14.44, "+14.4 %"),
            (140.4, "+140 %"),
            (-3.21, "-3.2 %"),
            (2_143.7, "+2144 %"),
            (f64::NAN, "-"),
        ];
        for (x, text) in cases {
            assert_eq!(change(x), text, "{x}");
        }
        assert_eq!((toll(9.96), toll(14.4)), ("+10 %".into(), "+14 %".into()));
        assert_eq!((toll(0.49), toll(-0.3), toll(0.5)), ("~0".into(), "~0".into(), "+0.5 %".into()));
    }

    #[test]
    fn intervals_and_probabilities() {
        assert_eq!(change_with_interval(Some(7.2), Some([5.0, 9.4])), "+7.2 % [5.0, 9.4]");
        assert_eq!(change_with_interval(Some(7.2), None), "+7.2 %");
        assert_eq!(change_with_interval(None, Some([1.0, 2.0])), "-");
        assert_eq!((probability(0.0001), probability(0.0123)), ("< 0.001".into(), "0.012".into()));
    }

    #[test]
    fn durations_are_spoken() {
        let cases = [
            (0.85, "850 ms"),
            (12.34, "12.3 s"),
            (290.0, "4 min 50 s"),
            (59.97, "1 min"),
            (3_780.0, "1 h 3 min"),
            (7_200.0, "2 h"),
            (-1.0, "-"),
        ];
        for (s, text) in cases {
            assert_eq!(duration(s), text, "{s}");
        }
    }
}
