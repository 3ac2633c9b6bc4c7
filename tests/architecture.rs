//! The one rule of the source layout: a module imports only lower floors or its own subtree, and the floors
//! below I/O touch neither the clock nor the filesystem nor the network.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the lowest to the highest. A module may import those of a smaller number only, so modules of one
/// number (environment, host, notify, store) never import each other. The tens are the floors of docs/architecture.md.
const FLOORS: &[(&str, u32)] = &[
    ("model", 0),
    ("stats", 10),
    ("workload", 10),
    ("exit", 10),
    ("config", 11),
    ("judge", 20),
    ("samples", 20),
    ("watch", 20),
    ("history", 21),
    ("import", 21),
    ("report", 22),
    ("alert", 23),
    ("actions", 24),
    ("command", 25),
    ("durable", 25),
    ("files", 26),
    ("cgroup", 27),
    ("environment", 30),
    ("host", 30),
    ("notify", 30),
    ("store", 30),
    ("sweep", 40),
    ("wiring", 41),
    ("pipeline", 42),
    ("service", 50),
    ("cli", 51),
];

/// What the floors below 25 must not touch.
const OUTSIDE: [&str; 9] = [
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "std::env::",
    "Utc::now",
    "Instant::now",
    "SystemTime",
    "std::thread",
];

fn floor(module: &str) -> u32 {
    let found = FLOORS.iter().find(|(name, _)| *name == module);
    found
        .unwrap_or_else(|| {
            panic!("module {module} has no floor: give it one here and in docs/architecture.md")
        })
        .1
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Module of a file below `src`, and its code without comments and without its test module.
fn modules() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files
        .into_iter()
        .filter(|p| !["lib.rs", "main.rs"].iter().any(|n| p == &src.join(n)))
        .map(|path| {
            let relative = path.strip_prefix(&src).expect("below src");
            let first =
                relative.components().next().expect("a component").as_os_str().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a source file");
            let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
            let code = code.join("\n");
            (first.trim_end_matches(".rs").to_owned(), relative.to_owned(), code)
        })
        .collect()
}

fn is_test(path: &Path) -> bool {
    let name = path.file_stem().expect("a name").to_string_lossy();
    name == "fixtures" || name.ends_with("tests")
}

/// The first name of each item of a `use` group, which may hold groups itself; `group` begins behind its brace.
fn first_names(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn groups_in_groups_are_read() {
    assert_eq!(
        first_names("model::{A, B}, stats::{x::{y}}, z}; more"),
        ["model::{A, B}", " stats::{x::{y}}", " z"]
    );
}

/// Code before the first test module.
fn production(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod tests").next().unwrap_or(code)
}

#[test]
fn no_module_imports_a_higher_floor_or_a_sibling() {
    let mut upward = Vec::new();
    for (module, path, code) in modules() {
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            // `use crate::{a, b::c}` names several.
            let named: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => first_names(group),
                None => vec![rest],
            };
            for name in named {
                let target: String =
                    name.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if target.is_empty()
                    || target == module
                    || !target.starts_with(|c: char| c.is_ascii_lowercase())
                {
                    continue;
                }
                if floor(&target) >= floor(&module) {
                    upward.push(format!("{}: {module} imports {target}", path.display()));
                }
            }
        }
    }
    assert!(upward.is_empty(), "upward edges:\n{}", upward.join("\n"));
}

#[test]
fn the_floors_below_io_touch_nothing_outside() {
    let mut touching = Vec::new();
    for (module, path, code) in modules() {
        if floor(&module) >= 25 || is_test(&path) {
            continue;
        }
        for word in OUTSIDE {
            if production(&code).contains(word) {
                touching.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(touching.is_empty(), "I/O on a pure floor:\n{}", touching.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let silent: Vec<_> = files
        .iter()
        .filter(|p| !is_test(p))
        .filter(|p| !fs::read_to_string(p).expect("a source file").starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no //! line: {silent:?}");
}
