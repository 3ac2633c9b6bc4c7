//! Samples to samples CSV.

use super::COLUMNS;
use crate::model::SweepSamples;
use chrono::SecondsFormat;

/// The samples CSV of `sweeps`, in their order; within a sweep by metric, environment and round. What the format has no
/// column for (profile, parameters, bench image, accelerator, reasons of failed cells) is not in it; a failed round is
/// `NaN`. Series whose metric is unknown to their sweep have no unit and are left out.
pub fn write(sweeps: &[SweepSamples]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = out.write_record(COLUMNS);
    for sweep in sweeps {
        let started_at = sweep.started_at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        for (key, rounds) in &sweep.series {
            let Some(info) = sweep.metrics.get(&key.metric) else { continue };
            let environment = key.environment.to_string();
            for (round, value) in rounds {
                let _ = out.write_record([
                    sweep.host_class.as_str(),
                    sweep.sweep.as_str(),
                    &started_at,
                    &round.to_string(),
                    &key.metric.workload,
                    &key.metric.case,
                    &key.metric.metric,
                    &info.unit,
                    info.better.as_str(),
                    &environment,
                    &decimal(*value),
                ]);
            }
        }
    }
    out.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// The shortest text that reads back as the same number; an exponent only where a plain number would be long.
pub(super) fn decimal(value: f64) -> String {
    let size = value.abs();
    if value.is_finite() && size > 0.0 && !(1e-6..1e15).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{COLUMNS, parse};

    #[test]
    fn the_file_that_people_read() {
        // In no order, with a round that failed, a name with a comma and one with quotation marks, and numbers of all sizes.
        let rows = [
            "lab,s2,2026-11-24T12:00:00.5Z,1,redis,get,ops,1/s,higher,native,87753",
            "lab,s1,2026-11-23T12:00:00Z,2,redis,get,ops,1/s,higher,native,NaN",
            "lab,s1,2026-11-23T12:00:00Z,1,redis,get,ops,1/s,higher,native,86187.25",
            "lab,s1,2026-11-23T12:00:00Z,1,redis,get,ops,1/s,higher,docker+nat,74780",
            "lab,s1,2026-11-23T12:00:00Z,1,\"web, the\",\"\"\"page\"\"\",p99,ms,lower,native,0.1",
            "lab,s1,2026-11-23T12:00:00Z,1,rr,tcp,faults,,lower,native,0.00000012",
            "lab,s1,2026-11-23T12:00:00Z,2,rr,tcp,faults,,lower,native,12000000000000000000",
        ];
        let text = format!("{}\n{}\n", COLUMNS.join(","), rows.join("\n"));
        insta::assert_snapshot!(write(&parse(&text, "a.csv").expect("samples")));
    }
}
