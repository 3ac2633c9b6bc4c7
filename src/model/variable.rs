//! Names of environment variables.

/// Whether a variable of this name may hold a secret, or belongs to a CI job: no program that is started on the host, and
/// nothing that is measured, gets it.
pub fn is_private(name: &str) -> bool {
    let name = name.to_uppercase();
    let prefixes = ["GITHUB_", "ACTIONS_", "RUNNER_"];
    let words = [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "CREDENTIAL",
        "PRIVATE_KEY",
        "API_KEY",
        "ACCESS_KEY",
        "WEBHOOK",
    ];
    prefixes.iter().any(|p| name.starts_with(p)) || words.iter().any(|w| name.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_private() {
        for name in [
            "GITHUB_TOKEN",
            "TOLLGATE_GITHUB_TOKEN",
            "ACTIONS_RUNTIME_URL",
            "Db_Password",
            "AWS_SECRET_ACCESS_KEY",
            "OPS_WEBHOOK_URL",
        ] {
            assert!(is_private(name), "{name}");
        }
        assert!(!is_private("PATH") && !is_private("http_proxy") && !is_private("HOME"));
    }
}
