//! Child processes that cannot outlive this one.
//!
//! Every server of the stack is a plain child process. Three things keep none of them behind: [`Process::terminate`]
//! in the normal case, [`Drop`] on errors and panics, and the kernel's parent-death signal when this process is killed.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl;
use nix::sys::signal::{self, SigHandler, Signal};
use nix::unistd::{Pid, getppid};

/// How often a child that is starting or stopping is looked at.
const POLL: Duration = Duration::from_millis(25);

/// Lines of the log shown when a child fails.
const TAIL_LINES: usize = 25;

/// A running child with its log file. Dropping it kills its whole process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    group: Pid,
    log: PathBuf,
    exit: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in its own process group, with no stdin and both outputs appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be written or the program cannot be started.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("opening the log of {name}, {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        die_with_parent(&mut command);

        let program = command.get_program().to_string_lossy().into_owned();
        let child = on_spawner_thread(command).with_context(|| format!("starting {name} ({program})"))?;
        let group = Pid::from_raw(i32::try_from(child.id()).context("a process id fits an i32")?);
        Ok(Self { name: name.to_owned(), child, group, log: log.to_owned(), exit: None })
    }

    /// The name given to [`Process::spawn`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, which is the id of its group too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file both outputs go to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, once the child has ended.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait()?;
        }
        Ok(self.exit)
    }

    /// Whether the child is alive; a paused one is.
    pub fn is_running(&mut self) -> bool {
        matches!(self.exit_status(), Ok(None))
    }

    /// Sends `signal` to the child, as `kill -SIGNAL PID` does.
    ///
    /// # Errors
    /// When the child has ended: its id may belong to somebody else by now.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if let Some(status) = self.exit_status()? {
            bail!("{} has ended already ({status})", self.name);
        }
        signal::kill(self.group, signal).with_context(|| format!("sending {signal} to {}", self.name))
    }

    /// Freezes the child (SIGSTOP), for tests of zombies and of servers that hang.
    ///
    /// # Errors
    /// As [`Process::signal`].
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a paused child go on (SIGCONT).
    ///
    /// # Errors
    /// As [`Process::signal`].
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Whether the child is stopped (SIGSTOP), as the kernel has it.
    pub fn is_paused(&self) -> bool {
        // Source: proc_pid_stat(5): the state follows the name, which is in parentheses.
        fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
    }

    /// Kills the child's group at once (SIGKILL) and reaps the child, as a crash would.
    ///
    /// # Errors
    /// When the operating system cannot say how the child ended.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        if self.exit_status()?.is_none() {
            // The group may be gone between the look and the signal; the wait below tells.
            let _ = signal::killpg(self.group, Signal::SIGKILL);
            self.exit = Some(self.child.wait()?);
        }
        self.exit.context("a reaped child has a status")
    }

    /// Asks the child to end (SIGTERM), waits up to `grace`, then kills what is left of its group.
    ///
    /// # Errors
    /// When the operating system cannot say how the child ended.
    pub async fn terminate(&mut self, grace: Duration) -> Result<ExitStatus> {
        if self.exit_status()?.is_none() {
            let _ = self.signal(Signal::SIGTERM);
            // A paused child would take the signal only when it goes on.
            let _ = self.resume();
            let deadline = Instant::now() + grace;
            while self.exit_status()?.is_none() && Instant::now() < deadline {
                tokio::time::sleep(POLL).await;
            }
        }
        let status = self.kill()?;
        // Children of the child that stayed behind are in its group; an empty group answers with an error.
        let _ = signal::killpg(self.group, Signal::SIGKILL);
        Ok(status)
    }

    /// Polls `probe` until it answers `Some`, and returns that. `what` completes the sentence "waiting for …".
    ///
    /// # Errors
    /// When the child ends first or `patience` runs out; the error carries the end of the child's log.
    pub async fn ready<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut probe: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(value) = probe().await {
                return Ok(value);
            }
            if let Some(status) = self.exit_status()? {
                bail!("{} ended ({status}) while waiting for {what}\n{}", self.name, self.log_tail());
            }
            if Instant::now() > deadline {
                bail!("{} was not ready in {patience:?}, waiting for {what}\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for the child to end by itself.
    ///
    /// # Errors
    /// When the operating system cannot say how the child ended.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The last lines of the log, headed by its path.
    pub fn log_tail(&self) -> String {
        let text =
            fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("--- end of {} ---\n{}", self.log.display(), tail.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
        // Also what the child started itself, when it ended before us.
        let _ = signal::killpg(self.group, Signal::SIGKILL);
    }
}

/// Asks the kernel to kill the child when this process is gone, however it went.
fn die_with_parent(command: &mut Command) {
    let parent = Pid::this();
    #[allow(unsafe_code)]
    let in_child = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // A shell starts what runs in the background with SIGINT ignored, and children inherit that.
        // SAFETY: no handler is installed; the default action needs none.
        unsafe { signal::signal(Signal::SIGINT, SigHandler::SigDfl) }?;
        // The parent may have died before the line above; then no signal will ever come.
        if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
    };
    // SAFETY: between fork and exec the closure makes three system calls, all async-signal-safe, and neither allocates
    // nor locks: the errors it returns are built from an errno and from a constant.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(in_child);
    }
}

type Spawn = (Command, mpsc::Sender<io::Result<Child>>);

/// The parent-death signal fires when the *thread* that forked ends, and threads of a runtime come and go, so one
/// thread that lives as long as the process does all the forking.
static SPAWNER: LazyLock<mpsc::Sender<Spawn>> = LazyLock::new(|| {
    let (sender, requests) = mpsc::channel::<Spawn>();
    let spawner = std::thread::Builder::new().name("spawner".to_owned());
    spawner
        .spawn(move || {
            for (mut command, answer) in requests {
                let _ = answer.send(command.spawn());
            }
        })
        .expect("a thread can be started");
    sender
});

fn on_spawner_thread(command: Command) -> io::Result<Child> {
    let (sender, answer) = mpsc::channel();
    SPAWNER.send((command, sender)).map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> Process {
        let mut command = Command::new("sleep");
        command.arg("600");
        Process::spawn("sleeper", command, &dir.join("sleeper.log")).unwrap()
    }

    #[tokio::test]
    async fn a_paused_child_can_be_terminated() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = sleeper(dir.path());
        process.pause().unwrap();
        assert!(process.is_running());
        let status = process.terminate(Duration::from_secs(5)).await.unwrap();
        assert!(!status.success());
        assert!(process.signal(Signal::SIGCONT).is_err(), "a reaped id is never signalled");
    }

    #[tokio::test]
    async fn a_child_that_ends_early_is_reported_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo the reason; exit 3"]);
        let mut process = Process::spawn("failing", command, &dir.path().join("log")).unwrap();
        let ready = process.ready("the impossible", Duration::from_secs(5), async || None::<()>).await;
        let message = ready.unwrap_err().to_string();
        assert!(message.contains("the reason") && message.contains("exit status: 3"), "{message}");
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let process = sleeper(dir.path());
        let pid = process.group;
        drop(process);
        assert!(signal::kill(pid, None).is_err());
    }
}
