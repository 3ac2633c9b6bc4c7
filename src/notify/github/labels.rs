//! Labels, made when they are missing and otherwise left as people set them.

use super::client::Client;
use super::error::{GithubError, WriteError, within};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// Longest description of a label, characters.
const DESCRIPTION: usize = 100;
/// Longest name of a label, characters.
const NAME: usize = 50;

/// A label of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its name; GitHub ignores case.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// At most 100 characters.
    pub description: String,
}

#[derive(Deserialize)]
struct Present {
    name: String,
}

/// Makes the missing ones; returns their names. Colour and description of those that are there stay.
pub async fn ensure(client: &Client, labels: &[Label]) -> Result<Vec<String>, GithubError> {
    for label in labels {
        within("the name of a label", &label.name, NAME)?;
        within("the description of a label", &label.description, DESCRIPTION)?;
    }
    let path = client.repo("labels");
    let mut made = Vec::new();
    let step = async || {
        let present: Vec<Present> = client.get_all(&path, &[], 100).await?;
        for label in labels {
            if present.iter().any(|p| p.name.to_lowercase() == label.name.to_lowercase()) {
                continue;
            }
            match client.write(Method::POST, &path, label).await {
                Ok(_) => made.push(label.name.clone()),
                // Another runner was faster.
                Err(WriteError::Refused(refusal)) if refusal.has_code("already_exists") => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    client.settle(step).await?;
    Ok(made)
}
