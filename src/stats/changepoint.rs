//! Where the mean of a series changed: PELT (Killick, Fearnhead and Eckley 2012, "Optimal Detection of Changepoints with a
//! Linear Computational Cost"). It only locates; whether there is a change at all, a test must have said before.

use super::robust;

/// Fewest values of a segment: one or two bad ones in a row are no new level.
pub const MIN_SEGMENT: usize = 3;

/// A value farther than so many standard deviations from the median of its neighbours counts as this far.
const WINSOR: f64 = 2.0;

/// Values on either side whose median a value is held against.
const NEIGHBOURS: usize = 2;

/// What a change must gain, in units of the noise's variance: `4 ln n (1 + 10/n)`. A change costs two parameters, its place
/// and a mean, which is 2 ln n by the criterion of Schwarz (Yao 1988, "Estimating the Number of Change-Points via Schwarz'
/// Criterion"). Twice that, because a wrong place is worse than none; the last factor pays for the noise of few values,
/// which is estimated from the same values. Pure noise has a change in 2 % of series of 20 values, 0.5 % of 50, hardly any
/// of 200 (test `noise_has_hardly_any`).
fn penalty(n: usize) -> f64 {
    let n = n as f64;
    4.0 * n.ln() * (1.0 + 10.0 / n)
}

/// Standard deviation of the noise, in the values' unit: `1.4826 MAD(x_{i+1} - x_i) / √2`. Differences of neighbours do not
/// know levels, and the MAD not the few differences over a change (Rousseeuw and Croux 1993). 0 of fewer than two.
fn noise(values: &[f64]) -> f64 {
    let differences: Vec<f64> = values.windows(2).map(|w| w[1] - w[0]).collect();
    robust::mad(&differences).unwrap_or(0.0) * robust::MAD_TO_SD / std::f64::consts::SQRT_2
}

/// The positions at which a new level begins, in order; none of fewer than six numbers, or when one level explains all.
///
/// Minimises the sum over segments of Σ(x - x̄)²/σ² + 4 ln n (1 + 10/n), segments of at least [`MIN_SEGMENT`] values,
/// exactly. σ is `1.4826 MAD(x_{i+1} - x_i) / √2`, at least `floor`, the smallest standard deviation believed, in the values'
/// unit; without noise and without floor, and where squares are beyond numbers, nothing can be said. Values that lie more
/// than 2 σ from the median of five around them count as 2 σ away (Hampel 1974, "The Influence Curve and Its Role in
/// Robust Estimation"), so that one outlier is no level. Values that are not finite are left out; positions are those in
/// `values`.
pub fn change_points(values: &[f64], floor: f64) -> Vec<usize> {
    let places: Vec<usize> = (0..values.len()).filter(|i| values[*i].is_finite()).collect();
    let mut numbers: Vec<f64> = places.iter().map(|i| values[*i]).collect();
    let sigma = noise(&numbers).max(floor);
    if numbers.len() < 2 * MIN_SEGMENT || sigma <= 0.0 || !sigma.is_finite() {
        return Vec::new();
    }
    winsorise(&mut numbers, WINSOR * sigma);
    // Near zero and in units of the noise the prefix sums of squares keep their digits.
    let centre = robust::median(&numbers).unwrap_or(0.0);
    for x in &mut numbers {
        *x = (*x - centre) / sigma;
    }
    segment(&numbers, MIN_SEGMENT, penalty(numbers.len())).into_iter().map(|at| places[at]).collect()
}

/// Moves values that are farther than `reach` from the median of their neighbourhood (themselves included, cut off at
/// the ends) to that distance. A step stays where it is: a running median keeps edges.
fn winsorise(values: &mut [f64], reach: f64) {
    let original = values.to_vec();
    for (i, x) in values.iter_mut().enumerate() {
        let end = (i + NEIGHBOURS + 1).min(original.len());
        let around = &original[i.saturating_sub(NEIGHBOURS)..end];
        let mut sorted = [f64::INFINITY; 2 * NEIGHBOURS + 1];
        sorted[..around.len()].copy_from_slice(around);
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = f64::midpoint(sorted[(around.len() - 1) / 2], sorted[around.len() / 2]);
        *x = x.clamp(middle - reach, middle + reach);
    }
}

/// Prefix sums, and what PELT knows of each beginning of a last segment.
struct Pelt {
    /// Sum of the first i values.
    sum: Vec<f64>,
    /// Sum of their squares.
    squares: Vec<f64>,
    /// F(i) - sum of squares: F(i) is the least cost of the first i values, with the penalty of each segment but the
    /// first; infinite where no segments fit.
    open: Vec<f64>,
    /// 1/(n - i): the slice from n - t holds the inverse lengths of the segments that end at t, by their beginning.
    inverse: Vec<f64>,
}

impl Pelt {
    fn new(values: &[f64]) -> Self {
        let n = values.len();
        let (mut sum, mut squares) = (vec![0.0; n + 1], vec![0.0; n + 1]);
        for (i, x) in values.iter().enumerate() {
            sum[i + 1] = sum[i] + x;
            squares[i + 1] = squares[i] + x * x;
        }
        let inverse = (0..n).map(|i| 1.0 / (n - i) as f64).collect();
        Self { sum, squares, open: vec![f64::INFINITY; n + 1], inverse }
    }

    /// F(s) + C(s, t), less the sum of the first t squares.
    fn at(&self, s: usize, t: usize) -> f64 {
        let n = self.inverse.len();
        self.open[s] - (self.sum[t] - self.sum[s]).powi(2) * self.inverse[n - t + s]
    }

    /// The least of [`Self::at`] over `from ≤ s ≤ last`. Eight running minima, since a processor compares several numbers
    /// at once but may not reorder the comparisons of one.
    fn least(&self, from: usize, last: usize, t: usize) -> f64 {
        const LANES: usize = 8;
        let (total, shift) = (self.sum[t], self.inverse.len() - t);
        let open = self.open[from..=last].chunks_exact(LANES);
        let sum = self.sum[from..=last].chunks_exact(LANES);
        let inverse = self.inverse[shift + from..=shift + last].chunks_exact(LANES);
        let done = last + 1 - open.remainder().len();
        let mut lanes = [f64::INFINITY; LANES];
        for ((open, sum), inverse) in open.zip(sum).zip(inverse) {
            for lane in 0..LANES {
                let part = total - sum[lane];
                let cost = open[lane] - part * part * inverse[lane];
                lanes[lane] = if cost < lanes[lane] { cost } else { lanes[lane] };
            }
        }
        let rest = (done..=last).map(|s| self.at(s, t));
        lanes.into_iter().chain(rest).fold(f64::INFINITY, f64::min)
    }
}

/// The optimal partition into segments of at least `fewest` values (1 or more), each change at the price of `penalty`, the
/// cost of a segment Σ(x - x̄)². Positions at which segments begin, the first left out.
///
/// A beginning s with F(s) + C(s, t) ≥ F(t) can be forgotten for ends from t + `fewest` on, where t is a beginning itself
/// that does as well (Killick et al., theorem 3.1, with K = 0). Only beginnings before all others are forgotten: so the
/// others lie side by side in memory, which gains more than forgetting a few of them would.
fn segment(values: &[f64], fewest: usize, penalty: f64) -> Vec<usize> {
    let n = values.len();
    if n < 2 * fewest {
        return Vec::new();
    }
    let mut pelt = Pelt::new(values);
    if !pelt.squares[n].is_finite() {
        return Vec::new();
    }
    pelt.open[0] = -penalty;
    // Beginnings before forgotten[t] do worse than t, wherever the segment ends that t could begin.
    let mut forgotten = vec![0; n + 1];
    for t in fewest..=n {
        let first = forgotten[t - fewest];
        pelt.open[t] = pelt.least(first, t - fewest, t) + penalty;
        let mut s = forgotten[t - 1];
        while s < t && pelt.at(s, t) >= pelt.open[t] {
            s += 1;
        }
        forgotten[t] = s;
    }
    let mut changes = Vec::new();
    let mut end = n;
    while let Some(begin) = (0..=end - fewest).min_by(|a, b| pelt.at(*a, end).total_cmp(&pelt.at(*b, end))) {
        if begin == 0 {
            break;
        }
        changes.push(begin);
        end = begin;
    }
    changes.reverse();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const FLOOR: f64 = 0.001;

    fn noise_of(seed: u64, n: usize, sd: f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|_| {
                let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random());
                sd * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
            })
            .collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        for seed in 0..20 {
            let mut values = noise_of(seed, 60, 0.01);
            values[37..].iter_mut().for_each(|x| *x += 0.06);
            assert_eq!(change_points(&values, FLOOR), [37], "{seed}");
        }
    }

    #[test]
    fn up_and_down_again_are_two() {
        let mut values = noise_of(3, 200, 0.01);
        values[80..120].iter_mut().for_each(|x| *x += 0.06);
        assert_eq!(change_points(&values, FLOOR), [80, 120]);
    }

    #[test]
    fn noise_has_hardly_any() {
        for (n, seeds, most) in [(20, 200, 4), (50, 200, 2), (200, 200, 0), (1000, 20, 0)] {
            let found =
                (0..seeds).filter(|seed| !change_points(&noise_of(*seed, n, 0.01), FLOOR).is_empty()).count();
            assert!(found <= most, "{n}: {found} of {seeds}");
        }
    }

    #[test]
    fn one_outlier_is_none_and_three_in_a_row_are() {
        let mut with_any = 0;
        for seed in 0..20 {
            for at in [0, 1, 30, 58, 59] {
                let mut values = noise_of(seed, 60, 0.01);
                values[at] += 0.5;
                let changes = change_points(&values, FLOOR);
                assert!(changes.iter().all(|c| c.abs_diff(at) > MIN_SEGMENT), "{seed} {at}: {changes:?}");
                with_any += usize::from(!changes.is_empty());
            }
        }
        assert!(with_any <= 1, "{with_any} of 100");
        let mut values = noise_of(1, 60, 0.01);
        values[30..33].iter_mut().for_each(|x| *x += 0.5);
        assert_eq!(change_points(&values, FLOOR), [30, 33]);
    }

    #[test]
    fn without_noise_the_floor_says_what_a_step_is() {
        assert_eq!(change_points(&[0.1; 50], FLOOR), [0_usize; 0]);
        let mut values = [0.1; 50];
        values[20..].fill(0.1002);
        assert_eq!(change_points(&values, FLOOR), [0_usize; 0]);
        values[20..].fill(0.11);
        assert_eq!(change_points(&values, FLOOR), [20]);
        assert_eq!(change_points(&values, 0.0), [0_usize; 0], "nothing to hold the step against");
    }

    #[test]
    fn too_few_values_have_none() {
        assert_eq!(change_points(&[], FLOOR), [0_usize; 0]);
        assert_eq!(change_points(&[0.0, 0.0, 9.0, 9.0, 9.0], FLOOR), [0_usize; 0]);
        assert_eq!(change_points(&[0.0, 0.0, 0.0, 9.0, 9.0, 9.0], FLOOR), [3]);
    }

    #[test]
    fn what_is_not_a_number_is_left_out_and_keeps_its_place() {
        let mut values = noise_of(5, 60, 0.01);
        values[30..].iter_mut().for_each(|x| *x += 0.06);
        values[7] = f64::NAN;
        values[30] = f64::INFINITY;
        assert_eq!(change_points(&values, FLOOR), [31]);
        assert_eq!(change_points(&[f64::NAN; 20], FLOOR), [0_usize; 0]);
    }

    /// Cost of the best partition by trying every last segment (Jackson et al. 2005, "An Algorithm for Optimal
    /// Partitioning of Data on an Interval"), sums taken anew each time.
    fn least_cost(values: &[f64], fewest: usize, penalty: f64) -> f64 {
        let mut best = vec![f64::INFINITY; values.len() + 1];
        best[0] = -penalty;
        for t in fewest..=values.len() {
            best[t] = (0..=t - fewest)
                .map(|s| best[s] + squares(&values[s..t]) + penalty)
                .fold(f64::INFINITY, f64::min);
        }
        best[values.len()]
    }

    fn squares(segment: &[f64]) -> f64 {
        let mean = robust::mean(segment).expect("not empty");
        segment.iter().map(|x| (x - mean).powi(2)).sum()
    }

    fn cost_of(values: &[f64], changes: &[usize], penalty: f64) -> f64 {
        let ends = changes.iter().copied().chain([values.len()]);
        let begins = [0].into_iter().chain(changes.iter().copied());
        let segments: f64 = begins.zip(ends).map(|(s, t)| squares(&values[s..t])).sum();
        segments + penalty * changes.len() as f64
    }

    proptest! {
        #[test]
        fn no_partition_is_cheaper(
            levels in prop::collection::vec((-3.0..3.0_f64, 1..9_usize), 1..6),
            jitter in prop::collection::vec(-1.0..1.0_f64, 45),
            fewest in 1..5_usize,
            penalty in 0.1..12.0_f64,
        ) {
            let steps = levels.iter().flat_map(|(level, n)| std::iter::repeat_n(*level, *n));
            let values: Vec<f64> = steps.zip(&jitter).map(|(level, jitter)| level + jitter).collect();
            prop_assume!(values.len() >= fewest);
            let changes = segment(&values, fewest, penalty);
            let ends = changes.iter().copied().chain([values.len()]);
            let begins = [0].into_iter().chain(changes.iter().copied());
            prop_assert!(begins.zip(ends).all(|(s, t)| t - s >= fewest), "{changes:?}");
            let (found, least) = (cost_of(&values, &changes, penalty), least_cost(&values, fewest, penalty));
            prop_assert!((found - least).abs() < 1e-9, "{found} {least} {changes:?}");
        }

        #[test]
        fn nothing_makes_it_panic(values in prop::collection::vec(any::<f64>(), 0..40), floor in any::<f64>()) {
            let changes = change_points(&values, floor);
            prop_assert!(changes.is_sorted() && changes.iter().all(|at| *at > 0 && *at < values.len()));
        }
    }
}
