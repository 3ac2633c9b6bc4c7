//! docs/suite.md says what the code measures: its tables are made from the workloads.
//!
//! `TOLLGATE_UPDATE_DOCS=1 cargo test --test suite_doc` writes them anew.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- made from the code: TOLLGATE_UPDATE_DOCS=1 cargo test --test suite_doc -->\n";
const END: &str = "<!-- end of what is made from the code -->\n";

#[test]
fn the_tables_of_the_suite_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/suite.md");
    let text = fs::read_to_string(&path).expect("docs/suite.md");
    let (before, rest) = text.split_once(BEGIN).expect("docs/suite.md has the mark where the tables begin");
    let (written, after) = rest.split_once(END).expect("docs/suite.md has the mark where the tables end");
    let made = format!("\n{}\n", tollgate::report::suite_markdown());
    if std::env::var_os("TOLLGATE_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).expect("written");
        return;
    }
    assert!(
        written == made,
        "docs/suite.md is not what the code measures; TOLLGATE_UPDATE_DOCS=1 cargo test --test suite_doc writes it anew"
    );
}
