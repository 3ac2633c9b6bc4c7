//! People who use the repository beside the client under test. What they do costs no limits and meets no faults.

use super::{
    FakeGitHub, REPO,
    endpoints::{close, label_item, new_item, reopen, unlabel_item},
    state::{Author, Comment, Pull, Repo, World},
};
use std::collections::BTreeMap;

/// Why a person closes an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Completed,
    NotPlanned,
    Duplicate,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NotPlanned => "not_planned",
            Self::Duplicate => "duplicate",
        }
    }
}

/// Acts in one repository under a login.
pub struct Person<'a> {
    fake: &'a FakeGitHub,
    author: Author,
    repo: String,
}

impl FakeGitHub {
    /// Somebody with write access to [`REPO`].
    pub fn person(&self, login: &str) -> Person<'_> {
        let person = self.stranger(login);
        person.with(|repo| {
            if !repo.collaborators.iter().any(|c| c == login) {
                repo.collaborators.push(login.to_owned());
            }
        });
        person
    }

    /// Somebody who may only read, open issues and comment.
    pub fn stranger(&self, login: &str) -> Person<'_> {
        let author = Author { login: login.to_owned(), app: None };
        Person { fake: self, author, repo: REPO.to_owned() }
    }
}

impl Person<'_> {
    fn with<T>(&self, act: impl FnOnce(&mut Repo) -> T) -> T {
        act(self.fake.world().repos.get_mut(&self.repo).expect("the repository"))
    }

    fn may_write(&self) {
        let known = self.with(|repo| repo.association(&self.author.login) != "NONE");
        assert!(known, "{} is a stranger, and GitHub does not let strangers do that", self.author.login);
    }

    /// Opens an issue and gives its number. A stranger's labels are dropped, as GitHub does.
    pub fn open_issue(&self, title: &str, body: &str, labels: &[&str]) -> u64 {
        self.open(&mut self.fake.world(), title, body, labels)
    }

    /// Opens many issues under one lock; `write` gives title and body of each.
    pub fn open_issues(&self, count: usize, labels: &[&str], write: impl Fn(usize) -> (String, String)) {
        let mut world = self.fake.world();
        for n in 0..count {
            let (title, body) = write(n);
            self.open(&mut world, &title, &body, labels);
        }
    }

    fn open(&self, world: &mut World, title: &str, body: &str, labels: &[&str]) -> u64 {
        let number =
            new_item(world, &self.repo, self.author.clone(), title.to_owned(), Some(body.to_owned()));
        if world.repos[&self.repo].association(&self.author.login) != "NONE" {
            for label in labels {
                label_item(world, &self.repo, number, label, &self.author);
            }
        }
        number
    }

    /// Comments on an issue or a pull request and gives the comment's id.
    pub fn comment(&self, number: u64, body: &str) -> u64 {
        let (id, now) = {
            let mut world = self.fake.world();
            (world.id(), world.now())
        };
        self.with(|repo| {
            repo.items.get_mut(&number).expect("the issue").updated = now;
            let author = self.author.clone();
            let comment =
                Comment { id, issue: number, author, body: body.to_owned(), created: now, updated: now };
            repo.comments.insert(id, comment);
        });
        id
    }

    /// Edits a comment, also somebody else's: the author stays.
    pub fn edit_comment(&self, id: u64, body: &str) {
        self.may_write();
        let now = self.fake.world().now();
        self.with(|repo| {
            let comment = repo.comments.get_mut(&id).expect("the comment");
            (comment.body, comment.updated) = (body.to_owned(), now);
        });
    }

    pub fn delete_comment(&self, id: u64) {
        self.may_write();
        self.with(|repo| repo.comments.remove(&id).expect("the comment"));
    }

    /// Edits the text of an issue, also somebody else's: the author stays.
    pub fn edit_issue(&self, number: u64, body: &str) {
        self.may_write();
        let now = self.fake.world().now();
        self.with(|repo| {
            let item = repo.items.get_mut(&number).expect("the issue");
            (item.body, item.updated) = (Some(body.to_owned()), now);
        });
    }

    pub fn label(&self, number: u64, label: &str) {
        self.may_write();
        label_item(&mut self.fake.world(), &self.repo, number, label, &self.author);
    }

    pub fn unlabel(&self, number: u64, label: &str) {
        self.may_write();
        unlabel_item(&mut self.fake.world(), &self.repo, number, label, &self.author);
    }

    pub fn close(&self, number: u64, reason: Reason) {
        self.may_write();
        close(&mut self.fake.world(), &self.repo, number, Some(reason.word()), &self.author);
    }

    pub fn reopen(&self, number: u64) {
        self.may_write();
        reopen(&mut self.fake.world(), &self.repo, number, &self.author);
    }

    /// Commits files to a branch, which begins at `main` when it is new, and gives the commit.
    pub fn push(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> String {
        self.may_write();
        let now = self.fake.world().now();
        self.with(|repo| push(repo, branch, message, &self.author.login, now, files))
    }

    /// Opens a pull request to `main`: from a branch of the repository, or of the person's fork when a stranger does it.
    pub fn open_pull(&self, branch: &str, title: &str, files: &[(&str, &str)]) -> u64 {
        let fork = self.with(|repo| repo.association(&self.author.login) == "NONE");
        let now = self.fake.world().now();
        // What a fork holds is reached through refs/pull only.
        let name = if fork { format!("fork-of-{}/{branch}", self.author.login) } else { branch.to_owned() };
        let head_sha = self.with(|repo| push(repo, &name, title, &self.author.login, now, files));
        let mut world = self.fake.world();
        let number = new_item(&mut world, &self.repo, self.author.clone(), title.to_owned(), None);
        let repo = world.repos.get_mut(&self.repo).expect("the repository");
        if fork {
            repo.refs.remove(&format!("refs/heads/{name}"));
        }
        repo.refs.insert(format!("refs/pull/{number}/head"), head_sha.clone());
        let item = repo.items.get_mut(&number).expect("just made");
        item.pull = Some(Pull {
            head: branch.to_owned(),
            fork: fork.then(|| self.author.login.clone()),
            head_sha,
            base: "main".into(),
            draft: false,
        });
        number
    }
}

fn push(
    repo: &mut Repo,
    branch: &str,
    message: &str,
    author: &str,
    now: super::state::Time,
    files: &[(&str, &str)],
) -> String {
    let name = format!("refs/heads/{branch}");
    let parent = repo.refs.get(&name).or_else(|| repo.refs.get("refs/heads/main")).expect("main").clone();
    let mut tree: BTreeMap<_, _> = repo.commits[&parent].files.clone();
    tree.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    let sha = repo.commit(Some(&parent), message, author, now, tree);
    repo.refs.insert(name, sha.clone());
    sha
}
