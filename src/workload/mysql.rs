//! mysql: `MariaDB` under sysbench's OLTP, the study's last part. A whole database: network, locks, log, disk.
//!
//! The data directory is on the environment's data filesystem and each commit is synced to it: `InnoDB`'s safe default
//! (`innodb_flush_log_at_trx_commit=1`) stays. The client is in a network namespace of its own. A trial is a fixed
//! number of transactions; the threads connect before its clock starts.

use super::{
    Case, CommandReport, CommandTemplate, CommandTrial, Emulation, ParseError, Placement, Places, Profile,
    Server, Size, Trial, Values, Workload,
};
use crate::model::{Better, Family, MetricSpec, Scale};

/// The workload.
#[derive(Debug)]
pub struct Mysql;

const TOOL: &str = "sysbench";

/// Makes the data directory `$0/mysql`, and the statements that make the client's account. Nothing is synced while
/// it is made; the harness writes everything back before the first trial. Forced, since an environment need not be
/// able to look up its own name.
const INSTALL: &str = r#"
set -e
rm -rf "$0/mysql"
mkdir -p "$0/mysql"
mariadb-install-db --no-defaults --user=root --datadir="$0/mysql" --auth-root-authentication-method=normal \
    --force --skip-test-db --skip-name-resolve --innodb-flush-method=nosync --innodb-log-file-size=32M
cat > "$0/mysql-account.sql" <<END
CREATE DATABASE IF NOT EXISTS sbtest;
CREATE USER IF NOT EXISTS sbtest@'%' IDENTIFIED BY 'sbtest';
GRANT ALL ON sbtest.* TO sbtest@'%';
END
"#;

const EMULATED: &str = "an emulator takes from 4 to 12 s for what takes 0.3 to 0.6 s natively";

/// What differs between the profiles.
struct Shape {
    rows: &'static str,
    /// `InnoDB`'s buffer pool: the database fits in where memory is scarce.
    pool_mib: u32,
    timeout_s: u32,
}

impl Workload for Mysql {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["mariadb-server", "sysbench"]
    }

    fn cases(&self, size: Size) -> Vec<Case> {
        match size.profile {
            Profile::Smoke => {
                vec![case(size, Oltp::ReadOnly, 4, Some(500)), case(size, Oltp::ReadWrite, 4, Some(300))]
            }
            Profile::Standard => {
                vec![case(size, Oltp::ReadOnly, 4, Some(800)), case(size, Oltp::ReadWrite, 4, Some(500))]
            }
            // The study's numbers of threads.
            Profile::Full => {
                let threads = [10, 50, 100, 200, 290];
                let both = |t| [case(size, Oltp::ReadOnly, t, None), case(size, Oltp::ReadWrite, t, None)];
                threads.into_iter().flat_map(both).collect()
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Oltp {
    ReadOnly,
    ReadWrite,
}

/// With `events` transactions, or for a minute.
fn case(size: Size, oltp: Oltp, threads: u32, events: Option<u32>) -> Case {
    let profile = size.profile;
    let shape = match profile {
        Profile::Full => Shape { rows: "2000000", pool_mib: size.memory_mib / 2, timeout_s: 1800 },
        _ => Shape { rows: "20000", pool_mib: 128, timeout_s: 120 },
    };
    let (name, script) = match oltp {
        Oltp::ReadOnly => ("read-only", "oltp_read_only"),
        Oltp::ReadWrite => ("read-write", "oltp_read_write"),
    };
    let threads_option = format!("--threads={threads}");
    let length = match events {
        Some(events) => [format!("--events={events}"), "--time=0".to_owned()],
        None => ["--events=0".to_owned(), "--time=60".to_owned()],
    };
    let trial = [&threads_option, &length[0], &length[1], "--percentile=95", "--rand-seed=1{slice}", script];
    Case {
        workload: "mysql",
        name: format!("{name}-t{threads}"),
        metrics: metrics(),
        environments: Places::of(profile, &["docker", "docker+nat", "docker+layer", "kvm"])
            .drivers()
            .tuned()
            .all(),
        prepare: vec![sysbench(&shape, &["oltp_read_write", "prepare"])],
        server: Some(server(&shape)),
        trial: Trial::Command(CommandTrial {
            placement: Placement::Client,
            command: sysbench(&shape, &[&trial[..], &["run"]].concat()),
            parse,
        }),
        slices: 64,
        share: if profile == Profile::Smoke { 1.0 } else { 0.5 },
        trial_s: match profile {
            Profile::Smoke => 0.4,
            Profile::Standard => 0.7,
            Profile::Full => 61.0,
        },
        emulation: Emulation::LeftOut(EMULATED),
    }
}

fn server(shape: &Shape) -> Server {
    let pool = format!("--innodb-buffer-pool-size={}M", shape.pool_mib);
    let argv = [
        "mariadbd",
        "--no-defaults",
        "--user=root",
        "--datadir={data}/mysql",
        "--init-file={data}/mysql-account.sql",
        "--socket=/tmp/mysql.sock",
        "--pid-file=/tmp/mysql.pid",
        "--tmpdir=/tmp",
        "--bind-address={host}",
        "--port={port}",
        // Else it looks up the name of each client, which a host without a name server answers after seconds.
        "--skip-name-resolve",
        "--max-connections=400",
        "--innodb-log-file-size=32M",
        &pool,
    ];
    Server {
        name: "mysql",
        before: vec![CommandTemplate::new(&["sh", "-c", INSTALL, "{data}"], 120)],
        command: CommandTemplate::new(&argv, 600),
        second_port: false,
    }
}

fn sysbench(shape: &Shape, words: &[&str]) -> CommandTemplate {
    let rows = format!("--table-size={}", shape.rows);
    let mut argv = vec![TOOL, "--db-driver=mysql", "--mysql-host={host}", "--mysql-port={port}"];
    argv.extend(["--mysql-user=sbtest", "--mysql-password=sbtest", "--mysql-db=sbtest", "--tables=1", &rows]);
    argv.extend(words);
    CommandTemplate::new(&argv, shape.timeout_s)
}

fn metrics() -> Vec<MetricSpec> {
    let metric = |metric, unit, better, resolution, about| MetricSpec {
        metric,
        unit,
        better,
        family: Family::Database,
        resolution,
        scale: Scale::Ratio,
        tail: metric == "p95",
        about,
    };
    vec![
        metric(
            "transactions",
            "1/s",
            Better::Higher,
            0.0,
            "committed transactions per second (sysbench): host networking and a volume cost 1 to 13 % in the study, \
             NAT with AUFS 6 to 24 %, KVM 40 to 63 % (RC25482, section on MySQL)",
        ),
        metric(
            "p95",
            "ms",
            Better::Lower,
            // Buckets of its histogram are 1.8 % wide; a transaction takes 4 ms or more.
            0.07,
            "95th percentile of a transaction's time (sysbench): the study's latency, which rose before \
             throughput fell",
        ),
    ]
}

fn parse(report: &CommandReport<'_>) -> Values {
    read(&report.result.stdout)
}

fn read(stdout: &str) -> Values {
    let (count, rate) = counted(stdout, "transactions:")?;
    let (ignored, _) = counted(stdout, "ignored errors:")?;
    if ignored > count / 2.0 {
        let why =
            format!("{ignored} errors for {count} transactions: too many were retried to speak of a rate");
        return Err(ParseError::new(TOOL, None, stdout, why));
    }
    let (index, line, text) = field(stdout, "95th percentile:")?;
    match text.parse::<f64>() {
        Ok(p95) if p95 > 0.0 => Ok(vec![rate, p95]),
        _ => Err(ParseError::new(TOOL, Some(index + 1), line, "expected milliseconds above 0")),
    }
}

/// Number of the line from 0, the line, and what stands behind the key.
fn field<'a>(stdout: &'a str, key: &str) -> Result<(usize, &'a str, &'a str), ParseError> {
    let mut lines = stdout.lines().enumerate();
    let found = lines.find_map(|(i, line)| Some((i, line, line.trim().strip_prefix(key)?.trim())));
    // What went wrong stands in a line of its own.
    let excerpt = stdout.lines().find(|l| l.contains("FATAL")).unwrap_or(stdout);
    found.ok_or_else(|| ParseError::new(TOOL, None, excerpt, format!("expected a line \"{key}\"")))
}

/// A count and its rate, from `transactions:   500    (1381.46 per sec.)`.
fn counted(stdout: &str, key: &str) -> Result<(f64, f64), ParseError> {
    let (index, line, text) = field(stdout, key)?;
    let numbers = text.strip_suffix(" per sec.)").and_then(|t| t.split_once('('));
    let parsed = numbers.and_then(|(n, rate)| Some((n.trim().parse().ok()?, rate.parse().ok()?)));
    parsed.ok_or_else(|| {
        ParseError::new(TOOL, Some(index + 1), line, "expected a count and, in brackets, its rate per sec.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::captured;

    #[test]
    fn captured_output_gives_rate_and_latency() {
        let text = captured!("sysbench-1.0.20-read-only.txt");
        assert_eq!(read(text).expect("read-only"), [1391.43, 5.28]);
        assert_eq!(read(captured!("sysbench-1.0.20-read-write.txt")).expect("read-write"), [760.59, 13.95]);
    }

    #[test]
    fn no_server_no_table_and_damaged_numbers_are_errors() {
        let refused = read(captured!("sysbench-1.0.20-refused.txt")).expect_err("refused");
        assert!(refused.to_string().contains("unable to connect"), "{refused}");
        assert!(read(captured!("sysbench-1.0.20-no-table.txt")).is_err());
        let whole = captured!("sysbench-1.0.20-read-only.txt");
        assert!(read(&whole.replace(" per sec.", "")).expect_err("damaged").line.is_some());
        assert!(read(&whole.replace("95th percentile:", "99th percentile:")).is_err());
        assert!(read("").is_err());
    }

    #[test]
    fn a_rate_among_errors_is_none() {
        let text = captured!("sysbench-1.0.20-contended.txt");
        assert!(read(text).is_ok(), "some retries are part of the game");
        let worse = text
            .replace("ignored errors:                      33", "ignored errors:                      1133");
        assert_ne!(worse, text);
        assert!(read(&worse).expect_err("errors").to_string().contains("retried"));
    }
}
