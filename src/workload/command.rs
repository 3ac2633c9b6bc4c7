//! Commands as data, and what they are aimed at.

/// A command as data. In its arguments, `{data}` stands for the data directory, `{host}`, `{port}` and `{port2}` for
/// the server's address as the command sees it, `{slice}` for the number (two digits, from 00) of the slice that this
/// round works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTemplate {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Killed after so many seconds.
    pub timeout_s: u32,
}

/// Values for the placeholders of a [`CommandTemplate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The data directory.
    pub data: String,
    /// The server's host as the command sees it.
    pub host: String,
    /// The server's port as the command sees it.
    pub port: u16,
    /// Its second port, where it has one.
    pub port2: u16,
    /// Which slice.
    pub slice: u32,
}

impl CommandTemplate {
    /// From borrowed arguments.
    pub fn new(argv: &[&str], timeout_s: u32) -> Self {
        Self { argv: argv.iter().map(|a| (*a).to_owned()).collect(), timeout_s }
    }

    /// A built-in workload of the agent, which is in every environment: `tollgate-agent bench ARGS...`.
    pub fn agent(args: &[&str], timeout_s: u32) -> Self {
        Self::new(&[&["/usr/local/bin/tollgate-agent", "bench"], args].concat(), timeout_s)
    }

    /// The arguments with the placeholders filled in.
    pub fn fill(&self, target: &Target) -> Vec<String> {
        self.argv
            .iter()
            .map(|arg| {
                arg.replace("{data}", &target.data)
                    .replace("{host}", &target.host)
                    .replace("{port}", &target.port.to_string())
                    .replace("{port2}", &target.port2.to_string())
                    .replace("{slice}", &format!("{:02}", target.slice))
            })
            .collect()
    }
}

/// A program that must be up in the environment while a case runs. Cases that name equal servers share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Name, unique among servers: `redis`.
    pub name: &'static str,
    /// Run one after another in the environment before it is started: to make its data directory.
    pub before: Vec<CommandTemplate>,
    /// What to start; `{host}` and `{port}` are where it shall listen. Ready when that accepts a TCP connection.
    pub command: CommandTemplate,
    /// Whether it listens on a second port, `{port2}`.
    pub second_port: bool,
}
