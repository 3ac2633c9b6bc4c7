//! A figure of the study: what was published of it, the toll that follows, and what stands behind it.

use crate::report::number;

/// Trials that are public.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trials {
    pub n: u32,
    pub mean: f64,
    /// Standard deviation over the trials.
    pub sd: f64,
}

/// A change against native that was published without its trials, percent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Published {
    /// Of a rate, from the largest loss to the smallest.
    Rate { low: f64, high: f64 },
    /// Of a time.
    Time { pct: f64 },
    /// Of a time, in words and not in digits: "about doubles".
    AboutTime { pct: f64 },
}

/// What is known of an environment of then.
#[derive(Debug, Clone, Copy)]
pub(super) enum Old {
    Trials(Trials),
    /// One run, of which the log is public.
    Single(f64),
    /// A value of which neither the trials nor their number are known.
    Value(f64),
    Published(Published),
    Unknown,
}

impl Old {
    /// The value, where it was published as one. Whatever has one is a rate: more is better.
    fn value(self) -> Option<f64> {
        match self {
            Self::Trials(t) => Some(t.mean),
            Self::Single(value) | Self::Value(value) => Some(value),
            Self::Published(_) | Self::Unknown => None,
        }
    }

    /// The toll against native, percent: from the smallest to the largest that was published.
    pub fn toll(self, native: Self) -> Option<[f64; 2]> {
        let of_rate = |pct: f64| (1.0 / (1.0 + pct / 100.0) - 1.0) * 100.0;
        match self {
            Self::Published(Published::Rate { low, high }) => Some([of_rate(high), of_rate(low)]),
            Self::Published(Published::Time { pct } | Published::AboutTime { pct }) => Some([pct, pct]),
            _ => native.value().zip(self.value()).map(|(n, e)| [(n / e - 1.0) * 100.0; 2]),
        }
    }

    /// The toll as it is read: `+81 %`, `+28 % to +92 %`, `about +100 %`.
    pub fn toll_text(self, native: Self) -> Option<String> {
        let [low, high] = self.toll(native)?.map(number::toll);
        Some(match self {
            Self::Published(Published::AboutTime { .. }) => format!("about {high}"),
            _ if low == high => low,
            _ => format!("{low} to {high}"),
        })
    }

    /// The value with its unit, where there is one: `291 GFLOPS`.
    pub fn value_text(self, unit: &str) -> Option<String> {
        self.value().map(|value| number::value(value, unit))
    }

    /// Number of trials, where it is known.
    pub fn n(self) -> Option<u32> {
        match self {
            Self::Trials(t) => Some(t.n),
            Self::Single(_) => Some(1),
            Self::Value(_) | Self::Published(_) | Self::Unknown => None,
        }
    }

    pub fn is_known(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Spread and number of trials: `± 1.13, n = 10`, `n = 1`, `n not given`; none of what is not known.
    pub fn behind(self) -> Option<String> {
        self.is_known().then(|| {
            let n = self.n().map_or_else(|| "n not given".to_owned(), |n| format!("n = {n}"));
            match self {
                Self::Trials(t) => format!("± {}, {n}", number::significant(t.sd)),
                _ => n,
            }
        })
    }

    /// Value, spread and number: `291 GFLOPS ± 1.13, n = 10`, `26.6k/s, n not given`, `n not given`; none of what is not known.
    pub fn evidence(self, unit: &str) -> Option<String> {
        let behind = self.behind()?;
        let between = if matches!(self, Self::Trials(_)) { " " } else { ", " };
        Some(
            self.value_text(unit).map_or_else(|| behind.clone(), |value| format!("{value}{between}{behind}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_loss_of_rate_is_a_toll() {
        let toll = |old: Old, native| old.toll(native).map(|t| t.map(f64::round));
        let half = Old::Published(Published::Rate { low: -50.0, high: -20.0 });
        assert_eq!(toll(half, Old::Unknown), Some([25.0, 100.0]));
        assert_eq!(toll(Old::Single(50.0), Old::Single(100.0)), Some([100.0, 100.0]));
        assert_eq!(toll(Old::Published(Published::Time { pct: 81.0 }), Old::Value(1.0)), Some([81.0, 81.0]));
        assert_eq!(toll(Old::Unknown, Old::Single(1.0)), None);
    }

    #[test]
    fn what_was_said_in_words_stays_a_word() {
        let text = |old: Published| Old::Published(old).toll_text(Old::Unknown).expect("a toll");
        assert_eq!(text(Published::AboutTime { pct: 100.0 }), "about +100 %");
        assert_eq!(text(Published::Time { pct: 81.0 }), "+81 %");
        assert_eq!(text(Published::Rate { low: -50.0, high: -20.0 }), "+25 % to +100 %");
    }

    #[test]
    fn a_number_of_trials_is_said_only_where_it_is_known() {
        let trials = Old::Trials(Trials { n: 10, mean: 290.829, sd: 1.133 });
        assert_eq!(trials.evidence("GFLOPS").as_deref(), Some("291 GFLOPS ± 1.13, n = 10"));
        assert_eq!(Old::Single(769.0).evidence("MB/s").as_deref(), Some("769 MB/s, n = 1"));
        assert_eq!(Old::Value(26_600.0).evidence("1/s").as_deref(), Some("26.6k/s, n not given"));
        assert_eq!(Old::Value(26_600.0).n(), None);
        let published = Old::Published(Published::Time { pct: 81.0 });
        assert_eq!(published.evidence("1/s").as_deref(), Some("n not given"));
        assert_eq!(Old::Unknown.evidence("1/s"), None);
    }
}
