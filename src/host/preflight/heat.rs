//! Heat: a processor near its limit slows down in the middle of a trial.

use super::{super::files, Finding, FindingState};
use std::path::Path;

const ZONES: &str = "/sys/class/thermal";
const CPU: &str = "/sys/devices/system/cpu";
/// From here on below a limit it is warned, thousandths of a degree.
const MARGIN: i64 = 5000;

/// How often the processors were throttled since the boot: the largest count of all, since those of a package
/// are shown by each of its processors. None where no processor counts.
pub(super) fn throttled(root: &Path) -> Option<u64> {
    let counts = files::names(root, CPU).into_iter().flat_map(|cpu| {
        ["core_throttle_count", "package_throttle_count"].map(|name| {
            files::value(root, format!("{CPU}/{cpu}/thermal_throttle/{name}"))?.parse::<u64>().ok()
        })
    });
    counts.flatten().max()
}

/// A zone with its temperature and the lowest limit at which the kernel acts, thousandths of a degree Celsius.
struct Zone {
    kind: String,
    now: i64,
    limit: i64,
}

/// The zones that have a limit (`Documentation/driver-api/thermal/sysfs-api.rst`). Trip points at which only a fan
/// starts are none.
fn zones(root: &Path) -> Vec<Zone> {
    let zone = |name: String| {
        let read = |file: &str| files::value(root, format!("{ZONES}/{name}/{file}"));
        let number = |file: &str| read(file)?.parse::<i64>().ok();
        let trips = files::names(root, format!("{ZONES}/{name}")).into_iter().filter_map(|file| {
            let trip = file.strip_suffix("_type")?.to_owned();
            let acts = matches!(read(&file)?.as_str(), "passive" | "hot" | "critical");
            number(&format!("{trip}_temp")).filter(|limit| acts && *limit > 0)
        });
        Some(Zone {
            kind: read("type").unwrap_or_else(|| name.clone()),
            now: number("temp")?,
            limit: trips.min()?,
        })
    };
    files::names(root, ZONES).into_iter().filter_map(zone).collect()
}

/// What the host tells of its heat; none when it tells nothing. `before` are the throttlings when the checks began.
pub(super) fn finding(root: &Path, before: Option<u64>) -> Option<Finding> {
    let zone = zones(root).into_iter().min_by_key(|zone| zone.limit.saturating_sub(zone.now));
    let now = throttled(root);
    let meanwhile = now.zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
    let degrees = |value: i64| value as f64 / 1000.0;
    let mut words = Vec::new();
    words.extend(zone.as_ref().map(|zone| {
        format!(
            "{} {:.0} of at most {:.0} degrees Celsius",
            zone.kind,
            degrees(zone.now),
            degrees(zone.limit)
        )
    }));
    words.extend(
        now.map(|count| format!("throttled {count} times since the boot, {meanwhile} of them just now")),
    );
    if words.is_empty() {
        return None;
    }
    let hot = zone.is_some_and(|zone| zone.now >= zone.limit.saturating_sub(MARGIN));
    let state = if hot || meanwhile > 0 { FindingState::Warn } else { FindingState::Ok };
    let remedy = "let it cool down, look after fans and dust, and set `tuning.turbo = \"off\"`: `grep . \
                  /sys/class/thermal/thermal_zone*/temp` shows it";
    Some(Finding::new("thermal", state, words.join("; "), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(root: &Path, path: &str, text: &str) {
        let path = files::under(root, path);
        fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        fs::write(path, text).expect("write");
    }

    fn zone(root: &Path, number: u32, kind: &str, temperature: &str, trips: &[(&str, &str)]) {
        let at = format!("{ZONES}/thermal_zone{number}");
        write(root, &format!("{at}/type"), kind);
        write(root, &format!("{at}/temp"), temperature);
        for (trip, (kind, limit)) in trips.iter().enumerate() {
            write(root, &format!("{at}/trip_point_{trip}_type"), kind);
            write(root, &format!("{at}/trip_point_{trip}_temp"), limit);
        }
    }

    #[test]
    fn the_zone_that_is_nearest_to_its_limit_counts() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(finding(dir.path(), None), None);
        zone(dir.path(), 0, "acpitz", "30000\n", &[("active\n", "31000\n"), ("critical\n", "119000\n")]);
        zone(
            dir.path(),
            1,
            "x86_pkg_temp",
            "60000\n",
            &[("passive\n", "95000\n"), ("passive\n", "-274000\n")],
        );
        zone(dir.path(), 2, "iwlwifi_1", "99000\n", &[]);
        let found = finding(dir.path(), None).expect("zones");
        assert_eq!(found.state, FindingState::Ok);
        assert_eq!(found.observed, "x86_pkg_temp 60 of at most 95 degrees Celsius");
        zone(dir.path(), 0, "acpitz", "115000\n", &[]);
        let found = finding(dir.path(), None).expect("zones");
        assert_eq!(found.state, FindingState::Warn);
        assert_eq!(found.observed, "acpitz 115 of at most 119 degrees Celsius");
    }

    #[test]
    fn throttling_counts_when_it_happens_now() {
        let dir = tempfile::tempdir().expect("tempdir");
        write(dir.path(), "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
        write(dir.path(), "/sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "7\n");
        assert_eq!(throttled(dir.path()), Some(7));
        assert_eq!(finding(dir.path(), Some(7)).expect("counts").state, FindingState::Ok);
        let found = finding(dir.path(), Some(5)).expect("counts");
        assert_eq!(found.state, FindingState::Warn);
        assert_eq!(found.observed, "throttled 7 times since the boot, 2 of them just now");
    }
}
