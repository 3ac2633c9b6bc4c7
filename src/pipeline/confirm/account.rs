//! How the budget went, in words. Pure.

use super::decide::{Block, Stop};
use crate::report::number::{count, duration};

/// A block that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// As it was decided.
    pub block: Block,
    /// Seconds that its sweeps took.
    pub wall_s: f64,
}

/// The account of a gate: its budget, its sweeps, and what stays open.
pub fn account(budget_s: f64, first_s: f64, done: &[Done], stop: &Stop) -> String {
    let budget =
        if budget_s > 0.0 { format!("{} budget", duration(budget_s)) } else { "no budget".to_owned() };
    let mut parts = vec![format!("{budget}: first sweep {}", rough(first_s))];
    parts.extend(done.iter().map(|d| format!("{} {}", of_block(&d.block), rough(d.wall_s))));
    format!("{}; {}", parts.join(", "), of_end(done.last(), stop))
}

/// What will be done, before it is.
pub fn announcement(block: &Block, done: usize, budget_s: f64) -> String {
    let after = if done == 0 { "first sweep" } else { "first block of fresh sweeps" };
    let open = cells(block.open, "open");
    let about = about(block.estimate_s);
    if block.whole {
        return format!(
            "{after}: whole environments moved at once, repeating the whole suite in 2 fresh sweeps, about {about}"
        );
    }
    if block.left_out == 0 {
        let them = if block.open == 1 { "it" } else { "them" };
        return format!("{after}: {open}, confirming with 2 fresh sweeps of {them}, about {about}");
    }
    format!(
        "{after}: {open}, confirming with 2 fresh sweeps of {} of them, about {about}; {} not fit the budget of {}",
        block.cells.len(),
        if block.left_out == 1 { "1 does".to_owned() } else { format!("{} do", block.left_out) },
        duration(budget_s)
    )
}

/// The account of a finished sweep that was to confirm another.
pub fn of_part() -> String {
    "this finished an interrupted sweep of chosen cells, which is judged alone; \
     `tollgate judge FIRST FRESH FRESH` judges it with the sweep that it was to confirm"
        .to_owned()
}

/// `2 fresh sweeps of 9 of 31 open cells`.
fn of_block(block: &Block) -> String {
    if block.whole {
        return "2 fresh sweeps of the whole suite (whole environments had moved at once)".to_owned();
    }
    if block.left_out == 0 {
        return format!("2 fresh sweeps of {}", count(block.open, "open cell"));
    }
    format!("2 fresh sweeps of {} of {}", block.cells.len(), count(block.open, "open cell"))
}

fn of_end(last: Option<&Done>, stop: &Stop) -> String {
    let left_out = last.map(|d| (d.block.left_out, d.block.short_s)).filter(|(n, _)| *n > 0);
    match (stop, left_out) {
        (Stop::NothingOpen, _) => "no cell is left that fresh sweeps could decide".to_owned(),
        (Stop::Off { open }, _) => {
            format!("{} not confirmed, as a budget of 0 asks", are(&cells(*open, "open"), *open))
        }
        (Stop::Enough { .. }, Some((n, short_s))) => {
            format!(
                "{} did not fit and {} open ({} about {} more)",
                cells(n, "inconclusive"),
                stay(n),
                if n == 1 { "it needs" } else { "they need" },
                about(short_s)
            )
        }
        (Stop::Enough { open }, None) => format!("{} {} open", count(*open, "cell"), stay(*open)),
        (Stop::NoRoom { open, suspected, whole, short_s }, _) => {
            let which = if *whole {
                "the whole suite, which moved at once,".to_owned()
            } else if *suspected > 0 {
                cells(*suspected, "suspected")
            } else {
                "a single one of them".to_owned()
            };
            let fresh = if last.is_some() { "2 more fresh sweeps" } else { "2 fresh sweeps" };
            format!(
                "{} not confirmed: {fresh} of {which} do not fit (they need about {} more)",
                are(&cells(*open, "open"), *open),
                about(*short_s)
            )
        }
    }
}

/// `9 open cells`.
fn cells(n: usize, which: &str) -> String {
    count(n, &format!("{which} cell"))
}

fn are(what: &str, n: usize) -> String {
    format!("{what} {}", if n == 1 { "is" } else { "are" })
}

fn stay(n: usize) -> &'static str {
    if n == 1 { "stays" } else { "stay" }
}

/// A measured time, in whole seconds.
fn rough(seconds: f64) -> String {
    let seconds = seconds.round().max(1.0);
    if seconds < 60.0 { format!("{seconds} s") } else { duration(seconds) }
}

/// An estimate: nobody plans in seconds of a quarter of an hour.
fn about(seconds: f64) -> String {
    rough(if seconds < 120.0 { seconds } else { (seconds / 60.0).ceil() * 60.0 })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::cell;
    use super::*;

    fn block(run: usize, open: usize) -> Block {
        Block {
            cells: (0..run).map(|i| cell(&format!("c{i}"), "docker")).collect(),
            whole: false,
            open,
            estimate_s: 185.2,
            left_out: open - run,
            short_s: if run < open { 421.0 } else { 0.0 },
        }
    }

    fn done(block: Block) -> Done {
        Done { block, wall_s: 182.0 }
    }

    #[test]
    fn accounts_say_what_was_done_and_what_stays_open() {
        let all = [
            account(900.0, 250.3, &[done(block(9, 31))], &Stop::Enough { open: 24 }),
            account(900.0, 250.3, &[done(block(9, 10))], &Stop::Enough { open: 1 }),
            account(900.0, 250.3, &[done(block(9, 9))], &Stop::Enough { open: 2 }),
            account(900.0, 250.3, &[done(block(1, 1))], &Stop::NothingOpen),
            account(900.0, 250.3, &[done(block(9, 9)), done(block(2, 2))], &Stop::NothingOpen),
            account(900.0, 250.3, &[done(Block { whole: true, ..block(9, 9) })], &Stop::NothingOpen),
            account(900.0, 850.0, &[], &Stop::NoRoom { open: 31, suspected: 2, whole: false, short_s: 61.0 }),
            account(900.0, 850.0, &[], &Stop::NoRoom { open: 1, suspected: 0, whole: false, short_s: 61.0 }),
            account(
                900.0,
                500.0,
                &[done(block(9, 9))],
                &Stop::NoRoom { open: 3, suspected: 1, whole: true, short_s: 20.0 },
            ),
            account(0.0, 250.3, &[], &Stop::Off { open: 31 }),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn announcements_say_what_comes_and_how_long_it_takes() {
        let whole = Block { whole: true, ..block(9, 9) };
        let all = [
            announcement(&block(9, 9), 0, 900.0),
            announcement(&block(1, 1), 0, 900.0),
            announcement(&block(9, 31), 0, 900.0),
            announcement(&block(1, 2), 1, 900.0),
            announcement(&whole, 0, 900.0),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
