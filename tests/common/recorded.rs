//! Recorded sweeps for tests of what comes after measuring: real cells and proofs of an example baseline, with values that
//! scatter by half a percent around its medians, so that what changes is what the test changes.
#![allow(dead_code, reason = "each test file uses a part of it")]

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLE: &str = "baselines/amd-epyc-2c-24g/smoke/20261123T205047Z-dfb0c3.json";
const WORKLOADS: [&str; 3] = ["rr", "redis", "fio"];
/// A configuration whose smoke profile is what is recorded.
pub const PROFILE: &str = "[profile.smoke]\nworkloads = [\"rr\", \"redis\", \"fio\"]\n";

/// What distinguishes a sweep.
#[derive(Clone, Copy)]
pub struct Recorded<'a> {
    /// Hours since the first; also the seed of its scatter.
    pub hour: u32,
    /// Version of Docker's engine.
    pub engine: &'a str,
    /// How much slower request and response over TCP are in docker+nat, as a factor.
    pub nat: f64,
}

/// The program in `dir`, with its state there and without the variables of a job that this test may be part of.
pub fn tollgate(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GITHUB_")) {
        command.env_remove(name);
    }
    command.arg("--state").arg(dir.join("state")).current_dir(dir);
    command
}

pub fn id(hour: u32) -> String {
    format!("202611{:02}T{:02}0000Z-{hour:06x}", 24 + hour / 24, hour % 24)
}

fn median(values: &[Value]) -> f64 {
    let mut numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

impl Recorded<'_> {
    /// The sweep as it is stored.
    pub fn sweep(self) -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
        let mut sweep: Value =
            serde_json::from_str(&fs::read_to_string(path).expect("the example")).expect("JSON");
        let mut rng = ChaCha8Rng::seed_from_u64(self.hour.into());
        let mut scatter = move || 1.0 + 0.01 * (rng.random::<f64>() - 0.5);
        let known = |v: &Value| WORKLOADS.iter().any(|w| v["workload"] == *w);
        for part in ["series", "cells"] {
            sweep[part].as_array_mut().expect("a list").retain(known);
        }
        for series in sweep["series"].as_array_mut().expect("a list") {
            let is_slow = series["environment"] == "docker+nat"
                && series["workload"] == "rr"
                && series["case"] == "tcp";
            let higher = series["better"] == "higher";
            let factor = if is_slow { self.nat } else { 1.0 };
            let factor = if higher { 1.0 / factor } else { factor };
            let values = series["values"].as_array_mut().expect("values");
            let middle = median(values) * factor;
            for value in values {
                *value = json!(middle * scatter());
            }
        }
        let (id, object) = (id(self.hour), sweep.as_object_mut().expect("an object"));
        let at = format!("2026-11-{:02}T{:02}:00:00Z", 24 + self.hour / 24, self.hour % 24);
        object.insert("sweep".into(), json!(id));
        object.insert("started_at".into(), json!(at));
        object.insert("finished_at".into(), json!(at));
        object.remove("accepted");
        sweep["fingerprint"]["components"]["docker-engine"] = json!(self.engine);
        sweep
    }

    /// Writes it as a file of `dir`.
    pub fn write(self, dir: &Path) -> PathBuf {
        fs::create_dir_all(dir).expect("made");
        let path = dir.join(format!("{}.json", id(self.hour)));
        fs::write(&path, self.sweep().to_string()).expect("written");
        path
    }

    /// Writes it as a baseline of `baselines`.
    pub fn accept(self, baselines: &Path) {
        let mut sweep = self.sweep();
        sweep["accepted"] = json!({ "at": sweep["finished_at"], "by": "gate", "reason": "a test" });
        let class = sweep["host_class"].as_str().expect("a name").to_owned();
        let dir = baselines.join(class).join("smoke");
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join(format!("{}.json", id(self.hour))), sweep.to_string()).expect("written");
    }
}
