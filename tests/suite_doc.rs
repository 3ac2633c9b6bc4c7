//! docs/suite.md says what the code measures: its tables are made from the workloads, its example is one of them.
//!
//! `TOLLGATE_UPDATE_DOCS=1 cargo test --test suite_doc` writes both anew.

use std::fs;
use std::path::Path;

const TABLES: [&str; 2] = [
    "<!-- made from the code: TOLLGATE_UPDATE_DOCS=1 cargo test --test suite_doc -->\n",
    "<!-- end of what is made from the code -->\n",
];
const EXAMPLE: [&str; 2] = ["<!-- src/workload/randomaccess.rs -->\n", "<!-- end of the example -->\n"];

/// The text with what is between the marks replaced.
fn with(text: &str, [begin, end]: [&str; 2], made: &str) -> String {
    let (before, rest) =
        text.split_once(begin).unwrap_or_else(|| panic!("docs/suite.md has no mark {begin}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("docs/suite.md has no mark {end}"));
    format!("{before}{begin}{made}{end}{after}")
}

#[test]
fn the_tables_and_the_example_of_the_suite_are_those_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/suite.md");
    let text = fs::read_to_string(&path).expect("docs/suite.md");
    let example = fs::read_to_string(root.join("src/workload/randomaccess.rs")).expect("the example");
    let made = with(&text, TABLES, &format!("\n{}\n", tollgate::report::suite_markdown()));
    let made = with(&made, EXAMPLE, &format!("```rust\n{example}```\n"));
    if std::env::var_os("TOLLGATE_UPDATE_DOCS").is_some() {
        fs::write(&path, made).expect("written");
        return;
    }
    assert!(
        text == made,
        "docs/suite.md is not what the code measures; TOLLGATE_UPDATE_DOCS=1 cargo test --test suite_doc writes it anew"
    );
}
