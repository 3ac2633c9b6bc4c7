//! Summaries that a few wild values do not move, and the sums that need all of them.

/// Turns a median absolute deviation into an estimate of the standard deviation of normal data: 1 / Φ⁻¹(3/4)
/// (Rousseeuw and Croux, 1993, "Alternatives to the Median Absolute Deviation").
pub const MAD_TO_SD: f64 = 1.4826;

/// Variance of the median of R normal values is about `MEDIAN_VARIANCE * sigma^2 / R`: π/2, the inverse of the
/// median's asymptotic efficiency (Kendall and Stuart, The Advanced Theory of Statistics, vol. 1).
pub const MEDIAN_VARIANCE: f64 = 1.57;

/// Mean, in the unit of the values; none of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Variance with ddof 1: Σ(x - x̄)² / (n - 1), in the squared unit of the values; none of fewer than two.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    (values.len() > 1)
        .then(|| values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64)
}

/// Median, in the unit of the values: the middle one, or the mean of the two in the middle; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    let (half, odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    // Selecting is linear; sorting is not.
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    if odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(lower + (upper - lower) / 2.0)
}

/// Median absolute deviation from the median, in the unit of the values, not scaled; none of nothing.
/// Times [`MAD_TO_SD`] it estimates a standard deviation.
pub fn mad(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    median(&values.iter().map(|x| (x - centre).abs()).collect::<Vec<_>>())
}

/// Pooled variance within groups: `Σ_g Σ(x - x̄_g)² / Σ_g(n_g - 1)`, in the squared unit of the
/// values. Groups of one tell nothing of it; 0 when all are such.
pub fn pooled_variance<'a>(groups: impl IntoIterator<Item = &'a [f64]>) -> f64 {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for group in groups {
        if let Some(v) = variance(group) {
            let df = (group.len() - 1) as f64;
            squares += v * df;
            freedom += df;
        }
    }
    if freedom > 0.0 { squares / freedom } else { 0.0 }
}

/// Smallest and largest value; none of nothing.
pub fn range(values: &[f64]) -> Option<(f64, f64)> {
    values.iter().fold(None, |range, &x| match range {
        None => Some((x, x)),
        Some((low, high)) => Some((x.min(low), x.max(high))),
    })
}

/// Indices of the values farther than `5 * 1.4826 * MAD` from the median, farthest first, at most one tenth of all
/// values (at least one), and none of fewer than eight. `floor` is the smallest standard deviation believed, so
/// that a MAD of zero does not make an outlier of every value that differs in its last digit.
pub fn outliers(values: &[f64], floor: f64) -> Vec<usize> {
    const FEWEST: usize = 8;
    let (Some(centre), Some(mad)) = (median(values), mad(values)) else { return Vec::new() };
    if values.len() < FEWEST {
        return Vec::new();
    }
    let limit = 5.0 * (MAD_TO_SD * mad).max(floor);
    let mut far: Vec<(usize, f64)> =
        values.iter().map(|x| (x - centre).abs()).enumerate().filter(|(_, d)| *d > limit).collect();
    far.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    far.truncate((values.len() / 10).max(1));
    far.into_iter().map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_known_values() {
        let x = [1.0, 4.0, 2.0, 9.0];
        assert_eq!(mean(&x), Some(4.0));
        assert_eq!(median(&x), Some(3.0));
        assert_eq!(median(&x[..3]), Some(2.0));
        assert_eq!(mad(&x), Some(1.5));
        // (9 + 0 + 4 + 25) / 3
        assert_eq!(variance(&x), Some(38.0 / 3.0));
        assert_eq!(range(&x), Some((1.0, 9.0)));
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!((mean(&[]), median(&[]), mad(&[]), range(&[])), (None, None, None, None));
        assert_eq!(variance(&[1.0]), None);
    }

    #[test]
    fn pooled_variance_weighs_groups_by_their_freedom() {
        // Squares 2 (df 2) and 50 (df 1), one group without freedom: 52 / 3.
        let groups: [&[f64]; 3] = [&[1.0, 2.0, 3.0], &[0.0, 10.0], &[99.0]];
        assert!((pooled_variance(groups) - 52.0 / 3.0).abs() < 1e-12);
        assert!(pooled_variance([&[1.0][..]]).abs() < 1e-12);
    }

    #[test]
    fn one_far_value_in_eight_is_an_outlier_and_none_in_seven() {
        let mut x = vec![0.10, 0.11, 0.09, 0.10, 0.12, 0.08, 0.10, 0.60];
        assert_eq!(outliers(&x, 0.001), [7]);
        x.remove(0);
        assert_eq!(outliers(&x, 0.001), [0_usize; 0]);
    }

    #[test]
    fn at_most_a_tenth_is_set_aside_and_the_farthest_first() {
        let mut x = vec![0.0; 20];
        (x[3], x[4], x[5]) = (1.0, 3.0, -2.0);
        assert_eq!(outliers(&x, 0.001), [4, 5]);
    }

    #[test]
    fn the_floor_keeps_equal_values_from_making_outliers_of_their_neighbours() {
        let mut x = vec![0.1; 10];
        x[9] = 0.1001;
        assert_eq!(outliers(&x, 0.001), [0_usize; 0]);
    }
}
