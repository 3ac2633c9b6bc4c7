//! The processors: model, number, microcode, mitigations, frequency.

use super::{super::processors, files};
use std::{collections::BTreeSet, path::Path};

/// What `/proc/cpuinfo` and `/sys/devices/system/cpu/online` tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub model: Option<String>,
    pub count: Option<usize>,
    pub microcode: Option<String>,
    /// Whether we are a virtual machine ourselves; none where the architecture has no such flag.
    pub hypervisor: Option<bool>,
}

impl Info {
    pub(super) fn read(root: &Path) -> Self {
        let mut info = files::read(root, "/proc/cpuinfo").map(|text| parse(&text)).unwrap_or_default();
        info.count = processors::online(root).map(|cpus| cpus.count()).or(info.count);
        info
    }
}

fn parse(text: &str) -> Info {
    let values = |key: &str| -> BTreeSet<String> {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields
            .filter(|(k, v)| k.trim() == key && !v.trim().is_empty())
            .map(|(_, v)| v.trim().to_owned())
            .collect()
    };
    let joined = |key: &str| {
        let values = values(key);
        (!values.is_empty()).then(|| values.into_iter().collect::<Vec<_>>().join(", "))
    };
    // ARM names no model but the numbers of its designer and part.
    let arm = || Some(format!("ARM implementer {} part {}", joined("CPU implementer")?, joined("CPU part")?));
    let count =
        text.lines().filter(|l| l.split_once(':').is_some_and(|(k, _)| k.trim() == "processor")).count();
    Info {
        model: joined("model name").or_else(arm),
        count: (count > 0).then_some(count),
        microcode: joined("microcode"),
        hypervisor: values("flags").first().map(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
    }
}

/// A model's name without trade marks and words that all have, short enough for a host class.
pub(super) fn short_model(model: &str) -> String {
    let plain = model.replace("(R)", " ").replace("(TM)", " ").replace("(tm)", " ").replace('@', " ");
    let words = plain.split_whitespace().filter(|word| !matches!(*word, "CPU" | "Processor"));
    let ascii = words.map(|word| word.chars().filter(char::is_ascii_graphic).collect::<String>());
    let text = ascii.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    // A host class begins with a letter or digit, and needs room for the numbers.
    text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().take(70).collect()
}

/// The vulnerabilities that this processor has, each with what is done about it. A kernel that knows one more
/// to which the processor is immune says nothing new, so the immune ones are left out.
pub(super) fn mitigations(root: &Path) -> Option<String> {
    const DIRECTORY: &str = "/sys/devices/system/cpu/vulnerabilities";
    let known: Vec<(String, String)> = files::names(root, DIRECTORY)
        .into_iter()
        .filter_map(|name| Some((name.clone(), files::value(root, format!("{DIRECTORY}/{name}"))?)))
        .collect();
    if known.is_empty() {
        return None;
    }
    let affected: Vec<String> = known
        .into_iter()
        .filter(|(_, state)| state != "Not affected")
        .map(|(name, state)| format!("{name}: {state}"))
        .collect();
    Some(if affected.is_empty() { "none needed".to_owned() } else { affected.join(" | ") })
}

/// The frequency governors in use; none where frequencies cannot be scaled from here.
pub(super) fn governor(root: &Path) -> Option<String> {
    const DIRECTORY: &str = "/sys/devices/system/cpu";
    let governors: BTreeSet<String> = files::names(root, DIRECTORY)
        .into_iter()
        .filter(|name| name.strip_prefix("cpu").is_some_and(|n| n.parse::<u32>().is_ok()))
        .filter_map(|name| files::value(root, format!("{DIRECTORY}/{name}/cpufreq/scaling_governor")))
        .collect();
    (!governors.is_empty()).then(|| governors.into_iter().collect::<Vec<_>>().join(", "))
}

/// Whether the processor may exceed its nominal frequency; none where that is not visible.
pub(super) fn turbo(root: &Path) -> Option<bool> {
    let read = |path: &str| files::value(root, format!("/sys/devices/system/cpu/{path}"));
    match (read("intel_pstate/no_turbo").as_deref(), read("cpufreq/boost").as_deref()) {
        (Some("0"), _) | (None, Some("1")) => Some(true),
        (Some("1"), _) | (None, Some("0")) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn models_become_short() {
        assert_eq!(short_model("Intel(R) Xeon(R) CPU @ 2.90GHz"), "Intel Xeon 2.90GHz");
        assert_eq!(short_model("AMD EPYC 7763 64-Core Processor"), "AMD EPYC 7763 64-Core");
        assert_eq!(short_model("日本"), "");
    }

    #[test]
    fn a_processor_without_a_model_is_named_by_its_numbers() {
        let info = parse("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\nprocessor\t: 1\n");
        assert_eq!(info.model.as_deref(), Some("ARM implementer 0x41 part 0xd0c"));
        assert_eq!((info.count, info.hypervisor), (Some(2), None));
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(text in "(\\PC|\n|:)*") {
            parse(&text);
            prop_assert!(short_model(&text).len() <= 70);
        }
    }
}
