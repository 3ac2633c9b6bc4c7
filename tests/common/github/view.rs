//! What is there now, for assertions: copies, taken under the lock.

use super::{
    FakeGitHub, REPO,
    log::Request,
    state::{Check, Comment, Dispatch, Item, Repo, Run, Status},
};

impl FakeGitHub {
    fn repo<T>(&self, look: impl FnOnce(&Repo) -> T) -> T {
        look(&self.world().repos[REPO])
    }

    /// All issues by number, without pull requests.
    pub fn issues(&self) -> Vec<Item> {
        self.repo(|r| r.items.values().filter(|i| i.pull.is_none()).cloned().collect())
    }

    pub fn open_issues(&self) -> Vec<Item> {
        self.issues().into_iter().filter(|i| i.open).collect()
    }

    /// An issue or a pull request.
    pub fn issue(&self, number: u64) -> Item {
        self.repo(|r| r.items.get(&number).unwrap_or_else(|| panic!("there is no issue {number}")).clone())
    }

    pub fn pulls(&self) -> Vec<Item> {
        self.repo(|r| r.items.values().filter(|i| i.pull.is_some()).cloned().collect())
    }

    /// Comments of an issue or a pull request, the oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.repo(|r| r.comments_of(number).cloned().collect())
    }

    pub fn labels(&self) -> Vec<String> {
        self.repo(|r| r.labels.iter().map(|l| l.name.clone()).collect())
    }

    /// All check runs, the oldest first.
    pub fn checks(&self) -> Vec<Check> {
        self.repo(|r| r.checks.values().cloned().collect())
    }

    pub fn statuses(&self) -> Vec<Status> {
        self.repo(|r| r.statuses.clone())
    }

    pub fn dispatches(&self) -> Vec<Dispatch> {
        self.repo(|r| r.dispatches.clone())
    }

    /// The commit that a branch, a tag or a full reference names.
    pub fn sha(&self, name: &str) -> Option<String> {
        self.repo(|r| r.resolve(name).map(|c| c.sha.clone()))
    }

    /// A file of a branch as text.
    pub fn file(&self, branch: &str, path: &str) -> Option<String> {
        self.repo(|r| r.resolve(branch)?.files.get(path).map(|b| String::from_utf8_lossy(b).into_owned()))
    }

    /// Every request so far, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.world().log.clone()
    }

    /// Requests that were not reads.
    pub fn writes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_write).collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.world().log.clear();
    }

    /// Adds a completed run of a workflow for a commit, with artifacts of these names; gives its number.
    pub fn add_run(&self, workflow: &str, event: &str, branch: &str, artifacts: &[&str]) -> u64 {
        let mut world = self.world();
        let (id, now) = (world.id(), world.now());
        let artifacts: Vec<_> =
            artifacts.iter().map(|name| (world.id(), (*name).to_owned(), 1_000)).collect();
        let repo = world.repos.get_mut(REPO).expect("the repository");
        let head_sha = repo.resolve(branch).expect("the branch").sha.clone();
        let run = Run {
            id,
            workflow: workflow.into(),
            event: event.into(),
            head_branch: branch.into(),
            head_sha,
            conclusion: "success".into(),
            created: now,
            artifacts,
        };
        repo.runs.insert(id, run);
        id
    }
}
