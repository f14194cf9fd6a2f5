//! A running `mediafs mount` over a temporary library.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::tool::Done;
use super::{config, tool};
use crate::config::Config;
use crate::wait::found;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_mediafs");

/// Long enough for a loaded machine; a healthy start takes a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Mount {
    directory: TempDir,
    daemon: Option<Child>,
    /// Variables of the daemon's environment, in addition to the test's.
    environment: Vec<(&'static str, PathBuf)>,
    /// The program and arguments that start the daemon; none if the test does.
    starter: &'static [&'static str],
}

impl Mount {
    /// Mounts the configuration of most tests. `None`, with a message, without FUSE.
    pub fn start() -> Option<Self> {
        config().mount()
    }

    pub fn with(config: impl AsRef<str>) -> Option<Self> {
        let mut mount = Self::prepared(config)?;
        mount.restart();
        Some(mount)
    }

    /// Prepares a mount that reports its state to the socket `notify` beside the mountpoint.
    pub fn as_service(config: impl AsRef<str>) -> Option<Self> {
        let mut mount = Self::prepared(config)?;
        mount.environment.push(("NOTIFY_SOCKET", mount.beside("notify")));
        Some(mount)
    }

    /// Mounts with these variables in the daemon's environment.
    pub fn within(environment: &[(&'static str, &Path)], config: &Config) -> Option<Self> {
        let mut mount = Self::prepared(config)?;
        mount.environment =
            environment.iter().map(|(name, it)| (*name, it.to_path_buf())).collect();
        mount.restart();
        Some(mount)
    }

    /// Mounts with a daemon that has a pid namespace of its own, and does not see its clients.
    pub fn elsewhere(config: impl AsRef<str>) -> Option<Self> {
        Self::started_by(&["unshare", "--pid", "--fork", "--kill-child"], config)
    }

    /// Mounts with a daemon that may have 1,024 descriptors.
    pub fn with_few_descriptors(config: impl AsRef<str>) -> Option<Self> {
        Self::started_by(&["prlimit", "--nofile=1024:1024"], config)
    }

    fn started_by(starter: &'static [&'static str], config: impl AsRef<str>) -> Option<Self> {
        let mut mount = Self::prepared(config)?;
        mount.starter = starter;
        mount.restart();
        Some(mount)
    }

    /// Prepares everything for a mount, which `restart` starts.
    pub fn prepared(config: impl AsRef<str>) -> Option<Self> {
        if !tool::present("/dev/fuse", Path::new("/dev/fuse").exists()) {
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Temporary directories are closed to other users, who must reach the mountpoint.
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), all).expect("it is ours");
        fs::create_dir(directory.path().join("mnt")).expect("the mountpoint");
        let mount = Self { directory, daemon: None, environment: Vec::new(), starter: &[] };
        mount.configure(config);
        Some(mount)
    }

    /// Writes another configuration, for the next start.
    pub fn configure(&self, config: impl AsRef<str>) {
        fs::write(self.config(), config.as_ref()).expect("the configuration");
    }

    /// Runs another command with the same configuration.
    pub fn command(&self, arguments: &[&str]) -> Done {
        let config = self.config();
        let mut all = vec![OsStr::new("--config"), config.as_os_str()];
        all.extend(arguments.iter().map(OsStr::new));
        tool::run(PROGRAM, &all)
    }

    /// Runs `mediafs gc` with these arguments, and returns what it prints.
    pub fn gc(&self, arguments: &[&str]) -> String {
        let done = self.command(&[&["gc"], arguments].concat());
        done.succeeded();
        done.stdout
    }

    /// Runs `mediafs gc --now`.
    pub fn collect(&self) {
        self.gc(&["--now"]);
    }

    /// Starts the daemon over the same library.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// Starts the daemon with more arguments of `mount`.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        let said = self.launch(arguments).expect("mediafs mounts");
        assert!(said.starts_with("mounted on "), "{said:?}");
    }

    /// Starts the daemon, and returns whether it mounts.
    pub fn try_restart(&mut self) -> bool {
        let mounts = self.launch(&[]).is_some();
        if !mounts {
            self.wait();
        }
        mounts
    }

    /// Starts the daemon, and returns the first line that it prints, if any.
    fn launch(&mut self, arguments: &[&str]) -> Option<String> {
        assert!(self.daemon.is_none(), "the daemon runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the log");
        let mut command = self.mount_command(&[&["-v", "mount"], arguments].concat());
        command.arg(self.mountpoint()).stderr(log);
        let (daemon, line) = start(&mut command);
        self.daemon = Some(daemon);
        line
    }

    /// The program with the configuration, in the environment of the daemon.
    pub fn mount_command(&self, arguments: &[&str]) -> Command {
        let mut all = self.starter.iter().copied().chain([PROGRAM]);
        let mut command = Command::new(all.next().unwrap_or(PROGRAM));
        command.args(all).arg("--config").arg(self.config()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Stops the daemon and starts it again.
    pub fn stop_and_restart(&mut self) {
        self.stop();
        self.restart();
    }

    /// Kills the daemon and starts it again.
    pub fn crash_and_restart(&mut self) {
        self.kill9();
        self.restart();
    }

    /// Kills the daemon as in a crash, and waits for its end. Nothing is flushed or unmounted.
    pub fn kill9(&mut self) {
        self.kill();
        self.reap();
    }

    /// Kills the daemon without waiting for its end.
    pub fn kill(&mut self) {
        self.daemon.as_mut().expect("it runs").kill().expect("killed");
    }

    /// Waits for the end of a killed daemon.
    pub fn reap(&mut self) {
        self.leave().wait().expect("ended");
    }

    /// Gives a killed daemon up without waiting for its end.
    pub fn leave(&mut self) -> Child {
        self.daemon.take().expect("it runs")
    }

    /// Sends the daemon a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        tool::run("kill", &["-s", name, &self.pid().to_string()]).succeeded();
    }

    /// Waits for the daemon's end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut daemon = self.leave();
        found("the daemon ends", || daemon.try_wait().expect("a child"))
    }

    /// Sends SIGTERM and checks that the exit code is 0.
    pub fn stop(&mut self) {
        self.signal("TERM");
        assert_eq!(self.wait().code(), Some(0), "the exit code of the daemon");
    }

    pub fn mountpoint(&self) -> PathBuf {
        self.beside("mnt")
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.mountpoint().join(below)
    }

    /// The directory of row user/42, made if it is missing.
    pub fn row(&self) -> PathBuf {
        self.row_of("42")
    }

    pub fn row_of(&self, id: &str) -> PathBuf {
        let row = self.path("models/user").join(id);
        if !row.exists() {
            fs::create_dir(&row).expect("a row");
        }
        row
    }

    /// Writes bytes to a field of row user/42, and returns its path.
    pub fn attach(&self, field: &str, bytes: &[u8]) -> PathBuf {
        let path = self.row().join(field);
        fs::write(&path, bytes).expect("the file is taken");
        path
    }

    /// A path outside of the tree, beside the mountpoint.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a file outside of the tree.
    pub fn outside(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.beside(name);
        fs::write(&path, bytes).expect("a file outside");
        path
    }

    /// The child processes of the daemon with this role: `worker` or `guard`.
    pub fn children(&self, role: &str) -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("its threads");
        let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children"));
        let listed: Vec<String> = tasks.flatten().filter_map(|task| of(task).ok()).collect();
        let is_one = |pid: &&str| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).nth(1) == Some(role.as_bytes())
        };
        let pids = listed.iter().flat_map(|line| line.split_whitespace()).filter(is_one);
        pids.map(|pid| pid.parse().expect("a number")).collect()
    }

    /// The number behind a key such as `VmRSS:` in a file of /proc/PID of the daemon (proc(5)).
    pub fn proc(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("the daemon");
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect(key);
        line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    }

    /// The process id of the daemon.
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("it runs").id()
    }

    pub fn config(&self) -> PathBuf {
        self.beside("mediafs.toml")
    }

    /// The directory of the library.
    pub fn library(&self) -> PathBuf {
        self.beside("library")
    }

    /// The log of the daemon so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).expect("the log")
    }

    fn log_path(&self) -> PathBuf {
        self.beside("log")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Never panics a second time.
        end(self.daemon.take(), &self.mountpoint());
        if thread::panicking() {
            say(&fs::read_to_string(self.log_path()).unwrap_or_default());
        }
    }
}

/// Starts a daemon. Returns the first line that it prints, or `None` if it ends without one.
pub fn start(command: &mut Command) -> (Child, Option<String>) {
    let mut daemon =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("mediafs starts");
    let stdout = daemon.stdout.take().expect("its output");
    let (line, first_line) = mpsc::channel();
    thread::spawn(move || {
        for said in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = line.send(said);
        }
    });
    match first_line.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => {
            let _ = daemon.kill();
            panic!("mediafs neither mounts nor ends");
        }
        said => (daemon, said.ok()),
    }
}

/// Unmounts, and kills the daemon if it still runs. By force, since a killed daemon may not end while a client waits for it.
pub fn end(daemon: Option<Child>, mountpoint: &Path) {
    let mut umount = Command::new("umount");
    let _ = umount.args(["-f", "-l"]).arg(mountpoint).stderr(Stdio::null()).status();
    if let Some(mut daemon) = daemon {
        let _ = daemon.kill();
        let _ = daemon.wait();
    }
}

#[allow(clippy::print_stderr)] // The log of a failed test belongs beside its failure.
fn say(log: &str) {
    eprintln!("--- the daemon's log ---\n{log}------------------------");
}
