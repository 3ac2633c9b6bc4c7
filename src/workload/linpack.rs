//! linpack: HPL out of HPC Challenge, the study's table of LINPACK. Dense floating point on all CPUs.
//!
//! hpcc solves the same small system several times in one run; the rate is that of all but the first. It cannot
//! leave out its other parts, so that most of a run is not measured; with small systems they are short. The BLAS is
//! `OpenBLAS` with threads, since the study used a tuned one on all cores, and it chooses its kernels by what the CPU
//! says of itself: a guest whose CPU model hides vector units pays for it here. A trial that ran on another BLAS
//! is an error.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Size, Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Linpack;

const TOOL: &str = "hpcc";

/// Writes `hpccinf.txt` for `$2` solutions of order `$1`, runs hpcc in one process and prints its report, after a
/// line that says which BLAS it is linked to. Isolated as a singleton, Open MPI starts no daemon; with `self` and
/// `ob1` it looks for no network (0.1 s instead of 5.5 s, most of it waiting for a name server).
const SCRIPT: &str = r#"
set -e
blas=$(ldd "$(command -v hpcc)" | sed -n 's/.*libblas[^ ]* => \([^ ]*\).*/\1/p')
echo "blas: $(readlink -f "$blas")"
mkdir -p /tmp/linpack
cd /tmp/linpack
rm -f hpccoutf.txt
ns=$(yes "$1" | head -n "$2" | tr '\n' ' ')
cat > hpccinf.txt <<END
HPLinpack benchmark input file
for tollgate
HPL.out output file name
8 device out
$2 number of problem sizes
$ns
1 number of block sizes
80
0 row-major process mapping
1 number of process grids
1 P
1 Q
16.0 threshold
1 number of panel factorisations
2 right
1 number of stopping criteria
4
1 number of panels in the recursion
2
1 number of recursive factorisations
1 Crout
1 number of broadcasts
1 1rM
1 number of lookahead depths
1
2 mixed swapping
64 swapping threshold
0 L1 transposed
0 U transposed
1 equilibration
8 alignment in doubles
0 more problem sizes for PTRANS
0
0 more block sizes for PTRANS
0
END
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_btl=self OMPI_MCA_pml=ob1
hpcc
cat hpccoutf.txt
"#;

const EMULATED: &str = "an emulator computes floating point in software: one trial takes minutes";

impl Workload for Linpack {
    fn name(&self) -> &'static str {
        "linpack"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["hpcc", "libopenblas0-pthread"]
    }

    fn cases(&self, Size { profile, memory_mib }: Size) -> Vec<Case> {
        match profile {
            Profile::Smoke => vec![case(profile, (800, 10), gflops(), parse::<10>, 0.9)],
            Profile::Standard => vec![case(profile, (1000, 10), gflops(), parse::<10>, 1.1)],
            Profile::Full => {
                let order = order_of(memory_mib);
                // The work grows with the third power of the order; 7,000 take two minutes on two cores.
                let trial_s = 120.0 * (f64::from(order) / 7000.0).powi(3);
                vec![case(profile, (order, 3), cross_checked(), parse_full, trial_s)]
            }
        }
    }
}

/// The order, in hundreds, of a system that takes 40 % of the memory: 8 bytes an element.
fn order_of(memory_mib: u32) -> u32 {
    let elements = f64::from(memory_mib) * 1024.0 * 1024.0 * 0.4 / 8.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the root of a u32's bytes")]
    let hundreds = (elements.sqrt() / 100.0) as u32;
    hundreds.max(1) * 100
}

fn case(
    profile: Profile,
    (order, times): (u32, u32),
    metrics: Vec<MetricSpec>,
    parse: fn(&CommandReport<'_>) -> Values,
    trial_s: f64,
) -> Case {
    let argv = ["sh", "-c", SCRIPT, TOOL, &order.to_string(), &times.to_string()];
    Case {
        workload: "linpack",
        name: format!("hpl-n{order}"),
        metrics,
        environments: Places::of(profile, &["docker", "kvm"]).runtimes().tuned().all(),
        prepare: Vec::new(),
        server: None,
        trial: Trial::Command(CommandTrial {
            placement: Placement::Inside,
            command: CommandTemplate::new(&argv, if profile == Profile::Full { 3600 } else { 60 }),
            parse,
        }),
        slices: 1,
        share: 0.5,
        trial_s,
        emulation: Emulation::LeftOut(EMULATED),
    }
}

fn gflops() -> Vec<MetricSpec> {
    vec![metric(
        "gflops",
        "GFLOPS",
        Family::Cpu,
        "floating point operations per second of HPL's solutions, without the first (HPC Challenge; OpenBLAS, all CPUs): \
         Docker cost nothing in the study, a tuned guest 2 %, an untuned one 17 % (RC25482, table I)",
    )]
}

fn cross_checked() -> Vec<MetricSpec> {
    let mut metrics = gflops();
    metrics.push(metric(
        "triad",
        "GB/s",
        Family::Memory,
        "bandwidth of a = b + s*c out of the same run (HPC Challenge, StarSTREAM_Triad): checks the workload stream \
         with an independent program",
    ));
    metrics.push(metric(
        "updates",
        "GUPS",
        Family::Memory,
        "random updates of memory out of the same run (HPC Challenge, MPIRandomAccess_GUPs): checks the workload \
         randomaccess with an independent program",
    ));
    metrics
}

fn metric(metric: &'static str, unit: &'static str, family: Family, about: &'static str) -> MetricSpec {
    MetricSpec {
        metric,
        unit,
        better: Better::Higher,
        family,
        resolution: 0.0,
        scale: Scale::Ratio,
        tail: false,
        about,
    }
}

fn parse<const TIMES: usize>(report: &CommandReport<'_>) -> Values {
    let stdout = &report.result.stdout;
    blas(stdout)?;
    Ok(vec![rate(stdout, TIMES)?])
}

fn parse_full(report: &CommandReport<'_>) -> Values {
    let stdout = &report.result.stdout;
    let mut values = parse::<3>(report)?;
    values.push(summary(stdout, "StarSTREAM_Triad")?);
    values.push(summary(stdout, "MPIRandomAccess_GUPs")?);
    Ok(values)
}

fn none(stdout: &str, why: impl Into<String>) -> ParseError {
    ParseError::new(TOOL, None, stdout, why)
}

fn blas(stdout: &str) -> Result<(), ParseError> {
    let first = stdout.lines().next().unwrap_or_default();
    let path = first.strip_prefix("blas: ").ok_or_else(|| none(stdout, "expected a line \"blas: PATH\""))?;
    if path.contains("openblas") {
        return Ok(());
    }
    Err(ParseError::new(
        TOOL,
        Some(1),
        first,
        "expected OpenBLAS; is libopenblas0-pthread in the bench image?",
    ))
}

/// The rate of all solutions but the first, which warms up, GFLOPS. They are of one order, so that the rate of all
/// together is the harmonic mean of theirs.
fn rate(stdout: &str, times: usize) -> Result<f64, ParseError> {
    let mut order = None;
    let mut seconds_per_gflop = Vec::new();
    for (index, line) in stdout.lines().enumerate().filter(|(_, l)| l.starts_with("WR")) {
        let bad = |why: &str| ParseError::new(TOOL, Some(index + 1), line, why);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, n, _, _, _, _, gflops] = fields[..] else {
            return Err(bad("expected T/V, N, NB, P, Q, Time and Gflops"));
        };
        if *order.get_or_insert(n) != n {
            return Err(bad("expected systems of one order"));
        }
        match gflops.parse::<f64>() {
            Ok(g) if g > 0.0 && g.is_finite() => seconds_per_gflop.push(1.0 / g),
            _ => return Err(bad("expected a rate above 0 in the last column")),
        }
    }
    let passed = stdout
        .lines()
        .find_map(|l| l.trim().strip_suffix(" tests completed and passed residual checks,"))
        .and_then(|n| n.trim().parse::<usize>().ok());
    if seconds_per_gflop.len() != times || passed != Some(times) {
        let (found, passed) = (seconds_per_gflop.len(), passed.unwrap_or(0));
        let why = format!(
            "expected {times} solutions that pass their check, found {found}, of which {passed} pass"
        );
        return Err(none(stdout, why));
    }
    let warm = &seconds_per_gflop[1..];
    Ok(warm.len() as f64 / warm.iter().sum::<f64>())
}

/// A number of the summary at the report's end: `StarSTREAM_Triad=55.8581`.
fn summary(stdout: &str, name: &str) -> Result<f64, ParseError> {
    let found =
        stdout.lines().enumerate().find(|(_, l)| l.strip_prefix(name).is_some_and(|r| r.starts_with('=')));
    let (index, line) = found.ok_or_else(|| none(stdout, format!("expected a line {name}=")))?;
    match line[name.len() + 1..].parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(ParseError::new(TOOL, Some(index + 1), line, "expected a number above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    const REPORT: &str = captured!("hpcc-1.5.0-n800x10.txt");

    #[test]
    fn captured_output_gives_the_rate_of_all_warm_solutions() {
        let rate = rate(REPORT, 10).expect("a rate");
        // Nine between 45.18 and 50.72; the first, cold one has 29.22.
        assert!((48.5..49.5).contains(&rate), "{rate}");
        assert!(blas(REPORT).is_ok());
        assert!(summary(REPORT, "StarSTREAM_Triad").expect("triad") > 1.0);
        assert!(summary(REPORT, "MPIRandomAccess_GUPs").expect("updates") > 0.001);
    }

    #[test]
    fn another_blas_is_an_error() {
        let reference = REPORT.replace("openblas-pthread", "blas");
        assert!(blas(&reference).expect_err("reference").to_string().contains("libopenblas0-pthread"));
        assert!(blas("").is_err());
    }

    #[test]
    fn another_order_a_failed_check_and_cut_output_are_errors() {
        let other = REPORT.replacen("WR11C2R4         800", "WR11C2R4        1000", 1);
        assert_ne!(other, REPORT);
        assert!(rate(&other, 10).expect_err("order").to_string().contains("one order"));
        assert_eq!([order_of(1024), order_of(8192)], [7300, 20700]);
        assert!(rate(REPORT, 20).is_err());
        let failed = REPORT.replace(
            "10 tests completed and passed residual checks,",
            "9 tests completed and passed residual checks,",
        );
        assert_ne!(failed, REPORT);
        assert!(rate(&failed, 10).expect_err("failed").to_string().contains("9 pass"));
        let cut = REPORT.find("HPL section").map(|at| &REPORT[..at]).expect("a section");
        assert!(rate(cut, 10).is_err() && summary(cut, "HPL_Tflops").is_err());
        let damaged = REPORT.replace("5.007e+01", "0.000e+00");
        assert!(rate(&damaged, 10).expect_err("zero").to_string().contains("above 0"));
    }
}
