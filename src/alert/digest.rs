//! Short names for long texts.

use crate::model::hex;
use sha2::{Digest, Sha256};

/// The first `bytes` bytes of the SHA-256 of a text, as lower-case hexadecimal digits.
pub fn digest(text: impl AsRef<[u8]>, bytes: usize) -> String {
    let hash = Sha256::digest(text);
    hex(&hash[..bytes.min(hash.len())])
}
