//! Reads `--option value` arguments of one workload: the one place that does.

use super::Trouble;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The options that were given, by name without the two dashes. A flag has an empty value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads the arguments. `valued` are the options that take a value, `flags` those that take none; anything
    /// else, and an option that is given twice, is a usage error that names it.
    pub fn read(args: &[String], valued: &[&str], flags: &[&str]) -> Result<Self, Trouble> {
        let mut options = BTreeMap::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let name = arg.strip_prefix("--").unwrap_or_default();
            let value = if flags.contains(&name) {
                String::new()
            } else if valued.contains(&name) {
                args.next().cloned().ok_or_else(|| Trouble::Usage(format!("{arg} needs a value")))?
            } else {
                let known: Vec<String> = valued.iter().chain(flags).map(|n| format!("--{n}")).collect();
                let known = known.join(", ");
                return Err(Trouble::Usage(format!("unknown argument {arg}; this workload knows {known}")));
            };
            if options.insert(name.to_owned(), value).is_some() {
                return Err(Trouble::Usage(format!("{arg} is given twice")));
            }
        }
        Ok(Self(options))
    }

    /// Whether a flag was given.
    pub fn flag(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text of an option that may be left out.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text of an option that must be given.
    pub fn text(&self, name: &str) -> Result<&str, Trouble> {
        self.optional_text(name).ok_or_else(|| Trouble::Usage(format!("--{name} is missing")))
    }

    /// A whole number that must be given.
    pub fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<u64, Trouble> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|n| range.contains(n));
        number.ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Trouble::Usage(format!("--{name} {text}: expected a whole number from {least} to {most}"))
        })
    }

    /// A whole number that is `default` when it is left out.
    pub fn number_or(&self, name: &str, range: RangeInclusive<u64>, default: u64) -> Result<u64, Trouble> {
        if self.flag(name) { self.number(name, range) } else { Ok(default) }
    }

    /// Memory in MiB, as bytes: from 1 MiB to 64 TiB.
    pub fn mebibytes(&self, name: &str) -> Result<usize, Trouble> {
        let mib = self.number(name, 1..=1 << 26)?;
        usize::try_from(mib << 20)
            .map_err(|_| Trouble::Usage(format!("--{name} {mib}: too much for this machine")))
    }

    /// A time in milliseconds, from 1 ms to a day.
    pub fn milliseconds(&self, name: &str) -> Result<std::time::Duration, Trouble> {
        self.number(name, 1..=86_400_000).map(std::time::Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Options, Trouble> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Options::read(&args, &["mib", "ms", "dir"], &["evict"])
    }

    #[test]
    fn values_and_flags_are_read() {
        let options = read(&["--mib", "3", "--evict", "--dir", "/a"]).expect("reads");
        assert_eq!(options.mebibytes("mib").expect("a size"), 3 << 20);
        assert_eq!(options.number_or("ms", 1..=9, 7).expect("the default"), 7);
        assert_eq!(options.text("dir").expect("a text"), "/a");
        assert!(options.flag("evict") && options.optional_text("ms").is_none());
    }

    #[test]
    fn errors_name_the_option() {
        let usage = |args: &[&str]| read(args).expect_err("wrong").to_string();
        assert!(usage(&["--mob", "3"]).contains("--mob") && usage(&["--mob", "3"]).contains("--mib"));
        assert!(usage(&["3"]).contains("unknown argument 3"));
        assert!(usage(&["--mib"]).contains("--mib needs a value"));
        assert!(usage(&["--mib", "1", "--mib", "2"]).contains("twice"));
        let options = read(&["--mib", "-3"]).expect("reads");
        let wrong = options.number("mib", 1..=9).expect_err("negative").to_string();
        assert!(wrong.contains("--mib -3") && wrong.contains("from 1 to 9"), "{wrong}");
        assert!(options.text("dir").expect_err("missing").to_string().contains("--dir is missing"));
        assert!(options.mebibytes("mib").is_err() && options.milliseconds("ms").is_err());
    }
}
