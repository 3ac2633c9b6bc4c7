//! hpcc: the lines `Name=value` of the summary at the end of `hpccoutf.txt`.

use super::{Wrong, lines};
use crate::import::Reading;
use crate::import::reading::{number, reading};
use crate::model::Better;

/// Name in the summary, and what it is here: workload, case, metric, unit, factor.
const KNOWN: [(&str, [&str; 4], f64); 11] = [
    ("HPL_Tflops", ["linpack", "hpcc", "gflops", "GFLOPS"], 1e3),
    ("StarSTREAM_Copy", ["stream", "hpcc-star", "copy", "GB/s"], 1.0),
    ("StarSTREAM_Scale", ["stream", "hpcc-star", "scale", "GB/s"], 1.0),
    ("StarSTREAM_Add", ["stream", "hpcc-star", "add", "GB/s"], 1.0),
    ("StarSTREAM_Triad", ["stream", "hpcc-star", "triad", "GB/s"], 1.0),
    ("SingleSTREAM_Copy", ["stream", "hpcc-single", "copy", "GB/s"], 1.0),
    ("SingleSTREAM_Scale", ["stream", "hpcc-single", "scale", "GB/s"], 1.0),
    ("SingleSTREAM_Add", ["stream", "hpcc-single", "add", "GB/s"], 1.0),
    ("SingleSTREAM_Triad", ["stream", "hpcc-single", "triad", "GB/s"], 1.0),
    ("SingleRandomAccess_GUPs", ["randomaccess", "hpcc-single", "gups", "GUP/s"], 1.0),
    ("MPIRandomAccess_GUPs", ["randomaccess", "hpcc-mpi", "gups", "GUP/s"], 1.0),
];

/// The summary's last line; without it hpcc did not end, or somebody cut its output.
const END: &str = "End of Summary section.";

pub(super) fn read(text: &str) -> Result<Vec<Reading>, Wrong> {
    let mut found: Vec<Reading> = Vec::new();
    let mut whole = false;
    for (line, text) in lines(text) {
        whole |= text.trim() == END;
        let Some((name, value)) = text.trim().split_once('=') else { continue };
        if name == "Success" && value.trim() == "0" {
            return Err(Wrong::at(line, "hpcc says that it did not succeed"));
        }
        let Some((_, [workload, case, metric, unit], factor)) =
            KNOWN.iter().find(|(known, ..)| *known == name)
        else {
            continue;
        };
        let number = number(value).ok_or_else(|| Wrong::number(line, value))?;
        // A part that was not run is written as a number below zero.
        if number > 0.0 {
            found.push(reading((line, workload, case), metric, (unit, Better::Higher), number * factor));
        }
    }
    match found.last() {
        Some(last) if !whole => {
            Err(Wrong::at(last.line, format!("the summary breaks off after it: no `{END}`")))
        }
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str =
        include_str!("../../../tests/fixtures/tool_output/hpcc-1.5.0-n400-two-processes.txt");

    #[test]
    fn every_part_of_a_run_is_read_from_its_summary() {
        let found = read(CAPTURED).expect("read");
        let rows: Vec<String> =
            found.iter().map(|r| format!("{}/{}/{} {:.6}", r.workload, r.case, r.metric, r.value)).collect();
        let wanted = [
            "linpack/hpcc/gflops 17.738300",
            "randomaccess/hpcc-mpi/gups 0.001745",
            "randomaccess/hpcc-single/gups 0.677527",
            "stream/hpcc-star/copy 56.630700",
            "stream/hpcc-star/scale 34.906000",
            "stream/hpcc-star/add 32.116400",
            "stream/hpcc-star/triad 34.123400",
            "stream/hpcc-single/copy 81.578600",
            "stream/hpcc-single/scale 50.402400",
            "stream/hpcc-single/add 54.364900",
            "stream/hpcc-single/triad 55.884000",
        ];
        assert_eq!(rows, wanted);
        assert_eq!((found[0].unit.as_str(), found[1].unit.as_str()), ("GFLOPS", "GUP/s"));
        let alone = include_str!("../../../tests/fixtures/tool_output/hpcc-1.5.0-n800x10.txt");
        assert_eq!(read(alone).map(|found| found.len()), Ok(wanted.len()));
    }

    #[test]
    fn what_was_not_run_does_not_count_and_a_cut_summary_is_none() {
        let skipped = CAPTURED.replace("\nMPIRandomAccess_GUPs=0.00174526\n", "\nMPIRandomAccess_GUPs=-1\n");
        assert_eq!(read(&skipped).map(|found| found.len()), Ok(10));
        let cut = CAPTURED.split_once("FFT_N=").expect("there").0;
        let last = cut.lines().count();
        assert!(read(cut).is_err_and(|w| w.line == last && w.why.contains("breaks off")));
        let failed = CAPTURED.replace("\nSuccess=1\n", "\nSuccess=0\n");
        assert!(read(&failed).is_err_and(|w| w.why.contains("did not succeed")));
        assert!(read("HPL_Tflops=x\n").is_err_and(|w| w.line == 1));
    }
}
