//! lifecycle: create, start, stop and remove many containers. The blog post asks for it after Red Hat's test of how
//! storage drivers scale, and of the exec driver, which is the OCI runtime today.

use super::{
    Case, Emulation, InstanceTimes, InstancesReport, InstancesTrial, ParseError, Places, Profile, Size,
    Trial, Values, Workload,
};
use crate::model::{Better, EnvironmentName, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Lifecycle;

const NAME: &str = "lifecycle";

impl Workload for Lifecycle {
    fn name(&self) -> &'static str {
        NAME
    }

    fn packages(&self) -> &'static [&'static str] {
        &[]
    }

    fn cases(&self, Size { profile, .. }: Size) -> Vec<Case> {
        let (count, widths): (u32, &[u32]) = match profile {
            Profile::Smoke | Profile::Standard => (10, &[1, 4]),
            Profile::Full => (1000, &[1, 4, 16]),
        };
        widths.iter().map(|parallel| case(profile, count, *parallel)).collect()
    }
}

fn case(profile: Profile, count: u32, parallel: u32) -> Case {
    Case {
        workload: NAME,
        name: format!("{count}-p{parallel}"),
        metrics: metrics(),
        environments: environments(profile, parallel),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Instances(InstancesTrial {
            count,
            parallel,
            settle: None,
            each: None,
            timeout_s: 60 + 6 * count,
            parse,
        }),
        slices: 1,
        share: 0.15,
        trial_s: 0.5 * f64::from(count),
        emulation: Emulation::Runs,
    }
}

/// One after another is the question of how long one takes; the axes differ where several contend.
fn environments(profile: Profile, parallel: u32) -> Vec<EnvironmentName> {
    let places = Places::of(profile, &["docker"]);
    if parallel == 1 && profile == Profile::Standard {
        return places.all();
    }
    places.drivers_of_fresh().runtimes().all()
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, unit, better, scale, tail, about| MetricSpec {
        metric,
        unit,
        better,
        family: Family::Lifecycle,
        resolution: 0.0,
        scale,
        tail,
        about,
    };
    vec![
        metric(
            "rate",
            "1/s",
            Better::Higher,
            Scale::Ratio,
            false,
            "containers created, started, stopped and removed per second: what a CI farm or a scheduler gets out of the \
             engine, the OCI runtime and the storage driver together",
        ),
        metric(
            "start-p50",
            "ms",
            Better::Lower,
            Scale::Ratio,
            false,
            "median time from the request until the first byte from inside, while others start: the engine's and the OCI \
             runtime's part",
        ),
        metric(
            "start-p95",
            "ms",
            Better::Lower,
            Scale::Ratio,
            true,
            "95th percentile of the same time: locks of the engine and of the storage driver show in the slowest starts \
             first",
        ),
        metric(
            "remove-p50",
            "ms",
            Better::Lower,
            Scale::Ratio,
            false,
            "median time to end and remove one: unmounting and deleting the layer is where storage drivers differ most",
        ),
        metric(
            "slope",
            "ms/instance",
            Better::Lower,
            Scale::Difference,
            false,
            "by how much a start takes longer for each instance that is up already (least squares): what does not scale, \
             as in Red Hat's storage scalability test of 2014",
        ),
    ]
}

fn parse(report: &InstancesReport) -> Values {
    let instances = &report.instances;
    if instances.len() < 3 {
        let why = format!("expected at least three instances, found {}", instances.len());
        return Err(ParseError::new(NAME, None, "", why));
    }
    let starts: Vec<f64> = instances.iter().map(|i| i.create_ms + i.start_ms).collect();
    let removals: Vec<f64> = instances.iter().map(|i| i.stop_ms + i.remove_ms).collect();
    Ok(vec![
        instances.len() as f64 / (report.up_s + report.down_s),
        percentile(&starts, 0.5),
        percentile(&starts, 0.95),
        percentile(&removals, 0.5),
        slope(instances, &starts),
    ])
}

/// The nearest-rank percentile of values, at least one.
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small count")]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The least-squares slope of the start times over the number of instances that were up before.
fn slope(instances: &[InstanceTimes], starts: &[f64]) -> f64 {
    let n = starts.len() as f64;
    let mean_x = instances.iter().map(|i| f64::from(i.present)).sum::<f64>() / n;
    let mean_y = starts.iter().sum::<f64>() / n;
    let (mut xy, mut xx) = (0.0, 0.0);
    for (instance, y) in instances.iter().zip(starts) {
        let x = f64::from(instance.present) - mean_x;
        xy += x * (y - mean_y);
        xx += x * x;
    }
    if xx > 0.0 { xy / xx } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::trial::fixtures::report;

    #[test]
    fn rate_percentiles_and_slope_follow_from_the_times() {
        let mut report = report(10);
        for instance in &mut report.instances {
            instance.start_ms = 100.0 + 2.0 * f64::from(instance.present);
        }
        let values = parse(&report).expect("values");
        assert!((values[0] - 10.0 / (report.up_s + report.down_s)).abs() < 1e-9);
        // create takes 10 ms; starts take 100, 102, ... 118 ms.
        assert_eq!(&values[1..4], [118.0, 128.0, 30.0]);
        assert!((values[4] - 2.0).abs() < 1e-9, "{}", values[4]);
    }

    #[test]
    fn too_few_instances_have_no_slope() {
        assert!(parse(&report(2)).is_err());
    }
}
