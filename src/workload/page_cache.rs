//! page-cache: whether containers of one image share its pages.

use super::{
    Case, CommandTemplate, Emulation, InstancesReport, InstancesTrial, ParseError, Places, Profile, Size,
    Trial, Values, Workload, agent_report,
};
use crate::model::{Better, Family, MetricSpec, Scale};
use serde::Deserialize;

/// The workload.
#[derive(Debug)]
pub struct PageCache;

const NAME: &str = "page-cache";
/// A file of the bench image, 64 MiB.
const FILE: &str = "/usr/share/tollgate/copyup/64m";
const FILE_BYTES: u64 = 64 << 20;
/// The first reader may find this part of the file in the page cache: a few pages may be held by somebody.
const WARM_PART: u64 = 64;

impl Workload for PageCache {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let count = if profile == Profile::Full { 50 } else { 3 };
        vec![Case {
            workload: NAME,
            name: format!("shared-{count}"),
            metrics: vec![MetricSpec {
                metric: "cached",
                unit: "MiB",
                better: Better::Lower,
                family: Family::Memory,
                resolution: 0.0,
                scale: Scale::Ratio,
                tail: false,
                about: "page cache of the host for each container that reads the same 64 MiB file of their image: overlay \
                        shares one copy, drivers with an inode or a block device for each container do not",
            }],
            environments: Places::of(profile, &["docker"]).drivers_of_fresh().all(),
            prepare: Vec::new(),
            server: None,
            trial: Trial::Instances(InstancesTrial {
                count,
                parallel: 2,
                settle: Some(CommandTemplate::agent(&["evict", "--file", FILE], 60)),
                each: Some(CommandTemplate::agent(&["read-file", "--file", FILE], 60)),
                timeout_s: 120 + 5 * count,
                parse,
            }),
            slices: 1,
            share: 0.15,
            trial_s: 0.6 * f64::from(count),
            emulation: Emulation::Runs,
        }]
    }
}

fn parse(report: &InstancesReport) -> Values {
    let count = report.instances.len();
    if count == 0 || report.outputs.len() != count {
        let why = format!("expected an output for each of {count} instances, found {}", report.outputs.len());
        return Err(ParseError::new(NAME, None, "", why));
    }
    for (index, output) in report.outputs.iter().enumerate() {
        let read: Read = agent_report::read(NAME, output)?;
        // The first reader shows that the eviction before it worked; what the others find is what is measured.
        if index == 0 && read.cached_bytes_before > FILE_BYTES / WARM_PART {
            let why = format!(
                "{} bytes of the file were in the page cache before the first instance read it: it was not evicted",
                read.cached_bytes_before
            );
            return Err(ParseError::new(NAME, Some(1), &output.stdout, why));
        }
        if read.bytes != FILE_BYTES {
            let why = format!("expected {FILE_BYTES} bytes to be read, found {}", read.bytes);
            return Err(ParseError::new(NAME, Some(1), &output.stdout, why));
        }
    }
    // The host's own count must agree that the file came from the disk once at least.
    let least = FILE_BYTES as f64 / f64::from(1 << 20) * 0.9;
    if report.cached_mib < least {
        let why = format!(
            "the host's page cache grew by {:.1} MiB, less than the one file: not all of it was cold",
            report.cached_mib
        );
        return Err(ParseError::new(NAME, None, "", why));
    }
    Ok(vec![report.cached_mib / count as f64])
}

#[derive(Debug, Deserialize)]
struct Read {
    bytes: u64,
    cached_bytes_before: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::trial::fixtures::report;

    fn read(bytes: u64, cached_before: u64) -> String {
        format!("{{\"bytes\":{bytes},\"seconds\":0.1,\"cached_bytes_before\":{cached_before}}}\n")
    }

    #[test]
    fn the_cache_is_counted_for_each_instance_and_every_instance_must_have_read() {
        let whole = |count| {
            let mut report = report(count);
            for output in &mut report.outputs {
                output.stdout = read(FILE_BYTES, FILE_BYTES);
            }
            report.outputs[0].stdout = read(FILE_BYTES, 0);
            report
        };
        assert_eq!(parse(&whole(3)), Ok(vec![64.0]));
        let mut half = whole(3);
        half.outputs[1].stdout = read(FILE_BYTES / 2, 0);
        assert!(parse(&half).expect_err("half of it").to_string().contains("33554432"));
        let mut silent = whole(3);
        silent.outputs.pop();
        assert!(parse(&silent).is_err() && parse(&report(0)).is_err());
        let mut warm = whole(3);
        warm.outputs[0].stdout = read(FILE_BYTES, 5 << 20);
        let why = parse(&warm).expect_err("warm").to_string();
        assert!(why.contains("5242880 bytes") && why.contains("not evicted"), "{why}");
        let mut elsewhere = whole(3);
        elsewhere.cached_mib = 40.0;
        assert!(parse(&elsewhere).expect_err("warm below").to_string().contains("40.0 MiB"));
    }
}
