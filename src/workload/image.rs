//! image: load and unpack an image into the engine.

use super::{Case, Emulation, LoadReport, LoadTrial, Places, Profile, Size, Trial, Workload};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Image;

const NAME: &str = "image";

/// About 50 MiB of the bench image.
const PART: &[&str] = &["usr/share/tollgate/corpus", "usr/bin"];

impl Workload for Image {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let (name, of, trial_s) = match profile {
            Profile::Smoke | Profile::Standard => ("load-part", PART, 1.5),
            Profile::Full => ("load-all", &[][..], 20.0),
        };
        vec![Case {
            workload: NAME,
            name: name.to_owned(),
            metrics: metrics(),
            environments: Places::of(profile, &["docker"]).drivers().all(),
            prepare: Vec::new(),
            server: None,
            trial: Trial::Load(LoadTrial { of, parse }),
            slices: 1,
            share: 0.15,
            trial_s,
            emulation: Emulation::Runs,
        }]
    }
}

fn metrics() -> Vec<MetricSpec> {
    vec![MetricSpec {
        metric: "throughput",
        unit: "MB/s",
        better: Better::Higher,
        family: Family::Disk,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: false,
        about: "bytes of an image's tar per second until the engine has unpacked it into its storage driver (POST \
                /images/create): what each deployment waits for; natively, tar -x",
    }]
}

fn parse(report: &LoadReport) -> Vec<f64> {
    vec![report.bytes as f64 / 1e6 / report.seconds]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_bytes_over_time() {
        assert_eq!(parse(&LoadReport { seconds: 2.0, bytes: 100_000_000 }), [50.0]);
    }
}
