//! Which sweeps may be compared, and what differs where they may not.

use crate::model::{Base, Comparability, EnvironmentName, SweepSamples};

/// What makes `then` not comparable with `now` in `environment`, as a person would say it; none when they are
/// comparable. What a sweep does not say (a samples CSV says only the host class) is taken as equal. The
/// accelerator matters to virtual machines only.
pub(super) fn difference(
    then: &SweepSamples,
    now: &SweepSamples,
    environment: &EnvironmentName,
) -> Option<String> {
    if then.host_class != now.host_class {
        return Some(format!("the host class was {} and is {}", then.host_class, now.host_class));
    }
    incomparable(&then.comparability, &now.comparability, environment)
}

/// The same of two sweeps of one host class.
pub fn incomparable(a: &Comparability, b: &Comparability, environment: &EnvironmentName) -> Option<String> {
    let kvm = environment.base() == Base::Kvm;
    [
        ("profile", &a.profile, &b.profile, true),
        ("digest of the parameters", &a.parameters, &b.parameters, true),
        ("bench image", &a.bench_image, &b.bench_image, true),
        ("accelerator", &a.accelerator, &b.accelerator, kvm),
    ]
    .into_iter()
    .find_map(|(what, then, now, matters)| match (then, now) {
        (Some(then), Some(now)) if matters && then != now => {
            Some(format!("the {what} was {} and is {}", short(then), short(now)))
        }
        _ => None,
    })
}

/// The beginning of a digest, which is enough to tell two apart; other words as they are.
fn short(text: &str) -> String {
    const DIGEST: usize = 40;
    let end = if text.starts_with("sha256:") { 19 } else { 12 };
    if text.len() >= DIGEST && text.is_ascii() { text[..end].to_owned() } else { text.to_owned() }
}
