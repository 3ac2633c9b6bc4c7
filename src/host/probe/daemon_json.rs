//! The engine's options as one comparable line that may be published.

use serde_json::{Map, Value};

const HIDDEN: &str = "***";

/// Compact JSON with sorted keys and everything that looks like a secret replaced by `***`.
pub(super) fn normalised(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => normalise(value).to_string(),
        // dockerd would not start with it; the text itself could hold anything.
        Err(_) if text.trim().is_empty() => "{}".to_owned(),
        Err(_) => "not valid JSON".to_owned(),
    }
}

fn normalise(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let entries = entries.into_iter().map(|(key, value)| {
                let value = if is_secret(&key) { Value::from(HIDDEN) } else { normalise(value) };
                (key, value)
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(normalise).collect(),
        Value::String(text) => Value::from(redact(&text)),
        other => other,
    }
}

/// Whether a key or option's name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "apikey",
        "api-key",
        "api_key",
        "private-key",
    ];
    let name = name.to_ascii_lowercase();
    name == "auth"
        || name.ends_with("-auth")
        || name.ends_with("-key")
        || WORDS.iter().any(|w| name.contains(w))
}

/// Hides the user of an URL or proxy address, an URL's query, and the value of `token=...`.
fn redact(text: &str) -> String {
    if let Some((name, _)) = text.split_once('=')
        && !name.contains("://")
        && is_secret(name)
    {
        return format!("{name}={HIDDEN}");
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    // A password may hold an unescaped slash or question mark: the last '@' ends it. Without a scheme,
    // `name@sha256:...` is not an address; `user:password@host` is.
    let host = match rest.rsplit_once('@') {
        Some((user, host)) if scheme.is_some() || user.contains(':') => format!("{HIDDEN}@{host}"),
        _ => rest.to_owned(),
    };
    match scheme {
        Some(scheme) => match host.split_once('?') {
            Some((address, _)) => format!("{scheme}://{address}?{HIDDEN}"),
            None => format!("{scheme}://{host}"),
        },
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_space_do_not_matter() {
        let a = normalised("{\"storage-driver\": \"overlay2\",\n \"features\": {\"b\": true, \"a\": 1}}");
        let b = normalised("{\"features\":{\"a\":1,\"b\":true},\"storage-driver\":\"overlay2\"}");
        assert_eq!(a, b);
        assert_eq!(a, r#"{"features":{"a":1,"b":true},"storage-driver":"overlay2"}"#);
    }

    #[test]
    fn secrets_are_hidden() {
        let text = r#"{
            "proxies": {"http-proxy": "http://jane:hunter2@proxy:3128", "https-proxy": "jane:hunter2@proxy:3128",
                        "no-proxy": "localhost,.example.org"},
            "log-opts": {"splunk-token": "hunter2", "max-size": "10m", "splunk-url": "https://s/x?key=hunter2"},
            "registry-mirrors": ["https://a:hunter2@mirror/", "https://mirror/"],
            "labels": ["api_token=hunter2", "disk=nvme"],
            "cluster-store-opts": {"kv.keyfile": "/path"},
            "default-runtime": "runc"
        }"#;
        let out = normalised(text);
        assert!(!out.contains("hunter2") && !out.contains("jane"), "{out}");
        for kept in ["http://***@proxy:3128", "localhost,.example.org", "10m", "https://mirror/", "disk=nvme"]
        {
            assert!(out.contains(kept), "{kept}: {out}");
        }
    }

    #[test]
    fn an_image_digest_is_not_a_password() {
        assert_eq!(redact("image@sha256:abc"), "image@sha256:abc");
    }

    #[test]
    fn garbage_is_not_repeated() {
        assert_eq!(normalised("{password: hunter2"), "not valid JSON");
        assert_eq!(normalised(" \n"), "{}");
    }
}
