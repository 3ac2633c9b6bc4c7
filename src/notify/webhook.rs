//! Webhooks: a JSON document sent to a URL, signed when there is a key; generic receivers and Slack's alike.
//!
//! `X-Tollgate-Delivery` is the same for each attempt of one delivery, so that receivers drop what they have;
//! `X-Tollgate-Signature-256` is `sha256=` and the hexadecimal HMAC-SHA256 of `<X-Tollgate-Timestamp>.<body>`.

use super::github::Limits;
use super::github::transport::chain;
use super::pace::{Backoff, Clock};
use super::secret::Secret;
use crate::model::hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Url, redirect};
use sha2::Sha256;
use std::{sync::Arc, time::Duration};

/// A receiver.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Name of its route, for messages.
    pub name: String,
    /// Where to. Slack's URLs are their own passwords, so all are kept as secrets.
    pub url: Secret,
    /// Key of the signature.
    pub key: Option<Secret>,
}

/// A delivery was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The settings are wrong; nothing was sent.
    #[error("webhook {name}: {reason}")]
    Settings {
        /// The route.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The receiver said no.
    #[error("webhook {name}: {host} refused the delivery with {status}; check its URL and what it accepts")]
    Refused {
        /// The route.
        name: String,
        /// Host of the URL; its path may be a secret.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// It did not answer usefully.
    #[error("webhook {name}: {host} did not take the delivery in {attempts} attempts: {cause}")]
    Failed {
        /// The route.
        name: String,
        /// Host of the URL.
        host: String,
        /// How often it was sent.
        attempts: u32,
        /// The last failure.
        cause: String,
    },
}

impl WebhookError {
    /// Whether the receiver will never take this document: what a person repairs in settings does not count.
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 413 | 415 | 422, .. })
    }
}

/// What one attempt came to.
enum Outcome {
    Accepted,
    Refused(u16),
    Again { cause: String, wait: Option<Duration> },
}

/// Sends to webhooks.
#[derive(Debug)]
pub struct Sender {
    http: reqwest::Client,
    limits: Limits,
    backoff: Backoff,
    clock: Arc<dyn Clock>,
}

impl Sender {
    /// Errors when no root certificates can be read.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, WebhookError> {
        // reqwest takes the process' default; when there is one already, it is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.request_timeout)
            // A redirect would hand the document and its signature to another.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| WebhookError::Settings { name: "all".to_owned(), reason: chain(&e) })?;
        let backoff = Backoff::new(limits.first_wait, limits.longest_wait, limits.seed);
        Ok(Self { http, limits, backoff, clock })
    }

    /// Sends `body`, a JSON document, until it is accepted, refused, or the attempts are over. Lost connections, 408,
    /// 429 and 5xx are repeated with the same `delivery`.
    pub async fn send(&self, hook: &Webhook, body: &[u8], delivery: &str) -> Result<(), WebhookError> {
        let settings =
            |reason: &str| WebhookError::Settings { name: hook.name.clone(), reason: reason.to_owned() };
        let url = Url::parse(hook.url.expose()).map_err(|_| settings("its URL is none"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(settings("its URL does not begin with https://"));
        }
        if delivery.is_empty() || !delivery.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(settings("the delivery has no proper id"));
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (cause, wait) = match self.attempt(hook, &url, body, delivery).await {
                Outcome::Accepted => return Ok(()),
                Outcome::Refused(status) => {
                    return Err(WebhookError::Refused { name: hook.name.clone(), host, status });
                }
                Outcome::Again { cause, wait } => (cause, wait),
            };
            let wait = wait.unwrap_or_else(|| self.backoff.after(attempt));
            if attempt >= self.limits.attempts || wait > self.limits.rate_limit_wait {
                return Err(WebhookError::Failed { name: hook.name.clone(), host, attempts: attempt, cause });
            }
            self.clock.sleep(wait).await;
        }
    }

    async fn attempt(&self, hook: &Webhook, url: &Url, body: &[u8], delivery: &str) -> Outcome {
        let timestamp = self.clock.now().timestamp().to_string();
        let mut request = self
            .http
            .post(url.clone())
            .header("content-type", "application/json")
            .header("x-tollgate-delivery", delivery)
            .header("x-tollgate-timestamp", &timestamp);
        if let Some(key) = &hook.key {
            request = request.header("x-tollgate-signature-256", signature(key, &timestamp, body));
        }
        let response = match request.body(body.to_vec()).send().await {
            Ok(response) => response,
            Err(error) => {
                let cause = hidden(hook, url, &chain(&error.without_url()));
                return Outcome::Again { cause, wait: None };
            }
        };
        match response.status().as_u16() {
            200..=299 => Outcome::Accepted,
            status @ (408 | 429 | 500..=599) => {
                let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let wait = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                Outcome::Again { cause: format!("status {status}"), wait }
            }
            status => Outcome::Refused(status),
        }
    }
}

/// Whatever a library says, the URL's secret parts and the key are not in it.
fn hidden(hook: &Webhook, url: &Url, text: &str) -> String {
    let text = hook.key.iter().fold(hook.url.hide(text), |text, key| key.hide(&text));
    let parts = [url.path(), url.query().unwrap_or_default(), url.password().unwrap_or_default()];
    let parts = parts.into_iter().filter(|part| part.len() > 1);
    parts.fold(text, |text, part| Secret::new(part).hide(&text))
}

/// `sha256=<hex>` of the HMAC over `timestamp.body`.
pub fn signature(key: &Secret, timestamp: &str, body: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("sha256={}", hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_openssl() {
        // printf '1800000000.{"a":1}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature(&Secret::new("key"), "1800000000", br#"{"a":1}"#),
            "sha256=7330c9cf7d886970cbebbbb5494c04d2aeff06a990adb7d7a75abfeb0159d291"
        );
    }
}
