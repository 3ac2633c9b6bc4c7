//! Short names for long texts.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The first `bytes` bytes of the SHA-256 of a text, as lower-case hexadecimal digits.
pub fn digest(text: impl AsRef<[u8]>, bytes: usize) -> String {
    let hash = Sha256::digest(text);
    hash.iter().take(bytes).fold(String::with_capacity(bytes * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
