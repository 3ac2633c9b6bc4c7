//! Exit codes: one exhaustive map from outcomes.

use crate::model::Decision;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked, or nothing had to be done.
    Done,
    /// A judgement was made.
    Judged {
        /// Its decision.
        decision: Decision,
        /// Whether an inconclusive one is a failure (`--strict`).
        strict: bool,
    },
    /// `fingerprint --diff`: a component changed.
    Changed,
    /// The command line or a file of the user's cannot be used.
    Usage,
    /// It could not be measured.
    NotMeasured,
    /// Another sweep has the host: nothing is wrong with it.
    Busy,
    /// Something could not be sent, and waits.
    Unsent,
    /// Something will not be taken however often it is sent, or goes wrong the next time: a person must look.
    Refused,
}

impl Outcome {
    /// The process' exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Judged { decision, strict } => match decision {
                Decision::Regressed => 1,
                Decision::NotMeasured => 3,
                Decision::Inconclusive if strict => 4,
                Decision::Pass | Decision::Inconclusive => 0,
            },
            Self::Changed => 10,
            Self::Usage => 2,
            Self::NotMeasured | Self::Busy | Self::Unsent => 3,
            Self::Refused => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_the_manual_gives() {
        let judged = |decision, strict| Outcome::Judged { decision, strict }.code();
        assert_eq!(judged(Decision::Pass, true), 0);
        assert_eq!(judged(Decision::Regressed, false), 1);
        assert_eq!(judged(Decision::NotMeasured, false), 3);
        assert_eq!((judged(Decision::Inconclusive, false), judged(Decision::Inconclusive, true)), (0, 4));
        assert_eq!(
            [Outcome::Done, Outcome::Usage, Outcome::NotMeasured, Outcome::Changed].map(Outcome::code),
            [0, 2, 3, 10]
        );
    }
}
