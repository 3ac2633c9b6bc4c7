//! False discovery rate over a whole suite.

/// Adjusted p-values of Benjamini and Hochberg (1995, "Controlling the False Discovery Rate"): for the i-th smallest
/// of `m` p-values, min over j ≥ i of p_(j) m / j, at most 1; in the order in which they were given.
///
/// `m` is the number of hypotheses of the suite. Those that are not among `p` enter with p = 1: testing only what
/// was picked by an earlier look at the same suite and counting only that is the classic mistake.
/// `m` smaller than `p.len()` is taken as `p.len()`. A p-value that is not a number counts as 1.
pub fn benjamini_hochberg(p: &[f64], m: usize) -> Vec<f64> {
    let m = m.max(p.len()) as f64;
    let p: Vec<f64> = p.iter().map(|&p| if p.is_nan() { 1.0 } else { p }).collect();
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut smallest: f64 = 1.0;
    for (rank, &i) in order.iter().enumerate().rev() {
        smallest = smallest.min(p[i] * m / (rank + 1) as f64);
        adjusted[i] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: p.adjust(c(.01, .04, .03, .005), "BH") = .02 .04 .04 .02
    #[test]
    fn agrees_with_p_adjust() {
        let q = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005], 4);
        for (a, b) in q.iter().zip([0.02, 0.04, 0.04, 0.02]) {
            assert!((a - b).abs() < 1e-12, "{q:?}");
        }
    }

    #[test]
    fn missing_hypotheses_enter_with_one() {
        let all = benjamini_hochberg(&[0.01, 0.04, 1.0, 1.0, 1.0], 5);
        let some = benjamini_hochberg(&[0.01, 0.04], 5);
        assert_eq!(&all[..2], &some[..]);
        assert!((some[0] - 0.05).abs() < 1e-12 && (some[1] - 0.1).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_a_number_proves_nothing() {
        assert_eq!(benjamini_hochberg(&[f64::NAN], 1), [1.0]);
        assert!(benjamini_hochberg(&[], 10).is_empty());
    }
}
