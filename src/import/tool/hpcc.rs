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

    #[test]
    fn the_summary_counts_and_what_was_not_run_does_not() {
        let text = "Begin of Summary section.\nSuccess=1\nHPL_Tflops=0.0583\nStarSTREAM_Triad=25.1\nMPIRandomAccess_GUPs=-1\nEnd of Summary section.\n";
        let found = read(text).expect("read");
        assert_eq!(found.len(), 2);
        assert!((found[0].value - 58.3).abs() < 1e-9 && found[0].unit == "GFLOPS");
        let cut = text.replace("End of Summary section.\n", "");
        assert!(read(&cut).is_err_and(|w| w.line == 4 && w.why.contains("breaks off")));
        let captured = include_str!("../../../tests/fixtures/tool_output/hpcc-1.5.0-n800x10.txt");
        assert!(!read(captured).expect("whole").is_empty());
        assert!(read("Success=0\n").is_err());
        assert!(read("HPL_Tflops=x\n").is_err_and(|w| w.line == 1));
    }
}
